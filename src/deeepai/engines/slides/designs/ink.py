"""Ink: paper, far hills, a sun and a seal."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, post, rule
from .parts import closing_texts, contents_texts, cover_texts, hills, quote_texts, section_texts, title_of_pages

_FAR = hills(330, 150, (0.35, 0.8, 0.5, 0.95, 0.45, 0.7, 0.4), "tx2@16")
_MIDDLE = hills(390, 120, (0.75, 0.35, 0.85, 0.4, 0.6, 0.9, 0.55), "tx2@30")
_NEAR = hills(450, 80, (0.3, 0.75, 0.35, 0.55, 0.85, 0.3, 0.75), "tx2@55")


def _seal(left: float, top: float, size: float) -> tuple[Shape, ...]:
    edge = size * 0.16
    return (
        Shape((left, top, size, size), "accent1", geometry="roundRect", adjust=(12000,)),
        Shape((left + edge, top + edge, size - 2 * edge, size - 2 * edge), None, "bg1", max(size * 0.05, 1)),
        post(left + size / 2, top + edge * 1.8, size - edge * 3.6, "bg1", width=max(size * 0.05, 1)),
    )


DESIGN = Design(
    id="ink",
    name={"en": "Ink", "zh": "水墨"},
    category="企业介绍",
    style="中国风",
    heading="Spectral",
    body="Spectral",
    heading_serif=True,
    body_serif=False,
    themes=themes(
        Theme(
            "cinnabar",
            {"en": "Cinnabar", "zh": "朱砂"},
            (
                "FAF6EC",
                "241F1A",
                "EFE8D8",
                "3D3A36",
                "A8321F",
                "3F5E5A",
                "B98B3E",
                "6B5B73",
                "5E7F4A",
                "8A7B66",
                "8C2A1B",
                "5F4B66",
            ),
            "red",
        ),
        Theme(
            "celadon",
            {"en": "Celadon", "zh": "青瓷"},
            (
                "F6F8F3",
                "1D2623",
                "E3EBE3",
                "2F4A45",
                "2B6A63",
                "B4643A",
                "7FA08F",
                "8C7A4B",
                "4D6A8C",
                "8A8F82",
                "235A54",
                "6A5574",
            ),
            "cyan",
        ),
        Theme(
            "indigo",
            {"en": "Indigo", "zh": "靛蓝"},
            (
                "F7F5F0",
                "1C2230",
                "E6E4DE",
                "2C3A57",
                "2F4C85",
                "B8443A",
                "8A9BB5",
                "B68D40",
                "4F7A6A",
                "7D7C84",
                "284377",
                "6B4E71",
            ),
            "blue",
        ),
    ),
    look=Look(
        title=title_of_pages((80, 36, 832, 76), 32),
        top=136,
        shapes=(*_seal(48, 74, 20), rule(48, 120, 864, "tx1@30")),
        bullet="·",
        card=Card(rule="tx2", rule_width=1),
        versus=(Card(fill="bg2", padding=20), Card(fill="tx2@12", padding=20)),
        band=False,
        table_head="none",
        table_head_text="accent1",
    ),
    cover=Stage(
        cover_texts((96, 96, 580, 168), (96, 280, 560, 60), (144, 352, 500, 30), size=50, align="l", anchor="b"),
        (circle(806, 138, 80, "accent1"), _FAR, _MIDDLE, _NEAR, *_seal(96, 350, 34)),
    ),
    contents=Stage(
        contents_texts((120, 120, 170, 200), (330, 108, 560, 330), before=0.75),
        (
            post(300, 96, 340, "tx1@35"),
            *_seal(84, 126, 22),
            hills(476, 60, (0.2, 0.6, 0.3, 0.8, 0.4, 0.7, 0.3), "tx2@14"),
        ),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts(
            (330, 178, 560, 170),
            (56, 189, 184, 110),
            (330, 356, 560, 110),
            mark="bg1",
            digits_align="ctr",
            digits=72,
            align="l",
        ),
        (circle(148, 244, 92, "accent1"), hills(470, 70, (0.5, 0.2, 0.7, 0.3, 0.8, 0.4, 0.6), "tx2@24")),
        number="tx1*78+22",
    ),
    quote=Stage(
        quote_texts((120, 60, 720, 32), (120, 120, 720, 240), (120, 372, 720, 36), align="ctr"),
        (hills(462, 74, (0.3, 0.75, 0.4, 0.9, 0.35, 0.6, 0.3), "tx2@16"), rule(430, 100, 100, "accent1", width=2)),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((120, 172, 720, 110), (120, 290, 720, 44), align="ctr", size=64),
        (circle(480, 104, 56, "accent1"), _FAR, _MIDDLE, _NEAR),
    ),
)
