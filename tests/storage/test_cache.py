from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from deeepai.storage.cache import Cache, MemoryCache, ValkeyCache, open_cache
from deeepai.storage.ids import new_id
from tests.servers import valkey_url
from tests.support.until import PATIENCE


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
