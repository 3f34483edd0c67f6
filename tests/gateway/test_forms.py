"""Multipart forms: read as they come, held or on disk, and sent on as they are or with other fields."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deeepai.declare import DROP, Failure, Part, Reason
from deeepai.gateway import outgoing
from deeepai.gateway.body import HttpRequest, Intake, Room, read_body
from deeepai.gateway.body.forms import MAX_PARTS
from deeepai.gateway.body.spool import BLOCK, KEPT, Spool
from deeepai.upstream import Pieces
from tests.gateway.asgi import operation, receive, request
from tests.support.forms import parse_multipart


class Body(msgspec.Struct):
    model: str
    n: int = 1


async def read(
    *chunks: bytes,
    body: type[msgspec.Struct] | None = None,
    kind: str = "multipart/form-data; boundary=b",
    folder: Path | None = None,
    limit: int = 64 << 20,
    cut: bool = False,
    encoding: str = "",
) -> HttpRequest:
    taking = operation(media="multipart", body=body)
    found = request(taking, {"content-type": kind, **({"content-encoding": encoding} if encoding else {})})
    await read_body(
        found, taking, receive(chunks, cut=cut), Intake(limit, folder or Path("/dev/null/spool"), Room(1 << 30, 1.0))
    )
    return found


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
    found = await read(raw[:40], raw[40:], body=Body, kind="Multipart/Form-Data; boundary=b")
    assert found.body == Body("a", 3)
    image = found.parts[2]
    assert (image.name, image.filename, image.content_type, bytes(image.data)) == (
        "image",
        "é.png",
        "image/png",
        b"\x89\r\n\x00",
    )


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"Not for clients.\r\n", b"x" * 9000 + b"\r\n"])
async def test_a_preamble_says_nothing(preamble: bytes, size: int) -> None:
    raw = preamble + form(
        ('Content-Disposition: form-data; name="model"', b"a"),
        ('Content-Disposition: form-data; name="image"; filename="a.png"', b"\r\n--\r\n"),
    )
    found = await read(*(raw[at : at + size] for at in range(0, len(raw), size)), body=Body)
    assert found.body == Body("a")
    at = found.parts[1].at
    assert bytes(found.parts[1].data) == b"\r\n--\r\n"
    assert at is None or raw[at : at + 6] == b"\r\n--\r\n"


async def test_what_never_begins_is_no_form() -> None:
    with pytest.raises(Failure, match="does not begin with its boundary"):
        await read(*([b"x" * 10_000] * 3))


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ("filename*=utf-8''na%C3%AFve%20song.wav", "naïve song.wav"),
        ("FILENAME*=UTF-8'en'a.wav; x=y", "a.wav"),
        ("filename*=\"iso-8859-1''na%EFve.wav\"", "naïve.wav"),
        ("filename*=martian''a.wav", "a.wav"),
        ("filename=\"b.wav\"; filename*=utf-8''a.wav", "b.wav"),
        ("filename*=a.wav", None),
    ],
)
async def test_a_file_may_be_named_as_in_mail(disposition: str, filename: str | None) -> None:
    found = await read(form((f'Content-Disposition: form-data; name="file"; {disposition}', b"sound")))
    assert (found.parts[0].name, found.parts[0].filename) == ("file", filename)


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


async def test_a_form_may_be_url_encoded_where_it_is_said() -> None:
    taking = operation(media="form", body=Body)
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    intake = Intake(64 << 20, Path("/dev/null/spool"), Room(1 << 30, 1.0))
    raw = b"model=a+b%C3%BC&n=3&more=&odd"
    found = request(taking, kind)
    await read_body(found, taking, receive([raw]), intake)
    assert found.body == Body("a b\u00fc", 3)
    assert {part.name: part.text for part in found.parts} == {"model": "a b\u00fc", "n": "3", "more": "", "odd": ""}
    assert outgoing.rewrite(found, {}) == (raw, kind["content-type"])
    changed, sent = outgoing.rewrite(found, {"model": "c", "more": DROP})
    assert isinstance(changed, bytes)
    assert {part.name: part.text for part in parse_multipart(changed, sent)} == {"n": "3", "odd": "", "model": "c"}
    for wrong in (
        b"n=1",
        b"model=a&n=many",
        b"model=a&model=b",
        b"model=%ff",
        b"model=a" + b"&x=1" * 6000,
    ):
        with pytest.raises(Failure) as refused:
            await read_body(request(taking, kind), taking, receive([wrong]), intake)
        assert refused.value.kind is Reason.INVALID
    for other in ("application/json", "text/plain", ""):
        with pytest.raises(Failure) as refused:
            await read_body(request(taking, {"content-type": other}), taking, receive([raw]), intake)
        assert refused.value.kind is Reason.BAD_MEDIA


async def test_a_form_without_a_boundary_is_refused() -> None:
    with pytest.raises(Failure) as raised:
        await read(b"--b--", kind="multipart/form-data")
    assert raised.value.kind is Reason.BAD_MEDIA


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
    assert isinstance(raw, bytes)
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
    assert isinstance(raw, bytes)
    back = parse_multipart(raw, kind)
    assert [bytes(part.data) for part in back] == [b"data", b"1"]


# On disk -----------------------------------------------------------------------------------------------------------


def chunks(raw: bytes, size: int = 65_536) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, len(raw), size))


async def sent(body: bytes | Pieces) -> bytes:
    if isinstance(body, bytes):
        return body
    found = b"".join([piece async for piece in body.data])
    assert body.length == len(found)
    return found


LARGE = bytes(range(256)) * (KEPT // 64)
WHOLE = form(
    ('Content-Disposition: form-data; name="model"', b"a"),
    ('Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav', LARGE),
    ('Content-Disposition: form-data; name="n"', b"3"),
)


async def test_a_large_form_lies_on_disk_and_leaves_nothing_there(tmp_path: Path) -> None:
    found = await read(*chunks(WHOLE), body=Body, folder=tmp_path / "spool")
    assert found.spool is not None
    assert found.raw == b""
    assert found.body == Body("a", 3), "also what comes after the file"
    assert [part.name for part in found.parts] == ["model", "file", "n"]
    assert found.parts[1].data == LARGE
    assert b"".join(found.blocks()) == WHOLE
    assert list((tmp_path / "spool").iterdir()) == [], "the file has no name"


async def test_a_large_form_leaves_as_it_came_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    found = await read(*chunks(WHOLE), folder=tmp_path)
    for _ in range(2):
        body, kind = outgoing.rewrite(found, {})
        assert isinstance(body, Pieces)
        assert (await sent(body), kind) == (WHOLE, "multipart/form-data; boundary=b")


async def test_a_large_forms_fields_can_be_changed(tmp_path: Path) -> None:
    found = await read(*chunks(WHOLE), folder=tmp_path)
    body, kind = outgoing.rewrite(found, {"model": "b", "n": DROP})
    back = parse_multipart(await sent(body), kind)
    assert [(part.name, part.filename, part.content_type, bytes(part.data)) for part in back] == [
        ("file", "a.wav", "audio/wav", LARGE),
        ("model", None, None, b"b"),
    ]


async def test_pieces_of_a_spool_are_small(tmp_path: Path) -> None:
    found = await read(*chunks(WHOLE), folder=tmp_path)
    body, _ = outgoing.rewrite(found, {"model": "b"})
    assert isinstance(body, Pieces)
    assert max([len(piece) async for piece in body.data]) == BLOCK


async def test_a_large_packed_form_is_unpacked_on_its_way(tmp_path: Path) -> None:
    found = await read(*chunks(gzip.compress(WHOLE), 1000), body=Body, folder=tmp_path, encoding="gzip")
    assert found.spool is not None
    assert b"".join(found.blocks()) == WHOLE


@pytest.mark.parametrize(
    ("raw", "more", "why"),
    [
        (WHOLE, {"limit": KEPT * 2}, Reason.TOO_LARGE),
        (WHOLE, {"cut": True}, Reason.INVALID),
        (WHOLE[:-10], {}, Reason.INVALID),
        (gzip.compress(WHOLE)[:-9], {"encoding": "gzip"}, Reason.INVALID),
        (b"\0" * (4 << 20), {}, Reason.INVALID),
        (WHOLE, {"encoding": "compress"}, Reason.BAD_MEDIA),
    ],
)
async def test_what_is_wrong_with_a_large_form_is_told(
    tmp_path: Path, raw: bytes, more: dict[str, object], why: Reason
) -> None:
    with pytest.raises(Failure) as raised:
        await read(*chunks(raw), folder=tmp_path, **more)  # pyright: ignore[reportArgumentType]
    assert raised.value.kind is why


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=5), st.integers(1, 40))
async def test_parts_are_the_same_however_a_form_is_cut_up(parts: list[Part], size: int) -> None:
    found = request(operation(media="multipart"), {"content-type": "multipart/form-data; boundary=old"})
    found.parts = parts
    raw, kind = outgoing.rewrite(found, {"": "1"})
    assert isinstance(raw, bytes)
    back = await read(*chunks(raw, size), kind=kind)
    assert [bytes(part.data) for part in back.parts] == [bytes(part.data) for part in parse_multipart(raw, kind)]
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        for piece in chunks(raw, size):
            await spool.add(piece)
        await spool.flush()
        back.spool = spool
        again, kind = outgoing.rewrite(back, {"no such name": DROP})
        other = parse_multipart(await sent(again), kind)
    assert [(part.name, part.filename, bytes(part.data)) for part in other] == [
        (part.name, part.filename, bytes(part.data)) for part in back.parts
    ]
