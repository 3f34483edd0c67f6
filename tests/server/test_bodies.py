"""Bodies within limits: the data plane, the control plane and streamed forms read them alike."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import brotli
import msgspec
import pytest

from deeepai import asgi
from deeepai.asgi import Receive
from deeepai.control.api import MAX_BODY, ControlAPI
from deeepai.control.routes import Context
from deeepai.declare import Failure, Reason
from deeepai.gateway.body import Intake, Room, read_body
from tests.gateway.asgi import operation, receive, request, scope

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = MAX_BODY
WHOLE = b'{"name": "nobody", "password": 1}'
"""JSON that each of the readers refuses only once it has read it whole."""

Headers = Mapping[str, str]
Reader = Callable[[Headers, Receive], Awaitable[tuple[int, bytes]]]


class Body(msgspec.Struct):
    name: str
    password: str


async def data_plane(headers: Headers, incoming: Receive) -> tuple[int, bytes]:
    taking = operation(body=Body)
    arrived = request(taking, {"content-type": "application/json", **headers})
    await read_body(arrived, taking, incoming, Intake(LIMIT, Path("/dev/null/spool"), Room(1 << 30, 1.0)))
    return 200, arrived.raw


async def streamed(headers: Headers, incoming: Receive) -> tuple[int, bytes]:
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    pieces = [piece async for piece in asgi.arriving(incoming, raw, LIMIT)]
    assert all(len(piece) <= 256 * 1024 for piece in pieces) or "content-encoding" not in headers
    msgspec.json.decode(b"".join(pieces), type=Body)
    return 200, b"".join(pieces)


async def control_plane(headers: Headers, incoming: Receive) -> tuple[int, bytes]:
    """Sign in: whoever may call it, and nothing is looked up before the body is read."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    application = ControlAPI(cast("Context", None))
    await application(scope("POST", "/api/login", {"content-type": "application/json", **headers}), incoming, send)
    return sent[0]["status"], sent[1]["body"]


