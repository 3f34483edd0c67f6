"""Connections to upstreams: what an upstream sends counts to some limit, and reaches nobody but who asked for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from deeepai.upstream import Client, Cut, MaybeSent, Pieces
from tests.support.until import until_async
from tests.upstream.test_client import QUICK, Upstream, post

MUCH = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nx:", b" "),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 ", b"a"),
        (b"", b"\r\n"),
        (b"", b"HTTP/1.1 103 Hints\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n"),
        (CHUNKED, b"0"),
        (CHUNKED + b"1;", b"a"),
        (CHUNKED, b"1;" + b"a" * 500 + b"\r\nx\r\n"),
        (CHUNKED + b"0\r\nx: ", b"a"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
    ],
    ids=str,
)
async def test_what_brings_nothing_ends_at_the_limit(client: Client, start: bytes, more: bytes) -> None:
    sent = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(start)
        piece = more * (16384 // len(more))
        while sent < 64 * MUCH:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async with Upstream(serve) as upstream:
        with pytest.raises((Cut, MaybeSent)):
            await post(client, upstream.url)
        assert sent < 64 * MUCH


async def test_an_answer_in_many_small_pieces_is_nothing_unusual(client: Client) -> None:
    signed = b"2000;x=" + b"a" * 64 + b"\r\n" + b"y" * 0x2000 + b"\r\n"
    for chunk in (b"1\r\nx\r\n" * 200_000, signed * 100):

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter, chunk: bytes = chunk) -> None:
            writer.write(CHUNKED + chunk + b"0\r\n\r\n")
            await writer.drain()

        async with Upstream(serve) as upstream:
            assert set(await post(client, upstream.url)) <= set(b"xy")


# A response lets go -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def two_at_once(client: Client) -> AsyncIterator[tuple[asyncio.Event, str]]:
    go = asyncio.Event()
    first = True

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        if not first:
            await go.wait()
        first = False
        writer.write(OK)

    async with Upstream(serve) as upstream:
        yield go, upstream.url
        assert upstream.connections == 1


@pytest.mark.parametrize("late", ["abort", "release", "divert", "next", "read"])
async def test_what_is_done_after_release_touches_no_other(client: Client, late: str) -> None:
    async with two_at_once(client) as (go, url):
        mine = await client.send("GET", url, {}, None, QUICK)
        assert await mine.read(100) == b"ok"
        mine.release()
        other = asyncio.create_task(post(client, url))
        await asyncio.sleep(0)
        if late == "divert":
            mine.divert(lambda _: True)
        elif late in ("next", "read"):
            with pytest.raises(Cut):
                await (mine.next() if late == "next" else mine.read(100))
        else:
            getattr(mine, late)()
        go.set()
        assert await other == b"ok"


async def test_who_still_waits_when_it_is_released_gets_nothing_of_the_next(client: Client) -> None:
    go = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:-2])
        await go.wait()
        writer.write(OK[-2:])

    async with Upstream(serve) as upstream:
        mine = await client.send("GET", upstream.url, {}, None, QUICK)
        waits = asyncio.ensure_future(mine.next())
        await asyncio.sleep(0)
        mine.release()
        go.set()
        assert await waits == b""
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 2


async def test_a_request_that_is_given_up_before_its_head_may_have_been_sent(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Upstream(serve) as upstream:
        asking = asyncio.create_task(post(client, upstream.url))
        await until_async(lambda: upstream.requests)
        for connection in list(client._keys):
            connection.abort()
        with pytest.raises(MaybeSent):
            await asking


# What nobody asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stray", [OK, b"junk", b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"])
@pytest.mark.parametrize("late", [False, True])
async def test_what_nobody_asked_for_ends_trust_in_a_host(client: Client, stray: bytes, late: bool) -> None:
    strays = [stray]

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        if strays:
            if late:
                await writer.drain()
                await until_async(lambda: client.of("a")._idle)
            writer.write(strays.pop())

    async with Upstream(serve) as upstream:
        assert await post(client.of("a"), upstream.url) == b"ok"
        await until_async(lambda: client.unasked)
        for channel in ("a", "b", "a", "b"):
            before = upstream.connections
            assert await post(client.of(channel), upstream.url) == b"ok"
            assert upstream.connections == before + 1
        assert list(client.unasked.values()) == [1]


async def test_a_stray_that_lies_unread_is_seen_before_the_next_request(client: Client) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(OK)

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        # Straight into the kernel; this loop does not turn before the next request is on its way.
        os.write(writers[0].transport.get_extra_info("socket").fileno(), OK.replace(b"ok", b"no"))
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 2
        await until_async(lambda: client.unasked)


async def test_a_goodbye_is_no_stray(client: Client) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await until_async(lambda: client._idle)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")
        writer.close()

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        await until_async(lambda: not client._keys)
        assert client.unasked == {}


def large(in_pieces: bool) -> bytes | Pieces:
    if not in_pieces:
        return b"x" * (16 * MUCH)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(16 * 16):
            yield b"x" * 65536

    return Pieces(16 * MUCH, pieces())


@asynccontextmanager
async def early(answer: bytes) -> AsyncIterator[str]:
    """Answer as soon as a head has come."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            await asyncio.sleep(3600)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_an_answer_before_its_request_has_left_is_none(client: Client, in_pieces: bool) -> None:
    async with early(OK) as url:
        with pytest.raises(MaybeSent, match="before its request had left"):
            await client.send("POST", url, {}, large(in_pieces), QUICK)
        assert list(client.unasked.values()) == [1]


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_refusal_before_its_request_has_left_is_one(client: Client, in_pieces: bool) -> None:
    async with early(OK.replace(b"200 OK", b"401 No")) as url:
        response = await client.send("POST", url, {}, large(in_pieces), QUICK)
        assert (response.status, await response.read(100)) == (401, b"ok")
        response.release()
        assert client.unasked == {}
        assert client._idle == {}


# Channels -----------------------------------------------------------------------------------------------------------


async def test_a_connection_serves_one_channel(client: Client) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with Upstream(serve) as upstream:
        asked: list[Callable[[], Client]] = [lambda: client, lambda: client.of("a"), lambda: client.of("b")]
        for _ in range(3):
            for which in asked:
                assert await post(which(), upstream.url) == b"ok"
        assert upstream.connections == 3
        await client.close()
        assert not client.of("a")._keys
