"""How tests wait: until there is something to see. They give up where nothing has moved for long, not at an hour."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = 60.0
"""Seconds without any progress that even a busy machine does not need; also how long a socket may be silent."""
_PAUSE: Final = 0.02
_LONGEST_LOOK: Final = 1.0


class Patience:
    """How long nothing has moved.

    Parameters
    ----------
    limit : float
        Seconds.
    """

    def __init__(self, limit: float = PATIENCE) -> None:
        self._limit = limit
        self._idle = 0.0
        self._looked = time.monotonic()
        self._last: object = object()

    def look(self, state: object) -> None:
        """Take note of a state; whatever differs from the last one is progress.

        Raises
        ------
        TimeoutError
            It has been the same for too long.
        """
        now = time.monotonic()
        # Where a look itself takes long, the machine is slow, and so is what is looked for.
        self._idle += min(now - self._looked, _LONGEST_LOOK)
        self._looked = now
        if state != self._last:
            self._last, self._idle = state, 0.0
        elif self._idle > self._limit:
            raise TimeoutError(f"nothing has moved for {self._limit:.0f} s; last seen: {state!r}")


def until(look: Callable[[], T | None], progress: Callable[[], object] | None = None) -> T:
    """Look until there is something to see, and return it.

    Parameters
    ----------
    look : callable
        Returns something true in the end.
    progress : callable, optional
        Tells how far it is; by default what `look` returns.

    Raises
    ------
    TimeoutError
        Nothing has moved for `PATIENCE` seconds.
    """
    patience = Patience()
    while not (seen := look()):
        patience.look(progress() if progress else seen)
        time.sleep(_PAUSE)
    return seen


async def until_async(look: Callable[[], T | Awaitable[T]], good: Callable[[T], object] = bool) -> T:
    """Look until what is seen is good, and return it; each change of it is progress.

    Raises
    ------
    TimeoutError
        Nothing has moved for `PATIENCE` seconds.
    """
    patience = Patience()
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if good(seen):
            return seen
        patience.look(seen)
        await asyncio.sleep(_PAUSE / 4)
