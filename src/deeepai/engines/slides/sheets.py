"""Slides to be: what stands in each placeholder, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from .model import Chart
from .tabling import Grid

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SPACES: Final = re.compile(r"[\t\r\n\u2028\u2029]+| {2,}")


def legal(text: str) -> str:
    """Return text without what XML cannot hold."""
    return _ILLEGAL.sub("", text)


def clean(text: str) -> str:
    """Return text without what XML cannot hold, on one line."""
    return _SPACES.sub(" ", legal(text)).strip()


@dataclass(slots=True)
class Paragraph:
    """A paragraph of a placeholder.

    Attributes
    ----------
    bold : bool, optional
        None: as the placeholder has it.
    bullet : bool
        Whether the placeholder's bullet stands before it.
    tracking : float
        Em added after each letter.
    """

    text: str
    bold: bool | None = None
    bullet: bool = True
    tracking: float = 0.0


@dataclass(slots=True)
class Text:
    """What a placeholder holds.

    Attributes
    ----------
    size : int
        Points.
    """

    paragraphs: list[Paragraph]
    size: int
    first: int = 1
    """Where numbers begin."""
    before: float | None = None
    """Points above each paragraph but the first; None: as the placeholder has it."""


@dataclass(slots=True)
class Sheet:
    """A slide to be.

    Attributes
    ----------
    kind : str
        The layout's.
    texts : dict
        By the placeholder's index.
    chapter, page : int
        Indices into the deck; -1: of none.
    """

    kind: str
    texts: dict[int, Text] = field(default_factory=dict[int, Text])
    chapter: int = -1
    page: int = -1
    title: str = ""
    notes: str = ""
    grid: Grid | None = None
    chart: Chart | None = None
    picture: str = ""
