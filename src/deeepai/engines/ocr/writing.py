"""What was read, written as text, JSON, docx, xlsx and pptx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from .model import Block, Page, Paragraph, Table

_FACE: Final = "Noto Sans CJK SC"
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?")
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")
_LONGEST_CELL: Final = 32_767
_EMU_INCH: Final = 914_400
_SLIDE_INCHES: Final = 13.333
_MOST_SLIDE_INCHES: Final = 56.0


def clean(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return _UNWRITABLE.sub("", text)


def plain(pages: Sequence[Page]) -> str:
    """Return all text: lines as they stand, a blank line between paragraphs, a tab between a table's cells."""
    parts = ["\n\n".join(_plain(block) for block in page.blocks) for page in pages]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain(block: Block) -> str:
    if isinstance(block, Paragraph):
        return "\n".join(block.texts)
    return "\n".join("\t".join(" ".join(text.split()) for text in row) for row in block.grid())


def as_json(pages: Sequence[Page]) -> bytes:
    """Return pages, blocks and lines with their places, in pixels of the upright page."""
    told = [
        {
            "page": number,
            "width": round(page.width),
            "height": round(page.height),
            "turn": page.turn,
            "skew": round(page.skew, 2),
            "scanned": page.scanned,
            "blocks": [_told(block) for block in page.blocks],
        }
        for number, page in enumerate(pages, 1)
    ]
    return msgspec.json.encode({"text": plain(pages), "pages": told})


def _told(block: Block) -> dict[str, Any]:
    lines = [
        {
            "text": line.text,
            "box": [[round(x, 1), round(y, 1)] for x, y in line.quad],
            "score": round(line.score, 4),
            "vertical": line.vertical,
        }
        for line in block.lines
    ]
    if isinstance(block, Paragraph):
        return {"type": "paragraph", "text": block.text, "level": block.level, "lines": lines}
    cells = [
        {"row": c.row, "column": c.column, "rows": c.rows, "columns": c.columns, "text": c.text} for c in block.cells
    ]
    return {"type": "table", "rows": block.rows, "columns": block.columns, "cells": cells, "lines": lines}


# Word --------------------------------------------------------------------------------------------------------------


def docx(pages: Sequence[Page], path: Path, title: str) -> None:
    """Write a document of Word: paragraphs, headings and tables, pages apart."""
    from docx import Document
    from docx.oxml.ns import qn
    from docx.shared import Pt

    document: Any = Document()
    document.core_properties.title = clean(title)[:255]
    normal = document.styles["Normal"]
    normal.font.name = "Calibri"
    normal.font.size = Pt(10.5)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), _FACE)
    for number, page in enumerate(pages):
        if number:
            document.add_page_break()
        usual = _usual(page)
        for block in page.blocks:
            if isinstance(block, Table):
                _word_table(document, block)
                continue
            level = block.level or _level(block, usual)
            text = clean(block.text)
            document.add_heading(text, level) if level else document.add_paragraph(text)
    document.save(str(path))


def _usual(page: Page) -> float:
    """Return the size of most of a page's letters."""
    sizes = sorted((line.size, len(line.text)) for line in page.lines)
    half, passed = sum(count for _, count in sizes) / 2, 0
    for size, count in sizes:
        passed += count
        if passed >= half:
            return size
    return 0.0


def _level(block: Paragraph, usual: float) -> int:
    """Return which heading a short paragraph of larger letters is; 0: none."""
    if not usual or len(block.rows) > 2 or len(block.text) > 120 or not block.lines[0].score:
        return 0
    larger = block.size / usual
    return 1 if larger >= 1.6 else 2 if larger >= 1.3 else 0


def _word_table(document: Any, table: Table) -> None:
    grid = document.add_table(table.rows, table.columns)
    grid.style = "Table Grid"
    for cell in table.cells:
        there = grid.cell(cell.row, cell.column)
        if cell.rows * cell.columns > 1:
            there = there.merge(grid.cell(cell.row + cell.rows - 1, cell.column + cell.columns - 1))
        there.text = clean(cell.text)
    document.add_paragraph()


# Excel -------------------------------------------------------------------------------------------------------------


