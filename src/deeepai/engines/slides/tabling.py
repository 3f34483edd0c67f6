"""Tables on pages: widths of columns, heights of rows, and which rows and columns go to which page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .designs.design import LEAST
from .fitting import Setting, bold, broken, halves, height

SIDE: Final = 7.0
"""Points left and right within a cell."""
ABOVE: Final = 4.5
"""Points above and below within a cell."""
_LARGEST: Final = 20
_NARROWEST: Final = 2.6
"""Em: a column is at least so wide."""
_WORD: Final = 9.0
"""Em: longer words may be broken."""
_NUMBER: Final = re.compile(r"^[-+−]?[¥$€£]?\s?\d[\d,. ]*\s?(%|‰|[a-zA-Z]{1,3}|[万亿元年月日倍]{1,2})?$")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as it is drawn on one page.

    Attributes
    ----------
    widths, heights : list of float
        Points.
    right : list of bool
        Which columns hold numbers.
    """

    rows: list[list[str]]
    widths: list[float]
    heights: list[float]
    size: int
    right: list[bool]


def _natural(cells: Sequence[str], setting: Setting) -> tuple[float, float]:
    """Return how wide a column wants to be, and how wide it must be, in em."""
    wide, least = 0.0, _NARROWEST
    for text in cells:
        lines = broken(text, setting.typeface, 10_000.0)
        wide = max(wide, lines.widest)
        word = max((broken(part, setting.typeface, 10_000.0).widest for part in text.split()), default=0.0)
        if word > _WORD or any(ord(letter) > 0x2E7F for letter in text):
            word = min(word, 4.0)
        least = max(least, word * 1.03)
    return max(wide * 1.04, least), least


def _widths(rows: Sequence[Sequence[str]], setting: Setting, size: float, room: float) -> list[float] | None:
    """Return columns' widths in points, or None where they cannot stand side by side."""
    sizes = [_natural([row[at] for row in rows], setting) for at in range(len(rows[0]))]
    wide = [size * natural + 2 * SIDE for natural, _ in sizes]
    least = [size * must + 2 * SIDE for _, must in sizes]
    if sum(least) > room:
        return None
    if sum(wide) <= room:
        more = room - sum(wide)
        return [width + more * width / sum(wide) for width in wide]
    spare, wanted = room - sum(least), sum(wide) - sum(least)
    # A long text takes more room than a short one, though not in proportion: it is higher instead.
    shares = [(natural - must) ** 0.6 for natural, must in zip(wide, least, strict=True)]
    found = [must + spare * share / sum(shares) for must, share in zip(least, shares, strict=True)] if wanted else least
    return found


def _height(row: Sequence[str], widths: Sequence[float], setting: Setting, size: float) -> float:
    return 2 * ABOVE + max(
        height([text], setting, size, width - 2 * SIDE) for text, width in zip(row, widths, strict=True)
    )


def _parts(row: list[str], widths: Sequence[float], setting: Setting, size: float, room: float) -> list[list[str]]:
    """Split a row that is higher than a page."""
    parts: list[list[str]] = []
    while any(row):
        head: list[str] = []
        rest: list[str] = []
        for text, width in zip(row, widths, strict=True):
            box = (width - 2 * SIDE, room - 2 * ABOVE)
            if len(text) > 1 and height([text], setting, size, box[0]) > box[1]:
                first, second = halves(text, setting, size, box)
            else:
                first, second = text, ""
            head.append(first)
            rest.append(second)
        parts.append(head)
        row = rest
    return parts


def _groups(rows: list[list[str]], setting: Setting, room: float) -> list[list[list[str]]]:
    """Split columns over several tables; each begins with the first column."""
    if _widths(rows, setting, LEAST, room) is not None:
        return [rows]
    groups: list[list[list[str]]] = []
    taken = [1]
    for at in range(2, len(rows[0])):
        tried = [[row[0], *(row[n] for n in (*taken, at))] for row in rows]
        if _widths(tried, setting, LEAST, room) is None:
            groups.append([[row[0], *(row[n] for n in taken)] for row in rows])
            taken = []
        taken.append(at)
    groups.append([[row[0], *(row[n] for n in taken)] for row in rows])
    return groups


def grids(rows: list[list[str]], setting: Setting, box: tuple[float, float]) -> list[Grid]:
    """Lay a table out over as many pages as it needs.

    Parameters
    ----------
    rows : list of list of str
        All of one length; the first is the head.
    box : tuple of float
        Width and height of the room, points.
    """
    strong = bold(setting)
    found: list[Grid] = []
    for group in _groups(rows, strong, box[0]):
        right = [
            len(group) > 1 and all(_NUMBER.match(row[at]) or not row[at] for row in group[1:]) and at > 0
            for at in range(len(group[0]))
        ]
        for size in range(_LARGEST, LEAST - 1, -1):
            widths = _widths(group, strong, size, box[0])
            if widths is None:
                continue
            heights = [_height(row, widths, strong, size) for row in group]
            if sum(heights) <= box[1]:
                found.append(Grid(group, widths, heights, size, right))
                break
        else:
            found += _pages(group, strong, box, right)
    return found


def _pages(group: list[list[str]], setting: Setting, box: tuple[float, float], right: list[bool]) -> list[Grid]:
    size = LEAST
    widths = _widths(group, setting, size, box[0]) or [box[0] / len(group[0])] * len(group[0])
    head = _parts(group[0], widths, setting, size, box[1] * 0.4)[0] if any(group[0]) else group[0]
    top = _height(head, widths, setting, size)
    room = box[1] - top
    pages: list[list[list[str]]] = [[]]
    used = 0.0
    for row in group[1:]:
        tall = _height(row, widths, setting, size) > room
        for part in _parts(row, widths, setting, size, room) if tall else [row]:
            high = _height(part, widths, setting, size)
            if pages[-1] and used + high > room:
                pages.append([])
                used = 0.0
            pages[-1].append(part)
            used += high
    return [
        Grid(
            [head, *page],
            widths,
            [top, *(_height(row, widths, setting, size) for row in page)],
            size,
            right,
        )
        for page in pages
    ]
