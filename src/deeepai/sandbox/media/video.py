"""A film in an MP4 file: frames as JPEG pictures, no sound.

Source: ISO/IEC 14496-12 (boxes) and 14496-14 (`mp4v` with object type 0x6C, which is JPEG). Players such as VLC and
ffmpeg show it; browsers do not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

TIMESCALE = 1000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def mp4(frames: Sequence[Image.Image], seconds: float) -> bytes:
    """Return frames of one size as an MP4 file that lasts `seconds`."""
    pictures = [_jpeg(frame) for frame in frames]
    width, height = frames[0].size
    step = max(1, round(seconds * TIMESCALE / len(pictures)))
    duration = step * len(pictures)
    start = _box("ftyp", b"isom", struct.pack(">I", 512), b"isommp41")
    film = _box("mdat", *pictures)
    samples = _box(
        "stbl",
        _full("stsd", struct.pack(">I", 1), _sample_entry(width, height)),
        _full("stts", struct.pack(">3I", 1, len(pictures), step)),
        _full("stsc", struct.pack(">4I", 1, 1, len(pictures), 1)),
        _full("stsz", struct.pack(f">{2 + len(pictures)}I", 0, len(pictures), *map(len, pictures))),
        _full("stco", struct.pack(">2I", 1, len(start) + 8)),
    )
    media = _box(
        "mdia",
        _full("mdhd", struct.pack(">4I2H", 0, 0, TIMESCALE, duration, 0x55C4, 0)),
        _full("hdlr", struct.pack(">I4s12x", 0, b"vide"), b"test mode\0"),
        _box(
            "minf",
            _full("vmhd", bytes(8), flags=1),
            _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1))),
            samples,
        ),
    )
    track = struct.pack(">5I8x4H", 0, 0, 1, 0, duration, 0, 0, 0, 0) + _MATRIX
    movie = struct.pack(">4IIH10x", 0, 0, TIMESCALE, duration, 0x10000, 0x100) + _MATRIX + bytes(24)
    index = _box(
        "moov",
        _full("mvhd", movie, struct.pack(">I", 2)),
        _box("trak", _full("tkhd", track, struct.pack(">2I", width << 16, height << 16), flags=3), media),
    )
    return start + film + index


def _box(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name.encode()) + body


def _full(name: str, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def _sample_entry(width: int, height: int) -> bytes:
    decoder = b"\x04" + bytes([13]) + bytes([0x6C, 0x11]) + bytes(11)
    descriptor = b"\x03" + bytes([3 + len(decoder) + 3]) + struct.pack(">HB", 1, 0) + decoder + b"\x06\x01\x02"
    visual = struct.pack(">6xH16x2H2I4xH32xHh", 1, width, height, 0x480000, 0x480000, 1, 24, -1)
    return _box("mp4v", visual, _full("esds", descriptor))


def _jpeg(frame: Image.Image) -> bytes:
    out = BytesIO()
    frame.convert("RGB").save(out, "JPEG", quality=70)
    return out.getvalue()
