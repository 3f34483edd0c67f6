"""Callers' connections, against raw sockets and a small application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from deeepai.gateway.exchange import PUSH
from deeepai.guard import GUARD, Guard
from deeepai.http1 import Connection
from deeepai.settings import Settings
from tests.support.until import PATIENCE


@dataclass
class App:
    """Answers what its paths say, and notes what it saw."""

    bodies: list[bytes] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    servers: list[uvicorn.Server] = field(default_factory=list)
    sent: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        path = scope["path"]
        if path == "/early":
            await answer(send, b"no")
            return
        if path == "/refused":
            self.go.set()
            await answer(send, b"no", status=401)
            self.left.set()
            return
        if path == "/unread":
            await self.go.wait()
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        if path == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for piece in (b"one", b"", b"three"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        elif path == "/head-first":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await self.go.wait()
            await send({"type": "http.response.body", "body": b"late"})
        elif path == "/pushed":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            assert scope[PUSH](b"one")
            assert scope[PUSH](b"two")
            await send({"type": "http.response.body", "body": b"end"})
        elif path == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while self.sent < 1000:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                self.sent += 1
        elif path == "/wait":
            assert (await receive())["type"] == "http.disconnect"
            self.left.set()
        elif path == "/broken":
            raise RuntimeError("on purpose")
        elif path == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise RuntimeError("on purpose")
        elif path == "/short":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
            await send({"type": "http.response.body", "body": b"half"})
        elif path == "/hop-by-hop":
            lines = (
                (b"Connection", b"close"),
                (b"Keep-Alive", b"x"),
                (b"Transfer-Encoding", b"x"),
                (b"X-Kept", b" yes "),
            )
            await answer(send, b"hop", *lines)
        elif path == "/long-head":
            await answer(send, b"", (b"x-long", b"x" * 10_000))
        elif path == "/injected":
            await answer(send, b"", (b"x-a", b"1\r\nx-b: 2"))
        elif path == "/nothing":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await answer(send, body or b"ok")


async def answer(send: Any, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    head = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)

    async def get(self, *, method: str = "GET") -> tuple[int, bytes]:
        """Read an answer of known length."""
        head = await self.head()
        status = int(head.split()[1])
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
        return status, await self.reader.readexactly(0 if method == "HEAD" else length)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), PATIENCE)


@asynccontextmanager
async def served(guard: Guard | None = None, /, **more: Any) -> AsyncIterator[tuple[App, Any]]:
    app = App()
    given: dict[str, Any] = {"port": 0, "lifespan": "off", "log_config": None, "http": Connection, **more}
    server = uvicorn.Server(uvicorn.Config(app, **given))
    app.servers.append(server)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    server.lifespan.state[GUARD] = guard or Guard()
    port = server.servers[0].sockets[0].getsockname()[1]

    async def connect() -> Caller:
        return Caller(*await asyncio.open_connection("127.0.0.1", port))

    try:
        yield app, connect
    finally:
        app.go.set()
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE)


async def test_one_connection_serves_many_requests() -> None:
    async with served() as (app, connect):
        caller = await connect()
        for body in (b"", b"abc", b"x" * 300_000):
            caller.send(b"POST /a%%20b?c=d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert await caller.get() == (200, body or b"ok")
        assert app.bodies == [b"", b"abc", b"x" * 300_000]
        assert (app.scopes[0]["path"], app.scopes[0]["raw_path"]) == ("/a b", b"/a%20b")
        assert app.scopes[0]["query_string"] == b"c=d"
        assert app.scopes[0]["client"][0] == "127.0.0.1"
        assert (b"host", b"h") in app.scopes[0]["headers"]


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(
            b"".join(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(5))
        )
        assert [await caller.get() for _ in range(5)] == [(200, b"%d" % number) for number in range(5)]
        assert len(app.bodies) == 5


async def test_a_request_may_come_in_the_smallest_pieces() -> None:
    async with served() as (_, connect):
        caller = await connect()
        for byte in b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
            caller.send(bytes((byte,)))
            await caller.writer.drain()
            await asyncio.sleep(0)
        assert await caller.get() == (200, b"abcde")


async def test_an_answer_of_unknown_length_is_chunked_or_ends_with_the_connection() -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"transfer-encoding: chunked" in await caller.head()
        expected = b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"
        assert await caller.reader.readexactly(len(expected)) == expected
        caller.send(b"GET /stream HTTP/1.0\r\n\r\n")
        assert b"chunked" not in await caller.head()
        assert await caller.rest() == b"onethree"


async def test_pieces_that_are_pushed_are_framed_as_the_rest() -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"GET /pushed HTTP/1.1\r\nHost: h\r\n\r\n")
        await caller.head()
        expected = b"3\r\none\r\n3\r\ntwo\r\n3\r\nend\r\n0\r\n\r\n"
        assert await caller.reader.readexactly(len(expected)) == expected
        caller.send(b"GET /pushed HTTP/1.0\r\n\r\n")
        await caller.head()
        assert await caller.rest() == b"onetwoend"


async def test_the_head_does_not_wait_for_a_late_body() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"GET /head-first HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200 OK" in await caller.head()
        app.go.set()
        assert await caller.reader.readexactly(9) == b"4\r\nlate\r\n"


async def test_an_answer_without_body() -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await caller.get(method="HEAD") == (200, b"")
        head = await caller.head()
        assert b"204 No Content" in head
        assert b"chunked" not in head
        caller.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert b"connection: close" in await caller.head()
        assert await caller.rest() == b"ok"


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue"])
async def test_a_caller_that_asks_whether_to_go_on_is_told_so(expect: bytes) -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: %b\r\nContent-Length: 3\r\n\r\n" % expect)
        assert await caller.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.send(b"abc")
        assert await caller.get() == (200, b"abc")


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"POST /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_never_seen(request_: bytes) -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(request_)
        assert (await caller.rest()).startswith(b"HTTP/1.1 400 ")
        assert app.bodies == []


@pytest.mark.parametrize("line", [b"x-long: " + b"a" * 100_000, b"x: y\r\n" * 20_000])
async def test_a_head_that_is_too_long_is_refused(line: bytes) -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"GET / HTTP/1.1\r\nHost: h\r\n" + line)
        assert (await caller.rest()).startswith(b"HTTP/1.1 431 ")
        assert app.scopes == []


async def test_an_unread_body_is_dropped_before_the_next_request() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        assert await caller.get() == (200, b"no")
        caller.send(b"x" * 500_000 + b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok")
        assert await caller.get() == (200, b"ok")
        assert app.bodies == [b"ok"]


@pytest.mark.parametrize("path", [b"/broken", b"/injected"])
async def test_an_application_that_fails_is_a_500(path: bytes) -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await caller.rest()).startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("path", [b"/half", b"/short"])
async def test_half_an_answer_does_not_pass_for_a_whole_one(path: bytes) -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        try:
            assert b"\r\n0\r\n" not in await caller.rest()
        except ConnectionResetError:
            pass


@pytest.mark.parametrize(
    "start",
    [b"POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"],
)
async def test_a_caller_that_leaves_is_noticed(start: bytes) -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(start)
        await caller.writer.drain()
        while not app.scopes:
            await asyncio.sleep(0.005)
        caller.writer.close()
        await asyncio.wait_for(app.left.wait(), PATIENCE)


async def test_a_slow_caller_slows_the_answer() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
        await caller.head()
        seen = -1
        while app.sent != seen:
            seen = app.sent
            await asyncio.sleep(0.1)
        assert 0 < app.sent < 500
        caller.writer.transport.abort()


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


@pytest.mark.parametrize("upgrade", [H2C, b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"Upgrade: h2c\r\n"])
async def test_an_upgrade_that_is_not_offered_is_a_plain_request(upgrade: bytes) -> None:
    async with served() as (app, connect):
        caller = await connect()
        for body in (b"", b"abc", b"x" * 300_000):
            caller.send(b"POST / HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n" % (upgrade, len(body)) + body)
            assert await caller.get() == (200, body or b"ok")
        assert app.bodies == [b"", b"abc", b"x" * 300_000]
        head = b"POST / HTTP/1.1\r\nHost: h\r\n%bContent-Length: 3\r\n\r\n" % upgrade
        caller.send(head + b"one" + head + b"two")
        assert [await caller.get(), await caller.get()] == [(200, b"one"), (200, b"two")]


async def test_an_upgrade_that_is_not_offered_may_come_in_the_smallest_pieces() -> None:
    async with served() as (_, connect):
        caller = await connect()
        for byte in (
            b"POST / HTTP/1.1\r\nHost: h\r\n" + H2C + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        ):
            caller.send(bytes((byte,)))
            await caller.writer.drain()
            await asyncio.sleep(0)
        assert await caller.get() == (200, b"abc")


@pytest.mark.parametrize("connection", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"])
async def test_an_early_answer_reaches_a_caller_that_still_sends(connection: bytes) -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"POST /early " + connection + b"Content-Length: 20000000\r\n\r\n")
        assert await caller.get() == (200, b"no")
        # It goes on as if it had not looked: a reset would throw away what it has not read.
        for _ in range(20):
            caller.send(b"x" * 1_000_000)
            await caller.writer.drain()
        assert await caller.rest() == b""


async def test_a_refusal_reaches_a_caller_that_still_sends() -> None:
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"nonsense\r\n\r\n")
        assert await caller.get() == (400, b"")
        for _ in range(20):
            caller.send(b"x" * 1_000_000)
            await caller.writer.drain()
        assert await caller.rest() == b""


async def keep_sending(caller: Caller) -> None:
    while True:
        caller.send(b"x")
        await caller.writer.drain()
        await asyncio.sleep(0.01)


REFUSED = b"POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n"


async def test_who_is_refused_in_the_middle_of_a_body_is_answered_when_the_rest_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deeepai.http1._PAUSE_SECONDS", 10 * PATIENCE)
    async with served() as (app, connect):
        caller = await connect()
        caller.send(REFUSED + b"\r\n" + b"x" * 400)
        await app.go.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not app.left.is_set()
        caller.send(b"x" * 600 + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await caller.get() == (401, b"no")
        assert await caller.get() == (200, b"ok")


@pytest.mark.parametrize(
    ("setting", "value", "sent"),
    [
        ("_PAUSE_SECONDS", 0.01, b"\r\n"),
        ("_PAUSE_SECONDS", 0.01, b"\r\n" + b"x" * 400),
        ("_REST_SECONDS", 0.01, b"\r\n" + b"x" * 400),
        ("_MOST_DROPPED", 300, b"\r\n" + b"x" * 400),
        ("_REST_SECONDS", 10 * PATIENCE, b"Expect: 100-continue\r\n\r\n"),
    ],
    ids=["nothing comes", "no more comes", "it takes long", "it is much", "it waits to be told"],
)
async def test_who_is_refused_is_answered_before_that_where(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: float, sent: bytes
) -> None:
    monkeypatch.setattr("deeepai.http1._PAUSE_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr("deeepai.http1._REST_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(f"deeepai.http1.{setting}", value)
    async with served() as (_, connect):
        caller = await connect()
        caller.send(REFUSED + sent)
        assert await caller.get() == (401, b"no")


async def test_who_never_ends_is_read_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeepai.callers.Connection._linger_seconds", 0.05)
    async with served() as (_, connect):
        caller = await connect()
        caller.send(b"POST /early HTTP/1.0\r\nContent-Length: 20000000\r\n\r\n")
        assert await caller.get() == (200, b"no")
        with pytest.raises(ConnectionError):
            await keep_sending(caller)


async def test_the_server_as_a_whole_can_be_asked_for() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await caller.get() == (200, b"ok")
        assert app.scopes[0]["path"] == "*"


async def test_what_stops_arriving_is_given_up() -> None:
    async with served(Guard(Settings(head_limit=0.1)), timeout_keep_alive=0) as (_, connect):
        for start, end in (
            (b"", b""),
            (b"GET / HT", b"HTTP/1.1 408 "),
            (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", b"HTTP/1.1 408 "),
            (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1 200 "),
        ):
            caller = await connect()
            caller.send(start)
            said = await caller.rest()
            assert said.startswith(end)
            assert said or not end
