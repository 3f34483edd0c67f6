"""Limits of tokens and channels: requests at once, requests a minute.

Requests a minute slide: the last minute's count fades out while this minute's grows, so that no burst of twice the
limit fits around the turn of a minute. While the cache that gateways share is gone, each has its share of a limit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from ..storage.board import Board
from ..storage.cache import Cache

_MINUTE = 60.0
_RUNNING, _WHEN, _COUNT, _BEFORE = range(4)
"""A key's numbers on the board; `_WHEN` is the minute that the counts are of."""
_LATELY: Final = 600.0
"""Seconds for which places are kept free for an account that has asked for some."""


@dataclass(slots=True)
class _Asked:
    """Who asked for a place: the last account, when it did, and when another did before. Times are whole seconds."""

    account: int = 0
    when: int = 0
    before: int = 0

    def note(self, account: int, now: int) -> None:
        """Note that an account asks."""
        if account != self.account:
            self.account, self.before = account, self.when
        self.when = now

    def others(self, account: int) -> int:
        """Return when another than this account asked last."""
        return self.before if account == self.account else self.when


class Limiter:
    """Counts in this process, with a board on this machine, and requests a minute in a cache that gateways share.

    Parameters
    ----------
    cache : Cache, optional
        Shared by all gateways; None counts on this machine alone.
    clock : callable
        Seconds since 1970.
    board : Board, optional
        Shared by this machine's workers, where there are several.
    share : float
        The part of places that are shared which one account may have while others want some.
    """

    def __init__(
        self,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.time,
        board: Board | None = None,
        share: float = 1.0,
    ) -> None:
        self._share = share
        self._asked: dict[str, _Asked] = {}
        self._cache = cache
        self._clock = clock
        self._board = board
        self._running: dict[str, int] = {}
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._shared_before: dict[str, int] = {}
        self._own: dict[str, int] = {}
        """What this gateway counted of what is shared; `_told` is what of it the cache was told."""
        self._told: dict[str, int] = {}
        self._last: dict[str, int] = {}
        """The cache's last counts."""
        self._used: dict[str, int] = {}
        """What all gateways have counted, as far as this one knows."""
        self._untold: dict[str, int] = {}
        """What the cache lacks of that, after it was gone."""
        self._alone: dict[str, int] = {}
        """What this one let through since the cache was gone."""
        self._own_before: dict[str, int] = {}
        self.nodes = 1
        """Gateways that share the cache."""

    @property
    def shared(self) -> bool:
        """Whether `count_shared` is the one to use."""
        return self._cache is not None

    def enter(self, key: str, concurrency: int | None) -> bool:
        """Begin a request, unless there are `concurrency` already; each True needs a `leave`."""
        running = self._running.get(key, 0)
        if concurrency is not None and running >= concurrency:
            return False
        self._running[key] = running + 1
        if self._board is None or concurrency is None:
            return True
        if (place := self._board.own(key)) is not None:
            # Said first, then compared: so two workers can never both take the last place.
            self._board.words[place + _RUNNING] = running + 1
            elsewhere = sum(words[at + _RUNNING] for words, at in self._board.others(key))
            if running + elsewhere >= concurrency:
                self.leave(key)
                return False
        return True

    def leave(self, key: str) -> None:
        """End a request."""
        running = max(0, self._running.get(key, 0) - 1)
        if running:
            self._running[key] = running
        else:
            self._running.pop(key, None)
        if self._board is not None and (place := self._board.known(key)) is not None:
            self._board.words[place + _RUNNING] = running

    def enter_shared(self, key: str, account: str, concurrency: int) -> bool:
        """Begin a request of an account's at what all share; each True needs a `leave_shared`.

        An account that has asked alone for the last ten minutes may have all places.
        """
        most = self._portion(key, account, concurrency)
        if not self.enter(key, concurrency):
            return False
        if self.enter(f"{key}/{account}", most):
            return True
        self.leave(key)
        return False

    def leave_shared(self, key: str, account: str) -> None:
        """End a request of an account's."""
        self.leave(key)
        self.leave(f"{key}/{account}")

    def _portion(self, key: str, account: str, concurrency: int) -> int:
        """Note that an account asks for a place; return how many it may have."""
        if concurrency < 2 or self._share >= 1:
            return concurrency
        now, who = int(self._clock()), crc32(account.encode())
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = _Asked()
        asked.note(who, now)
        last = asked.others(who)
        board, name = self._board, f"{key}?"
        if board is not None and (place := board.own(name)) is not None:
            board.words[place], board.words[place + 1], board.words[place + 2] = who, now, asked.before
            for words, at in board.others(name):
                last = max(last, _Asked(words[at], words[at + 1], words[at + 2]).others(who))
        if now - last > _LATELY:
            return concurrency
        return min(concurrency - 1, math.ceil(concurrency * self._share))

    def running(self, key: str) -> int:
        """Return how many requests of this process there are now."""
        return self._running.get(key, 0)

    def count(self, key: str, rpm: int) -> float:
        """Count a request: 0 where it is within `rpm`, else seconds to wait before the next try."""
        now = self._clock()
        if self._board is not None and (place := self._board.own(key)) is not None:
            return self._count_on(self._board, place, key, rpm, now)
        self._turn(int(now // _MINUTE))
        count, before = self._counts.get(key, 0), self._before.get(key, 0)
        wait = _wait(now % _MINUTE, before, count, rpm)
        if not wait:
            self._counts[key] = count + 1
        return wait

    def _count_on(self, board: Board, own: int, key: str, rpm: int, now: float) -> float:
        minute = int(now // _MINUTE)
        words = board.words
        count, before = _counts(words, own, minute)
        words[own + _WHEN], words[own + _COUNT], words[own + _BEFORE] = minute, count + 1, before
        found = [(count, before), *(_counts(there, at, minute) for there, at in board.others(key))]
        wait = _wait(now % _MINUTE, sum(one[1] for one in found), sum(one[0] for one in found), rpm)
        if wait:
            words[own + _COUNT] = count
        return wait

    async def count_shared(self, key: str, rpm: int) -> float:
        """Count in the cache that all gateways share. Refused requests count there, too."""
        cache = self._cache
        if cache is None:
            return self.count(key, rpm)
        now = self._clock()
        minute = int(now // _MINUTE)
        self._turn(minute)
        if not cache.up:
            return self._count_alone(key, rpm, now)
        before = self._shared_before.get(key)
        if before is None:
            # The last minute is over: its count is read once. What passed while the cache was gone, it was not told.
            read = int(await cache.get(f"rpm:{key}:{minute - 1}") or 0)
            before = self._shared_before[key] = max(read, self._own_before.get(key, 0))
        own, told, last = self._own.get(key, 0), self._told.get(key, 0), self._last.get(key, 0)
        self._own[key] = self._told[key] = own + 1
        count = await cache.incr(f"rpm:{key}:{minute}", 2 * _MINUTE, own + 1 - told)
        if not cache.up:
            self._own[key], self._told[key] = own, told
            return self._count_alone(key, rpm, now)
        if self._minute != minute:
            return _wait(now % _MINUTE, before, count - 1, rpm)
        alone, known = self._alone.pop(key, 0), self._used.get(key, 0)
        emptied = count <= last and told > 0
        if emptied:
            count = await cache.incr(f"rpm:{key}:{minute}", 2 * _MINUTE, told)
        if alone or emptied:
            # What the others let through they may not have told yet.
            known = self._taken(known, alone)
            self._untold[key] = max(0, known + 1 - count)
        self._last[key] = count
        count += self._untold.get(key, 0)
        self._used[key] = max(known, count)
        return _wait(now % _MINUTE, before, count - 1, rpm)

    def _count_alone(self, key: str, rpm: int, now: float) -> float:
        """Count a request against this gateway's share of what is left, whatever the others do."""
        if self._board is not None and (place := self._board.own(key)) is not None:
            return self._count_on(self._board, place, key, max(1, rpm // self.nodes), now)
        before = self._shared_before.get(key)
        if before is None:
            before = min(self._own_before.get(key, 0) * self.nodes, rpm)
        used, alone = self._used.get(key, 0), self._alone.get(key, 0)
        # Whoever has let nothing through may do so once, however small the share is.
        taken = self._taken(used, alone) if used or alone else 0
        wait = _wait(now % _MINUTE, before, taken, rpm)
        if not wait:
            self._own[key] = self._own.get(key, 0) + 1
            self._alone[key] = alone + 1
        return wait

    def _taken(self, used: int, alone: int) -> int:
        """Return what all have let through at most, if each has done as this one.

        Each may have let one through that was not known here when the cache went, and one since that this one has not.
        """
        return used + (self.nodes - 1 if used else 0) + (alone + 1) * self.nodes - 1

    def _turn(self, minute: int) -> None:
        if minute != self._minute:
            next_one = minute == self._minute + 1
            self._before, self._counts = (self._counts, {}) if next_one else ({}, {})
            self._own_before, self._own = (self._own, {}) if next_one else ({}, {})
            self._shared_before, self._told, self._minute = {}, {}, minute
            self._last, self._used, self._untold, self._alone = {}, {}, {}, {}


def _counts(words: memoryview, at: int, minute: int) -> tuple[int, int]:
    """Return the counts of a minute and of the one before."""
    age = minute - words[at + _WHEN]
    if age == 0:
        return words[at + _COUNT], words[at + _BEFORE]
    return 0, words[at + _COUNT] if age == 1 else 0


def _wait(second: float, before: int, count: int, rpm: int) -> float:
    left = _MINUTE - second
    if before * left / _MINUTE + count < rpm:
        return 0.0
    if count < rpm:
        # Wait until enough of the last minute has faded.
        return max(0.1, left - (rpm - count) * _MINUTE / before)
    return max(0.1, left)
