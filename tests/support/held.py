"""An upstream that does nothing until the test says what."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

from tests.support.listening import Listening
from tests.support.until import PATIENCE


class HeldCall:
    """One request, which waits.

    Attributes
    ----------
    body : bytes
    """

    def __init__(self, connection: socket.socket, body: bytes) -> None:
        self._connection = connection
        self.body = body

    def answer(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON, whole."""
        body = json.dumps(value).encode()
        told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        self._send(_head(status, told) + body)
        self.close()

    def begin(self) -> None:
        """Send the head of a stream."""
        self._send(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))

    def say(self, *events: bytes) -> None:
        """Send events of a stream."""
        data = b"".join(events)
        self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """End a stream well."""
        self._send(b"0\r\n\r\n")
        self.close()

    def close(self) -> None:
        """Hang up: a cut, where the answer is not whole."""
        self._connection.close()

    def wait_left(self) -> None:
        """Wait until the caller has hung up."""
        try:
            assert self._connection.recv(1) == b""
        except ConnectionError:
            pass

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)


class HeldUpstream(Listening):
    """The upstream; `/<channel>/…` is where its channels lead."""

    def __init__(self) -> None:
        self._calls: dict[str, list[HeldCall]] = {}
        self._came = threading.Condition()
        super().__init__()

    def taken(self, channel: str) -> HeldCall:
        """Return the next request on this channel."""
        with self._came:
            assert self._came.wait_for(lambda: self._calls.get(channel), PATIENCE), f"nothing came on {channel}"
            return self._calls[channel].pop(0)

    def serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection.makefile("rb") as stream:
            channel, body = _read(stream)
        with self._came:
            self._calls.setdefault(channel, []).append(HeldCall(connection, body))
            self._came.notify_all()


def _read(stream: BinaryIO) -> tuple[str, bytes]:
    channel = stream.readline(65536).split()[1].decode().split("/")[1]
    length = 0
    while (line := stream.readline(65536).strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return channel, stream.read(length)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Held", "connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
