"""Bodies that come in pieces: they leave as they come, at the upstream's pace, and never twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from deeepai.accounts.models import Limits
from deeepai.upstream import Client, MaybeSent, NotSent, Pieces, Stalled
from tests.support.until import PATIENCE
from tests.upstream.test_client import QUICK, Upstream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BLOCK = b"x" * 65536


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


class Noting(Upstream):
    """Keeps the bytes of requests as they came."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.hold = asyncio.Event()
        self.hold.set()
        self.early: bytes = b""
        self.closed = asyncio.Event()
        super().__init__(self._never)

    async def _never(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.hold.wait()
                self.raw += data
                if self.early:
                    writer.write(self.early)
                    await writer.drain()
                    self.early = b""
                elif self.raw.endswith(b"END") or self.raw.endswith(b"END\r\n0\r\n\r\n"):
                    writer.write(OK)
        self.closed.set()
        writer.close()


async def blocks(count: int, taken: list[int] | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield BLOCK
    yield b"END"


async def sent(client: Client, url: str, length: int | None, data: AsyncIterator[bytes], limits: Limits = QUICK) -> int:
    response = await client.send("POST", url, {"content-type": "a/b"}, Pieces(length, data), limits)
    await response.read(1 << 20)
    response.release()
    return response.status


@pytest.mark.parametrize("known", [True, False])
async def test_pieces_arrive_whole(client: Client, known: bool) -> None:
    size = 40 * len(BLOCK) + 3
    async with Noting() as upstream:
        assert await sent(client, upstream.url, size if known else None, blocks(40)) == 200
    head, _, body = bytes(upstream.raw).partition(b"\r\n\r\n")
    if known:
        assert f"content-length: {size}".encode() in head
        assert body == BLOCK * 40 + b"END"
    else:
        assert b"transfer-encoding: chunked" in head
        assert body == (b"10000\r\n" + BLOCK + b"\r\n") * 40 + b"3\r\nEND\r\n0\r\n\r\n"


async def test_the_connection_is_used_again(client: Client) -> None:
    async with Noting() as upstream:
        await sent(client, upstream.url, 3, blocks(0))
        response = await client.send("POST", upstream.url, {}, b"END", QUICK)
        assert await response.read(10) == b"ok"
        response.release()
        assert upstream.connections == 1


async def test_a_slow_upstream_holds_the_pieces_back(client: Client) -> None:
    taken: list[int] = []
    async with Noting() as upstream:
        upstream.hold.clear()
        sending = asyncio.ensure_future(
            sent(client, upstream.url, None, blocks(2000, taken), Limits(first_byte=PATIENCE))
        )
        before = -1
        while len(taken) != before or not taken:
            before = len(taken)
            await asyncio.sleep(0.1)
        assert len(taken) < 500
        upstream.hold.set()
        assert await sending == 200
        assert len(taken) == 2000


async def test_an_upstream_that_takes_nothing_is_a_stall(client: Client) -> None:
    async with Noting() as upstream:
        upstream.hold.clear()
        with pytest.raises(Stalled):
            await sent(client, upstream.url, None, blocks(2000), Limits(first_byte=0.3, between=0.5))
        upstream.hold.set()


async def test_a_slow_caller_is_no_stall(client: Client) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield BLOCK
            await asyncio.sleep(0.4)
        yield b"END"

    async with Noting() as upstream:
        limits = Limits(first_byte=1, between=1.5)
        assert await sent(client, upstream.url, None, slow(), limits) == 200


async def test_no_answer_after_the_end_is_a_stall(client: Client) -> None:
    async def unended() -> AsyncIterator[bytes]:
        yield b"something else"

    async with Noting() as upstream:
        with pytest.raises(Stalled):
            await sent(client, upstream.url, None, unended(), Limits(first_byte=0.3))


@pytest.mark.parametrize("fault", [ValueError("cut"), ConnectionResetError()])
async def test_what_cuts_the_pieces_cuts_the_request(client: Client, fault: Exception) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BLOCK
        raise fault

    async with Noting() as upstream:
        with pytest.raises(type(fault)):
            await sent(client, upstream.url, 10 * len(BLOCK), broken())
        await asyncio.wait_for(upstream.closed.wait(), PATIENCE)


async def test_an_answer_before_the_end_stops_the_pieces(client: Client) -> None:
    taken: list[int] = []
    endless = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        taken.append(1)
        yield BLOCK
        await endless.wait()
        yield b"END"

    async with Noting() as upstream:
        upstream.early = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"
        assert await sent(client, upstream.url, None, waiting()) == 413
        await asyncio.wait_for(upstream.closed.wait(), PATIENCE)
    assert taken == [1]


async def test_a_lost_connection_may_have_sent_and_a_refused_one_has_not(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with Upstream(serve) as upstream:
        with pytest.raises(MaybeSent):
            await sent(client, upstream.url, None, blocks(100))
    taken: list[int] = []
    with pytest.raises(NotSent):
        await sent(client, upstream.url, None, blocks(1, taken))
    assert taken == []
