"""Documents of Office: their text and tables as they say them, and what their pictures show."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ..jobs import Refusal
from .model import Block, Box, Cell, Line, Page, Paragraph, Quad, Table

MOST_PARTS, MOST_UNPACKED = 10_000, 512 * 2**20
"""Of a package: files in it, and bytes that they unpack to."""
MOST_ROWS, MOST_COLUMNS = 100_000, 1_000
"""Of a sheet."""
LONGEST_CONVERSION: Final = 90.0
"""Seconds."""
_KINDS: Final = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
Shown = Callable[[bytes], list[Block]]
"""What a picture within a document says."""


def kind(path: Path) -> str:
    """Return which of `docx`, `xlsx` and `pptx` a package is, and judge it; empty where it is none.

    Raises
    ------
    Refusal
        `too_large` or `unreadable`
    """
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise Refusal("too_large", "The document unpacks to more than is taken here.")
            names = [part.filename for part in parts]
            if "[Content_Types].xml" not in names:
                return ""
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with package.open(part) as file:
                        if b"<!DOCTYPE" in file.read(4096):
                            raise Refusal("unreadable", "The document declares entities, which none of its kind does.")
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise Refusal("unreadable", "The document is cut short or spoiled.") from error
    return next((name for folder, name in _KINDS.items() if any(part.startswith(folder) for part in names)), "")


def read(path: Path, which: str, shown: Shown) -> list[Page]:
    """Read a document.

    Raises
    ------
    Refusal
        `unreadable` or `too_large`
    """
    try:
        return {"docx": _docx, "xlsx": _xlsx, "pptx": _pptx}[which](path, shown)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        # What the libraries make of spoiled packages has no bounds: KeyError, XMLSyntaxError, AttributeError …
        raise Refusal("unreadable", "The document is cut short or spoiled.") from error


def converted(path: Path, suffix: str) -> Path:
    """Turn a document of an older format into PDF by LibreOffice; return where that lies.

    Raises
    ------
    Refusal
        `unsupported` where it is not installed; `unreadable`
    """
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        raise Refusal("unsupported", f"{suffix or 'This kind of file'} is read only where LibreOffice is installed.")
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    given = folder / f"given.{suffix or 'doc'}"
    shutil.copyfile(path, given)
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [office, profile, "--headless", "--norestore", "--convert-to", "pdf", "--outdir", str(folder), str(given)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_CONVERSION)
    except (subprocess.SubprocessError, OSError) as error:
        raise Refusal("unreadable", "LibreOffice cannot read the document.") from error
    made = folder / "given.pdf"
    if not made.is_file():
        raise Refusal("unreadable", "LibreOffice cannot read the document.")
    return made


# Word --------------------------------------------------------------------------------------------------------------


class _Flow:
    """Makes lines of a text that has no places: one below the other, as a page would have them."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._y = 0.0

    def line(self, text: str) -> Line:
        """Place a line."""
        box = Box(0, self._y, 12.0 * max(len(text), 1), self._y + 20)
        self._y += 30
        quad: Quad = (
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        )
        return Line(text, quad, box)

    def paragraph(self, text: str, level: int = 0) -> None:
        """Place a paragraph, if it says anything."""
        rows = [[self.line(row.strip())] for row in text.splitlines() if row.strip()]
        if rows:
            self.blocks.append(Paragraph(rows, level))

    def table(self, cells: Sequence[Cell], name: str = "") -> None:
        """Place a table."""
        if not cells:
            return
        rows = max(cell.row + cell.rows for cell in cells)
        columns = max(cell.column + cell.columns for cell in cells)
        lines = [self.line(cell.text) for cell in cells if cell.text.strip()]
        self.blocks.append(Table(rows, columns, cells, Box(0, 0, 100, self._y), lines, name))

    def page(self) -> Page:
        """Return what was placed as a page."""
        return Page(1240, max(self._y, 100), self.blocks, scanned=False)


