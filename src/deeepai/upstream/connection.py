"""One HTTP/1.1 connection to an upstream: a request at a time, its answer as it comes, time limits between.

Sources: RFC 9112 (framing, persistence), RFC 9110 (1xx, HEAD).
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httptools

from .errors import Cut, MaybeSent, Stalled, UpstreamError

_HIGH: Final = 256 * 1024
"""Unread bytes of a body above which the upstream has to wait."""
_MOST_BESIDE: Final = 64 * 1024
"""Bytes that bring neither body nor the end of anything: of heads, of chunks' sizes, of trailers."""
_FRAMING: Final = 16
"""Bytes around a piece of a body that are nothing unusual, and as many more as it has."""
_JOINED: Final = 64 * 1024
"""Bodies up to this size leave in one piece with the head."""
_LEFTOVER_SECONDS: Final = 1.0
_LEFTOVER_BYTES: Final = 64 * 1024
_GOODBYE: Final = (b"HTTP/1.1 408", b"HTTP/1.0 408")
"""What an idle connection may be told before it is closed (RFC 9110, section 15.5.9)."""
_READ_SECONDS: Final = 1.0
"""For which what came to an idle connection may lie unread."""


_NAMES: Final[dict[bytes, str]] = {}
"""Headers' names as they came, and as they are looked for: upstreams send the same few."""
_MOST_NAMES: Final = 512


def _named(name: bytes) -> str:
    found = name.decode("latin-1").lower()
    if len(_NAMES) < _MOST_NAMES and len(name) < _MOST_NAMES:
        _NAMES[name] = found
    return found


