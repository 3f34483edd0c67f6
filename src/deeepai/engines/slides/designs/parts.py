"""What stages' placeholders have in common."""

from __future__ import annotations

import itertools
import math
from typing import Any

from .design import Slot
from .drawing import Box, Fill, Shape, curve

_FOOT = (0, 0, 0, 5)
"""Large letters reach below their line."""


def title_of_pages(box: Box, size: int = 32, **changes: Any) -> Slot:
    """Return the title of content pages."""
    manner: dict[str, Any] = {"bold": True, "heading": True, "anchor": "b", "spacing": 0.9, "lines": 2, "least": 20}
    return Slot(0, "title", "Title", box, size, **{**manner, **changes})


def cover_texts(
    title: Box,
    subtitle: Box,
    author: Box,
    *,
    size: int = 48,
    colour: str = "tx1",
    soft: str = "tx1*78+22",
    **changes: Any,
) -> tuple[Slot, Slot, Slot]:
    """Return a cover's title, subtitle and author."""
    align = changes.pop("align", "l")
    manner: dict[str, Any] = {"bold": True, "anchor": "b", "spacing": 0.9, "lines": 3, "inset": _FOOT, **changes}
    return (
        Slot(0, "ctrTitle", "Title", title, size, 24, heading=True, colour=colour, align=align, **manner),
        Slot(1, "subTitle", "Subtitle", subtitle, 22, colour=soft, lines=2, align=align),
        Slot(10, "body", "Author", author, 18, colour=colour, anchor="b", lines=1, align=align),
    )


def closing_texts(
    title: Box, subtitle: Box, *, size: int = 60, colour: str = "tx1", soft: str = "tx1*78+22", **changes: Any
) -> tuple[Slot, Slot]:
    """Return a last page's title and subtitle."""
    align = changes.pop("align", "l")
    manner: dict[str, Any] = {"bold": True, "anchor": "b", "spacing": 0.9, "lines": 2, "inset": _FOOT, **changes}
    return (
        Slot(0, "ctrTitle", "Title", title, size, 24, heading=True, colour=colour, align=align, **manner),
        Slot(1, "subTitle", "Subtitle", subtitle, 20, colour=soft, lines=2, align=align),
    )


def section_texts(
    title: Box,
    number: Box,
    pages: Box,
    *,
    size: int = 44,
    digits: int = 88,
    colour: str = "tx1",
    soft: str = "tx1*78+22",
    mark: str = "accent1",
    digits_align: str = "l",
    **changes: Any,
) -> tuple[Slot, Slot, Slot]:
    """Return a section's title, number and names of pages."""
    align = changes.pop("align", "l")
    manner: dict[str, Any] = {"bold": True, "spacing": 0.9, "lines": 3, **changes}
    return (
        Slot(0, "title", "Title", title, size, 24, heading=True, colour=colour, align=align, **manner),
        Slot(
            10,
            "body",
            "Number",
            number,
            digits,
            40,
            bold=bool(manner["bold"]),
            heading=True,
            colour=mark,
            spacing=0.9,
            lines=1,
            align=digits_align,
            anchor="ctr",
        ),
        Slot(1, "body", "Pages", pages, 18, colour=soft, before=0.25, align=align),
    )


def contents_texts(
    title: Box,
    items: Box,
    *,
    size: int = 36,
    colour: str = "tx1",
    text: str = "tx1",
    before: float = 0.7,
    **changes: Any,
) -> tuple[Slot, Slot]:
    """Return the title and the entries of a table of contents."""
    manner: dict[str, Any] = {"bold": True, "spacing": 0.9, "lines": 2, **changes}
    return (
        Slot(0, "title", "Title", title, size, 20, heading=True, colour=colour, **manner),
        Slot(1, "body", "Chapters", items, 24, before=before, bullet="1.", colour=text),
    )


def quote_texts(
    title: Box,
    quote: Box,
    source: Box,
    *,
    size: int = 34,
    colour: str = "tx1",
    soft: str = "tx1*78+22",
    mark: str = "accent1",
    align: str = "l",
    **changes: Any,
) -> tuple[Slot, Slot, Slot]:
    """Return a quote page's small title, the quote and its source."""
    manner: dict[str, Any] = {"anchor": "ctr", "spacing": 1.0, "heading": True, **changes}
    return (
        Slot(0, "title", "Title", title, 18, bold=True, heading=True, colour=mark, lines=1, align=align),
        Slot(1, "body", "Quote", quote, size, 18, colour=colour, align=align, **manner),
        Slot(2, "body", "Source", source, 18, colour=soft, lines=1, align=align),
    )


def leaf(x: float, y: float, length: float, angle: float, fill: Fill, *, slim: float = 0.34) -> Shape:
    """Return a leaf that grows from a point; `angle` in degrees, 0 to the right, clockwise."""
    width, height = length, length * slim
    turn = math.radians(angle)
    middle_x, middle_y = x + math.cos(turn) * length / 2, y + math.sin(turn) * length / 2
    box = (middle_x - width / 2, middle_y - height / 2, width, height)
    half = height / 2
    path = (
        f"M 0,{half:.2f} C {width * 0.25:.2f},{-half * 0.5:.2f} {width * 0.7:.2f},{-half * 0.35:.2f} "
        f"{width:.2f},{half:.2f} C {width * 0.7:.2f},{height + half * 0.35:.2f} "
        f"{width * 0.25:.2f},{height + half * 0.5:.2f} 0,{half:.2f} Z"
    )
    return curve(box, path, fill, rotation=angle)


def spray(x: float, y: float, length: float, angle: float, fill: Fill, stem: str, *, pairs: int = 5) -> list[Shape]:
    """Return a twig with leaves on both sides."""
    turn = math.radians(angle)
    step = length / (pairs + 0.4)
    found: list[Shape] = []
    for at in range(1, pairs + 1):
        along = step * at
        root = (x + math.cos(turn) * along, y + math.sin(turn) * along)
        size = length * 0.36 * (1.08 - at / (pairs + 2))
        found += [leaf(*root, size, angle - 52, fill), leaf(*root, size, angle + 52, fill)]
    tip = (x + math.cos(turn) * length, y + math.sin(turn) * length)
    found.append(leaf(*tip, length * 0.24, angle, fill))
    left, top = min(x, tip[0]), min(y, tip[1])
    across, down = abs(tip[0] - x), abs(tip[1] - y)
    path = f"M {x - left:.2f},{y - top:.2f} L {tip[0] - left:.2f},{tip[1] - top:.2f}"
    found.insert(0, curve((left, top, max(across, 1), max(down, 1)), path, None, stem, width=2))
    return found


def hills(top: float, height: float, waves: tuple[float, ...], fill: Fill) -> Shape:
    """Return a ridge over the whole width down to the page's foot; `waves`: heights from 0 to 1, from left to right."""
    width = 960.0
    step = width / (len(waves) - 1)
    points = [(at * step, (1 - wave) * height) for at, wave in enumerate(waves)]
    path = f"M 0,{points[0][1]:.1f}"
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        middle = (x + next_x) / 2
        path += f" C {middle:.1f},{y:.1f} {middle:.1f},{next_y:.1f} {next_x:.1f},{next_y:.1f}"
    foot = 540 - top
    path += f" L {width:.1f},{foot:.1f} L 0,{foot:.1f} Z"
    return curve((0, top, width, foot), path, fill)
