"""What a design is: its themes, its typefaces, the look of its pages; and what its layouts hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .drawing import Box, Fill, Shape

WIDTH: Final = 960.0
HEIGHT: Final = 540.0
MARGIN: Final = 48.0
LEAST: Final = 16
"""Points: no text is smaller."""

SLOTS: Final = (
    "lt1",
    "dk1",
    "lt2",
    "dk2",
    "accent1",
    "accent2",
    "accent3",
    "accent4",
    "accent5",
    "accent6",
    "hlink",
    "folHlink",
)


@dataclass(frozen=True, slots=True)
class Theme:
    """A set of colours.

    Attributes
    ----------
    name : dict
        By `en` and `zh`.
    colours : tuple of str
        Twelve of `RRGGBB`, in the order of `SLOTS`.
    hue : str
        The colour that it is found by: `orange`, `blue`, `purple`, `cyan`, `green`, `yellow`, `red`, `brown`, `pink`,
        `white`, `black`.
    """

    id: str
    name: Mapping[str, str]
    colours: tuple[str, ...]
    hue: str

    def colour(self, slot: str) -> str:
        """Return a slot's `RRGGBB`."""
        return self.colours[SLOTS.index(slot)]


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder of a layout.

    Attributes
    ----------
    index : int
        By which a slide's placeholder finds it; 0 is the title.
    kind : str
        `title`, `ctrTitle`, `subTitle`, `body`, `pic`, `chart` or `tbl`.
    name : str
        For people.
    size, least : int
        Points: the largest text, and the smallest that a text may be shrunk to.
    colour : str
        As `drawing.colour` reads it.
    heading : bool
        Set in the heading's typeface.
    bullet : str
        The bullet; empty: none. `1.`: numbers.
    lines : int
        At most so many; 0: as many as fit.
    inset : tuple of float
        Left, top, right, bottom: points within the box that stay empty.
    geometry, line
        Of a picture.
    """

    index: int
    kind: str
    name: str
    box: Box
    size: int = 22
    least: int = LEAST
    bold: bool = False
    italic: bool = False
    colour: str = "tx1"
    align: str = "l"
    anchor: str = "t"
    heading: bool = False
    bullet: str = ""
    spacing: float = 1.0
    before: float = 0.0
    lines: int = 0
    inset: tuple[float, float, float, float] = (0, 0, 0, 0)
    geometry: str = "rect"
    adjust: tuple[int, ...] = ()
    line: str | None = None
    fill: Fill = None
    caps: bool = False

    @property
    def room(self) -> tuple[float, float]:
        """Width and height within the insets, in points."""
        left, top, right, bottom = self.inset
        return self.box[2] - left - right, self.box[3] - top - bottom


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: what is drawn, and what is filled in.

    Attributes
    ----------
    kind : str
        Such as `list` or `columns-3`.
    fill : Fill
        Of the background; None: the master's.
    is_plain : bool
        Whether the master's drawings and page number stand on it.
    number : str
        The page number's colour; empty: none is shown.
    """

    kind: str
    name: str
    slots: tuple[Slot, ...]
    shapes: tuple[Shape, ...] = ()
    fill: Fill = None
    is_plain: bool = True
    number: str = "tx1*78+22"

    def slot(self, index: int) -> Slot:
        """Return a placeholder."""
        return next(slot for slot in self.slots if slot.index == index)

    def has(self, index: int) -> bool:
        """Return whether there is such a placeholder."""
        return any(slot.index == index for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Stage:
    """A page with a look of its own: cover, section, contents, quote, closing.

    Attributes
    ----------
    texts : tuple of Slot
        As the layout's kind needs them.
    """

    texts: tuple[Slot, ...]
    shapes: tuple[Shape, ...] = ()
    fill: Fill = None
    is_plain: bool = False
    number: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What stands behind a column of text.

    Attributes
    ----------
    rule : str, optional
        Colour of a line along its top, `{n}` stands for the column's number.
    padding : float
        Points between its edge and the text.
    """

    fill: Fill = None
    line: str | None = None
    rule: str | None = None
    rule_width: float = 3.0
    geometry: str = "rect"
    adjust: tuple[int, ...] = ()
    padding: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a design's content pages look.

    Attributes
    ----------
    title : Slot
        The title of all content pages.
    top : float
        Where what is below the title begins.
    head : str
        Colour of columns' heads.
    number : str
        Colour of the page number.
    dot : str
        A preset: the marks on timelines.
    picture : Slot
        Its geometry, line and adjust are taken for pictures.
    """

    title: Slot
    top: float = 132.0
    shapes: tuple[Shape, ...] = ()
    head: str = "accent1"
    text: str = "tx1"
    number: str = "tx1*78+22"
    bullet: str = "•"
    mark: str = "accent1"
    card: Card = field(default_factory=Card)
    versus: tuple[Card, Card] = field(default_factory=lambda: (Card(), Card()))
    dot: str = "ellipse"
    picture_geometry: str = "rect"
    picture_adjust: tuple[int, ...] = ()
    picture_line: str | None = None
    fill: Fill = None
    list_left: float = MARGIN
    band: bool = True
    """Whether every other row of a table is tinted."""
    table_head: str = "accent1"
    table_head_text: str = "bg1"
    grey_pictures: bool = False


@dataclass(frozen=True)
class Design:
    """A design: ten looks of pages, three themes.

    Attributes
    ----------
    name : dict
        By `en` and `zh`.
    category : str
        The occasion that it suits, in Chinese, such as `年终总结`.
    style : str
        The manner, in Chinese: `扁平简约`, `商务科技`, `文艺清新`, `卡通手绘`, `中国风`, `创意时尚` or `创意趣味`.
    heading, body : str
        Latin families.
    heading_serif, body_serif : bool
        Whether Han letters have serifs.
    dark : bool
        Light text on a dark ground: the master maps the theme's colours so.
    """

    id: str
    name: Mapping[str, str]
    category: str
    style: str
    heading: str
    body: str
    themes: Mapping[str, Theme]
    look: Look
    cover: Stage
    contents: Stage
    section: Stage
    quote: Stage
    closing: Stage
    heading_serif: bool = False
    body_serif: bool = False
    dark: bool = False


def themes(*entries: Theme) -> Mapping[str, Theme]:
    """Return themes by their ids."""
    return {entry.id: entry for entry in entries}


def moved(slot: Slot, **changes: object) -> Slot:
    """Return a slot with changes."""
    return replace(slot, **changes)  # type: ignore[arg-type]
