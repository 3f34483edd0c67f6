"""Pixverse's wire formats: the vendor's own, that of its web site, and that of a supplier to relays."""

from .platform import pixverse_platform
from .relay import pixverse
from .web import pixverse_web

__all__ = ["pixverse", "pixverse_platform", "pixverse_web"]
