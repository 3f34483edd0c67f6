from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import valkey.asyncio

from deeepai.storage.cache import Cache, MemoryCache, ValkeyCache, open_cache
from deeepai.storage.ids import new_id
from tests.servers import OwnValkey, valkey_url
from tests.support.until import PATIENCE, until_async


@pytest.fixture(params=["memory", "valkey"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    cache = open_cache(None if request.param == "memory" else valkey_url())
    assert isinstance(cache, MemoryCache if request.param == "memory" else ValkeyCache)
    yield cache
    await cache.close()


async def gone(cache: Cache, key: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await cache.get(key) is not None:
            await asyncio.sleep(0.005)


async def test_values_live_for_their_time(cache: Cache) -> None:
    key = new_id()
    assert await cache.get(key) is None
    await cache.set(key, b"\0one", 60)
    assert await cache.get(key) == b"\0one"
    await cache.set(key, b"two", 0.03)
    assert await cache.get(key) == b"two"
    await gone(cache, key)


async def test_counters_start_over(cache: Cache) -> None:
    key = new_id()
    assert sorted(await asyncio.gather(*[cache.incr(key, 60) for _ in range(20)])) == list(range(1, 21))
    short = new_id()
    assert await cache.incr(short, 0.03) == 1
    # A later count does not make the window longer.
    assert await cache.incr(short, 60) == 2
    await gone(cache, short)
    assert await cache.incr(short, 60) == 1


async def test_messages_reach_all_subscribers_of_their_channel(cache: Cache) -> None:
    channel, other = new_id(), new_id()
    async with asyncio.timeout(PATIENCE):
        async with cache.subscribe(channel) as first, cache.subscribe(channel) as second:
            await cache.publish(other, "not for us")
            await cache.publish(channel, "eins")
            await cache.publish(channel, "zwei")
            assert [await anext(first), await anext(first)] == ["eins", "zwei"]
            assert [await anext(second), await anext(second)] == ["eins", "zwei"]
        await cache.publish(channel, "nobody listens")


async def test_a_subscription_outlives_a_lost_connection() -> None:
    cache = ValkeyCache(valkey_url())
    channel = new_id()
    async with asyncio.timeout(PATIENCE):
        async with cache.subscribe(channel) as messages:
            waiting = asyncio.ensure_future(anext(messages))
            await cache._client.client_kill_filter(_type="pubsub")
            while not waiting.done():
                await cache.publish(channel, "after")
                await asyncio.sleep(0.02)
            assert await waiting == "after"
    await cache.close()


async def test_memory_forgets_what_has_expired() -> None:
    cache = MemoryCache()
    for n in range(10_000):
        await cache.set(str(n), b"", 0.0)
    await cache.set("kept", b"1", 60)
    assert len(cache._values) == 1
    assert await cache.get("kept") == b"1"


async def test_a_silent_server_is_no_dead_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own limit is far shorter here than the silence; the connection stays the same one."""
    init = valkey.asyncio.connection.AbstractConnection.__init__
    monkeypatch.setattr(init, "__kwdefaults__", {**(init.__kwdefaults__ or {}), "socket_timeout": 0.05})
    server = OwnValkey().start()
    cache = ValkeyCache(server.url, health=0.1)
    channel = new_id()

    async def pings() -> int:
        found = await cache._client.info("commandstats")
        return found.get("cmdstat_ping", {}).get("calls", 0)

    async def listeners() -> list[str]:
        return [one["id"] for one in await cache._client.client_list(_type="pubsub")]

    try:
        async with cache.subscribe(channel) as messages:
            waiting = asyncio.ensure_future(anext(messages))
            before = await until_async(listeners)
            first = await pings()
            # It asks whether the server is there, many times over, and goes on with what it has.
            await until_async(lambda: pings_since(pings, first))
            assert await listeners() == before
            assert cache.up
            assert not waiting.done()
            await cache.publish(channel, "heard")
            assert await asyncio.wait_for(waiting, PATIENCE) == "heard"
    finally:
        await cache.close()
        server.stop()


async def pings_since(pings: Callable[[], Awaitable[int]], first: int) -> bool:
    return await pings() >= first + 8


async def test_a_server_that_goes_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    server = OwnValkey().start()
    cache = ValkeyCache(server.url)
    try:
        assert await cache.incr("shared", 60) == 1
        async with cache.subscribe("news") as messages:
            waiting = asyncio.ensure_future(anext(messages))
            server.stop()
            # Without anybody's asking.
            await until_async(lambda: not cache.up)
            assert [await cache.incr("alone", 60) for _ in range(3)] == [1, 2, 3]
            assert await cache.get("shared") is None
            await cache.set("kept", b"here", 60)
            assert await cache.get("kept") == b"here"
            await cache.publish("news", "to nobody")
            server.start()
            await until_async(lambda: cache.up)
            assert await cache.get("kept") is None

            async def heard() -> bool:
                await cache.publish("news", "again")
                return waiting.done()

            await until_async(heard)
            assert await waiting == "again"
    finally:
        await cache.close()
        server.stop()


async def test_a_server_that_hangs_holds_nobody_up() -> None:
    server = OwnValkey().start()
    cache = ValkeyCache(server.url)
    try:
        assert await cache.incr("a", 60) == 1
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        # One finds out; from then on nobody waits.
        assert await cache.incr("a", 60) == 1
        assert not cache.up
        assert await asyncio.gather(*(cache.incr("b", 60) for _ in range(100))) == list(range(1, 101))
        os.kill(server.pid, signal.SIGCONT)
        await until_async(lambda: cache.up)
        assert await cache.incr("a", 60) >= 2
    finally:
        await cache.close()
        server.stop()
