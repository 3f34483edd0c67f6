"""The order in which a page is read: its columns one after the other, its lines as paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .model import Block, Box, Line, Paragraph, Table, around, is_wide
from .tables import rows_of

Item: TypeAlias = Line | Table
_CROSSING: Final = 0.34
"""Share of a region's items that may cross the gap between two columns: headings, pictures' captions."""
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class _Gap:
    x: float
    crossing: int
    wide: float


def ordered(lines: Sequence[Line], tables: Sequence[Table]) -> list[Block]:
    """Return what stands on a page in the order of reading.

    Parameters
    ----------
    lines : sequence of Line
        Those of no table.
    tables : sequence of Table
    """
    columns = [line for line in lines if line.vertical]
    if len(columns) * 2 > len(lines) and not tables:
        return _from_the_right(lines)
    return _cut([*lines, *tables], 0)


def _from_the_right(lines: Sequence[Line]) -> list[Block]:
    """Order columns that are written from top to bottom: from right to left."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.box.middle[0]):
        last = rows[-1] if rows else []
        if last and abs(last[0].box.middle[0] - line.box.middle[0]) < 0.5 * min(last[0].size, line.size):
            last.append(line)
        else:
            rows.append([line])
    return [Paragraph([sorted(row, key=lambda line: line.box.top)]) for row in rows]


def _cut(items: Sequence[Item], depth: int) -> list[Block]:
    gap = _gap(items) if depth < _DEEPEST and len(items) >= 4 else None
    if gap is None:
        return _one_column(items)
    blocks: list[Block] = []
    crossing = sorted((item for item in items if _crosses(item.box, gap.x)), key=lambda item: item.box.top)
    others = [item for item in items if not _crosses(item.box, gap.x)]
    bands: list[list[Item]] = [[] for _ in range(len(crossing) + 1)]
    for item in others:
        bands[sum(item.box.middle[1] > over.box.middle[1] for over in crossing)].append(item)
    waiting: list[Item] = []
    for place, band in enumerate(bands):
        left = [item for item in band if item.box.middle[0] < gap.x]
        right = [item for item in band if item.box.middle[0] >= gap.x]
        if len(left) < 2 or len(right) < 2:
            # Too little for columns: it belongs with what crosses.
            waiting += band
        else:
            blocks += _one_column(waiting)
            waiting = []
            blocks += _cut(left, depth + 1) + _cut(right, depth + 1)
        waiting += crossing[place : place + 1]
    return blocks + _one_column(waiting)


def _crosses(box: Box, x: float) -> bool:
    return box.left < x < box.right


def _gap(items: Sequence[Item]) -> _Gap | None:
    """Find the gap between two columns: where the fewest items cross, and most stand to either side."""
    heights = sorted(item.size if isinstance(item, Line) else item.box.height / max(item.rows, 1) for item in items)
    least = 0.7 * heights[len(heights) // 2]
    found: list[_Gap] = []
    for edge in {item.box.right for item in items}:
        left = [item for item in items if item.box.right <= edge]
        rest = [item for item in items if item.box.right > edge]
        beyond = [item.box.left for item in rest if item.box.left > edge]
        if not beyond:
            continue
        start = sorted(beyond)[len(beyond) // 10]
        x = (edge + min(start, min(beyond) if min(beyond) - edge >= least else start)) / 2
        crossing = [item for item in items if _crosses(item.box, x)]
        right = [item for item in items if item.box.left >= x]
        if start - edge < least or len(left) < 2 or len(right) < 2 or len(crossing) > _CROSSING * len(items):
            continue
        if _beside(left, right) and not _is_row_like(left, right):
            found.append(_Gap(x, len(crossing), start - edge))
    return min(found, key=lambda gap: (gap.crossing, -gap.wide), default=None)


def _beside(left: Sequence[Item], right: Sequence[Item]) -> bool:
    one, other = around([item.box for item in left]), around([item.box for item in right])
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return common >= 0.5 * min(one.height, other.height)


def _is_row_like(left: Sequence[Item], right: Sequence[Item]) -> bool:
    """Tell whether short words stand before what they name, line by line: such pairs are read row by row."""
    if any(isinstance(item, Table) for item in (*left, *right)):
        return False
    widths = sorted(item.box.width / max(item.box.height, 1) for item in left)
    paired = sum(
        any(abs(item.box.middle[1] - other.box.middle[1]) < 0.4 * item.box.height for other in right) for item in left
    )
    return widths[len(widths) // 2] < 6 and paired >= 0.8 * len(left)


def _one_column(items: Sequence[Item]) -> list[Block]:
    blocks: list[Block] = []
    run: list[Line] = []
    for item in sorted(items, key=lambda item: item.box.top if isinstance(item, Table) else item.box.middle[1]):
        if isinstance(item, Table):
            blocks += _paragraphs(run)
            blocks.append(item)
            run = []
        else:
            run.append(item)
    return blocks + _paragraphs(run)


def _paragraphs(lines: Sequence[Line]) -> list[Block]:
    if not lines:
        return []
    rows = rows_of(lines)
    left, right = min(line.box.left for line in lines), max(line.box.right for line in lines)
    groups: list[list[list[Line]]] = []
    for row in rows:
        if groups and _goes_on(groups[-1], row, left, right):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [Paragraph(group) for group in groups]


def _first_word(row: Sequence[Line]) -> float:
    """Return how wide the first word of a row is, or its first letter where those stand without spaces."""
    line = row[0]
    word = line.text.split(" ", 1)[0]
    wide = next((place for place, letter in enumerate(word) if is_wide(letter)), len(word))
    return line.box.width * max(wide, 1) / max(len(line.text), 1)


def _goes_on(group: Sequence[Sequence[Line]], row: Sequence[Line], left: float, right: float) -> bool:
    """Tell whether a row goes on with a paragraph."""
    last = group[-1]
    above, here = around([line.box for line in last]), around([line.box for line in row])
    size, next_size = max(line.size for line in last), max(line.size for line in row)
    gap = here.top - above.bottom
    if gap > 0.9 * size or not 0.7 < next_size / size < 1.45:
        return False
    if len(group) > 1:
        before = around([line.box for line in group[-2]])
        if gap > (above.top - before.bottom) + 0.5 * size:
            return False
    # A line ends a paragraph where the next word would have found room, and one that begins later begins another.
    if above.right + size + _first_word(row) < right:
        return False
    return here.left <= min(above.left, left) + 1.2 * size or here.left <= above.left + 0.4 * size
