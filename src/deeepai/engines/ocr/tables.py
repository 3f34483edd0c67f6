"""Tables: those whose cells are drawn, by their rules; others by what stands in line with one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from .model import Box, Cell, Line, Table, around, flowing, is_wide, spaced
from .reading import Pixels

_SHORTEST_RULE: Final = 40
"""Pixels."""
_FEWEST_ROWS: Final = 3
"""Of a table without rules."""
_PROSE: Final = 30
"""Letters (a wide one counts twice) of a usual cell from which on two columns are taken as prose."""


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Group pieces that stand beside one another to rows, from top to bottom, each from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.middle[1]):
        last = rows[-1] if rows else []
        if last:
            middle = sum(other.box.middle[1] for other in last) / len(last)
            height = min(line.size, *(other.size for other in last))
            beside = all(_apart(line.box, other.box) for other in last)
            if abs(line.box.middle[1] - middle) < 0.5 * height and beside:
                last.append(line)
                continue
        rows.append([line])
    return [sorted(row, key=lambda line: line.box.left) for row in rows]


def _apart(one: Box, other: Box) -> bool:
    return min(one.right, other.right) - max(one.left, other.left) < 0.3 * min(one.width, other.width)


# By their rules ----------------------------------------------------------------------------------------------------


def ruled(pixels: Pixels, skew: float, lines: Sequence[Line]) -> list[Table]:
    """Find the tables whose rules are drawn.

    Parameters
    ----------
    pixels : array
        The upright page.
    skew : float
        Degrees by which it leans still.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    if skew:
        # As lines' boxes are turned.
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1)
        grey = cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if np.median(grey) < 128:
        # White on black.
        grey = 255 - grey
    across, down = _rules(grey, sorted(line.size for line in lines)[len(lines) // 2] if lines else 0)
    joined = cv2.dilate(cv2.bitwise_or(across, down), np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    tables: list[Table] = []
    for left, top, wide, high, _ in stats[1:count].tolist():
        if wide < _SHORTEST_RULE or high < _SHORTEST_RULE // 2:
            continue
        table = _table(across, down, Box(left, top, left + wide, top + high), lines)
        if table is not None:
            tables.append(table)
    # A table within another's cell is part of that cell.
    return [one for one in tables if not any(other is not one and _within(one.box, other.box) for other in tables)]


def _within(one: Box, other: Box) -> bool:
    return other.holds((one.left, one.top)) and other.holds((one.right, one.bottom))


def _rules(grey: Pixels, size: float) -> tuple[Pixels, Pixels]:
    """Return masks of the horizontal and of the vertical rules: they are longer than letters are high."""
    dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    width = grey.shape[1]
    wide, high = max(width // 30, _SHORTEST_RULE, round(1.5 * size)), max(_SHORTEST_RULE // 2, round(1.1 * size))
    across = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((1, wide), np.uint8))
    down = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((high, 1), np.uint8))
    return across, down


def _table(across: Pixels, down: Pixels, box: Box, lines: Sequence[Line]) -> Table | None:
    left, top, right, bottom = (int(value) for value in (box.left, box.top, box.right, box.bottom))
    ys = _places(across[top:bottom, left:right].sum(axis=1), 255 * 0.2 * (right - left))
    xs = _places(down[top:bottom, left:right].sum(axis=0), 255 * 0.2 * (bottom - top))
    if len(ys) < 2 or len(xs) < 2 or len(ys) + len(xs) < 5:
        return None
    rows, columns = len(ys) - 1, len(xs) - 1
    xs, ys = [left + x for x in xs], [top + y for y in ys]
    cells = _joined(across, down, xs, ys)
    texts: dict[int, list[Line]] = {}
    inside: list[Line] = []
    for line in lines:
        x, y = line.box.middle
        if not (xs[0] <= x <= xs[-1] and ys[0] <= y <= ys[-1]):
            continue
        row = next(number for number in range(rows) if y <= ys[number + 1])
        column = next(number for number in range(columns) if x <= xs[number + 1])
        texts.setdefault(cells[row][column], []).append(line)
        inside.append(line)
    if not inside:
        return None
    found: list[Cell] = []
    for name in range(rows * columns):
        own = [(r, c) for r in range(rows) for c in range(columns) if cells[r][c] == name]
        if own:
            (first, start), (last, end) = own[0], own[-1]
            text = flowing([spaced(row) for row in rows_of(texts.get(name, []))])
            found.append(Cell(first, start, text, last - first + 1, end - start + 1))
    return Table(
        rows, columns, found, Box(xs[0], ys[0], xs[-1], ys[-1]), [line for row in rows_of(inside) for line in row]
    )


def _places(profile: Pixels, least: float) -> list[int]:
    """Return where rules stand along a profile."""
    found: list[list[int]] = []
    for place in np.flatnonzero(profile >= least).tolist():
        if found and place - found[-1][-1] <= 6:
            found[-1].append(place)
        else:
            found.append([place])
    return [(group[0] + group[-1]) // 2 for group in found]


def _joined(across: Pixels, down: Pixels, xs: Sequence[int], ys: Sequence[int]) -> list[list[int]]:
    """Number the cells: those between which no rule is drawn are one, as far as that makes a rectangle."""
    rows, columns = len(ys) - 1, len(xs) - 1
    names = [[row * columns + column for column in range(columns)] for row in range(rows)]
    for row in range(rows):
        for column in range(columns - 1):
            x, y = xs[column + 1], slice(ys[row] + 3, max(ys[row + 1] - 3, ys[row] + 4))
            if not _drawn(down[y, max(x - 4, 0) : x + 5], 0):
                names[row][column + 1] = names[row][column]
    for column in range(columns):
        for row in range(rows - 1):
            y, x = ys[row + 1], slice(xs[column] + 3, max(xs[column + 1] - 3, xs[column] + 4))
            open_below = not _drawn(across[max(y - 4, 0) : y + 5, x], 1)
            same = [place for place in range(columns) if names[row][place] == names[row][column]]
            below = [place for place in range(columns) if names[row + 1][place] == names[row + 1][column]]
            if open_below and same == below:
                for place in same:
                    names[row + 1][place] = names[row][column]
    return names


def _drawn(part: Pixels, along: int) -> bool:
    """Tell whether a rule runs through most of a strip."""
    touched = part.any(axis=1 - along)
    return touched.size == 0 or bool(touched.mean() >= 0.5)


# Without rules -----------------------------------------------------------------------------------------------------


def aligned(lines: Sequence[Line]) -> list[Table]:
    """Find the tables without rules: rows whose pieces stand in columns, and are not prose in columns."""
    rows = rows_of([line for line in lines if not line.vertical])
    tables: list[Table] = []
    start = 0
    while start < len(rows):
        end = _end(rows, start)
        table = _of_rows(rows[start:end])
        if table is not None:
            tables.append(table)
            start = end
        else:
            start += 1
    return tables


def _columns(rows: Sequence[Sequence[Line]]) -> list[Box]:
    """Return the columns: what is left after pieces that stand over one another are taken together."""
    columns: list[Box] = []
    for line in sorted((line for row in rows for line in row), key=lambda line: line.box.left):
        if columns and line.box.left < columns[-1].right:
            columns[-1] = around([columns[-1], line.box])
        else:
            columns.append(line.box)
    return columns


def _end(rows: Sequence[Sequence[Line]], start: int) -> int:
    """Return how far a table that begins with a row may reach."""
    if len(rows[start]) < 2:
        return start + 1
    end = start + 1
    while end < len(rows):
        above, row = rows[end - 1], rows[end]
        height = max(line.size for line in above)
        gap = min(line.box.top for line in row) - max(line.box.bottom for line in above)
        columns = _columns(rows[start : end + 1])
        if gap > 2 * height or len(columns) < 2 or len(columns) < len(_columns(rows[start:end])):
            break
        end += 1
    while end > start + 1 and len(rows[end - 1]) < 2:
        end -= 1
    return end


def _of_rows(rows: Sequence[Sequence[Line]]) -> Table | None:
    columns = _columns(rows)
    if len(rows) < _FEWEST_ROWS or len(columns) < 2 or sum(len(row) >= 2 for row in rows) * 3 < len(rows) * 2:
        return None
    lines = [line for row in rows for line in row]
    lengths = sorted(sum(1 + is_wide(letter) for letter in line.text) for line in lines)
    if lengths[len(lengths) // 2] >= _PROSE or _is_prose(rows, columns):
        return None
    cells: list[Cell] = []
    for number, row in enumerate(rows):
        for place, column in enumerate(columns):
            own = [line for line in row if column.left <= line.box.middle[0] <= column.right]
            if own:
                cells.append(Cell(number, place, spaced(own)))
    return Table(len(rows), len(columns), cells, around([line.box for line in lines]), lines)


def _is_prose(rows: Sequence[Sequence[Line]], columns: Sequence[Box]) -> bool:
    """Tell whether the columns are filled from edge to edge, as those of running text are."""
    filled = 0
    for column in columns:
        own = [line for row in rows for line in row if column.left <= line.box.middle[0] <= column.right]
        wide = sum(line.box.width > 0.85 * column.width for line in own)
        many = sorted(sum(1 + is_wide(letter) for letter in line.text) for line in own)
        filled += bool(own) and wide * 2 > len(own) and many[len(many) // 2] >= _PROSE // 2
    return filled == len(columns)
