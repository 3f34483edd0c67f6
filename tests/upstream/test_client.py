"""The way out, against raw sockets: each failure is told from the others, for they decide what may be repeated."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from deeepai.accounts.models import Limits
from deeepai.upstream import Client, Cut, MaybeSent, NotSent, Stalled
from tests.support.until import PATIENCE

QUICK = Limits(connect=PATIENCE, first_byte=PATIENCE, between=PATIENCE, whole=PATIENCE)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


class Upstream:
    """A server that speaks bytes, one script for all connections, and counts what it was sent."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0
        self.requests = 0

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1/x"
        return self

    async def __aexit__(self, *args: object) -> None:
        self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self.request(reader):
                self.requests += 1
                await self._serve(reader, writer)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def request(reader: asyncio.StreamReader) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        await reader.readexactly(length)
        return True


async def post(client: Client, url: str, limits: Limits = QUICK) -> bytes:
    response = await client.send("POST", url, {"content-type": "application/json"}, b"{}", limits)
    body = await response.read(1 << 20)
    response.release()
    return body


async def test_a_refused_connection_was_not_sent(client: Client) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NotSent):
        await post(client, f"http://127.0.0.1:{port}/")


async def test_an_unknown_host_was_not_sent(client: Client) -> None:
    with pytest.raises(NotSent):
        await post(client, "http://nobody.invalid/")


async def test_a_connection_that_is_never_accepted_was_not_sent(client: Client) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting: list[socket.socket] = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            waiting.append(filler)
        try:
            with pytest.raises(NotSent):
                await post(client, f"http://127.0.0.1:{full.getsockname()[1]}/", Limits(connect=0.3))
        finally:
            for filler in waiting:
                filler.close()


async def test_a_cut_before_the_answer_may_have_been_sent(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with Upstream(serve) as upstream:
        with pytest.raises(MaybeSent):
            await post(client, upstream.url)
        assert upstream.requests == 1


async def test_a_reset_before_the_answer_may_have_been_sent(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with Upstream(serve) as upstream:
        with pytest.raises(MaybeSent):
            await post(client, upstream.url)
        assert upstream.requests == 1


async def test_no_answer_in_time_is_a_stall(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Upstream(serve) as upstream:
        with pytest.raises(Stalled) as stalled:
            await post(client, upstream.url, Limits(first_byte=0.3))
        assert not stalled.value.answered


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
    ],
)
async def test_an_answer_that_ends_early_is_a_cut(client: Client, start: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        writer.close()

    async with Upstream(serve) as upstream:
        with pytest.raises(Cut):
            await post(client, upstream.url)


async def test_a_pause_between_chunks_is_a_stall(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await reader.read()

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", Limits(between=0.2))
        assert await response.next() == b"half"
        with pytest.raises(Stalled) as stalled:
            await response.next()
        assert stalled.value.answered


async def test_chunks_pass_as_they_come(client: Client) -> None:
    taken = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await taken.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        seen: list[bytes] = []
        while chunk := await response.next():
            seen.append(chunk)
            taken.set()
        assert seen == [b"one", b"two"]


async def test_released_connections_are_used_again_and_aborted_ones_are_closed(client: Client) -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upstream.requests <= 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            return
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        assert await reader.read() == b""
        left.set()

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 1
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        await response.next()
        response.abort()
        await asyncio.wait_for(left.wait(), PATIENCE)


async def test_a_kept_connection_that_was_closed_is_not_sent_upon_twice(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        sent = upstream.requests
        try:
            await post(client, upstream.url)
        except MaybeSent:
            pass
        assert upstream.requests <= sent + 1


async def test_an_answer_over_the_limit_is_a_cut(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2097152\r\n\r\n" + b"x" * 2097152)

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        with pytest.raises(Cut):
            await response.read(1 << 20)
        response.abort()


async def test_whoever_reads_is_told_that_the_answer_was_given_up(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        await reader.read()

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        reading = asyncio.ensure_future(response.read(100))
        await asyncio.sleep(0)
        response.abort()
        with pytest.raises(Cut):
            await reading
