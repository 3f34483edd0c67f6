"""Pictures as office programs read them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Final

import numpy
from PIL import Image, ImageOps

_MOST_PIXELS: Final = 1920
_COMMON: Final = ("1", "L", "LA", "P", "RGB", "RGBA")


def eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 or more bits scaled to eight; Pillow itself would clip them."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image


def stored(file: Path) -> bytes | None:
    """Return a picture upright, as PNG or JPEG, not larger than it is seen; None if it cannot be read."""
    try:
        with Image.open(file) as image:
            upright = image.getexif().get(0x0112, 1) == 1
            plain = image.mode in _COMMON and max(image.size) <= _MOST_PIXELS and upright
            if image.format in ("PNG", "JPEG") and plain:
                image.load()
                return file.read_bytes()
            image.draft("RGB", (_MOST_PIXELS, _MOST_PIXELS))
            turned = eight_bits(ImageOps.exif_transpose(image))
            turned.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
            buffer = io.BytesIO()
            if "A" in turned.getbands() or "transparency" in turned.info:
                turned.convert("RGBA").save(buffer, "PNG", compress_level=3)
            elif turned.mode == "L":
                turned.save(buffer, "PNG", compress_level=3)
            else:
                turned.convert("RGB").save(buffer, "JPEG", quality=88)
            return buffer.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def png(image: Image.Image) -> bytes:
    """Return a page as PNG.

    Flat grounds need no filters, and trying all of them for each row is what takes Pillow twice as long.
    """
    pixels = numpy.asarray(image.convert("RGB"))
    height, width, _ = pixels.shape
    rows = numpy.zeros((height, width * 3 + 1), numpy.uint8)
    rows[:, 1:] = pixels.reshape(height, width * 3)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
