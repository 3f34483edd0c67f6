"""Keys of vendors of jobs: plain ones, and JSON Web Tokens, which an account signs with its secret for minutes.

Only a token's form and times can be judged here: the stand-in knows nobody's secret. Source: RFC 7519, RFC 7515.
"""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from aiohttp import web

from .vendor import bearer

Fault = str
"""An empty text, or `no_key`, `bad_key`, `early_key`, `expired_key`: keys of a vendor's table of errors."""


class Keys(Protocol):
    """How a vendor reads keys."""

    def account(self, request: web.Request) -> str:
        """Return the account's name, or the key; an empty text if it is not valid."""
        ...

    def fault(self, request: web.Request) -> Fault:
        """Return what is wrong with the key, if the vendor tells such faults apart."""
        ...


class Bearer:
    """Plain keys."""

    def account(self, request: web.Request) -> str:
        """Return the key."""
        return bearer(request)

    def fault(self, request: web.Request) -> Fault:
        """Tell nothing."""
        return ""


@dataclass(frozen=True)
class WebTokens:
    """The tokens of one vendor; a plain key, as relays send one, is taken as well.

    Parameters
    ----------
    holder
        The claim that names the account.
    unit
        How many of the claims' units of time a second has.
    """

    holder: str
    unit: int = 1

    def account(self, request: web.Request) -> str:
        """Return the account's name, or the plain key; an empty text if the token is not valid."""
        return self._judged(request)[0]

    def fault(self, request: web.Request) -> Fault:
        """Return what is wrong with the key."""
        return self._judged(request)[1]

    def _judged(self, request: web.Request) -> tuple[str, Fault]:
        token = bearer(request) or request.headers.get("authorization", "").strip()  # Old documents have no "Bearer".
        if not token or token.lower() == "bearer":
            return "", "no_key"
        if token.count(".") != 2:
            return token, ""
        try:
            head, claims, signature = (_decoded(part) for part in token.split("."))
            header = msgspec.json.decode(head, type=dict[str, Any])
            payload = msgspec.json.decode(claims, type=dict[str, Any])
        except (ValueError, binascii.Error, msgspec.MsgspecError):
            return "", "bad_key"
        account, until, since = payload.get(self.holder), payload.get("exp"), payload.get("nbf", 0)
        if header.get("alg") != "HS256" or len(signature) != 32 or not isinstance(account, str):
            return "", "bad_key"
        if not isinstance(until, int | float) or not isinstance(since, int | float):
            return "", "bad_key"
        now = time.time() * self.unit
        if until <= now:
            return "", "expired_key"
        return ("", "early_key") if since > now else (account, "")


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
