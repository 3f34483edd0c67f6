"""From what a deck says to its pages: a layout for each, text in sizes that fit, and more pages where they do not."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec

from . import charting, words
from .designs import Design, Layout, Slot
from .designs.design import LEAST
from .designs.layouts import BODIES, HEADS, NUMBER, OBJECT, layouts_of
from .fitting import Setting, bold, halves, height, tracking
from .model import Block, Chapter, Chart, Deck, Page, Table
from .sheets import Paragraph, Sheet, Text, clean, legal
from .tabling import grids
from .typesetting import Typesetter

_QUOTED = re.compile(r"^\s*[“「『\"](?P<text>.+)[”」』\"]\s*(?:[—–-]+\s*(?P<source>.+))?$", re.DOTALL)
_STEP = re.compile(
    r"^\s*(?:\d{4}\s*(?:年|[-–/.]|$)|Q[1-4]\b|(?:第?[一二三四五六七八九十\d]+(?:步|阶段|期|季度|周|天|年|个?月))|"
    r"(?:step|phase|stage|week|day|month|year)\s*\d)",
    re.IGNORECASE,
)
_ROOMY = 18
"""Points: a list that would be smaller goes over two pages."""


class Composer(Typesetter):
    """Composes the pages of one deck in one design.

    Parameters
    ----------
    pictures : collection of str
        Names of the pictures that are there; blocks that name others have none.
    """

    def __init__(self, design: Design, language: str, pictures: Collection[str] = ()) -> None:
        super().__init__(design, language)
        self._pictures = pictures
        self._turned = False

    def deck(self, deck: Deck) -> list[Sheet]:
        """Compose all pages."""
        sheets = [self.cover(deck), *self.contents(deck)]
        for number, chapter in enumerate(deck.chapters):
            if clean(chapter.title):
                sheets.append(self.section(chapter, number))
            for at, page in enumerate(chapter.pages):
                sheets += self.page(page, number, at, fallback=chapter.title)
        sheets.append(self.closing(deck))
        for inserted in deck.inserted:
            made = self.inserted(deck, inserted.page)
            at = min(max(inserted.position, 0), len(sheets))
            sheets[at:at] = made
        return sheets

    def inserted(self, deck: Deck, page: Page) -> list[Sheet]:
        """Compose a page that is no part of a chapter, of any kind that its layout names."""
        match page.layout:
            case "cover":
                title = clean(page.title) or deck.title
                return [replace(self.cover(msgspec.structs.replace(deck, title=title)), notes=page.notes)]
            case "contents":
                return self.contents(deck, title=page.title, always=True)
            case "section":
                return [replace(self.section(Chapter(page.title), -1), notes=page.notes)]
            case "closing":
                closing = clean(page.title) or deck.closing
                return [replace(self.closing(msgspec.structs.replace(deck, closing=closing)), notes=page.notes)]
            case _:
                return self.page(page, -1, -1, fallback="")

    # Stages.

    def cover(self, deck: Deck) -> Sheet:
        """Compose the first page."""
        layout = self.layout("cover")
        title = clean(deck.title) or next((clean(chapter.title) for chapter in deck.chapters if chapter.title), "")
        title = title or words.untitled(self.language)
        text, rest = self.title(layout.slot(0), title)
        sheet = Sheet("cover", {0: text}, title=title, notes=title if rest else "")
        for index, line in ((1, deck.subtitle), (NUMBER, deck.author)):
            self._optional(sheet, layout, index, line)
        return sheet

    def closing(self, deck: Deck) -> Sheet:
        """Compose the last page."""
        layout = self.layout("closing")
        title = clean(deck.closing) or words.thanks(self.language)
        text, rest = self.title(layout.slot(0), title)
        sheet = Sheet("closing", {0: text}, title=title, notes=title if rest else "")
        self._optional(sheet, layout, 1, deck.author)
        return sheet

    def _optional(self, sheet: Sheet, layout: Layout, index: int, line: str) -> None:
        line = clean(line)
        if line and layout.has(index):
            sheet.texts[index], rest = self.title(layout.slot(index), line)
            if rest:
                sheet.notes = f"{sheet.notes}\n{line}".strip()

    def section(self, chapter: Chapter, number: int) -> Sheet:
        """Compose a chapter's first page."""
        layout = self.layout("section")
        title = clean(chapter.title) or words.part(self.language, number + 1)
        text, rest = self.title(layout.slot(0), title)
        sheet = Sheet("section", {0: text}, number, title=title, notes=title if rest else "")
        if number >= 0 and layout.has(NUMBER):
            slot = layout.slot(NUMBER)
            digits = f"{number + 1:02}"
            size = self.fit(slot, [digits])
            if size is not None:
                sheet.texts[NUMBER] = Text([Paragraph(digits)], size)
        names = [name for page in chapter.pages if (name := clean(page.title))]
        if layout.has(1) and 1 < len(names) <= 4:
            size = self.fit(layout.slot(1), names)
            if size is not None:
                sheet.texts[1] = self.text(layout.slot(1), names, size)
        return sheet

    def contents(self, deck: Deck, *, title: str = "", always: bool = False) -> list[Sheet]:
        """Compose the table of contents: as many pages as it needs."""
        entries = [name for chapter in deck.chapters if (name := clean(chapter.title))]
        if len(entries) < 2 and not (always and entries):
            return []
        heading = clean(title) or words.contents(self.language)
        single, double = self.layout("contents"), self.layout("contents-2")
        sheets: list[Sheet] = []
        at = 0
        while at < len(entries):
            rest = entries[at:]
            sheet = Sheet("contents", title=heading)
            sheet.texts[0], _ = self.title(single.slot(0), heading)
            size = self.fit(single.slot(1), rest) if len(rest) <= 7 else None
            if size is not None:
                slot = single.slot(1)
                used = height(rest, self.setting(slot), size, slot.room[0])
                sheet.texts[1] = self.aired(slot, self.text(slot, rest, size, first=at + 1), used, 1.2)
                at = len(entries)
            else:
                sheet.kind = "contents-2"
                sheet.texts[0], _ = self.title(double.slot(0), heading)
                left, right, size = self._two(double, rest)
                sheet.texts[1] = self.text(double.slot(1), left, size, first=at + 1)
                if right:
                    sheet.texts[2] = self.text(double.slot(2), right, size, first=at + 1 + len(left))
                at += len(left) + len(right)
            sheets.append(sheet)
        return sheets

    def _two(self, layout: Layout, entries: list[str]) -> tuple[list[str], list[str], int]:
        slot = layout.slot(1)
        for count in range(min(len(entries), 16), 0, -1):
            half = (count + 1) // 2
            left, right = entries[:half], entries[half:count]
            sizes = [self.fit(slot, part) for part in (left, right) if part]
            if all(size is not None for size in sizes):
                return left, right, min(size for size in sizes if size is not None)
        # One entry higher than the column: what fits of it.
        setting = self.setting(slot)
        head, _ = halves(entries[0], setting, LEAST, slot.room)
        return [head], [], LEAST

    # Content.

    def page(self, page: Page, chapter: int, at: int, *, fallback: str) -> list[Sheet]:
        """Compose a content page: one slide, or as many as its blocks need."""
        blocks = [block for given in page.blocks if (block := self._block(given)) is not None]
        title = clean(page.title)
        if not title and len(blocks) == 1 and blocks[0].title:
            title, blocks[0] = blocks[0].title, msgspec.structs.replace(blocks[0], title="")
            if _is_empty(blocks[0]):
                blocks = []
        title = title or clean(fallback)
        if len(blocks) == 1 and blocks[0].title == title:
            blocks[0] = msgspec.structs.replace(blocks[0], title="")
            if _is_empty(blocks[0]):
                blocks = []
        sheets = self._content(page.layout, title, blocks)
        if any(sheet.kind in ("picture", "picture-left") for sheet in sheets):
            self._turned = not self._turned
        for number, sheet in enumerate(sheets, 1):
            sheet.chapter, sheet.page = chapter, at
            self._head(sheet, title, number, len(sheets))
        if notes := legal(page.notes).strip():
            sheets[0].notes = f"{sheets[0].notes}\n{notes}".strip()
        return sheets

    def _head(self, sheet: Sheet, title: str, number: int, count: int) -> None:
        sheet.title = title
        if not title:
            return
        slot = self.layout(sheet.kind).slot(0)
        mark = ""
        if count > 1:
            mark = f"（{number}/{count}）" if self.language.startswith("zh") else f" ({number}/{count})"
        text, rest = self.title(slot, title, mark)
        sheet.texts[0] = text
        if rest and number == 1:
            sheet.notes = title

    def _block(self, block: Block) -> Block | None:
        points = [point for given in block.points if (point := clean(given))]
        table, chart = block.table, block.chart
        rows = [[clean(cell) for cell in row] for row in table.rows] if table is not None else []
        if chart is not None:
            chart = Chart(
                chart.kind,
                [clean(name) or "–" for name in chart.categories],
                {clean(name) or f"{number}": values for number, (name, values) in enumerate(chart.series.items(), 1)},
                clean(chart.unit),
            )
            drawn = charting.drawable(chart)
            if drawn is None and chart.categories and any(chart.series.values()):
                rows = rows or charting.as_table(chart)
            chart = drawn
        width = max((len(row) for row in rows), default=0)
        rows = [row + [""] * (width - len(row)) for row in rows]
        rows = [row for at, row in enumerate(rows) if at == 0 or any(row)]
        has_table = width > 0 and any(any(row) for row in rows)
        image = block.image if block.image in self._pictures else ""
        found = Block(clean(block.title), points, image, Table(rows) if has_table else None, chart)
        return None if _is_empty(found) else found

    def _content(self, wish: str, title: str, blocks: list[Block]) -> list[Sheet]:
        if not blocks:
            return [Sheet("statement" if title else "list")]
        texts = [block for block in blocks if not _has_object(block)]
        objects = [block for block in blocks if _has_object(block)]
        if objects:
            return self._objects(texts, objects)
        if wish == "quote" or (len(texts) == 1 and len(texts[0].points) == 1 and _QUOTED.match(texts[0].points[0])):
            sheet = self._quote(texts)
            if sheet is not None:
                return [sheet]
        return self._texts(wish, texts)

    def _objects(self, texts: list[Block], objects: list[Block]) -> list[Sheet]:
        sheets: list[Sheet] = []
        if len(objects) == 1 and texts:
            block = objects[0]
            # All text beside the one picture or chart, if it finds room there.
            merged = Block(block.title, [*block.points], block.image, block.table, block.chart)
            for text in texts:
                merged.points += (
                    [f"{text.title}{self._colon}{text.points[0]}", *text.points[1:]]
                    if text.title and text.points
                    else [
                        *([text.title] if text.title else []),
                        *text.points,
                    ]
                )
            single = self._object(merged)
            if len(single) == 1:
                return single
        if texts:
            sheets += self._texts("", texts)
        for block in objects:
            sheets += self._object(block)
        return sheets

    @property
    def _colon(self) -> str:
        return "：" if self.language.startswith(("zh", "ja")) else ": "

    def _object(self, block: Block) -> list[Sheet]:
        """Compose a block's picture, chart and table, each on a page of its own if there are more than one."""
        sheets: list[Sheet] = []
        title, points = block.title, block.points
        if block.image:
            # Pictures stand on the right and on the left by turns.
            kind = "picture-left" if self._turned else "picture"
            beside = self._beside(kind, title, points)
            sheets.append(Sheet(kind if beside else "picture-wide", beside or {}, picture=block.image))
            if beside:
                title, points = "", []
        if block.chart is not None:
            beside = self._beside("chart", title, points)
            sheets.append(Sheet("chart" if beside else "chart-wide", beside or {}, chart=block.chart))
            if beside:
                title, points = "", []
        if block.table is not None:
            sheets += self._table(block.table.rows, title, points)
            if sheets[-1].kind == "table-note":
                title, points = "", []
        if points:
            sheets = [*self._texts("", [Block(title, points)]), *sheets]
        return sheets

    def _beside(self, kind: str, title: str, points: list[str]) -> dict[int, Text] | None:
        """Return the texts beside a picture or chart, or None where there are none, or too many."""
        layout = self.layout(kind)
        texts: dict[int, Text] = {}
        if title:
            size = self.fit(layout.slot(HEADS + 1), [title])
            if size is None:
                return None
            texts[HEADS + 1] = self.text(layout.slot(HEADS + 1), [title], size)
        if points:
            size = self.fit(layout.slot(1), points)
            if size is None:
                return None
            used = height(points, self.setting(layout.slot(1)), size, layout.slot(1).room[0])
            texts[1] = self.aired(layout.slot(1), self.text(layout.slot(1), points, size), used, 0.5)
        return texts or None

    def _table(self, rows: list[list[str]], title: str, points: list[str]) -> list[Sheet]:
        note = [*([title] if title else []), *points]
        setting = Setting(self.typeface(heading=False))
        plain = self.layout("table")
        if note:
            layout = self.layout("table-note")
            size = self.fit(layout.slot(1), note)
            pages = grids(rows, setting, layout.slot(OBJECT).room)
            if size is not None:
                sheets = [Sheet("table", grid=grid) for grid in pages]
                sheets[-1].kind = "table-note"
                sheets[-1].texts[1] = self.text(layout.slot(1), note, size)
                return sheets
        return [Sheet("table", grid=grid) for grid in grids(rows, setting, plain.slot(OBJECT).room)]

    def _quote(self, blocks: list[Block]) -> Sheet | None:
        points = [point for block in blocks for point in block.points]
        if not points:
            return None
        source = ""
        found = _QUOTED.match(points[0]) if len(points) == 1 else None
        if found:
            source = found["source"] or blocks[0].title
            points = [points[0][: found.end("text") + 1]]
        elif len(points) > 1:
            *points, source = points
        layout = self.layout("quote")
        size = self.fit(layout.slot(1), points)
        if size is None:
            return None
        size = self.balanced(layout.slot(1), points[0], size) if len(points) == 1 else size
        sheet = Sheet("quote", {1: self.text(layout.slot(1), points, size)})
        if source := source.lstrip("—–- "):
            sheet.texts[2], rest = self.title(layout.slot(2), f"— {source}")
            if rest:
                return None
        return sheet

    def _texts(self, wish: str, blocks: list[Block]) -> list[Sheet]:
        titled = [block for block in blocks if block.title]
        if not any(block.points for block in blocks):
            return self._list([Paragraph(block.title) for block in blocks])
        if len(blocks) == 1 or not titled:
            paragraphs = [Paragraph(block.title, True, False) for block in titled]
            return self._list([*paragraphs, *(Paragraph(point) for block in blocks for point in block.points)])
        if wish in ("list", "picture", "chart", "table"):
            return self._list(_flat(blocks))
        count = len(blocks)
        if (wish == "timeline" or (not wish and all(_STEP.match(block.title) for block in blocks))) and 3 <= count <= 5:
            sheet = self._columns(f"timeline-{count}", blocks)
            if sheet is not None:
                return [sheet]
        if wish == "comparison" and count == 2:
            sheet = self._columns("comparison", blocks)
            if sheet is not None:
                return [sheet]
        return self._parallel(blocks)

    def _parallel(self, blocks: list[Block]) -> list[Sheet]:
        """Compose blocks side by side, up to four on a page; those with too much text on pages of their own."""
        count = len(blocks)
        if count == 1:
            return self._list(_flat(blocks))
        if count <= 4:
            sheet = self._columns(f"columns-{count}", blocks)
            if sheet is not None:
                return [sheet]
            if count == 2:
                return [*self._list(_flat(blocks[:1])), *self._list(_flat(blocks[1:]))]
        pages = -(-count // 4) if count > 4 else 2
        sheets: list[Sheet] = []
        at = 0
        for number in range(pages):
            size = -(-(count - at) // (pages - number))
            sheets += self._parallel(blocks[at : at + size])
            at += size
        return sheets

    def _columns(self, kind: str, blocks: list[Block]) -> Sheet | None:
        """Compose blocks in columns, all heads of one size, all texts of one; None if they do not fit."""
        layout = self.layout(kind)
        heads: list[int] = []
        bodies: list[int] = []
        for number, block in enumerate(blocks, 1):
            head = (
                self.fit(layout.slot(HEADS + number), [block.title])
                if block.title
                else layout.slot(HEADS + number).size
            )
            body = (
                self.fit(layout.slot(BODIES + number), block.points)
                if block.points
                else layout.slot(BODIES + number).size
            )
            if head is None or body is None:
                return None
            heads.append(head)
            bodies.append(body)
        pairs = list(enumerate(blocks, 1))
        head = self.calm(
            min(heads), [(layout.slot(HEADS + number), [block.title]) for number, block in pairs if block.title]
        )
        body = self.calm(
            min(bodies), [(layout.slot(BODIES + number), block.points) for number, block in pairs if block.points]
        )
        if f"{kind}-short" in layouts_of(self.design) and self._is_short(kind, head, body, blocks):
            kind = f"{kind}-short"
            layout = self.layout(kind)
        sheet = Sheet(kind)
        for number, block in pairs:
            if block.title:
                sheet.texts[HEADS + number] = self.text(layout.slot(HEADS + number), [block.title], head)
            if block.points:
                sheet.texts[BODIES + number] = self.text(layout.slot(BODIES + number), block.points, body)
        return sheet

    def _is_short(self, kind: str, head: int, body: int, blocks: list[Block]) -> bool:
        """Return whether all columns find room on lower cards, in the sizes that they have on high ones."""
        look = self.design.look
        if not (look.versus[0] if kind == "comparison" else look.card).padding:
            return False
        layout = self.layout(f"{kind}-short")
        for number, block in enumerate(blocks, 1):
            heads, bodies = layout.slot(HEADS + number), layout.slot(BODIES + number)
            if block.title and height([block.title], self.setting(heads), head, heads.room[0]) > heads.room[1]:
                return False
            if height(block.points, self.setting(bodies), body, bodies.room[0]) > bodies.room[1]:
                return False
        return True

    def _list(self, paragraphs: list[Paragraph]) -> list[Sheet]:
        """Compose a list on as many pages as it needs to be read with ease."""
        slot = self.layout("list").slot(1)
        size = self.fit_list(slot, paragraphs, _ROOMY)
        if size is not None:
            return [self._listed(slot, paragraphs, size)]
        least = 20
        pieces: list[Paragraph] = []
        for paragraph in paragraphs:
            pieces += self.cut(slot, paragraph, least)
        total = sum(self.high(slot, [piece], least) + slot.before * least for piece in pieces)
        count = max(2, -(-int(total) // int(slot.room[1])))
        while True:
            pages = self.dealt(slot, pieces, least, count)
            sizes = [self.fit_list(slot, page, LEAST) for page in pages]
            if all(size is not None for size in sizes):
                return [self._listed(slot, page, min(size or LEAST for size in sizes)) for page in pages]
            count += 1

    def _listed(self, slot: Slot, paragraphs: list[Paragraph], size: int) -> Sheet:
        setting = self.setting(slot)
        found: list[Paragraph] = []
        for one in paragraphs:
            # A lone paragraph is no list.
            bullet = one.bullet and len(paragraphs) > 1
            room = slot.room[0] / size - (setting.indent if bullet else 0.0)
            face = (bold(setting) if one.bold else setting).typeface
            found.append(replace(one, bullet=bullet, tracking=tracking(one.text, face, room)))
        used = self.high(slot, paragraphs, size)
        return Sheet("list", {1: self.aired(slot, Text(found, size), used)})


def _is_empty(block: Block) -> bool:
    return not (block.title or block.points or _has_object(block))


def _has_object(block: Block) -> bool:
    return bool(block.image) or block.table is not None or block.chart is not None


def _flat(blocks: Sequence[Block]) -> list[Paragraph]:
    found: list[Paragraph] = []
    for block in blocks:
        if block.title:
            found.append(Paragraph(block.title, True, False))
        found += [Paragraph(point) for point in block.points]
    return found
