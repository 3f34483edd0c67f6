"""Text in boxes: properties by inheritance, lines, bullets, letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..fitting import BETWEEN, Unit, pieces, units
from ..fonts import Typeface, is_cjk, is_rtl, is_wide, opened, shaping
from .canvas import Box, Canvas
from .colours import RGBA, A, Palette

_SERIFS: Final = ("serif cjk", "宋", "仿", "楷", "song", "kai", "ming", "明")
_EMU: Final = 12700


@dataclass(frozen=True, slots=True)
class Fonts:
    """A theme's typefaces: Latin and Han, of headings and of text."""

    major: tuple[str, str] = ("Barlow", "Noto Sans CJK SC")
    minor: tuple[str, str] = ("Barlow", "Noto Sans CJK SC")

    def named(self, name: str) -> str:
        """Return a typeface, where `+mj-lt` and the like stand for the theme's."""
        if not name.startswith("+"):
            return name
        pair = self.major if name.startswith("+mj") else self.minor
        return pair[1 if name.endswith("ea") else 0]


def fonts_of(theme: Any) -> Fonts:
    """Read a theme's typefaces."""

    def pair(tag: str) -> tuple[str, str]:
        found = [theme.find(f".//{A}{tag}/{A}{script}") if theme is not None else None for script in ("latin", "ea")]
        latin, han = (one.get("typeface", "") if one is not None else "" for one in found)
        return latin or "Barlow", han or "Noto Sans CJK SC"

    return Fonts(pair("majorFont"), pair("minorFont"))


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is drawn; sizes in pixels."""

    typeface: Typeface
    size: float
    colour: RGBA
    italic: bool = False
    underlined: bool = False
    spacing: float = 0.0


@dataclass(slots=True)
class _Piece:
    text: str
    manner: Manner
    width: float


@dataclass(slots=True)
class _Line:
    pieces: list[_Piece]
    left: float
    room: float
    height: float = 0.0
    ascent: float = 0.0
    before: float = 0.0
    align: str = "l"
    bullet: _Piece | None = None
    bullet_left: float = 0.0

    @property
    def width(self) -> float:
        return sum(piece.width for piece in self.pieces)


class Chain:
    """Where a paragraph's properties come from, the nearest first."""

    def __init__(self, sources: Sequence[Any]) -> None:
        self._sources = sources

    def attribute(self, name: str, default: str = "") -> str:
        """Return the nearest value."""
        for source in self._sources:
            if (value := source.get(name)) is not None:
                return value
        return default

    def child(self, *names: str) -> Any:
        """Return the nearest element of any of the names."""
        for source in self._sources:
            for name in names:
                if (found := source.find(A + name)) is not None:
                    return found
        return None

    def runs(self, own: Any) -> Chain:
        """Return where a run's properties come from."""
        found = [own] if own is not None else []
        found += [inner for source in self._sources if (inner := source.find(f"{A}defRPr")) is not None]
        return Chain(found)


