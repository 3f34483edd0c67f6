"""Whose turn it is at an engine: accounts take turns, however many requests one of them has waiting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

from .openai_wire import WireError

HEADER: Final = "x-deeepai-account"
"""Names the account of a request, where its sender tells."""
ACCOUNT: Final[ContextVar[str]] = ContextVar("account", default="")
"""Whose request is served."""
_ACCOUNTS: Final = 4
"""Accounts that may have as many waiting as one may."""


class Turns:
    """The turns at one engine.

    Parameters
    ----------
    slots : int
        Requests that it serves at once.
    most : int
        Requests of one account that may wait.
    """

    def __init__(self, slots: int, most: int) -> None:
        self._free = slots
        self._most = most
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By account; the next turn is the first one's."""
        self._count = 0

    async def enter(self) -> None:
        """Wait for a turn of the account whose request is served; each needs a `leave`.

        Raises
        ------
        WireError
            429 when too many wait.
        """
        if self._free:
            self._free -= 1
            return
        account = ACCOUNT.get()
        lane = self._waiting.get(account)
        if self._count >= self._most * _ACCOUNTS or (lane is not None and len(lane) >= self._most):
            raise WireError(429, "Too many requests wait for this engine.", code="rate_limit_exceeded", retry_after=2)
        if lane is None:
            lane = self._waiting[account] = deque()
        turn = asyncio.get_running_loop().create_future()
        lane.append(turn)
        self._count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(account, turn)
            else:
                self.leave()
            raise

    def leave(self) -> None:
        """End a turn: the next is that of the account that waits the longest for one."""
        while self._waiting:
            account, lane = self._waiting.popitem(last=False)
            turn = lane.popleft()
            self._count -= 1
            if lane:
                self._waiting[account] = lane
            # Whoever has just left wants none any more.
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, account: str, turn: asyncio.Future[None]) -> None:
        lane = self._waiting.get(account)
        if lane is None or turn not in lane:
            return
        lane.remove(turn)
        self._count -= 1
        if not lane:
            del self._waiting[account]

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Have a turn."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()
