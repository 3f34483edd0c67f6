"""Pages from a group: the sentences that are worth most, as many as there is room for, in their order, in blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from .chapters import TITLE, Group, heading_of, runs
from .figures import charted, listed, series
from .model import Block, Page, Table
from .passages import PAGE, TABLE_ROWS, Unit
from .wording import LONGEST, clauses, cut, joined, numbers, titled, width

_BOX: Final = 110
"""How wide a block's text is to be; docmee's rule is 40 to 80 Chinese characters."""
_MOST_POINTS: Final = 3
_MOST_ITEMS: Final = 5
_MOST_BLOCKS: Final = 4
_MOST_DATES: Final = 6
_FEW_DATES: Final = 3
"""From which on they are a sequence."""
_POINT: Final = LONGEST + 20
_SPECIAL: Final = PAGE * 2 // 3
"""What a table, chart or picture takes of a page."""
_MOST_COLUMNS: Final = 8
_SAID_OF_CODE: Final = 40
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_DATED: Final = re.compile(
    r"^(?:(?:In|On|By|Since|From|After|Im Jahr|En|Em|Nel)\s+)?(?P<date>"
    rf"(?:{_MONTH}\s+(?:\d{{1,2}},?\s+)?|\d{{1,2}}\s+{_MONTH}\s+)?"
    r"(?:1[0-9]|20)\d\d(?:\s*年(?:\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?)?|[-/.]\d{1,2}(?:[-/.]\d{1,2})?)?)"
    r"(?P<mark>\s*[,，:：、—–-]?\s*)(?P<rest>\S.*)$",
    re.S,
)
_TERM: Final = re.compile(
    r"^(?P<term>[^:：。.!?！？，,]{1,40}?)\s*(?:：|:(?=\s)|\s[–—-]{1,2}(?=\s))\s*(?P<rest>\S.{8,})$", re.S
)


@dataclass(slots=True)
class _Box:
    """A block with what it takes.

    Attributes
    ----------
    special : str
        The layout that it wants: `table`, `chart`, `picture`, `quote`; or none.
    date : str
        Where it tells what happened then.
    """

    block: Block
    size: int
    units: list[Unit] = field(default_factory=list[Unit])
    special: str = ""
    date: str = ""


def pages(group: Group, many: int, used: set[str], colon: str) -> list[Page]:
    """Return at most so many pages of a group.

    Parameters
    ----------
    used : set of str
        Titles that are taken; those of the pages are added.
    colon : str
        Between a heading and a finding.
    """
    room = many * PAGE
    made = _packed(_boxes(group, room), many)
    while len(made) > many and room > PAGE // 4:
        room = int(room * 0.88)
        made = _packed(_boxes(group, room), many)
    return [_page(group, boxes, place, used, colon) for place, boxes in enumerate(made[:many])]


def _boxes(group: Group, room: int) -> list[_Box]:
    chosen = _chosen(group, room)
    boxes: list[_Box] = []
    for title, units in group.parts:
        kept = [unit for unit in units if unit.index in chosen]
        made = list(_of_part(kept, title or group.title, chosen))
        if made and title:
            made[0].block.title = title
        boxes.extend(made)
    return boxes


def _chosen(group: Group, room: int) -> dict[int, int]:
    """Return the indexes of the units that are worth most, and fit, with how many blocks each may have.

    A long table is shown as far as half of the room goes.
    """
    chosen: dict[int, int] = {}
    units = sorted(group.units, key=lambda unit: (unit.kind not in ("table", "image"), -unit.worth))
    for unit in units:
        size = _SPECIAL if unit.kind in ("table", "image") else min(unit.size, _POINT)
        blocks = 1
        if unit.kind == "table":
            blocks = min(unit.room // PAGE, max(room // 2 // _SPECIAL, 1))
            size *= blocks
        if unit.is_quotation:
            size = PAGE
        if unit.kind == "code":
            size = _SAID_OF_CODE
        if size <= room:
            chosen[unit.index] = blocks
            room -= size
    # "The following:" without what follows, or the other way about, says little.
    everything = group.units
    for place, unit in enumerate(everything[:-1]):
        if unit.text.endswith((":", "：")) and unit.index in chosen and everything[place + 1].index not in chosen:
            chosen.pop(unit.index)
    return chosen


def _of_part(units: Sequence[Unit], about: str, blocks: Mapping[int, int]) -> Iterator[_Box]:
    """Yield the boxes of a part."""
    place = 0
    while place < len(units):
        unit = units[place]
        if unit.kind == "table":
            yield from islice(_tables(unit), blocks[unit.index])
            place += 1
        elif unit.kind == "image":
            block = Block(cut(joined(unit.text), TITLE), image=unit.piece.address)
            yield _Box(block, _SPECIAL, [unit], "picture")
            place += 1
        elif unit.kind == "quote":
            lines = [line for line in unit.text.split("\n") if line.strip()]
            yield _Box(Block("", lines), unit.size, [unit], "quote" if unit.is_quotation else "")
            place += 1
        else:
            end = place
            while end < len(units) and units[end].kind in ("text", "item", "code"):
                end += 1
            yield from _texts(units[place:end], about)
            place = end


def _tables(unit: Unit) -> Iterator[_Box]:
    rows = [row[:_MOST_COLUMNS] for row in unit.piece.rows]
    if chart := charted(rows):
        yield _Box(Block("", chart=chart), _SPECIAL, [unit], "chart")
        return
    for start in range(1, max(len(rows), 2), TABLE_ROWS):
        yield _Box(Block("", table=Table([rows[0], *rows[start : start + TABLE_ROWS]])), _SPECIAL, [unit], "table")
        unit = Unit(unit.index, "table", "", unit.paragraph, unit.piece)


def _texts(units: Sequence[Unit], about: str) -> Iterator[_Box]:
    place = 0
    dates = {unit.index for unit in units if _DATED.match(unit.text)}
    if len(dates) < _FEW_DATES:
        dates.clear()
    while place < len(units):
        run = _items(units, place, dates)
        lead = units[place - 1] if place and units[place - 1].text.endswith((":", "：")) else None
        if len(run) >= 2:
            yield from _listed(run, lead, about)
            place += len(run)
            continue
        unit = units[place]
        if unit.text.endswith((":", "：")) and len(_items(units, place + 1, dates)) >= 2 and width(unit.text) <= TITLE:
            place += 1  # It is the title of what follows.
            continue
        if unit.index in dates and (date := _DATED.match(unit.text)):
            yield _Box(Block(date["date"].strip(), [cut(date["rest"], _POINT)]), unit.size, [unit], date=date["date"])
            place += 1
            continue
        if chart := series(unit.text, about):
            yield _Box(
                Block(titled(unit.text, TITLE), [cut(unit.text, _POINT)], chart=chart), _SPECIAL, [unit], "chart"
            )
            place += 1
            continue
        taken = [unit]
        while (
            place + len(taken) < len(units)
            and len(taken) < _MOST_POINTS
            and sum(each.size for each in taken) + (following := units[place + len(taken)]).size <= _BOX
            and following.paragraph - taken[-1].paragraph <= 1
            and following.kind == unit.kind
            and not following.text.endswith((":", "："))
            and following.index not in dates
        ):
            taken.append(following)
        yield _plain_box(taken)
        place += len(taken)


def _items(units: Sequence[Unit], place: int, dates: set[int]) -> Sequence[Unit]:
    end = place
    while end < len(units) and units[end].kind == "item" and units[end].index not in dates:
        end += 1
    return units[place:end]


def _listed(run: Sequence[Unit], lead: Unit | None, about: str) -> Iterator[_Box]:
    """Yield the boxes of a list."""
    title = lead.text.rstrip(":： ") if lead and width(lead.text) <= TITLE else ""
    if chart := listed([unit.text for unit in run], title or about):
        yield _Box(Block(title, chart=chart), _SPECIAL, list(run), "chart")
        return
    terms = [_TERM.match(unit.text) for unit in run]
    if all(term and width(term["rest"]) > 24 for term in terms):
        for unit, term in zip(run, terms, strict=True):
            if term:
                yield _Box(Block(term["term"].strip(), [cut(term["rest"], _POINT)]), unit.size, [unit])
        return
    taken: list[Unit] = []
    for unit in run:
        if taken and (len(taken) >= _MOST_ITEMS or sum(each.size for each in taken) + unit.size > 2 * _BOX):
            yield _of_items(taken, title)
            taken = []
        taken.append(unit)
    yield _of_items(taken, title)


def _of_items(taken: Sequence[Unit], title: str) -> _Box:
    size = sum(min(unit.size, _POINT) for unit in taken)
    return _Box(Block(title, [cut(unit.text, _POINT) for unit in taken]), size, list(taken))


def _plain_box(units: Sequence[Unit]) -> _Box:
    first = units[0]
    block = Block("", [cut(unit.text, _POINT) for unit in units])
    term = _TERM.match(first.text)
    if term and len(units) == 1:
        block = Block(term["term"].strip(), [cut(term["rest"], _POINT)])
    elif first.kind != "code":
        title = titled(joined(first.text), TITLE * 2 // 3)
        # A title that is the sentence itself would be read twice.
        if width(title) <= 0.6 * sum(unit.size for unit in units):
            block.title = title
    return _Box(block, sum(min(unit.size, _POINT) for unit in units), list(units))


def _packed(boxes: Sequence[_Box], many: int) -> list[list[_Box]]:
    """Return boxes as pages, in order: at most so many and as even as it comes, or more where they do not fit."""
    sizes = [box.size for box in boxes]
    for number in range(max(-(-sum(sizes) // PAGE), 1), many + 1):
        even = runs(boxes, sizes, number)
        if all(_fits(page) for page in even):
            return even
    made: list[list[_Box]] = []
    for box in boxes:
        if made and _fits([*made[-1], box]):
            made[-1].append(box)
        else:
            made.append([box])
    return made


def _fits(page: Sequence[_Box]) -> bool:
    if len(page) == 1:
        return True
    dated = all(box.date for box in page)
    specials = [box.special for box in page if box.special]
    return (
        sum(box.size for box in page) <= PAGE * (1.5 if dated else 1.15)
        and len(page) <= (_MOST_DATES if dated else _MOST_BLOCKS)
        and len(specials) <= 1
        and "quote" not in specials
    )


def _page(group: Group, boxes: Sequence[_Box], place: int, used: set[str], colon: str) -> Page:
    units = [unit for box in boxes for unit in box.units]
    finding = _finding(units, used)
    title = group.title
    if place or title in used:
        title = finding or heading_of(units, used) or (f"{group.title} ({place + 1})" if place else group.title)
    elif finding and width(title) + width(colon) + width(finding) <= TITLE and finding not in title:
        title = f"{title}{colon}{finding}"
    used.add(title)
    blocks = [box.block for box in boxes]
    for block in blocks:
        if block.title and title.endswith(block.title) and block.points:
            block.title = ""
    specials = {box.special for box in boxes if box.special}
    layout = specials.pop() if len(specials) == 1 else ""
    if len(boxes) >= _FEW_DATES and all(box.date for box in boxes):
        layout = "timeline"
    return Page(title, blocks, layout)


def _finding(units: Sequence[Unit], used: set[str]) -> str:
    """Return a clause with a figure in it, of the sentence that is worth most, or nothing."""
    said = [unit for unit in units if unit.kind in ("text", "item") and numbers(unit.text)]
    for unit in sorted(said, key=lambda unit: -unit.worth):
        for clause in clauses(unit.text):
            title = titled(clause, TITLE - 8)
            counted = any(len(number) > 1 for number in numbers(title))
            if counted and width(title) >= 12 and title not in used and not _DATED.match(title):
                return title
    return ""
