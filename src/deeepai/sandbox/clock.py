"""The clock that jobs run by.

Durations are *job seconds*: `speed` of them pass in one real second, and `Clock.advance` skips some at once.
Times shown to clients are real ones (plus what was skipped), never scaled.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

SHORTEST_SLEEP = 0.001
"""Real seconds; what is shorter is not worth a trip through the event loop."""


class Clock:
    """Job time: faster than the wall's, and movable.

    Parameters
    ----------
    speed
        Job seconds that pass in one real second.
    """

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self.speed = speed
        self._start = time.monotonic()
        self._passed = 0.0
        self._skipped = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return job seconds since the start."""
        return self._passed + (time.monotonic() - self._start) * self.speed + self._skipped

    def wall(self) -> float:
        """Return the time that clients are told, in Unix seconds."""
        return time.time() + self._skipped

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        """Call `call` after `delay` job seconds."""
        heapq.heappush(self._due, (self.now() + delay, next(self._order), call))
        self._arm()

    async def sleep(self, delay: float) -> None:
        """Wait `delay` job seconds."""
        if delay / self.speed < SHORTEST_SLEEP:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(delay, lambda: None if done.done() else done.set_result(None))
        await done

    def advance(self, seconds: float) -> None:
        """Skip job seconds, and run in order all that falls due meanwhile."""
        target = self.now() + seconds
        while self._due and self._due[0][0] <= target:
            self._skipped += max(0.0, self._due[0][0] - self.now())
            heapq.heappop(self._due)[2]()
        self._skipped += max(0.0, target - self.now())
        self._arm()

    def change_speed(self, speed: float) -> None:
        """Let job seconds pass faster or slower from now on; `speed` is as at the start."""
        if speed <= 0:
            raise ValueError("speed must be above 0")
        now = time.monotonic()
        self._passed += (now - self._start) * self.speed
        self._start, self.speed = now, speed
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait = max(0.0, self._due[0][0] - self.now()) / self.speed
            self._timer = asyncio.get_running_loop().call_later(wait, self._run)

    def _run(self) -> None:
        self._timer = None
        try:
            while self._due and self._due[0][0] <= self.now():
                heapq.heappop(self._due)[2]()
        finally:
            self._arm()