def bare_deflate(data: bytes) -> bytes:
    """Pack without zlib's frame, as some do."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def streamed_zstd(data: bytes) -> bytes:
    """Pack without a word of the size, as what is written piece by piece is."""
    packer = zstd.ZstdCompressor()
    return packer.compress(data) + packer.flush()


NOTHING = b"\0" * 60_000_000
READERS: Sequence[Reader] = (data_plane, streamed, control_plane)
each_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)


async def status(reader: Reader, headers: Headers, incoming: Receive) -> int:
    """Return how the reader answers; 422 where all that is wrong is a field."""
    try:
        return (await reader(headers, incoming))[0]
    except Failure as failure:
        return 422 if failure.param == "password" else failure.kind.status
    except msgspec.ValidationError:
        return 422


def padded(size: int) -> bytes:
    return WHOLE + b" " * (size - len(WHOLE))


@each_reader
@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
async def test_a_body_up_to_the_limit_is_read(reader: Reader, size: int) -> None:
    raw = padded(size)
    assert await status(reader, {}, receive([raw[:100], raw[100:]])) == 422
    assert await status(reader, {}, receive([raw])) == 422


@each_reader
@pytest.mark.parametrize("sizes", [[LIMIT + 1], [LIMIT, 1], [1000] * (LIMIT // 1000 + 1)])
async def test_a_body_over_the_limit_is_refused(reader: Reader, sizes: list[int]) -> None:
    assert await status(reader, {}, receive([b" " * size for size in sizes])) == 413


@pytest.mark.parametrize("reader", [data_plane, control_plane], ids=lambda reader: reader.__name__)
async def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read(reader: Reader) -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("it was read")

    assert await status(reader, {"content-length": str(LIMIT + 1)}, never) == 413


@each_reader
@pytest.mark.parametrize("chunks", [(), (b"{",), (b"{", b'"name"')])
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_body_whose_caller_leaves_is_refused(reader: Reader, chunks: tuple[bytes, ...], encoding: str) -> None:
    if encoding:
        chunks = tuple(gzip.compress(chunk, mtime=0) for chunk in chunks[:1])
    incoming = receive(chunks, cut=True)
    if not chunks:
        await incoming()  # the caller leaves before the first byte
    assert await status(reader, {"content-encoding": encoding} if encoding else {}, incoming) == 400


@each_reader
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("Zstd", streamed_zstd),
        ("identity", bytes),
        ("", bytes),
    ],
)
async def test_compressed_bodies_are_read(reader: Reader, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert await status(reader, {"content-encoding": encoding}, receive([pack(WHOLE)])) == 422
    raw = pack(WHOLE)
    assert await status(reader, {"content-encoding": encoding}, receive([raw[:7], raw[7:]])) == 422


@each_reader
@pytest.mark.parametrize(
    ("encoding", "bomb", "unpack"),
    [
        ("gzip", gzip.compress(NOTHING, 1, mtime=0), gzip.decompress),
        ("br", brotli.compress(NOTHING, quality=1), brotli.decompress),
        ("zstd", zstd.compress(NOTHING), zstd.decompress),
    ],
    ids=["gzip", "br", "zstd"],
)
async def test_a_bomb_is_refused_without_being_unpacked(
    reader: Reader, encoding: str, bomb: bytes, unpack: Callable[[bytes], bytes]
) -> None:
    tracemalloc.start()
    try:
        assert await status(reader, {"content-encoding": encoding}, receive([bomb])) == 413
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(unpack(bomb)) > 20 * LIMIT
    assert most < 8 * LIMIT


async def test_a_zstd_window_that_takes_much_memory_is_refused() -> None:
    wide = zstd.compress(WHOLE * 1_000_000, options={zstd.CompressionParameter.window_log: 27})
    assert await status(streamed, {"content-encoding": "zstd"}, receive([wide])) == 400


@each_reader
@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", gzip.compress(WHOLE * 50, mtime=0)[:-9]),
        ("gzip", gzip.compress(WHOLE, mtime=0)[:-1]),
        ("gzip", gzip.compress(WHOLE, mtime=0)[:5]),
        ("gzip", bare_deflate(WHOLE)),
        ("deflate", bare_deflate(WHOLE)[:-1]),
        ("br", brotli.compress(WHOLE * 50)[:-1]),
        ("zstd", zstd.compress(WHOLE * 50)[:-1]),
        *((encoding, raw) for encoding in ("gzip", "deflate", "br", "zstd") for raw in (b"not packed", b"x", b"")),
    ],
)
async def test_broken_compression_is_invalid(reader: Reader, encoding: str, raw: bytes) -> None:
    assert await status(reader, {"content-encoding": encoding}, receive([raw])) == 400


@each_reader
@pytest.mark.parametrize("encoding", ["compress", "snappy", "gzip, gzip"])
async def test_an_unknown_encoding_is_refused(reader: Reader, encoding: str) -> None:
    assert await status(reader, {"content-encoding": encoding}, receive([WHOLE])) == 415


@pytest.mark.parametrize("reader", [data_plane, control_plane], ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("raw", [b"", b"{", b'"\xff"', b"\xff", b'{"name": ' + b"[" * 100_000])
async def test_what_is_no_json_is_invalid(reader: Reader, raw: bytes) -> None:
    assert await status(reader, {}, receive([raw])) in (400, 422)


class Item(msgspec.Struct):
    role: str


class Order(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Item]
    name: str = ""
    settings: Any = None


@pytest.mark.parametrize(
    ("raw", "field", "missing"),
    [
        (b'{"items": [], "name": 1}', "name", False),
        (b"{}", "items", True),
        (b'{"items": [{}]}', "items[0].role", True),
        (b'{"items": [{"role": 1}]}', "items[0].role", False),
        (b'{"items": [], "nmae": 1}', "nmae", False),
        (b"[]", None, False),
    ],
)
def test_the_field_at_fault_is_named(raw: bytes, field: str | None, missing: bool) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        asgi.decode(Order, raw)
    what, named = asgi.field_at_fault(raised.value)
    assert (named, asgi.is_missing(what)) == (field, missing)
    assert "$" not in what


def test_no_json_is_told_from_json_that_is_wrong() -> None:
    deep = b'{"items": [], "settings": ' + b"[" * 100_000
    for raw in (b"{", b"\xff", b"", deep):
        with pytest.raises(Failure) as raised:
            asgi.decode(Order, raw)
        assert raised.value.kind is Reason.INVALID


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("Bearer k", "k"),
        ("bearer  k ", "k"),
        ("Bearer ", ""),
        ("Bearer", None),
        ("Basic k", None),
        ("k", None),
        ("", None),
    ],
)
def test_a_bearer_is_found(value: str, key: str | None) -> None:
    assert asgi.bearer(value) == key
