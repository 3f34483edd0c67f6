"""Documents as callers send them, page by page: what their own text says, and what has to be read from pixels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pypdfium2
from PIL import Image, ImageOps

from ..images import opening
from ..jobs import Refusal
from . import layout, office, reading, tables
from .model import Block, Box, Line, Page, Quad

DPI: Final = 200
"""At which pages of a PDF are read."""
RULES_DPI: Final = 100
"""At which the rules of tables are looked for where the text is known."""
MOST_PAGES, MOST_READ = 2_000, 300
"""Pages of a document, and of those that are to be read from pixels."""
MOST_PIXELS: Final = 40_000_000
"""Of a page: PDF's may be as large as a wall."""
_OLD: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How Office's older formats begin, and its encrypted ones."""
_OLDER: Final = ("doc", "xls", "ppt", "rtf", "odt", "ods", "odp")
_TELLING: Final = 8
"""Letters from which on a page's own text counts."""

Told = Callable[[int, int], None]
"""Is told how many of how many pages are done."""


@dataclass(slots=True)
class Document:
    """A document that was read.

    Attributes
    ----------
    pictures : list of Path
        Of its pages, upright, where they came as pictures.
    pdf : Path or None
        Where it is a PDF.
    """

    pages: list[Page] = field(default_factory=list[Page])
    pictures: list[Path] = field(default_factory=list[Path])
    pdf: Path | None = None


def read(path: Path, name: str, password: str, folder: Path, told: Told) -> Document:
    """Read a document.

    Parameters
    ----------
    path : Path
    name : str
        As its owner calls it.
    password : str
        Of a PDF.
    folder : Path
        For pictures of its pages.
    told : callable

    Raises
    ------
    Refusal
    """
    with path.open("rb") as file:
        head = file.read(1024)
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    if not head:
        raise Refusal("unreadable", "The document is empty: it has no bytes.")
    if b"%PDF-" in head:
        return _pdf(path, password, told)
    if head.startswith(b"PK"):
        kind = office.kind(path)
        if kind:
            return Document(office.read(path, kind, _shown))
        if suffix not in _OLDER:
            raise Refusal("unsupported", "This kind of file is not read here.")
    if head.startswith(_OLD) and "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        raise Refusal("password", "The document is encrypted; of those, PDFs alone are opened here.")
    if head.startswith((_OLD, b"{\\rtf")) or (head.startswith(b"PK") and suffix in _OLDER):
        return _pdf(office.converted(path, suffix), "", told)
    return _pictures(path, folder, told)


# Pictures ----------------------------------------------------------------------------------------------------------


def _pictures(path: Path, folder: Path, told: Told) -> Document:
    found = Document()
    frames = list(_frames(path))
    for number, image in enumerate(frames):
        page, upright = of_pixels(_pixels(image()))
        picture = folder / f"page-{number + 1}.jpg"
        cv2.imwrite(str(picture), upright, [cv2.IMWRITE_JPEG_QUALITY, 90])
        found.pages.append(page)
        found.pictures.append(picture)
        told(number + 1, len(frames))
    return found


def _frames(path: Path) -> Iterator[Callable[[], Image.Image]]:
    """Yield what opens each page: a TIFF may have several."""
    count = 1
    try:
        with Image.open(path, formats=opening.FORMATS) as image:
            if image.format == "TIFF":
                count = getattr(image, "n_frames", 1)
    except Exception:
        # `opened` says what is wrong with it.
        count = 1
    if count > MOST_READ:
        raise Refusal("too_large", f"The picture has {count} pages; at most {MOST_READ} are read.")
    yield lambda: opening.opened(path, pixels=MOST_PIXELS).rgb()
    for number in range(1, count):
        yield lambda number=number: _frame(path, number)


def _frame(path: Path, number: int) -> Image.Image:
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            image.seek(number)
            if image.width * image.height > MOST_PIXELS:
                raise Refusal("too_large", f"Page {number + 1} has too many pixels.")
            out = io.BytesIO()
            ImageOps.exif_transpose(image.convert("RGB")).save(out, "PNG", compress_level=1)
            return Image.open(out)
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        raise Refusal("unreadable", f"Page {number + 1} of the picture is cut short or spoiled.") from error


def _pixels(image: Image.Image) -> reading.Pixels:
    return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)


