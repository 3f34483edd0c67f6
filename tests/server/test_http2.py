"""HTTP/2 towards callers, frame by frame, with the application of HTTP/1.1's tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    DataFrame,
    ExtensionFrame,
    Frame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from deeepai.guard import Guard
from deeepai.http2 import PREFACE
from deeepai.settings import Settings
from tests.server.test_http1 import App, Caller, served
from tests.support.http2 import Peer
from tests.support.until import PATIENCE, until_async


@asynccontextmanager
async def serving(guard: Guard | None = None, /, **more: Any) -> AsyncIterator[tuple[App, Callable[..., Any], Any]]:
    async with served(guard, **more) as (app, connect):

        async def peer(**settings: int) -> Peer:
            caller = await connect()
            made = Peer(caller.reader, caller.writer)
            made.begin(**settings)
            peers.append(made)
            return made

        peers: list[Peer] = []
        yield app, peer, connect
        for made in peers:
            made.writer.transport.abort()


async def test_one_connection_serves_many_requests_at_once() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        bodies = [b"", b"abc", b"x" * 300_000]
        streams = [peer.ask("/a%20b?c=d", b"", more=True, te="trailers") for _ in bodies]
        for stream, body in zip(streams, bodies, strict=True):
            await peer.upload(stream, body)
        answers = [await peer.answer(stream) for stream in streams]
        assert [(answer.status, answer.body) for answer in answers] == [(200, body or b"ok") for body in bodies]
        scope = app.scopes[0]
        assert (scope["http_version"], scope["path"], scope["raw_path"]) == ("2", "/a b", b"/a%20b")
        assert (scope["query_string"], scope["client"][0], scope["scheme"]) == (b"c=d", "127.0.0.1", "http")
        assert scope["headers"] == [(b"host", b"h"), (b"te", b"trailers")]


async def test_the_preface_may_come_in_the_smallest_pieces() -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        assert (await peer.get("/")).body == b"ok"
    async with served() as (_, connect):
        caller = await connect()
        peer = Peer(caller.reader, caller.writer)
        peer.h2.initiate_connection()
        for byte in peer.h2.data_to_send():
            peer.raw(bytes((byte,)))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert (await peer.get("/")).body == b"ok"


@pytest.mark.parametrize("before", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_a_preface_comes_first_or_not_at_all(before: bytes) -> None:
    async with serving() as (_, _, connect):
        caller: Caller = await connect()
        caller.send(before)
        assert await caller.get() == (200, b"ok")
        caller.send(PREFACE)
        assert b"HTTP/2" not in await caller.rest()


async def test_what_is_nearly_a_preface_is_refused() -> None:
    async with serving() as (_, _, connect):
        caller: Caller = await connect()
        caller.send(PREFACE.replace(b"SM", b"SN"))
        assert (await caller.rest()).startswith(b"HTTP/1.1 400 ")


async def test_answers_of_every_sort() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        assert (await peer.get("/stream")).body == b"onethree"
        assert (await peer.get("/pushed")).body == b"onetwoend"
        head = await peer.get("/", method="HEAD")
        assert (head.status, head.headers["content-length"], head.body) == (200, "2", b"")
        nothing = await peer.get("/nothing")
        assert (nothing.status, nothing.body, nothing.ended) == (204, b"", True)
        late = peer.ask("/head-first")
        await peer.until(lambda: peer.answers[late].status)
        app.go.set()
        assert (await peer.answer(late)).body == b"late"


async def test_headers_of_an_answer_are_such_as_http2_has() -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        answer = await peer.get("/hop-by-hop")
        assert (answer.status, answer.body) == (200, b"hop")
        assert answer.headers["x-kept"] == "yes"
        assert not {"connection", "keep-alive", "transfer-encoding"} & answer.headers.keys()


@pytest.mark.parametrize("path", ["/broken", "/injected"])
async def test_an_application_that_fails_is_a_500(path: str) -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        assert (await peer.get(path)).status == 500
        assert (await peer.get("/")).status == 200


@pytest.mark.parametrize("path", ["/half", "/short"])
async def test_half_an_answer_does_not_pass_for_a_whole_one(path: str) -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        answer = await peer.get(path)
        assert (answer.ended, answer.reset) == (False, ErrorCodes.INTERNAL_ERROR)
        assert (await peer.get("/")).status == 200


async def test_a_caller_that_asks_whether_to_go_on_is_told_so() -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        stream = peer.ask("/", b"", more=True, expect="100-continue")
        await peer.until(lambda: peer.answers[stream].informed)
        await peer.upload(stream, b"abc")
        answer = await peer.answer(stream)
        assert (answer.informed, answer.status, answer.body) == ([100], 200, b"abc")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ([(":method", "CONNECT"), (":authority", "h:1")], 400),
        ([(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "http://h/")], 400),
        ([(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/\u00e4")], 400),
        ([(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/"), ("x", "a" * 70_000)], 431),
        ([(":method", "OPTIONS"), (":scheme", "http"), (":authority", "h"), (":path", "*")], 200),
    ],
)
async def test_what_cannot_be_served_is_refused_and_hurts_no_other(head: list[tuple[str, str]], status: int) -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        other = peer.ask("/", b"a", more=True)
        peer.h2.config.validate_outbound_headers = peer.h2.config.normalize_outbound_headers = False
        stream = peer.h2.get_next_available_stream_id()
        peer.h2.send_headers(stream, head, end_stream=True)
        peer.flush()
        assert (await peer.answer(stream)).status == status
        assert len(app.scopes) == (2 if status == 200 else 1)
        peer.send(other, b"b", last=True)
        assert (await peer.answer(other)).body == b"ab"


async def test_a_bomb_of_headers_ends_the_connection() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.h2.get_next_available_stream_id()
        # One header of 3 KB, which is then named by one byte each time.
        head = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "h"),
            (":path", "/"),
            *[("x", "a" * 3000)] * 1000,
        ]
        peer.h2.send_headers(stream, head, end_stream=True)
        peer.flush()
        await peer.end()
        assert (peer.goodbye, app.scopes) == (ErrorCodes.ENHANCE_YOUR_CALM, [])


async def test_trailers_are_dropped() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.ask("/", b"abc", more=True)
        peer.h2.send_headers(stream, [("x-trailer", "1")], end_stream=True)
        peer.flush()
        assert (await peer.answer(stream)).body == b"abc"
        assert (b"x-trailer", b"1") not in app.scopes[0]["headers"]


async def test_a_slow_caller_slows_the_answer_and_no_other() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        peer.reads = False
        flood = peer.ask("/flood")
        await peer.until(lambda: len(peer.answers[flood].body) == 65535)
        # The window of the connection is used up, too.
        other = peer.ask("/")
        await peer.until(lambda: peer.answers[other].status)
        assert app.sent <= 2
        peer.h2.increment_flow_control_window(1_000_000)
        peer.flush()
        assert (await peer.answer(other)).body == b"ok"
        peer.h2.increment_flow_control_window(500_000, flood)
        peer.flush()
        await peer.until(lambda: len(peer.answers[flood].body) == 565_535)
        assert app.sent <= 10


async def test_a_caller_that_never_reads_slows_the_answer() -> None:
    async with serving() as (app, connect, _):
        peer = await connect(s4=2**31 - 1)
        peer.h2.increment_flow_control_window(2**31 - 1 - 65535)
        peer.flush()
        peer.ask("/flood")
        seen = -1
        while app.sent != seen or not seen:
            seen = app.sent
            await asyncio.sleep(0.1)
        assert 0 < app.sent < 500


async def test_a_window_that_becomes_negative_and_opens_again() -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        peer.reads = False
        stream = peer.ask("/flood")
        await peer.until(lambda: len(peer.answers[stream].body) == 65535)
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        peer.flush()
        assert (await peer.get("/nothing")).status == 204
        peer.h2.increment_flow_control_window(1_000_000)
        peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100_000})
        peer.flush()
        await peer.until(lambda: len(peer.answers[stream].body) == 100_000)


async def test_a_body_comes_no_faster_than_it_is_read() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.ask("/unread", b"", more=True)
        body = b"x" * 2_000_000
        # An answer to another request says that the settings have been read.
        await peer.get("/")
        sent = peer.send(stream, body)
        assert sent == 512 * 1024
        assert (await peer.get("/")).status == 200
        assert peer.h2.local_flow_control_window(stream) == 0
        app.go.set()
        await peer.upload(stream, body[sent:])
        assert (await peer.answer(stream)).body == body


async def test_what_is_not_read_keeps_no_other_waiting() -> None:
    """Bodies that were given up, and those that nobody reads, leave the connection's window to others."""
    async with serving() as (_, connect, _):
        peer = await connect()
        await peer.get("/")
        body = b"x" * 512 * 1024
        for _ in range(150):
            stream = peer.ask("/unread", body, more=True)
            peer.h2.reset_stream(stream, ErrorCodes.CANCEL)
            peer.flush()
            await peer.writer.drain()
        stuck = [peer.ask("/unread", body, more=True) for _ in range(20)]
        assert all(peer.h2.local_flow_control_window(stream) == 0 for stream in stuck)
        stream = peer.ask("/", b"", more=True)
        await peer.upload(stream, body)
        assert (await peer.answer(stream)).body == body


