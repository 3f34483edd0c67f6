"""What is put upon a cover: a logo, and the mark that says how the deck was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from PIL import Image, UnidentifiedImageError
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Emu, Pt

_SIZE: Final = 12
_WIDE: Final = 96
"""Points of the mark: its text, and its width."""
_MARKS: Final = {"zh": "AI生成", "en": "AI-generated"}
_PICTURES: Final = ("PNG", "JPEG", "GIF", "BMP")


def stamp(path: Path, language: str, *, logo: Path | None, marked: bool) -> None:
    """Put a logo and the mark on a deck's cover, in place.

    Parameters
    ----------
    logo : Path, optional
        A picture; one that cannot be read is left out.
    marked : bool
        Whether it is said that the deck was generated.
    """
    seen = None if logo is None else _seen(logo)
    if seen is None and not marked:
        return
    document = Presentation(str(path))
    across, down = document.slide_width or 0, document.slide_height or 0
    if logo is not None and seen is not None:
        _logo(document.slides[0], logo, seen, (across, down))
    if marked:
        _mark(document.slides[0], _MARKS.get(language.partition("-")[0], _MARKS["en"]), (across, down))
    document.save(str(path))


def _logo(cover: Any, logo: Path, seen: tuple[int, int, bool], page: tuple[int, int]) -> None:
    """Put a logo at the top on the left, where none of our designs has anything of weight."""
    wide, high, clear = seen
    across, down = page
    scale = min(across * 0.16 / wide, down * 0.1 / high)
    wide, high = round(wide * scale), round(high * scale)
    left, top = across * 7 // 100, down // 10
    if clear:
        # Drawn for paper: on a dark cover nothing might be seen of it.
        pad = down // 90
        plate = cover.shapes.add_shape(
            MSO_SHAPE.RECTANGLE, Emu(left - pad), Emu(top - pad), Emu(wide + 2 * pad), Emu(high + 2 * pad)
        )
        plate.fill.solid()
        plate.fill.fore_color.rgb = RGBColor(255, 255, 255)
        plate.line.fill.background()
    cover.shapes.add_picture(str(logo), Emu(left), Emu(top), Emu(wide), Emu(high))


def _mark(cover: Any, words: str, page: tuple[int, int]) -> None:
    across, down = page
    wide, high, margin = Pt(_WIDE), Pt(2 * _SIZE), across // 40
    box = cover.shapes.add_textbox(Emu(across - margin - wide), Emu(down - margin - high), wide, high)
    # Readable on whatever a design's cover has there.
    box.fill.solid()
    box.fill.fore_color.theme_color = MSO_THEME_COLOR.BACKGROUND_1
    box.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    paragraph = box.text_frame.paragraphs[0]
    paragraph.alignment = PP_ALIGN.CENTER
    run = paragraph.add_run()
    run.text = words
    run.font.size = Pt(_SIZE)
    run.font.color.theme_color = MSO_THEME_COLOR.TEXT_1


def _seen(path: Path) -> tuple[int, int, bool] | None:
    """Return a picture's width and height, and whether it may be clear in places; None where it is none."""
    try:
        with Image.open(path) as image:
            if image.format not in _PICTURES or min(image.size) == 0:
                return None
            return *image.size, image.has_transparency_data
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
