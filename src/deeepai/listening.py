"""Where callers' connections are accepted: counted, in all and by address, before anything else is done for them.

uvloop would accept by itself, and better so, if it told when that fails: at the limit on open files it closes every new
connection without a word. The count ends with the socket, whoever has it by then.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import uvloop

from .accounts import addresses
from .guard import Guard, Why
from .settings import HANDOVER, Settings

_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 21\r\nretry-after: 5\r\n"
    b"connection: close\r\n\r\nToo many connections\n"
)
_NO_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TURN: Final = 32
"""Connections that are accepted before anything else gets its turn."""
_RETRY_SECONDS: Final = 0.1
_GOODBYE_SECONDS: Final = 0.5
"""For which a connection that is refused stays, so that its caller reads why."""
_MOST_GOODBYES: Final = 64
_RESERVED: Final = 128
"""Open files that are nobody's connection."""
_MOST: Final = 16384
_MOST_OF_ADDRESS: Final = 4096
_FILES: Final = 4 * _MOST
"""Open files that are taken; what is much more makes some programs slow that close all."""


def most(settings: Settings) -> tuple[int, int]:
    """Return how many connections there may be in all, and of one address.

    Each may need a second one, to an upstream.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fit = _MOST if files == resource.RLIM_INFINITY else max(8, min(_MOST, (files - _RESERVED) // 2))
    whole = settings.max_connections or fit
    return whole, settings.max_connections_by_address or min(_MOST_OF_ADDRESS, max(1, whole // 2))


class Accepted(socket.socket):
    """A caller's socket, which tells when it is closed or given away to be closed."""

    left: Callable[[], None] | None = None

    def close(self) -> None:
        """Close it."""
        super().close()
        self._tell()

    def detach(self) -> int:
        """Give the descriptor away, as uvloop does when it closes that itself."""
        fd = super().detach()
        self._tell()
        return fd

    def _tell(self) -> None:
        left, self.left = self.left, None
        if left is not None:
            left()


class Listener(asyncio.AbstractServer):
    """Listening sockets, as uvicorn holds a server.

    Parameters
    ----------
    loop : Loop
    make : callable
        Makes a connection's protocol.
    sockets : list of socket
    context : ssl.SSLContext, optional
        With which TLS is spoken.
    """

    def __init__(
        self,
        loop: Loop,
        make: Callable[[], asyncio.BaseProtocol],
        sockets: list[socket.socket],
        context: ssl.SSLContext | None,
    ) -> None:
        self._loop = loop
        self._make = make
        self._context = context
        self.sockets = sockets
        self._by_address: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._goodbyes = 0
        for listening in sockets:
            loop.add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Accept no more."""
        for listening in self.sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self.sockets = []

    async def wait_closed(self) -> None:
        """Return: nothing is left to wait for."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return bool(self.sockets)

    # Connections ------------------------------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_TURN):
            try:
                raw, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as fault:
                if fault.errno not in _NO_FILES:
                    raise
                # The connection stays in the queue, and the socket ready: it is left alone for a moment.
                self._loop.guard.refuse("files")
                self._loop.remove_reader(listening)
                self._loop.call_later(_RETRY_SECONDS, self._resume, listening)
                return
            accepted = Accepted(raw.family, raw.type, raw.proto, fileno=raw.detach())
            accepted.setblocking(False)
            key = self._key(peer)
            why = self._full(key)
            self._count(accepted, key)
            if why is None:
                task = self._loop.create_task(self._serve(accepted))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._loop.guard.refuse(why)
                self._turn_away(accepted)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self.sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _key(self, peer: Any) -> str | None:
        """Return what stands for an address; None where it is not counted alone."""
        if not isinstance(peer, tuple) or not peer:
            return None
        address = str(peer[0]).partition("%")[0]
        if addresses.within(address, self._loop.settings.trusted_proxies):
            return None
        return _network(address) if ":" in address else address

    def _full(self, key: str | None) -> Why | None:
        loop = self._loop
        if loop.guard.open >= loop.most:
            return "all"
        return "address" if key is not None and self._by_address[key] >= loop.most_of_address else None

    def _count(self, accepted: Accepted, key: str | None) -> None:
        guard, by_address = self._loop.guard, self._by_address
        guard.open += 1
        if key is not None:
            by_address[key] += 1

        def left() -> None:
            guard.open -= 1
            if key is not None:
                by_address[key] -= 1
                if not by_address[key]:
                    del by_address[key]

        accepted.left = left

    def _turn_away(self, accepted: Accepted) -> None:
        """Say why, where that can still be said, and close."""
        if self._context is not None or self._goodbyes >= _MOST_GOODBYES:
            accepted.close()
            return
        try:
            accepted.send(_FULL)
            accepted.shutdown(socket.SHUT_WR)
        except OSError:
            accepted.close()
            return
        # What the caller has sent meanwhile would take the answer away with it.
        self._goodbyes += 1
        self._loop.add_reader(accepted, self._drain, accepted)
        self._loop.call_later(_GOODBYE_SECONDS, self._close, accepted)

    def _drain(self, accepted: Accepted) -> None:
        try:
            ended = not accepted.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._close(accepted)

    def _close(self, accepted: Accepted) -> None:
        if accepted.fileno() >= 0:
            self._goodbyes -= 1
            self._loop.remove_reader(accepted)
            accepted.close()

    async def _serve(self, accepted: Accepted) -> None:
        loop, context = self._loop, self._context
        limit = loop.guard.head if context is not None else None
        try:
            await loop.connect_accepted_socket(self._make, accepted, ssl=context, ssl_handshake_timeout=limit)
        except OSError as fault:
            # The caller has left, or speaks no TLS.
            if isinstance(fault, ConnectionAbortedError):
                loop.guard.refuse("head")
            accepted.close()


def _network(address: str) -> str:
    """Return the network of an IPv6 address that one caller has as a rule; an IPv4 address in that form is one."""
    parsed = ipaddress.IPv6Address(address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)).network_address)


class Loop(uvloop.Loop):
    """uvloop's, with servers of our own.

    Attributes
    ----------
    guard : Guard
    most, most_of_address : int
        Connections.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.guard = Guard(self.settings)
        self.most, self.most_of_address = most(self.settings)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        """Listen, on a TCP socket that is given or on those of a host and a port."""
        given, context = more.pop("sock", None), more.pop("ssl", None)
        backlog = more.pop("backlog", 100)
        if more:
            raise TypeError(f"not known here: {', '.join(more)}")
        sockets = [given] if given is not None else await self._bound(host, port)
        for listening in sockets:
            listening.setblocking(False)
            listening.listen(backlog)
        return Listener(self, protocol_factory, sockets, context)

    async def _bound(self, host: str | None, port: int) -> list[socket.socket]:
        found = await self.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets: list[socket.socket] = []
        try:
            for family, kind, number, _, address in dict.fromkeys(found):
                listening = socket.socket(family, kind, number)
                sockets.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.bind(address)
        except OSError:
            for listening in sockets:
                listening.close()
            raise
        return sockets


def loop() -> Loop:
    """Return the loop of a worker, by the settings that its parent handed on."""
    return Loop(Settings.from_json(os.environ[HANDOVER]))


def raise_file_limit() -> None:
    """Take as many open files as the default limits can use, where this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if resource.RLIM_INFINITY != soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
