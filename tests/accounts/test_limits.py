from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.accounts import addresses
from deeepai.accounts.limits import Limiter
from deeepai.storage import board
from deeepai.storage.board import Board
from deeepai.storage.cache import MemoryCache, ValkeyCache
from tests.servers import valkey_url
from tests.support.until import PATIENCE

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


async def test_what_is_counted_here_slides_beside_what_is_shared() -> None:
    clock = Clock()
    limiter = Limiter(MemoryCache(), clock)
    assert [await limiter.count_shared("token", 2) == 0 for _ in range(3)] == [True, True, False]
    assert [limiter.count("channel", 2) == 0 for _ in range(3)] == [True, True, False]
    clock.now += 60
    assert limiter.count("channel", 2) > 0
    assert await limiter.count_shared("token", 2) > 0
    clock.now += 31
    assert limiter.count("channel", 2) == 0


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


class Flaky(MemoryCache):
    """A cache that may be gone, and may have lost what it knew."""

    there = True

    @property
    def up(self) -> bool:
        return self.there


async def test_without_the_cache_each_has_its_share() -> None:
    cache, clock = Flaky(), Clock()
    nodes = [Limiter(cache, clock) for _ in range(3)]
    for node in nodes:
        node.nodes = 3

    async def passed(key: str, rpm: int) -> int:
        return [await node.count_shared(key, rpm) for _ in range(rpm) for node in nodes].count(0.0)

    assert await passed("before", 9) == 9
    cache.there = False
    assert await passed("gone", 9) == 9
    assert await passed("gone", 9) == 0
    # What was used up while it was there stays so.
    assert await passed("before", 9) == 0
    assert await passed("one", 1) <= 3
    clock.now += 90
    assert await passed("gone", 9) <= 6
    # It comes back and knows nothing: what was counted meanwhile is told.
    clock.now += 120
    assert await passed("back", 6) == 6
    await cache.close()
    cache.there = True
    assert await passed("back", 6) == 0
    assert await passed("fresh", 6) == 6


async def test_a_cache_that_came_back_empty_is_told_anew() -> None:
    cache, clock = Flaky(), Clock()
    nodes = [Limiter(cache, clock) for _ in range(2)]
    waits = [await node.count_shared("t", 6) for _ in range(2) for node in nodes]
    assert waits == [0.0] * 4
    await cache.close()
    waits = [await node.count_shared("t", 6) for _ in range(6) for node in nodes]
    assert waits.count(0.0) <= 2


@given(st.integers(0, 40), st.integers(0, 60))
async def test_a_cache_that_goes_and_comes_back_empty_lets_no_more_through(before: int, meanwhile: int) -> None:
    cache, clock, passed = Flaky(), Clock(), 0
    nodes = [Limiter(cache, clock) for _ in range(3)]
    for node in nodes:
        node.nodes = 3
    for there, requests in ((True, before), (False, meanwhile), (True, 60)):
        if there and not cache.there:
            await cache.close()
        cache.there = there
        for number in range(requests):
            passed += await nodes[number % 3].count_shared("t", 30) == 0
    # That the cache was emptied is not seen where others have told it as much again.
    assert passed <= 31


def boards(folder: Path, count: int) -> list[Board]:
    return [Board(folder) for _ in range(count)]


def test_workers_share_places(tmp_path: Path) -> None:
    one, two, three = (Limiter(board=each) for each in boards(tmp_path, 3))
    assert one.enter("a", 2)
    assert two.enter("a", 2)
    assert not one.enter("a", 2)
    assert not three.enter("a", 2)
    assert three.enter("a", 3)
    assert three.enter("b", 2)
    # What was refused counts nowhere.
    one.leave("a")
    three.leave("a")
    assert three.enter("a", 2)
    assert not one.enter("a", 2)
    three.leave("a")
    two.leave("a")
    assert [one.enter("a", 2) for _ in range(3)] == [True, True, False]


def test_workers_share_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    workers = [Limiter(clock=clock, board=each) for each in boards(tmp_path, 3)]
    waits = [workers[number % 3].count("a", 6) for number in range(12)]
    assert waits[:6] == [0.0] * 6
    assert all(waits[6:])
    clock.now += 60
    assert all(worker.count("a", 6) for worker in workers)
    # Half of the last minute has faded: three may pass, whoever takes them.
    clock.now += 30
    assert sum(worker.count("a", 6) == 0 for worker in workers * 3) == 3
    clock.now += 120
    assert sum(worker.count("a", 6) == 0 for worker in workers * 3) == 6


def test_a_full_board_leaves_each_worker_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_MOST", 1)
    one, two = (Limiter(board=each) for each in boards(tmp_path, 2))
    assert one.enter("a", 1)
    assert not two.enter("a", 1)
    assert one.enter("b", 1)
    assert not one.enter("b", 1)
    assert [one.count("b", 2) == 0 for _ in range(3)] == [True, True, False]
    one.leave("b")
    assert one.enter("b", 1)


RACE = """
import sys
from pathlib import Path
from deeepai.accounts.limits import Limiter
from deeepai.storage.board import Board
limiter = Limiter(board=Board(Path(sys.argv[1])), clock=lambda: 1e6)
print("ready", flush=True)
sys.stdin.readline()
print(sum(limiter.count("a", 5000) == 0 for _ in range(4000)), sum(limiter.enter("b", 3000) for _ in range(4000)))
sys.stdout.flush()
sys.stdin.readline()
"""


def test_no_race_lets_more_through_than_there_may(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for word in ("ready", None):
        said = [process.stdout.readline().split() for process in started if process.stdout is not None]
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        if word is None:
            counted, entered = ([int(line[column]) for line in said] for column in range(2))
            # Where both try for the last place at once, both may be refused: never may both have it.
            assert 4990 <= sum(counted) <= 5000
            assert 2990 <= sum(entered) <= 3000
        else:
            assert said == [["ready"], ["ready"]]
    for process in started:
        assert process.wait(PATIENCE) == 0


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
