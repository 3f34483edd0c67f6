"""The events of a session on their way, both ways; each side waits for the other, so nothing piles up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ... import crash
from ...declare import Failure, Meter, Reason, Spent
from ...settings import Settings
from ...upstream import UpstreamError
from ...upstream.sockets import Closed
from .bill import Bill
from .session import Opened, Session

DRAIN_SECONDS: Final = 2.0
"""For how long an upstream is asked for the usage of work that is cut short."""
_GOING_AWAY: Final = 1001
_NOT_TEXT: Final = 1003
_POLICY: Final = 1008
_INTERNAL: Final = 1011
_PLAIN_END: Final = 1000
_PASSED: Final = frozenset({1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Codes that may be said again (RFC 6455, section 7.4); all from 3000 on, too."""
_MOST_REASON: Final = 123
"""Bytes."""


@dataclass(frozen=True, slots=True)
class End:
    """How a session ended.

    Attributes
    ----------
    code, reason
        What the caller's end is closed with.
    error : str or None
        For the record.
    failure : Failure or None
        What the caller is told before.
    left : bool
        The caller is gone.
    upstream_gone, upstream_fault : bool
        The upstream is gone; and should not be.
    """

    code: int = _PLAIN_END
    reason: str = ""
    error: str | None = None
    failure: Failure | None = None
    left: bool = False
    upstream_gone: bool = False
    upstream_fault: bool = False


_LEFT = End(error="the caller left", left=True)


