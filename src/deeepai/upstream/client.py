"""Kept-alive connections to all upstreams.

HTTP/1.1 only, without redirects, cookies or proxies: what a gateway sends on must reach who it is meant for, unchanged.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from urllib.parse import quote

import aiohappyeyeballs
import structlog
from yarl import URL

from .. import __version__
from ..accounts.models import Limits
from ..declare import Answer
from .connection import Connection
from .errors import Cut, MaybeSent, NotSent, Stalled

_KEEP_LOCAL: Final = 4.0
_KEEP_TLS: Final = 30.0
"""Seconds for which an idle connection is used again. Node and uvicorn, which serve plain HTTP, hang up after 5."""
_SWEEP_SECONDS: Final = 5.0
_EYEBALLS_SECONDS: Final = 0.25
_BLOCK: Final = 1024 * 1024
_TARGETS: Final = 4096
_STARTS: Final = 1024
_PLAIN = re.compile(r"[!-~]*")
_AGENT: Final = f"deeepai/{__version__}"
_SINGLE_SECONDS: Final = 600.0
"""For which a connection serves one request only where one has said what nobody had asked for."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: the connection's key, and the part of the request's head that follows from the URL."""

    key: tuple[bool, str, int]
    line: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that comes in pieces, of a length (bytes) that is known or not."""

    length: int | None
    data: AsyncIterator[bytes]


class Response:
    """An upstream's answer whose body is still to come."""

    __slots__ = ("_connection", "_inflate", "_rest", "headers", "status")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        """By name in lower case."""
        # None is asked for; some send it all the same.
        packed = connection.headers.get("content-encoding", "identity").lower() != "identity"
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
        self._rest = b""

    @property
    def connection(self) -> Connection:
        """Where the body comes from."""
        return self._connection

    def next(self) -> Coroutine[Any, Any, bytes]:
        """Return what has come of the body since the last call, waiting for something; nothing at its end.

        Raises
        ------
        Cut, Stalled
        """
        return self._connection.take() if self._inflate is None else self._inflated(self._inflate)

    async def _inflated(self, inflate: Any) -> bytes:
        data = await self._connection.take()
        try:
            while True:
                plain = inflate.decompress(self._rest + data, _BLOCK)
                self._rest = inflate.unconsumed_tail
                if plain or self._rest:
                    return plain
                if not data:
                    if not inflate.eof:
                        raise Cut("the compressed answer was cut short")
                    return b""
                data = await self._connection.take()
        except zlib.error:
            raise Cut("the answer's compression cannot be read") from None

    async def read(self, limit: int) -> bytes:
        """Read the whole body, at most `limit` bytes.

        Raises
        ------
        Cut, Stalled
        """
        data = self._connection.rest() if self._inflate is None else None
        if data is not None:
            if len(data) > limit:
                raise Cut(f"the answer is larger than {limit} bytes")
            return data
        chunks: list[bytes] = []
        size = 0
        while data := await self.next():
            chunks.append(data)
            size += len(data)
            if size > limit:
                raise Cut(f"the answer is larger than {limit} bytes")
        return b"".join(chunks)

    def divert(self, sink: Callable[[bytes], bool]) -> None:
        """Offer each piece of the body to `sink` as it comes; what it does not take is left for `next`, in order."""
        if self._inflate is None:
            self._connection.divert(sink)

    def release(self) -> None:
        """Give the connection back, which is another's from now on; what is left of the body is dropped."""
        connection, self._connection = self._connection, _NOBODYS
        connection.release()

    def abort(self) -> None:
        """Close the connection, unless it was given back; that cancels the work at most upstreams."""
        connection, self._connection = self._connection, _NOBODYS
        connection.abort()


class _Nobodys:
    """Stands for a connection that was given back."""

    async def take(self) -> bytes:
        raise Cut("the answer was let go")

    def rest(self) -> None:
        """There is none."""

    def divert(self, sink: Callable[[bytes], bool]) -> None:
        """Nothing comes."""

    def release(self) -> None:
        """It was."""

    def abort(self) -> None:
        """It is somebody else's."""


_NOBODYS: Final = cast("Connection", _Nobodys())