async def test_a_caller_that_resets_a_stream_has_left() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.ask("/wait")
        assert (await peer.get("/")).status == 200
        peer.h2.reset_stream(stream, ErrorCodes.CANCEL)
        peer.flush()
        await asyncio.wait_for(app.left.wait(), PATIENCE)
        assert (await peer.get("/")).status == 200


@pytest.mark.parametrize("more", [True, False])
async def test_a_caller_that_leaves_is_noticed(more: bool) -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        peer.ask("/wait", b"half", more=more)
        await until_async(lambda: app.scopes)
        peer.writer.close()
        await asyncio.wait_for(app.left.wait(), PATIENCE)


async def test_more_streams_than_allowed_are_refused_alone() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        # Before the settings that tell the limit have been read.
        streams = [peer.ask("/unread") for _ in range(200)]
        await peer.until(lambda: sum(answer.reset is not None for answer in peer.answers.values()) == 72)
        assert [peer.answers[stream].reset for stream in streams] == [None] * 128 + [ErrorCodes.REFUSED_STREAM] * 72
        app.go.set()
        assert all([(await peer.answer(stream)).body == b"ok" for stream in streams[:128]])
        assert (await peer.get("/")).status == 200


async def test_an_early_answer_reaches_a_caller_that_still_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.ask("/early", b"", more=True)
        await peer.upload(stream, b"x" * 3_000_000)
        answer = await peer.answer(stream)
        assert (answer.status, answer.body, answer.reset) == (200, b"no", None)
        monkeypatch.setattr("deeepai.http2.MOST_LINGERED", 1_000_000)
        stream = peer.ask("/early", b"", more=True)
        await peer.upload(stream, b"x" * 3_000_000)
        await peer.until(lambda: peer.answers[stream].reset is not None)
        answer = peer.answers[stream]
        assert (answer.body, answer.ended, answer.reset) == (b"no", True, ErrorCodes.NO_ERROR)
        assert (await peer.get("/")).status == 200
        assert app.bodies == [b""]


