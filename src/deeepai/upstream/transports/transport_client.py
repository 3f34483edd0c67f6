"""The client of upstreams, as a channel with a transport sees it."""

from __future__ import annotations

from collections.abc import Mapping

from ...accounts.models import Channel, Limits
from ...declare import Answer
from ..client import Client, Pieces, Response, ask
from ..errors import NotSent
from .base import Rewritten, Sending, Transport


class TransportClient:
    """Sends a channel's requests by its transport."""

    def __init__(self, client: Client, transport: Transport, channel: Channel, model: str) -> None:
        self._client, self._transport, self._channel, self._model = client, transport, channel, model

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Pieces | None, limits: Limits
    ) -> Response:
        """Send a request; return once the headers of the answer are here.

        Raises
        ------
        NotSent, MaybeSent, Stalled
        """
        sending, target = await self._prepared(method, url, headers, body)
        response = await self._client.send(sending.method, target, sending.headers, sending.body, limits)
        response = self._transport.receive(sending, response)
        if sending.rewrite is None or response.status != 200:
            return response
        return Rewritten(response, sending.rewrite)

    async def handshake(self, url: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return where a WebSocket is opened, and by which headers.

        Raises
        ------
        NotSent
        """
        sending, target = await self._prepared("GET", url, headers, None)
        return target, sending.headers

    async def _prepared(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Pieces | None
    ) -> tuple[Sending, str]:
        base = self._channel.base_url.rstrip("/")
        if not url.startswith(base):
            raise NotSent("this transport cannot carry the request")
        own = {name.lower(): value for name, value in headers.items()}
        sending = Sending(method, url[len(base) :], own, body, self._model)
        return sending, await self._transport.prepare(self._client, self._channel, sending)

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
