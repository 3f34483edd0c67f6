"""Shapes of designs as DrawingML: points in, theme colours only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

EMU: Final = 12700
"""A point."""

Box = tuple[float, float, float, float]
"""Left, top, width, height in points."""


def emu(points: float) -> int:
    """Return points in English Metric Units."""
    return round(points * EMU)


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour of the theme, changed or not.

    Attributes
    ----------
    slot : str
        `bg1`, `tx1`, `bg2`, `tx2`, `accent1` to `accent6`.
    mod, off : int
        Per cent of its luminance kept, and added.
    alpha : int
        Per cent of opacity.
    """

    slot: str
    mod: int = 100
    off: int = 0
    alpha: int = 100

    @property
    def xml(self) -> str:
        """The colour's element."""
        inner = ""
        if self.mod != 100:
            inner += f'<a:lumMod val="{self.mod * 1000}"/>'
        if self.off:
            inner += f'<a:lumOff val="{self.off * 1000}"/>'
        if self.alpha != 100:
            inner += f'<a:alpha val="{self.alpha * 1000}"/>'
        return f'<a:schemeClr val="{self.slot}">{inner}</a:schemeClr>'

    @property
    def fill(self) -> str:
        """A fill of it."""
        return f"<a:solidFill>{self.xml}</a:solidFill>"


def colour(spec: str) -> Colour:
    """Read a colour: a slot, `*` per cent kept, `+` per cent added, `@` per cent of opacity; such as `tx1*78+22`."""
    rest, _, alpha = spec.partition("@")
    rest, _, off = rest.partition("+")
    slot, _, mod = rest.partition("*")
    return Colour(slot, int(mod or 100), int(off or 0), int(alpha or 100))


@dataclass(frozen=True, slots=True)
class Gradient:
    """A fill from one colour to another.

    Attributes
    ----------
    angle : float
        Degrees, clockwise from left to right.
    """

    start: str
    end: str
    angle: float = 0.0

    @property
    def xml(self) -> str:
        """The fill's element."""
        return (
            f'<a:gradFill rotWithShape="1"><a:gsLst><a:gs pos="0">{colour(self.start).xml}</a:gs>'
            f'<a:gs pos="100000">{colour(self.end).xml}</a:gs></a:gsLst>'
            f'<a:lin ang="{round(self.angle * 60000)}" scaled="0"/></a:gradFill>'
        )


Fill = str | Gradient | None


def fill_xml(fill: Fill) -> str:
    """Return a fill's element."""
    if fill is None:
        return "<a:noFill/>"
    return fill.xml if isinstance(fill, Gradient) else colour(fill).fill


def line_xml(line: str | None, width: float, dash: str = "") -> str:
    """Return an outline's element."""
    if line is None:
        return "<a:ln><a:noFill/></a:ln>"
    dashes = f'<a:prstDash val="{dash}"/>' if dash else ""
    return f'<a:ln w="{emu(width)}">{colour(line).fill}{dashes}</a:ln>'


def transform_xml(box: Box, rotation: float = 0.0, prefix: str = "a") -> str:
    """Return a position's element."""
    left, top, width, height = box
    turn = f' rot="{round(rotation * 60000)}"' if rotation else ""
    return (
        f'<{prefix}:xfrm{turn}><a:off x="{emu(left)}" y="{emu(top)}"/>'
        f'<a:ext cx="{emu(width)}" cy="{emu(height)}"/></{prefix}:xfrm>'
    )


