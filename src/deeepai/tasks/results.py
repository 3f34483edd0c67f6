"""The files that tasks produce: fetched from where the vendor keeps them, and kept as assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urljoin

import aiohttp
import structlog

from ..accounts.models import Channel
from ..declare import Protocol, Result, TaskStatus
from ..storage.database import Database
from ..storage.ids import now_ms
from ..upstream import Client, Cut, UpstreamError, credentials, transports
from . import store
from .assets import AssetStore, sniff
from .hosts import address, same_host
from .safe_fetch import SafeFetch, Unsafe
from .store import Stored

log = structlog.get_logger()

FETCH_TRIES = 5
"""Polls for which a result whose file cannot be had is tried again."""
MAX_FILE = 512 * 1024 * 1024


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
        assets: AssetStore,
        client: Client,
        fetch: SafeFetch,
        protocols: Mapping[str, Protocol],
        channel: Callable[[str], Channel | None],
    ) -> None:
        self._db = db
        self._assets = assets
        self._client = client
        self._fetch = fetch
        self._protocols = protocols
        self._channel = channel

    async def take(self, task: Stored, status: TaskStatus) -> bool:
        """Keep the bytes of a task's results before its end is told; False: try again at the next poll."""
        for number, result in enumerate(status.results):
            try:
                data, said = await self._result(task, result)
            except (Unsafe, UpstreamError, TimeoutError, OSError) as fault:
                tries = task.fetch_tries + 1
                log.warning("task.result_unfetched", task=task.id, number=number, tries=tries, error=str(fault))
                if result.optional or tries >= FETCH_TRIES:
                    continue
                task.fetch_tries = tries
                await self._db.write(lambda tx: store.update(tx, task, "fetch_tries"))
                return False
            kind = sniff(data[:16], result.content_type or said)
            key = await self._assets.put(task, number, data, kind)
            size, source = len(data), result.url
            await self._db.write(
                lambda tx, n=number, k=key, t=kind, s=size, u=source: store.add_asset(
                    tx, task, n, key=k, content_type=t, size=s, source=u, now=now_ms()
                )
            )
        task.results = len(status.results)
        return True

    async def _result(self, task: Stored, result: Result) -> tuple[bytes, str | None]:
        if result.data is not None:
            return result.data, result.content_type
        if not isinstance(result.url, str):
            raise Cut("the vendor named no file")
        return await self.fetch_from(self._channel(task.channel_id), result.url, keyed=result.keyed)

    async def fetch_file(self, task: Stored, url: str) -> tuple[bytes, str | None]:
        """Fetch a file that a task's vendor names; see `fetch_from`."""
        return await self.fetch_from(self._channel(task.channel_id), url)

    async def fetch_from(self, channel: Channel | None, url: str, *, keyed: bool = False) -> tuple[bytes, str | None]:
        """Fetch a file that a channel's vendor names; the vendor's own host may be a private one, others may not.

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
        if channel is not None and same_host(channel.base_url, url):
            key = channel.credential if keyed and address(channel, url) == url else None
            headers = credentials.headers(self._protocols[channel.protocol], channel) if key else {}
            client = transports.client_for(self._client, channel) if key else self._client
            answer = await client.ask("GET", url, headers, None, channel.limits, MAX_FILE)
            place = answer.headers.get("location")
            if keyed and answer.status in (301, 302, 303, 307, 308) and place:
                return await self.fetch_from(channel, urljoin(url, place))
            if answer.status != 200:
                raise Cut(f"HTTP {answer.status}")
            return answer.body, answer.headers.get("content-type")
        try:
            fetched = await self._fetch.request("GET", url, limit=MAX_FILE, seconds=300)
        except aiohttp.ClientError as fault:
            raise Cut(type(fault).__name__) from fault
        if fetched.status != 200:
            raise Cut(f"HTTP {fetched.status}")
        return fetched.body, fetched.content_type
