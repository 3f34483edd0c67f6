"""Charts from the values that their parts keep: bars, lines, pies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from ..fonts import Typeface, is_cjk, is_wide, opened
from .canvas import Box, Canvas, Point
from .colours import RGBA, A, Palette

C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_PLOTS: Final = ("barChart", "lineChart", "pieChart", "doughnutChart", "areaChart")


@dataclass(slots=True)
class _Series:
    name: str
    values: list[float]
    colour: RGBA
    points: dict[int, RGBA]


def _values(parent: Any) -> list[str]:
    if parent is None:
        return []
    count = parent.find(f".//{C}ptCount")
    found = [""] * (min(int(count.get("val", "0")), 1000) if count is not None else 0)
    for point in parent.iter(f"{C}pt"):
        at, value = int(point.get("idx", "0")), point.find(f"{C}v")
        if at < len(found) and value is not None:
            found[at] = value.text or ""
    return found


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def shown(value: float, form: str) -> str:
    """Return a value as its number format shows it: places, thousands, per cent, a unit in quotes."""
    main, _, rest = form.partition('"')
    unit = rest.partition('"')[0]
    places = len(main.partition(".")[2].rstrip("%").strip())
    if "%" in main:
        return f"{value * 100:.{places}f}%"
    if form in ("General", ""):
        return f"{value:g}"
    return f"{value:{',' if ',' in main else ''}.{places}f}{unit}"


class ChartDrawing:
    """A chart's part, drawn.

    Parameters
    ----------
    space : element
        `c:chartSpace`.
    scale : float
        Pixels a point.
    """

    def __init__(self, space: Any, palette: Palette, latin: str, language: str, scale: float) -> None:
        self._palette = palette
        self._scale = scale
        area = space.find(f".//{C}plotArea")
        self._plot = (
            next((one for one in area if one.tag.removeprefix(C) in _PLOTS), None) if area is not None else None
        )
        self._kind = self._plot.tag.removeprefix(C) if self._plot is not None else ""
        self._face = Typeface(latin, False, False, language)
        size = space.find(f"{C}txPr//{A}defRPr")
        self._size = float(size.get("sz", "1600") if size is not None else "1600") / 100 * scale
        self._legend = space.find(f".//{C}legend") is not None
        self._text: RGBA = (*palette.named("tx1"), 255)
        self._categories: list[str] = []
        self._series = self._read() if self._plot is not None else []
        axis = space.find(f".//{C}valAx/{C}delete")
        self._has_axis = axis is None or axis.get("val", "1") not in ("1", "true")
        labels = self._plot.find(f"{C}dLbls") if self._plot is not None else None
        self._labelled = labels is not None
        named = labels.find(f"{C}showCatName") if labels is not None else None
        self._named = named is not None and named.get("val") == "1"
        form = labels.find(f"{C}numFmt") if labels is not None else None
        self._form = form.get("formatCode", "General") if form is not None else "General"

    def _read(self) -> list[_Series]:
        found: list[_Series] = []
        assert self._plot is not None
        for number, element in enumerate(self._plot.findall(f"{C}ser")):
            if not self._categories:
                self._categories = _values(element.find(f"{C}cat"))
            own = element.find(f"{C}spPr")
            fill = own.find(f"{A}solidFill") if own is not None else None
            if fill is None and own is not None:
                fill = own.find(f"{A}ln/{A}solidFill")
            colour = self._palette.read(fill) or (*self._palette.named(f"accent{number % 6 + 1}"), 255)
            points: dict[int, RGBA] = {}
            for point in element.findall(f"{C}dPt"):
                at = point.find(f"{C}idx")
                tint = self._palette.read(point.find(f"{C}spPr/{A}solidFill"))
                if at is not None and tint is not None:
                    points[int(at.get("val", "0"))] = tint
            name = "".join(_values(element.find(f"{C}tx")))
            values = [_float(text) for text in _values(element.find(f"{C}val"))]
            found.append(_Series(name, values, colour, points))
        return found

    def _write(self, canvas: Canvas, text: str, x: float, y: float, anchor: str, colour: RGBA | None = None) -> None:
        """Write a line around a point; `anchor` is as Pillow's."""
        cjk = is_cjk(self._face.language)
        width = self._width(text)
        x -= {"l": 0.0, "m": width / 2, "r": width}[anchor[0]]
        base = y + {"a": self._size * 0.9, "m": self._size * 0.36, "s": 0.0}[anchor[1]]
        group, wide = "", False
        for letter in [*text, None]:
            kind = is_wide(letter, cjk=cjk) if letter is not None else not wide
            if group and (letter is None or kind != wide):
                face = self._face.face(group[0])
                canvas.draw.text(
                    (x, base), group, font=opened(face, round(self._size)), fill=(colour or self._text)[:3], anchor="ls"
                )
                x += self._width(group)
                group = ""
            wide = kind
            group += letter or ""

    def _width(self, text: str) -> float:
        return sum(self._face.advance(letter) for letter in text) * self._size

    def _cut(self, text: str, room: float) -> str:
        if self._width(text) <= room:
            return text
        while text and self._width(text + "…") > room:
            text = text[:-1]
        return text + "…"

    def draw(self, canvas: Canvas, box: Box) -> None:
        """Draw it within a box of pixels."""
        if not self._series or not any(math.isfinite(value) for one in self._series for value in one.values):
            return
        if self._kind in ("pieChart", "doughnutChart"):
            self._pie(canvas, box)
            return
        left, top, width, height = box
        if self._legend:
            self._legend_row(canvas, (left, top, width, self._size * 1.6))
            top, height = top + self._size * 2, height - self._size * 2
        assert self._plot is not None
        direction = self._plot.find(f"{C}barDir")
        if direction is not None and direction.get("val") == "bar":
            self._bars_sideways(canvas, (left, top, width, height))
        else:
            self._upright(canvas, (left, top, width, height))

    def _legend_row(self, canvas: Canvas, box: Box) -> None:
        left, top, width, height = box
        widths = [self._width(one.name) + self._size * 2.2 for one in self._series]
        x = left + max((width - sum(widths)) / 2, 0)
        for one, wide in zip(self._series, widths, strict=True):
            canvas.rectangle((x, top + height / 2 - self._size * 0.35, self._size * 0.7, self._size * 0.7), one.colour)
            self._write(canvas, one.name, x + self._size, top + height / 2, "lm")
            x += wide

    def _range(self) -> tuple[float, float, float]:
        """Return an axis' ends and its step."""
        numbers = [value for one in self._series for value in one.values if math.isfinite(value)]
        low, high = min(0.0, *numbers), max(0.0, *numbers)
        if high == low:
            high = low + 1
        raw = (high - low) / 7
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
        return math.floor(low / step) * step, math.ceil(high / step + 1e-9) * step, step

    def _upright(self, canvas: Canvas, box: Box) -> None:
        left, top, width, height = box
        low, high, step = self._range()
        head = self._size * 1.4
        bottom = top + height - self._size * 1.7
        if self._has_axis:
            places = max(-math.floor(math.log10(step)), 0)
            marks = [low + step * at for at in range(round((high - low) / step) + 1)]
            texts = [f"{mark:,.{places}f}" for mark in marks]
            wide = max(self._width(text) for text in texts) + self._size * 0.6
            for mark, text in zip(marks, texts, strict=True):
                y = bottom - (mark - low) / (high - low) * (bottom - top - head)
                canvas.line((left + wide, y), (left + width, y), 1, (*self._text[:3], 60))
                self._write(canvas, text, left + wide - self._size * 0.4, y, "rm")
            left, width = left + wide, width - wide
        count = max(len(self._categories), max(len(one.values) for one in self._series), 1)
        slot = width / count

        def place(value: float) -> float:
            return bottom - (value - low) / (high - low) * (bottom - top - head)

        if self._kind == "barChart":
            each = slot / (len(self._series) + 0.7)
            for number, one in enumerate(self._series):
                for at, value in enumerate(one.values):
                    if not math.isfinite(value):
                        continue
                    x = left + at * slot + each * (number + 0.35)
                    y, zero = place(value), place(0)
                    bar = (x + each * 0.04, min(y, zero), each * 0.92, abs(y - zero))
                    canvas.rectangle(bar, one.points.get(at, one.colour))
                    if self._labelled:
                        self._write(
                            canvas, shown(value, self._form), x + each / 2, min(y, zero) - self._size * 0.35, "ms"
                        )
        else:
            self._curves(canvas, left, slot, place)
        canvas.line((left, place(0)), (left + width, place(0)), 1.5, (*self._text[:3], 150))
        every = max(1, math.ceil(max((self._width(name) for name in self._categories), default=0) / max(slot * 1.6, 1)))
        for at, name in enumerate(self._categories):
            if at % every == 0:
                self._write(
                    canvas,
                    self._cut(name, slot * every * 0.96),
                    left + (at + 0.5) * slot,
                    bottom + self._size * 0.35,
                    "ma",
                )

    def _curves(self, canvas: Canvas, left: float, slot: float, place: Any) -> None:
        for one in self._series:
            points: list[Point] = [
                (left + (at + 0.5) * slot, place(value)) for at, value in enumerate(one.values) if math.isfinite(value)
            ]
            canvas.stroke([points], 3 * self._scale, one.colour, closed=False)
            for (x, y), value in zip(points, [value for value in one.values if math.isfinite(value)], strict=True):
                radius = 4 * self._scale
                canvas.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=one.colour[:3])
                if self._labelled:
                    self._write(canvas, shown(value, self._form), x, y - self._size * 0.6, "ms")

    def _bars_sideways(self, canvas: Canvas, box: Box) -> None:
        left, top, width, height = box
        low, high, _ = self._range()
        wide = min(max((self._width(name) for name in self._categories), default=0) + self._size, width * 0.42)
        room = width - wide - self._size * 4
        count = max(len(self._categories), 1)
        slot = height / count
        each = slot / (len(self._series) + 0.7)
        zero = left + wide + (0 - low) / (high - low) * room
        for at, name in enumerate(self._categories):
            self._write(
                canvas,
                self._cut(name, wide - self._size),
                left + wide - self._size * 0.5,
                top + (at + 0.5) * slot,
                "rm",
            )
            for number, one in enumerate(self._series):
                value = one.values[at] if at < len(one.values) else math.nan
                if not math.isfinite(value):
                    continue
                end = left + wide + (value - low) / (high - low) * room
                y = top + at * slot + each * (number + 0.35)
                canvas.rectangle(
                    (min(zero, end), y + each * 0.04, abs(end - zero), each * 0.92), one.points.get(at, one.colour)
                )
                if self._labelled:
                    self._write(canvas, shown(value, self._form), max(zero, end) + self._size * 0.4, y + each / 2, "lm")
        canvas.line((zero, top), (zero, top + height), 1.5, (*self._text[:3], 150))

    def _slice_label(self, at: int, share: float) -> str:
        name = f"{self._categories[at]} " if self._named and at < len(self._categories) else ""
        return f"{name}{share:.0%}"

    def _pie(self, canvas: Canvas, box: Box) -> None:
        left, top, width, height = box
        one = self._series[0]
        values = [value if math.isfinite(value) and value > 0 else 0.0 for value in one.values]
        total = sum(values)
        if not total:
            return
        legend = (
            max((self._width(name) for name in self._categories), default=0) + self._size * 3 if self._legend else 0.0
        )
        legend = min(legend, width * 0.4)
        radius = min(width - legend - self._size * 4, height - self._size * 3.4) / 2
        x, y = left + (width - legend) / 2, top + height / 2
        hole = radius * 0.58 if self._kind == "doughnutChart" else 0.0
        ground: RGBA = (*self._palette.named("bg1"), 255)
        angle = -90.0
        for at, value in enumerate(values):
            sweep = value / total * 360
            colour = one.points.get(at, (*self._palette.named(f"accent{at % 6 + 1}"), 255))
            steps = max(int(sweep / 4), 2)
            rim = [math.radians(angle + sweep * step / steps) for step in range(steps + 1)]
            outer = [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in rim]
            inner = [(x + hole * math.cos(turn), y + hole * math.sin(turn)) for turn in reversed(rim)]
            outline: list[Point] = [*outer, *inner] if hole else [*outer, (x, y)]
            canvas.polygons([outline], colour)
            canvas.stroke([outline], 1.5 * self._scale, ground)
            if sweep > 8:
                middle = math.radians(angle + sweep / 2)
                far = (radius + hole) / 2 if hole else radius + self._size
                self._write(
                    canvas,
                    self._slice_label(at, value / total),
                    x + far * math.cos(middle),
                    y + far * math.sin(middle),
                    "mm",
                    ground if hole else None,
                )
            angle += sweep
        if self._legend:
            row = self._size * 1.7
            line = y - row * len(values) / 2
            for at, name in enumerate(self._categories[: len(values)]):
                colour = one.points.get(at, (*self._palette.named(f"accent{at % 6 + 1}"), 255))
                start = left + width - legend + self._size
                canvas.rectangle(
                    (start, line + row / 2 - self._size * 0.35, self._size * 0.7, self._size * 0.7), colour
                )
                self._write(
                    canvas, self._cut(name, legend - self._size * 2.2), start + self._size * 1.1, line + row / 2, "lm"
                )
                line += row
