"""The beginning of an event stream, read until it says something: until then another channel may still be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final

from ...declare import BLANK, BOM, DONE, StreamRules, begins_stream, event_data, event_json
from ...upstream import Response
from .judge import error_inside, failure_of, message_in

PATIENCE: Final = 10.0
"""Seconds that an answer which has only opened is waited for, before the caller is told that it has."""
MOST: Final = 256 * 1024
"""Bytes of it."""

Wait = Callable[[Coroutine[Any, Any, bytes]], Awaitable[bytes]]


class Begun:
    """A stream whose beginning was read; the rest is still to come. Reads as a `Response` does.

    Attributes
    ----------
    is_document : bool
        It is none: what came is something whole.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self._ahead = b""
        self._next: asyncio.Future[bytes] | None = None
        self._read = False
        self._sink: Callable[[bytes], bool] | None = None
        self.is_document = False

    async def open(self, rules: StreamRules[Any], wait: Wait | None = None) -> None:
        """Read until something is said.

        Parameters
        ----------
        rules : StreamRules
        wait : callable, optional
            Waits for a piece, however long that takes; without it, no longer than `PATIENCE`.

        Raises
        ------
        ErrorInside
            An error, or nothing.
        UpstreamError
        """
        looked, until = 0, 0.0
        piece = await self._response.next()
        while piece:
            self._ahead = (self._ahead + piece).removeprefix(BOM)
            if not looked and begins_stream(self._ahead) is False:
                self.is_document = True
                return
            for event, end in _events(self._ahead, looked):
                looked = end
                if _says_something(rules, event):
                    return
            if len(self._ahead) > MOST:
                return
            if wait is not None:
                piece = await wait(self._response.next())
                continue
            until = until or time.monotonic() + PATIENCE
            more = await self._more(until)
            if more is None:
                return
            piece = more
        self._over(rules)

    @property
    def is_array(self) -> bool:
        """Whether what came begins as a JSON array."""
        return self._ahead.lstrip().startswith(b"[")

    async def _more(self, until: float) -> bytes | None:
        """Wait for more; None where nothing comes in time."""
        waiting = asyncio.ensure_future(self._response.next())
        done, _ = await asyncio.wait((waiting,), timeout=max(0.0, until - time.monotonic()))
        if done:
            return waiting.result()
        self._next = waiting
        return None

    def _over(self, rules: StreamRules[Any]) -> None:
        """Judge a stream that ended before it said anything: its last event may lack the blank line."""
        if self._ahead.strip() and not begins_stream(self._ahead):
            self.is_document = True
            return
        words = ""
        for event, _ in _events(self._ahead + b"\n\n", 0):
            if _says_something(rules, event):
                return
            words = message_in(event_json(event)) or words
        raise error_inside(words or "a stream that holds nothing")

    def replace(self, rules: StreamRules[Any], events: bytes) -> None:
        """Take events for what came, which was read whole.

        Raises
        ------
        ErrorInside
            They tell of an error, or of nothing.
        """
        self._ahead, self._read, self.is_document = events, True, False
        self._over(rules)

    def next(self) -> Awaitable[bytes]:
        """Return what comes next."""
        if self._ahead or self._read:
            piece, self._ahead = self._ahead, b""
            return _known(piece)
        if self._next is not None:
            waiting, self._next = self._next, None
            return waiting
        if self._sink is not None:
            # Only now: what was read ahead has been sent on.
            self._response.divert(self._sink)
            self._sink = None
        return self._response.next()

    async def rest(self, limit: int) -> bytes:
        """Return all that there is."""
        pieces = [self._ahead]
        self._ahead = b""
        if self._next is not None:
            pieces.append(await self.next())
        pieces.append(await self._response.read(limit))
        return b"".join(pieces)

    def divert(self, sink: Callable[[bytes], bool]) -> None:
        """Offer pieces to `sink` as they come."""
        self._sink = sink

    def release(self) -> None:
        """Give the connection back."""
        self._drop()
        self._response.release()

    def abort(self) -> None:
        """Close the connection."""
        self._drop()
        self._response.abort()

    def _drop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None


async def _known(piece: bytes) -> bytes:
    return piece


def _events(data: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    """Yield the whole events in some bytes, each with where it ends."""
    for blank in BLANK.finditer(data, start):
        yield data[start : blank.end()], blank.end()
        start = blank.end()


def _says_something(rules: StreamRules[Any], event: bytes) -> bool:
    """Tell whether an event says something.

    Raises
    ------
    ErrorInside
        It tells of a failure.
    """
    if event_data(event) in (b"", DONE):
        return False
    failure = rules.failure(event)
    if failure is not None:
        raise failure_of(failure)
    return not rules.only_opens(event)
