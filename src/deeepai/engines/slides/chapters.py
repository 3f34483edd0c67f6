"""A document's chapters and their groups: what is to become a section of the deck, and what a page, or some, of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from .passages import PAGE, Passages, Section, Unit
from .wording import cut, joined, titled, width

_T = TypeVar("_T")

TITLE: Final = 60
"""How wide a title may be: 30 Chinese characters."""
TOTALS: Final = {"short": 14, "medium": 27, "long": 34}
"""Pages of a deck, with cover, contents, section pages and closing, if there is enough text."""
_MOST_CHAPTERS: Final = {"short": 4, "medium": 7, "long": 9}
_PAGES_OF_CHAPTER: Final = 2
"""In a text without headings."""
_LITTLE: Final = 60
"""What does not ask for a page of its own."""


@dataclass(slots=True)
class Group:
    """What a page, or some, are made from: a title and parts of it, each with a title of its own, or none."""

    title: str
    parts: list[tuple[str, list[Unit]]]

    @property
    def units(self) -> list[Unit]:
        """All units, in order."""
        return [unit for _, units in self.parts for unit in units]

    @property
    def size(self) -> int:
        """How wide it is; a table, picture or quotation counts as a page."""
        return sum(unit.room for unit in self.units)


def chapters(passages: Passages, length: str, overview: str) -> tuple[str, list[Section]]:
    """Return the subtitle that the text gives, or none, and the chapters.

    A text without headings is cut where its parts have least in common.
    """
    root, introduction = passages.root, list(passages.root.units)
    parts = [part for part in root.parts if part.size]
    if len(parts) == 1 and len([part for part in parts[0].parts if part.size]) > 1 and not introduction:
        introduction, parts = parts[0].units, [part for part in parts[0].parts if part.size]
    if len(parts) < 2 and not any(part.parts for part in parts) and len(introduction) + sum(p.size for p in parts) > 0:
        if parts and not introduction and parts[0].size <= _PAGES_OF_CHAPTER * PAGE:
            return "", parts
        units = list(root.all_units())
        return "", _cut(passages, units)
    subtitle = ""
    if introduction and len(introduction) == 1 and introduction[0].kind == "text" and introduction[0].size <= 80:
        subtitle = introduction[0].text
    elif introduction:
        parts.insert(0, Section(overview, 2, introduction))
    most = _MOST_CHAPTERS.get(length, _MOST_CHAPTERS["medium"])
    if len(parts) > most:
        parts = [_together(run) for run in runs(parts, [part.size for part in parts], most)]
    return subtitle, parts


def _cut(passages: Passages, units: list[Unit]) -> list[Section]:
    size = sum(unit.size for unit in units)
    many = min(max(round(size / (_PAGES_OF_CHAPTER * PAGE)), 1), 6)
    gaps = [place for place in range(1, len(units)) if units[place].paragraph != units[place - 1].paragraph]
    if len(gaps) < many:
        gaps = list(range(1, len(units)))
    before = 0
    ends: list[int] = []
    sizes = [0]
    for unit in units:
        sizes.append(sizes[-1] + unit.size)
    for number in range(1, many):
        target = size * number / many
        near = [gap for gap in gaps if gap > before and abs(sizes[gap] - target) <= 0.3 * size / many]
        if near:
            before = min(near, key=lambda gap: _cohesion(passages, units, gap))
            ends.append(before)
    sections: list[Section] = []
    used = set[str]()
    for start, end in zip([0, *ends], [*ends, len(units)], strict=True):
        part = units[start:end]
        title = heading_of(part, used) or cut(joined(part[0].text), TITLE)
        used.add(title)
        sections.append(Section(title, 2, part))
    return sections


def _cohesion(passages: Passages, units: Sequence[Unit], gap: int) -> float:
    vectors = passages.texts.vectors
    before = vectors[[unit.index for unit in units[max(gap - 4, 0) : gap]]].sum(axis=0)
    after = vectors[[unit.index for unit in units[gap : gap + 4]]].sum(axis=0)
    lengths = float((before @ before) * (after @ after)) ** 0.5
    return float(before @ after) / lengths if lengths else 0.0


def heading_of(units: Sequence[Unit], used: set[str]) -> str:
    """Return a title for what has none, or nothing: what the sentence that is worth most says first."""
    said = [unit for unit in units if unit.kind in ("text", "item", "quote")]
    for unit in sorted(said, key=lambda unit: -unit.worth):
        title = titled(joined(unit.text), TITLE)
        if title and title not in used:
            return title
    return ""


def _together(parts: Sequence[Section]) -> Section:
    if len(parts) == 1:
        return parts[0]
    return Section(listed([part.title for part in parts]), 2, [], [_as_page(part) for part in parts])


def _as_page(section: Section) -> Section:
    return Section(section.title, 3, section.units, section.parts)


def listed(titles: Sequence[str]) -> str:
    """Return several titles as one, as many as there is room for."""
    glue = "、" if any(width(title) > len(title) for title in titles) else ", "
    said = ""
    for title in dict.fromkeys(title for title in titles if title):
        longer = f"{said}{glue}{title}" if said else title
        if width(longer) > TITLE - 2:
            return f"{said} …" if said else cut(title, TITLE)
        said = longer
    return said


def wanted(chapter: Section) -> int:
    """Return how many pages a chapter would fill: one for each heading that has something below it, or as its size."""
    own = sum(unit.size for unit in chapter.units) > _LITTLE
    return max(-(-chapter.size // PAGE), own + sum(part.size > _LITTLE for part in chapter.parts), 1)


def groups(chapter: Section, pages: int) -> list[Group]:
    """Return a chapter's groups, at most as many as there are pages."""
    found: list[Group] = []
    if chapter.units:
        found.append(Group(chapter.title, [("", chapter.units)]))
    for part in chapter.parts:
        inner = [("", part.units)] if part.units else []
        inner += [(title, units) for deeper in part.parts for title, units in _flat(deeper)]
        if inner:
            found.append(Group(part.title, inner))
    pages = min(pages, max(sum(group.size > _LITTLE for group in found), 1))
    if len(found) <= pages:
        return found
    return [_merged(run, chapter.title) for run in runs(found, [group.size for group in found], pages)]


def _flat(section: Section) -> list[tuple[str, list[Unit]]]:
    found = [(section.title, section.units)] if section.units else []
    for part in section.parts:
        found.extend(_flat(part))
    return found


def _merged(found: Sequence[Group], chapter: str) -> Group:
    if len(found) == 1:
        return found[0]
    parts = [(group.title if group.title != chapter else "", group.units) for group in found]
    return Group(listed([title for title, _ in parts]) or chapter, parts)


def runs(items: Sequence[_T], sizes: Sequence[int], many: int) -> list[list[_T]]:
    """Return items in at most so many runs, in order, of sizes as even as it comes."""
    total = sum(sizes) or 1
    found: list[list[_T]] = [[] for _ in range(many)]
    passed = 0.0
    for item, size in zip(items, sizes, strict=True):
        found[min(int((passed + size / 2) / total * many), many - 1)].append(item)
        passed += size
    return [run for run in found if run]


def shares(sizes: Sequence[int], total: int, most: Sequence[int]) -> list[int]:
    """Return how many pages each gets of a total: one, and more by its size (D'Hondt), up to its most."""
    given = [1] * len(sizes)
    while sum(given) < total:
        open_ = [place for place in range(len(sizes)) if given[place] < most[place]]
        if not open_:
            break
        given[max(open_, key=lambda place: sizes[place] / (given[place] + 0.5))] += 1
    return given
