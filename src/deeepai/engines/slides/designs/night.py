"""Night: a glowing ring in the dark, and quiet panels of glass."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Gradient, Shape, circle, rule
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages

_GLOW = Gradient("accent1", "accent2", 45)
_STARS = tuple(
    circle(x, y, r, "tx1@55")
    for x, y, r in (
        (84, 70, 1.6), (190, 40, 1.1), (330, 96, 1.4), (452, 52, 1.0), (560, 110, 1.5),
        (640, 46, 1.1), (130, 470, 1.4), (300, 500, 1.0), (470, 480, 1.6), (600, 506, 1.1),
        (900, 60, 1.4), (930, 480, 1.2), (720, 500, 1.4), (48, 260, 1.1),
    )
)  # fmt: skip


def _ring(x: float, y: float, radius: float) -> tuple[Shape, ...]:
    return (
        circle(x, y, radius * 1.42, "accent1@7"),
        circle(x, y, radius * 1.2, "accent1@9"),
        Shape((x - radius, y - radius, 2 * radius, 2 * radius), _GLOW, geometry="donut", adjust=(9000,)),
        circle(x + radius * 0.69, y - radius * 0.69, radius * 0.1, "accent2"),
    )


DESIGN = Design(
    id="night",
    name={"en": "Night", "zh": "夜空"},
    category="商业计划书",
    style="商务科技",
    heading="Poppins",
    body="Barlow",
    dark=True,
    themes=themes(
        Theme(
            "violet",
            {"en": "Violet", "zh": "紫夜"},
            (
                "F4F2FB",
                "121022",
                "C9C3E6",
                "221E3D",
                "A08CFF",
                "4FD1E8",
                "F29CC3",
                "F5C26B",
                "7FE0B0",
                "8F8BB0",
                "A9B8FF",
                "D0B0FF",
            ),
            "purple",
        ),
        Theme(
            "cyan",
            {"en": "Cyan", "zh": "青夜"},
            (
                "EEF8FA",
                "0B1620",
                "B9D4DC",
                "142733",
                "3FC9E0",
                "6F9BFF",
                "8EE6B8",
                "F7C873",
                "F0907F",
                "86A0AA",
                "7FD6F0",
                "C0B0FF",
            ),
            "cyan",
        ),
        Theme(
            "magenta",
            {"en": "Magenta", "zh": "霓虹"},
            (
                "FBF1F6",
                "1A0D18",
                "E3C2D5",
                "311A2D",
                "FF7EB6",
                "FFB36B",
                "8FA8FF",
                "6FE0D0",
                "E8D66B",
                "A88A9C",
                "FF9CC8",
                "D0B0FF",
            ),
            "pink",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 36, 864, 76), 30),
        top=136,
        shapes=(Shape((48, 24, 56, 5), Gradient("accent1", "accent2"), geometry="roundRect", adjust=(50000,)),),
        bullet="•",
        number="tx1*75",
        card=Card(fill="bg2", geometry="roundRect", adjust=(6000,), padding=18),
        versus=(
            Card(fill="bg2", geometry="roundRect", adjust=(5000,), padding=22),
            Card(fill="bg2", line="accent1", geometry="roundRect", adjust=(5000,), padding=22),
        ),
        picture_geometry="roundRect",
        picture_adjust=(4000,),
        table_head="bg2",
        table_head_text="accent1",
    ),
    cover=Stage(
        cover_texts((72, 150, 500, 176), (72, 346, 520, 60), (72, 440, 500, 30), size=46, soft="tx2"),
        (
            *_STARS,
            *_ring(760, 270, 150),
            Shape((72, 334, 72, 5), Gradient("accent1", "accent2"), geometry="roundRect", adjust=(50000,)),
        ),
    ),
    contents=Stage(
        contents_texts((72, 90, 240, 120), (336, 90, 560, 380)),
        (*_STARS[:6], *_ring(120, 430, 90), rule(72, 78, 72, "accent1", width=3)),
        number="tx1*75",
    ),
    section=Stage(
        section_texts(
            (336, 200, 560, 150),
            (48, 214, 200, 112),
            (336, 362, 560, 110),
            digits_align="ctr",
            digits=64,
            soft="tx2",
            mark="tx1",
            align="l",
        ),
        (*_STARS, *_ring(148, 270, 112)),
        number="tx1*75",
    ),
    quote=Stage(
        quote_texts((104, 84, 752, 32), (104, 132, 752, 240), (104, 386, 752, 36), size=32, soft="tx2"),
        (
            Shape((56, 52, 848, 410), "bg2", geometry="roundRect", adjust=(5000,)),
            Shape((56, 110, 6, 290), Gradient("accent1", "accent2", 90), geometry="roundRect", adjust=(50000,)),
        ),
        number="tx1*75",
    ),
    closing=Stage(
        closing_texts((72, 190, 540, 130), (72, 346, 520, 60), size=60, soft="tx2"),
        (
            *_STARS,
            *_ring(760, 270, 150),
            Shape((72, 334, 72, 5), Gradient("accent1", "accent2"), geometry="roundRect", adjust=(50000,)),
        ),
    ),
)
