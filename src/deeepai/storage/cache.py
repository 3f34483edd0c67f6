"""What gateways share for a short time: counters, small values, messages. In the process, or in Valkey or Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

import structlog
import valkey.asyncio
from valkey.exceptions import ValkeyError

T = TypeVar("T")
_log = structlog.get_logger("deeepai.cache")

_RECONNECT_SECONDS = 0.5
_ANSWER_SECONDS = 1.0
"""Within which a server in the same data centre answers, or is taken to be gone."""
_HEALTH_SECONDS = 15.0
"""Of silence after which a subscription asks whether the server is there; after as long again it is not."""
_LOST = (ValkeyError, OSError, TimeoutError)
_PRUNE_AT = 10_000
_MOST_BYTES = 64 * 1024 * 1024
"""Of all values in memory; the oldest give way."""


class Cache(Protocol):
    """A store of which anything may be lost at any time."""

    @property
    def up(self) -> bool:
        """Whether what is kept here is shared, where it should be."""
        ...

    async def incr(self, key: str, ttl_s: float, by: int = 1) -> int:
        """Count up and return the count; it starts over `ttl_s` after the first."""
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

    @property
    def up(self) -> bool:
        """True."""
        return True

    async def incr(self, key: str, ttl_s: float, by: int = 1) -> int:
        """Count up and return the count; it starts over `ttl_s` after the first."""
        now = time.monotonic()
        expires, count = self._values.get(key, (0.0, 0))
        if expires <= now or isinstance(count, bytes):
            expires, count = now + ttl_s, 0
        self._put(key, expires, count + by)
        return count + by

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
    """A cache in Valkey or Redis. While that is gone, it is one of this process alone, and raises nothing.

    Parameters
    ----------
    url : str
        `valkey://…`, `valkeys://…`, `redis://…`, `rediss://…` or `unix://…`.
    health : float
        Seconds of silence after which a subscription asks whether the server is there.
    """

    def __init__(self, url: str, *, health: float = _HEALTH_SECONDS) -> None:
        # The client's stubs leave most types open.
        self._client: Any = valkey.asyncio.from_url(url, socket_timeout=_ANSWER_SECONDS)
        # Its own limit would take a server without news for one that is dead.
        self._listener: Any = valkey.asyncio.from_url(
            url, socket_timeout=None, socket_connect_timeout=_ANSWER_SECONDS, health_check_interval=health
        )
        self._health = health
        self._alone = MemoryCache()
        self._watch: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether the server answered last."""
        return self._watch is None

    async def incr(self, key: str, ttl_s: float, by: int = 1) -> int:
        """Count up and return the count; it starts over `ttl_s` after the first."""

        async def count() -> int:
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.incrby(key, by)
                pipeline.pexpire(key, max(1, round(ttl_s * 1000)), nx=True)
                return (await pipeline.execute())[0]

        return await self._shared(count, lambda: self._alone.incr(key, ttl_s, by))

    async def get(self, key: str) -> bytes | None:
        """Return a value, or None where there is none (any more)."""
        return await self._shared(lambda: self._client.get(key), lambda: self._alone.get(key))

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s`."""
        await self._shared(
            lambda: self._client.set(key, value, px=max(1, round(ttl_s * 1000))),
            lambda: self._alone.set(key, value, ttl_s),
        )

    async def publish(self, channel: str, text: str) -> None:
        """Send to all who are subscribed now."""
        await self._shared(lambda: self._client.publish(channel, text), lambda: self._alone.publish(channel, text))

    async def _shared(self, ask: Callable[[], Awaitable[T]], alone: Callable[[], Awaitable[T]]) -> T:
        if self._watch is None:
            try:
                return await ask()
            except _LOST as fault:
                self._lost(fault)
        return await alone()

    def _lost(self, fault: Exception) -> None:
        """Do without the server until it answers again: nobody else waits for it meanwhile."""
        if self._watch is None:
            _log.warning("Valkey does not answer; this node goes on alone", error=type(fault).__name__)
            self._watch = asyncio.create_task(self._until_back())

    async def _touch(self) -> None:
        # A server that is full, or a replica, answers and takes nothing.
        await self._client.set("alive", b"1", px=1000)

    async def _until_back(self) -> None:
        while True:
            await asyncio.sleep(_RECONNECT_SECONDS)
            try:
                await self._touch()
            except _LOST:
                continue
            _log.warning("Valkey answers again")
            self._alone = MemoryCache()
            self._watch = None
            return

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncGenerator[AsyncIterator[str]]:
        """Receive what is published while the context is open.

        After a lost connection it goes on by itself; what was published meanwhile is missed.

        Raises
        ------
        OSError, ValkeyError
            The server is not there at the beginning.
        """
        async with self._listener.pubsub() as subscription:
            try:
                await subscription.subscribe(channel)
                # The server's own word that the subscription stands comes first.
                await subscription.get_message(timeout=_ANSWER_SECONDS)
            except _LOST as fault:
                self._lost(fault)
                raise

            async def messages() -> AsyncIterator[str]:
                asked = False
                while True:
                    try:
                        # What answers the client's own questions is told as None, too.
                        began = time.monotonic()
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=self._health)
                        silent = message is None and time.monotonic() - began >= self._health
                        if silent and asked:
                            raise TimeoutError("no answer")
                        asked = silent
                    except _LOST:
                        asked = False
                        # It may be this connection's end alone.
                        await self._shared(self._touch, _nothing)
                        with suppress(*_LOST):
                            await subscription.connection.disconnect()
                        await asyncio.sleep(_RECONNECT_SECONDS)
                        continue
                    if message is not None and message["type"] == "message":
                        yield message["data"].decode()

            yield messages()

    async def close(self) -> None:
        """Let go of connections."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._client.aclose()
        await self._listener.aclose()


async def _nothing() -> None:
    return


def open_cache(url: str | None) -> Cache:
    """Return a Valkey cache for a URL, or one in memory for None."""
    return MemoryCache() if url is None else ValkeyCache(url)
