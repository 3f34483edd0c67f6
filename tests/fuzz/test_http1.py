"""Requests by chance: each gets one answer at most, the same however it was split, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.splitting import CUTS, SETTINGS, split, spoiled
from tests.server.test_http1 import served
from tests.support.played import LOOPS, Played, on_loop
from tests.support.until import PATIENCE

BODIES = st.one_of(st.just(b""), st.binary(max_size=30), st.integers(0, 100_000).map(lambda size: b"x" * size))
PATHS = st.sampled_from([b"/", b"/nothing", b"/a%20b?c=d", b"*", b"http://h/x"])
METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS"])
HEADERS = st.sampled_from(
    [
        b"",
        b"",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: h2c\r\nConnection: upgrade\r\n",
        b"Host: other\r\n",
        b"x: " + b"y" * 3000 + b"\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\n",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    head = draw(METHODS) + b" " + draw(PATHS) + b" HTTP/1." + draw(st.sampled_from([b"1", b"1", b"1", b"0"]))
    head += b"\r\nHost: h\r\n" + draw(HEADERS)
    if not draw(st.booleans()):
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    size = draw(st.integers(1, 5000))
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    more = draw(st.sampled_from([b"", b";a=b", b";" + b"e" * 200]))
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), more, chunk) for chunk in chunks)
    return (
        head
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + framed
        + b"0\r\n"
        + draw(st.sampled_from([b"", b"t: u\r\n"]))
        + b"\r\n"
    )


ODD = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\xff", b"0", b"fffffffff", b";", b"HTTP/2.0", b"x" * 3000]
)
STREAMS = st.lists(spoiled(requests(), ODD), min_size=1, max_size=4).map(b"".join)


class Server(Played):
    async def start(self, stack: AsyncExitStack) -> None:
        serving = served(None, timeout_graceful_shutdown=1, date_header=False, timeout_keep_alive=1000)
        self.app, self.connect = await stack.enter_async_context(serving)
        self.well = await self.connect()

    def play(self, pieces: list[bytes]) -> tuple[bytes, list[bytes]] | None:
        return self.run(self._play(pieces))

    async def _play(self, pieces: list[bytes]) -> tuple[bytes, list[bytes]] | None:
        """Return all that was answered, and the bodies that the application saw; None where that was reset."""
        self.app.bodies.clear()
        caller = await self.connect()
        transport, answered = caller.writer.transport, b""
        try:
            for piece in pieces:
                if transport.is_closing():
                    return None
                caller.send(piece)
                await asyncio.sleep(0)
            # What is incomplete is answered by nothing: all has come when others were served, and nothing came.
            quiet = 0
            while quiet < 8 and not caller.reader.at_eof():
                await self._serve_well()
                more = await caller.reader.read(1 << 20) if caller.reader._buffer else b""  # type: ignore[attr-defined]
                answered += more
                quiet = 0 if more else quiet + 1
        except ConnectionError:
            return None
        finally:
            transport.abort()
            await self._serve_well()
            assert self.faults == []
        if caller.reader.exception() is not None:
            return None
        return answered.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""), list(self.app.bodies)

    async def _serve_well(self) -> None:
        bodies = len(self.app.bodies)
        self.well.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwell")
        assert await asyncio.wait_for(self.well.get(), PATIENCE) == (200, b"well")
        self.app.bodies[:] = [body for at, body in enumerate(self.app.bodies) if at < bodies or body != b"well"]


@pytest.fixture(scope="module", params=LOOPS.values(), ids=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from on_loop(Server, request.param)


@SETTINGS
@given(data=STREAMS, cuts=CUTS)
def test_requests_by_chance_get_one_answer_each_however_they_are_split(
    server: Server, data: bytes, cuts: list[int]
) -> None:
    pieces = split(data, cuts if len(data) < 2000 else [max(cut, 500) for cut in cuts])
    whole, parted = server.play([data]), server.play(pieces)
    if whole is not None:
        assert whole[0].count(b"HTTP/1.1 ") <= data.count(b"HTTP/") + 1
        if parted is not None:
            assert parted == whole
