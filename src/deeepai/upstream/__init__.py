"""The one way out: requests to upstreams over kept-alive HTTP/1.1 connections, and what can go wrong, told apart."""

from __future__ import annotations

from .client import Client, Pieces, Response, Upstreams
from .errors import Cut, MaybeSent, NotSent, Stalled, UpstreamError

__all__ = ["Client", "Cut", "MaybeSent", "NotSent", "Pieces", "Response", "Stalled", "UpstreamError", "Upstreams"]
