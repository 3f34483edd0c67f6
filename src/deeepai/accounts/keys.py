"""Keys that the gateway issues. Only their digests are stored."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from typing import Final

from .models import Mode

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 48
_PREFIXES: dict[Mode, str] = {"live": "sk-", "test": "sk-test-"}

SECRET: Final = re.compile(r"\b(?:sk-test-|sk-|session-|access-|code-|ek_|sk_)[A-Za-z0-9]{16,}")
"""Whatever looks like a key of ours, for the redaction of logs."""


def _random(length: int = _LENGTH) -> str:
    return "".join([secrets.choice(_ALPHABET) for _ in range(length)])


def new_key(mode: Mode) -> str:
    """Return a caller's key: `sk-`, or `sk-test-`, and 48 letters and digits."""
    return _PREFIXES[mode] + _random()


def new_session_key() -> str:
    """Return the key of a session of the control API."""
    return "session-" + _random()


def new_access_key() -> str:
    """Return a user's lasting key for the control API."""
    return "access-" + _random()


def new_session_secret(prefix: str) -> str:
    """Return a short-lived key for sessions of one model, with its protocol's prefix."""
    return prefix + _random()


def new_code() -> str:
    """Return a redemption code."""
    return "code-" + _random(32)


def digest(key: str) -> str:
    """Return the key's SHA-256 in hex; the keys are random, so that no salt is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def hint(key: str) -> str:
    """Return what may be shown of a key: `sk-abcd…wxyz`."""
    start = next(
        (prefix for prefix in ("sk-test-", "sk-", "session-", "access-", "code-") if key.startswith(prefix)), ""
    )
    return f"{start}{key[len(start) : len(start) + 4]}…{key[-4:]}"
