"""Pictures of a deck's pages: by LibreOffice where it is installed, else by our own simpler renderer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pypdfium2
from PIL import Image

from . import office
from .pictures import png
from .raster import Renderer

LIBREOFFICE: Final = "libreoffice"
SIMPLE: Final = "simple"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A deck's pictures.

    Attributes
    ----------
    pages : list of Path
        In order.
    renderer : str
        `libreoffice` or `simple`.
    """

    pages: list[Path]
    renderer: str


def renderer() -> str:
    """Return which renderer draws here."""
    return LIBREOFFICE if office.program() else SIMPLE


def draw(
    path: Path,
    folder: Path,
    *,
    width: int = 1280,
    by: str = "",
    told: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Draw all pages as `page-1.png`, …

    Parameters
    ----------
    width : int
        Pixels.
    by : str
        `libreoffice` or `simple`; empty: the best there is.
    told : callable, optional
        Is told the number of each page that lies there, and of all pages.

    Raises
    ------
    Refusal
        `unreadable` if LibreOffice cannot read it; `timeout` if it takes too long.
    """
    chosen = by or renderer()
    pages: list[Path] = []
    images = _by_office(path, width) if chosen == LIBREOFFICE else _simply(path, width)
    for number, (count, image) in enumerate(images, 1):
        page = folder / f"page-{number}.png"
        page.write_bytes(png(image))
        pages.append(page)
        if told is not None:
            told(number, count)
    return Drawn(pages, chosen)


def _simply(path: Path, width: int) -> Iterator[tuple[int, Image.Image]]:
    drawn = Renderer(path, width)
    for image in drawn:
        yield drawn.count, image


def _by_office(path: Path, width: int) -> Iterator[tuple[int, Image.Image]]:
    with tempfile.TemporaryDirectory(prefix="deeepai-pages-") as folder:
        document = pypdfium2.PdfDocument(office.pdf(path, Path(folder)))
        try:
            count = len(document)
            for page in document:
                yield count, page.render(scale=width / page.get_width()).to_pil()
        finally:
            document.close()
