"""One request on its way: what the steps hand on to each other, and how answers are sent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from ..accounts.models import Token
from ..declare import Failure, Operation, Protocol, Reason, Reply
from .request import HttpRequest, Receive, Send
from .routing import Route

HEADER_PAIRS = list[tuple[bytes, bytes]]
_NO_BODY = frozenset({204, 304})


@dataclass(slots=True)
class Exchange:
    """A request, its caller, and its clock."""

    id: str
    route: Route
    request: HttpRequest
    receive: Receive
    send: Send
    started: float = field(default_factory=time.perf_counter)
    token: Token | None = None
    ip: str = ""
    asked: str = ""
    """The model as the caller names it."""
    model: str = ""
    """After aliases: what routes and is priced."""
    waited: float = 0.0
    """Seconds spent waiting for upstreams."""
    own: float | None = None
    """Seconds of `overhead` when the answer's head went out."""
    answering: bool = False
    """The answer's head is out."""
    status: int = 0

    @property
    def protocol(self) -> Protocol:
        """The protocol that the caller speaks."""
        return self.route.protocol

    @property
    def operation(self) -> Operation:
        """What the caller wants."""
        return self.route.operation

    @property
    def caller(self) -> Token:
        """The token; there is one after `keys.authenticate`."""
        assert self.token is not None
        return self.token

    def overhead(self) -> float:
        """Seconds since the start that were ours, not an upstream's."""
        return time.perf_counter() - self.started - self.waited

    async def head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin the answer."""
        self.answering = True
        self.status = status
        self.own = self.overhead()
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *headers,
                    (b"x-request-id", self.id.encode()),
                    (b"x-deeepai-overhead-ms", b"%.2f" % (self.own * 1000)),
                ],
            }
        )

    async def answer(self, status: int, headers: HEADER_PAIRS, body: bytes) -> None:
        """Send a whole answer."""
        if status not in _NO_BODY:
            headers.append((b"content-length", str(len(body)).encode()))
        await self.head(status, headers)
        await self.send({"type": "http.response.body", "body": body})

    async def reply(self, reply: Reply, extra: Mapping[str, str] | None = None) -> None:
        """Send a reply of the gateway's own."""
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        headers = pairs(reply.headers)
        headers.append((b"content-type", reply.content_type.encode()))
        if extra:
            headers += pairs(extra)
        await self.answer(reply.status, headers, b"" if reply.status in _NO_BODY else body)

    async def fail(self, failure: Failure) -> None:
        """Send a failure in the protocol's own shape."""
        await self.reply(self.protocol.error(failure, self.operation, self.id), failure_headers(failure))


def failure_headers(failure: Failure) -> dict[str, str]:
    """Return the headers that go with a failure whatever the protocol."""
    headers: dict[str, str] = {}
    if failure.retry_after is not None:
        headers["retry-after"] = str(max(1, round(failure.retry_after)))
    if failure.kind is Reason.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return headers


def pairs(headers: Mapping[str, str]) -> HEADER_PAIRS:
    """Encode headers for ASGI."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