def xlsx(pages: Sequence[Page], path: Path) -> None:
    """Write a workbook, a sheet for each page: tables as cells, paragraphs in the first column."""
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book: Any = Workbook()
    book.remove(book.active)
    for number, page in enumerate(pages, 1):
        names = [block.name for block in page.blocks if isinstance(block, Table) and block.name]
        title = re.sub(r"[\[\]:*?/\\]", " ", clean(names[0])) if names else f"Page {number}"
        sheet = book.create_sheet(title[:31] or f"Page {number}")
        row, widths = 1, dict[int, int]()
        for block in page.blocks:
            if isinstance(block, Paragraph):
                for text in block.texts:
                    _put(sheet.cell(row, 1), text)
                    row += 1
                continue
            for cell in block.cells:
                there = sheet.cell(row + cell.row, 1 + cell.column)
                _put(there, cell.text)
                widths[1 + cell.column] = max(widths.get(1 + cell.column, 0), _wide(cell.text) // cell.columns)
                if cell.rows * cell.columns > 1:
                    sheet.merge_cells(
                        start_row=row + cell.row,
                        end_row=row + cell.row + cell.rows - 1,
                        start_column=1 + cell.column,
                        end_column=cell.column + cell.columns,
                    )
            row += block.rows + 1
        for column, wide in widths.items():
            sheet.column_dimensions[get_column_letter(column)].width = min(max(wide + 2, 9), 60)
    book.save(path)


def _wide(text: str) -> int:
    return max((sum(2 if ord(letter) > 0x2E80 else 1 for letter in row) for row in text.splitlines()), default=0)


def _put(cell: Any, text: str) -> None:
    """Put a number into a cell where a text is nothing else; what looks like a formula stays a text."""
    text = clean(text)[:_LONGEST_CELL]
    if _NUMBER.fullmatch(text):
        cell.value = float(text) if "." in text else int(text)
    else:
        cell.value = text
        cell.data_type = "s"


# PowerPoint --------------------------------------------------------------------------------------------------------


def pptx(pages: Sequence[Page], path: Path) -> None:
    """Write a deck, a slide for each page: its text in boxes where it stood, its tables as tables."""
    from pptx import Presentation
    from pptx.util import Emu

    deck: Any = Presentation()
    first = pages[0] if pages else Page(16, 9)
    high = _SLIDE_INCHES * first.height / max(first.width, 1)
    wide = _SLIDE_INCHES * min(1.0, _MOST_SLIDE_INCHES / high)
    high = min(max(high, 1.0), _MOST_SLIDE_INCHES)
    deck.slide_width, deck.slide_height = Emu(round(wide * _EMU_INCH)), Emu(round(high * _EMU_INCH))
    blank = deck.slide_layouts[6]
    for page in pages:
        slide = deck.slides.add_slide(blank)
        scale = min(deck.slide_width / max(page.width, 1), deck.slide_height / max(page.height, 1))
        for block in page.blocks:
            if isinstance(block, Table):
                _slide_table(slide, block, scale)
            else:
                _slide_text(slide, block, scale)
    deck.save(str(path))


def _slide_text(slide: Any, block: Paragraph, scale: float) -> None:
    from pptx.util import Emu, Pt

    box = block.box
    size = max(min(block.size * scale / 12_700 * 0.72, 400), 1)
    frame = slide.shapes.add_textbox(*(Emu(round(v * scale)) for v in (box.left, box.top, box.width, box.height)))
    text = frame.text_frame
    text.margin_left = text.margin_right = text.margin_top = text.margin_bottom = 0
    text.word_wrap = True
    run = text.paragraphs[0].add_run()
    run.text = clean(block.text)
    run.font.size = Pt(round(size, 1))
    _faces(run)


def _faces(run: Any) -> None:
    """Set the typeface of Chinese letters, too: PowerPoint and LibreOffice take it from a place of its own."""
    from pptx.oxml.ns import qn

    properties = run._r.get_or_add_rPr()
    east = properties.makeelement(qn("a:ea"), {"typeface": _FACE})
    properties.append(east)


def _slide_table(slide: Any, block: Table, scale: float) -> None:
    from pptx.util import Emu, Pt

    box = block.box
    place = [Emu(max(round(v * scale), 1)) for v in (box.left, box.top, box.width, box.height)]
    grid = slide.shapes.add_table(block.rows, block.columns, *place).table
    sizes = sorted(line.size for line in block.lines) or [20]
    size = max(min(sizes[len(sizes) // 2] * scale / 12_700 * 0.72, 400), 1)
    for cell in block.cells:
        there = grid.cell(cell.row, cell.column)
        if cell.rows * cell.columns > 1:
            there.merge(grid.cell(cell.row + cell.rows - 1, cell.column + cell.columns - 1))
        run = there.text_frame.paragraphs[0].add_run()
        run.text = clean(cell.text)
        run.font.size = Pt(round(size, 1))
        _faces(run)
