"""A design's layouts: its own stages, and content pages on one grid of twelve columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from .design import HEIGHT, MARGIN, WIDTH, Card, Design, Fill, Layout, Look, Slot, Stage
from .drawing import Box, Gradient, Shape, circle, rule

BOTTOM = 488.0
"""Where content ends; below it stands the page number."""
_GAP = 24.0
HEADS = 10
"""Heads of columns are 11, 12, …"""
BODIES = 20
"""Their texts are 21, 22, …"""
OBJECT = 3
"""Picture, chart or table."""
NUMBER = 10
"""A section's number; a cover's author."""


def _stage(kind: str, name: str, stage: Stage) -> Layout:
    return Layout(kind, name, stage.texts, stage.shapes, stage.fill, stage.is_plain, stage.number)


def _content(look: Look, kind: str, name: str, slots: tuple[Slot, ...], shapes: tuple[Shape, ...] = ()) -> Layout:
    return Layout(kind, name, (look.title, *slots), shapes, None, True, look.number)


def _coloured(fill: Fill, number: int) -> Fill:
    if isinstance(fill, str):
        return fill.replace("{n}", str(number))
    if isinstance(fill, Gradient):
        return replace(fill, start=fill.start.replace("{n}", str(number)), end=fill.end.replace("{n}", str(number)))
    return None


def _card(card: Card, box: Box, number: int) -> list[Shape]:
    found: list[Shape] = []
    if card.fill is not None or card.line is not None:
        line = card.line.replace("{n}", str(number)) if card.line else None
        found.append(Shape(box, _coloured(card.fill, number), line, 1.0, card.geometry, card.adjust))
    if card.rule is not None:
        left, top, width, _ = box
        found.append(rule(left, top, width, card.rule.replace("{n}", str(number)), width=card.rule_width))
    return found


def _inner(box: Box, padding: float) -> Box:
    left, top, width, height = box
    return left + padding, top + padding * 0.75, width - 2 * padding, height - 1.5 * padding


def _pair(
    look: Look, number: int, box: Box, *, head: float, sizes: tuple[int, int], name: str, anchor: str = "b"
) -> tuple[Slot, Slot]:
    left, top, width, height = box
    gap = 6.0
    return (
        Slot(
            HEADS + number,
            "body",
            f"{name} {number}: head",
            (left, top, width, head),
            sizes[0],
            bold=True,
            colour=look.head.replace("{n}", str(number)),
            heading=True,
            anchor=anchor,
            spacing=0.92,
            lines=2,
        ),
        Slot(
            BODIES + number,
            "body",
            f"{name} {number}: text",
            (left, top + head + gap, width, height - head - gap),
            sizes[1],
            colour=look.text,
            before=0.35,
        ),
    )


def _extent(look: Look, *, short: bool) -> tuple[float, float]:
    """Return the top and the height of cards: those of little text are lower, so that no card stands empty."""
    height = BOTTOM - look.top
    return (look.top + height * 0.1, height * 0.6) if short else (look.top, height)


def _columns(look: Look, count: int, *, short: bool = False) -> Layout:
    room = WIDTH - 2 * MARGIN
    top, height = _extent(look, short=short)
    width = (room - _GAP * (count - 1)) / count
    slots: list[Slot] = []
    shapes: list[Shape] = []
    for number in range(1, count + 1):
        box = (MARGIN + (number - 1) * (width + _GAP), top, width, height)
        shapes += _card(look.card, box, number)
        rise = 6.0 if look.card.rule and not look.card.padding else 0.0
        inner = _inner(box, look.card.padding)
        inner = (inner[0], inner[1] + rise, inner[2], inner[3] - rise)
        slots += _pair(look, number, inner, head=56, sizes=(24, 22), name="Column", anchor="ctr")
    name = {2: "Two columns", 3: "Three columns"}[count]
    return _content(look, *_named(f"columns-{count}", name, short=short), tuple(slots), tuple(shapes))


def _named(kind: str, name: str, *, short: bool) -> tuple[str, str]:
    return (f"{kind}-short", f"{name}, short") if short else (kind, name)


def _grid(look: Look) -> Layout:
    gap = 20.0
    width = (WIDTH - 2 * MARGIN - _GAP) / 2
    height = (BOTTOM - look.top - gap) / 2
    slots: list[Slot] = []
    shapes: list[Shape] = []
    for number in range(1, 5):
        row, column = divmod(number - 1, 2)
        box = (MARGIN + column * (width + _GAP), look.top + row * (height + gap), width, height)
        shapes += _card(look.card, box, number)
        inner = _inner(box, look.card.padding)
        rise = 4.0 if look.card.rule and not look.card.padding else 0.0
        inner = (inner[0], inner[1] + rise, inner[2], inner[3] - rise)
        slots += _pair(look, number, inner, head=34, sizes=(22, 20), name="Quarter", anchor="ctr")
    return _content(look, "columns-4", "Four quarters", tuple(slots), tuple(shapes))


def _timeline(look: Look, count: int) -> Layout:
    gap = 18.0
    width = (WIDTH - 2 * MARGIN - gap * (count - 1)) / count
    line = look.top + 108
    slots: list[Slot] = []
    shapes: list[Shape] = [rule(MARGIN, line, WIDTH - 2 * MARGIN, "tx1*50+50", width=2)]
    for number in range(1, count + 1):
        left = MARGIN + (number - 1) * (width + gap)
        mark = circle(left + 8, line, 8, look.mark.replace("{n}", str(number)))
        shapes.append(replace(mark, geometry=look.dot))
        head, body = _pair(
            look, number, (left, line - 84, width, BOTTOM - line + 84), head=66, sizes=(24, 20), name="Step"
        )
        slots += [head, replace(body, box=(left, line + 22, width, BOTTOM - line - 22))]
    return _content(look, f"timeline-{count}", f"Timeline of {count}", tuple(slots), tuple(shapes))


def _comparison(look: Look, *, short: bool = False) -> Layout:
    top, height = _extent(look, short=short)
    width = (WIDTH - 2 * MARGIN - _GAP) / 2
    slots: list[Slot] = []
    shapes: list[Shape] = []
    for number, card in enumerate(look.versus, 1):
        box = (MARGIN + (number - 1) * (width + _GAP), top, width, height)
        shapes += _card(card, box, number)
        inner = _inner(box, card.padding)
        head, body = _pair(look, number, inner, head=50, sizes=(24, 22), name="Side", anchor="ctr")
        slots += [head, replace(body, bullet=look.bullet)]
    return _content(look, *_named("comparison", "Comparison", short=short), tuple(slots), tuple(shapes))


def _picture(look: Look, box: Box) -> Slot:
    return Slot(
        OBJECT,
        "pic",
        "Picture",
        box,
        20,
        geometry=look.picture_geometry,
        adjust=look.picture_adjust,
        line=look.picture_line,
        fill="bg2",
    )


def _beside(look: Look, box: Box) -> tuple[Slot, Slot]:
    left, top, width, height = box
    head = Slot(
        HEADS + 1,
        "body",
        "Head",
        (left, top, width, 50),
        24,
        bold=True,
        heading=True,
        colour=look.head.replace("{n}", "1"),
        anchor="t",
        spacing=0.92,
        lines=2,
    )
    body = Slot(
        1, "body", "Text", (left, top + 58, width, height - 58), 22, before=0.45, colour=look.text, bullet=look.bullet
    )
    return head, body


def _pictures(look: Look) -> list[Layout]:
    height = BOTTOM - look.top
    wide, narrow = 492.0, 348.0
    right = WIDTH - MARGIN - wide
    return [
        _content(
            look,
            "picture",
            "Picture and text",
            (_picture(look, (right, look.top, wide, height)), *_beside(look, (MARGIN, look.top, narrow, height))),
        ),
        _content(
            look,
            "picture-left",
            "Picture on the left",
            (
                _picture(look, (MARGIN, look.top, wide, height)),
                *_beside(look, (MARGIN + wide + _GAP, look.top, narrow, height)),
            ),
        ),
        _content(
            look,
            "picture-wide",
            "Wide picture",
            (_picture(look, (MARGIN, look.top, WIDTH - 2 * MARGIN, height)),),
        ),
    ]


def _charts(look: Look) -> list[Layout]:
    height = BOTTOM - look.top
    chart, text = 552.0, 288.0
    left = MARGIN + chart + _GAP
    return [
        _content(
            look,
            "chart",
            "Chart and text",
            (
                Slot(OBJECT, "chart", "Chart", (MARGIN, look.top, chart, height)),
                *_beside(look, (left, look.top, text, height)),
            ),
        ),
        _content(
            look,
            "chart-wide",
            "Wide chart",
            (Slot(OBJECT, "chart", "Chart", (MARGIN, look.top, WIDTH - 2 * MARGIN, height)),),
        ),
    ]


def _tables(look: Look) -> list[Layout]:
    height = BOTTOM - look.top
    room = WIDTH - 2 * MARGIN
    note = Slot(1, "body", "Note", (MARGIN, BOTTOM - 52, room, 52), 18, anchor="b", colour="tx1*78+22", before=0.2)
    return [
        _content(look, "table", "Table", (Slot(OBJECT, "tbl", "Table", (MARGIN, look.top, room, height)),)),
        _content(
            look,
            "table-note",
            "Table and note",
            (Slot(OBJECT, "tbl", "Table", (MARGIN, look.top, room, height - 64)), note),
        ),
    ]


def _list(look: Look) -> Layout:
    left = look.list_left
    body = Slot(
        1,
        "body",
        "Text",
        (left, look.top, WIDTH - MARGIN - left, BOTTOM - look.top),
        24,
        before=0.5,
        colour=look.text,
        bullet=look.bullet,
    )
    return _content(look, "list", "List", (body,))


def _statement(look: Look) -> Layout:
    title = replace(
        look.title, box=(MARGIN, 150, WIDTH - 2 * MARGIN, 240), size=40, anchor="ctr", lines=4, spacing=0.95
    )
    return Layout("statement", "Statement", (title,), (), None, True, look.number)


def _contents(stage: Stage) -> list[Layout]:
    title, items = stage.texts
    left, top, width, height = items.box
    half = (width - _GAP) / 2
    second = replace(
        stage,
        texts=(
            title,
            replace(items, box=(left, top, half, height), size=min(items.size, 22)),
            replace(
                items,
                index=2,
                name="Chapters, on",
                box=(left + half + _GAP, top, half, height),
                size=min(items.size, 22),
            ),
        ),
    )
    return [_stage("contents", "Contents", stage), _stage("contents-2", "Contents in two columns", second)]


def layouts_of(design: Design) -> Mapping[str, Layout]:
    """Return a design's layouts by kind."""
    found = _KNOWN.get(design.id)
    if found is None:
        found = _KNOWN[design.id] = {layout.kind: layout for layout in layouts(design)}
    return found


_KNOWN: Final[dict[str, Mapping[str, Layout]]] = {}


def layouts(design: Design) -> list[Layout]:
    """Return a design's layouts, in the order in which they are offered."""
    look = design.look
    return [
        _stage("cover", "Cover", design.cover),
        *_contents(design.contents),
        _stage("section", "Section", design.section),
        _list(look),
        _columns(look, 2),
        _columns(look, 3),
        _columns(look, 2, short=True),
        _columns(look, 3, short=True),
        _grid(look),
        *_pictures(look),
        *_charts(look),
        *_tables(look),
        _stage("quote", "Quote", design.quote),
        *(_timeline(look, count) for count in (3, 4, 5)),
        _comparison(look),
        _comparison(look, short=True),
        _statement(look),
        _stage("closing", "Closing", design.closing),
    ]


assert HEIGHT > BOTTOM
