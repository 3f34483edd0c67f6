"""Cross-origin requests: browsers let a page read our answers where these say so.

Keys stand in headers, never in cookies, so that any page may be let in: it can do no more than its reader's key can.
Nothing of the control plane is served so, for there cookies count.

Source: the Fetch standard, "CORS protocol".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..asgi import Send
from ..declare import Protocol
from .exchange import HEADER_PAIRS, WHOLE

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_MAX_AGE: Final = b"86400"
_EXPOSED: Final = (
    *("x-request-id", "retry-after", "retry-after-ms", "x-should-retry", "www-authenticate", "allow"),
    *("x-deeepai-overhead-ms", "x-deeepai-model", "x-deeepai-cache"),
    *("content-length", "content-disposition", "content-range", "accept-ranges", "etag", "location"),
)


class Cors:
    """What pages of other origins may do.

    Parameters
    ----------
    origins : sequence of str
        As `DEEEPAI_CORS_ORIGINS` lists them; `*` is any.
    protocols : sequence of Protocol
        Their answers' headers can be read, too.
    """

    def __init__(self, origins: Iterable[str], protocols: Iterable[Protocol]) -> None:
        listed = [origin.rstrip("/").lower() for origin in origins]
        self._any = "*" in listed
        self._origins = frozenset(origin.encode() for origin in listed)
        names = dict.fromkeys(_EXPOSED)
        for protocol in protocols:
            names |= dict.fromkeys(protocol.answer_headers)
            if protocol.id_header is not None:
                names[protocol.id_header] = None
        self._exposed = (b"access-control-expose-headers", ", ".join(names).encode())
        self._to_any: Final = ((b"access-control-allow-origin", b"*"), self._exposed)

    def headers(self, origin: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Return what lets a page of an origin read an answer."""
        if self._any:
            return self._to_any
        vary = (b"vary", b"origin")
        if origin.lower() not in self._origins:
            return (vary,)
        return ((b"access-control-allow-origin", origin), self._exposed, vary)

    def sending(self, send: Send, origin: bytes) -> Send:
        """Return a way to send answers to a page of an origin."""
        added = self.headers(origin)

        async def allowed(message: dict[str, Any]) -> None:
            if message["type"] in (WHOLE, "http.response.start"):
                message["headers"] = [*message["headers"], *added]
            await send(message)

        return allowed

    def preflight(self, headers: Iterable[tuple[bytes, bytes]]) -> HEADER_PAIRS | None:
        """Return the answer to a browser's question before it sends a request; None where this is no such question."""
        sent = dict(headers)
        origin = sent.get(b"origin")
        if origin is None or b"access-control-request-method" not in sent:
            return None
        answer = [pair for pair in self.headers(origin) if pair[0] != b"vary"]
        if answer:
            answer += [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", _MAX_AGE)]
            asked = sent.get(b"access-control-request-headers")
            if asked:
                answer.append((b"access-control-allow-headers", asked))
        answer.append((b"vary", b"origin, access-control-request-headers"))
        return answer
