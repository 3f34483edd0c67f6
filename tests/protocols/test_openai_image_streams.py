"""What of a stream of images is charged, wherever it breaks off."""

from __future__ import annotations

import msgspec
import pytest

from deeepai.declare import Usage
from deeepai.protocols.openai.images import STREAM

PARTIAL, DONE = "image_generation.partial_image", "image_generation.completed"
TOLD = {
    "total_tokens": 4210,
    "input_tokens": 50,
    "output_tokens": 4160,
    "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
}


def event(kind: str, **fields: object) -> bytes:
    body = {"type": kind, "b64_json": "AAAA", "size": "1024x1024", "quality": "high", **fields}
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode(body) + b"\n\n"


def usage(*events: bytes) -> Usage:
    found: Usage | None = None
    assert STREAM.merge is not None
    for one in events:
        assert any(mark in one for mark in STREAM.scan_for)
        later = STREAM.usage(one)
        assert later is not None
        found = later if found is None else STREAM.merge(found, later)
    assert found is not None
    return found


def figures(found: Usage) -> tuple[int, int, int]:
    return found.images, found.input, found.image_out


@pytest.mark.parametrize(
    ("quality", "size", "tokens"),
    [
        ("low", "1024x1024", 272),
        ("medium", "1024x1536", 1584),
        ("high", "1536x1024", 6240),
        ("auto", "auto", 1056),
        (None, None, 1056),
    ],
)
def test_an_image_that_has_begun_counts_whole(quality: str | None, size: str | None, tokens: int) -> None:
    found = usage(event(PARTIAL, quality=quality, size=size))
    assert (figures(found), found.basis) == ((1, 0, tokens), "counted")


def test_an_image_counts_once_however_often_it_was_shown() -> None:
    partial, done = event(PARTIAL), event(DONE, usage=TOLD)
    assert figures(usage(partial, partial, partial)) == (1, 0, 4160)
    whole = usage(partial, partial, done)
    assert (figures(whole), whole.basis) == ((1, 50, 4160), "vendor")
    assert figures(usage(partial, done, partial)) == (2, 50, 8320)
    assert figures(usage(partial, done, partial, done)) == (2, 100, 8320)


def test_an_event_that_cannot_be_read_counts_as_an_image() -> None:
    assert figures(usage(b"event: image_edit.partial_image\ndata: {\n\n")) == (1, 0, 1056)
    assert figures(usage(b"event: image_edit.completed\ndata: {\n\n")) == (1, 0, 0)
