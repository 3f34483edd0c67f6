"""Callers' connections: whatever is sent or not sent counts to some limit, and nobody else feels it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hpack
import pytest
import uvicorn
from h2.errors import ErrorCodes
from hyperframe.frame import ContinuationFrame, ExtensionFrame, HeadersFrame

from deeepai.guard import GUARD, Guard
from deeepai.http1 import Connection
from deeepai.http2 import PREFACE
from deeepai.listening import Loop, most
from deeepai.settings import Settings
from tests.server.test_http1 import App, Caller, served
from tests.server.test_http2 import serving
from tests.stack import Gateway
from tests.support.until import PATIENCE, until, until_async

LIMIT = 64 * 1024
MUCH = 1024 * 1024
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


async def sent_until_closed(caller: Caller, pieces: Iterator[bytes]) -> int:
    """Send until the other side has had enough; return how many bytes it took."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            caller.send(piece)
            await asyncio.wait_for(caller.writer.drain(), PATIENCE)
            sent += len(piece)
            if caller.reader.at_eof():
                break
            await asyncio.sleep(0)
    return sent


def forever(piece: bytes) -> Iterator[bytes]:
    for _ in range(64 * MUCH // len(piece)):
        yield piece


@pytest.mark.parametrize(
    "start",
    [
        pytest.param((b"GET / HTTP/1.1\r\nHost: h\r\nx: ", b"a"), id="head"),
        pytest.param((b"GET / HTTP/1.1\r\nHost: h\r\n", b"x: y\r\n"), id="headers"),
        pytest.param((b"GET / HTTP/1.1\r\nHost: h\r\nx:", b" "), id="blanks before a value"),
        pytest.param((b"GET /", b"a"), id="target"),
        pytest.param((b"", b"\r\n"), id="lines before a request"),
        pytest.param((GOOD, b"\r\n"), id="lines after a request"),
        pytest.param((CHUNKED, b"0"), id="size of a chunk"),
        pytest.param((CHUNKED + b"1;", b"a"), id="extension of a chunk"),
        pytest.param((CHUNKED + b"1;", b"a=b;"), id="extensions of a chunk"),
        pytest.param((CHUNKED + b"0\r\nx: ", b"a"), id="trailer"),
        pytest.param((CHUNKED + b"0\r\n", b"x: y\r\n"), id="trailers"),
        pytest.param((CHUNKED, b"1;" + b"a" * 500 + b"\r\nx\r\n"), id="extensions around a body"),
    ],
)
async def test_what_brings_nothing_ends_at_the_limit(
    start: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeepai.callers.Connection._linger_seconds", 0.1)
    guard = Guard()
    async with served(guard) as (app, connect):
        caller = await connect()
        first, more = start
        caller.send(first)
        piece = more * (16384 // len(more))
        await sent_until_closed(caller, forever(piece))
        await until_async(lambda: guard.refused["malformed"])
        assert guard.refused == {"malformed": 1}
        assert [body for body in app.bodies if body] == []


async def caller_rest(caller: Caller) -> bytes:
    try:
        return await caller.rest()
    except ConnectionError:
        return b""


async def test_the_limit_is_one_for_all_and_met_early() -> None:
    guard = Guard()
    async with served(guard) as (_, connect):
        caller = await connect()
        caller.send(CHUNKED + b"1;" + b"a" * (4 * LIMIT) + b"\r\nx\r\n0\r\n\r\n")
        assert (await caller.get())[0] == 400
        assert guard.refused["malformed"] == 1


async def test_many_small_pieces_of_a_body_are_nothing_unusual() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(CHUNKED + b"1\r\nx\r\n" * (2 * LIMIT) + b"0\r\n\r\n")
        assert await caller.get() == (200, b"x" * (2 * LIMIT))
        signed = b"2000;chunk-signature=" + b"a" * 64 + b"\r\n" + b"y" * 0x2000 + b"\r\n"
        caller.send(CHUNKED + signed * 1000 + b"0\r\n\r\n")
        assert await caller.get() == (200, b"y" * 0x2000 * 1000)
        assert len(app.bodies) == 2


@pytest.mark.parametrize("loose", [b"x: " + b"a" * (2 * LIMIT), b"x: y\r\n" * (2 * LIMIT // 4)])
async def test_a_head_in_one_read_is_not_longer_than_in_many(loose: bytes) -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(b"GET / HTTP/1.1\r\nHost: h\r\n" + loose + b"\r\n\r\n" + GOOD)
        assert (await caller.get())[0] == 431
        assert app.scopes == []


async def test_requests_in_one_read_wait_for_their_turn_unparsed() -> None:
    async with served() as (app, connect):
        caller = await connect()
        number = 20_000
        caller.send(GOOD.replace(b"/ H", b"/unread H") + GOOD * number)
        await until_async(lambda: app.scopes)
        most_waiting = 0
        app.go.set()
        for _ in range(number + 1):
            assert (await caller.get())[0] == 200
            [connection] = list(app.servers[0].server_state.connections)
            most_waiting = max(most_waiting, len(connection._queue))  # type: ignore[union-attr]
        assert most_waiting <= LIMIT // len(GOOD) + 1


# One answer a request -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 400),
        (CHUNKED.replace(b"chunked", b"identity") + b"abc", 400),
        (CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", 400),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 400),
        (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", 400),
        (CHUNKED + b"zz\r\n\r\n", 400),
        (CHUNKED + b"3\r\nabcd\r\n", 400),
        (CHUNKED + b"-1\r\n", 400),
        (CHUNKED + b"fffffffffffffffff\r\n", 400),
        (CHUNKED + b"0\r\nno trailer\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_gets_one_refusal_after_the_answers_before_it(head: bytes, status: int) -> None:
    async with served() as (app, connect):
        for before in (0, 1, 5):
            caller = await connect()
            caller.send(GOOD * before + head + GOOD)
            for _ in range(before):
                assert await caller.get() == (200, b"ok")
            assert await caller.get() == (status, b"")
            assert await caller.rest() == b""
        assert len(app.bodies) == 6


async def test_a_body_that_turns_bad_has_its_request_refused() -> None:
    async with served() as (app, connect):
        caller = await connect()
        caller.send(CHUNKED + b"3\r\nabc\r\n")
        await until_async(lambda: app.scopes)
        caller.send(b"zz\r\n")
        assert await caller.get() == (400, b"")
        assert await caller.rest() == b""
        assert app.left.is_set()
        assert app.bodies == []


@pytest.mark.parametrize("hosts", [[], [("host", "a"), ("host", "a")], [(":authority", "a"), ("host", "b")]])
async def test_no_host_and_two_are_refused_over_http2(hosts: list[tuple[str, str]]) -> None:
    async with served() as (app, connect):
        caller = await connect()
        head = hpack.Encoder().encode([(":method", "GET"), (":scheme", "http"), (":path", "/"), *hosts])
        caller.send(PREFACE + b"\0\0\0\4\0\0\0\0\0" + HeadersFrame(1, data=head, flags=["END_HEADERS"]).serialize())
        assert await caller.rest()
        assert app.scopes == []


# Time ---------------------------------------------------------------------------------------------------------------


async def drip(caller: Caller, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in data:
            caller.send(bytes((byte,)))
            await caller.writer.drain()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (b"GET / HTTP/1.1\r\nx: ", "head"),
        (GOOD + b"GET / HTTP/1.1\r\nx: ", "head"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", "body"),
        (b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", "body"),
    ],
)
async def test_who_sends_too_slowly_is_given_up(start: bytes, why: str) -> None:
    guard = Guard(Settings(head_limit=0.3, body_rate=1000))
    async with served(guard) as (_, connect):
        caller = await connect()
        caller.send(start)
        dripping = asyncio.create_task(drip(caller, b"a" * 100_000))
        await until_async(lambda: guard.refused[why])
        if b"early" not in start:
            assert b" 408 " in await caller_rest(caller)
        dripping.cancel()


async def test_who_sends_fast_enough_is_not_given_up() -> None:
    guard = Guard(Settings(head_limit=0.1, body_rate=1))
    async with served(guard) as (_, connect):
        caller = await connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n")
        await drip(caller, b"a" * 100)
        assert await caller.get() == (200, b"a" * 100)
        assert not guard.refused


async def test_a_slow_body_ends_its_stream_alone_over_http2() -> None:
    guard = Guard(Settings(head_limit=0.2, body_rate=1_000_000))
    async with serving(guard) as (_, connect, _):
        peer = await connect()
        slow = peer.ask("/", b"a", more=True)
        while not peer.answers[slow].over:
            peer.send(slow, b"a")
            other = peer.ask("/", b"ok")
            await peer.until(lambda stream=other: peer.answers[stream].over)
            assert peer.answers[other].body == b"ok"
        assert peer.answers[slow].reset == ErrorCodes.CANCEL
        assert guard.refused["body"] == 1


def small(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


@pytest.mark.parametrize("request_", [b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /flood HTTP/1.0\r\n\r\n"])
async def test_a_caller_that_takes_nothing_is_closed(request_: bytes) -> None:
    guard = Guard(Settings(reader_limit=0.3))
    async with served(guard) as (app, _), AsyncConnections(app) as make:
        deaf = await make()
        deaf.send(request_)
        await until_async(lambda: guard.refused["reader"])
        await until_async(lambda: not app.servers[0].server_state.connections)


async def test_a_whole_answer_that_nobody_takes_is_closed() -> None:
    guard = Guard(Settings(reader_limit=0.3))
    async with served(guard) as (app, _), AsyncConnections(app) as make:
        deaf = await make()
        body = b"x" * (16 * MUCH)
        head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        await asyncio.to_thread(deaf.sendall, head + body)
        await until_async(lambda: guard.refused["reader"])
        await until_async(lambda: not app.servers[0].server_state.connections)


class AsyncConnections:
    """Makes callers that read nothing."""

    def __init__(self, app: App) -> None:
        self._port = app.servers[0].servers[0].sockets[0].getsockname()[1]
        self._made: list[socket.socket] = []

    async def __aenter__(self) -> Callable[[], Any]:
        async def make() -> socket.socket:
            made = socket.socket()
            small(made)
            self._made.append(made)
            await asyncio.to_thread(made.connect, ("127.0.0.1", self._port))
            return made

        return make

    async def __aexit__(self, *fault: object) -> None:
        for made in self._made:
            made.close()


@pytest.mark.parametrize("drips", [False, True])
async def test_a_window_that_stays_shut_ends_its_stream_alone(drips: bool) -> None:
    guard = Guard(Settings(reader_limit=0.3))
    async with serving(guard) as (_, connect, _):
        peer = await connect(s4=1000)
        peer.reads = False
        deaf = peer.ask("/flood")
        while peer.answers[deaf].reset is None:
            if drips and peer.answers[deaf].status:
                peer.h2.increment_flow_control_window(1, deaf)
                peer.h2.increment_flow_control_window(1)
            other = peer.ask("/")
            await peer.until(lambda stream=other: peer.answers[stream].over)
            assert peer.answers[other].body == b"ok"
            await asyncio.sleep(0.01)
        assert peer.answers[deaf].reset == ErrorCodes.CANCEL
        assert guard.refused["reader"] == 1


# HTTP/2's frames ----------------------------------------------------------------------------------------------------


async def test_large_frames_that_bring_nothing_count_for_many() -> None:
    guard = Guard()
    async with serving(guard) as (_, connect, _):
        peer = await connect()
        frame = ExtensionFrame(type=0xBE, stream_id=0, body=b"x" * 16384)
        frame.body_len = 16384
        for _ in range(8):
            peer.raw(frame.serialize())
        await peer.until(lambda: peer.goodbye is not None)
        assert peer.goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        assert guard.refused["malformed"] == 1


async def test_a_head_in_pieces_has_an_end() -> None:
    guard = Guard()
    async with served(guard) as (_, connect):
        caller = await connect()
        first = HeadersFrame(1, data=b"\x82").serialize()
        more = ContinuationFrame(1, data=b"\0" * 16000).serialize()
        caller.send(PREFACE + b"\0\0\0\4\0\0\0\0\0" + first)
        await sent_until_closed(caller, forever(more))
        await until_async(lambda: guard.refused["malformed"])


async def test_a_frame_that_does_not_end_is_given_up() -> None:
    guard = Guard(Settings(head_limit=0.2))
    async with served(guard) as (_, connect):
        caller = await connect()
        caller.send(PREFACE + b"\0\0\0\4\0\0\0\0\0" + HeadersFrame(1, data=b"\x82").serialize())
        await until_async(lambda: guard.refused["head"])
        assert await caller_rest(caller)


# How many -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def listening(**settings: Any) -> AsyncIterator[tuple[Loop, int]]:
    """Serve on the loop of this test, which is ours."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    config = uvicorn.Config(App(), port=0, lifespan="off", log_config=None, http=Connection, **settings)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    server.lifespan.state[GUARD] = loop.guard
    try:
        yield loop, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE)


def run(settings: Settings, play: Callable[[], Any]) -> None:
    with asyncio.Runner(loop_factory=lambda: Loop(settings)) as runner:
        runner.run(play())


async def ask(port: int) -> tuple[Caller, int]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
    caller.send(GOOD)
    return caller, (await caller.get())[0]


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"max_connections": 3, "max_connections_by_address": 9}, "all"), ({"max_connections_by_address": 3}, "address")],
)
def test_one_connection_too_many_is_told_so(settings: dict[str, int], why: str) -> None:
    async def play() -> None:
        async with listening() as (loop, port):
            asked = [await ask(port) for _ in range(3)]
            assert [status for _, status in asked] == [200] * 3
            assert loop.guard.open == 3
            for number in range(3):
                caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
                caller.send(GOOD)
                assert await caller.get() == (503, b"Too many connections\n")
                assert await caller.rest() == b""
                assert loop.guard.refused == {why: number + 1}
            asked[0][0].writer.close()
            await until_async(lambda: loop.guard.open == 2)
            assert (await ask(port))[1] == 200

    run(Settings(**settings), play)  # type: ignore[arg-type]


def test_a_proxys_address_is_not_counted_alone() -> None:
    async def play() -> None:
        async with listening() as (loop, port):
            asked = [await ask(port) for _ in range(5)]
            assert [status for _, status in asked] == [200] * 5
            assert not loop.guard.refused

    run(Settings(max_connections_by_address=1, trusted_proxies=("127.0.0.0/8",)), play)


def test_a_websocket_counts_until_it_ends() -> None:
    async def play() -> None:
        async with listening(ws="websockets-sansio") as (loop, port):
            caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
            key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            caller.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" + key + b"\r\n")
            await caller.head()
            assert loop.guard.open <= 1
            caller.writer.close()
            await until_async(lambda: loop.guard.open == 0)

    run(Settings(), play)


def test_by_default_there_is_room_for_upstreams() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        whole, of_address = most(Settings())
        assert 2 * whole < files
        assert 0 < of_address <= whole // 2
        assert most(Settings(max_connections=5, max_connections_by_address=4)) == (5, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_file_left_new_callers_wait_and_it_is_told(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, env={"DEEEPAI_MAX_CONNECTIONS": "100000"}).start()
    callers: list[socket.socket] = []
    try:
        # The supervisor has the socket, too, and so has the process that stands by.
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in gateway.pids()}
        (worker,) = (pid for pid, words in commands.items() if b"gateway" in words and b"--standby" not in words)
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
        callers += [socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) for _ in range(30)]
        until(lambda: b'"connections.refused"' in (tmp_path / "serve.log").read_bytes())
        waiting = callers[-1]
        waiting.sendall(GOOD.replace(b"/ H", b"/healthz H"))
        for caller in callers[:-1]:
            caller.close()
        # It was never dropped.
        assert waiting.recv(12) == b"HTTP/1.1 200"
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=PATIENCE) as answer:
            assert b'deeepai_connections_refused_total{reason="files"}' in answer.read()
        said = (tmp_path / "serve.log").read_bytes().count(b'"connections.refused"')
        assert said < 10
    finally:
        for caller in callers:
            caller.close()
        gateway.stop()
