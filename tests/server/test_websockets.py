"""WebSockets of callers, byte by byte, against a small application."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from deeepai.http1 import Connection
from tests.support.until import PATIENCE

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to that key, from RFC 6455, section 1.3."""
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HEAD = (
    f"Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
)


class App:
    """Says again what it hears; its paths say what else it does."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.sent = 0
        self.go = asyncio.Event()
        self.done = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        assert (await receive())["type"] == "websocket.connect"
        path = scope["path"]
        if path == "/refused":
            head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
            await send({"type": "websocket.http.response.start", "status": 403, "headers": head})
            await send({"type": "websocket.http.response.body", "body": b"{}"})
            return
        await send({"type": "websocket.accept", "subprotocol": "b" if "b" in scope["subprotocols"] else None})
        try:
            if path == "/flood":
                while self.sent < 1000:
                    await send({"type": "websocket.send", "text": "x" * 65_536})
                    self.sent += 1
            if path == "/deaf":
                await self.go.wait()
            if path == "/closes":
                await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
            while True:
                message = await receive()
                self.heard.append(message)
                if message["type"] == "websocket.disconnect":
                    return
                if path != "/deaf":
                    await send({**message, "type": "websocket.send"})
        finally:
            self.done.set()


def frame(opcode: int, data: bytes, *, masked: bool = True, fin: bool = True, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    head = bytes([opcode | (0x80 if fin else 0)])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def open(self, path: str = "/", more: str = "", rest: bytes = b"") -> bytes:
        self.send(f"GET {path} HTTP/1.1\r\n{HEAD}{more}\r\n".encode() + rest)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return head

    async def frame(self) -> tuple[int, bytes]:
        """Read a frame; the server's are not masked, and these are all whole."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert first & 0x80
            assert second < 0x80
            size = second
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x7F, await self.reader.readexactly(size)

    async def closed(self) -> int:
        """Read up to the close; return its code. The connection ends, too."""
        opcode, data = await self.frame()
        while opcode != CLOSE:
            opcode, data = await self.frame()
        self.send(frame(CLOSE, data[:2]))
        try:
            assert await asyncio.wait_for(self.reader.read(), PATIENCE) == b""
        except ConnectionResetError:
            pass  # it was still sending
        (code,) = struct.unpack("!H", data[:2])
        return code

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), PATIENCE)


@asynccontextmanager
async def served(**more: Any) -> AsyncIterator[tuple[App, Any, uvicorn.Server]]:
    app = App()
    given: dict[str, Any] = {
        "port": 0,
        "lifespan": "off",
        "log_config": None,
        "http": Connection,
        "ws": "websockets-sansio",
        "ws_max_size": 4 * 2**20,
        "ws_per_message_deflate": False,
        "timeout_graceful_shutdown": 1,
        **more,
    }
    server = uvicorn.Server(uvicorn.Config(app, **given))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    callers: list[Caller] = []

    async def connect() -> Caller:
        callers.append(Caller(*await asyncio.open_connection("127.0.0.1", port)))
        return callers[-1]

    try:
        yield app, connect, server
    finally:
        for caller in callers:
            caller.writer.transport.abort()
        app.go.set()
        server.should_exit = True
        await serving


async def test_handshake() -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        more = "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nX-Twice: 1\r\n"
        head = (await caller.open("/p%C3%A4th?q=%20&q=2", more)).lower()
        assert b"sec-websocket-accept: " + ACCEPT.lower() in head
        assert b"sec-websocket-protocol: b\r\n" in head
        assert b"sec-websocket-extensions" not in head
        (scope,) = app.scopes
        assert (scope["path"], scope["query_string"], scope["subprotocols"]) == ("/päth", b"q=%20&q=2", ["a", "b"])
        assert dict(scope["headers"])[b"x-twice"] == b"1"


async def test_bytes_that_follow_the_head_at_once_are_not_lost() -> None:
    async with served() as (_, connect, _):
        caller = await connect()
        await caller.open(rest=frame(TEXT, b"early"))
        assert await caller.frame() == (TEXT, b"early")


async def test_after_a_plain_request_on_the_same_connection() -> None:
    async with served() as (_, connect, _):
        caller = await connect()
        caller.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await asyncio.wait_for(caller.reader.readuntil(b"ok"), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 200 ")
        await caller.open()
        caller.send(frame(TEXT, b"hello"))
        assert await caller.frame() == (TEXT, b"hello")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD.replace("Version: 13", "Version: 8"), 400),
        (HEAD.replace(f"Sec-WebSocket-Key: {KEY}\r\n", ""), 400),
        (HEAD.replace(KEY, "short"), 400),
        (HEAD + f"Sec-WebSocket-Key: {KEY}\r\n", 400),
        (HEAD + "X: " + "x" * 9000 + "\r\n", 400),
        (HEAD + "X: 1\r\n" * 200, 400),
    ],
)
async def test_bad_handshakes(head: str, status: int) -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        caller.send(f"GET / HTTP/1.1\r\n{head}\r\n".encode())
        assert (await caller.rest()).startswith(f"HTTP/1.1 {status} ".encode())
        assert not app.scopes


