"""Decks of what callers write: outlines with contents, texts in Markdown, single pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ..slides.model import Block, Chapter, Chart, Deck, Page
from .vocabulary import asked

_MOST_COLUMNS: Final = 4


class Catalog(msgspec.Struct):
    """A chapter of an outline."""

    catalog: str
    sub_catalog: list[str] | None = None


class Pair(msgspec.Struct):
    """A key with its value: a step, a figure, a term."""

    key: str
    value: str | float | bool | None


class Content(msgspec.Struct):
    """What a page says."""

    catalog_index: int
    content: str | list[str | Pair]
    sub_catalog_index: int | None = None
    picture: list[str] | str | None = None

    @property
    def pictures(self) -> list[str]:
        """Addresses of its pictures."""
        return [self.picture] if isinstance(self.picture, str) else [url for url in self.picture or () if url]


class Outline(msgspec.Struct):
    """An outline of the caller's: `custom_data`."""

    title: str
    catalogs: list[Catalog]
    sub_title: str | None = None
    author: str | None = None
    contents: list[Content] | None = None


def of_outline(outline: Outline, language: str, pictures: Mapping[str, str]) -> Deck:
    """Return the deck that an outline says; pages without contents are empty still.

    Parameters
    ----------
    pictures : mapping
        Names of files by their addresses.
    """
    chapters = [
        Chapter(one.catalog.strip(), [Page(title.strip()) for title in one.sub_catalog or () if title.strip()])
        for one in outline.catalogs
    ]
    for content in outline.contents or ():
        _place(chapters[content.catalog_index], content, pictures)
    for chapter in chapters:
        if not chapter.pages:
            chapter.pages.append(Page(chapter.title))
    return Deck(
        outline.title.strip(),
        (outline.sub_title or "").strip(),
        (outline.author or "").strip(),
        language=language,
        chapters=chapters,
    )


def _place(chapter: Chapter, content: Content, pictures: Mapping[str, str]) -> None:
    """Put a content into its page; one without a page is the chapter's own, and comes first."""
    at = content.sub_catalog_index
    if at is not None and at < len(chapter.pages):
        page = chapter.pages[at]
    else:
        page = Page(chapter.title)
        chapter.pages.insert(0, page)
    blocks, page.layout = blocks_of(content.content, page.title)
    page.blocks += blocks
    page.blocks += [Block(image=pictures[url]) for url in content.pictures if url in pictures]


def blocks_of(content: str | Sequence[str | Pair], title: str) -> tuple[list[Block], str]:
    """Return the blocks of a content, and the layout that shows them: keys with values are columns, figures a chart."""
    if isinstance(content, str):
        return [Block(points=_lines(content))], ""
    pairs = [one for one in content if isinstance(one, Pair)]
    if not pairs:
        return [Block(points=[line for one in content if isinstance(one, str) for line in _lines(one)])], ""
    values = [_figure(pair.value) for pair in pairs]
    figures = [value for value in values if value is not None]
    if len(pairs) == len(content) > 1 and len(figures) == len(pairs):
        chart = Chart("bar", [pair.key for pair in pairs], {title: figures})
        return [Block(chart=chart)], "chart"
    blocks = [
        Block(one.key, _lines(_said(one.value))) if isinstance(one, Pair) else Block(points=_lines(one))
        for one in content
    ]
    return blocks, "columns" if len(blocks) <= _MOST_COLUMNS else ""


def _figure(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _said(value: Any) -> str:
    return "" if value is None else str(value)


def _lines(text: str) -> list[str]:
    return [line for one in text.splitlines() if (line := one.strip().removeprefix("- ").strip())]


def is_markdown(text: str) -> bool:
    """Tell whether a text is a deck in Markdown: it has headings of two levels."""
    levels = {len(line) - len(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}
    return len(levels) > 1


def is_source(text: str) -> bool:
    """Tell whether a text is what a deck is to be made of, and neither the name of its topic nor a request for one."""
    return is_markdown(text) or ((len(text) > 200 or text.count("\n") > 3) and not asked(text))
