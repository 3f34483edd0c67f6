"""The files that tasks produce: fetched from where the vendor keeps them, and kept as assets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urljoin

import aiohttp
import structlog

from ..accounts.models import Channel
from ..declare import Protocol, Result, TaskStatus
from ..safe_fetch import SafeFetch, Unsafe
from ..storage.database import Database
from ..storage.ids import now_ms
from ..upstream import Client, Cut, Response, UpstreamError, credentials, transports
from . import store
from .files import FileKeeper, Source, one
from .hosts import address, same_host
from .store import Asset, Stored

log = structlog.get_logger()

FETCH_TRIES = 5
"""Polls for which a result whose file cannot be had is tried again."""
_SECONDS = 300.0
"""That a file may take which is not at its channel's own host."""

Found = tuple[str | None, AsyncIterator[bytes]]
"""A file's type, as its sender says, and its bytes."""


class Results:
    """Fetches and keeps what tasks produce.

    Parameters
    ----------
    channel : callable
        A channel by id, or None.
    """

    def __init__(
        self,
        db: Database,
        files: FileKeeper,
        client: Client,
        fetch: SafeFetch,
        protocols: Mapping[str, Protocol],
        channel: Callable[[str], Channel | None],
    ) -> None:
        self._db = db
        self._files = files
        self._client = client
        self._fetch = fetch
        self._protocols = protocols
        self._channel = channel

    async def take(self, task: Stored, status: TaskStatus) -> bool:
        """Keep the bytes of a task's results before its end is told; False: try again at the next poll."""
        for number, result in enumerate(status.results):
            try:
                why = await self._keep(task, number, result)
            except (Unsafe, UpstreamError, TimeoutError, OSError) as fault:
                tries = task.fetch_tries + 1
                log.warning("task.result_unfetched", task=task.id, number=number, tries=tries, error=str(fault))
                if not result.optional and tries < FETCH_TRIES:
                    task.fetch_tries = tries
                    await self._db.write(lambda tx: store.update(tx, task, "fetch_tries"))
                    return False
                why = "unfetched"
            if why is not None and isinstance(result.url, str):
                kind = result.content_type or "application/octet-stream"
                asset = Asset(number, "", kind, 0, result.url, result.keyed, why)
                await self._db.write(lambda tx, a=asset: store.add_asset(tx, task, a, now_ms()))
        task.results = len(status.results)
        return True

    async def _keep(self, task: Stored, number: int, result: Result) -> str | None:
        """Keep a result; return why it is not kept, if so."""
        if result.data is not None:
            return (await self._files.keep(task, number, Source(one(result.data), result.content_type)))[1]
        url = result.url
        if not isinstance(url, str):
            raise Cut("the vendor named no file")
        why = await self._files.refusal(task)
        if why is not None:
            return why
        async with self.opened(self._channel(task.channel_id), url, keyed=result.keyed) as (said, pieces):
            source = Source(pieces, result.content_type or said, url, result.keyed)
            return (await self._files.keep(task, number, source))[1]

    def of_task(self, channel_id: str, url: str, *, keyed: bool) -> AbstractAsyncContextManager[Found]:
        """Open a file that a task's vendor keeps; see `opened`."""
        return self.opened(self._channel(channel_id), url, keyed=keyed)

    async def fetch_file(self, task: Stored, url: str, most: int) -> tuple[bytes, str | None]:
        """Fetch a file that a task's vendor names; see `fetch_from`."""
        return await self.fetch_from(self._channel(task.channel_id), url, most=most)

    async def fetch_from(
        self, channel: Channel | None, url: str, *, keyed: bool = False, most: int = 64 << 20
    ) -> tuple[bytes, str | None]:
        """Fetch a file whole; see `opened`.

        Raises
        ------
        Cut
            It has more than `most` bytes.
        """
        async with self.opened(channel, url, keyed=keyed) as (said, pieces):
            return await whole(pieces, most), said

    @asynccontextmanager
    async def opened(self, channel: Channel | None, url: str, *, keyed: bool = False) -> AsyncGenerator[Found]:
        """Open a file that a channel's vendor names; the vendor's own host may be a private one, others may not.

        Parameters
        ----------
        keyed : bool
            Show the channel's credential, on the vendor's own host only; what that redirects to does not see it.

        Raises
        ------
        Unsafe, UpstreamError, TimeoutError, OSError
        """
        if channel is not None and url.startswith("/"):
            url = address(channel, url)
        if channel is None or not same_host(channel.base_url, url):
            try:
                async with self._fetch.opened("GET", url, seconds=_SECONDS) as fetched:
                    if fetched.status != 200:
                        raise Cut(f"HTTP {fetched.status}")
                    yield fetched.content_type, fetched.content.iter_any()
            except aiohttp.ClientError as fault:
                raise Cut(type(fault).__name__) from fault
            return
        key = channel.credential if keyed and address(channel, url) == url else None
        headers = credentials.headers(self._protocols[channel.protocol], channel) if key else {}
        client = transports.client_for(self._client, channel) if key else self._client
        async with asyncio.timeout(channel.limits.whole):
            response = await client.send("GET", url, headers, None, channel.limits)
            place = response.headers.get("location")
            if not (keyed and response.status in (301, 302, 303, 307, 308) and place):
                pieces = _Pieces(response)
                try:
                    if response.status != 200:
                        raise Cut(f"HTTP {response.status}")
                    yield response.headers.get("content-type"), aiter(pieces)
                finally:
                    # What is left of it is nobody's.
                    (response.release if pieces.ended else response.abort)()
                return
            response.release()
        async with self.opened(channel, urljoin(url, place)) as found:
            yield found


class _Pieces:
    """An answer's body, and whether all of it came."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._response.next():
            yield piece
        self.ended = True


async def whole(pieces: AsyncIterator[bytes], most: int) -> bytes:
    """Return a file whole.

    Raises
    ------
    Cut
        It has more than `most` bytes.
    """
    kept = bytearray()
    async for piece in pieces:
        kept += piece
        if len(kept) > most:
            raise Cut(f"the file has more than {most} bytes")
    return bytes(kept)
