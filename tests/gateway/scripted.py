"""An upstream on a raw socket that does to each request what the first part of its path says, and counts them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from tests.support.until import PATIENCE

RETRY_AFTER: Final = 20
"""Seconds."""
_TLS: Final = b"\x16"
"""How a handshake begins."""
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ERROR: Final = {"error": {"message": "scripted", "type": "scripted", "param": None, "code": "scripted"}}
_GOOD: Final[Mapping[str, Any]] = {
    "id": "made_1",
    "object": "vector_store",
    "model": "up",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
"""What each of the operations that are tried takes for its own answer."""


class ScriptedUpstream:
    """The upstream: `/<fault>/<channel>/…`, where a fault is a status (`429-20`: with a Retry-After), `page-<status>`
    (an answer that is no JSON), `cut`, `stall`, `inside` (an error in a good answer) or `good`.

    A TLS handshake is cut at once.

    Parameters
    ----------
    answers : mapping
        Content type and body of further faults, by name; these come with a good status.

    Attributes
    ----------
    asked : Counter
        By channel.
    """

    def __init__(self, answers: Mapping[str, tuple[str, bytes]] | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self._answers = answers or {}
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        served: list[threading.Thread] = []
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            served.append(threading.Thread(target=self._serve, args=(connection,)))
            served[-1].start()
        for thread in served:
            thread.join(PATIENCE)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            # One request a connection: whether a kept one is still good is another test's matter.
            try:
                self._answer(connection, stream)
            except OSError:
                pass

    def _answer(self, connection: socket.socket, stream: io.BufferedReader) -> None:
        if stream.peek(1)[:1] == _TLS:
            return
        line = stream.readline(65536)
        headers = read_headers(stream)
        read_body(stream, headers)
        fault, channel = line.split()[1].decode().split("/")[1:3]
        self.asked[channel] += 1
        if fault in self._answers:
            kind, body = self._answers[fault]
            _send(connection, 200, body, kind=kind)
            return
        if fault == "cut":
            return
        if fault == "stall":
            # Until the gateway has had enough of it.
            connection.settimeout(PATIENCE)
            stream.read(1)
        elif fault == "good" and "sec-websocket-key" in headers:
            _open_session(connection, stream, headers["sec-websocket-key"])
        elif fault in ("good", "inside"):
            _send(connection, 200, json.dumps(_GOOD if fault == "good" else _ERROR).encode())
        elif fault.startswith("page-"):
            _send(connection, int(fault[5:]), b"<h1>Sorry</h1>")
        else:
            status, _, seconds = fault.partition("-")
            after = f"retry-after: {seconds}\r\nretry-after-ms: {seconds}000\r\n" if seconds else ""
            _send(connection, int(status), json.dumps(_ERROR).encode(), after)


def read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := stream.readline(65536).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return headers


def read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    pieces: list[bytes] = []
    while size := int(stream.readline(64), 16):
        pieces.append(stream.read(size + 2)[:-2])
    stream.readline(64)
    return b"".join(pieces)


def _send(
    connection: socket.socket, status: int, body: bytes, more: str = "", *, kind: str = "application/json"
) -> None:
    head = f"HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\nconnection: close\r\n{more}"
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)


def _open_session(connection: socket.socket, stream: BinaryIO, key: str) -> None:
    """Open a WebSocket, say one event, and close it well (RFC 6455)."""
    accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()
    head = "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    event = b'{"type":"session.created","session":{"id":"s"}}'
    frames = b"\x81" + bytes([len(event)]) + event + b"\x88\x02" + (1000).to_bytes(2, "big")
    connection.sendall(f"{head}sec-websocket-accept: {accept}\r\n\r\n".encode() + frames)
    connection.settimeout(PATIENCE)
    # The answer to the close.
    stream.read(8)
