"""Launch: a steep diagonal from one colour to the next, and a point that flies off it."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Gradient, Shape, circle, curve
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages

_SWEEP = Gradient("accent1", "accent2", 45)


def _trails(left: float, top: float) -> tuple[Shape, ...]:
    """Return stripes that rise to the right, the last with a point ahead of it."""
    return (
        Shape((left, top + 150, 250, 22), "bg1@30", geometry="roundRect", adjust=(50000,), rotation=-45),
        Shape((left + 70, top + 90, 330, 34), "bg1@55", geometry="roundRect", adjust=(50000,), rotation=-45),
        Shape((left + 170, top + 170, 200, 16), "bg1@40", geometry="roundRect", adjust=(50000,), rotation=-45),
        circle(left + 372, top - 30, 26, "bg1"),
    )


DESIGN = Design(
    id="launch",
    name={"en": "Launch", "zh": "启程"},
    category="商业计划书",
    style="创意趣味",
    heading="Poppins",
    body="Barlow",
    themes=themes(
        Theme(
            "flame",
            {"en": "Flame", "zh": "烈焰"},
            (
                "FFFFFF",
                "231A16",
                "FFF1E8",
                "6B2410",
                "C2410C",
                "B3264A",
                "E9A23B",
                "3B6EA5",
                "2F8C7A",
                "8C817A",
                "A8380A",
                "7A4E8C",
            ),
            "orange",
        ),
        Theme(
            "ocean",
            {"en": "Ocean", "zh": "远洋"},
            (
                "FFFFFF",
                "141E2B",
                "EAF3FD",
                "123A6B",
                "1D5FBF",
                "0B7285",
                "F0A03C",
                "D1495B",
                "6A8FB5",
                "7F8894",
                "1A54A8",
                "6B4E8A",
            ),
            "blue",
        ),
        Theme(
            "aurora",
            {"en": "Aurora", "zh": "极光"},
            (
                "FFFFFF",
                "1E1830",
                "F2EEFC",
                "3B2573",
                "6D3BC4",
                "B0307E",
                "1F8A9E",
                "E08E2B",
                "5B8C5A",
                "87809A",
                "5F33AC",
                "9A4E71",
            ),
            "purple",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 36, 820, 76), 30),
        top=136,
        shapes=(curve((880, 0, 80, 80), "M 0,0 L 80,0 L 80,80 Z", _SWEEP),),
        bullet="•",
        card=Card(fill="bg2", rule="accent1", rule_width=4, padding=18),
        versus=(Card(fill="bg2", padding=22), Card(fill="bg2", rule="accent1", rule_width=4, padding=22)),
    ),
    cover=Stage(
        cover_texts((72, 130, 520, 196), (72, 344, 500, 60), (72, 440, 500, 30), size=48, colour="bg1", soft="bg1"),
        (curve((470, 0, 490, 540), "M 490,0 L 490,540 L 0,540 Z", "bg1@14"), *_trails(560, 130)),
        fill=_SWEEP,
    ),
    contents=Stage(
        contents_texts((48, 60, 250, 120), (360, 84, 552, 390), colour="bg1", size=38),
        (curve((0, 0, 330, 540), "M 0,0 L 330,0 L 250,540 L 0,540 Z", _SWEEP),),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts(
            (72, 250, 640, 130),
            (72, 120, 300, 120),
            (72, 388, 640, 104),
            colour="bg1",
            soft="bg1",
            mark="bg1",
            digits=96,
        ),
        (
            curve((560, 0, 400, 540), "M 400,0 L 400,540 L 0,540 Z", "bg1@14"),
            circle(840, 140, 26, "bg1"),
            Shape((640, 250, 200, 18), "bg1@50", geometry="roundRect", adjust=(50000,), rotation=-45),
        ),
        fill=_SWEEP,
        number="bg1",
    ),
    quote=Stage(
        quote_texts((96, 76, 760, 32), (96, 126, 760, 246), (96, 386, 760, 36), size=34, bold=True),
        (
            Shape((48, 76, 8, 346), Gradient("accent1", "accent2", 90)),
            curve((880, 0, 80, 80), "M 0,0 L 80,0 L 80,80 Z", _SWEEP),
        ),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((72, 186, 500, 130), (72, 334, 500, 60), size=62, colour="bg1", soft="bg1"),
        (curve((470, 0, 490, 540), "M 490,0 L 490,540 L 0,540 Z", "bg1@14"), *_trails(560, 130)),
        fill=_SWEEP,
    ),
)
