"""MewXAI's wire format in front of the art engines."""

from .family import MewxFamily

__all__ = ["MewxFamily"]
