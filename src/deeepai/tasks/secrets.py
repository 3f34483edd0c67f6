"""Secrets of callbacks, derived so that nothing more must be stored."""

from __future__ import annotations

import base64
import hashlib
import hmac


def webhook_secret(master: bytes, account_id: str) -> str:
    """Return an account's Standard Webhooks secret (`whsec_` and base64 of 32 bytes)."""
    digest = hmac.new(master, account_id.encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(digest).decode()


def channel_hook(master: bytes, channel_id: str) -> str:
    """Return the path at which a channel's vendor calls back that has one address for all of an account's tasks."""
    key = hmac.new(master, channel_id.encode(), hashlib.sha256).hexdigest()[:32]
    return f"/hooks/channels/{channel_id}/{key}"
