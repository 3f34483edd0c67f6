"""Forms by chance: read or refused, and the same parts however they were split."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Failure
from deeepai.gateway.body.forms import FormReader
from tests.fuzz.splitting import CUTS, SETTINGS, split, spoiled

BOUNDARY = b"bound"
NAMES = st.sampled_from(["model", "prompt", "image[]", 'a"b', "ü", ""])
DATA = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\r\n--boun", b"--bound", b"\r\n--bounds", b"\r", b"\r\n", b"x" * 5000]),
    st.integers(0, 300_000).map(lambda size: b"y" * size),
)


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    head = f'Content-Disposition: form-data; name="{draw(NAMES)}"'
    if draw(st.booleans()):
        head += f'; filename="{draw(NAMES)}"'
    head += draw(st.sampled_from(["", "\r\nContent-Type: image/png", "\r\nx: " + "z" * 3000]))
    return b"--" + BOUNDARY + b"\r\n" + head.encode() + b"\r\n\r\n" + draw(DATA) + b"\r\n"


ODD = st.sampled_from(
    [b"\r\n", b"\n", b"--", b"--bound", b"--bound--", b'"', b";", b":", b"\0", b"\xff", b"z" * 20_000]
)
FORMS = spoiled(
    st.tuples(
        st.sampled_from([b"", b"", b"preamble\r\n"]),
        st.lists(parts(), max_size=4).map(b"".join),
        st.sampled_from([b"--bound--\r\n", b""]),
    ).map(b"".join),
    ODD,
)


def read(pieces: list[bytes], *, keep: bool) -> Any:
    """Return the parts of a form, or its failure's kind."""
    reader = FormReader("multipart/form-data; boundary=bound", keep=keep)
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.finish()
    except Failure as failure:
        return failure.kind
    whole = b"".join(pieces)
    found = reader.parts(memoryview(whole))
    return [(part.name, bytes(part.data), part.filename, part.content_type) for part in found], [
        (part.name, bytes(part.data)) for part in reader.texts
    ]


@SETTINGS
@given(data=FORMS, cuts=CUTS, keep=st.booleans())
def test_forms_by_chance_are_read_alike_however_they_are_split(data: bytes, cuts: list[int], keep: bool) -> None:
    pieces = split(data, cuts if len(data) < 5000 else [max(cut, 500) for cut in cuts])
    assert read(pieces, keep=keep) == read([data], keep=keep)
