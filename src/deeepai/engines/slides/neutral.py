"""A subject of which nothing is known: an outline that fits any, and sentences that ask instead of claiming."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any, Final

from .model import Block, Chapter, Deck, Page
from .wording import cut

_SHAPES: Final = {"short": (4, 2), "medium": (6, 3), "long": (6, 4)}
"""Chapters, and pages of each; with cover, contents, section pages and closing 15, 27 and 33 pages."""
_FOUR: Final = (0, 1, 2, 5)
"""The chapters of a short deck."""
_TITLE: Final = 60


@cache
def _said() -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files(__package__ or __name__) / "neutral.toml").read_text("utf-8"))


def words(language: str) -> dict[str, Any]:
    """Return the fixed words of a language, English ones where it has none."""
    return _said().get(language) or _said()["en-US"]


def deck(subject: str, length: str, language: str) -> Deck:
    """Return a deck about a subject, with what its speaker should say on each page."""
    said = words(language)
    title = cut(" ".join(subject.split()), _TITLE) or said["untitled"]
    many, pages = _SHAPES.get(length, _SHAPES["medium"])
    chosen = [said["chapters"][place] for place in (_FOUR if many == len(_FOUR) else range(many))]
    # A long subject in each title would leave no room for what the title says.
    short = cut(title, 24)
    return Deck(
        title,
        said["subtitle"],
        language=language,
        chapters=[
            Chapter(name, [_page(line, said.get("blocks", ()), short) for line in lines[:pages]])
            for name, *lines in chosen
        ],
    )


def _page(line: str, blocks: list[str], subject: str) -> Page:
    title, *own = (part.strip().replace("{s}", subject) for part in line.split(" | "))
    page = Page(title)
    for block in own or (block.replace("{p}", title) for block in blocks):
        name, _, sentence = block.partition(": ")
        page.blocks.append(Block(name, [sentence]))
    return page