@pytest.mark.parametrize("start", ["POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nConnection: keep-alive\r\n"])
async def test_what_asks_for_no_socket_is_a_plain_request(start: str) -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        lines = HEAD.replace("Connection: Upgrade\r\n", "") if "keep-alive" in start else HEAD
        caller.send(f"{start}{lines}Content-Length: 0\r\n\r\n".encode())
        head = await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert app.scopes[0]["type"] == "http"


async def test_a_refusal_is_an_answer() -> None:
    async with served() as (_, connect, _):
        caller = await connect()
        caller.send(f"GET /refused HTTP/1.1\r\n{HEAD}\r\n".encode())
        answer = await caller.rest()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.endswith(b"\r\n\r\n{}")


async def test_messages_in_pieces_and_of_bytes() -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        await caller.open()
        caller.send(frame(TEXT, b"a", fin=False) + frame(PING, b"!") + frame(0, "ü".encode()))
        assert await caller.frame() == (PONG, b"!")
        assert await caller.frame() == (TEXT, "aü".encode())
        caller.send(frame(BINARY, b"\x00\xff"))
        assert await caller.frame() == (BINARY, b"\x00\xff")
        big = json.dumps(["x" * 200_000]).encode()
        caller.send(frame(TEXT, big))
        assert await caller.frame() == (TEXT, big)
        caller.send(frame(PONG, b"unasked"))
        caller.send(frame(CLOSE, struct.pack("!H", 1000) + b"bye"))
        assert await caller.closed() == 1000
        await asyncio.wait_for(app.done.wait(), PATIENCE)
        assert app.heard[-1] == {"type": "websocket.disconnect", "code": 1000, "reason": "bye"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"not masked", masked=False), 1002),
        (frame(TEXT, b"", length=5 * 2**20), 1009),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(0, b"nothing to go on with"), 1002),
        (frame(3, b"no such opcode"), 1002),
        (frame(TEXT | 0x40, b"compressed"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, struct.pack("!H", 999)), 1002),
        (frame(TEXT, b"half", fin=False) + frame(TEXT, b"another"), 1002),
    ],
    ids=["bare", "huge", "text", "rest", "opcode", "packed", "ping", "close", "halves"],
)
async def test_what_breaks_the_protocol_ends_it(data: bytes, code: int) -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        await caller.open()
        caller.send(data)
        assert await caller.closed() == code
        await asyncio.wait_for(app.done.wait(), PATIENCE)
        assert app.heard[-1]["type"] == "websocket.disconnect"


async def test_pieces_of_a_message_that_is_too_large() -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        await caller.open()
        caller.send(frame(TEXT, b"x" * 2**20, fin=False))
        for _ in range(4):
            caller.send(frame(0, b"x" * 2**20, fin=False))
        assert await caller.closed() == 1009
        assert not app.heard or app.heard[-1]["type"] == "websocket.disconnect"


async def test_the_application_closes() -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        await caller.open("/closes")
        assert await caller.closed() == 4001
        await asyncio.wait_for(app.done.wait(), PATIENCE)


async def test_a_caller_that_goes_without_a_word() -> None:
    async with served() as (app, connect, _):
        for abort in (True, False):
            app.done.clear()
            caller = await connect()
            await caller.open()
            if abort:
                caller.writer.transport.abort()
            else:
                caller.writer.write_eof()
            await asyncio.wait_for(app.done.wait(), PATIENCE)
            assert app.heard[-1]["type"] == "websocket.disconnect"


async def test_a_caller_that_no_longer_answers_is_given_up() -> None:
    async with served(ws_ping_interval=0.1, ws_ping_timeout=1.5) as (app, connect, _):
        caller = await connect()
        await caller.open()
        for _ in range(3):
            opcode, data = await caller.frame()
            assert opcode == PING
            caller.send(frame(PONG, data))
        assert await caller.closed() == 1011
        await asyncio.wait_for(app.done.wait(), PATIENCE)


async def test_both_sides_wait_for_a_slow_reader() -> None:
    async with served() as (app, connect, _):
        caller = await connect()
        await caller.open("/flood")
        last = -1
        while last != app.sent:
            last = app.sent
            await asyncio.sleep(0.2)
        assert app.sent * 65_536 < 16 * 2**20
        deaf = await connect()
        await deaf.open("/deaf")
        one = frame(TEXT, b"x" * 65_536)
        sent = 0
        # Until nobody takes more: the application hears none of it.
        try:
            async with asyncio.timeout(2):
                while sent < 2000:
                    deaf.send(one)
                    await deaf.writer.drain()
                    sent += 1
        except TimeoutError:
            pass
        assert sent * 65_536 < 32 * 2**20
        app.go.set()
        while len(app.heard) < sent:
            await asyncio.sleep(0.01)


async def test_a_stop_is_told() -> None:
    async with served() as (app, connect, server):
        caller = await connect()
        await caller.open()
        server.should_exit = True
        assert await caller.closed() == 1012
        await asyncio.wait_for(app.done.wait(), PATIENCE)


async def test_without_the_protocol_it_is_a_plain_request() -> None:
    async with served(ws="none") as (app, connect, _):
        caller = await connect()
        caller.send(f"GET / HTTP/1.1\r\n{HEAD}\r\n".encode())
        assert await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\nok"), PATIENCE)
        assert app.scopes[0]["type"] == "http"
