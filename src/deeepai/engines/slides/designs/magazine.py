"""Magazine: a high-contrast serif, a block of colour, a card laid over it."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, rect, rule
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages

DESIGN = Design(
    id="magazine",
    name={"en": "Magazine", "zh": "杂志"},
    category="营销推广",
    style="创意时尚",
    heading="DM Serif Display",
    body="Barlow",
    heading_serif=True,
    themes=themes(
        Theme(
            "rose",
            {"en": "Rose", "zh": "玫瑰"},
            (
                "FFFFFF",
                "241A1E",
                "F8EEEE",
                "4A2B36",
                "A63A5B",
                "E8A87C",
                "5C7A8A",
                "C38D9E",
                "8A9A5B",
                "7D7480",
                "93304F",
                "6B4E71",
            ),
            "pink",
        ),
        Theme(
            "sage",
            {"en": "Sage", "zh": "鼠尾草"},
            (
                "FFFFFF",
                "1E231F",
                "EFF3EC",
                "33443A",
                "4B6B52",
                "D9A05B",
                "7C94A6",
                "A8B79A",
                "B5654A",
                "7F867C",
                "3F5F47",
                "6A5574",
            ),
            "green",
        ),
        Theme(
            "sand",
            {"en": "Sand", "zh": "沙丘"},
            (
                "FFFEFB",
                "27211A",
                "F6EEE0",
                "4D3F2E",
                "8A5A24",
                "3F6C7A",
                "C9A66B",
                "A1553F",
                "6C7A4D",
                "8C8272",
                "7A4E1E",
                "6B4E71",
            ),
            "brown",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 40, 864, 76), 34, bold=False),
        top=138,
        shapes=(rule(48, 28, 864, "tx1", width=1), rect(48, 26, 120, 4)),
        bullet="•",
        card=Card(fill="bg2", padding=18),
        versus=(Card(fill="bg2", padding=22), Card(line="accent1", padding=22)),
        table_head="none",
        table_head_text="accent1",
        band=True,
    ),
    cover=Stage(
        cover_texts((96, 150, 500, 184), (96, 346, 500, 58), (96, 408, 500, 30), size=50, bold=False),
        (
            rect(520, 0, 440, 540),
            circle(820, 130, 190, "accent2"),
            rect(60, 112, 580, 350, "bg1"),
            rule(96, 144, 64, "accent1", width=4),
            Shape((700, 60, 212, 420), None, "bg1", 1.5),
        ),
        fill="bg2",
    ),
    contents=Stage(
        contents_texts((48, 96, 240, 160), (360, 92, 552, 380), size=44, colour="bg1", bold=False),
        (rect(0, 0, 312, 540), Shape((24, 24, 264, 492), None, "bg1", 1)),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts(
            (120, 230, 640, 150),
            (120, 110, 300, 110),
            (120, 392, 640, 100),
            size=46,
            digits=80,
            bold=False,
            mark="accent1",
        ),
        (rect(0, 0, 72, 540), circle(960, 540, 200, "accent2"), rule(120, 222, 120, "tx1", width=1)),
        fill="bg2",
        number="tx1*78+22",
    ),
    quote=Stage(
        quote_texts((120, 72, 720, 32), (120, 128, 720, 250), (120, 392, 720, 36), size=38, colour="tx1"),
        (rect(48, 72, 8, 396), circle(900, 60, 120, "bg2")),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((300, 180, 520, 130), (300, 326, 520, 60), bold=False, size=64),
        (
            rect(0, 0, 400, 540),
            circle(120, 420, 150, "accent2"),
            rect(250, 130, 620, 290, "bg1"),
            rule(300, 176, 64, "accent1", width=4),
        ),
        fill="bg2",
    ),
)
