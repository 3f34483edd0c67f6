"""QR codes read as phones read them: by two decoders, from pictures that have become small, or were compressed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import zxingcpp
from PIL import Image

SMALL: Final = 200
"""Pixels of the shorter side that a picture is scaled to; dense codes keep `_LEAST` for a module."""
QUALITY: Final = 60
_LEAST: Final = 4.0
_FORMATS: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def by_zxing(picture: Image.Image) -> str | None:
    """Return what ZXing reads."""
    found = zxingcpp.read_barcodes(np.asarray(picture.convert("RGB")), formats=_FORMATS)
    return next((code.text for code in found if code.valid), None)


def by_opencv(picture: Image.Image) -> str | None:
    """Return what OpenCV reads, by the one or the other of its detectors."""
    pixels = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    for detector in (cv2.QRCodeDetectorAruco(), cv2.QRCodeDetector()):
        try:
            text, _, _ = detector.detectAndDecode(pixels)
        except (cv2.error, UnicodeDecodeError):
            # Its decoder asserts about outlines that are none, and makes text of bytes that are none.
            continue
        if text:
            return text
    return None


DECODERS: Final = {"zxing": by_zxing, "opencv": by_opencv}


def small(picture: Image.Image, module: float, filter_: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """Return a picture scaled down; `module` is the side of a module in pixels."""
    factor = min(1.0, max(SMALL / min(picture.size), _LEAST / module))
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(size, filter_)


def compressed(picture: Image.Image) -> Image.Image:
    """Return a picture as JPEG leaves it."""
    held = io.BytesIO()
    picture.convert("RGB").save(held, "JPEG", quality=QUALITY)
    return Image.open(held)


def views(picture: Image.Image, module: float) -> Iterator[tuple[str, Image.Image]]:
    """Yield what must be read: the picture, scaled down, and compressed."""
    yield "small", small(picture, module)
    # Others' programs scale otherwise, and a detector at its limit notices.
    yield "small, soft", small(picture, module, Image.Resampling.BICUBIC)
    yield "compressed", compressed(picture)
    yield "whole", picture


def reads(picture: Image.Image, module: float, content: str) -> bool:
    """Tell whether each decoder reads a content in each view."""
    return all(decode(view) == content for _, view in views(picture, module) for decode in DECODERS.values())


def content_of(picture: Image.Image) -> str | None:
    """Return what the QR code in a picture says, however it can be read."""
    for factor in (1.0, 0.5, 2.0):
        size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        if max(size) <= 4096:
            seen = picture if factor == 1 else picture.resize(size, Image.Resampling.BICUBIC)
            for decode in DECODERS.values():
                if text := decode(seen):
                    return text
    return None
