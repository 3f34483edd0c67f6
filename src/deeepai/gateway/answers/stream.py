"""Event streams on their way to the caller: bytes pass as they come, a tap reads usage, the last event waits.

The last event is held back until the charge is committed; a stream that the upstream cuts ends in the protocol's own
error event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ... import crash
from ...accounts.models import Channel
from ...declare import (
    BLANK,
    Events,
    Failure,
    Reason,
    Request,
    Stream,
    StreamRules,
    Translation,
    Usage,
    UsageTeller,
    is_done,
    is_readable,
)
from ...storage import database
from ...storage.database import StorageFault
from ...upstream import Cut, Stalled
from .. import settlement
from ..attempts import ErrorInside, told
from ..exchange import PUSH, Exchange, Tap
from .head import Begun
from .judge import cut_keys, failure_of

log = structlog.get_logger()

KEPT = 8 * 1024 * 1024
"""Bytes of events kept for counting, where no usage comes."""
DRAIN_SECONDS = 60.0
_LOOK_BACK = 8
"""Events before the body's end among which one may say why the answer ends."""
CUT_SHORT = Cut("the stream ended before its last event")
TOO_LONG = Cut("an event of the stream is too long")
LONGEST = 64 * 1024 * 1024
_LONG = 64 * 1024
"""Bytes of an event that is put together only once."""