def of_pixels(pixels: reading.Pixels, dpi: float = 150.0) -> tuple[Page, reading.Pixels]:
    """Read a page; return the picture as well, upright."""
    found = reading.read(pixels)
    height, width = found.upright.shape[:2]
    blocks = arranged(found.lines, found.upright, found.skew)
    return Page(width, height, blocks, found.turn, found.skew, dpi), found.upright


def arranged(lines: Sequence[Line], pixels: reading.Pixels | None, skew: float) -> list[Block]:
    """Put a page's lines in order, its tables found."""
    found = tables.ruled(pixels, skew, lines) if pixels is not None else []
    found += tables.aligned(_outside(lines, found))
    return layout.ordered(_outside(lines, found), found)


def _outside(lines: Sequence[Line], found: Sequence[Any]) -> list[Line]:
    inside = {id(line) for table in found for line in table.lines}
    return [line for line in lines if id(line) not in inside]


def _shown(data: bytes) -> list[Block]:
    """Return what a picture within a document says; nothing where it is none that is read here."""
    try:
        with Image.open(io.BytesIO(data), formats=opening.FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return []
            image.load()
            return of_pixels(_pixels(opening.flat(image.convert("RGBA"))))[0].blocks
    except MemoryError:
        raise
    except Exception:
        return []


# PDF ---------------------------------------------------------------------------------------------------------------


def _pdf(path: Path, password: str, told: Told) -> Document:
    try:
        opened = pypdfium2.PdfDocument(path, password=password or None)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            message = "The password is wrong." if password else "The document needs a password."
            raise Refusal("password", message) from error
        raise Refusal("unreadable", "The document is no PDF that can be read.") from error
    try:
        count = len(opened)
        if count > MOST_PAGES:
            raise Refusal("too_large", f"The document has {count} pages; at most {MOST_PAGES} are taken.")
        if count == 0:
            raise Refusal("unreadable", "The document has no pages.")
        found, scanned = Document(pdf=path), 0
        for number in range(count):
            try:
                page = _page(opened, number)
            except pypdfium2.PdfiumError as error:
                raise Refusal("unreadable", f"Page {number + 1} is spoiled.") from error
            scanned += page.scanned
            if scanned > MOST_READ:
                raise Refusal("too_large", f"More than {MOST_READ} pages are pictures of text.")
            found.pages.append(page)
            told(number + 1, count)
        return found
    finally:
        opened.close()


def _page(opened: Any, number: int) -> Page:
    page = opened[number]
    try:
        wide, high = page.get_size()
        lines = _own_text(page, high)
        if sum(len(line.text) for line in lines) >= _TELLING:
            pixels = _drawn(page, RULES_DPI)
            scale = pixels.shape[1] / max(wide, 1)
            lines = [_scaled(line, scale) for line in lines]
            return Page(pixels.shape[1], pixels.shape[0], arranged(lines, pixels, 0.0), dpi=RULES_DPI, scanned=False)
        return of_pixels(_drawn(page, DPI), DPI)[0]
    finally:
        page.close()


def _drawn(page: Any, dpi: int) -> reading.Pixels:
    wide, high = page.get_size()
    scale = dpi / 72
    if wide * high * scale * scale > MOST_PIXELS:
        scale = (MOST_PIXELS / (wide * high)) ** 0.5
    bitmap = page.render(scale=scale, rev_byteorder=False)
    drawn = bitmap.to_numpy()
    if drawn.ndim == 2 or drawn.shape[2] == 1:
        return cv2.cvtColor(drawn, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(drawn[:, :, :3])


def _own_text(page: Any, high: float) -> list[Line]:
    """Return the pieces of the page's own text, in points from the top left of the page as it is shown."""
    text = page.get_textpage()
    try:
        turned = page.get_rotation()
        lines: list[Line] = []
        for place in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(place)
            said = " ".join(text.get_text_bounded(left, bottom, right, top).split())
            # What has no letters, or letters without a meaning, is none that anybody could search for.
            if not said or "\ufffd" in said or said.isspace():
                continue
            if turned:
                return []
            box = Box(left, high - top, right, high - bottom)
            lines.append(Line(said, _corners(box), box))
        return lines
    finally:
        text.close()


def _corners(box: Box) -> Quad:
    return (box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)


def _scaled(line: Line, scale: float) -> Line:
    box = Box(*(side * scale for side in (line.box.left, line.box.top, line.box.right, line.box.bottom)))
    return replace(line, box=box, quad=_corners(box))
