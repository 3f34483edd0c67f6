"""A server that is played to over many examples, and one caller whom nothing of it must hurt."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import uvloop

ServerT = TypeVar("ServerT", bound="Played")
LOOPS: Any = {"asyncio": None, "uvloop": uvloop.new_event_loop}


class Played:
    """One server on an event loop.

    Attributes
    ----------
    faults : list
        What the loop was told of.
    """

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._stack = AsyncExitStack()
        self.faults: list[Any] = []
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on its loop."""
        return self._runner.run(work)

    def stop(self) -> None:
        self.run(self._stack.aclose())

    async def _start(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: self.faults.append(fault))
        await self.start(self._stack)

    async def start(self, stack: AsyncExitStack) -> None:
        """Start what is to be played to."""
        raise NotImplementedError


def on_loop(kind: type[ServerT], factory: Any) -> Iterator[ServerT]:
    """Yield a server on a loop of a sort, as a fixture does."""
    with asyncio.Runner(loop_factory=factory) as runner:
        made = kind(runner)
        yield made
        made.stop()
