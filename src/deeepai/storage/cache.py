"""What gateways share for a short time: counters, small values, messages. In the process, or in Valkey or Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import valkey.asyncio
from valkey.exceptions import ConnectionError as LostConnection

_RECONNECT_SECONDS = 0.5
_PRUNE_AT = 10_000
_MOST_BYTES = 64 * 1024 * 1024
"""Of all values in memory; the oldest give way."""


class Cache(Protocol):
    """A store of which anything may be lost at any time."""

    async def incr(self, key: str, ttl_s: float) -> int:
        """Count up by one and return the count; it starts over `ttl_s` after the first."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return a value, or None where there is none (any more)."""
        ...

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s`."""
        ...

    async def publish(self, channel: str, text: str) -> None:
        """Send to all who are subscribed now."""
        ...

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Receive what is published while the context is open.

        After a lost connection it goes on by itself; what was published meanwhile is missed.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryCache:
    """A cache of one process."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, int | bytes]] = {}
        self._sizes: dict[str, int] = {}
        """Of the values that are bytes, the oldest first."""
        self._size = 0
        self._prune_at = _PRUNE_AT
        self._subscribers: dict[str, set[asyncio.Queue[str]]] = {}

    async def incr(self, key: str, ttl_s: float) -> int:
        """Count up by one and return the count; it starts over `ttl_s` after the first."""
        now = time.monotonic()
        expires, count = self._values.get(key, (0.0, 0))
        if expires <= now or isinstance(count, bytes):
            expires, count = now + ttl_s, 0
        self._put(key, expires, count + 1)
        return count + 1

    async def get(self, key: str) -> bytes | None:
        """Return a value, or None where there is none (any more)."""
        found = self._values.get(key)
        if found is None or found[0] <= time.monotonic():
            return None
        return found[1] if isinstance(found[1], bytes) else b"%d" % found[1]

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s`."""
        self._size += len(value) - self._sizes.pop(key, 0)
        self._sizes[key] = len(value)
        self._put(key, time.monotonic() + ttl_s, value)
        while self._size > _MOST_BYTES:
            oldest = next(iter(self._sizes))
            self._drop(oldest)

    def _drop(self, key: str) -> None:
        self._size -= self._sizes.pop(key, 0)
        self._values.pop(key, None)

    def _put(self, key: str, expires: float, value: int | bytes) -> None:
        self._values[key] = (expires, value)
        if len(self._values) > self._prune_at:
            now = time.monotonic()
            for gone in [name for name, kept in self._values.items() if kept[0] <= now]:
                self._drop(gone)
            self._prune_at = max(_PRUNE_AT, 2 * len(self._values))

    async def publish(self, channel: str, text: str) -> None:
        """Send to all who are subscribed now."""
        for inbox in self._subscribers.get(channel, ()):
            inbox.put_nowait(text)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncGenerator[AsyncIterator[str]]:
        """Receive what is published while the context is open."""
        inbox: asyncio.Queue[str] = asyncio.Queue()
        inboxes = self._subscribers.setdefault(channel, set())
        inboxes.add(inbox)

        async def messages() -> AsyncIterator[str]:
            while True:
                yield await inbox.get()

        try:
            yield messages()
        finally:
            inboxes.discard(inbox)

    async def close(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._sizes.clear()
        self._size = 0


class ValkeyCache:
    """A cache in Valkey or Redis.

    Parameters
    ----------
    url : str
        `valkey://…`, `valkeys://…`, `redis://…`, `rediss://…` or `unix://…`.
    """

    def __init__(self, url: str) -> None:
        # The client's stubs leave most types open.
        self._client: Any = valkey.asyncio.from_url(url)

    async def incr(self, key: str, ttl_s: float) -> int:
        """Count up by one and return the count; it starts over `ttl_s` after the first."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.pexpire(key, max(1, round(ttl_s * 1000)), nx=True)
            return (await pipeline.execute())[0]

    async def get(self, key: str) -> bytes | None:
        """Return a value, or None where there is none (any more)."""
        return await self._client.get(key)

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s`."""
        await self._client.set(key, value, px=max(1, round(ttl_s * 1000)))

    async def publish(self, channel: str, text: str) -> None:
        """Send to all who are subscribed now."""
        await self._client.publish(channel, text)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncGenerator[AsyncIterator[str]]:
        """Receive what is published while the context is open.

        After a lost connection it goes on by itself; what was published meanwhile is missed.
        """
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(channel)
            # The server's own word that the subscription stands comes first.
            await subscription.get_message(timeout=None)

            async def messages() -> AsyncIterator[str]:
                while True:
                    try:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=None)
                    except LostConnection:
                        await asyncio.sleep(_RECONNECT_SECONDS)
                        continue
                    if message is not None and message["type"] == "message":
                        yield message["data"].decode()

            yield messages()

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def open_cache(url: str | None) -> Cache:
    """Return a Valkey cache for a URL, or one in memory for None."""
    return MemoryCache() if url is None else ValkeyCache(url)
