"""Ledger: double rules and a book's serif, for figures that are to be believed."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, post, rect, rule
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages

_BARS = tuple(
    rect(660 + at * 42, 470 - high, 24, high, "accent2" if at == 5 else "bg1@28")
    for at, high in enumerate((90, 126, 108, 168, 210, 262))
)


def _double(left: float, top: float, length: float, line: str = "tx2") -> tuple[Shape, ...]:
    return (rule(left, top, length, line, width=2.5), rule(left, top + 5, length, line, width=0.75))


DESIGN = Design(
    id="ledger",
    name={"en": "Ledger", "zh": "账册"},
    category="年终总结",
    style="商务科技",
    heading="IBM Plex Serif",
    body="Barlow",
    heading_serif=True,
    themes=themes(
        Theme(
            "navy",
            {"en": "Navy", "zh": "海军蓝"},
            (
                "FFFFFF",
                "1A2130",
                "F0F3F7",
                "1B2F55",
                "1F3F7A",
                "C99A3B",
                "5F86B3",
                "8A4B3F",
                "5E8C7A",
                "8A92A0",
                "1F3F7A",
                "6B4E71",
            ),
            "blue",
        ),
        Theme(
            "burgundy",
            {"en": "Burgundy", "zh": "酒红"},
            (
                "FFFFFF",
                "261A1C",
                "F7F1F0",
                "5A1C28",
                "86263A",
                "C6A15B",
                "A3757D",
                "4F6D8A",
                "7A8A5E",
                "8F8588",
                "7A2033",
                "6B4E71",
            ),
            "red",
        ),
        Theme(
            "bottle",
            {"en": "Bottle green", "zh": "墨绿"},
            (
                "FFFFFF",
                "17231E",
                "EFF4F1",
                "16402F",
                "1E6A4B",
                "CFA24A",
                "6FA08A",
                "A45D45",
                "5B7D9C",
                "858F89",
                "1A5C41",
                "6B4E71",
            ),
            "green",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 32, 864, 76), 30),
        top=138,
        shapes=_double(48, 116, 864),
        bullet="–",
        card=Card(rule="accent1", rule_width=2.5),
        versus=(Card(fill="bg2", rule="tx1@50", padding=20), Card(fill="bg2", rule="accent1", padding=20)),
        dot="rect",
        table_head="tx2",
    ),
    cover=Stage(
        cover_texts((72, 132, 540, 186), (72, 346, 520, 60), (72, 440, 500, 30), size=46, colour="bg1", soft="bg1*90"),
        (
            *_BARS,
            rule(640, 470, 280, "bg1@70", width=1.5),
            *_double(72, 328, 540, "accent2"),
            *_double(48, 40, 864, "bg1@60"),
        ),
        fill="tx2",
    ),
    contents=Stage(
        contents_texts((48, 40, 864, 60), (120, 150, 720, 330), size=34, before=0.8, anchor="b"),
        (*_double(48, 116, 864), post(96, 150, 320, "tx1@30", width=0.75)),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts((260, 204, 620, 150), (72, 190, 170, 110), (260, 366, 620, 110), mark="accent1"),
        (*_double(48, 170, 864), rect(0, 0, 960, 64, "tx2"), rule(48, 486, 864, "tx2", width=0.75)),
        number="tx1*78+22",
    ),
    quote=Stage(
        quote_texts((120, 72, 720, 32), (120, 130, 720, 236), (120, 384, 720, 36), align="ctr", size=32),
        (*_double(300, 112, 360), *_double(300, 372, 360)),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((120, 170, 720, 130), (120, 334, 720, 60), size=60, colour="bg1", soft="bg1*90", align="ctr"),
        (*_double(300, 312, 360, "accent2"), *_double(48, 40, 864, "bg1@60"), *_double(48, 496, 864, "bg1@60")),
        fill="tx2",
    ),
)
