"""HTTP/1.1 towards callers, for uvicorn's server, which brings sockets, signals, workers and the lifespan.

A connection that begins as HTTP/2 does, or whose TLS handshake chose it, is handed to `http2`.

Our own because each answer's way through it is the gateway's own overhead: head and body leave in one piece, nothing
is looked at twice. It also bounds what a caller may keep waiting or make us keep: all bytes that bring neither body nor
the end of anything count to one limit, be they of a head, of chunks' sizes or of trailers, and who sends or reads too
slowly is given up. What is no HTTP is answered after what came before it. Who is refused in the middle of a body is
answered when the rest has come, and a caller that still sends when its connection ends is read for a moment. To close
at once would reset the connection, and take the answer away with it; many clients read nothing before they have sent
all, and some proxies reset theirs.

Sources: RFC 9110, 9112; the ASGI specification 3.0.
"""

from __future__ import annotations

import asyncio
import http
from collections import deque
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from . import callers, http2
from .callers import ASGI, ENDLESS, EXTENSIONS, MOST_HEAD, NO_BODY, Headers
from .gateway.exchange import PUSH, WHOLE
from .guard import DEFAULT, GUARD, Why

_PIECE: Final = 64 * 1024
"""Bytes that are parsed at once: no more can be beside the limit, or ask for something while an answer is under way."""
_FRAMING: Final = 16
"""Bytes around a piece of a body that are nothing unusual, and as many more as it has."""
_HIGH: Final = 256 * 1024
"""Unread bytes of a body above which the caller has to wait."""
_MOST_DROPPED: Final = 64 * 1024 * 1024
"""Bytes of a body that are still read, before it is refused or after, so that the answer reaches the caller."""
_REST_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 5.0
"""For how long the rest of a body that is refused is waited for: in all, and for its next piece."""
_STATUS: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_JOINED: Final = 64 * 1024
"""Pieces up to this size leave in one with the head."""


