"""Fonts within PDFs: of just the letters that a document has, out of the typeface that a package ships."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.resources import as_file, files
from io import BytesIO
from typing import Any, Final

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from .model import is_wide

SIMPLIFIED_CHINESE: Final = 2
"""The face of the collection whose letter forms are those of simplified Chinese."""
UNITS: Final = 1000
_ASCENT, _DESCENT = 880, -120
_EXACT: Final = 1.0
"""Units by which curves may differ from the typeface's own, which are of another degree."""


def subset(name: str, letters: Iterable[str], *, seen: bool) -> bytes:
    """Return a TrueType font that has some letters.

    Parameters
    ----------
    name : str
        Of the font.
    letters : iterable of str
    seen : bool
        Whether it is drawn. Of a text that lies invisibly over a picture each letter is a box: readers take from its
        outline what is selected where.
    """
    wanted = sorted({letter for letter in letters if letter >= " " and ord(letter) <= 0xFFFF} | {" ", "?"})
    named = {ord(letter): f"uni{ord(letter):04X}" for letter in wanted}
    order = [".notdef", *named.values()]
    glyphs: dict[str, Any] = {}
    widths = {glyph: (UNITS if is_wide(chr(code)) else UNITS // 2, 0) for code, glyph in named.items()}
    widths[".notdef"] = (UNITS // 2, 0)
    glyphs |= {name: _box(width) for name, (width, _) in widths.items()}
    glyphs["uni0020"] = TTGlyphPen(None).glyph()
    if seen:
        _draw(named, glyphs, widths)
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(named)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(widths)
    builder.setupHorizontalHeader(ascent=_ASCENT, descent=_DESCENT)
    builder.setupNameTable({"familyName": name, "styleName": "Regular", "psName": f"{name}-Regular"})
    builder.setupOS2(sTypoAscender=_ASCENT, sTypoDescender=_DESCENT, usWinAscent=_ASCENT, usWinDescent=-_DESCENT)
    builder.setupPost()
    out = BytesIO()
    builder.save(out)
    return out.getvalue()


def _box(width: int) -> Any:
    pen = TTGlyphPen(None)
    pen.moveTo((0, _DESCENT))
    for corner in ((0, _ASCENT), (width, _ASCENT), (width, _DESCENT)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


@functools.cache
def _typeface() -> TTFont:
    with as_file(files("noto_cjk_sans_otc") / "NotoSansCJK-Regular.ttc") as path:
        return TTFont(path, fontNumber=SIMPLIFIED_CHINESE, lazy=True)


def _draw(names: dict[int, str], glyphs: dict[str, Any], widths: dict[str, tuple[int, int]]) -> None:
    """Draw the letters that the typeface has; its curves are cubic, TrueType's quadratic."""
    typeface = _typeface()
    own, mapped = typeface.getGlyphSet(), typeface.getBestCmap() or {}
    scale = UNITS / typeface["head"].unitsPerEm  # type: ignore[attr-defined]
    assert scale == 1, "the typeface is drawn in thousandths"
    for code, name in names.items():
        glyph = own[mapped.get(code, ".notdef")]
        pen = TTGlyphPen(None)
        glyph.draw(Cu2QuPen(pen, _EXACT, reverse_direction=True))
        glyphs[name] = pen.glyph()
        widths[name] = (round(glyph.width), 0)
