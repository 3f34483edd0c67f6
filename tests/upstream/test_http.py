"""The way out, as a client of HTTP/1.1: framing, persistence, and what must never reach an upstream."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deeepai.accounts.models import Limits
from deeepai.upstream import Client, Cut, MaybeSent, NotSent, Stalled
from tests.support import certificates
from tests.upstream.test_client import QUICK, Upstream, post


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


def says(*answers: bytes) -> Upstream:
    """Return an upstream that gives these answers in turn, the last for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[min(upstream.requests, len(answers)) - 1])
        if b"connection: close" in answers[min(upstream.requests, len(answers)) - 1]:
            await writer.drain()
            writer.close()

    upstream = Upstream(serve)
    return upstream


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        (OK, b"ok", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n",
            b"ok",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, b"ok", True),
        (OK + b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", b"ok", False),
        (OK + b"garbage", b"ok", False),
    ],
)
async def test_an_answer_ends_where_its_head_says(client: Client, answer: bytes, body: bytes, kept: bool) -> None:
    async with says(answer, OK) as upstream:
        assert await post(client, upstream.url) == body
        await asyncio.sleep(0)
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == (1 if kept else 2)


async def test_header_names_are_read_in_lower_case(client: Client) -> None:
    async with says(b"HTTP/1.1 200 OK\r\nX-Request-ID: 1\r\nContent-Length: 0\r\n\r\n") as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        assert response.headers == {"x-request-id": "1", "content-length": "0"}
        response.release()


async def test_the_answer_to_head_has_no_body(client: Client) -> None:
    async with says(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n") as upstream:
        answer = await client.ask("HEAD", upstream.url, {}, None, QUICK)
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_sound_head_is_no_answer(client: Client, answer: bytes) -> None:
    async with says(answer) as upstream:
        with pytest.raises(MaybeSent):
            await post(client, upstream.url)


async def test_a_chunk_that_is_none_cuts_the_answer(client: Client) -> None:
    async with says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n") as upstream:
        with pytest.raises(Cut):
            await post(client, upstream.url)


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "a\nb", "a\rb", "a\0b"])
async def test_a_header_cannot_carry_another(client: Client, value: str) -> None:
    async with says(OK) as upstream:
        with pytest.raises(NotSent):
            await client.send("POST", upstream.url, {"authorization": value}, b"{}", QUICK)
        assert upstream.connections == 0


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/v1/a b\r\nx: y", b"POST /v1/a%20bx:%20y HTTP/1.1"),
        ("/ü?q=é&r=%41", b"POST /%C3%BC?q=%C3%A9&r=%41 HTTP/1.1"),
        ("/a#part", b"POST /a HTTP/1.1"),
        ("", b"POST / HTTP/1.1"),
    ],
)
async def test_the_request_line_is_one_line(client: Client, path: str, line: bytes) -> None:
    seen: list[bytes] = []

    class Noting(Upstream):
        @staticmethod
        async def request(reader: asyncio.StreamReader) -> bool:
            seen.append(await reader.readuntil(b"\r\n"))
            return await Upstream.request(reader)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with Noting(serve) as upstream:
        base = upstream.url.removesuffix("/v1/x")
        await post(client, base + path)
    assert seen == [line + b"\r\n"]


