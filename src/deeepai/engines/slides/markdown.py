"""A deck as Markdown and as an outline tree, both ways.

One `#` is the deck, `##` chapters, `###` pages, `####` blocks; below them lie points (list items or paragraphs),
pictures, and tables, which are charts where all that is below their head and right of their first column is numbers.
A page that holds a quotation alone is a page of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from .figures import charted, tabled
from .model import Block, Chapter, Deck, Page, Table
from .pieces import MOST_CHARACTERS, Piece, escaped, pieces, table
from .wording import detect

_FENCE: Final = re.compile(r"\A\s*(`{3,}|~{3,})[ \t]*(?:markdown|md)?[ \t]*\n(.*?)(?:\n\1[ \t]*)?\s*\Z", re.S | re.I)
_TIGHT_HEADING: Final = re.compile(r"^(#{1,6})(?=[^#\s])", re.M)
_TIGHT_ITEM: Final = re.compile(r"^([ \t]*)[•●▪◦·][ \t]*", re.M)
_MOST_DEEP: Final = 64


def unfenced(text: str) -> str:
    """Return a text without the fence that chat models put around Markdown, also where its end has not come yet."""
    match = _FENCE.match(text[:MOST_CHARACTERS])
    return match[2] if match else text


def parse(text: str, language: str = "") -> Deck:
    """Return the deck that a text in Markdown says.

    Parameters
    ----------
    language : str
        BCP 47; empty: as the text shows.

    Notes
    -----
    What stands before the first heading of the second level belongs to the cover: its first paragraph is the subtitle.
    Pages without a chapter, blocks without a page, are given one of the title above them. Nothing is refused: a text
    without a heading is a deck of one page.
    """
    text = _TIGHT_HEADING.sub(r"\1 ", unfenced(text))
    deck = _Reader().read(pieces(_TIGHT_ITEM.sub(r"\1- ", text)))
    deck.language = language or detect(text)
    return deck


class _Reader:
    """Builds a deck from pieces."""

    def __init__(self) -> None:
        self.deck = Deck("")
        self.titled = False

    def read(self, found: Iterable[Piece]) -> Deck:
        for piece in found:
            if piece.kind == "heading":
                self._heading(piece)
            else:
                self._body(piece)
        for chapter in self.deck.chapters:
            for page in chapter.pages:
                _settle(page)
        if not self.titled:
            first = next((chapter.title for chapter in self.deck.chapters if chapter.title), "")
            self.deck.title = first
        return self.deck

    def _heading(self, piece: Piece) -> None:
        if piece.level == 1 and not self.titled:
            self.deck.title, self.titled = piece.text, True
        elif piece.level <= 2:
            self.deck.chapters.append(Chapter(piece.text))
        elif piece.level == 3:
            self._chapter().pages.append(Page(piece.text))
        elif piece.level == 4:
            self._page().blocks.append(Block(piece.text))
        else:
            self._block().points.append(piece.text)

    def _chapter(self) -> Chapter:
        if not self.deck.chapters:
            self.deck.chapters.append(Chapter(self.deck.title))
        return self.deck.chapters[-1]

    def _page(self) -> Page:
        chapter = self._chapter()
        if not chapter.pages:
            chapter.pages.append(Page(chapter.title))
        return chapter.pages[-1]

    def _block(self) -> Block:
        page = self._page()
        if not page.blocks:
            page.blocks.append(Block())
        return page.blocks[-1]

    def _body(self, piece: Piece) -> None:
        lines = [line for line in piece.text.split("\n") if line.strip()]
        on_cover = self.titled and not self.deck.chapters and not self.deck.subtitle
        if on_cover and piece.kind in ("text", "quote"):
            self.deck.subtitle = " ".join(lines)
            return
        block = self._block()
        if piece.kind == "image":
            if block.image:
                block = Block()
                self._page().blocks.append(block)
            block.image = piece.address
            if piece.text and not block.title and not block.points:
                block.title = piece.text
        elif piece.kind == "table":
            if block.table or block.chart:
                block = Block()
                self._page().blocks.append(block)
            block.chart = charted(piece.rows)
            block.table = None if block.chart else Table(piece.rows)
        else:
            if piece.kind == "quote" and not block.points:
                self._page().layout = "quote"
            block.points.extend(lines)


def _settle(page: Page) -> None:
    """Take the wish for a quotation back where the page says more than that."""
    if page.layout == "quote":
        said = [block for block in page.blocks if block.points or block.image or block.table or block.chart]
        if len(said) != 1 or len(said[0].points) > 2 or said[0].image or said[0].table or said[0].chart:
            page.layout = ""


def write(deck: Deck, content: bool = True) -> str:
    """Return a deck as Markdown: all of it, or its headings alone."""
    return "".join(stream(deck, content))


def stream(deck: Deck, content: bool = True) -> Iterator[str]:
    """Yield a deck as Markdown in pieces: a heading, a point, a table."""
    yield f"{_said('# ', deck.title)}\n\n"
    if content and deck.subtitle:
        yield f"{_said('', deck.subtitle)}\n\n"
    for chapter in deck.chapters:
        yield f"{_said('## ', chapter.title)}\n\n"
        for page in chapter.pages:
            yield from page_pieces(page, content)


def page_pieces(page: Page, content: bool = True) -> Iterator[str]:
    """Yield a page as Markdown in pieces."""
    yield f"{_said('### ', page.title)}\n\n"
    for block in page.blocks:
        if block.title:
            yield f"{_said('#### ', block.title)}\n\n"
        if not content:
            continue
        mark = "> " if page.layout == "quote" else "- "
        for place, point in enumerate(block.points):
            end = "\n\n" if place == len(block.points) - 1 else "\n" if mark == "- " else "\\\n"
            yield f"{_said(mark, point)}{end}"
        if block.image:
            yield f"![{escaped(block.title)}](<{_address(block.image)}>)\n\n"
        if block.table:
            yield table(block.table.rows) + "\n\n"
        if block.chart:
            yield table(tabled(block.chart)) + "\n\n"


def _address(address: str) -> str:
    return re.sub(r"[<>\s]", lambda match: f"%{ord(match[0]):02X}", address)


def _said(mark: str, text: str) -> str:
    """Return a line so that it is read as it is; where Markdown leaves it alone it is left bare, for who reads it."""
    text = " ".join(text.split())
    if not _MARKS.search(text):
        return mark + text
    read = pieces(mark + text)
    return mark + (text if len(read) == 1 and read[0].text == text else escaped(text))


_MARKS: Final = re.compile(r"[\\`*_\[\]<>|~&#]|^[+=-]|^\d+[.)](?:\s|$)")


def tree(deck: Deck, content: bool = True) -> dict[str, Any]:
    """Return the outline tree: nodes of `level`, `name`, `children`, of the levels 1 to 4, and 0 for a body."""
    chapters: list[dict[str, Any]] = []
    for chapter in deck.chapters:
        pages = [_node(3, page.title, list(_block_nodes(page, content))) for page in chapter.pages]
        chapters.append(_node(2, chapter.title, pages))
    return _node(1, deck.title, chapters)


def _node(level: int, name: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"level": level, "name": name, "children": children}


def _block_nodes(page: Page, content: bool) -> Iterator[dict[str, Any]]:
    for block in page.blocks:
        leaves: list[dict[str, Any]] = []
        if content:
            leaves.extend({"level": 0, "name": point} for point in block.points)
            if block.image:
                leaves.append({"level": 0, "name": block.title, "type": "image", "url": block.image})
            rows = block.table.rows if block.table else tabled(block.chart) if block.chart else []
            if rows:
                leaves.append({"level": 0, "name": table(rows), "type": "table"})
        if block.title:
            yield _node(4, block.title, leaves)
        else:
            yield from leaves


def from_tree(node: Any, language: str = "") -> Deck:
    """Return the deck of an outline tree; what is not of its shape is passed over."""
    lines: list[str] = []
    stack: list[tuple[Any, int]] = [(node, 0)]
    while stack:
        each, depth = stack.pop()
        if not isinstance(each, dict) or depth > _MOST_DEEP:
            continue
        level, name = each.get("level"), each.get("name")
        name = " ".join(name.split()) if isinstance(name, str) and each.get("type") != "table" else name
        if isinstance(level, int) and 1 <= level <= 4:
            lines.append(f"{'#' * level} {escaped(str(name or ''))}")
        elif each.get("type") == "image" and isinstance(each.get("url"), str):
            lines.append(f"![{escaped(str(name or ''))}](<{_address(each['url'])}>)")
        elif isinstance(name, str) and name:
            lines.append(name if each.get("type") == "table" else f"- {escaped(name)}")
        children = each.get("children")
        if isinstance(children, list):
            stack.extend((child, depth + 1) for child in reversed(children))
    return parse("\n\n".join(lines)[:MOST_CHARACTERS], language)
