"""Pictures: drawn, not generated; the same request gives the same bytes, and all say that they are a test."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Format = Literal["png", "jpeg", "webp"]
CAPTION = "TEST MODE"
MIME: dict[str, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
LONGEST_TEXT = 400
FRAMES = 12


@dataclass(frozen=True)
class Picture:
    """What to draw: size in pixels, words, and a digest that decides colours and shapes."""

    width: int
    height: int
    text: str
    digest: bytes
    format: Format = "png"
    source: bytes | None = None
    """A picture to draw upon, in any format that Pillow reads."""
    grid: bool = False
    """Whether to draw four, in two rows; part 1 to 4 of it is `part_of(picture, n)`."""
    blur: float = 0
    """Radius in pixels at the end, captions excepted."""
    cutout: bool = False
    """Whether all but the middle is transparent (not in JPEG)."""
    quality: int = 85


def part_of(picture: Picture, number: int) -> Picture:
    """Return one of the four pictures of a grid, by 1 to 4."""
    return replace(picture, digest=hashlib.sha256(picture.digest + bytes([number])).digest(), grid=False)


@lru_cache(maxsize=64)
def render(picture: Picture) -> bytes:
    """Return the encoded picture."""
    return _encode(_paint(picture), picture)


@lru_cache(maxsize=16)
def render_animation(picture: Picture) -> bytes:
    """Return a short animation as WebP, 8 frames a second."""
    first, *rest = frames(picture)
    out = BytesIO()
    first.save(out, "WEBP", save_all=True, append_images=rest, duration=125, loop=0, quality=60, method=0)
    return out.getvalue()


def frames(picture: Picture, count: int = FRAMES) -> list[Image.Image]:
    """Return the frames of a slow pan over a picture, with a bar that grows."""
    wide = background(replace(picture, width=picture.width * 5 // 4))
    span = wide.width - picture.width
    painted: list[Image.Image] = []
    for number in range(count):
        left = span * number // max(1, count - 1)
        frame = wide.crop((left, 0, left + picture.width, picture.height))
        write(frame, picture.text)
        # Without the bar, the frames of a plain picture would be one and the same.
        bar = (0, picture.height - 6, picture.width * (number + 1) // count, picture.height)
        ImageDraw.Draw(frame).rectangle(bar, fill="white")
        painted.append(frame)
    return painted


def recipe(picture: Picture) -> Callable[[], bytes]:
    """Return a function that draws the picture when called."""
    return lambda: render(picture)


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height of an encoded picture, or None if it is none."""
    try:
        with Image.open(BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def from_base64(text: str) -> bytes | None:
    """Decode base64, bare or as a data URL; None if it is malformed."""
    if text.startswith("data:"):
        _, comma, text = text.partition(";base64,")
        if not comma:
            return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def fit(ratio: float, pixels: float, step: int = 64) -> tuple[int, int]:
    """Return the size nearest to a ratio (width / height) and a number of pixels, in multiples of `step`."""
    sides = math.sqrt(pixels * ratio), math.sqrt(pixels / ratio)
    return max(step, round(sides[0] / step) * step), max(step, round(sides[1] / step) * step)


def _paint(picture: Picture) -> Image.Image:
    if picture.grid:
        half = replace(picture, width=picture.width // 2, height=picture.height // 2)
        image = Image.new("RGB", (picture.width, picture.height), "white")
        for number in range(4):
            cell = _paint(part_of(half, number + 1))
            image.paste(cell, (number % 2 * half.width, number // 2 * half.height))
        return image
    image = background(picture)
    if picture.blur:
        image = image.filter(ImageFilter.GaussianBlur(picture.blur))
    write(image, picture.text)
    if picture.cutout:
        mask = Image.new("L", image.size, 0)
        ImageDraw.Draw(mask).ellipse((0, 0, image.width - 1, image.height - 1), fill=255)
        image.putalpha(mask)
    return image


def background(picture: Picture) -> Image.Image:
    """Draw a picture without words: its source, or shapes."""
    size = (picture.width, picture.height)
    if picture.source is not None:
        try:
            with Image.open(BytesIO(picture.source)) as source:
                return source.convert("RGB").resize(size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            pass
    rng = random.Random(picture.digest)
    shade = Image.linear_gradient("L").rotate(rng.randrange(0, 360, 90)).resize(size, Image.Resampling.BILINEAR)
    image = ImageOps.colorize(shade, _colour(rng, 20, 110), _colour(rng, 130, 235), _colour(rng, 60, 190))
    draw = ImageDraw.Draw(image, "RGBA")
    for _ in range(7):
        radius = rng.uniform(0.06, 0.28) * min(size)
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        fill = (*_colour(rng, 40, 255), rng.randrange(60, 160))
        if rng.random() < 0.5:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        else:
            draw.regular_polygon((x, y, radius), rng.randrange(3, 7), rng.randrange(360), fill=fill)
    return image


def _colour(rng: random.Random, low: int, high: int) -> tuple[int, int, int]:
    return (rng.randrange(low, high), rng.randrange(low, high), rng.randrange(low, high))


def write(image: Image.Image, text: str) -> None:
    """Write TEST MODE on a picture, and some words below."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    big = _font(max(8, int(min(width / 6.2, height / 4))))
    small = _font(max(8, int(min(width, height) / 28)))
    centre = width / 2
    draw.text(
        (centre, height * 0.42), CAPTION, "white", big, "mm", stroke_width=max(1, big.size // 14), stroke_fill="black"
    )
    lines = _wrap(text, small, width * 0.9)
    top = height * 0.42 + big.size * 0.75
    for number, line in enumerate(lines):
        y = top + number * small.size * 1.3
        if y > height - small.size * 1.3:
            break
        draw.text((centre, y), line, "white", small, "ma", stroke_width=max(1, small.size // 10), stroke_fill="black")


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    # The font that comes with Pillow has ASCII glyphs only; accents are dropped, and what has no ASCII form left out.
    plain = unicodedata.normalize("NFKD", text[:LONGEST_TEXT])
    drawable = "".join(char if " " <= char <= "~" else "" if unicodedata.combining(char) else " " for char in plain)
    lines: list[str] = []
    line = ""
    for word in drawable.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines


def _encode(image: Image.Image, picture: Picture) -> bytes:
    out = BytesIO()
    match picture.format:
        case "png":
            image.save(out, "PNG", compress_level=1)
        case "jpeg":
            image.convert("RGB").save(out, "JPEG", quality=max(1, min(95, picture.quality)))
        case "webp":
            image.save(out, "WEBP", quality=picture.quality, method=0)
    return out.getvalue()