def _ping(_: int) -> list[Frame]:
    return [PingFrame(0, opaque_data=b"12345678")]


def _settings(number: int) -> list[Frame]:
    return [SettingsFrame(0, settings={SettingCodes.HEADER_TABLE_SIZE: number})]


def _empty(_: int) -> list[Frame]:
    return [DataFrame(1)]


def _priority(number: int) -> list[Frame]:
    return [PriorityFrame(2 * number + 1001, stream_weight=1)]


def _unknown(_: int) -> list[Frame]:
    return [ExtensionFrame(type=0xBE, stream_id=0, body=b"")]


def _window(_: int) -> list[Frame]:
    return [WindowUpdateFrame(0, window_increment=1)]


def _closed(_: int) -> list[Frame]:
    return [RstStreamFrame(3)]


FLOODS = [_ping, _settings, _empty, _priority, _unknown, _window, _closed]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
async def test_who_sends_what_brings_nothing_is_told_to_calm_down(
    flood: Callable[[int], list[Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeepai.http2._NEEDLESS_A_SECOND", 0)
    async with serving() as (app, connect, _):
        other = await connect()
        peer = await connect()
        peer.ask("/wait", b"", more=True)
        await peer.get("/")
        for number in range(900):
            for frame in flood(number):
                peer.raw(frame.serialize())
        assert (await peer.get("/")).status == 200
        for number in range(900, 1200):
            for frame in flood(number):
                peer.raw(frame.serialize())
        await peer.end()
        assert peer.goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        await asyncio.wait_for(app.left.wait(), PATIENCE)
        assert (await other.get("/")).status == 200


async def test_requests_that_are_reset_at_once_do_not_go_on_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeepai.http2._NEEDLESS_A_SECOND", 0)
    async with serving() as (app, connect, _):
        other = await connect()
        peer = await connect()
        for _ in range(3000):
            stream = peer.ask("/unread")
            peer.h2.reset_stream(stream, ErrorCodes.CANCEL)
            peer.flush()
        await peer.end()
        assert peer.goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        assert len(app.scopes) < 1500
        assert (await other.get("/")).status == 200


async def test_who_asks_much_and_reads_it_may_go_on() -> None:
    async with serving() as (_, connect, _):
        peer = await connect()
        for _ in range(60):
            streams = [peer.ask("/stream", b"x", priority="u=1") for _ in range(50)]
            for stream in streams:
                assert (await peer.answer(stream)).body == b"onethree"
                # As naive callers give each piece back.
                peer.raw(WindowUpdateFrame(0, window_increment=4).serialize())
        assert peer.goodbye is None


async def test_a_caller_that_never_reads_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeepai.http2._MOST_UNSENT", 100_000)
    async with serving() as (app, _, _):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect(app.servers[0].servers[0].sockets[0].getsockname())
        peer = Peer(*await asyncio.open_connection(sock=narrow))
        peer.begin()

        async def ask_on() -> None:
            while True:
                peer.ask("/long-head", method="HEAD")
                peer.h2.streams.clear()
                await peer.writer.drain()
                await asyncio.sleep(0)

        with pytest.raises(ConnectionError):
            await ask_on()


async def test_a_stop_lets_answers_end() -> None:
    async with serving() as (app, connect, _):
        idle, peer = await connect(), await connect()
        stream = peer.ask("/head-first")
        assert (await idle.get("/")).status == 200
        await peer.until(lambda: peer.answers[stream].status)
        server = app.servers[0]
        server.should_exit = True
        await idle.end()
        assert idle.goodbye == ErrorCodes.NO_ERROR
        await peer.until(lambda: peer.goodbye is not None)
        refused = peer.ask("/")
        assert (await peer.answer(refused)).reset == ErrorCodes.REFUSED_STREAM
        app.go.set()
        assert (await peer.answer(stream)).body == b"late"
        await peer.end()
        assert peer.goodbye == ErrorCodes.NO_ERROR


async def test_a_caller_that_says_goodbye_still_gets_its_answers() -> None:
    async with serving() as (app, connect, _):
        peer = await connect()
        stream = peer.ask("/head-first")
        await peer.until(lambda: peer.answers[stream].status)
        peer.h2.close_connection()
        peer.flush()
        peer.h2.state_machine.state = type(peer.h2.state_machine.state).CLIENT_OPEN
        peer.h2.ping(b"12345678")
        peer.flush()
        app.go.set()
        assert (await peer.answer(stream)).body == b"late"
        await peer.end()


async def test_what_stops_arriving_is_given_up() -> None:
    async with serving(Guard(Settings(head_limit=0.1))) as (app, connect, _):
        peer = await connect()
        waits = peer.ask("/head-first")
        stalled = peer.ask("/", b"half", more=True)
        assert (await peer.answer(stalled)).reset == ErrorCodes.CANCEL
        early = peer.ask("/early", b"half", more=True)
        await peer.until(lambda: peer.answers[early].reset is not None)
        assert (peer.answers[early].body, peer.answers[early].reset) == (b"no", ErrorCodes.NO_ERROR)
        app.go.set()
        assert (await peer.answer(waits)).body == b"late"


async def test_an_idle_connection_ends() -> None:
    async with serving(Guard(Settings(head_limit=0.1)), timeout_keep_alive=0) as (_, connect, _):
        peer = await connect()
        await peer.end()
        assert peer.goodbye == ErrorCodes.NO_ERROR
