"""A self-hosted gateway in front of every AI API."""

__version__ = "0.1.0"
