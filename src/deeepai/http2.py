"""HTTP/2 towards callers: where the TLS handshake chose it, or where a connection begins with its preface.

The wire is h2's: frames, headers, windows, states, and what is illegal. Here stand the limits, and the way between a
stream and its application, which is that of HTTP/1.1. The window of a body is given back as it is read, and an answer
waits for its caller's window, but not for ever. Frames that bring nothing are counted, those that h2 tells nothing of
among them, and large ones for several: who sends too many (resets, pings, settings, empty pieces) is told to calm down.

`Upgrade: h2c` stays ignored: RFC 9113 has given it up. WebSockets are HTTP/1.1's.

Sources: RFC 9113; the ASGI specification 3.0; h2 4.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from uvicorn.server import ServerState

from . import callers
from .callers import ASGI, ENDLESS, EXTENSIONS, LEAST_TAKEN, MOST_HEAD, MOST_LINGERED, NO_BODY, Headers
from .frames import MOST_BLOCK, Frames
from .gateway.exchange import PUSH, WHOLE
from .guard import Guard, Why

ALPN: Final = "h2"
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_MOST_STREAMS: Final = 128
_WINDOW: Final = 512 * 1024
"""Bytes of a body that may wait to be read."""
_CONNECTION_WINDOW: Final = _MOST_STREAMS * _WINDOW
"""So large that a stream whose body is not read keeps no other waiting."""
_MOST_FRAME: Final = 64 * 1024
"""Bytes of an answer that leave at once, so that other streams' get their turn."""
_MOST_UNSENT: Final = 4 * 1024 * 1024
"""Bytes that nobody waits for who reads: what is above are answers to frames, to a caller that never reads."""
_PIECE: Final = 16 * 1024
"""Bytes that are parsed before the frames in them are counted."""
_MOST_NEEDLESS: Final = 1000
_NEEDLESS_A_SECOND: Final = 50
"""How many frames that bring nothing are taken at once, and in the long run."""
_TABLE: Final = 4096
"""Bytes of headers that are remembered to compress others. Callers may ask for more, but looking through it is ours."""
_SETTINGS: Final = {
    SettingCodes.MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
    SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
    SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEAD,
}
_HOP_BY_HOP: Final = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_CONFIG: Final = H2Configuration(
    client_side=False, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
)


class _H2(H2Connection):
    """Remembers fewer closed streams: what comes for one that is forgotten is dropped all the same."""

    MAX_CLOSED_STREAMS = 1024