class TextBox:
    """A body of text, laid out.

    Parameters
    ----------
    body : element
        `p:txBody` or `a:txBody`.
    styles : list of element
        Lists of levels' properties, the nearest first.
    bodies : list of element
        `a:bodyPr` by inheritance, the nearest first.
    scale : float
        Pixels a point.
    """

    def __init__(
        self,
        body: Any,
        styles: Sequence[Any],
        bodies: Sequence[Any],
        palette: Palette,
        fonts: Fonts,
        scale: float,
        number: int,
        *,
        colour: RGBA | None = None,
        strong: bool = False,
    ) -> None:
        self._body = body
        self._styles = styles
        self._frame = Chain(bodies)
        self._palette = palette
        self._fonts = fonts
        self._scale = scale
        self._number = number
        self._colour = colour
        self._strong = strong
        fit = next((found for one in bodies if (found := one.find(f"{A}normAutofit")) is not None), None)
        self._shrink = float(fit.get("fontScale", "100000")) / 100_000 if fit is not None else 1.0

    def _inset(self, name: str, default: int) -> float:
        return float(self._frame.attribute(name, str(default))) / _EMU * self._scale

    def draw(self, canvas: Canvas, box: Box) -> None:
        """Draw it within a box of pixels."""
        left, top, width, height = box
        edges = [
            self._inset(name, size)
            for name, size in (("lIns", 91440), ("tIns", 45720), ("rIns", 91440), ("bIns", 45720))
        ]
        left, top = left + edges[0], top + edges[1]
        width, height = max(width - edges[0] - edges[2], 1.0), height - edges[1] - edges[3]
        wrapped = self._frame.attribute("wrap", "square") != "none"
        lines = self._lines(left, width if wrapped else 100_000.0)
        total = sum(line.height + line.before for line in lines)
        match self._frame.attribute("anchor", "t"):
            case "ctr":
                top += (height - total) / 2
            case "b":
                top += height - total
            case _:
                pass
        for line in lines:
            top += line.before
            self._draw_line(canvas, line, top, width)
            top += line.height

    def height(self, width: float) -> float:
        """Return how high it stands in so many pixels of width, without insets."""
        return sum(line.height + line.before for line in self._lines(0.0, max(width, 1.0)))

    def _lines(self, left: float, width: float) -> list[_Line]:
        lines: list[_Line] = []
        counter = 0
        for paragraph in self._body.findall(f"{A}p"):
            own = paragraph.find(f"{A}pPr")
            level = int(own.get("lvl", "0")) if own is not None else 0
            sources = [own] if own is not None else []
            levels = (style.find(f"{A}lvl{level + 1}pPr") for style in self._styles)
            sources += [found for found in levels if found is not None]
            chain = Chain(sources)
            made, counter = self._paragraph(paragraph, chain, left, width, counter)
            if lines and made:
                made[0].before = self._distance(chain.child("spcBef"), made[0].height)
            lines += made
        return lines

    def _distance(self, element: Any, height: float) -> float:
        if element is None or not len(element):
            return 0.0
        value = float(element[0].get("val", "0"))
        return height * value / 100_000 if element[0].tag == f"{A}spcPct" else value / 100 * self._scale

    def _paragraph(
        self, paragraph: Any, chain: Chain, left: float, width: float, counter: int
    ) -> tuple[list[_Line], int]:
        margin = float(chain.attribute("marL", "0")) / _EMU * self._scale
        indent = float(chain.attribute("indent", "0")) / _EMU * self._scale
        align = chain.attribute("algn", "l")
        room = max(width - margin, 1.0)
        runs: list[tuple[str, Manner]] = []
        for element in paragraph:
            tag = element.tag.removeprefix(A)
            if tag in ("r", "fld"):
                # python-pptx's elements have a `text` of their own, which lxml's `itertext` would tell as well.
                text = "".join(inner.text or "" for inner in element.iterfind(f"{A}t"))
                if tag == "fld" and element.get("type") == "slidenum":
                    text = str(self._number)
                runs.append((text, self._manner(chain.runs(element.find(f"{A}rPr")))))
            elif tag == "br":
                runs.append(("\v", self._manner(chain.runs(element.find(f"{A}rPr")))))
        if chain.attribute("rtl", "0") in ("1", "true"):
            # The margin is on the other side.
            left -= margin
        lines = self._broken(runs, left + margin, room)
        empty = self._manner(chain.runs(paragraph.find(f"{A}endParaRPr")))
        spacing = chain.child("lnSpc")
        for line in lines:
            line.align = align
            self._measure(line, empty, spacing)
        bullet = chain.child("buNone", "buChar", "buAutoNum")
        has_text = any(text.strip() for text, _ in runs)
        if bullet is not None and bullet.tag != f"{A}buNone" and has_text:
            numbered = bullet.tag == f"{A}buAutoNum"
            counter = max(counter + 1, int(bullet.get("startAt", "1"))) if numbered else 0
            sign = str(counter) if numbered else bullet.get("char", "•")
            if numbered and bullet.get("type", "").endswith("Period"):
                sign += "."
            manner = runs[0][1]
            tint = self._palette.read(chain.child("buClr"))
            manner = Manner(manner.typeface, manner.size, tint or manner.colour)
            lines[0].bullet = _Piece(sign, manner, 0.0)
            rtl = chain.attribute("rtl", "0") in ("1", "true")
            lines[0].bullet_left = left + margin + room + margin / 2 if rtl else left + margin + indent
        elif bullet is None or bullet.tag != f"{A}buAutoNum":
            counter = 0
            if lines and indent and not margin:
                lines[0].left += indent
        return lines, counter

    def _manner(self, chain: Chain) -> Manner:
        size = float(chain.attribute("sz", "1800")) / 100 * self._scale * self._shrink
        fill = chain.child("solidFill", "gradFill", "noFill")
        tint = self._palette.read(fill) if fill is not None else None
        bold = chain.attribute("b", "1" if self._strong else "0") in ("1", "true")
        language = chain.attribute("lang", "en-US")
        latin, han = chain.child("latin"), chain.child("ea")
        latin_name = self._fonts.named(latin.get("typeface", "") if latin is not None else "+mn-lt")
        han_name = self._fonts.named(han.get("typeface", "") if han is not None else "+mn-ea").lower()
        serif = any(word in han_name for word in _SERIFS)
        default = self._colour or (*self._palette.named("tx1"), 255)
        return Manner(
            Typeface(latin_name, serif, bold, language),
            round(size * 4) / 4,
            tint or default,
            chain.attribute("i", "0") in ("1", "true"),
            chain.attribute("u", "none") not in ("none", ""),
            float(chain.attribute("spc", "0")) / 100 * self._scale,
        )

    def _broken(self, runs: list[tuple[str, Manner]], left: float, room: float) -> list[_Line]:
        lines = [_Line([], left, room)]
        used = space = 0.0
        for text, manner in runs:
            if text == "\v":
                lines.append(_Line([], left, room))
                used = space = 0.0
                continue
            if text[:1].isspace() and used:
                space = manner.typeface.advance(" ") * manner.size
            for whole in units(text, manner.typeface):
                long = whole.width * manner.size + manner.spacing * whole.letters > room
                parts = pieces(whole, room / manner.size, manner.typeface) if long else (whole,)
                for unit in parts:
                    wide = unit.width * manner.size + manner.spacing * unit.letters
                    if used and used + space + wide > room + 0.01:
                        lines.append(_Line([], left, room))
                        used = space = 0.0
                    self._put(lines[-1], unit, manner, wide, space)
                    used += space + wide
                    space = unit.space * manner.size
        return lines

    @staticmethod
    def _put(line: _Line, unit: Unit, manner: Manner, width: float, space: float) -> None:
        text = unit.text
        if line.pieces and line.pieces[-1].manner == manner:
            last = line.pieces[-1]
            last.text += (" " if space else "") + text
            last.width += space + width
        else:
            if line.pieces:
                line.pieces[-1].width += space
            line.pieces.append(_Piece(text, manner, width))

    def _measure(self, line: _Line, empty: Manner, spacing: Any) -> None:
        natural = ascent = 0.0
        for manner, text in [(piece.manner, piece.text) for piece in line.pieces] or [(empty, "")]:
            face = manner.typeface
            han = any(is_wide(letter, cjk=is_cjk(face.language)) for letter in text)
            tall = (face.han_height if han else face.latin_height) * manner.size
            if tall > natural:
                natural, ascent = tall, tall * 0.8
        if spacing is not None and len(spacing):
            value = float(spacing[0].get("val", "100000"))
            fixed = spacing[0].tag == f"{A}spcPts"
            line.height = value / 100 * self._scale if fixed else natural * value / 100_000
        else:
            line.height = natural
        line.ascent = ascent - (natural - line.height if line.height < natural else 0.0)

    def _draw_line(self, canvas: Canvas, line: _Line, top: float, width: float) -> None:
        spare = line.room - line.width if line.room < 50_000 else width - line.width
        x = line.left + {"ctr": spare / 2, "r": spare}.get(line.align, 0.0)
        base = top + line.ascent
        if line.bullet is not None:
            self._letters(canvas, line.bullet, line.bullet_left, base)
        for piece in line.pieces:
            self._letters(canvas, piece, x, base)
            x += piece.width

    def _letters(self, canvas: Canvas, piece: _Piece, x: float, base: float) -> None:
        manner = piece.manner
        face_of = manner.typeface.face
        cjk = is_cjk(manner.typeface.language)
        if is_rtl(piece.text):
            first = next(letter for letter in piece.text if is_rtl(letter))
            font = shaping(face_of(first), manner.size)
            # Joined letters are narrower than they are alone: the line stands at its right end.
            canvas.draw.text((x + piece.width, base), piece.text, font=font, fill=manner.colour[:3], anchor="rs")
            return
        start = x
        group, group_x, group_face = "", x, None
        previous: bool | None = None
        for letter in piece.text:
            wide = None if letter.isspace() else is_wide(letter, cjk=cjk)
            face = group_face if wide is None and group_face is not None else face_of(letter, italic=manner.italic)
            if wide is not None and previous is not None and wide != previous:
                x += BETWEEN * manner.size
            if group and (face != group_face or manner.spacing or (wide is not None and wide != previous)):
                self._stamp(canvas, group, group_x, base, manner, group_face)
                group = ""
            if not group:
                group_x, group_face = x, face
            group += letter
            x += manner.typeface.advance(letter) * manner.size + manner.spacing
            previous = wide
        if group:
            self._stamp(canvas, group, group_x, base, manner, group_face)
        if manner.underlined:
            canvas.line(
                (start, base + manner.size * 0.12), (x, base + manner.size * 0.12), manner.size * 0.06, manner.colour
            )

    @staticmethod
    def _stamp(canvas: Canvas, text: str, x: float, base: float, manner: Manner, face: Any) -> None:
        if not text.strip() or manner.size < 1:
            return
        font = opened(face, manner.size)
        stroke = manner.size * 0.022 if face.emboldened else 0
        if manner.colour[3] == 255:
            canvas.draw.text((x, base), text, font=font, fill=manner.colour[:3], anchor="ls", stroke_width=stroke)
            return
        left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor="ls"))
        from PIL import Image, ImageDraw

        mask = Image.new("L", (max(right - left, 1) + 4, max(bottom - top, 1) + 4))
        ImageDraw.Draw(mask).text(
            (2 - left, 2 - top), text, font=font, fill=manner.colour[3], anchor="ls", stroke_width=stroke
        )
        position = (round(x + left) - 2, round(base + top) - 2)
        canvas.image.paste(manner.colour[:3], (*position, position[0] + mask.width, position[1] + mask.height), mask)