class Relay:
    """One session.

    Attributes
    ----------
    end : End or None
        How it ended.
    """

    def __init__(self, settings: Settings, x: Session, opened: Opened, meter: Meter, bill: Bill) -> None:
        self._idle = settings.session_idle
        self._limit = settings.session_limit
        self._x = x
        self._upstream = opened.upstream
        self._first = opened.first
        self._translation = opened.translation
        self._meter = meter
        self._bill = bill
        self._moved = 0.0
        self.end: End | None = None

    async def run(self, first: Sequence[str]) -> None:
        """Relay to the end, whatever that is; all is charged when this returns."""
        tasks: set[asyncio.Task[End | None]] = set()
        try:
            up = asyncio.ensure_future(self._to_upstream(first))
            down = asyncio.ensure_future(self._to_caller(self._first))
            tasks |= {up, down}
            self.end = await self._watch(tasks)
            await _cancel(tasks)
            await self._settle(self.end)
            await self._say(self.end)
        except Exception:
            failure = Failure(Reason.INTERNAL, "Something went wrong inside the gateway")
            self.end = End(_INTERNAL, "internal error", failure.message, failure)
            await self._say(self.end)
            raise
        finally:
            await _cancel(tasks)
            # Where all is torn down at once, nothing is lost either.
            spent = self._meter.left()
            if spent is not None:
                await self._bill.charge(spent)
            await self._bill.settled()

    async def _watch(self, tasks: set[asyncio.Task[End | None]]) -> End:
        """Wait for an end: one of the two ways', or that of the time."""
        clock = asyncio.get_running_loop().time
        self._moved = now = clock()
        last = now + self._limit
        waiting = set(tasks)
        while True:
            wait = min(last, self._moved + self._idle) - now
            done, waiting = await asyncio.wait(waiting, timeout=max(wait, 0), return_when=asyncio.FIRST_COMPLETED)
            # What the caller did decides before what became of the upstream by it.
            found = [end for end in (task.result() for task in done) if end is not None]
            if found:
                return max(found, key=lambda end: end.left)
            now = clock()
            if now >= last:
                return _over("The session has lasted as long as it may", "session_expired")
            if now >= self._moved + self._idle:
                return _over("The session was silent for too long", "session_idle")

    # The two ways --------------------------------------------------------------------------------------------------

    async def _to_upstream(self, first: Sequence[str]) -> End | None:
        """Relay what the caller says; nothing is returned where the other way tells more."""
        receive, meter, upstream = self._x.receive, self._meter, self._upstream
        translation = self._translation
        clock = asyncio.get_running_loop().time
        try:
            for event in first:
                await upstream.send(event)
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return _LEFT
                text: str | None = message.get("text")
                if text is None:
                    return End(_NOT_TEXT, "events are text", error="the caller sent a binary message")
                self._moved = clock()
                try:
                    event = meter.sent(text if translation is None else translation.sent(text))
                except Failure as failure:
                    await self._tell(failure, text)
                    continue
                await upstream.send(event)
        except Closed:
            return None
        except OSError:
            return _LEFT

    async def _to_caller(self, event: str | None) -> End | None:
        """Relay what the upstream says; what it costs is charged before the caller sees it."""
        tell, meter, bill, upstream = self._x.tell, self._meter, self._bill, self._upstream
        translation = self._translation
        clock = asyncio.get_running_loop().time
        try:
            while True:
                if event is None:
                    event = await upstream.receive()
                self._moved = clock()
                spent = meter.came(event)
                failure = None
                if spent is not None:
                    failure = await self._charge(spent)
                    crash.point("charged")
                elif bill.began is None and meter.busy:
                    bill.start()
                for text in (event,) if translation is None else translation.came(event):
                    await tell({"type": "websocket.send", "text": text})
                if failure is not None:
                    return End(_POLICY, failure.code or failure.kind.word, failure.message, failure)
                event = None
        except Closed as fault:
            return _closed(fault)
        except OSError:
            return _LEFT

    async def _charge(self, spent: Spent) -> Failure | None:
        """Charge, and hold for what comes next; return why nothing may."""
        await self._bill.charge(spent)
        try:
            await self._bill.recheck()
            await self._bill.cover()
        except Failure as failure:
            return failure
        return None

    # The end -------------------------------------------------------------------------------------------------------

    async def _settle(self, end: End) -> None:
        """Charge what is under way: as the upstream tells when it is asked to stop, else as far as it was seen."""
        meter, upstream = self._meter, self._upstream
        await self._bill.settled()
        if meter.busy and not end.upstream_gone:
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await upstream.send(self._x.rules.cancel)
                    while meter.busy:
                        spent = meter.came(await upstream.receive())
                        if spent is not None:
                            await self._bill.charge(spent)
            except (TimeoutError, UpstreamError):
                pass
        spent = meter.left()
        if spent is not None:
            await self._bill.charge(spent)

    async def _say(self, end: End) -> None:
        """Tell both ends."""
        if not end.left:
            try:
                if end.failure is not None:
                    await self._tell(end.failure, "")
                reason = end.reason.encode()[:_MOST_REASON].decode(errors="ignore")
                await self._x.tell({"type": "websocket.close", "code": end.code, "reason": reason})
            except OSError:
                pass
        if not end.upstream_gone:
            await self._upstream.close()

    async def _tell(self, failure: Failure, event: str) -> None:
        await self._x.tell({"type": "websocket.send", "text": self._x.rules.error(failure, self._x.id, event)})


def _over(message: str, code: str) -> End:
    return End(_GOING_AWAY, code, message, Failure(Reason.INVALID, message, code=code))


def _closed(fault: Closed) -> End:
    """Say to the caller what the upstream said at its end; a break is told as one."""
    if fault.code in _PASSED or fault.code >= 3000:
        bad = fault.code in (_INTERNAL, 1012, 1013, 1014)
        return End(fault.code, fault.reason, str(fault) if bad else None, upstream_gone=True, upstream_fault=bad)
    if fault.code == 1005:
        return End(upstream_gone=True)
    failure = Failure(Reason.UPSTREAM, "The upstream broke off")
    error = f"the upstream {fault}"
    return End(_INTERNAL, "the upstream broke off", error, failure, upstream_gone=True, upstream_fault=True)


async def _cancel(tasks: set[asyncio.Task[End | None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
