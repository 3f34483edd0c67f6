"""What stands outside its box on pages that LibreOffice drew, read from its PDF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from pptx import Presentation

from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.designs.layouts import layouts_of
from deeepai.engines.slides.writing import Made

_POINT = 12700


@dataclass(frozen=True)
class Letter:
    """A letter on a page; points from the top left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float


def letters(page: pypdfium2.PdfPage) -> list[Letter]:
    """Return what can be seen of a page's text."""
    scale = 960 / page.get_width()
    height = page.get_height()
    text = page.get_textpage()
    found: list[Letter] = []
    for at in range(text.count_chars()):
        letter = text.get_text_range(at, 1)
        if not letter.strip():
            continue
        left, bottom, right, top = text.get_charbox(at, loose=False)
        found.append(
            Letter(
                letter,
                left * scale,
                (height - top) * scale,
                right * scale,
                (height - bottom) * scale,
                pdfium.FPDFText_GetFontSize(text.raw, at) * scale,
            )
        )
    return found  # fmt: skip


def faults(path: Path, pdf: Path, made: Made, design: str) -> list[str]:
    """Return, for each page, letters that stand in no box that has text, and letters that are too small."""
    document = pypdfium2.PdfDocument(pdf)
    slides = list(Presentation(str(path)).slides)
    found: list[str] = []
    if len(document) != len(slides):
        return [f"{len(slides)} slides, {len(document)} pages"]
    for number, (slide, page, written) in enumerate(zip(slides, document, made.slides, strict=True), 1):
        layout = layouts_of(DESIGNS[design])[written.layout]
        boxes = [(864.0, 500.0, 912.0, 526.0)]
        for shape in slide.placeholders:
            index = shape.placeholder_format.idx
            if shape.has_table:
                frame = (
                    shape.left,
                    shape.top,
                    shape.left + shape.width,
                    shape.top + sum(row.height for row in shape.table.rows),
                )
                boxes.append(tuple(edge / _POINT for edge in frame))
            elif layout.has(index):
                left, top, width, height = layout.slot(index).box
                boxes.append((left, top, left + width, top + height))
        for letter in letters(page):
            slack = 2.5
            if not any(
                left - slack <= letter.left
                and letter.right <= right + slack
                and top - slack <= letter.top
                and letter.bottom <= bottom + slack
                for left, top, right, bottom in boxes
            ):
                found.append(f"page {number} ({written.layout}): {letter}")
                break
            if letter.size < 15.4:
                found.append(f"page {number} ({written.layout}): small: {letter}")
                break
    document.close()
    return found
