"""Texts set in a design's placeholders: sizes that fit, letters that are not left alone, pages that are evenly full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .designs import Design, Layout, Slot
from .designs.design import LEAST
from .designs.layouts import layouts_of
from .fitting import FULL, Setting, bold, broken, fit, halves, height, is_lone, tracking
from .fonts import Typeface
from .package import hanging
from .sheets import Paragraph, Text


class Typesetter:
    """Sets texts in the placeholders of a design's layouts.

    Parameters
    ----------
    language : str
        BCP 47.
    """

    def __init__(self, design: Design, language: str) -> None:
        self.design = design
        self.language = language

    def layout(self, kind: str) -> Layout:
        """Return the design's layout of a kind."""
        return layouts_of(self.design)[kind]

    def typeface(self, *, heading: bool, strong: bool = False) -> Typeface:
        """Return what headings or texts are set in."""
        design = self.design
        if heading:
            return Typeface(design.heading, design.heading_serif, strong, self.language)
        return Typeface(design.body, design.body_serif, strong, self.language)

    def setting(self, slot: Slot) -> Setting:
        """Return how a placeholder's paragraphs are set."""
        face = self.typeface(heading=slot.heading, strong=slot.bold)
        return Setting(face, slot.spacing, slot.before, hanging(slot))

    def fit(self, slot: Slot, paragraphs: Sequence[str]) -> int | None:
        """Return the size at which paragraphs fit into a placeholder, or None."""
        size = fit(paragraphs, self.setting(slot), slot.room, (slot.size, slot.least), slot.lines)
        return self.calm(size, [(slot, paragraphs)]) if size is not None and len(paragraphs) > 1 else size

    def aired(self, slot: Slot, text: Text, used: float, most: float = 0.9) -> Text:
        """Return a text with more space between its paragraphs where much of the room would be left."""
        gaps = len(text.paragraphs) - 1
        spare = slot.room[1] - used
        if gaps > 0 and spare > 0:
            extra = min(spare * 0.4 / gaps, most * text.size)
            text.before = slot.before * text.size + extra
        return text

    def text(self, slot: Slot, paragraphs: Sequence[str], size: int, *, first: int = 1) -> Text:
        """Set paragraphs in a size; one alone is no list."""
        setting = self.setting(slot)
        bullet = bool(slot.bullet) and (len(paragraphs) > 1 or slot.bullet == "1.")
        room = slot.room[0] / size - (setting.indent if bullet else 0.0)
        found = [Paragraph(text, None, bullet, tracking(text, setting.typeface, room)) for text in paragraphs]
        return Text(found, size, first)

    def balanced(self, slot: Slot, text: str, size: int) -> int:
        """Return the size, or one a little smaller, at which the last line is not much shorter than the others."""
        setting = self.setting(slot)
        for tried in range(size, max(slot.least, int(size * 0.84)) - 1, -1):
            room = slot.room[0] / tried
            lines = broken(text, setting.typeface, room)
            if lines.count == 1 or lines.last_width > 0.3 * lines.widest:
                return tried
        return self.calm(size, [(slot, [text])])

    def title(self, slot: Slot, title: str, mark: str = "") -> tuple[Text, bool]:
        """Return a title in the largest size that fits, and whether not all of it did."""
        whole = title + mark
        setting = self.setting(slot)
        size = self.fit(slot, [whole])
        if size is not None:
            return self.text(slot, [whole], self.balanced(slot, whole, size)), False
        size = fit([whole], setting, slot.room, (min(slot.size, slot.least + 4), LEAST))
        if size is not None:
            return self.text(slot, [whole], size), False
        text = title
        while len(text) > 1:
            text, _ = halves(text, setting, LEAST, (slot.room[0], slot.room[1] * FULL))
            cut = text.rstrip("，、；：,;: ") + "…" + mark
            if height([cut], setting, LEAST, slot.room[0]) <= slot.room[1] * FULL:
                return self.text(slot, [cut], LEAST), True
            text = text[: int(len(text) * 0.9)]
        return self.text(slot, [text + mark], LEAST), True

    def calm(self, size: int, texts: Sequence[tuple[Slot, Sequence[str]]]) -> int:
        """Return the size, or one a little smaller, at which the fewest paragraphs end in a lone letter."""

        def lone(tried: int) -> int:
            return sum(
                is_lone(text, self.setting(slot).typeface, slot.room[0] / tried - self.setting(slot).indent)
                for slot, paragraphs in texts
                for text in paragraphs
            )

        return min(range(size, max(LEAST, size - 3) - 1, -1), key=lambda tried: (lone(tried), -tried), default=size)

    def dealt(self, slot: Slot, pieces: list[Paragraph], size: int, count: int) -> list[list[Paragraph]]:
        """Deal paragraphs out to pages that are about as full as one another."""
        heights = [self.high(slot, [piece], size) + slot.before * size for piece in pieces]
        share = sum(heights) / count
        pages: list[list[Paragraph]] = [[]]
        used = total = 0.0
        for piece, high in zip(pieces, heights, strict=True):
            full = used + high > slot.room[1] or total + high / 2 > share * len(pages)
            # A head does not stand alone on a page, unless it is as long as what it heads.
            alone = len(pages[-1]) == 1 and pages[-1][0].bold and count <= len(pieces)
            if pages[-1] and full and not alone:
                pages.append([])
                used = 0.0
            pages[-1].append(piece)
            used += high
            total += high
        return [page for page in pages if page]

    def cut(self, slot: Slot, paragraph: Paragraph, size: int) -> list[Paragraph]:
        """Split a paragraph that would fill a page."""
        setting = self.setting(slot)
        # A head keeps company with what it heads, and a page is better not filled by one paragraph.
        box = (slot.room[0], slot.room[1] * 0.72)
        parts: list[Paragraph] = []
        text = paragraph.text
        while len(text) > 1 and height([text], setting, size, box[0]) > box[1]:
            first, text = halves(text, setting, size, box)
            parts.append(replace(paragraph, text=first, bullet=paragraph.bullet and not parts))
        if text:
            parts.append(replace(paragraph, text=text, bullet=paragraph.bullet and not parts))
        return parts

    def high(self, slot: Slot, paragraphs: Sequence[Paragraph], size: float) -> float:
        """Return how high a list stands, in points."""
        setting = self.setting(slot)
        total = 0.0
        for number, paragraph in enumerate(paragraphs):
            own = bold(setting) if paragraph.bold else setting
            own = own if paragraph.bullet else replace(own, indent=0.0)
            total += height([paragraph.text], own, size, slot.room[0]) + (setting.before * size if number else 0.0)
        return total

    def fit_list(self, slot: Slot, paragraphs: Sequence[Paragraph], least: int) -> int | None:
        """Return the size at which a list fits, or None."""
        for size in range(slot.size, least - 1, -1):
            if self.high(slot, paragraphs, size) <= slot.room[1] * FULL:
                return size
        return None
