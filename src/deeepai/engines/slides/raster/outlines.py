"""Shapes' outlines as polygons."""

from __future__ import annotations

import math
from typing import Any, Final

from .canvas import Box, Point
from .colours import A

Outlines = list[list[Point]]
_STEPS: Final = 48


def _arc(x: float, y: float, across: float, down: float, start: float, end: float, steps: int = _STEPS) -> list[Point]:
    return [
        (x + across * math.cos(angle), y + down * math.sin(angle))
        for angle in (math.radians(start + (end - start) * at / steps) for at in range(steps + 1))
    ]


def _adjusts(geometry: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for guide in geometry.iter(f"{A}gd"):
        word = guide.get("fmla", "").split()
        if len(word) == 2 and word[0] == "val":
            found[guide.get("name", "")] = float(word[1])
    return found


def _rounded(box: Box, radius: tuple[float, float, float, float]) -> list[Point]:
    left, top, width, height = box
    right, bottom = left + width, top + height
    one, two, three, four = radius
    return [
        *_arc(left + one, top + one, one, one, 180, 270, 12),
        *_arc(right - two, top + two, two, two, 270, 360, 12),
        *_arc(right - three, bottom - three, three, three, 0, 90, 12),
        *_arc(left + four, bottom - four, four, four, 90, 180, 12),
    ]


def preset(geometry: Any, box: Box) -> Outlines:
    """Return a preset shape's outlines in pixels; of one that is not known, the box's."""
    left, top, width, height = box
    right, bottom = left + width, top + height
    middle, centre = left + width / 2, top + height / 2
    short = min(width, height)
    adjust = _adjusts(geometry)
    match geometry.get("prst"):
        case "ellipse":
            return [_arc(middle, centre, width / 2, height / 2, 0, 360)]
        case "roundRect":
            radius = short * min(adjust.get("adj", 16667), 50000) / 100_000
            return [_rounded(box, (radius, radius, radius, radius))]
        case "round2SameRect":
            upper = short * min(adjust.get("adj1", 16667), 50000) / 100_000
            lower = short * min(adjust.get("adj2", 0), 50000) / 100_000
            return [_rounded(box, (upper, upper, lower, lower))]
        case "triangle":
            tip = left + width * adjust.get("adj", 50000) / 100_000
            return [[(tip, top), (right, bottom), (left, bottom)]]
        case "rtTriangle":
            return [[(left, top), (right, bottom), (left, bottom)]]
        case "diamond":
            return [[(middle, top), (right, centre), (middle, bottom), (left, centre)]]
        case "parallelogram":
            shift = short * adjust.get("adj", 25000) / 100_000
            return [[(left + shift, top), (right, top), (right - shift, bottom), (left, bottom)]]
        case "hexagon":
            shift = short * adjust.get("adj", 25000) / 100_000
            return [
                [
                    (left + shift, top),
                    (right - shift, top),
                    (right, centre),
                    (right - shift, bottom),
                    (left + shift, bottom),
                    (left, centre),
                ]
            ]
        case "donut":
            ring = short * adjust.get("adj", 25000) / 100_000
            return [
                _arc(middle, centre, width / 2, height / 2, 0, 360),
                _arc(middle, centre, width / 2 - ring, height / 2 - ring, 0, 360),
            ]
        case "frame":
            edge = short * adjust.get("adj1", 12500) / 100_000
            return [
                [(left, top), (right, top), (right, bottom), (left, bottom)],
                [
                    (left + edge, top + edge),
                    (right - edge, top + edge),
                    (right - edge, bottom - edge),
                    (left + edge, bottom - edge),
                ],
            ]
        case "blockArc":
            start, end = adjust.get("adj1", 10_800_000) / 60_000, adjust.get("adj2", 0) / 60_000
            ring = short * adjust.get("adj3", 25000) / 100_000
            end += 360 if end <= start else 0
            outer = _arc(middle, centre, width / 2, height / 2, start, end)
            inner = _arc(middle, centre, width / 2 - ring, height / 2 - ring, end, start)
            return [[*outer, *inner]]
        case "pie":
            start, end = adjust.get("adj1", 0) / 60_000, adjust.get("adj2", 16_200_000) / 60_000
            end += 360 if end <= start else 0
            return [[(middle, centre), *_arc(middle, centre, width / 2, height / 2, start, end)]]
        case _:
            return [[(left, top), (right, top), (right, bottom), (left, bottom)]]


def custom(geometry: Any, box: Box) -> tuple[Outlines, bool]:
    """Return a path's outlines in pixels, and whether it is closed."""
    left, top, width, height = box
    outlines: Outlines = []
    closed = False
    for path in geometry.iter(f"{A}path"):
        across = width / (float(path.get("w", 0)) or 1.0)
        down = height / (float(path.get("h", 0)) or 1.0)

        def points(command: Any, across: float = across, down: float = down) -> list[Point]:
            return [
                (left + _number(point.get("x")) * across, top + _number(point.get("y")) * down)
                for point in command.iter(f"{A}pt")
            ]

        current: list[Point] = []
        for command in path:
            given = points(command)
            match command.tag.removeprefix(A):
                case "moveTo" if given:
                    current = [given[0]]
                    outlines.append(current)
                case "lnTo" if given:
                    current.append(given[0])
                case "cubicBezTo" if len(given) == 3 and current:
                    current += _bezier(current[-1], given[0], given[1], given[2])
                case "close":
                    closed = True
                case _:
                    pass
    return outlines, closed


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _bezier(start: Point, one: Point, two: Point, end: Point, steps: int = 20) -> list[Point]:
    found: list[Point] = []
    for at in range(1, steps + 1):
        t = at / steps
        u = 1 - t
        found.append(
            (
                u**3 * start[0] + 3 * u * u * t * one[0] + 3 * u * t * t * two[0] + t**3 * end[0],
                u**3 * start[1] + 3 * u * u * t * one[1] + 3 * u * t * t * two[1] + t**3 * end[1],
            )
        )
    return found


def turned(outlines: Outlines, box: Box, degrees: float) -> Outlines:
    """Return outlines turned around the box's middle."""
    if not degrees:
        return outlines
    left, top, width, height = box
    x, y = left + width / 2, top + height / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        [(x + (px - x) * cos - (py - y) * sin, y + (px - x) * sin + (py - y) * cos) for px, py in outline]
        for outline in outlines
    ]