async def test_a_long_upload_is_no_stall_while_it_moves(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    class Slow(Upstream):
        @staticmethod
        async def request(reader: asyncio.StreamReader) -> bool:
            head = await reader.readuntil(b"\r\n\r\n")
            left = int(head.lower().partition(b"content-length: ")[2].split()[0])
            while left:
                left -= len(await reader.read(1 << 20))
                # All of it takes longer than the limit; what the kernel still holds when we have sent all does not.
                await asyncio.sleep(0.01 if left > 12 << 20 else 0)
            return True

    async with Slow(serve) as upstream:
        body = bytes(32 << 20)
        response = await client.send("POST", upstream.url, {}, body, Limits(first_byte=1))
        assert await response.read(10) == b"ok"
        response.abort()


async def test_an_upload_that_nobody_takes_is_a_stall(client: Client) -> None:
    class Deaf(Upstream):
        @staticmethod
        async def request(reader: asyncio.StreamReader) -> bool:
            await asyncio.sleep(5)
            return False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async with Deaf(serve) as upstream:
        with pytest.raises(Stalled):
            await client.send("POST", upstream.url, {}, bytes(64 << 20), Limits(first_byte=0.2))


async def test_a_slow_reader_makes_the_upstream_wait(client: Client) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
            sent += 1

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", Limits(between=1))
        seen = -1
        while sent != seen:
            seen = sent
            await asyncio.sleep(1.1)  # longer than the limit, which does not count while we are the slow side
        assert sent < 40
        assert len(await response.read(64 << 20)) == 64 << 20
        response.release()


async def test_what_is_left_of_an_answer_is_dropped_and_its_connection_kept(client: Client) -> None:
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upstream.requests == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
            await go.wait()
            writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        else:
            writer.write(OK)

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        assert await response.next() == b"one"
        response.release()
        go.set()
        while not any(client._idle.values()):
            await asyncio.sleep(0.005)
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 1


async def test_an_answer_too_many_after_a_dropped_one_is_not_taken_for_the_next(client: Client) -> None:
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upstream.requests == 1:
            writer.write(CHUNKED + b"3\r\none\r\n")
            await go.wait()
            writer.write(b"0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nb")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"ad")
        else:
            writer.write(OK)

    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        assert await response.next() == b"one"
        connection = response._connection
        response.release()
        go.set()
        while not connection.closed:
            await asyncio.sleep(0.005)
        assert await post(client, upstream.url) == b"ok"


async def test_pieces_go_where_they_are_diverted_to(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await writer.drain()
        await go.wait()
        writer.write(b"1\r\na\r\n1\r\nB\r\n1\r\nc\r\n0\r\n\r\n")

    go, taken = asyncio.Event(), []
    async with Upstream(serve) as upstream:
        response = await client.send("POST", upstream.url, {}, b"{}", QUICK)
        response.divert(lambda piece: piece.islower() and taken.append(piece) is None)
        go.set()
        # What was not taken keeps its place: nothing that follows overtakes it.
        assert await response.next() == b"Bc"
        assert await response.next() == b""
        assert taken == [b"a"]
        response.release()


async def test_an_idle_connection_is_kept_as_long_as_its_upstream_says(client: Client) -> None:
    async with says(b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=3\r\ncontent-length: 2\r\n\r\nok") as upstream:
        assert await post(client, upstream.url) == b"ok"
        (connection,) = next(iter(client._idle.values()))
        connection.idle_since -= 1.5
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 1
        connection.idle_since -= 2.5
        assert await post(client, upstream.url) == b"ok"
        assert upstream.connections == 2
        for kept in client._idle.values():
            kept[0].idle_since -= 60
        client._sweep()
        assert client._idle == {}


async def test_a_goodbye_that_was_not_read_yet_is_noticed(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async with Upstream(serve) as upstream:
        assert await post(client, upstream.url) == b"ok"
        (connection,) = next(iter(client._idle.values()))
        connection.idle_since -= 2
        assert connection.usable
        transport = connection._transport
        assert transport is not None
        transport.pause_reading()  # so that the loop does not read what the kernel has
        for each in list(asyncio.all_tasks()):
            if each is not asyncio.current_task():
                each.cancel()
        while connection.usable:
            await asyncio.sleep(0.005)


# TLS ----------------------------------------------------------------------------------------------------------------


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a server's context with a certificate for localhost, and the file that vouches for it."""
    key, made = certificates.certificate("localhost")
    (folder / "cert.pem").write_bytes(made)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


async def test_tls_is_spoken_with_those_who_can_prove_their_name(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, vouching = certificate(tmp_path)
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await Upstream.request(reader):
            requests += 1
            writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NotSent):
        await post(client, f"https://localhost:{port}/")
    monkeypatch.setenv("SSL_CERT_FILE", str(vouching))
    trusting = Client()
    assert await post(trusting, f"https://localhost:{port}/") == b"ok"
    assert await post(trusting, f"https://localhost:{port}/") == b"ok"
    with pytest.raises(NotSent):
        await post(trusting, f"https://127.0.0.1:{port}/")
    assert requests == 2
    await trusting.close()
    server.close()