class Relay:
    """One stream.

    Parameters
    ----------
    operation : Stream
        The caller's.
    charge : callable
        Commits the charge; awaited before the last event leaves.

    Attributes
    ----------
    usage : Usage or None
        What the upstream said.
    events : list of bytes
        What came, for counting where it said nothing.
    left : bool
        The caller left before the end.
    fault : Exception or None
        How the upstream broke off.
    rules : StreamRules
        The upstream's.
    ended : bool
        The last event has come.
    before_end : callable or None
        Takes the end of a whole answer, as the caller is about to see it, before it leaves; returns it as it leaves.
    longest : int
        Bytes of one event.
    """

    def __init__(self, x: Exchange, operation: Stream[Any], response: Begun, charge: Charge) -> None:
        self._x = x
        self._operation = operation
        self._request: Request[Any] = x.request
        self.rules: StreamRules[Any] = operation.rules
        self._translate: Events | None = None
        self._translation: Translation | None = None
        """Knows how the upstream's answer ends, where that is of another protocol."""
        self._error = operation.rules.error
        self._response = response
        self._charge = charge
        self._rest = b""
        self.longest = LONGEST
        self._parts: list[bytes] = []
        """What came of a long event after `_rest`."""
        self._long = 0
        """Bytes of them."""
        self._tail = b""
        """The last of them: a blank line may have begun there."""
        self._kept = 0
        self._counting = True
        """What comes may have to be counted."""
        self._deadline: float | None = None
        self._overtime = False
        self._push: Callable[[bytes], bool] | None = None
        self.usage: Usage | None = None
        self.events: list[bytes] = []
        self.left = False
        self.fault: Cut | Stalled | ErrorInside | None = None
        self.first: float | None = None
        self.ended = False
        self._last = b""
        self.teller: UsageTeller | None = None
        """Tells the caller of what was counted."""
        self.counted: Usage | None = None
        """What was charged, where the upstream did not tell it."""
        self.tap: tuple[Tap, Channel] | None = None
        """Who takes what the events say before the caller sees it."""
        self.before_end: Callable[[bytes], Awaitable[bytes]] | None = None
        self._told: list[bytes] = []
        self._telling = False
        self._latest = b""
        """The last events that the caller saw."""
        self._pending: bytes | None = None
        """What may be the last event, where only the body's end tells."""
        self._ends = 0
        """Events that may have been the last."""
        self._finished = False
        """An event has said why the answer ends."""
        self._failure = b""
        """The event that told of a failure."""
        self.failure: Failure | None = None
        """Of the gateway's own: it is told in the place of the end."""

    def translate(self, rules: StreamRules[Any], request: Request[Any], events: Translation) -> None:
        """Turn the events of an upstream that speaks another protocol, by that one's rules, into the caller's."""
        self.rules, self._request, self._translate = rules, request, events
        self._translation = events
        self._error = lambda failure, request_id: events.fail(failure)

    def reshape(self, shape: Events) -> None:
        """Turn the caller's events into the framing that it asked for."""
        error = self._error
        self._translate = Reshaped(self._translate, shape)
        self._error = lambda failure, request_id: shape.feed(error(failure, request_id)) + shape.end()

    async def run(self) -> None:
        """Relay to the end, whatever that is; the charge is committed when this returns."""
        if self._translate is None and not self._x.recording:
            self._push = self._x.request.scope.get(PUSH)
            if self._push is not None:
                self._response.divert(self._pass)
        watch = asyncio.ensure_future(self._watch())
        try:
            while chunk := await self._response.next():
                if self.first is None:
                    self.first = time.perf_counter() - self._x.started
                visible = self._take(chunk)
                if visible:
                    self._latest = visible
                if self._told:
                    await self._tell()
                if self.ended or self.fault is not None:
                    self._last = visible + self._last
                    break
                if visible and (not self.left or self._x.recording):
                    self._x.silent = False
                    await self._x.send({"type": "http.response.body", "body": visible, "more_body": True})
                    crash.point("streaming")
                if self._deadline is not None and time.perf_counter() > self._deadline:
                    if not self._rest or self._overtime:
                        break
                    # It may be all that is charged: what has begun to come gets as long again.
                    self._overtime, self._deadline = True, time.perf_counter() + DRAIN_SECONDS
            else:
                self._close()
        except (Cut, Stalled) as fault:
            if self._translation is not None and self._translation.whole:
                self._close()
            elif not self.left:
                self.fault = fault
        except StorageFault as fault:
            log.warning("request.not_stored", request_id=self._x.id, operation=self._x.route.name, error=str(fault))
            self.failure = database.told(fault)
        finally:
            watch.cancel()
            self._x.let_be()
        if self.ended and self.fault is None and self.failure is None:
            self._response.release()
        else:
            self._response.abort()
        if self.before_end is not None and self.ended and self.fault is None and self.failure is None:
            self._last = await self.before_end(self._last)
        await self._charge(self)
        if not self.left or self._x.recording:
            await self._x.send({"type": "http.response.body", "body": self._end(), "more_body": False})

    def _close(self) -> None:
        """Judge a stream whose body has ended: with its last event, or after one that says why the answer ends."""
        rules = self.rules
        rest = b"".join([self._rest, *self._parts]).rstrip() if self._parts else self._rest.rstrip()
        self._parts = []
        if rest and (rules.is_last(rest) or rules.finishes(rest)) and is_readable(rest):
            # Some upstreams end without the blank line; what was cut within is nothing.
            self._rest = rest
            self._last = self._take(b"\n\n") + self._last
        if self.ended or self.left or self.fault is not None:
            return
        if not self._whole():
            self.fault = CUT_SHORT
            return
        self.ended = True
        self._last += self._pending or b""
        self._pending = None
        self._last += rules.closing if self._translate is None else self._translate.end()

    def _whole(self) -> bool:
        """Tell whether the answer had come to its end when the body did."""
        if self._translation is not None:
            return self._translation.whole
        rules = self.rules
        if self._finished or any(rules.finishes(event) for event in self.events[-_LOOK_BACK:]):
            return True
        return self.usage is not None and rules.merge is None and not rules.at_close

    def _pass(self, chunk: bytes) -> bool:
        """Send on what concerns nobody here, just as it comes in from the socket."""
        if self._rest or self.left or not chunk.endswith(b"\n\n") or self._telling or self._tapped(chunk):
            return False
        shown: bytes | None = chunk
        if self._marked(chunk):
            # Only an event alone is looked at here: that its usage is not known yet, say many on each.
            alone = chunk.find(b"\n\n") == len(chunk) - 2
            rules = self.rules
            concerns = not alone or rules.is_last(chunk) or rules.usage(chunk) is not None or self._untold(chunk)
            if concerns or rules.failure(chunk) is not None:
                return False
            shown = self.rules.visible(self._request, chunk)
        assert self._push is not None
        if shown is None or self._pending is not None or not self._push(shown):
            return False
        self._x.silent = False
        self._latest = shown
        if self.first is None:
            self.first = time.perf_counter() - self._x.started
        if self._kept < KEPT:
            self._keep(chunk)
        crash.point("streaming")
        return True

    def _tapped(self, data: bytes) -> bool:
        return self.tap is not None and self.tap[0].wants(data)

    async def _tell(self) -> None:
        assert self.tap is not None
        told, self._told = self._told, []
        # What comes meanwhile must not overtake what is told of.
        self._telling = True
        for event in told:
            await self.tap[0].event(event, self.tap[1])
        self._telling = False

    def _marked(self, data: bytes) -> bool:
        # A generator would take as long again, on each delta.
        for mark in self.rules.scan_for:  # noqa: SIM110
            if mark in data:
                return True
        return False

    def _before_marks(self, data: bytes) -> int:
        """Return the length of the whole events before the first that may concern anybody here."""
        first = min((at for mark in self.rules.scan_for if (at := data.find(mark)) >= 0), default=len(data))
        end = data.rfind(b"\n\n", 0, first)
        return 0 if end < 0 else end + 2

    def _end(self) -> bytes:
        fault = self.fault
        if self.failure is not None:
            self._x.ended_in_error = True
            return self._told_of(self.failure, b"")
        if fault is None:
            if self.counted is not None and self.teller is not None:
                return self.teller.events(self._x.request, self._last, self.events, self.counted)
            return self._last
        self._x.ended_in_error = True
        before = self._last + (self._pending or b"")
        if isinstance(fault, ErrorInside):
            # The vendor's own event says it best, where it is the caller's to read.
            own = cut_keys(self._failure) if self._translate is None and not fault.account else None
            return before + (own or self._told_of(told(fault), before))
        reason = Reason.TIMEOUT if isinstance(fault, Stalled) else Reason.UPSTREAM
        return before + self._told_of(Failure(reason, f"The upstream broke off: {fault}"), before)

    def _told_of(self, failure: Failure, before: bytes) -> bytes:
        """Return the event that tells of a failure after all others."""
        event, numbered = self._error(failure, self._x.id), self.rules.numbered
        # A translation numbers its events itself.
        return event if numbered is None or self._translate is not None else numbered(event, self._latest + before)

    def _take(self, chunk: bytes) -> bytes:
        """Return what the caller may see now; the last event is kept back."""
        if len(self._rest) > _LONG:
            # Looked at once its end has come: to put it together for each piece would take ever longer.
            seam = (self._tail or self._rest[-3:]) + chunk
            if BLANK.search(seam) is None:
                self._parts.append(chunk)
                self._tail = seam[-3:]
                self._long += len(chunk)
                if len(self._rest) + self._long > self.longest:
                    self.fault, self._rest, self._parts = TOO_LONG, b"", []
                return b""
            chunk = b"".join([*self._parts, chunk])
            self._parts, self._tail, self._long = [], b"", 0
        data = self._rest + chunk if self._rest else chunk
        translate, rules = self._translate, self.rules
        quiet = not (self._marked(data) or self._tapped(data))
        if translate is None and self._pending is None and data.endswith(b"\n\n") and quiet:
            # Nothing in it concerns the tap: it passes whole.
            self._rest = b""
            self._keep(data)
            return data
        visible: list[bytes] = []
        if translate is None and self._pending is None and not self._finished and not self._tapped(data):
            whole = self._before_marks(data)
            if whole:
                self._keep(data[:whole])
                visible.append(data[:whole])
                data = data[whole:]
        while True:
            blank = BLANK.search(data)
            if blank is None:
                break
            event, data = data[: blank.end()], data[blank.end() :]
            last = rules.is_last(event)
            if last and translate is None and not is_readable(event):
                # Its caller could not read it either: the answer has no end.
                continue
            failure = rules.failure(event)
            if failure is not None:
                self.fault, self._failure, self._rest = failure_of(failure), event, b""
                return b"".join(visible)
            if self._tapped(event):
                self._told.append(event)
            usage = rules.usage(event)
            if usage is not None:
                self._learn(usage)
            self._ends += last
            if not last or rules.at_close:
                self._keep(event)
            shown = rules.visible(self._request, event) or b""
            if translate is not None:
                shown = translate.feed(event)
            if self._pending is not None:
                visible.append(self._pending)
                self._pending = None
            if rules.at_close and (last or self._finished):
                # Whatever comes after it, the body's end is the answer's.
                self._finished, self._pending = True, b"" if is_done(event) else shown
            elif not last and self._untold(event):
                self._pending = shown
            elif not last:
                visible.append(shown)
            else:
                if self._translation is not None and not self._translation.whole:
                    self.fault = CUT_SHORT
                elif translate is not None:
                    shown += translate.end()
                self._last, self.ended = b"".join([*visible, shown]), True
                return b""
        self._rest = data
        return b"".join(visible)

    def _untold(self, event: bytes) -> bool:
        """Tell whether an event carries usage that has to be counted: what is counted may have to stand in it."""
        if self._translate is not None or self.teller is None or not self.teller.carries(event):
            return False
        return settlement.untold(self.usage, self._request, self.rules)

    def _learn(self, usage: Usage) -> None:
        """Take what an event told; from then on there may be nothing left to count."""
        rules = self.rules
        if rules.merge is not None:
            if rules.at_close and self._ends >= settlement.several(self._request, rules):
                # It is of what was not asked for.
                return
            self.usage = rules.merge(settlement.NOTHING if self.usage is None else self.usage, usage)
        else:
            self.usage = settlement.replaced(self.usage, usage)
            self._counting = settlement.untold(self.usage, self._request, rules)
        if self._translation is not None:
            self._translation.learn(self.usage)

    def _keep(self, event: bytes) -> None:
        if self._counting and self._kept < KEPT:
            self.events.append(event)
            self._kept += len(event)

    async def _watch(self) -> None:
        """Wait for the caller to leave; then cancel upstream, or let it come to its end within bounds."""
        while True:
            message = await self._x.receive()
            if message["type"] == "http.disconnect":
                break
        self.left = True
        if self._operation.on_leave == "cancel" and not self._x.recording:
            self._response.abort()
        else:
            self._deadline = time.perf_counter() + DRAIN_SECONDS


class Reshaped:
    """One stream's events, translated where they must be, in another framing."""

    def __init__(self, inner: Events | None, shape: Events) -> None:
        self._inner = inner
        self._shape = shape

    def feed(self, event: bytes) -> bytes:
        """Take one event."""
        return self._shape.feed(event if self._inner is None else self._inner.feed(event))

    def end(self) -> bytes:
        """Say the rest."""
        return (b"" if self._inner is None else self._shape.feed(self._inner.end())) + self._shape.end()


Charge = Callable[[Relay], Awaitable[None]]
