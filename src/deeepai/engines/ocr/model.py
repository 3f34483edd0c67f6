"""What was read of a document, however it came: pages of paragraphs and tables, in the order of reading.

Coordinates are pixels of the upright page: the picture as given, turned by a multiple of 90 degrees so that its text
stands upright. x goes to the right, y down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]
Quad: TypeAlias = tuple[Point, Point, Point, Point]
"""From the text's top left, clockwise."""

_WIDE: Final = re.compile(
    r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]"
)
_HYPHEN: Final = re.compile(r"[^\W\d_]-$")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, straight with the lines of text."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:  # noqa: D102
        return self.right - self.left

    @property
    def height(self) -> float:  # noqa: D102
        return self.bottom - self.top

    @property
    def middle(self) -> Point:  # noqa: D102
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, point: Point) -> bool:
        """Tell whether a point lies within."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


def around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds some."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or a piece of one.

    Attributes
    ----------
    quad : Quad
        Where it stands on the upright page.
    box : Box
        Where it stands once the page is straightened, too.
    score : float
        How sure the reader is, 0 to 1; 1 where it is no guess.
    vertical : bool
        Written from top to bottom.
    """

    text: str
    quad: Quad
    box: Box
    score: float = 1.0
    vertical: bool = False

    @property
    def size(self) -> float:
        """Height of its letters' boxes."""
        return self.box.width if self.vertical else self.box.height


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together.

    Attributes
    ----------
    rows : list of list of Line
        The pieces of each line, from left to right.
    level : int
        Of a heading that a document names as such; 0: none.
    """

    rows: Sequence[Sequence[Line]]
    level: int = 0

    @property
    def box(self) -> Box:  # noqa: D102
        return around([line.box for line in self.lines])

    @property
    def lines(self) -> list[Line]:  # noqa: D102
        return [line for row in self.rows for line in row]

    @property
    def size(self) -> float:
        """The usual height of its letters."""
        sizes = sorted(line.size for line in self.lines)
        return sizes[len(sizes) // 2]

    @property
    def texts(self) -> list[str]:
        """Its lines' texts."""
        return [spaced(row) for row in self.rows]

    @property
    def text(self) -> str:
        """All of it as one flowing text."""
        return flowing(self.texts)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, and how many rows and columns it takes."""

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table; what no cell covers is empty."""

    rows: int
    columns: int
    cells: Sequence[Cell]
    box: Box
    lines: Sequence[Line] = ()
    name: str = ""

    def grid(self) -> list[list[str]]:
        """Return the texts by row and column; a cell that takes several stands in its first."""
        texts = [[""] * self.columns for _ in range(self.rows)]
        for cell in self.cells:
            texts[cell.row][cell.column] = cell.text
        return texts


Block: TypeAlias = Paragraph | Table


@dataclass(slots=True)
class Page:
    """A page.

    Attributes
    ----------
    width, height : float
        Pixels of the upright page.
    turn : int
        Degrees, clockwise, by which its text was turned in what came: 0, 90, 180 or 270.
    skew : float
        Degrees, clockwise, by which its lines still lean.
    dpi : float
        Pixels an inch, where known; else what is taken.
    scanned : bool
        It was read from pixels.
    """

    width: float
    height: float
    blocks: list[Block] = field(default_factory=list["Block"])
    turn: int = 0
    skew: float = 0.0
    dpi: float = 150.0
    scanned: bool = True

    @property
    def lines(self) -> Iterator[Line]:
        """All lines in the order of reading."""
        for block in self.blocks:
            yield from block.lines


def is_wide(letter: str) -> bool:
    """Tell whether a letter is one that stands without spaces, as Chinese ones do."""
    return bool(_WIDE.match(letter))


def spaced(row: Sequence[Line]) -> str:
    """Return a line's pieces with a gap between those that stand apart."""
    text = ""
    for place, line in enumerate(row):
        if place:
            gap = line.box.left - row[place - 1].box.right
            close = gap < 0.6 * line.size and is_wide(text[-1:]) and is_wide(line.text[:1])
            text += "" if close else " " if gap < 2.5 * line.size else "    "
        text += line.text
    return text


def flowing(texts: Sequence[str]) -> str:
    """Join lines to one text, as its script has it."""
    whole = ""
    for text in texts:
        if not whole:
            whole = text
        elif _HYPHEN.search(whole) and text[:1].islower():
            whole = whole[:-1] + text
        elif is_wide(whole[-1:]) and is_wide(text[:1]):
            whole += text
        else:
            whole += f" {text}"
    return whole