def _docx(path: Path, shown: Shown) -> list[Page]:
    import docx
    from docx.table import Table as WordTable
    from docx.text.paragraph import Paragraph as WordParagraph

    document: Any = docx.Document(str(path))
    flow = _Flow()
    for item in document.iter_inner_content():
        if isinstance(item, WordTable):
            flow.table(_word_cells(item))
            continue
        assert isinstance(item, WordParagraph)
        style = (item.style.name if item.style is not None else "") or ""
        level = int(style[8:]) if style.startswith("Heading ") and style[8:].isdecimal() else int(style == "Title")
        flow.paragraph(item.text, min(level, 6))
        # A paragraph has no public way to its XML, where its pictures are named.
        for relation in item._p.xpath(".//a:blip/@r:embed"):  # pyright: ignore[reportPrivateUsage]
            part = document.part.related_parts.get(relation)
            if part is not None:
                flow.blocks += shown(part.blob)
    return [flow.page()]


def _word_cells(table: Any) -> list[Cell]:
    cells: list[Cell] = []
    seen: dict[Any, int] = {}
    for number, row in enumerate(table.rows):
        for place, cell in enumerate(row.cells):
            element = cell._tc
            if element in seen:
                first = cells[seen[element]]
                cells[seen[element]] = Cell(
                    first.row,
                    first.column,
                    first.text,
                    number - first.row + 1,
                    max(place - first.column + 1, first.columns),
                )
            else:
                seen[element] = len(cells)
                cells.append(Cell(number, place, cell.text))
    return cells


# Excel -------------------------------------------------------------------------------------------------------------


def _xlsx(path: Path, shown: Shown) -> list[Page]:
    import openpyxl

    # What formulas were worked out to is what a reader sees.
    with path.open("rb") as file:
        book: Any = openpyxl.load_workbook(file, data_only=True)
    pages: list[Page] = []
    for sheet in book.worksheets:
        flow = _Flow()
        if (sheet.max_row or 0) > MOST_ROWS or (sheet.max_column or 0) > MOST_COLUMNS:
            raise Refusal("too_large", f"A sheet has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns.")
        spans = {(area.min_row, area.min_col): area for area in sheet.merged_cells.ranges}
        cells: list[Cell] = []
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is None:
                    continue
                area = spans.get((cell.row, cell.column))
                rows, columns = (area.size["rows"], area.size["columns"]) if area is not None else (1, 1)
                cells.append(Cell(cell.row - 1, cell.column - 1, str(cell.value), rows, columns))
        flow.table(cells, sheet.title)
        for image in getattr(sheet, "_images", ()):
            flow.blocks += shown(image._data())
        pages.append(flow.page())
    return pages


# PowerPoint --------------------------------------------------------------------------------------------------------


def _pptx(path: Path, shown: Shown) -> list[Page]:
    from pptx import Presentation

    deck: Any = Presentation(str(path))
    pages: list[Page] = []
    for slide in deck.slides:
        flow = _Flow()
        title = slide.shapes.title
        if title is not None and title.has_text_frame:
            flow.paragraph(title.text_frame.text, 1)
        for shape in _shapes(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            if shape.has_text_frame:
                for paragraph in shape.text_frame.paragraphs:
                    flow.paragraph(paragraph.text)
            elif getattr(shape, "has_table", False) and shape.has_table:
                rows = list(shape.table.rows)
                flow.table(
                    [
                        Cell(row, column, cell.text, cell.span_height, cell.span_width)
                        for row, each in enumerate(rows)
                        for column, cell in enumerate(each.cells)
                        if not cell.is_spanned
                    ]
                )
            elif hasattr(shape, "image"):
                flow.blocks += shown(shape.image.blob)
        pages.append(flow.page())
    return pages


def _shapes(shapes: Any) -> Iterator[Any]:
    """Yield shapes, those of groups among them, as they stand: from top to bottom, then from left to right."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape
