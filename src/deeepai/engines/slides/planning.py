"""Outlines, content and notes by rules alone, without any model: what a text says, in its order, in its words.

About a document the deck says sentences of the document, and nothing else but a few fixed words; what it leaves out for
want of room is in the notes. About a subject alone it asks what its speaker should say, and claims nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from . import markdown, neutral
from .chapters import TITLE, TOTALS, chapters, groups, shares, wanted
from .documents import Document
from .model import Block, Chapter, Deck, Page
from .paging import pages as paged
from .passages import PAGE, Passages, Section, Unit
from .wording import cut, detect, joined, tag, titled, width

LENGTHS: Final = ("short", "medium", "long")
_NEAR: Final = 0.18
"""Cosine from which a sentence belongs to a title that is not the text's own."""
_NOTES: Final = 900
"""How wide a page's notes are at most, beyond the sentence that reaches it."""


def outline(
    subject: str, source: Document | None, *, length: str = "medium", language: str = "zh-CN", prompt: str = ""
) -> Deck:
    """Return a deck of titles: chapters, pages, blocks.

    Parameters
    ----------
    subject : str
        The deck's title; empty: the document's.
    source : Document, optional
        What it is about. The deck is in its language, whatever `language` says: nothing is translated.
    length : str
        `short` (10 to 15 pages), `medium` (20 to 30), `long` (25 to 35), as far as the text carries; never filled up.
    prompt : str
        What is wanted: sentences near to it come first.
    """
    if source is None or not source.markdown.strip():
        return _bare(neutral.deck(subject or prompt, length, tag(language)))
    passages = _read(subject, source, prompt)
    return _bare(_planned(passages, subject, length, tag(language)))


def content(deck: Deck, source: Document | None, *, prompt: str = "") -> Deck:
    """Return a deck with what its pages say.

    Pages that stand as the planner laid them out get what it laid out for them; a page with a title of the caller's own
    gets the sentences nearest to it that no other page has; one to which nothing is near stays as it is.
    """
    deck = _copied(deck)
    if source is None or not source.markdown.strip():
        return _neutral_content(deck)
    passages = _read(deck.title, source, prompt)
    plans = [_planned(passages, deck.title, length, deck.language) for length in LENGTHS]
    ready = _ready(deck, plans)
    if deck.title == plans[0].title and not deck.subtitle:
        deck.subtitle = plans[0].subtitle
    deck.language = detect(source.markdown, deck.language)
    taken = set[str]()
    foreign: list[tuple[Chapter, Page]] = []
    for chapter in deck.chapters:
        for page in chapter.pages:
            if any(_is_filled(block) for block in page.blocks):
                taken.update(_points(page))
            elif found := ready.get(_key(page)):
                planned = found.pop(0)
                page.blocks, page.layout = planned.blocks, planned.layout
                taken.update(_points(page))
            else:
                foreign.append((chapter, page))
    for chapter, page in foreign:
        _fill(passages, chapter, page, taken)
    return deck


def notes(deck: Deck, source: Document | None = None) -> Deck:
    """Return a deck with what its speaker says of each page.

    With the document: its passage from the page's first sentence to the next page's, in full as far as it is short
    enough to be spoken. Without: the page's own sentences, block by block.
    """
    deck = _copied(deck)
    flat = [page for chapter in deck.chapters for page in chapter.pages]
    spoken = _passages_of(flat, source) if source and source.markdown.strip() else [""] * len(flat)
    for page, passage in zip(flat, spoken, strict=True):
        page.notes = passage or _own_words(page, neutral.words(deck.language)["colon"])
    return deck


def outline_stream(
    subject: str, source: Document | None, *, length: str = "medium", language: str = "zh-CN", prompt: str = ""
) -> Iterator[str]:
    """Yield the outline as Markdown, in pieces."""
    yield from markdown.stream(outline(subject, source, length=length, language=language, prompt=prompt), content=False)


def content_stream(deck: Deck, source: Document | None, *, prompt: str = "") -> Iterator[str]:
    """Yield the content as Markdown, in pieces."""
    yield from markdown.stream(content(deck, source, prompt=prompt))


def _read(subject: str, source: Document, prompt: str) -> Passages:
    """Return the document taken apart; a subject that is not its own title is a wish, too."""
    passages = Passages(source)
    subject = " ".join(subject.split())
    wish = f"{prompt} {subject if subject != _title_of(passages) else ''}"
    if wish.strip():
        passages.weigh(wish)
    return passages


def _title_of(passages: Passages) -> str:
    """Return what a deck about a document is called where nobody says it: as the document, else as it begins."""
    if title := cut(joined(passages.title), TITLE):
        return title
    first = next((section.title for section in _sections(passages) if section.title), "")
    begins = joined(passages.units[0].text) if passages.units else ""
    return titled(begins, TITLE) or cut(first, TITLE) or cut(begins, TITLE)


def _planned(passages: Passages, subject: str, length: str, language: str) -> Deck:
    """Return the whole plan of a deck about a document."""
    language = detect(passages.source.markdown, language)
    words = neutral.words(language)
    subtitle, sections = chapters(passages, length, words["overview"])
    title = cut(joined(subject), TITLE) or _title_of(passages) or words["untitled"]
    total = TOTALS.get(length, TOTALS["medium"]) - 3 - len(sections)
    sizes = [section.size for section in sections]
    given = shares(sizes, total, [wanted(section) for section in sections])
    used = set[str]()
    deck = Deck(title, cut(joined(subtitle), 80), language=language)
    for section, many in zip(sections, given, strict=True):
        found = groups(section, many)
        sizes = [group.size for group in found]
        chapter = Chapter(section.title)
        used.add(section.title)
        for group, part in zip(found, shares(sizes, many, [-(-size // PAGE) or 1 for size in sizes]), strict=True):
            chapter.pages.extend(paged(group, part, used, words["colon"]))
        if chapter.pages:
            deck.chapters.append(chapter)
    return deck


def _ready(deck: Deck, plans: Sequence[Deck]) -> dict[tuple[str, ...], list[Page]]:
    """Return planned pages by what an outline shows of them: those of the plan that the deck is nearest to, first."""
    asked = {_key(page) for chapter in deck.chapters for page in chapter.pages}
    found = [[page for chapter in plan.chapters for page in chapter.pages] for plan in plans]
    found.sort(key=lambda pages: -len(asked.intersection(map(_key, pages))))
    ready: dict[tuple[str, ...], list[Page]] = {}
    for pages in found:
        here: dict[tuple[str, ...], list[Page]] = defaultdict(list)
        for page in pages:
            here[_key(page)].append(page)
        for key, same in here.items():
            ready.setdefault(key, same)
    return ready


def _copied(deck: Deck) -> Deck:
    return Deck(
        deck.title,
        deck.subtitle,
        deck.author,
        deck.language,
        [
            Chapter(
                chapter.title,
                [
                    Page(page.title, [_block_of(block) for block in page.blocks], page.layout, page.notes)
                    for page in chapter.pages
                ],
            )
            for chapter in deck.chapters
        ],
        deck.closing,
    )


def _block_of(block: Block) -> Block:
    return Block(block.title, list(block.points), block.image, block.table, block.chart)


def _bare(deck: Deck) -> Deck:
    deck = _copied(deck)
    for chapter in deck.chapters:
        for page in chapter.pages:
            page.blocks = [Block(block.title) for block in page.blocks if block.title]
            page.layout = ""
    return deck


def _key(page: Page) -> tuple[str, ...]:
    """Return what stays of a page in an outline."""
    return (" ".join(page.title.split()), *(" ".join(block.title.split()) for block in page.blocks if block.title))


def _is_filled(block: Block) -> bool:
    return bool(block.points or block.image or block.table or block.chart)


def _points(page: Page) -> list[str]:
    return [point for block in page.blocks for point in block.points]


def _neutral_content(deck: Deck) -> Deck:
    asked: dict[tuple[str, ...], Page] = {}
    for chapter in neutral.deck(deck.title, "long", deck.language).chapters:
        for page in chapter.pages:
            asked[_key(page)] = page
    hints = neutral.words(deck.language)
    for chapter in deck.chapters:
        for page in chapter.pages:
            if any(_is_filled(block) for block in page.blocks):
                continue
            if found := asked.get(_key(page)):
                page.blocks = [_block_of(block) for block in found.blocks]
                continue
            for block in page.blocks or [Block()]:
                block.points = [hints["ask"].format(title=block.title or page.title)]
                if block not in page.blocks:
                    page.blocks.append(block)
    return deck


def _fill(passages: Passages, chapter: Chapter, page: Page, taken: set[str]) -> None:
    """Give a page what the text says nearest to its titles."""
    own = next((section for section in _sections(passages) if section.title == page.title), None)
    allowed = {unit.index for unit in own.all_units()} if own else None
    for block in page.blocks or [Block()]:
        near = passages.texts.near(f"{block.title} {block.title} {page.title}") + 0.2 * passages.texts.near(
            chapter.title
        )
        found: list[Unit] = []
        room = PAGE // max(len(page.blocks), 2)
        for index in sorted(range(len(passages.units)), key=lambda place: -near[place]):
            unit = passages.units[index]
            if (allowed is None and near[index] < _NEAR) or room <= 0 or len(found) >= 4:
                break
            if unit.kind not in ("text", "item", "quote") or (allowed is not None and index not in allowed):
                continue
            point = cut(joined(unit.text), 220)
            if point not in taken and unit.size <= room + 60:
                taken.add(point)
                found.append(unit)
                room -= unit.size
        block.points = [cut(joined(unit.text), 220) for unit in sorted(found, key=lambda unit: unit.index)]
        if block not in page.blocks and block.points:
            page.blocks.append(block)


def _sections(passages: Passages) -> Iterator[Section]:
    stack = [passages.root]
    while stack:
        section = stack.pop()
        yield section
        stack.extend(reversed(section.parts))


def _passages_of(pages: Sequence[Page], source: Document) -> list[str]:
    """Return the passage of a document that each page is from, empty where it is from none."""
    passages = Passages(source)
    places = {joined(unit.text): unit.index for unit in reversed(passages.units)}
    starts: list[int | None] = []
    for page in pages:
        found = [place for point in _points(page) if (place := _place(point, places, passages)) is not None]
        starts.append(min(found) if found else None)
    known = sorted({start for start in starts if start is not None})
    said: list[str] = []
    for start in starts:
        if start is None:
            said.append("")
            continue
        end = next((other for other in known if other > start), len(passages.units))
        passage, room = "", _NOTES
        for unit in passages.units[start:end]:
            if room <= 0:
                break
            if unit.kind in ("text", "item", "quote"):
                glue = "" if not passage else "\n" if unit.kind == "item" else " " if passage[-1].isascii() else ""
                passage += glue + joined(unit.text)
                room -= width(unit.text)
        said.append(passage)
    return said


def _place(point: str, places: dict[str, int], passages: Passages) -> int | None:
    start = joined(point).rstrip("…")
    if start in places:
        return places[start]
    return next((unit.index for unit in passages.units if start and start in joined(unit.text)), None)


def _own_words(page: Page, colon: str) -> str:
    lines: list[str] = []
    for block in page.blocks:
        said = " ".join(block.points) if not any(width(p) > len(p) for p in block.points) else "".join(block.points)
        if said:
            lines.append(f"{block.title}{colon}{said}" if block.title and not said.startswith(block.title) else said)
        elif block.title:
            lines.append(block.title)
    return "\n".join(lines) or page.title
