"""Decks that are there already: pages put in, notes set, the design changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pptx import Presentation

from . import writing
from .composing import Composer
from .designs import DESIGNS
from .model import Deck, Inserted, Page
from .writing import Made, Writer, Written, written

KINDS = ("content", "cover", "contents", "section", "closing")
"""Of pages that can be put in."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """What was put in.

    Attributes
    ----------
    deck : Deck
        With the page: what is rebuilt from it has it, too.
    made : Made
        All slides of the file.
    position, count : int
        Where the new slides are, from 0, and how many.
    """

    deck: Deck
    made: Made
    position: int
    count: int


def insert(
    path: Path,
    deck: Deck,
    position: int,
    page: Page,
    design: str,
    theme: str,
    *,
    slides: list[Written],
    kind: str = "content",
    pictures: Mapping[str, Path] | None = None,
    transition: bool = False,
) -> Insertion:
    """Put a page into a deck's file, in place; what has been changed in it by hand stays.

    Parameters
    ----------
    position : int
        How many slides stand before it; what is too large is the end.
    slides : list of Written
        The file's slides, as `write` or `insert` told them.
    kind : str
        One of `KINDS`.
    """
    pictures = pictures or {}
    document = Presentation(str(path))
    writer = Writer(design, theme, deck.language, pictures, transition=transition, document=document)
    composer = Composer(DESIGNS[design], deck.language, writer.pictures)
    position = min(max(position, 0), len(document.slides))
    chapter, at = _place(slides, position) if kind == "content" else (-1, -1)
    if chapter >= 0:
        fallback = deck.chapters[chapter].title
        sheets = composer.page(page, chapter, at, fallback=fallback)
        deck = copy.deepcopy(deck)
        deck.chapters[chapter].pages.insert(at, page)
        slides = [_after(slide, chapter, at) for slide in slides]
    else:
        if kind != "content":
            page = Page(page.title, page.blocks, kind, page.notes)
        sheets = composer.inserted(deck, page)
        deck = copy.deepcopy(deck)
        deck.inserted.append(Inserted(position, page))
    for sheet in sheets:
        writer.add(sheet)
    order: Any = document.slides._sldIdLst  # pyright: ignore[reportPrivateUsage]
    new = list(order)[-len(sheets) :] if sheets else []
    for offset, element in enumerate(new):
        order.remove(element)
        order.insert(position + offset, element)
    document.save(str(path))
    told = [*slides[:position], *(written(sheet) for sheet in sheets), *slides[position:]]
    return Insertion(deck, Made(path, told), position, len(sheets))


def _place(slides: list[Written], position: int) -> tuple[int, int]:
    """Return the chapter, and the place in it, that a page before a slide belongs to; -1 where there is none."""
    if not 0 < position <= len(slides):
        return -1, -1
    before = slides[position - 1]
    if before.kind == "closing" or before.chapter < 0:
        return -1, -1
    return before.chapter, before.page + 1


def _after(slide: Written, chapter: int, page: int) -> Written:
    if slide.chapter == chapter and slide.page >= page:
        return Written(slide.kind, slide.layout, slide.chapter, slide.page + 1, slide.title)
    return slide


def set_notes(path: Path, notes: Mapping[int, str], language: str) -> None:
    """Set what the speaker says, in place.

    Parameters
    ----------
    notes : mapping
        By the slide's index, from 0.
    """
    document = Presentation(str(path))
    for at, slide in enumerate(document.slides):
        if at in notes:
            writing.set_notes(slide, notes[at], language)
    document.save(str(path))
