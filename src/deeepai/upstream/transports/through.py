"""The client of upstreams, as a channel with a transport sees it."""

from __future__ import annotations

from collections.abc import Mapping

from ...accounts.models import Channel, Limits
from ...declare import Answer
from ..client import Client, Pieces, Response, ask
from ..errors import NotSent
from .base import Sending, Transport


class Through:
    """Sends a channel's requests by its transport."""

    def __init__(self, client: Client, transport: Transport, channel: Channel) -> None:
        self._client, self._transport, self._channel = client, transport, channel

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Pieces | None, limits: Limits
    ) -> Response:
        """Send a request; return once the headers of the answer are here.

        Raises
        ------
        NotSent, MaybeSent, Stalled
        """
        base = self._channel.base_url.rstrip("/")
        if isinstance(body, Pieces) or not url.startswith(base):
            raise NotSent("this transport cannot carry the request")
        own = {name.lower(): value for name, value in headers.items()}
        sending = Sending(method, url[len(base) :], own, body)
        target = await self._transport.prepare(self._client, self._channel, sending)
        response = await self._client.send(sending.method, target, sending.headers, sending.body, limits)
        return self._transport.receive(sending, response)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Pieces | None,
        limits: Limits,
        max_answer: int = 64 * 1024 * 1024,
    ) -> Answer:
        """Send a request and read its whole answer within `limits.whole`."""
        return await ask(self, method, url, headers, body, limits, max_answer)
