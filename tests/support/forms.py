"""Forms read back."""

from __future__ import annotations

from deeepai.declare import Part
from deeepai.gateway.body.forms import FormReader


def parse_multipart(raw: bytes, content_type: str) -> list[Part]:
    """Split a body at once."""
    reader = FormReader(content_type)
    reader.feed(raw)
    reader.finish()
    return reader.parts(memoryview(raw))
