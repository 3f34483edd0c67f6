"""More of the way out: time limits in their places, compression, and connections kept alive."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from deeepai.accounts.models import Limits
from deeepai.upstream import Client, Cut, MaybeSent, NotSent, Stalled
from tests.support.until import PATIENCE
from tests.upstream.test_client import QUICK, Upstream, post

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


async def test_the_limit_between_chunks_holds_from_the_head_on(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await reader.read()

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", Limits(first_byte=60, between=0.1))
        with pytest.raises(Stalled) as stalled:
            await response.read(1000)
        assert stalled.value.answered


async def test_the_limit_for_the_first_byte_ends_with_the_head(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await asyncio.wait_for(late.wait(), PATIENCE)
        writer.write(b"2\r\nok\r\n0\r\n\r\n")

    late = asyncio.Event()
    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", Limits(first_byte=1, between=PATIENCE))
        asyncio.get_running_loop().call_later(1.2, late.set)
        assert await response.read(1000) == b"ok"


async def test_each_chunk_has_the_whole_limit(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for _ in range(4):
            await asyncio.sleep(0.3)
            writer.write(b"1\r\nx\r\n")
        writer.write(b"0\r\n\r\n")

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", Limits(between=1))
        assert await response.read(1000) == b"xxxx"


async def test_a_reset_in_mid_body_is_a_cut(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"4\r\nhalf\r\n")
        await writer.drain()
        await taken.wait()
        writer.transport.abort()

    taken = asyncio.Event()
    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        assert await response.next() == b"half"
        taken.set()
        with pytest.raises(Cut):
            await response.next()


@pytest.mark.parametrize("pause", [False, True])
async def test_the_limit_of_an_answer_counts_every_byte(client: Client, pause: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        if pause:
            await writer.drain()
            await headed.wait()
        writer.write(b"x" * 1000)

    headed = asyncio.Event()
    async with Upstream(serve) as upstream:
        for limit in (999, 1000):
            headed.clear()
            response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
            headed.set()
            if limit == 1000:
                assert len(await response.read(limit)) == 1000
            else:
                with pytest.raises(Cut):
                    await response.read(limit)
            response.abort()


async def test_compressed_answers_are_read_plain_and_limited_as_such(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packed = gzip.compress(b"x" * 100_000)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"x" * 100_000
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        with pytest.raises(Cut):
            await response.read(99_999)
        response.abort()


async def test_a_broken_compression_is_a_cut(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\nno gzip")

    async with Upstream(serve) as upstream:
        with pytest.raises((Cut, MaybeSent)):
            await post(client, upstream.url)
        assert upstream.requests == 1


async def test_an_answer_that_is_no_http_may_have_been_sent(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    async with Upstream(serve) as upstream:
        with pytest.raises(MaybeSent):
            await post(client, upstream.url)


@pytest.mark.parametrize("url", ["", "nothing", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
async def test_an_address_that_cannot_be_used_was_not_sent(client: Client, url: str) -> None:
    with pytest.raises(NotSent):
        await post(client, url)


async def test_redirects_are_not_followed(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 Go\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        assert response.status == 307
        assert upstream.requests == 1
        response.abort()


async def test_giving_up_before_the_answer_closes_the_connection(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        assert await reader.read() == b""
        left.set()

    asked, left = asyncio.Event(), asyncio.Event()
    async with Upstream(serve) as upstream:
        sending = asyncio.ensure_future(client.send("POST", upstream.url, {}, b"{}", QUICK))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        sending.cancel()
        await asyncio.wait_for(left.wait(), PATIENCE)


async def test_a_post_on_a_connection_that_dies_under_it_is_not_sent_again(client: Client) -> None:
    """A GET is: it changes nothing. A POST may have been done, so that only its caller may decide."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upstream.requests % 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        else:
            writer.close()

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        with pytest.raises(MaybeSent):
            await post(client, upstream.url)
        assert (upstream.requests, upstream.connections) == (2, 1)


async def test_a_whole_answer_has_a_limit_of_its_own(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        try:
            while not writer.is_closing():
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        finally:
            left.set()

    left = asyncio.Event()
    async with Upstream(serve) as upstream:
        with pytest.raises(Stalled):
            await client.ask("GET", upstream.url, {}, None, Limits(whole=0.2))
        await asyncio.wait_for(left.wait(), PATIENCE)


async def test_no_cookie_of_one_call_goes_out_with_another(client: Client) -> None:
    seen: list[bytes] = []

    class Noting(Upstream):
        @staticmethod
        async def request(reader: asyncio.StreamReader) -> bool:
            try:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                return False
            return True

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\ncontent-length: 2\r\n\r\nok")

    async with Noting(serve) as upstream:
        for _ in range(2):
            await client.ask("GET", upstream.url, {}, None, QUICK)
    assert len(seen) == 2
    assert all(b"cookie" not in head.lower() for head in seen)
