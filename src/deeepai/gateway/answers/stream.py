"""Event streams on their way to the caller: bytes pass as they come, a tap reads usage, the last event waits.

The last event is held back until the charge is committed; a stream that the upstream cuts ends in the protocol's own
error event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ... import crash
from ...accounts.models import Channel
from ...declare import Events, Failure, Reason, Request, Stream, StreamRules, Translation, Usage
from ...upstream import Cut, Response, Stalled
from ..exchange import PUSH, Exchange, Tap

KEPT = 8 * 1024 * 1024
"""Bytes of events kept for counting, where no usage comes."""
DRAIN_SECONDS = 60.0
CUT_SHORT = Cut("the stream ended before its last event")


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
    ended : bool
        The last event has come.
    """

    def __init__(self, x: Exchange, operation: Stream[Any], response: Response, charge: Charge) -> None:
        self._x = x
        self._operation = operation
        self._request: Request[Any] = x.request
        self._rules: StreamRules[Any] = operation.rules
        self._translate: Events | None = None
        self._translation: Translation | None = None
        """Knows how the upstream's answer ends, where that is of another protocol."""
        self._error = operation.rules.error
        self._response = response
        self._charge = charge
        self._rest = b""
        self._kept = 0
        self._charged = False
        self._deadline: float | None = None
        self._overtime = False
        self._push: Callable[[bytes], bool] | None = None
        self.usage: Usage | None = None
        self.events: list[bytes] = []
        self.left = False
        self.fault: Cut | Stalled | None = None
        self.first: float | None = None
        self.ended = False
        self._last = b""
        self.tap: tuple[Tap, Channel] | None = None
        """Who takes what the events say before the caller sees it."""
        self._told: list[bytes] = []
        self._telling = False
        self._pending: bytes | None = None
        """What may be the last event, where only the body's end tells."""
        self._may_end = False
        """One that may be the last has come."""

    def translate(self, rules: StreamRules[Any], request: Request[Any], events: Translation) -> None:
        """Turn the events of an upstream that speaks another protocol, by that one's rules, into the caller's."""
        self._rules, self._request, self._translate = rules, request, events
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
                if self._told:
                    await self._tell()
                if self.ended:
                    break
                if visible and (not self.left or self._x.recording):
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
        finally:
            watch.cancel()
        if self.ended:
            self._response.release()
        else:
            self._response.abort()
        await self._charge(self)
        if not self.left or self._x.recording:
            await self._x.send({"type": "http.response.body", "body": self._end(), "more_body": False})

    def _close(self) -> None:
        """Judge a stream whose body has ended."""
        rules = self._rules
        if self._rest and rules.is_last(self._rest):
            # Some upstreams end without the blank line.
            self._rest = self._rest.rstrip()
            self._take(b"\n\n")
        whole = self._may_end if self._translation is None else self._translation.whole
        if whole and not self.ended:
            self._last, self._pending, self.ended = self._pending or b"", None, True
            if self._translate is not None:
                self._last += self._translate.end()
        must_end = self.usage is None or rules.merge is not None or rules.at_close or self._translation is not None
        if not self.ended and not self.left and must_end:
            self.fault = CUT_SHORT

    def _pass(self, chunk: bytes) -> bool:
        """Send on what concerns nobody here, just as it comes in from the socket."""
        if self._rest or self.left or not chunk.endswith(b"\n\n") or self._telling or self._tapped(chunk):
            return False
        shown: bytes | None = chunk
        if self._marked(chunk):
            # Only an event alone is looked at here: that its usage is not known yet, say many on each.
            alone = chunk.find(b"\n\n") == len(chunk) - 2
            if not alone or self._rules.is_last(chunk) or self._rules.usage(chunk) is not None:
                return False
            shown = self._rules.visible(self._request, chunk)
        assert self._push is not None
        if shown is None or self._pending is not None or not self._push(shown):
            return False
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
        return any(mark in data for mark in self._rules.scan_for)

    def _end(self) -> bytes:
        if self.fault is not None:
            self._x.ended_in_error = True
            failure = Failure(
                Reason.TIMEOUT if isinstance(self.fault, Stalled) else Reason.UPSTREAM,
                f"The upstream broke off: {self.fault}",
            )
            return self._last + (self._pending or b"") + self._error(failure, self._x.id)
        return self._last

    def _take(self, chunk: bytes) -> bytes:
        """Return what the caller may see now; the last event is kept back."""
        data = self._rest + chunk if self._rest else chunk
        translate, rules = self._translate, self._rules
        quiet = not (self._marked(data) or self._tapped(data))
        if translate is None and self._pending is None and data.endswith(b"\n\n") and quiet:
            # Nothing in it concerns the tap: it passes whole.
            self._rest = b""
            self._keep(data)
            return data
        visible: list[bytes] = []
        while True:
            at = data.find(b"\n\n")
            crlf = data.find(b"\r\n\r\n", 0, at if at >= 0 else len(data))
            if crlf >= 0:
                at = crlf + 2
            if at < 0:
                break
            event, data = data[: at + 2], data[at + 2 :]
            if self._tapped(event):
                self._told.append(event)
            usage = rules.usage(event)
            if usage is not None:
                self.usage = usage if self.usage is None or rules.merge is None else rules.merge(self.usage, usage)
            last = rules.is_last(event)
            if not last or rules.at_close:
                self._keep(event)
            shown = rules.visible(self._request, event) or b""
            if translate is not None:
                shown = translate.feed(event)
            if self._pending is not None:
                visible.append(self._pending)
                self._pending = None
            if not last:
                visible.append(shown)
            elif rules.at_close:
                self._pending, self._may_end = shown, True
            else:
                if self._translation is not None and not self._translation.whole:
                    self.fault = CUT_SHORT
                elif translate is not None:
                    shown += translate.end()
                self._last, self.ended = b"".join([*visible, shown]), True
                return b""
        self._rest = data
        return b"".join(visible)

    def _keep(self, event: bytes) -> None:
        if (self.usage is None or self._rules.merge is not None) and self._kept < KEPT:
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
