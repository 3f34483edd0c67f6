"""Frames by chance, and none that is one: they hurt nobody but their own connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.http2 import PREFACE
from tests.server.test_http2 import serving
from tests.support.played import LOOPS, Played, on_loop
from tests.support.until import PATIENCE

PATHS = ("/", "/early", "/stream", "/flood", "/wait", "/half", "/pushed")
HEADS = [
    hpack.Encoder().encode(
        [
            (":method", method),
            (":scheme", "http"),
            (":authority", "h"),
            (":path", path),
            ("content-length", length),
        ]
    )
    for method, path, length in (("GET", "/", "0"), ("POST", "/early", "5"), *(("POST", path, "3") for path in PATHS))
]
# Flags: end of the stream, end of the head, padded, with a priority; also acknowledgements.
FLAGS = st.sampled_from([0, 1, 4, 5, 8, 9, 0x20, 0x25, 0xFF])
STREAMS = st.sampled_from([0, 1, 1, 1, 2, 3, 3, 5, 7, 2**31 - 1])
NUMBERS = st.sampled_from([0, 1, 2, 5, 16384, 65535, 2**31 - 1, 2**32 - 1])
SETTING = st.tuples(st.integers(0, 9), NUMBERS).map(lambda it: it[0].to_bytes(2, "big") + it[1].to_bytes(4, "big"))
PAYLOADS = st.one_of(
    st.sampled_from(HEADS),
    st.sampled_from(HEADS).map(lambda head: b"\0\0\0\0\x10" + head),
    st.lists(SETTING, max_size=4).map(b"".join),
    NUMBERS.map(lambda number: number.to_bytes(4, "big")),
    st.tuples(NUMBERS, NUMBERS).map(lambda pair: b"".join(number.to_bytes(4, "big") for number in pair)),
    st.binary(max_size=40),
    st.sampled_from([b"", b"abc", b"\0" * 5, b"x" * 16384]),
)


def framed(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def good(number: int, head: bytes, body: bytes) -> bytes:
    return framed(1, 4, 2 * number + 1, head) + framed(0, 1, 2 * number + 1, body)


FRAMES = st.one_of(
    st.builds(framed, st.integers(0, 12), FLAGS, STREAMS, PAYLOADS),
    st.builds(framed, st.just(1), st.sampled_from([4, 5]), st.sampled_from([1, 3, 5, 7]), st.sampled_from(HEADS)),
    st.builds(good, st.integers(0, 5), st.sampled_from(HEADS), st.sampled_from([b"", b"abc", b"12345"])),
    st.binary(max_size=30),
)


class Server(Played):
    async def start(self, stack: AsyncExitStack) -> None:
        self.app, peer, self.connect = await stack.enter_async_context(serving(timeout_graceful_shutdown=1))
        self.well = await peer()

    def play(self, pieces: list[bytes]) -> None:
        self.run(self._play(pieces))

    async def _play(self, pieces: list[bytes]) -> None:
        caller = await self.connect()
        caller.send(PREFACE + framed(4, 0, 0, b""))
        for piece in pieces:
            caller.send(piece)
            await asyncio.sleep(0)
        if not caller.writer.transport.is_closing():
            # Who has said goodbye, and sends on, may find nobody there any more.
            with suppress(OSError):
                caller.writer.write_eof()
        try:
            # What is answered is read, so that nothing is lost; the caller then leaves, and the server sees it.
            async with asyncio.timeout(PATIENCE):
                while await caller.reader.read(65536):
                    pass
        except ConnectionError:
            pass
        caller.writer.close()
        answer = await self.well.get("/", b"well")
        assert (answer.status, answer.body) == (200, b"well")
        assert self.faults == []


@pytest.fixture(scope="module", params=LOOPS.values(), ids=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from on_loop(Server, request.param)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(FRAMES, max_size=12))
def test_frames_by_chance_hurt_no_other_connection(server: Server, pieces: list[bytes]) -> None:
    server.play(pieces)
