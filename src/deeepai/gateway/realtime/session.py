"""A WebSocket's handshake, and what its session needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ...asgi import Receive, Send
from ...declare import Facts, SessionTranslation, SocketRules
from ...upstream.sockets import Socket
from ..body.request import HttpRequest
from ..exchange import Exchange
from ..routing import Route
from .keys import Secret


@dataclass(frozen=True, slots=True)
class Opened:
    """An upstream that took the session."""

    upstream: Socket
    facts: Facts
    first: str | None
    """Its first event, if it said one by itself."""
    translation: SessionTranslation | None
    """What turns events, where it does not speak as the caller does."""


def refusing(send: Send) -> Send:
    """Return a way to answer a WebSocket's handshake in plain HTTP."""

    async def refuse(message: dict[str, Any]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return refuse


class Session(Exchange):
    """A WebSocket's handshake, and the session that follows from it.

    Attributes
    ----------
    rules : SocketRules
    digest : str
        Of the caller's key.
    secret : Secret or None
        What the session is to be like, where a minted key opened it.
    send : callable
        Answers the handshake in plain HTTP.
    tell : callable
        Sends what belongs to the WebSocket.
    """

    __slots__ = ("digest", "rules", "secret", "tell")
    rules: SocketRules
    digest: str
    secret: Secret | None

    def __init__(self, request_id: str, route: Route, request: HttpRequest, receive: Receive, tell: Send) -> None:
        super().__init__(request_id, route, request, receive, refusing(tell))
        self.tell = tell

    def begin(self, rules: SocketRules, digest: str, secret: Secret | None) -> None:
        """Note who calls, and by what; a minted key says what is asked for.

        Raises
        ------
        Failure
            The key was not made for this.
        """
        self.rules, self.digest, self.secret = rules, digest, secret
        if secret is not None:
            query = urlencode(rules.query(self.request, secret.session))
            scope = {**self.request.scope, "query_string": query.encode()}
            self.request = HttpRequest(scope, self.route, self.request.params)

    async def accept(self) -> None:
        """Accept the WebSocket."""
        self.answering, self.status, self.overhead_at_head = True, 101, self.overhead()
        headers = [
            (b"x-request-id", self.id.encode()),
            (b"x-deeepai-overhead-ms", b"%.2f" % (self.overhead_at_head * 1000)),
        ]
        if self.fallback_model:
            headers.append((b"x-deeepai-model", self.fallback_model.encode("latin-1", "replace")))
        await self.tell(
            {"type": "websocket.accept", "subprotocol": self.rules.protocol(self.request), "headers": headers}
        )
