"""What is put upon a cover: a logo, and the mark that says how the deck was made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError
from pptx import Presentation
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import PP_ALIGN
from pptx.util import Emu, Pt

_SIZE: Final = 12
"""Points of the mark."""
_MARKS: Final = {"zh": "AI生成", "en": "AI-generated"}


def stamp(path: Path, language: str, *, logo: Path | None, marked: bool) -> None:
    """Put a logo and the mark on a deck's cover, in place.

    Parameters
    ----------
    logo : Path, optional
        A picture; one that cannot be read is left out.
    marked : bool
        Whether it is said that the deck was generated.
    """
    size = None if logo is None else _size(logo)
    if size is None and not marked:
        return
    document = Presentation(str(path))
    across, down = document.slide_width or 0, document.slide_height or 0
    cover, margin = document.slides[0], across // 40
    if logo is not None and size is not None:
        wide, high = size
        scale = min(across * 0.14 / wide, down * 0.1 / high)
        wide, high = Emu(round(wide * scale)), Emu(round(high * scale))
        cover.shapes.add_picture(str(logo), Emu(across - margin - wide), Emu(margin), wide, high)
    if marked:
        wide, high = Emu(across // 6), Pt(2 * _SIZE)
        box = cover.shapes.add_textbox(Emu(across - margin - wide), Emu(down - margin - high), wide, high)
        paragraph = box.text_frame.paragraphs[0]
        paragraph.alignment = PP_ALIGN.RIGHT
        run = paragraph.add_run()
        run.text = _MARKS.get(language.partition("-")[0], _MARKS["en"])
        run.font.size = Pt(_SIZE)
        run.font.color.theme_color = MSO_THEME_COLOR.TEXT_1
    document.save(str(path))


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size if image.format in ("PNG", "JPEG", "GIF", "BMP") and min(image.size) > 0 else None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
