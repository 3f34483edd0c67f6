"""Bodies of callers: limits, media types, compression, and multipart forms there and back."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deeepai.declare import Failure, Operation, Part, Reason
from deeepai.gateway import outgoing
from deeepai.gateway.request import MAX_PARTS, HttpRequest, parse_multipart, read_body
from tests.gateway.asgi import operation, receive, request

LIMIT = 1000
JSON = {"content-type": "application/json"}


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
    await read_body(found, given, receive(chunks, cut=cut), limit)
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
        await read_body(request(given, {**JSON, "content-length": str(LIMIT + 1)}), given, never, LIMIT)
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
        await read_body(request(given, JSON), given, left, LIMIT)
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
    with pytest.raises(Failure) as raised:
        await read_body(request(given, {**JSON, "content-encoding": "gzip"}), given, receive([bomb]), 1_000_000)
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


def form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    whole = b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts)
    return whole + f"--{boundary}--\r\n".encode()


FORM = "multipart/form-data; boundary=b"


async def test_form_fields_are_converted_and_files_are_not_fields() -> None:
    raw = form(
        ('Content-Disposition: form-data; name="model"', b"a"),
        ('content-disposition: form-data; name="n"', b"3"),
        ('Content-Disposition: form-data; name="image"; filename="é.png"\r\nContent-Type: image/png', b"\x89\r\n\x00"),
    )
    found = await read(
        operation(media="multipart", body=Body),
        {"content-type": "Multipart/Form-Data; boundary=b"},
        [raw[:40], raw[40:]],
    )
    assert found.body == Body("a", 3)
    image = found.parts[2]
    assert (image.name, image.filename, image.content_type, bytes(image.data)) == (
        "image",
        "é.png",
        "image/png",
        b"\x89\r\n\x00",
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a form",
        b"--other\r\n\r\n\r\n--other--\r\n",
        form(('Content-Disposition: form-data; name="a"', b"1"))[:-4],
        form(('Content-Disposition: form-data; name="a"', b"1"))[:-12],
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nnever ends',
        b"--b\r\nno header\r\n\r\n1\r\n--b--\r\n",
    ],
)
async def test_malformed_forms_are_invalid(raw: bytes) -> None:
    with pytest.raises(Failure) as raised:
        parse_multipart(raw, FORM)
    assert raised.value.kind is Reason.INVALID


async def test_a_form_without_a_boundary_is_refused() -> None:
    failure = await refused(operation(media="multipart"), {"content-type": "multipart/form-data"}, b"--b--")
    assert failure.kind is Reason.BAD_MEDIA


def test_the_number_of_parts_is_bounded() -> None:
    part = ('Content-Disposition: form-data; name="a"', b"1")
    assert len(parse_multipart(form(*[part] * MAX_PARTS), FORM)) == MAX_PARTS
    with pytest.raises(Failure) as raised:
        parse_multipart(form(*[part] * (MAX_PARTS + 1)), FORM)
    assert raised.value.kind is Reason.INVALID


# What browsers and clients write in a quoted name; quotes and line ends leave percent-encoded, as browsers do it.
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='"\\'), max_size=12
)
DATA = st.one_of(
    st.binary(max_size=200),
    # Lookalikes of boundaries and line ends.
    st.lists(st.sampled_from([b"\r\n", b"--", b"\r", b"\n", b"-", b"b", b"\r\n--b", b"--b--\r\n", b"x"])).map(b"".join),
)
PARTS = st.builds(
    lambda name, data, filename, kind: Part(name, memoryview(data), filename, kind),
    NAMES,
    DATA,
    st.none() | NAMES,
    st.none() | st.sampled_from(["image/png", "text/plain; charset=utf-8"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=5), st.dictionaries(NAMES, st.text(max_size=20), min_size=1, max_size=2))
@example([Part("a", memoryview(b"\r\n--"), "C:\\x\\y.png", None)], {"model": "m"})
def test_a_form_comes_back_as_it_went_out(parts: list[Part], changes: dict[str, str]) -> None:
    found = request(operation(media="multipart"), {"content-type": "multipart/form-data; boundary=old"})
    found.parts = parts
    raw, kind = outgoing.rewrite(found, changes)
    back = parse_multipart(raw, kind)
    kept = [part for part in parts if part.name not in changes]
    seen = [(part.name, bytes(part.data), part.filename, part.content_type) for part in back]
    wanted = [
        (part.name, bytes(part.data), part.filename and part.filename.rpartition("\\")[2], part.content_type)
        for part in kept
    ]
    wanted += [(name, value.encode(), None, None) for name, value in changes.items()]
    assert seen == wanted


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_name_never_breaks_out_of_its_header(name: str, filename: str) -> None:
    found = request(operation(media="multipart"))
    found.parts = [Part(name, memoryview(b"data"), filename, None)]
    raw, kind = outgoing.rewrite(found, {"other": "1"} if name != "other" else {"another": "1"})
    back = parse_multipart(raw, kind)
    assert [bytes(part.data) for part in back] == [b"data", b"1"]
