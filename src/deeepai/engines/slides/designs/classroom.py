"""Classroom: round shapes and a pencil, bright and kind."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, curve
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages


def _pencil(left: float, top: float, length: float, angle: float) -> tuple[Shape, ...]:
    """Return a pencil as one path a part, turned around the whole's middle by being drawn in one box."""
    high = length * 0.13
    box = (left, top, length, high)
    tip, band = length * 0.86, length * 0.1
    return (
        curve(box, f"M 0,0 L {tip},0 L {tip},{high} L 0,{high} Z", "accent1", rotation=angle),
        curve(box, f"M 0,0 L {band},0 L {band},{high} L 0,{high} Z", "accent3", rotation=angle),
        curve(box, f"M {tip},0 L {length},{high / 2} L {tip},{high} Z", "bg1", rotation=angle),
        curve(
            box,
            f"M {length * 0.95},{high * 0.32} L {length},{high / 2} L {length * 0.95},{high * 0.68} Z",
            "tx1",
            rotation=angle,
        ),
    )


def _wave(left: float, top: float, line: str, humps: int = 4, size: float = 36) -> Shape:
    path = f"M 0,{size / 2}"
    for at in range(humps):
        x = at * size
        up = -size * 0.15 if at % 2 == 0 else size * 1.15
        path += f" C {x + size * 0.3},{up} {x + size * 0.7},{up} {x + size},{size / 2}"
    return curve((left, top, humps * size, size), path, None, line, width=5)


_CARD = Card(fill="accent{n}@16", geometry="roundRect", adjust=(9000,), padding=18)

DESIGN = Design(
    id="classroom",
    name={"en": "Classroom", "zh": "课堂"},
    category="教育培训",
    style="卡通手绘",
    heading="Poppins",
    body="Poppins",
    themes=themes(
        Theme(
            "sunny",
            {"en": "Sunny", "zh": "暖阳"},
            (
                "FFFFFF",
                "2B2620",
                "FFF6DC",
                "5A4410",
                "B4540A",
                "FFC93C",
                "2A8C82",
                "D9483B",
                "3F6FB5",
                "8A6FB0",
                "9A4808",
                "7A4E8C",
            ),
            "yellow",
        ),
        Theme(
            "sky",
            {"en": "Sky", "zh": "晴空"},
            (
                "FFFFFF",
                "1C2733",
                "E8F4FD",
                "17456B",
                "1C6FB0",
                "6EC6F5",
                "E2622F",
                "2E9C6F",
                "B58A00",
                "8A6FB0",
                "18609A",
                "7A4E8C",
            ),
            "blue",
        ),
        Theme(
            "mint",
            {"en": "Mint", "zh": "薄荷"},
            (
                "FFFFFF",
                "1B2A25",
                "E6F7EF",
                "155242",
                "147A5C",
                "7EDDB5",
                "E06A50",
                "3C7FB8",
                "C08A00",
                "8A6FB0",
                "11694F",
                "7A4E8C",
            ),
            "green",
        ),
    ),
    look=Look(
        title=title_of_pages((84, 38, 800, 76), 30, anchor="ctr"),
        top=134,
        shapes=(circle(60, 76, 12, "accent2"), circle(60, 76, 5, "accent1")),
        head="tx1",
        mark="accent{n}",
        bullet="•",
        card=_CARD,
        versus=(_CARD, _CARD),
        picture_geometry="roundRect",
        picture_adjust=(8000,),
    ),
    cover=Stage(
        cover_texts((88, 132, 560, 176), (88, 326, 540, 60), (88, 404, 500, 30), size=46, soft="tx1*78+22"),
        (
            Shape((40, 40, 880, 460), "bg1", geometry="roundRect", adjust=(7000,)),
            circle(800, 150, 70, "accent3"),
            Shape((700, 300, 120, 110), "accent4", geometry="triangle"),
            circle(850, 370, 44, "accent5"),
            *_pencil(640, 236, 230, -36),
            _wave(92, 92, "accent3"),
        ),
        fill="accent2",
    ),
    contents=Stage(
        contents_texts((84, 64, 300, 60), (84, 150, 760, 330)),
        (
            Shape((40, 40, 880, 460), "bg1", geometry="roundRect", adjust=(7000,)),
            circle(850, 110, 34, "accent3"),
            Shape((790, 86, 44, 42), "accent4", geometry="triangle"),
        ),
        fill="accent2",
        number="tx1",
    ),
    section=Stage(
        section_texts(
            (340, 204, 520, 140), (76, 200, 208, 120), (340, 352, 520, 110), mark="tx1", digits_align="ctr", digits=76
        ),
        (
            Shape((40, 40, 880, 460), "bg1", geometry="roundRect", adjust=(7000,)),
            circle(180, 260, 104, "accent2"),
            circle(284, 176, 24, "accent3"),
            circle(96, 368, 16, "accent4"),
            _wave(340, 150, "accent3"),
        ),
        fill="accent2",
        number="tx1",
    ),
    quote=Stage(
        quote_texts((130, 88, 700, 32), (130, 136, 700, 220), (130, 368, 700, 36), align="ctr", size=32, bold=True),
        (
            Shape((72, 56, 816, 380), "bg2", geometry="roundRect", adjust=(9000,)),
            Shape((150, 420, 64, 54), "bg2", geometry="triangle", rotation=180),
            circle(880, 66, 26, "accent3"),
            circle(840, 440, 14, "accent4"),
        ),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((88, 180, 560, 120), (88, 316, 540, 60), size=58, soft="tx1*78+22"),
        (
            Shape((40, 40, 880, 460), "bg1", geometry="roundRect", adjust=(7000,)),
            circle(800, 160, 76, "accent3"),
            *_pencil(640, 300, 230, -36),
            Shape((820, 330, 90, 84), "accent4", geometry="triangle"),
            _wave(92, 120, "accent3"),
        ),
        fill="accent2",
    ),
)