class Upstreams(Protocol):
    """What dispatch and the tasks need of the way out."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Pieces | None, limits: Limits
    ) -> Response:
        """Send a request; return once the headers of the answer are here."""
        ...


class Client:
    """Requests to upstreams, over connections that are used again.

    Attributes
    ----------
    unasked : dict
        How many connections ended because of what nobody had asked for, by host and port.
    """

    def __init__(self, root: Client | None = None) -> None:
        self._root = root or self
        self._channels: dict[str, Client] = {}
        self._targets: dict[tuple[str, str], Target] = {} if root is None else root._targets
        self._starts: dict[tuple[str | tuple[str, str], ...], bytes] = {} if root is None else root._starts
        self._single: dict[tuple[bool, str, int], float] = {} if root is None else root._single
        """Until when connections to these serve one request only."""
        self.unasked: dict[str, int] = {} if root is None else root.unasked
        self._idle: dict[tuple[bool, str, int], list[Connection]] = {}
        self._keys: dict[Connection, tuple[bool, str, int]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    def of(self, channel: str) -> Client:
        """Return the client of a channel, whose connections serve no other."""
        client = self._channels.get(channel)
        if client is None:
            client = self._channels[channel] = Client(self._root)
        return client

    def only(self, channels: Set[str]) -> None:
        """Let go of channels that are gone; what is under way to them goes on."""
        for gone in self._channels.keys() - channels:
            client = self._channels.pop(gone)
            client._closed = True
            for idle in client._idle.values():
                for connection in idle:
                    client._forget(connection)
            client._idle.clear()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Pieces | None, limits: Limits
    ) -> Response:
        """Send a request; return once the headers of the answer are here.

        Raises
        ------
        NotSent, MaybeSent, Stalled
            And whatever a body raises that comes in pieces.
        """
        if isinstance(body, Pieces):
            return await self._pour(method, url, headers, body, limits)
        target = self._targets.get((method, url)) or self._target(method, url)
        head = self._head(target.line, headers, method, body)
        while True:
            connection = self._kept(target.key)
            kept = connection is not None
            if connection is None:
                connection = await self._connect(target.key, limits.connect)
            try:
                await connection.exchange(method, head, body, limits.first_byte)
            except MaybeSent:
                # A kept connection may die just when it is used; what changes nothing may be asked again.
                if kept and method in ("GET", "HEAD") and not connection.answered:
                    continue
                raise
            connection.limit(limits.between)
            return Response(connection)

    async def _pour(self, method: str, url: str, headers: Mapping[str, str], body: Pieces, limits: Limits) -> Response:
        # A kept connection may die just when it is used, and the pieces come but once: this one is new.
        target = self._targets.get((method, url)) or self._target(method, url)
        head = _start(target.line, headers)
        chunked = body.length is None
        head += b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: %d\r\n\r\n" % body.length
        connection = await self._connect(target.key, limits.connect)
        await connection.pour(method, head, body.data, limits.first_byte, chunked=chunked)
        connection.limit(limits.between)
        return Response(connection)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Pieces | None,
        limits: Limits,
        max_answer: int = 64 * 1024 * 1024,
    ) -> Answer:
        """Send a request and read its whole answer within `limits.whole`."""
        return await ask(self, method, url, headers, body, limits, max_answer)

    async def close(self) -> None:
        """Close all connections."""
        for client in (self, *self._channels.values()):
            client._closed = True
            if client._sweeper is not None:
                client._sweeper.cancel()
            for connection in client._keys.copy():
                connection.abort()
            client._keys.clear()
            client._idle.clear()
        # The transports close in the loop's next turn.
        await asyncio.sleep(0)

    # Where to ---------------------------------------------------------------------------------------------------

    def _target(self, method: str, url: str) -> Target:
        try:
            found = URL(url, encoded=True)
            host, port, path = found.raw_host, found.port, found.raw_path_qs or "/"
            if found.scheme not in ("http", "https") or not host or not port or found.user is not None:
                raise ValueError
            if not host.isascii():
                host = host.encode("idna").decode()
        except ValueError:
            raise NotSent("the channel's URL is not valid") from None
        if not _PLAIN.fullmatch(path):
            path = quote(path, safe="!#$%&'()*+,/:;=?@[]~")
        shown = f"[{host}]" if ":" in host else host
        if not found.is_default_port():
            shown += f":{port}"
        target = Target((found.scheme == "https", host, port), f"{method} {path} HTTP/1.1\r\nhost: {shown}\r\n")
        if "?" not in url and len(self._targets) < _TARGETS:
            self._targets[method, url] = target
        return target

    def _head(self, line: str, headers: Mapping[str, str], method: str, body: bytes | None) -> bytes:
        # A channel's heads are the same from request to request, but for the length.
        key = (line, *headers.items())
        start = self._starts.get(key)
        if start is None:
            start = _start(line, headers)
            if len(self._starts) >= _STARTS:
                self._starts.clear()
            self._starts[key] = start
        if body is not None or method not in ("GET", "HEAD", "DELETE"):
            return b"%bcontent-length: %d\r\n\r\n" % (start, len(body or b""))
        return start + b"\r\n"

    # Connections ------------------------------------------------------------------------------------------------

    def _kept(self, key: tuple[bool, str, int]) -> Connection | None:
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if connection.closed or _expired(connection, tls=key[0]):
                self._forget(connection)
            elif connection.usable:
                return connection
            else:
                connection.leave()
        return None

    def _keep(self, connection: Connection) -> None:
        key = self._keys.get(connection)
        if key is None or self._closed or (self._single and self._single.get(key, 0.0) > time.monotonic()):
            connection.abort()
            return
        self._idle.setdefault(key, []).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    def _unasked(self, connection: Connection) -> None:
        """Trust a host less on whose connection something came that nobody had asked for."""
        key = self._keys.get(connection)
        if key is None:
            return
        host = f"{key[1]}:{key[2]}"
        self.unasked[host] = self.unasked.get(host, 0) + 1
        now = time.monotonic()
        if self._single.get(key, 0.0) <= now:
            log.warning("upstream.unasked", host=host, single_use_seconds=_SINGLE_SECONDS)
        self._single[key] = now + _SINGLE_SECONDS
        for client in (self._root, *self._root._channels.values()):
            for idle in client._idle.pop(key, ()):
                client._forget(idle)

    def _forget(self, connection: Connection) -> None:
        self._keys.pop(connection, None)
        connection.abort()

    def _sweep(self) -> None:
        self._sweeper = None
        for key, idle in list(self._idle.items()):
            fresh = [one for one in idle if not one.closed and not _expired(one, tls=key[0])]
            for connection in set(idle).difference(fresh):
                self._forget(connection)
            if fresh:
                self._idle[key] = fresh
            else:
                del self._idle[key]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    async def _connect(self, key: tuple[bool, str, int], limit: float) -> Connection:
        tls, host, port = key
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                made = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_EYEBALLS_SECONDS, loop=loop)
                try:
                    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    _, connection = await loop.create_connection(
                        lambda: Connection(self._keep, self._lost, self._unasked),
                        sock=made,
                        ssl=self._root._context() if tls else None,
                        server_hostname=host if tls else None,
                    )
                except BaseException:
                    made.close()
                    raise
        except TimeoutError:
            raise NotSent("no connection within the limit") from None
        except (OSError, UnicodeError) as fault:
            # TLS failures are OSErrors, too.
            raise NotSent(f"no connection: {_reason(fault)}") from None
        self._keys[connection] = key
        return connection

    def _lost(self, connection: Connection) -> None:
        self._keys.pop(connection, None)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


async def ask(
    upstreams: Upstreams,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | Pieces | None,
    limits: Limits,
    max_answer: int,
) -> Answer:
    """Send a request and read its whole answer within `limits.whole`.

    Raises
    ------
    NotSent, MaybeSent, Stalled, Cut
    """
    try:
        async with asyncio.timeout(limits.whole):
            response = await upstreams.send(method, url, headers, body, limits)
            try:
                data = await response.read(max_answer)
            except BaseException:
                response.abort()
                raise
            response.release()
    except TimeoutError:
        raise Stalled("the answer was not complete within the limit", answered=False) from None
    return Answer(response.status, response.headers, data)


def _expired(connection: Connection, *, tls: bool) -> bool:
    idle = time.monotonic() - connection.idle_since
    if idle < 1:
        return False
    keep = _KEEP_TLS if tls else _KEEP_LOCAL
    found = re.search(r"timeout=(\d+)", connection.headers.get("keep-alive", ""))
    if found:
        keep = min(keep, int(found[1]) - 1)
    return idle > keep


def _reason(fault: Exception) -> str:
    text = getattr(fault, "strerror", None)
    return text if isinstance(text, str) and text else type(fault).__name__


def _start(line: str, headers: Mapping[str, str]) -> bytes:
    """Return a request's head up to what its body adds.

    Raises
    ------
    NotSent
        A header's name or value is none.
    """
    names = {name.lower() for name in headers}
    own = {"user-agent": _AGENT, "accept": "*/*"}
    fields = {**{name: value for name, value in own.items() if name not in names}, **headers}
    head = line + "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    # A line too many is somebody's header in another's value.
    lines = 2 + len(fields)
    if head.count("\n") != lines or head.count("\r") != lines or "\0" in head:
        raise NotSent("a header that should be sent is not valid")
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError:
        return head.encode()
