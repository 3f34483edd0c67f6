"""What a deck says, whoever asks for it: the one form that planner, formats and writer share."""

from __future__ import annotations

import msgspec


class Table(msgspec.Struct, omit_defaults=True):
    """A table; the first row is its head.

    Attributes
    ----------
    rows : list of list of str
        All of one length.
    """

    rows: list[list[str]]


class Chart(msgspec.Struct, omit_defaults=True):
    """Numbers to be drawn natively.

    Attributes
    ----------
    kind : str
        `bar`, `line`, `pie` or `doughnut`.
    series : dict
        Values by the series' names, one for each category.
    unit : str
        Of the values.
    """

    kind: str
    categories: list[str]
    series: dict[str, list[float]]
    unit: str = ""


class Block(msgspec.Struct, omit_defaults=True):
    """A part of a page: a heading of the fourth level and what stands below it.

    Attributes
    ----------
    points : list of str
        Paragraphs or list items.
    image : str
        Name of a picture among the job's files, or its address where it is not fetched yet.
    """

    title: str = ""
    points: list[str] = msgspec.field(default_factory=list[str])
    image: str = ""
    table: Table | None = None
    chart: Chart | None = None


class Page(msgspec.Struct, omit_defaults=True):
    """A content page.

    Attributes
    ----------
    layout : str
        A wish (`list`, `columns`, `picture`, `chart`, `table`, `quote`, `timeline`, `comparison`); else as blocks ask.
    notes : str
        What the speaker says.
    """

    title: str
    blocks: list[Block] = msgspec.field(default_factory=list[Block])
    layout: str = ""
    notes: str = ""


class Chapter(msgspec.Struct, omit_defaults=True):
    """A chapter: an entry of the contents, a section page, and its pages."""

    title: str
    pages: list[Page] = msgspec.field(default_factory=list[Page])


class Inserted(msgspec.Struct, omit_defaults=True):
    """A page that was put in later and is no part of a chapter.

    Attributes
    ----------
    position : int
        Slides before it, when it was put in.
    page : Page
        Its layout may also be `cover`, `contents`, `section` or `closing`.
    """

    position: int
    page: Page


class Deck(msgspec.Struct, omit_defaults=True):
    """A deck.

    Attributes
    ----------
    language : str
        BCP 47, such as `zh-CN`; it decides typefaces and the words that the writer adds (contents, thanks).
    closing : str
        What the last page says; empty: thanks, in the language.
    inserted : list of Inserted
        In the order in which they were put in.
    """

    title: str
    subtitle: str = ""
    author: str = ""
    language: str = "zh-CN"
    chapters: list[Chapter] = msgspec.field(default_factory=list[Chapter])
    closing: str = ""
    inserted: list[Inserted] = msgspec.field(default_factory=list[Inserted])
