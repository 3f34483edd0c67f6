"""Pictures to send."""

from __future__ import annotations

import base64
import functools
import io

from PIL import Image


@functools.cache
def png(width: int = 96, height: int | None = None, color: str = "teal", mode: str = "RGB") -> bytes:
    """Return a PNG of one colour; a square, if no height is given."""
    file = io.BytesIO()
    Image.new(mode, (width, height or width), color).save(file, "PNG")
    return file.getvalue()


def png_base64(width: int = 96, height: int | None = None, color: str = "teal") -> str:
    """Return a PNG of one colour in Base64."""
    return base64.b64encode(png(width, height, color)).decode()


def png_url(width: int = 96, height: int | None = None, color: str = "teal") -> str:
    """Return a PNG of one colour as a data URL."""
    return f"data:image/png;base64,{png_base64(width, height, color)}"


def opened(data: bytes) -> Image.Image:
    """Return the picture in a file, read whole."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
