"""Vendors whose answers are known: taken from the sandbox once, then said again, whole or spoiled."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.gateway.scripted import read_body, read_headers
from tests.stack import Sandbox
from tests.support.listening import Listening
from tests.support.until import PATIENCE

_HOPS: Final = frozenset({"connection", "content-length", "transfer-encoding", "date", "server", "accept-encoding"})
Exchange = tuple[str, str]
"""Method and path, with the query."""


@dataclass(frozen=True)
class Said:
    """An answer.

    Attributes
    ----------
    cut : int or None
        Bytes of the body after which the connection ends, though more was promised.
    pieces : tuple of int
        Where the body is divided into writes; the framing is chunked where there are any.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: int | None = None
    pieces: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "")


@dataclass
class Script:
    """What one vendor says; its address is its own, so that whatever it links to leads back to it."""

    address: str
    recording: bool = True
    known: dict[Exchange, Said] = field(default_factory=dict[Exchange, Said])
    spoiled: dict[Exchange, Said] = field(default_factory=dict[Exchange, Said])

    @contextmanager
    def saying(self, exchange: Exchange, said: Said) -> Iterator[None]:
        """Say something else meanwhile."""
        self.spoiled[exchange] = said
        try:
            yield
        finally:
            del self.spoiled[exchange]


class Vendors(Listening):
    """All vendors, on one port of as many addresses of the loopback."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.scripts: dict[str, Script] = {}
        super().__init__("0.0.0.0")

    def script(self) -> Script:
        """Return a new vendor's."""
        high, low = divmod(len(self.scripts), 250)
        script = Script(f"127.1.{high}.{low + 1}")
        self.scripts[script.address] = script
        return script

    def url(self, script: Script) -> str:
        return f"http://{script.address}:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # One request a connection: whether a kept one is still good is another test's matter.
        with connection, connection.makefile("rb") as stream:
            try:
                method, path, _ = stream.readline(65536).decode("latin-1").split()
                headers = read_headers(stream)
                body = read_body(stream, headers)
                script = self.scripts[connection.getsockname()[0]]
                _send(connection, self._answer(script, (method, path), headers, body))
            except OSError:
                pass

    def _answer(self, script: Script, exchange: Exchange, headers: Mapping[str, str], body: bytes) -> Said:
        said = script.spoiled.get(exchange) or (None if script.recording else script.known.get(exchange))
        if said is None:
            said = self._asked(exchange, headers, body)
            if script.recording:
                script.known.pop(exchange, None)
                script.known[exchange] = said
        return said

    def _asked(self, exchange: Exchange, headers: Mapping[str, str], body: bytes) -> Said:
        """Ask the sandbox, which sees the host that was asked: its links lead here."""
        connection = http.client.HTTPConnection("127.0.0.1", self._sandbox.port, timeout=PATIENCE)
        sent = {name: value for name, value in headers.items() if name not in _HOPS}
        try:
            connection.request(*exchange, body or None, sent)
            answer = connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in _HOPS}
            return Said(answer.status, kept, answer.read())
        finally:
            connection.close()


def _send(connection: socket.socket, said: Said) -> None:
    body = said.body if said.cut is None else said.body[: said.cut]
    lines = [f"HTTP/1.1 {said.status} Said", "connection: close"]
    lines += [f"{name}: {value}" for name, value in said.headers.items()]
    lines.append("transfer-encoding: chunked" if said.pieces else f"content-length: {len(said.body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    if not said.pieces:
        connection.sendall(body)
        return
    starts = [0, *(at for at in said.pieces if at < len(body))]
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        if start < end:
            connection.sendall(b"%x\r\n%b\r\n" % (end - start, body[start:end]))
    if said.cut is None:
        connection.sendall(b"0\r\n\r\n")
