"""Who calls: finds the token in the places where clients of the protocol put it, and checks it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from ..accounts import addresses
from ..accounts.models import Token
from ..asgi import bearer
from ..declare import Failure, Protocol, Reason
from ..storage.ids import now_ms
from .body import HttpRequest


def find_key(request: HttpRequest, protocol: Protocol) -> str:
    """Return the caller's key, without `Bearer`.

    Raises
    ------
    Failure
        UNAUTHENTICATED, where there is none.
    """
    sent = request.headers.get(b"authorization", b"").decode("latin-1")
    # As most clients write it.
    key = sent[7:].strip() if sent.startswith("Bearer ") else _bare(sent, protocol.key_schemes)
    if key and key not in protocol.key_placeholders:
        return key
    for name in protocol.key_headers:
        key = _bare(request.header(name))
        if key:
            return key
    for name in protocol.key_queries:
        key = request.query.get(name, "")
        if key:
            return key
    raise Failure(Reason.UNAUTHENTICATED, "You did not provide an API key: send it as `Authorization: Bearer sk-…`")


def _bare(value: str, schemes: Sequence[str] = ()) -> str:
    key = bearer(value)
    scheme, _, rest = value.partition(" ")
    if key is None and scheme.lower() in schemes:
        key = rest.strip()
    return value.strip() if key is None else key


@functools.lru_cache(maxsize=1024)
def digest(key: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def check(token: Token | None, ip: str, protocol: str = "") -> Token:
    """Refuse a token that is unknown, disabled, expired, or used from elsewhere or for another protocol than allowed.

    Raises
    ------
    Failure
    """
    if token is None or not token.enabled:
        raise Failure(Reason.UNAUTHENTICATED, "Incorrect API key provided")
    if token.sub is not None and token.sub.protocol != protocol:
        raise Failure(Reason.UNAUTHENTICATED, "Incorrect API key provided: it is for other interfaces")
    if token.expires_at is not None and token.expires_at <= now_ms():
        raise Failure(Reason.UNAUTHENTICATED, "The API key has expired", code="expired_api_key")
    if token.ips is not None and not addresses.within(ip, token.ips):
        raise Failure(Reason.FORBIDDEN, "This address may not use the API key", code="access_denied")
    return token
