"""The secret that an account's callbacks are signed with, derived so that nothing more must be stored."""

from __future__ import annotations

import base64
import hashlib
import hmac


def webhook_secret(master: bytes, account_id: str) -> str:
    """Return an account's Standard Webhooks secret (`whsec_` and base64 of 32 bytes)."""
    digest = hmac.new(master, account_id.encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(digest).decode()
