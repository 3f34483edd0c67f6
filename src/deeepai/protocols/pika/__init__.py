"""Pika's wire formats: the vendor's own, that of its web site, and that of a supplier to relays."""

from .api import pika_api
from .relay import pika
from .web import pika_web

__all__ = ["pika", "pika_api", "pika_web"]
