"""Searchable PDFs: the pages as they look, and over each its text, which nobody sees and everybody finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from pypdf import PageObject, PdfReader, PdfWriter, Transformation
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, SimpleDocTemplate, Spacer
from reportlab.platypus import Paragraph as Flowing
from reportlab.platypus import Table as Grid

from . import fonts
from .model import Block, Line, Page, Paragraph

POINTS: Final = 72.0
"""An inch."""
_INVISIBLE: Final = 3
"""Text rendering mode. Source: ISO 32000-1, 9.3.6."""
_numbers: Final = itertools.count()
_RISE: Final = 0.22
"""Of a line's box, what is below the baseline."""


@contextmanager
def _font(letters: Iterable[str], *, seen: bool) -> Generator[str]:
    """Give the PDF writer a font of some letters for a while, under a name.

    It keeps fonts by name for as long as the process lives, and mixes up those of one name: so none is used twice.
    """
    name = f"Page{next(_numbers)}"
    pdfmetrics.registerFont(TTFont(name, BytesIO(fonts.subset(name, letters, seen=seen))))
    try:
        yield name
    finally:
        pdfmetrics._fonts.pop(name, None)  # pyright: ignore


def _letters(pages: Iterable[Page]) -> set[str]:
    return {letter for page in pages for line in page.lines for letter in line.text}


def of_pictures(pages: Sequence[Page], pictures: Sequence[Path], path: Path, title: str) -> None:
    """Write a PDF of pictures of pages, each with its text.

    Parameters
    ----------
    pages : sequence of Page
    pictures : sequence of Path
        Upright, one for each page.
    """
    with _font(_letters(pages), seen=False) as font:
        canvas = _canvas(path, font, title)
        for page, picture in zip(pages, pictures, strict=True):
            scale = POINTS / page.dpi
            canvas.setPageSize((page.width * scale, page.height * scale))
            canvas.drawImage(ImageReader(picture), 0, 0, page.width * scale, page.height * scale)
            _write(canvas, font, page, scale)
            canvas.showPage()
        canvas.save()


def over_pages(pages: Sequence[Page], source: Path, password: str, path: Path, title: str) -> None:
    """Write a PDF's own pages, with their text over those that were read from pixels."""
    reader = PdfReader(source)
    if reader.is_encrypted:
        reader.decrypt(password)
    writer = PdfWriter()
    for original, page in zip(reader.pages, pages, strict=True):
        added = writer.add_page(original)
        if page.scanned and any(True for _ in page.lines):
            _lay_over(added, page)
    writer.add_metadata({"/Title": title})
    with path.open("wb") as file:
        writer.write(file)


def _lay_over(original: PageObject, page: Page) -> None:
    """Lay a page's text over it; the text is upright, and the page as its reader shows it may be turned."""
    original.transfer_rotation_to_content()
    box = original.cropbox
    wide, high = float(box.width), float(box.height)
    sideways = page.turn in (90, 270)
    scale = (high if sideways else wide) / page.width
    out = BytesIO()
    with _font(_letters([page]), seen=False) as font:
        canvas = _canvas(out, font)
        canvas.setPageSize((page.width * scale, page.height * scale))
        _write(canvas, font, page, scale)
        canvas.showPage()
        canvas.save()
    text = PdfReader(out).pages[0]
    # From the upright page to the one whose text is turned clockwise.
    moved = {90: (0, high), 180: (wide, high), 270: (wide, 0)}.get(page.turn, (0, 0))
    laid = Transformation().rotate(-page.turn).translate(*moved).translate(float(box.left), float(box.bottom))
    original.merge_transformed_page(text, laid, expand=False)


def _canvas(path: Path | BytesIO, font: Any, title: str = "") -> Canvas:
    place = path if isinstance(path, BytesIO) else str(path)
    canvas = Canvas(place, pageCompression=1, invariant=1, initialFontName=font)
    canvas.setTitle(title)
    return canvas


def _write(canvas: Canvas, font: str, page: Page, scale: float) -> None:
    for line in page.lines:
        _write_line(canvas, font, line, page.height, scale)


def _write_line(canvas: Canvas, font: str, line: Line, height: float, scale: float) -> None:
    """Write a line where it stands, as long as it is there and leaning as it does."""
    quad = line.quad
    # A vertical line is written as one that is turned clockwise: down its left edge.
    start, end, depth = (quad[0], quad[3], quad[1]) if line.vertical else (quad[3], quad[2], quad[0])
    length, size = math.dist(start, end) * scale, math.dist(start, depth) * scale
    text = "".join(letter if "\x1f" < letter <= "\uffff" else "?" for letter in line.text)
    natural = pdfmetrics.stringWidth(text, font, size)
    if not natural or not length:
        return
    angle = math.atan2(-(end[1] - start[1]), end[0] - start[0])
    lift = _RISE * size
    x = start[0] * scale - lift * math.sin(angle)
    y = (height - start[1]) * scale + lift * math.cos(angle)
    drawn: Any = canvas.beginText()
    drawn.setTextRenderMode(_INVISIBLE)
    drawn.setFont(font, size)
    drawn.setHorizScale(100 * length / natural)
    cos, sin = math.cos(angle), math.sin(angle)
    drawn.setTextTransform(cos, sin, -sin, cos, x, y)
    drawn.textLine(text)
    canvas.drawText(drawn)


def of_text(pages: Sequence[Page], path: Path, title: str) -> None:
    """Write a PDF of a text that has no pages to show, such as a word processor's."""
    letters = _letters(pages) | {letter for page in pages for block in page.blocks for letter in _block_text(block)}
    with _font(letters, seen=True) as font:
        _build(pages, font, path, title)


def _build(pages: Sequence[Page], font: str, path: Path, title: str) -> None:
    body = ParagraphStyle("body", fontName=font, fontSize=10.5, leading=15, spaceAfter=6, wordWrap="CJK")
    heads = [ParagraphStyle(f"head{n}", parent=body, fontSize=20 - 2 * n, leading=27 - 2 * n) for n in range(4)]
    flow: list[Flowable] = []
    for number, page in enumerate(pages):
        if number:
            flow.append(PageBreak())
        for block in page.blocks:
            flow += _flowables(block, body, heads)
    document = SimpleDocTemplate(str(path), pagesize=A4, title=title, invariant=1, initialFontName=font)
    document.build(flow or [Spacer(1, 1)])


def _block_text(block: Block) -> str:
    return block.text if isinstance(block, Paragraph) else "".join(cell.text for cell in block.cells)


def _flowables(block: Block, body: ParagraphStyle, heads: Sequence[ParagraphStyle]) -> list[Flowable]:
    if isinstance(block, Paragraph):
        style = heads[min(block.level, len(heads)) - 1] if block.level else body
        return [Flowing(escape(block.text), style)]
    rows = [[Flowing(escape(text), body) for text in row] for row in block.grid()]
    spans = [
        ("SPAN", (cell.column, cell.row), (cell.column + cell.columns - 1, cell.row + cell.rows - 1))
        for cell in block.cells
        if cell.rows * cell.columns > 1
    ]
    grid = Grid(rows, style=[("GRID", (0, 0), (-1, -1), 0.5, "#808080"), ("VALIGN", (0, 0), (-1, -1), "TOP"), *spans])
    return [grid, Spacer(1, 8)]
