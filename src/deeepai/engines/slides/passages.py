"""A document as the planner sees it: sections within sections, of units (a sentence, an item, a table …)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .documents import Document
from .pieces import Piece, pieces
from .ranking import Texts
from .wording import joined, numbers, sentences, width

MOST_CHARACTERS: Final = 100_000
"""Of a document that is planned from; further ones are left out."""
_MOST_UNITS: Final = 3000
_LINKS: Final = 3
"""Of `a · b · c · d`: a line of links says nothing."""
_NAME: Final = re.compile(r"(?<=[\w,;] )[A-Z][\w-]+|\b[A-Z]{2,}\b|《[^》]+》|“[^”]{2,20}”|「[^」]{2,20}」")
_NUMERALS: Final = "一二三四五六七八九十百壹貳叁參肆伍陸柒捌玖拾贰陆"
_ENUMERATED: Final = re.compile(
    rf"^(?:\d{{1,2}}(?:\.\d{{1,2}}){{0,3}}[.、)]?\s+|[（(][{_NUMERALS}\d]{{1,3}}[）)]\s*|[{_NUMERALS}]{{1,3}}[、.．]\s*"
    rf"|第[{_NUMERALS}\d]{{1,4}}[章节節部编篇条條][:：\s]*|[IVX]{{1,5}}\.\s+|\d{{1,2}}、\s*)"
)


@dataclass(slots=True)
class Unit:
    """A sentence, an item, a quotation, a line of code, a table, a picture.

    Attributes
    ----------
    paragraph : int
        Which piece of the document it is from.
    worth : float
        How much a deck should want it; 0 to about 2.
    """

    index: int
    kind: str
    text: str
    paragraph: int
    piece: Piece
    worth: float = 0.0

    size: int = 0
    """How wide it is, in half-width characters."""

    @property
    def is_quotation(self) -> bool:
        """Whether it can stand on a page alone."""
        return self.kind == "quote" and 16 <= self.size <= PAGE and self.text.count("\n") <= 1

    @property
    def room(self) -> int:
        """What it asks for: a table, a page for each eight rows; a picture or a quotation, a page."""
        if self.kind == "table":
            return PAGE * max(-(-(len(self.piece.rows) - 1) // TABLE_ROWS), 1)
        return PAGE if self.kind == "image" or self.is_quotation else self.size


@dataclass(slots=True)
class Section:
    """A heading and what is below it."""

    title: str
    level: int
    units: list[Unit] = field(default_factory=list[Unit])
    parts: list[Section] = field(default_factory=list["Section"])

    def all_units(self) -> Iterator[Unit]:
        """Yield its units and those of its parts, in order."""
        yield from self.units
        for part in self.parts:
            yield from part.all_units()

    @property
    def size(self) -> int:
        """How wide all of it is; a table, picture or quotation counts as a page."""
        return sum(unit.room for unit in self.all_units())


TABLE_ROWS: Final = 8
"""Of a table on one page, but for its head."""
PAGE: Final = 320
"""Half-width characters that a page holds well: 160 Chinese characters, 55 English words."""


class Passages:
    """A document taken apart.

    Attributes
    ----------
    title : str
        The document's heading of all; its own title, where it has none.
    root : Section
        Without title: what stands before the first chapter, and the chapters.
    """

    def __init__(self, source: Document) -> None:
        self.source = source
        self.units: list[Unit] = []
        self.root = Section("", 0)
        self._take(pieces(source.markdown[:MOST_CHARACTERS]))
        self.title = source.title.strip()
        if len(self.root.parts) == 1 and not self.root.units:
            self.root = self.root.parts[0]
            self.title, self.root.title = self.root.title, ""
        self.texts = Texts([unit.text for unit in self.units])
        self.weigh()

    def _take(self, found: list[Piece]) -> None:
        stack = [self.root]
        for paragraph, piece in enumerate(found):
            if piece.kind == "heading":
                while stack[-1].level >= piece.level:
                    stack.pop()
                section = Section(unnumbered(joined(piece.text)), piece.level)
                stack[-1].parts.append(section)
                stack.append(section)
                continue
            following = found[paragraph + 1].kind if paragraph + 1 < len(found) else "heading"
            for kind, text in self._said(piece):
                # "Otherwise:" says nothing without the lines of code that followed.
                if text.endswith((":", "：")) and following in ("code", "heading") and width(text) <= 60:
                    continue
                if len(self.units) >= _MOST_UNITS:
                    return
                unit = Unit(len(self.units), kind, text, paragraph, piece, size=width(text))
                self.units.append(unit)
                stack[-1].units.append(unit)

    def _said(self, piece: Piece) -> Iterator[tuple[str, str]]:
        match piece.kind:
            case "image":
                # What is not in the document itself is somebody's address: it is not asked for unasked.
                if piece.address in self.source.pictures:
                    yield "image", piece.text
            case "table":
                yield "table", " ".join(" ".join(row) for row in piece.rows)
            case "code":
                if "\n" not in piece.text:
                    yield "code", piece.text.strip()
            case "item":
                yield "item", joined(piece.text)
            case "quote":
                yield "quote", piece.text
            case _ if piece.text.count(" · ") >= _LINKS:
                pass
            case _:
                for sentence in sentences(piece.text):
                    yield "text", sentence

    def weigh(self, wish: str = "") -> None:
        """Set what each unit is worth; more, the nearer it is to the wish."""
        ranks = self.texts.central()
        near = self.texts.near(wish) if wish.strip() else None
        firsts = set[int]()
        for unit in self.units:
            worth = float(ranks[unit.index])
            # Facts are what is counted and what has a name.
            worth += 0.25 * min(len(numbers(unit.text)), 3) + 0.1 * min(len(_NAME.findall(unit.text)), 4)
            if unit.paragraph not in firsts:
                firsts.add(unit.paragraph)
                worth += 0.2
            if unit.size < 16:
                worth -= 0.3
            if near is not None:
                worth += 1.5 * float(near[unit.index])
            unit.worth = worth


def unnumbered(heading: str) -> str:
    """Return a heading without its own number: a deck has its own."""
    return _ENUMERATED.sub("", heading).strip().rstrip(".。:：") or heading.strip()
