"""Passwords, kept as scrypt hashes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
from functools import cache

_N, _R, _P = 2**14, 8, 1
_SYLLABLES = [a + b for a in "bdfghjkmnprstvz" for b in "aeiou"]


def generate() -> str:
    """Return a password of 74 bits that can be read out."""
    groups = ("".join(secrets.choice(_SYLLABLES) for _ in range(3)) for _ in range(4))
    return "-".join(groups)


async def hashed(password: str) -> str:
    """Return the stored form, `scrypt$n$r$p$salt$hash`."""
    return await asyncio.to_thread(_hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Compare in constant time; takes as long where there is no such user (None)."""
    return await asyncio.to_thread(_matches, password, stored)


def _hash(password: str) -> str:
    salt = os.urandom(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=256 << 20)


@cache
def _nobody() -> str:
    return _hash(secrets.token_hex())


def _matches(password: str, stored: str | None) -> bool:
    _, n, r, p, salt, digest = (stored or _nobody()).split("$")
    computed = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(computed, base64.b64decode(digest)) and stored is not None
