"""Bodies of callers: limits, media types, compression."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deeepai.declare import Failure, Operation, Reason
from deeepai.gateway.request import HttpRequest, read_body
from tests.gateway.asgi import operation, receive, request

LIMIT = 1000
JSON = {"content-type": "application/json"}
NOWHERE = Path("/dev/null/spool")
"""None of these bodies may reach the disk."""


class Body(msgspec.Struct):
    model: str
    n: int = 1


class Nested(msgspec.Struct):
    model: str
    messages: list[Body] = []


async def read(
    given: Operation,
    headers: dict[str, str],
    chunks: Iterable[bytes],
    *,
    cut: bool = False,
    limit: int = LIMIT,
) -> HttpRequest:
    found = request(given, headers)
    await read_body(found, given, receive(chunks, cut=cut), limit, NOWHERE)
    return found


async def refused(given: Operation, headers: dict[str, str], *chunks: bytes, cut: bool = False) -> Failure:
    with pytest.raises(Failure) as raised:
        await read(given, headers, chunks, cut=cut)
    return raised.value


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
async def test_a_body_up_to_the_limit_is_read(size: int) -> None:
    found = await read(operation(), JSON, [b"x" * (size - 10), b"x" * 10])
    assert len(found.raw) == size


@pytest.mark.parametrize("chunks", [[LIMIT + 1], [LIMIT, 1], [1] * (LIMIT + 1)])
async def test_a_body_over_the_limit_is_refused(chunks: list[int]) -> None:
    failure = await refused(operation(), JSON, *(b"x" * size for size in chunks))
    assert failure.kind is Reason.TOO_LARGE


async def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("it was read")

    given = operation()
    with pytest.raises(Failure) as raised:
        await read_body(request(given, {**JSON, "content-length": str(LIMIT + 1)}), given, never, LIMIT, NOWHERE)
    assert raised.value.kind is Reason.TOO_LARGE


async def test_an_operations_own_limit_counts_where_it_is_lower() -> None:
    assert (await refused(operation(max_body=10), JSON, b"x" * 11)).kind is Reason.TOO_LARGE


@pytest.mark.parametrize("chunks", [(), (b"{",), (b"{", b'"model"')])
async def test_a_body_that_is_cut_is_refused(chunks: tuple[bytes, ...]) -> None:
    given = operation()
    left = receive(chunks, cut=True)
    if not chunks:
        await left()  # the caller leaves before the first byte
    with pytest.raises(Failure) as raised:
        await read_body(request(given, JSON), given, left, LIMIT, NOWHERE)
    assert raised.value.kind is Reason.INVALID


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_compressed_bodies_are_read(encoding: str, pack: Any) -> None:
    plain = b'{"model": "a"}'
    found = await read(operation(body=Body), {**JSON, "content-encoding": encoding}, [pack(plain)])
    assert (found.raw, found.body.model) == (plain, "a")


async def test_a_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 60_000_000, 1, mtime=0)
    before = time.process_time()
    given = operation()
    packed = request(given, {**JSON, "content-encoding": "gzip"})
    with pytest.raises(Failure) as raised:
        await read_body(packed, given, receive([bomb]), 1_000_000, NOWHERE)
    assert raised.value.kind is Reason.TOO_LARGE
    # Unpacked whole it would be sixty times as much.
    whole = time.process_time()
    zlib.decompress(bomb, zlib.MAX_WBITS | 16)
    assert whole - before < (time.process_time() - whole) / 2


@pytest.mark.parametrize(
    "raw", [gzip.compress(b"{}" * 50, mtime=0)[:-9], gzip.compress(b"{}", mtime=0)[:5], b"no gzip", b""]
)
async def test_broken_compression_is_invalid(raw: bytes) -> None:
    assert (await refused(operation(), {**JSON, "content-encoding": "gzip"}, raw)).kind is Reason.INVALID


async def test_unknown_compression_is_refused() -> None:
    assert (await refused(operation(), {**JSON, "content-encoding": "br"}, b"x")).kind is Reason.BAD_MEDIA


@pytest.mark.parametrize(
    ("media", "kind", "fine"),
    [
        ("json", "application/json; charset=utf-8", True),
        ("json", "Application/JSON", True),
        ("json", "application/vnd.api+json", True),
        ("json", "", True),
        ("json", "text/plain", False),
        ("json", "multipart/form-data; boundary=x", False),
        ("json", "multipart/form-data; boundary=json", False),
        ("multipart", "application/json", False),
        ("multipart", "", False),
        ("multipart", "application/x-www-form-urlencoded", False),
        ("either", "application/json", True),
        ("either", "text/csv", False),
        ("none", "text/plain", True),
    ],
)
async def test_media_types_are_checked(media: str, kind: str, fine: bool) -> None:
    given = operation(media=media)
    headers = {"content-type": kind} if kind else {}
    if fine:
        await read(given, headers, [b"{}"])
    else:
        assert (await refused(given, headers, b"{}")).kind is Reason.BAD_MEDIA


@pytest.mark.parametrize(
    ("raw", "param", "code"),
    [
        (b"", None, None),
        (b"{", None, None),
        (b'"\xff"', None, None),
        (b"[" * 100_000, None, None),
        (b"[]", None, None),
        (b"{}", "model", "missing"),
        (b'{"model": 1}', "model", None),
        (b'{"model": "a", "messages": [{"model": 1}]}', "messages[0].model", None),
        (b'{"model": "a", "messages": [{}]}', "messages[0].model", "missing"),
    ],
)
async def test_what_is_wrong_with_a_json_body_is_named(raw: bytes, param: str | None, code: str | None) -> None:
    given = operation(body=Nested)
    with pytest.raises(Failure) as raised:
        await read(given, JSON, [raw], limit=1_000_000)
    failure = raised.value
    assert (failure.kind, failure.param, failure.code) == (Reason.INVALID, param, code)


async def test_unknown_fields_are_left_alone() -> None:
    raw = b'{"model": "a", "new_this_month": {"x": [1]}}'
    assert (await read(operation(body=Body), JSON, [raw])).raw == raw