class Connection(asyncio.Protocol):
    """A connection. One request is under way at a time: `exchange`, then `take` until it gives nothing, then `release`.

    Parameters
    ----------
    give_back, lost, unasked : callable
        Take the connection when it is ready for its next request, when it is closed, and when something came on it that
        nobody had asked for.

    Attributes
    ----------
    idle_since : float
        When it was given back; of the monotonic clock, s.
    status : int
        Of the present answer.
    headers : dict
        Of the present answer, by name in lower case; the last of a name counts.
    answered : bool
        Something of the present answer has come.
    closed : bool
        Nothing comes or goes any more.
    """

    def __init__(
        self,
        give_back: Callable[[Connection], None],
        lost: Callable[[Connection], None],
        unasked: Callable[[Connection], None],
    ) -> None:
        self._give_back = give_back
        self._lost = lost
        self._unasked = unasked
        self._ready: select.poll | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = self._limit = 0.0
        self.closed = False
        self._busy = False
        self._unsent = 0
        self._pouring = False  # a body is on its way that comes in pieces
        self._room: asyncio.Future[None] | None = None
        self.idle_since = 0.0
        self.answered = False
        self._begin("")

    def _begin(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self._fault: UpstreamError | None = None
        self._passing = False  # an informational answer, before the real one
        self._headed = self._complete = self._handed = False
        self._reusable = self._leftover = self._paused = False
        self._lines: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._sink: Callable[[bytes], bool] | None = None
        self._size = self._beside = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.answered = False

    # What the client calls --------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether an idle connection is still open, as far as can be told without asking the upstream."""
        transport = self._transport
        if self.closed or transport is None or transport.is_closing():
            return False
        # A goodbye may lie in the kernel, not yet read, or an answer that nobody waits for.
        ready = self._ready
        if ready is None:
            ready = self._ready = select.poll()
            ready.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not ready.poll(0)

    def leave(self) -> None:
        """Close once what has come to an idle connection was read, so that it is known what that was."""
        self._loop.call_later(_READ_SECONDS, self.abort)

    async def exchange(self, method: str, head: bytes, body: bytes | None, limit: float) -> None:
        """Send a request; return once the head of its answer is here.

        Parameters
        ----------
        head : bytes
            The request's head, whole.
        limit : float
            Seconds until the answer's first byte, counted while nothing moves.

        Raises
        ------
        MaybeSent, Stalled
        """
        self._begin(method)
        self._busy = True
        transport = self._transport
        assert transport is not None
        self.limit(limit)
        if not body:
            transport.write(head)
        elif len(body) <= _JOINED:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        try:
            while not self._headed:
                if self._fault is not None:
                    raise self._fault
                await self._wait()
            self._handed = True
        except BaseException:
            self.abort()
            raise

    async def pour(
        self, method: str, head: bytes, pieces: AsyncIterator[bytes], limit: float, *, chunked: bool
    ) -> None:
        """Send a request whose body comes in pieces, each when there is room for it; return as `exchange` does.

        An upstream that answers before the body's end gets no more of it.

        Raises
        ------
        MaybeSent, Stalled
            And whatever `pieces` raises: the connection is closed then, and the request never complete.
        """
        self._begin(method)
        self._busy = self._pouring = True
        transport = self._transport
        assert transport is not None
        self.limit(limit)
        transport.write(head)
        pump = self._loop.create_task(self._pump(transport, pieces, chunked))
        pump.add_done_callback(lambda _: self._wake())
        try:
            while not self._headed:
                if self._fault is not None:
                    raise self._fault
                if pump.done():
                    pump.result()
                await self._wait()
            self._handed = True
        except BaseException:
            self.abort()
            raise
        finally:
            self._pouring = False
            if not pump.done():
                # Half a body leaves the connection of no use.
                self._reusable = False
                pump.cancel()
            elif not pump.cancelled():
                pump.exception()

    async def _pump(self, transport: asyncio.Transport, pieces: AsyncIterator[bytes], chunked: bool) -> None:
        async for piece in pieces:
            if chunked:
                transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            else:
                transport.write(piece)
            room = self._room
            if room is not None:
                await room
        if chunked:
            transport.write(b"0\r\n\r\n")
        self._pouring = False
        self._deadline = self._loop.time() + self._limit

    def divert(self, sink: Callable[[bytes], bool]) -> None:
        """Offer each piece of the body to `sink` as it comes; what it does not take is left for `take`, in order."""
        self._sink = sink

    def rest(self) -> bytes | None:
        """Return all that is left of the body, where its end has come."""
        if not self._complete or self._paused:
            return None
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def limit(self, seconds: float) -> None:
        """Allow that much time between bytes from now on."""
        # One timer for the connection's whole life: it looks whether the deadline moved, and sleeps on.
        self._limit = seconds
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer_at > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._tick)

    async def take(self) -> bytes:
        """Return what has come of the body since the last call, waiting for something; nothing at its end.

        Raises
        ------
        Cut, Stalled
        """
        while True:
            chunks = self._chunks
            if chunks:
                data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                self._chunks = []
                self._size = 0
                if self._paused:
                    self._paused = False
                    self._deadline = self._loop.time() + self._limit
                    if self._transport is not None and not self.closed:
                        self._transport.resume_reading()
                return data
            if self._complete:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait()

    def release(self) -> None:
        """Have no more to do with the answer; the connection serves the next request if its end is near."""
        self._sink = None
        if self._complete:
            self._end()
        elif self._headed and not self.closed and not self._paused:
            self._leftover = True
            self._chunks, self._size = [], 0
            self.limit(_LEFTOVER_SECONDS)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once; whoever waits for the rest is told so."""
        if self._busy and not self._complete and self._fault is None:
            self._fault = (Cut if self._headed else MaybeSent)("the request was given up")
        self._busy = False
        self._sink = None
        self._wake()
        if self._transport is not None:
            self._transport.abort()

    # What happens on the wire -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if not self._busy or self._complete:
            self._stray(data)
            return
        self.answered = True
        self._deadline = self._loop.time() + self._limit
        self._beside += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._complete:
                self._stray(b"")
            else:
                self._fail("the answer is not HTTP/1.1")
            return
        if self._beside > _MOST_BESIDE:
            if not self._complete:
                self._fail("what came of the answer says nothing")
        elif self._beside < 0:
            self._beside = 0

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self.closed = True
        self.resume_writing()
        self._lost(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy and not self._complete:
            if self._headed and exc is None and self._until_close():
                self._complete = True
                self._wake()
            else:
                self._fail("the answer was cut short" if self._headed else "the connection ended before any answer")

    def pause_writing(self) -> None:
        """Let a long request leave at its own pace."""
        if self._pouring and self._room is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Count the wait for the answer from here on: the request has left, or as much of it as has come."""
        if self._room is not None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None
        self._deadline = self._loop.time() + self._limit

    # What the parser calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Notice an answer too many."""
        if self._complete:
            self._stray(b"")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are dropped."""
        if self._headed:
            return
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the head over, unless it is an informational one."""
        if self._complete or self._fault is not None:
            return
        lines, self._lines = self._lines, []
        if self._beside > _MOST_BESIDE and sum(len(name) + len(value) for name, value in lines) > _MOST_BESIDE:
            self._fail("the answer's head is too long")
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._passing = True
            if self.status == 101:
                self._fail("the upstream changed the protocol unasked")
            return
        self.headers = {_NAMES.get(name) or _named(name): value.decode("latin-1") for name, value in lines}
        self._headed, self._beside = True, 0
        self._reusable = self._parser.should_keep_alive()
        if self._method == "HEAD":
            # The parser expects the body that the head speaks of.
            self._complete, self._reusable = True, False
        if self._waiter is not None:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body; make the upstream wait where too much is unread."""
        self._beside -= 2 * len(data) + _FRAMING
        if self._complete or (self._sink is not None and not self._chunks and self._sink(data)):
            return
        self._size += len(data)
        if self._leftover:
            if self._size > _LEFTOVER_BYTES:
                self.abort()
            return
        self._chunks.append(data)
        if self._size > _HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._waiter is not None:
            self._wake()

    def on_message_complete(self) -> None:
        """Note the end."""
        if self._passing:
            self._passing = False
            return
        if self._complete:
            return
        self._complete, self._beside = True, 0
        if self._pouring or (self._transport is not None and self._transport.get_write_buffer_size()):
            self._answered_early()
        elif self._leftover:
            self._end()
        elif self._waiter is not None:
            self._wake()

    # Inside -----------------------------------------------------------------------------------------------------

    def _stray(self, data: bytes) -> None:
        """Close a connection on which something came that nobody had asked for."""
        keeps = self._reusable or not self._busy
        self._reusable = False
        if keeps and not data.startswith(_GOODBYE):
            self._unasked(self)
        if self._busy:
            # What the answer brought is still to be taken.
            self._stop()
        else:
            self.abort()

    def _answered_early(self) -> None:
        """Judge an answer that is complete before its request has left: a refusal may be, anything else is a stray."""
        self._reusable = False
        if self.status >= 400:
            self._wake()
            return
        self._complete = self._headed = False
        self._chunks = []
        said = "an answer came before its request had left"
        self._fault = Cut(said) if self._handed else MaybeSent(said)
        self._unasked(self)
        self._stop()

    def _until_close(self) -> bool:
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def _end(self) -> None:
        transport = self._transport
        waited_for = self._waiter is not None and not self._waiter.done()
        if not self._reusable or waited_for or self.closed or transport is None or transport.is_closing():
            self.abort()
            return
        if self._paused:
            transport.resume_reading()
        self._busy = False
        self.idle_since = time.monotonic()
        self._give_back(self)

    def _fail(self, message: str) -> None:
        if self._fault is None:
            self._fault = Cut(message) if self._headed else MaybeSent(message)
        self._stop()

    def _stop(self) -> None:
        self._wake()
        if self._transport is not None and not self.closed:
            self._transport.abort()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    def _tick(self) -> None:
        self._timer = None
        if not self._busy or self._complete or self.closed:
            return
        now = self._loop.time()
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if self._paused or (waiting and waiting != self._unsent) or (self._pouring and not waiting):
            # The reader is slow, or the request is still leaving, or still coming.
            self._unsent = waiting
            self._deadline = now + self._limit
        if self._deadline > now:
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._tick)
        elif self._leftover:
            self.abort()
        else:
            if self._fault is None:
                what = "nothing came within the limit" if self._headed else "no answer within the limit"
                self._fault = Stalled(what, answered=self._headed)
            self._stop()