class Connection(callers.Connection):
    """One caller's connection.

    Parameters
    ----------
    app : callable
        The application.
    state : ServerState
        Uvicorn's.
    keep_seconds : float
        For which a connection may be idle.
    """

    _linger_seconds: ClassVar[float] = 1.0
    """Whoever erred is read for less than over HTTP/1.1: no answer is on its way."""

    def __init__(
        self, app: Any, state: ServerState, keep_seconds: float, guard: Guard, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(app, state, keep_seconds, guard, loop)
        self.h2 = _H2(_CONFIG)
        self._frames = self.h2.incoming_buffer = Frames()
        self._requests: dict[int, Request] = {}
        """By the numbers of their streams; streams that are closed are not among them."""
        self._leaving = False
        """No new streams are taken."""
        self._paused = False
        """What leaves waits in the socket."""
        self._allowance = float(_MOST_NEEDLESS)
        """How many frames that bring nothing may come now."""
        self._counted = loop.time()
        self._begun: tuple[int, float] | None = None
        """How many frames had come when another was first seen to have begun, and when that was."""

    # What the transport and uvicorn call ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        h2 = self.h2
        h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        h2.initiate_connection()
        h2.increment_flow_control_window(_CONNECTION_WINDOW - h2.inbound_flow_control_window)
        # A caller that has not read the settings yet may open more streams: h2 would end the connection.
        h2.local_settings.max_concurrent_streams = 1 << 31
        h2.local_settings.acknowledge()
        # Beyond, compressed headers are a bomb, and the connection ends.
        h2.decoder.max_header_list_size = MOST_BLOCK
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the requests under way that their caller left."""
        self._let_go()
        self._lingering = True
        self._forget()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._lingering:
            self._drop(data)
            return
        now = self.loop.time()
        self._allowance = min(_MOST_NEEDLESS, self._allowance + (now - self._counted) * _NEEDLESS_A_SECOND)
        self._counted = now
        view = memoryview(data)
        try:
            for start in range(0, len(data), _PIECE):
                self._read(view[start : start + _PIECE])
                if self._allowance < 0:
                    self.h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                    self._fail("malformed")
                    return
        except ProtocolError:
            # h2 has said which.
            self._fail("malformed")
            return
        self.flush()
        if self.transport.get_write_buffer_size() > _MOST_UNSENT:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Have answers wait for a slow caller."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._open_all()

    def shutdown(self) -> None:
        """Take no new streams, and close after the last answer: uvicorn calls it at a stop."""
        if self._lingering or self._leaving:
            return
        self._leaving = True
        self.h2.close_connection()
        self._stay_open()
        self.flush()
        for request in list(self._requests.values()):
            if request.complete:
                self.reset(request, ErrorCodes.NO_ERROR)
        self._close_if_done()

    # What requests call -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what h2 has written."""
        data = self.h2.data_to_send()
        if data and not self._lingering:
            self.transport.write(data)

    def room(self, request: Request) -> int:
        """Return how many bytes of an answer may leave in one frame now; below 1 it has to wait."""
        if self._paused:
            return 0
        return min(self.h2.local_flow_control_window(request.id), self.h2.max_outbound_frame_size, _MOST_FRAME)

    def write(self, request: Request, data: bytes | memoryview, *, last: bool = False) -> None:
        """Send a frame of an answer, for which there is room."""
        self.h2.send_data(request.id, data, end_stream=last)
        request.sent += len(data)
        # What the caller gives the window back with is not needless.
        self._allowance += 2
        self.flush()

    def give_back(self, request: Request) -> None:
        """Let as much of the body come as was taken."""
        size, request.untold = request.untold, 0
        if size and not self._lingering:
            self.h2.acknowledge_received_data(size, request.id)

    def ended(self, request: Request) -> None:
        """Wait for the next; what is left of this one's body is read and dropped."""
        self.state.total_requests += 1
        request.chunks.clear()
        self.give_back(request)
        self.flush()
        if not request.more:
            self._remove(request)
        elif self._leaving:
            self.reset(request, ErrorCodes.NO_ERROR)

    def reset(self, request: Request, code: ErrorCodes) -> None:
        """End a stream at once."""
        self.h2.reset_stream(request.id, code)
        self.flush()
        self._remove(request)

    # Inside -----------------------------------------------------------------------------------------------------

    def _read(self, data: memoryview) -> None:
        useful = 0
        for event in self.h2.receive_data(data):
            take = self._takers.get(type(event))
            if take is not None:
                useful += take(self, event)
        self._allowance += useful - self._frames.count
        self._frames.count = 0

    def _on_request(self, event: RequestReceived) -> int:
        stream = event.stream_id
        headers: Headers = []
        pseudo: dict[bytes, bytes] = {}
        size = 0
        for name, value in cast("Headers", event.headers):
            size += len(name) + len(value) + 32
            if name.startswith(b":"):
                pseudo[name] = value
            else:
                headers.append((name, value))
        if self._leaving or len(self._requests) >= _MOST_STREAMS:
            self.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return 0
        authority = pseudo.get(b":authority")
        if authority is not None and not any(name == b"host" for name, _ in headers):
            headers.insert(0, (b"host", authority))
        raw_path, _, query = pseudo.get(b":path", b"").partition(b"#")[0].partition(b"?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": "2",
            "method": pseudo[b":method"].decode("latin-1"),
            "scheme": self._scheme,
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": self._server,
            "extensions": EXTENSIONS,
        }
        request = self._requests[stream] = Request(self, scope, stream)
        scope[PUSH] = request.push
        if size > MOST_HEAD:
            request.refuse(431)
        elif not (raw_path.isascii() and (raw_path.startswith(b"/") or raw_path == b"*")):
            # A CONNECT is among them.
            request.refuse(400)
        else:
            request.task = self.loop.create_task(request.run(self.app))
            self.state.tasks.add(request.task)
        return 1 + size // _PIECE

    def _on_data(self, event: DataReceived) -> int:
        request = self._requests.get(event.stream_id)
        size = event.flow_controlled_length or 0
        if request is None:
            self.h2.acknowledge_received_data(size, event.stream_id)
            return 0
        request.take(event.data or b"", size)
        if request.complete:
            self.give_back(request)
            if request.size > MOST_LINGERED:
                self.reset(request, ErrorCodes.NO_ERROR)
        return 1 if event.data or event.stream_ended is not None else 0

    def _on_end(self, event: StreamEnded) -> int:
        request = self._requests.get(event.stream_id)
        if request is not None:
            request.more = False
            request.wake()
            if request.complete:
                self._remove(request)
        return 0

    def _on_reset(self, event: StreamReset) -> int:
        request = self._requests.get(event.stream_id)
        if request is not None:
            self._remove(request)
        return 0

    def _on_window(self, event: WindowUpdated) -> int:
        request = self._requests.get(event.stream_id)
        if request is not None:
            request.open()
        elif not event.stream_id:
            self._open_all()
        return 0

    def _on_settings(self, event: RemoteSettingsChanged) -> int:
        table = event.changed_settings.get(SettingCodes.HEADER_TABLE_SIZE)
        if table is not None and table.new_value > _TABLE:
            self.h2.encoder.header_table_size = _TABLE
        self._open_all()
        return 0

    def _on_goodbye(self, event: ConnectionTerminated) -> int:
        self._leaving = True
        self._stay_open()
        self._close_if_done()
        return 0

    def _stay_open(self) -> None:
        """Have h2 go on with open streams: it takes a GOAWAY for the end of all, and not only of new ones."""
        self.h2.state_machine.state = ConnectionState.SERVER_OPEN

    def _remove(self, request: Request) -> None:
        """Forget a stream that is closed."""
        del self._requests[request.id]
        self.give_back(request)
        request.leave()
        self._idle_since = self.loop.time()
        self._close_if_done()

    def _open_all(self) -> None:
        for request in self._requests.values():
            request.open()

    def _forget(self) -> None:
        for request in self._requests.values():
            request.leave()
        self._requests.clear()

    def _close_if_done(self) -> None:
        if self._leaving and not self._requests:
            self.transport.close()

    def _fail(self, why: Why) -> None:
        """End all, and read on for a moment, so that the caller sees why."""
        self.guard.refuse(why)
        self.flush()
        self._forget()
        self._linger()

    def _goes_on(self, now: float) -> bool:
        frames, guard = self._frames, self.guard
        if not frames.begun or (self._begun is not None and self._begun[0] != frames.whole):
            self._begun = None
        elif self._begun is None:
            self._begun = (frames.whole, now)
        elif now - self._begun[1] > guard.head:
            self.h2.close_connection(ErrorCodes.PROTOCOL_ERROR)
            self._fail("head")
            return False
        for request in list(self._requests.values()):
            if request.is_late(now, guard):
                guard.refuse("body")
                self.reset(request, ErrorCodes.NO_ERROR if request.complete else ErrorCodes.CANCEL)
            elif request.is_unread(now, guard):
                guard.refuse("reader")
                self.reset(request, ErrorCodes.CANCEL)
        if not self._requests and now - self._idle_since > self._keep_seconds:
            self.shutdown()
        return True

    _takers: ClassVar[dict[type[Event], Callable[[Connection, Any], int]]] = {
        RequestReceived: _on_request,
        DataReceived: _on_data,
        TrailersReceived: lambda _, event: 1,
        StreamEnded: _on_end,
        StreamReset: _on_reset,
        WindowUpdated: _on_window,
        RemoteSettingsChanged: _on_settings,
        ConnectionTerminated: _on_goodbye,
    }
    """Who takes an event, and tells how many frames brought it; 0 where it brings nothing."""


class Request(callers.Request):
    """A request and its answer, on a stream.

    Attributes
    ----------
    id : int
        The stream's number.
    untold : int
        Bytes that came and whose window was not given back.
    sent : int
        Bytes of the answer.
    """

    __slots__ = ("_came", "_opened", "_sending", "_since", "_unread", "id", "sent", "untold")

    def __init__(self, connection: Connection, scope: dict[str, Any], stream: int) -> None:
        super().__init__(connection, scope)
        self.id = stream
        self.untold = self.sent = 0
        self._came = 0
        """Bytes, since `_since`."""
        self._since: float | None = None
        self._unread: tuple[int, float] | None = None
        """How much had been sent when the caller was seen to let no more come, and when that was."""
        self._opened: asyncio.Future[None] | None = None
        self._sending = False

    # What the connection calls ----------------------------------------------------------------------------------

    def take(self, body: bytes, size: int) -> None:
        """Take a piece of the body, which took so many bytes of the window."""
        self._came += size
        self.untold += size
        self.size += len(body)
        if not self.complete and body:
            self.chunks.append(body)
            self.wake()

    def open(self) -> None:
        """Have an answer look again whether it may go on."""
        if self._opened is not None:
            if not self._opened.done():
                self._opened.set_result(None)
            self._opened = None

    def leave(self) -> None:
        """Note that there is nobody any more."""
        self.gone = True
        self.wake()
        self.open()

    def is_late(self, now: float, guard: Guard) -> bool:
        """Tell whether what is waited for of the body comes too slowly."""
        if not self.more or self.chunks or self.untold >= _WINDOW // 2 or self.uninvited or self._since is None:
            self._since, self._came = now, 0
            return False
        seconds = now - self._since
        if seconds <= guard.head:
            return False
        late = self._came < guard.rate * seconds
        self._since, self._came = now, 0
        return late

    def is_unread(self, now: float, guard: Guard) -> bool:
        """Tell whether the caller has let nothing come for too long of what waits for it."""
        if self._opened is None:
            self._unread = None
        elif self._unread is None or self.sent - self._unread[0] >= LEAST_TAKEN:
            self._unread = (self.sent, now)
        else:
            return now - self._unread[1] > guard.reader
        return False

    def refuse(self, status: int) -> None:
        """Answer without the application."""
        self._begin(status, [(b"content-length", b"0")])
        self._finish(b"")

    # What the application calls ---------------------------------------------------------------------------------

    def _invite(self) -> None:
        self._connection.h2.send_headers(self.id, [(b":status", b"100")])
        self._connection.flush()

    def _ask(self) -> None:
        self._connection.give_back(self)
        self._connection.flush()

    def _cut(self) -> None:
        self._connection.reset(self, ErrorCodes.INTERNAL_ERROR)

    async def send(self, message: dict[str, Any]) -> None:
        """Send the answer's head or a piece of its body; it waits until the caller lets more come.

        The head waits for the first piece, if that comes at once: both leave together.
        """
        if self.gone:
            return
        connection: Connection = self._connection
        if not self.started:
            self._begin(message["status"], message.get("headers", ()))
            if message["type"] != WHOLE:
                connection.loop.call_soon(self._flush)
                return
        if self.complete:
            raise RuntimeError("the answer was complete")
        body: bytes | memoryview = b"" if self._no_body else message.get("body", b"")
        more: bool = message.get("more_body", False)
        self._left -= len(body)
        if self._left < 0 or (0 < self._left < ENDLESS and not more):
            raise RuntimeError("the answer is not as long as its head says")
        self._sending = True
        try:
            while body and (room := connection.room(self)) < len(body):
                if room > 0:
                    self._send_head()
                    body = memoryview(body)
                    connection.write(self, body[:room])
                    body = body[room:]
                    continue
                self._flush()
                self._opened = connection.loop.create_future()
                await self._opened
                if self.gone:
                    return
        finally:
            self._sending = False
        if not more:
            self._finish(body)
            return
        if body:
            self._send_head()
            connection.write(self, body)

    def push(self, body: bytes) -> bool:
        """Send a piece of a body of unknown length at once; False where it must go through `send`."""
        connection: Connection = self._connection
        if self.gone or self._sending or self._left <= ENDLESS or connection.room(self) < len(body):
            return False
        self._send_head()
        connection.write(self, body)
        return True

    # Inside -----------------------------------------------------------------------------------------------------

    def _begin(self, status: int, headers: Headers) -> None:
        head: Headers = [(b":status", b"%d" % status)]
        length = None
        for name, value in (*self._connection.state.default_headers, *headers):
            name = name.lower()
            if name in _HOP_BY_HOP:
                continue
            if name == b"content-length":
                length = int(value)
            head.append((name, value.strip()))
        text = b"".join([value for _, value in head])
        if b"\n" in text or b"\r" in text or b"\0" in text:
            raise ValueError("a header of the answer is not valid")
        if status in NO_BODY:
            self._no_body = True
        self._left = 0 if self._no_body else ENDLESS * 2 if length is None else length
        self._head = head
        self.started = True

    def _send_head(self) -> None:
        head, self._head = self._head, None
        if head:
            self._connection.h2.send_headers(self.id, head)

    def _flush(self) -> None:
        if self._head and not self.gone:
            self._send_head()
            self._connection.flush()

    def _finish(self, body: bytes | memoryview) -> None:
        """Send the last piece, for which there is room, and end the answer."""
        connection: Connection = self._connection
        head, self._head = self._head, None
        if head:
            connection.h2.send_headers(self.id, head, end_stream=not body)
        if body or not head:
            connection.write(self, body, last=True)
        self.complete = True
        self._left = 0
        self.wake()
        connection.ended(self)
