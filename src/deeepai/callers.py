"""What connections of callers have in common, whatever they speak: a request as its application sees it, and limits.

Sources: RFC 9110; the ASGI specification 3.0.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from typing import Any, ClassVar, Final, cast

from uvicorn.server import ServerState

from .gateway.exchange import PUSH, WHOLE
from .guard import Guard

log = logging.getLogger(__name__)

MOST_HEAD: Final = 64 * 1024
MOST_LINGERED: Final = 512 * 1024 * 1024
"""Bytes that are read and dropped where nothing else comes any more, so that the last answer reaches the caller."""
LEAST_TAKEN: Final = 1024
"""Bytes of what waits for it that a caller must take before it counts as reading."""
EXTENSIONS: Final[dict[str, dict[str, Any]]] = {WHOLE: {}}
ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
NO_BODY: Final = (204, 304)
ENDLESS: Final = 1 << 60
"""Stands for the length of a body of unknown length."""

Headers = list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """One caller's connection.

    Parameters
    ----------
    app : callable
        The application.
    state : ServerState
        Uvicorn's.
    keep_seconds : float
        For which it may be idle.
    guard : Guard
        Its limits.
    """

    _linger_seconds: ClassVar[float] = 5.0
    """For which one that ends is still read. A proxy that is not read loses the answer."""

    def __init__(
        self, app: Any, state: ServerState, keep_seconds: float, guard: Guard, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.app = app
        self.state = state
        self.loop = loop
        self.guard = guard
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._keep_seconds = keep_seconds
        self._lingering = False
        """The last answer has left; what still comes is dropped."""
        self._dropped = 0
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._scheme = "http"
        self._look: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._unsent = 0
        """Bytes that waited for the caller to take them, and since when."""
        self._unsent_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.state.connections.add(cast("Any", self))
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self._scheme = "https" if transport.get_extra_info("ssl_object") else "http"
        self._idle_since = self.loop.time()
        self._look_later()

    def eof_received(self) -> None:
        """Let the transport close: a caller that sends no more also reads no more."""

    def _look_later(self) -> None:
        self._look = self.loop.call_later(self.guard.look, self._watch)

    def _watch(self) -> None:
        now = self.loop.time()
        if self._is_unread(now):
            self.guard.refuse("reader")
            self.transport.abort()
        elif self.transport.is_closing() or self._goes_on(now):
            # One that closes is looked at, too: it waits for what has not left.
            self._look_later()

    def _goes_on(self, now: float) -> bool:
        """Look whether what should arrive does, and an idle connection has had its time; False ends the looks."""
        raise NotImplementedError

    def _is_unread(self, now: float) -> bool:
        """Tell whether the caller has taken nothing for too long of what waits for it."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._unsent = 0
            return False
        # The kernel lets more come only when a good part of its own buffer is free.
        waiting += _in_kernel(self.transport)
        if not self._unsent or not self._unsent - LEAST_TAKEN < waiting <= self._unsent:
            self._unsent, self._unsent_since = waiting, now
            return False
        return now - self._unsent_since > self.guard.reader

    def _let_go(self) -> None:
        """Leave the connection to another protocol, or to nobody."""
        self.state.connections.discard(cast("Any", self))
        if self._look is not None:
            self._look.cancel()

    def _linger(self) -> None:
        """End our side, and read on until the caller has ended its own, or for a moment."""
        if self.transport.is_closing():
            return
        self._lingering = True
        if self._look is not None:
            self._look.cancel()
        self._look = self.loop.call_later(self._linger_seconds, self._close)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _close(self) -> None:
        self.transport.close()
        self._look_later()

    def _drop(self, data: bytes) -> None:
        """Note what comes while the connection lingers."""
        self._dropped += len(data)
        if self._dropped > MOST_LINGERED:
            self.transport.close()


class Request:
    """A request and its answer: the ASGI application's other side.

    Attributes
    ----------
    chunks : list of bytes
        What came of the body and was not taken.
    size : int
        Bytes of them.
    more : bool
        The body's end has not come.
    started, complete : bool
        The answer has begun; it has left.
    gone : bool
        The caller has left.
    waiter : Future or None
        Whom `wake` wakes.
    """

    __slots__ = (
        "_connection",
        "_fresh",
        "_head",
        "_left",
        "_no_body",
        "_told",
        "chunks",
        "complete",
        "gone",
        "more",
        "scope",
        "size",
        "started",
        "task",
        "waiter",
    )

    def __init__(self, connection: Any, scope: dict[str, Any]) -> None:
        self._connection = connection
        self.scope = scope
        self.chunks: list[bytes] = []
        self.size = 0
        self.more = True
        self.started = self.complete = self.gone = False
        self.task: asyncio.Task[None] | None = None
        self._fresh = True
        self._head: Any = None
        """What waits for the answer's first piece."""
        self._left = 0
        """Bytes that may still leave; above `ENDLESS` nobody has said how many."""
        self._no_body = scope["method"] == "HEAD"
        self._told = False
        self.waiter: asyncio.Future[None] | None = None

    async def run(self, app: Any) -> None:
        """Run the application to its end."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            log.exception("the application failed")
        finally:
            # Here, and not when the task is done: that would be a turn of the loop of its own.
            if self.task is not None:
                self._connection.state.tasks.discard(self.task)
                self.task = None
            # The scope holds `push`, which holds this: without it, what a request leaves needs no collector.
            self.scope.pop(PUSH, None)
        if self.complete or self.gone:
            return
        if self.started:
            # Half an answer must not pass for a whole one.
            self._cut()
            return
        self._give_up()
        await self.send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
        await self.send({"type": "http.response.body"})

    def wake(self) -> None:
        """Have `receive` look again."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """Return the next piece of the body; after its end, wait for the caller to leave."""
        if self._fresh:
            self._fresh = False
            if self.more and not (self.chunks or self.started or self.gone) and self._expects():
                self._invite()
        while not (self.gone or self.complete):
            chunks = self.chunks
            if chunks or not (self.more or self._told):
                body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                self.chunks, self.size = [], 0
                self._told = not self.more
                return {"type": "http.request", "body": body, "more_body": self.more}
            if self.more:
                self._ask()
            waiter: asyncio.Future[None] = self._connection.loop.create_future()
            self.waiter = waiter
            await waiter
        return {"type": "http.disconnect"}

    @property
    def uninvited(self) -> bool:
        """Whether the caller waits to be told to go on, and nobody has told it."""
        return self._fresh and self._expects()

    def _expects(self) -> bool:
        """Tell whether the caller waits to be told to go on with the body."""
        headers: Headers = self.scope["headers"]
        return self.scope["http_version"] != "1.0" and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )

    async def send(self, message: dict[str, Any]) -> None:
        """Send the answer's head or a piece of its body."""
        raise NotImplementedError

    def _invite(self) -> None:
        """Tell the caller to go on with the body."""
        raise NotImplementedError

    def _ask(self) -> None:
        """Let more of the body come."""
        raise NotImplementedError

    def _give_up(self) -> None:
        """Prepare for saying that the application failed."""

    def _cut(self) -> None:
        """Break an answer off, so that the caller sees it."""
        raise NotImplementedError


def _in_kernel(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel holds for the other side, where it tells (ioctl_tty(2), TIOCOUTQ)."""
    try:
        fd = transport.get_extra_info("socket").fileno()
        return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0" * 4))[0])
    except (OSError, AttributeError):
        return 0


def _address(info: Any) -> tuple[str, int] | None:
    """Return host and port, where a socket has them."""
    return (str(info[0]), int(info[1])) if isinstance(info, tuple) and len(cast("Any", info)) >= 2 else None
