from __future__ import annotations

from deeepai.accounts import addresses
from deeepai.accounts.limits import Limiter
from deeepai.storage.cache import MemoryCache, ValkeyCache
from tests.servers import valkey_url

START = 60_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def test_concurrency() -> None:
    limiter = Limiter()
    assert limiter.enter("a", 2)
    assert limiter.enter("a", 2)
    assert not limiter.enter("a", 2)
    assert limiter.enter("b", 2)
    limiter.leave("a")
    assert limiter.enter("a", 2)
    assert limiter.running("a") == 2
    for _ in range(5):
        limiter.leave("b")
    assert limiter.running("b") == 0


def test_requests_a_minute_slide() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    clock.now += 50
    assert [limiter.count("a", 10) for _ in range(10)] == [0.0] * 10
    assert 0 < limiter.count("a", 10) <= 10
    assert limiter.count("b", 10) == 0
    clock.now += 10
    # The turn of the minute gives nothing away: all ten still count.
    wait = limiter.count("a", 10)
    assert 0 < wait <= 7
    clock.now += wait
    assert limiter.count("a", 10) == 0
    clock.now += 120
    assert sum(limiter.count("a", 10) == 0 for _ in range(20)) == 10


def test_the_wait_that_is_told_suffices() -> None:
    for second in (0, 13, 59):
        clock = Clock()
        limiter = Limiter(clock=clock)
        clock.now += second
        for _ in range(200):
            wait = limiter.count("a", 7)
            if wait:
                clock.now += wait + 0.001
                # Told at the end of a minute, the wait ends in the next, where the last one has begun to fade.
                while wait := limiter.count("a", 7):
                    clock.now += wait + 0.001
                    assert clock.now < START + 4000
                break


async def test_gateways_share_a_minute() -> None:
    for cache in (MemoryCache(), ValkeyCache(valkey_url())):
        clock = Clock()
        one, other = Limiter(cache, clock), Limiter(cache, clock)
        assert one.shared
        waits = [await limiter.count_shared("t", 6) for limiter in (one, other) * 4]
        assert waits[:6] == [0.0] * 6
        assert all(waits[6:])
        clock.now += 60
        assert await other.count_shared("t", 6) > 0
        await cache.close()


def test_addresses() -> None:
    assert addresses.within("10.1.2.3", ("10.0.0.0/8",))
    assert addresses.within("::ffff:10.1.2.3", ("10.0.0.0/8",))
    assert addresses.within("::1", ("::1",))
    assert not addresses.within("11.1.2.3", ("10.0.0.0/8", "::/0"))
    assert not addresses.within("rubbish", ("0.0.0.0/0",))
    trusted = ("10.0.0.0/8",)
    assert addresses.caller("1.1.1.1", ["9.9.9.9"], trusted) == "1.1.1.1"
    assert addresses.caller("10.0.0.1", ["9.9.9.9"], trusted) == "9.9.9.9"
    assert addresses.caller("10.0.0.1", ["6.6.6.6, 9.9.9.9", "10.0.0.2"], trusted) == "9.9.9.9"
    assert addresses.caller("10.0.0.1", ["6.6.6.6, rubbish"], trusted) == "10.0.0.1"
    assert addresses.caller("10.0.0.1", [], trusted) == "10.0.0.1"
