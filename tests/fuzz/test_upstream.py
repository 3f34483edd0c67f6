"""Answers by chance: whole or a failure, the same however they were split, and never a fault of our own."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deeepai.upstream import UpstreamError
from deeepai.upstream.connection import Connection
from tests.fuzz.splitting import CUTS, SETTINGS, split, spoiled

BODIES = st.one_of(st.binary(max_size=30), st.integers(0, 100_000).map(lambda size: b"x" * size))
HEADERS = st.sampled_from(
    [b"", b"", b"connection: close\r\n", b"x: " + b"y" * 3000 + b"\r\n", b"content-length: 2\r\n", b"upgrade: x\r\n"]
)
BEFORE = st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\n"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    head = draw(BEFORE) + b"HTTP/1.%d %d Said\r\n" % (
        draw(st.integers(0, 1)),
        draw(st.sampled_from([200, 204, 304, 404, 500])),
    )
    head += draw(HEADERS)
    way = draw(st.integers(0, 2))
    if way == 0:
        return head + b"content-length: %d\r\n\r\n" % len(body) + body
    if way == 1:
        return head + b"\r\n" + body
    framed = b"%x;e=f\r\n%b\r\n" % (len(body), body) if body else b""
    return head + b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


ODD = st.sampled_from(
    [b"\r\n", b"\n", b"\0", b" ", b":", b"0", b"fffffffff", b";", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 3000]
)
STREAMS = st.lists(spoiled(answers(), ODD), min_size=1, max_size=2).map(b"".join)


class Wire(asyncio.Transport):
    """A transport that sends to nobody, and closes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None:
        """Send."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """Wait: this reader does not."""

    def resume_reading(self) -> None:
        """Go on."""


async def asked(pieces: list[bytes]) -> tuple[Any, ...]:
    """Return what a caller sees of an answer that comes so, and whether the connection would serve another."""
    idle: list[Connection] = []
    connection = Connection(idle.append, lambda _: None, lambda _: None)
    wire = Wire()
    connection.connection_made(wire)
    asking = asyncio.ensure_future(connection.exchange("GET", b"", None, 1000))
    await asyncio.sleep(0)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
    connection.connection_lost(None)
    try:
        await asking
        body = b""
        while data := await connection.take():
            body += data
    except UpstreamError as fault:
        return (type(fault).__name__,)
    connection.release()
    return connection.status, body, connection.headers.get("x"), bool(idle)


@SETTINGS
@given(data=STREAMS, cuts=CUTS)
def test_answers_by_chance_are_read_alike_however_they_are_split(data: bytes, cuts: list[int]) -> None:
    async def play() -> None:
        whole = await asked([data])
        pieces = await asked(split(data, cuts if len(data) < 5000 else [max(cut, 500) for cut in cuts]))
        # A body that counts as cut may have failed at its head, if that came with it.
        assert whole == pieces or {whole[0], pieces[0]} <= {"Cut", "MaybeSent"}

    asyncio.run(play())