Command = tuple[str, tuple[float, ...]]
"""`M`, `L` or `C` and its points; `Z` and none."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A drawn thing of a layout; not a placeholder.

    Attributes
    ----------
    geometry : str or tuple
        A preset's name, or a path in the box's own points.
    adjust : tuple of int
        The preset's adjust values, in its own order.
    """

    box: Box
    fill: Fill = None
    line: str | None = None
    width: float = 1.0
    geometry: str | tuple[Command, ...] = "rect"
    adjust: tuple[int, ...] = ()
    rotation: float = 0.0
    dash: str = ""

    def xml(self, number: int) -> str:
        """Return its element.

        Parameters
        ----------
        number : int
            Its id within the slide.
        """
        return (
            f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Decoration {number}"/><p:cNvSpPr/>'
            f'<p:nvPr userDrawn="1"/></p:nvSpPr><p:spPr>{transform_xml(self.box, self.rotation)}'
            f"{self._geometry}{fill_xml(self.fill)}{line_xml(self.line, self.width, self.dash)}</p:spPr>"
            '<p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:endParaRPr lang="en-US"/></a:p></p:txBody></p:sp>'
        )

    @property
    def _geometry(self) -> str:
        if isinstance(self.geometry, str):
            return geometry_xml(self.geometry, self.adjust)
        _, _, width, height = self.box
        parts: list[str] = []
        for command, points in self.geometry:
            pairs = "".join(
                f'<a:pt x="{emu(points[at])}" y="{emu(points[at + 1])}"/>' for at in range(0, len(points), 2)
            )
            tag = {"M": "moveTo", "L": "lnTo", "C": "cubicBezTo", "Z": "close"}[command]
            parts.append(f"<a:{tag}>{pairs}</a:{tag}>" if pairs else f"<a:{tag}/>")
        return (
            "<a:custGeom><a:avLst/><a:gdLst/><a:ahLst/><a:cxnLst/>"
            '<a:rect l="0" t="0" r="r" b="b"/><a:pathLst>'
            f'<a:path w="{emu(width)}" h="{emu(height)}">{"".join(parts)}</a:path></a:pathLst></a:custGeom>'
        )


_ADJUSTS: Final = {
    "roundRect": ("adj",),
    "round2SameRect": ("adj1", "adj2"),
    "blockArc": ("adj1", "adj2", "adj3"),
    "donut": ("adj",),
    "triangle": ("adj",),
    "parallelogram": ("adj",),
    "pie": ("adj1", "adj2"),
    "frame": ("adj1",),
}


def geometry_xml(preset: str, adjust: Sequence[int] = ()) -> str:
    """Return a preset geometry's element."""
    names = _ADJUSTS.get(preset, ())
    guides = "".join(f'<a:gd name="{name}" fmla="val {value}"/>' for name, value in zip(names, adjust, strict=False))
    return f'<a:prstGeom prst="{preset}"><a:avLst>{guides}</a:avLst></a:prstGeom>'


def rule(left: float, top: float, length: float, line: str = "tx1", *, width: float = 1.0, dash: str = "") -> Shape:
    """Return a horizontal line."""
    return Shape((left, top, length, 0), None, line, width, "line", dash=dash)


def post(left: float, top: float, length: float, line: str = "tx1", *, width: float = 1.0, dash: str = "") -> Shape:
    """Return a vertical line."""
    return Shape((left, top, 0, length), None, line, width, "line", dash=dash)


def rect(left: float, top: float, width: float, height: float, fill: Fill = "accent1") -> Shape:
    """Return a filled rectangle."""
    return Shape((left, top, width, height), fill)


def circle(
    x: float, y: float, radius: float, fill: Fill = "accent1", line: str | None = None, *, width: float = 1.0
) -> Shape:
    """Return a circle around a point."""
    return Shape((x - radius, y - radius, 2 * radius, 2 * radius), fill, line, width, "ellipse")


def curve(
    box: Box, path: str, fill: Fill = None, line: str | None = None, *, width: float = 1.0, rotation: float = 0.0
) -> Shape:
    """Return a path written as in SVG: absolute `M`, `L`, `C`, `Z`, in points of the box."""
    commands: list[Command] = []
    for word in path.replace(",", " ").split():
        if word in "MLCZ":
            commands.append((word, ()))
        else:
            command, points = commands[-1]
            commands[-1] = (command, (*points, float(word)))
    return Shape(box, fill, line, width, tuple(commands), rotation=rotation)


def attribute(text: str) -> str:
    """Return text as a quoted attribute."""
    return quoteattr(text)


def content(text: str) -> str:
    """Return text as an element's content."""
    return escape(text)
