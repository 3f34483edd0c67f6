"""How large a picture is that callers send, as its head says."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

LOOKED_AT: Final = 256 * 1024
"""Bytes at the beginning of a picture: what stands before a JPEG's size (a preview, a profile) is seldom longer."""
_NO_FRAME: Final = frozenset((0xC4, 0xC8, 0xCC))


def picture_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """Return the width and height of a PNG, JPEG, WebP, GIF or BMP; None where its head does not say.

    Source: PNG (ISO/IEC 15948, 11.2.2), JPEG (ITU-T T.81, B.2.2), WebP container (RFC 9649), GIF89a, BITMAPINFOHEADER.
    """
    head = bytes(data[:LOOKED_AT])
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", head, 16)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", head, 6)
        if head.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", head, 18)
            return abs(width), abs(height)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
        return _jpeg(head) if head.startswith(b"\xff\xd8") else None
    except (struct.error, IndexError):
        return None


def base64_picture_size(text: str) -> tuple[int, int] | None:
    """Return the size of a picture in base64, bare or as a data URL."""
    body = text.partition(";base64,")[2] if text.startswith("data:") else text
    start = "".join(body[: LOOKED_AT * 4 // 3].split())
    try:
        return picture_size(base64.b64decode(start[: len(start) // 4 * 4], validate=True))
    except (binascii.Error, ValueError):
        return None


def _webp(head: bytes) -> tuple[int, int] | None:
    if len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = struct.unpack_from("<I", head, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while head[at] == 0xFF:
        kind = head[at + 1]
        if kind == 0xFF:
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in _NO_FRAME:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None
