"""Pages of text as pictures, in the typeface that the engines use."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import noto_cjk_sans_otc
from PIL import Image, ImageDraw, ImageFont

FACE = Path(noto_cjk_sans_otc.__file__).parent / "NotoSansCJK-Regular.ttc"
CHINESE = [
    "人工智能正在改变我们的生活方式。",
    "深度学习模型在图像识别领域取得了重大突破。",
    "全球市场规模达到三千亿元。",
]
ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "Total: $1,234.56 (including 8% tax)",
    "Short words, too",
]


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FACE), size, index=2)


def blank(width: int = 1240, height: int = 800, colour: str = "white") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def put(image: Image.Image, x: float, y: float, text: str, size: int = 32, colour: str = "black") -> None:
    ImageDraw.Draw(image).text((x, y), text, font=font(size), fill=colour)


def page(lines: Sequence[str], *, size: int = 32, colours: tuple[str, str] = ("black", "white")) -> Image.Image:
    """Return a page of lines."""
    image = blank(1240, 160 + round(size * 1.8) * len(lines), colours[1])
    for number, line in enumerate(lines):
        put(image, 80, 60 + number * size * 1.8, line, size, colours[0])
    return image


def columns(title: str, left: Sequence[str], right: Sequence[str], footer: str) -> Image.Image:
    """Return a page of two columns below a title and above a footer."""
    rows = max(len(left), len(right))
    image = blank(1240, 300 + 34 * rows)
    put(image, 80, 40, title, 44)
    for x, column in ((80, left), (660, right)):
        for number, line in enumerate(column):
            put(image, x, 140 + number * 34, line, 24)
    put(image, 80, 170 + 34 * rows, footer, 24)
    return image


def wrapped(words: Sequence[str], width: float, size: int = 24) -> list[str]:
    """Break words into lines."""
    lines, line = list[str](), ""
    for word in words:
        longer = f"{line} {word}".strip()
        if line and font(size).getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def table(rows: Sequence[Sequence[str]], *, ruled: bool, header: str = "") -> Image.Image:
    """Return a page with a table; under a header that is one cell over all columns, if one is given."""
    count, top = len(rows[0]), 120
    image = blank(160 + 220 * count, 200 + top + 70 * (len(rows) + bool(header)))
    put(image, 80, 30, "销售表 Sales of the first quarter")
    draw = ImageDraw.Draw(image)
    right = 80 + 220 * count
    if header:
        put(image, 120, top + 15, header, 28)
        if ruled:
            draw.rectangle((80, top, right, top + 70), outline="black", width=2)
        top += 70
    bottom = top + 70 * len(rows)
    if ruled:
        for number in range(len(rows) + 1):
            draw.line((80, top + number * 70, right, top + number * 70), fill="black", width=2)
        for number in range(count + 1):
            draw.line((80 + number * 220, top, 80 + number * 220, bottom), fill="black", width=2)
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            put(image, 100 + c * 220, top + 15 + r * 70, text, 28)
    put(image, 80, bottom + 40, "A closing remark below the table.", 28)
    return image


def turned(image: Image.Image, clockwise: float) -> Image.Image:
    return image.rotate(-clockwise, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
