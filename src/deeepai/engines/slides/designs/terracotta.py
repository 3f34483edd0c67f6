"""Terracotta: arches and a low sun, burnt earth."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, rule
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages


def _arch(left: float, top: float, width: float, fill: str, foot: float = 540) -> Shape:
    return Shape((left, top, width, foot - top), fill, geometry="round2SameRect", adjust=(50000, 0))


DESIGN = Design(
    id="terracotta",
    name={"en": "Terracotta", "zh": "陶土"},
    category="营销推广",
    style="创意时尚",
    heading="Spectral",
    body="Barlow",
    heading_serif=True,
    themes=themes(
        Theme(
            "clay",
            {"en": "Clay", "zh": "陶红"},
            (
                "FFFBF5",
                "2E1F18",
                "F8E9DA",
                "5A3423",
                "A94A26",
                "E3A04A",
                "7A8C6B",
                "C98A6B",
                "4F7480",
                "94806F",
                "94401F",
                "7A4E6B",
            ),
            "orange",
        ),
        Theme(
            "ochre",
            {"en": "Ochre", "zh": "赭黄"},
            (
                "FFFCF3",
                "2B2413",
                "FAEFD0",
                "574414",
                "8A650A",
                "EDBB3F",
                "B4632F",
                "7F9A7A",
                "587A8C",
                "92866B",
                "785707",
                "7A4E6B",
            ),
            "yellow",
        ),
        Theme(
            "umber",
            {"en": "Umber", "zh": "棕褐"},
            (
                "FDFAF6",
                "271C16",
                "F0E6DB",
                "46332A",
                "6E4630",
                "C98A4B",
                "8F9B7A",
                "B5624A",
                "5F7F8C",
                "8D8078",
                "5F3B27",
                "7A4E6B",
            ),
            "brown",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 36, 780, 78), 32),
        top=136,
        shapes=(
            Shape((868, -22, 44, 66), "accent1", geometry="roundRect", adjust=(50000,)),
            circle(890, 22, 10, "accent2"),
        ),
        bullet="•",
        card=Card(fill="bg2", geometry="round2SameRect", adjust=(9000, 0), padding=18),
        versus=(
            Card(fill="bg2", geometry="round2SameRect", adjust=(8000, 0), padding=22),
            Card(fill="accent2@30", geometry="round2SameRect", adjust=(8000, 0), padding=22),
        ),
        picture_geometry="round2SameRect",
        picture_adjust=(24000, 0),
    ),
    cover=Stage(
        cover_texts((72, 132, 480, 190), (72, 342, 480, 60), (72, 440, 480, 30), size=48, soft="tx1*78+22"),
        (
            circle(716, 196, 92, "accent2"),
            _arch(580, 250, 150, "accent4"),
            _arch(690, 150, 190, "accent1"),
            _arch(735, 236, 100, "tx2"),
            _arch(846, 330, 130, "accent3"),
            rule(72, 330, 96, "accent1", width=3),
        ),
        fill="bg2",
    ),
    contents=Stage(
        contents_texts((72, 84, 220, 120), (336, 88, 576, 390)),
        (_arch(48, 300, 120, "accent1"), _arch(140, 372, 110, "accent2"), rule(72, 74, 64, "accent1", width=3)),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts(
            (350, 196, 550, 150), (48, 250, 240, 110), (350, 358, 550, 120), mark="bg1", digits_align="ctr", digits=76
        ),
        (_arch(48, 170, 240, "accent1"), circle(290, 180, 44, "accent2")),
        fill="bg2",
        number="tx1*78+22",
    ),
    quote=Stage(
        quote_texts((96, 84, 640, 32), (96, 132, 660, 240), (96, 386, 660, 36)),
        (_arch(800, 250, 112, "accent1"), circle(800, 216, 38, "accent2"), rule(96, 74, 64, "accent1", width=3)),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((72, 186, 480, 130), (72, 336, 480, 60), size=60, colour="bg1", soft="bg1*90"),
        (
            circle(760, 210, 110, "accent2"),
            _arch(640, 270, 180, "accent4"),
            _arch(780, 200, 180, "tx2"),
            rule(72, 326, 96, "accent2", width=3),
        ),
        fill="accent1",
    ),
)
