"""Event streams on their way to the caller: bytes pass as they come, a tap reads usage, the last event waits.

The last event is held back until the charge is committed; a stream that the upstream cuts ends in the protocol's own
error event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from .. import crash
from ..declare import Failure, Reason, StreamRules, Usage
from ..upstream import Cut, Response, Stalled
from .exchange import PUSH, Exchange

KEPT = 8 * 1024 * 1024
"""Bytes of events kept for counting, where no usage comes."""
DRAIN_SECONDS = 60.0


class Relay:
    """One stream.

    Parameters
    ----------
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
    """

    def __init__(self, x: Exchange, rules: StreamRules, response: Response, charge: Charge) -> None:
        self._x = x
        self._rules = rules
        self._response = response
        self._charge = charge
        self._rest = b""
        self._kept = 0
        self._charged = False
        self._deadline: float | None = None
        self._push: Callable[[bytes], bool] | None = None
        self.usage: Usage | None = None
        self.events: list[bytes] = []
        self.left = False
        self.fault: Cut | Stalled | None = None
        self.first: float | None = None

    async def run(self) -> None:
        """Relay to the end, whatever that is; the charge is committed when this returns."""
        self._push = self._x.request.scope.get(PUSH)
        if self._push is not None:
            self._response.divert(self._pass)
        watch = asyncio.ensure_future(self._watch())
        ended = False
        try:
            while chunk := await self._response.next():
                if self.first is None:
                    self.first = time.perf_counter() - self._x.started
                visible, ended = self._take(chunk)
                if ended:
                    break
                if visible and not self.left:
                    await self._x.send({"type": "http.response.body", "body": visible, "more_body": True})
                    crash.point("streaming")
                if self._deadline is not None and time.perf_counter() > self._deadline:
                    break
            if not ended and self._rest and self._rules.last(self._rest):
                # Some upstreams end without the blank line.
                self._last, ended = self._rest.rstrip() + b"\n\n", True
            if not ended and not self.left and self.usage is None:
                self.fault = Cut("the stream ended before its last event")
        except (Cut, Stalled) as fault:
            if not self.left:
                self.fault = fault
        finally:
            watch.cancel()
        if ended:
            self._response.release()
        else:
            self._response.abort()
        await self._charge(self)
        if not self.left:
            await self._x.send({"type": "http.response.body", "body": self._end(ended), "more_body": False})

    def _pass(self, chunk: bytes) -> bool:
        """Send on what concerns nobody here, just as it comes in from the socket."""
        if self._rest or self.left or not chunk.endswith(b"\n\n"):
            return False
        shown: bytes | None = chunk
        if b'"usage"' in chunk or b"[DONE]" in chunk:
            # Only an event alone is looked at here: that its usage is not known yet, say many on each.
            alone = chunk.find(b"\n\n") == len(chunk) - 2
            if not alone or self._rules.last(chunk) or self._rules.usage(chunk) is not None:
                return False
            shown = self._rules.hide(self._x.request, chunk)
        assert self._push is not None
        if shown is None or not self._push(shown):
            return False
        if self.first is None:
            self.first = time.perf_counter() - self._x.started
        if self._kept < KEPT:
            self._keep(chunk)
        crash.point("streaming")
        return True

    def _end(self, ended: bool) -> bytes:
        if self.fault is not None:
            failure = Failure(
                Reason.TIMEOUT if isinstance(self.fault, Stalled) else Reason.UPSTREAM,
                f"The upstream broke off: {self.fault}",
            )
            return self._rules.error(failure, self._x.id)
        return self._last if ended else b""

    _last = b""

    def _take(self, chunk: bytes) -> tuple[bytes, bool]:
        """Return what the caller may see now, and whether the last event has come."""
        data = self._rest + chunk if self._rest else chunk
        if data.endswith(b"\n\n") and b'"usage"' not in data and b"[DONE]" not in data:
            # Nothing in it concerns the tap: it passes whole.
            self._rest = b""
            self._keep(data)
            return data, False
        visible: list[bytes] = []
        while True:
            at = data.find(b"\n\n")
            crlf = data.find(b"\r\n\r\n", 0, at if at >= 0 else len(data))
            if crlf >= 0:
                at = crlf + 2
            if at < 0:
                break
            event, data = data[: at + 2], data[at + 2 :]
            if self._rules.last(event):
                self._last = b"".join(visible) + event
                return b"", True
            usage = self._rules.usage(event)
            if usage is not None:
                self.usage = usage
            self._keep(event)
            shown = self._rules.hide(self._x.request, event)
            if shown is not None:
                visible.append(shown)
        self._rest = data
        return b"".join(visible), False

    def _keep(self, event: bytes) -> None:
        if self.usage is None and self._kept < KEPT:
            self.events.append(event)
            self._kept += len(event)

    async def _watch(self) -> None:
        """Wait for the caller to leave; then cancel upstream, or let it come to its end within bounds."""
        while True:
            message = await self._x.receive()
            if message["type"] == "http.disconnect":
                break
        self.left = True
        if self._x.operation.on_leave == "cancel":
            self._response.abort()
        else:
            self._deadline = time.perf_counter() + DRAIN_SECONDS


Charge = Callable[[Relay], Awaitable[None]]