class Connection(callers.Connection):
    """One caller's connection.

    Parameters
    ----------
    config, server_state, app_state, _loop
        As uvicorn gives them.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        loop = _loop or asyncio.get_running_loop()
        super().__init__(
            config.loaded_app, server_state, config.timeout_keep_alive, app_state.get(GUARD, DEFAULT), loop
        )
        self.writable: asyncio.Future[None] | None = None
        self.closed = False
        self._config = config
        self._app_state = app_state
        self._parser = self._new_parser()
        self._present: Request | None = None
        """The request whose answer is under way."""
        self._arriving: Request | None = None
        """The request that is being read, once its head is whole."""
        self._queue: deque[Request] = deque()
        self._url = b""
        self._headers: Headers = []
        self._in_head = True
        self._began = loop.time()
        """When the present head did."""
        self._untouched = True
        """No head has come whole."""
        self._beside = 0
        """Bytes that brought neither body nor the end of anything."""
        self._ahead = b""
        """What came after a request that waits for its turn, and was not parsed."""
        self._status = 400
        """What a head that cannot be served is refused with."""
        self._refusal = 0
        """What is left to say once the requests before are answered."""
        self._socket = False
        """A WebSocket is asked for."""
        self._came = 0
        """Bytes, since `_since`."""
        self._since = 0.0
        self._measured: Request | None = None
        """Whose body's rate is measured since then."""
        self._reading = True

    # What the transport calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == http2.ALPN:
            self._speak_http2(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the requests under way that their caller left."""
        self.closed = True
        self._let_go()
        for request in (self._present, *self._queue):
            if request is not None:
                request.gone = True
                request.wake()
        self._queue.clear()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if len(data) > _PIECE:
            self._parse_in_pieces(data)
            return
        self._came += len(data)
        if self._lingering:
            self._drop(data)
            return
        # Counted here: the parser tells of a header only when it is whole, and of what else it passes over, never.
        self._beside += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._socket:
                self._hand_over(rest)
                return
            if self._arriving is None:
                self._read_plainly(rest)
                return
            # A CONNECT: what follows its head is no request.
            self._arriving.keep_alive = False
        except (httptools.HttpParserError, UnicodeDecodeError):
            # What came before counts: it is a preface only at the connection's very beginning.
            left = len(http2.PREFACE) - self._beside + len(data)
            if self._untouched and 0 < left <= len(http2.PREFACE) and data.startswith(http2.PREFACE[-left:]):
                self._speak_http2(http2.PREFACE + data[left:])
            else:
                self._refuse(self._status, "malformed")
            return
        if self._beside > MOST_HEAD:
            self._refuse(431 if self._in_head else 400, "malformed")
        elif self._beside < 0:
            self._beside = 0

    def _parse_in_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            if self._queue:
                self._ahead += data[start:]
                return
            protocol = self.transport.get_protocol()
            if protocol is not self:
                cast("asyncio.Protocol", protocol).data_received(data[start:])
                return
            self.data_received(data[start : start + _PIECE])

    def pause_writing(self) -> None:
        """Have answers wait for a slow caller."""
        if self.writable is None:
            self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """Go on."""
        if self.writable is not None:
            if not self.writable.done():
                self.writable.set_result(None)
            self.writable = None

    def shutdown(self) -> None:
        """Close after the answer that is under way: uvicorn calls it at a stop."""
        if self._present is None:
            self.transport.close()
        else:
            self._present.keep_alive = False

    # What the parser calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers = []
        self._arriving = None
        self._in_head = True
        self._began = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are dropped."""
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Start the application, unless an answer is still under way."""
        parser = self._parser
        version = parser.get_http_version()
        names = [name for name, _ in self._headers]
        if version != "1.1" or names.count(b"host") != 1 or b"transfer-encoding" in names or self._beside > MOST_HEAD:
            self._judge(version, names)
        self._untouched = False
        if parser.should_upgrade():
            if self._wants_socket():
                self._in_head, self._beside, self._socket = False, 0, True
                return
            if parser.get_method() != b"CONNECT":
                # The parser stops here, and would take what follows for another protocol's.
                return
        target = self._url
        if not target.startswith(b"/") and target != b"*":
            parsed = httptools.parse_url(target)
            target = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        raw_path, _, query = target.partition(b"#")[0].partition(b"?")
        path = raw_path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "extensions": EXTENSIONS,
        }
        self._in_head, self._beside = False, 0
        request = self._arriving = Request(self, scope)
        request.keep_alive, request.chunked = version != "1.0" and parser.should_keep_alive(), False
        scope[PUSH] = request.push
        if self._present is None:
            self._start(request)
        else:
            self._queue.append(request)
            self.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        request = self._arriving
        if request is None:
            return
        self._beside -= 2 * len(body) + _FRAMING
        request.size += len(body)
        if request.complete:
            if request.size > _MOST_DROPPED:
                self._linger()
            return
        request.chunks.append(body)
        if request.size > _HIGH:
            self.pause_reading()
        if request.waiter is not None:
            request.wake()

    def on_message_complete(self) -> None:
        """Note the body's end."""
        self._beside = 0
        request = self._arriving
        if request is not None:
            request.more = False
            if request.waiter is not None:
                request.wake()

    # What requests call -----------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Have the caller wait."""
        if self._reading and not self.closed:
            self._reading = False
            self._measured = None
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if not self._reading and not self.closed:
            self._reading = True
            self.transport.resume_reading()

    def ended(self, request: Request) -> None:
        """Go on with the next request, or wait for one; what is left of this one's body is read and dropped."""
        self.state.total_requests += 1
        self._present = None
        if not request.keep_alive:
            if request.more:
                self._linger()
            else:
                self.transport.close()
            return
        self._idle_since = self.loop.time()
        if self._queue:
            self._start(self._queue.popleft())
        elif self._refusal:
            self._say(self._refusal)
            return
        if not self._queue:
            if self._ahead:
                ahead, self._ahead = self._ahead, b""
                self.data_received(ahead)
            if not self._queue:
                self.resume_reading()

    # Inside -----------------------------------------------------------------------------------------------------

    def _new_parser(self) -> Any:
        parser = httptools.HttpRequestParser(self)
        # Whoever says that it closes, and sends on, gets an answer to what came before.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _start(self, request: Request) -> None:
        self._present = request
        request.task = self.loop.create_task(request.run(self.app))
        self.state.tasks.add(request.task)

    def _wants_socket(self) -> bool:
        """Tell whether the head asks for a WebSocket, and nothing stands in the way."""
        wanted = any(name == b"upgrade" and value.lower() == b"websocket" for name, value in self._headers)
        free = self._config.ws_protocol_class is not None and self._present is None and not self._queue
        return wanted and free and self._parser.get_method() == b"GET"

    def _hand_over(self, rest: bytes) -> None:
        """Give the connection to the protocol of WebSockets, which reads the head itself."""
        self._let_go()
        head = [b"GET ", self._url, b" HTTP/1.1\r\n"]
        for name, value in self._headers:
            head += (name, b": ", value, b"\r\n")
        protocol = cast("Any", self._config.ws_protocol_class)
        made = protocol(config=self._config, server_state=self.state, app_state=self._app_state, _loop=self.loop)
        made.connection_made(self.transport)
        self.transport.set_protocol(made)
        made.data_received(b"".join([*head, b"\r\n", rest]))
        if not made.handshake_initiated:
            # What its own parser does not read, it would keep waiting for ever.
            self.transport.write(_STATUS[400] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def _speak_http2(self, data: bytes) -> None:
        """Give the connection, of which this came, to HTTP/2."""
        self._let_go()
        other = http2.Connection(self.app, self.state, self._keep_seconds, self.guard, self.loop)
        other.connection_made(self.transport)
        self.transport.set_protocol(other)
        if data:
            other.data_received(data)

    def _read_plainly(self, rest: bytes) -> None:
        """Read a request as if it asked for no other protocol, as RFC 9110 says: none is offered."""
        parser = self._parser
        head = [parser.get_method(), b" ", self._url, b" HTTP/", parser.get_http_version().encode(), b"\r\n"]
        for name, value in self._headers:
            if name != b"upgrade":
                head += (name, b": ", value, b"\r\n")
        self._parser = self._new_parser()
        self._beside = 0
        self.data_received(b"".join([*head, b"\r\n", rest]))

    def _judge(self, version: str, names: list[bytes]) -> None:
        """Look at a head in which something is unusual.

        Raises
        ------
        ValueError
            It is not served, and `_status` says how that is called.
        """
        if version not in ("1.0", "1.1"):
            self._status = 505
        elif sum(len(name) + len(value) + 4 for name, value in self._headers) + len(self._url) > MOST_HEAD:
            self._status = 431
        elif not (version == "1.0" or b"host" in names) or names.count(b"host") > 1:
            self._status = 400
        elif all(
            version == "1.1" and value.lower() == b"chunked"
            for name, value in self._headers
            if name == b"transfer-encoding"
        ):
            return
        raise ValueError("the head cannot be served")

    def _refuse(self, status: int, why: Why) -> None:
        """Answer what cannot be read, once what came before it is answered, and end."""
        if self.transport.is_closing() or self._lingering:
            return
        self.guard.refuse(why)
        broken = self._arriving
        if self._in_head or (broken is not None and not broken.more):
            broken = None
        if broken is not None and broken is self._present:
            if broken.started:
                # Half an answer must not pass for a whole one.
                self.transport.abort()
                return
            self._present = None
            broken.gone = True
            broken.wake()
        elif broken is not None and self._queue:
            self._queue.pop()
        elif broken is not None:
            # It has had its answer.
            status = 0
        if self._present is None:
            self._say(status)
        else:
            self._refusal, self._lingering = status, True

    def _say(self, status: int) -> None:
        """Say the last, if there is something to say."""
        if status:
            self.transport.write(_STATUS[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self._linger()
        # What a request under way still says is to nobody.
        self.closed = True

    def _linger(self) -> None:
        super()._linger()
        self.resume_reading()

    def _goes_on(self, now: float) -> bool:
        arriving = self._arriving
        if self._in_head:
            if self._reading and now - self._began > self.guard.head:
                if self._beside:
                    self._refuse(408, "head")
                else:
                    self.transport.close()
        elif arriving is not None and arriving.more:
            if not self._reading or self._measured is not arriving or arriving.uninvited:
                self._measured, self._since, self._came = arriving, now, 0
            elif now - self._since > self.guard.head:
                if self._came < self.guard.rate * (now - self._since):
                    self._refuse(408, "body")
                self._since, self._came = now, 0
        elif self._present is None and now - self._idle_since > self._keep_seconds:
            self.transport.close()
        # While it lingers, another timer runs; where its end only waits for an answer, this one goes on.
        return not self._lingering or self._present is not None


class Request(callers.Request):
    """A request and its answer.

    Attributes
    ----------
    keep_alive : bool
        Whether the connection may serve another request.
    chunked : bool
        The answer's length is told by its pieces.
    """

    __slots__ = ("chunked", "keep_alive")
    keep_alive: bool
    chunked: bool

    def _invite(self) -> None:
        self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _ask(self) -> None:
        self._connection.resume_reading()

    def _give_up(self) -> None:
        self.keep_alive = False

    def _cut(self) -> None:
        self._connection.transport.abort()

    async def send(self, message: dict[str, Any]) -> None:
        """Send the answer's head or a piece of its body.

        The head waits for the first piece, if that comes at once: both leave together.
        """
        connection = self._connection
        if connection.closed:
            return
        if not self.started:
            if self.more and message["status"] >= 400 and not (self._fresh and self._expects()):
                await self._drop_rest()
                if connection.closed:
                    return
            self._begin(message["status"], message.get("headers", ()))
            if message["type"] != WHOLE:
                connection.loop.call_soon(self._flush)
                return
        if self.complete:
            raise RuntimeError("the answer was complete")
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        head, self._head = self._head, b""
        if self._no_body:
            body = b""
        elif self.chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        else:
            self._left -= len(body)
            if self._left < 0 or (0 < self._left < ENDLESS and not more):
                connection.transport.abort()
                raise RuntimeError("the answer is not as long as its head says")
        if len(body) > _JOINED:
            connection.transport.writelines((head, body) if head else (body,))
        elif head or body:
            connection.transport.write(head + body if head else body)
        if not more:
            self.complete = True
            if self.waiter is not None:
                self.wake()
            connection.ended(self)
        elif connection.writable is not None:
            await connection.writable

    async def _drop_rest(self) -> None:
        """Wait for the rest of the body, as long as it keeps coming and is not too much."""
        dropped, end = 0, self._connection.loop.time() + _REST_SECONDS
        # Where somebody else waits for it, it is not ours.
        while self.more and self.waiter is None and dropped < _MOST_DROPPED:
            try:
                async with asyncio.timeout(min(_PAUSE_SECONDS, end - self._connection.loop.time())):
                    dropped += len((await self.receive()).get("body", b""))
            except TimeoutError:
                return
            if self._connection.closed:
                return

    def push(self, body: bytes) -> bool:
        """Send a piece of a body of unknown length at once; False where it must go through `send`."""
        connection = self._connection
        if connection.closed or connection.writable is not None or self.complete:
            return False
        if self.chunked:
            head, self._head = self._head, b""
            connection.transport.write(b"%b%x\r\n%b\r\n" % (head, len(body), body))
            return True
        if self._left > ENDLESS:
            head, self._head = self._head, b""
            connection.transport.write(head + body)
            return True
        return False

    def _begin(self, status: int, headers: Headers) -> None:
        pieces = [_STATUS.get(status) or b"HTTP/1.1 %d \r\n" % status]
        length = None
        for name, value in (*self._connection.state.default_headers, *headers):
            pieces.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        if status in NO_BODY:
            self._no_body = True
        elif length is not None:
            self._left = length
        elif not self._no_body:
            if self.scope["http_version"] == "1.0":
                # Its end is the connection's.
                self.keep_alive, self._left = False, ENDLESS * 2
            else:
                self.chunked = True
                pieces.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            pieces.append(b"connection: close\r\n")
        head = b"".join(pieces)
        if head.count(b"\n") != len(pieces) or head.count(b"\r") != len(pieces):
            raise ValueError("a header of the answer is not valid")
        self._head = head + b"\r\n"
        self.started = True

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._connection.closed:
            self._connection.transport.write(head)
