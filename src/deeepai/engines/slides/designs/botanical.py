"""Botanical: twigs that grow in from the edges, and air."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, rule
from .parts import closing_texts, contents_texts, cover_texts, leaf, quote_texts, section_texts, spray, title_of_pages

_RIGHT = (
    *spray(985, 500, 330, -128, "accent3@75", "accent3"),
    *spray(950, 575, 380, -108, "accent1@85", "accent1", pairs=6),
    *spray(1000, 140, 250, 158, "accent2@70", "accent2", pairs=4),
)
_LEFT = (
    *spray(-24, 470, 220, -38, "accent3@70", "accent3", pairs=4),
    *spray(20, 566, 230, -62, "accent1@80", "accent1", pairs=4),
)

DESIGN = Design(
    id="botanical",
    name={"en": "Botanical", "zh": "草木"},
    category="教育培训",
    style="文艺清新",
    heading="Spectral",
    body="Barlow",
    heading_serif=True,
    themes=themes(
        Theme(
            "fern",
            {"en": "Fern", "zh": "蕨绿"},
            (
                "FFFFFF",
                "1E2A22",
                "F0F5EC",
                "2F4A38",
                "39734C",
                "D99A5B",
                "8BB58A",
                "5A8A9A",
                "B5736A",
                "8C8F7A",
                "2E6340",
                "6A5574",
            ),
            "green",
        ),
        Theme(
            "olive",
            {"en": "Olive", "zh": "橄榄"},
            (
                "FFFEFA",
                "28291C",
                "F5F3E4",
                "4A4B2A",
                "6B6B1F",
                "E0B33A",
                "A9A760",
                "7A8F6A",
                "B06B45",
                "8A8676",
                "5A5A18",
                "6A5574",
            ),
            "yellow",
        ),
        Theme(
            "plum",
            {"en": "Plum", "zh": "李紫"},
            (
                "FFFFFF",
                "2A2030",
                "F5F0F6",
                "4A3357",
                "7A4A8C",
                "D98BA0",
                "A99BC2",
                "6E8F7B",
                "C79A4E",
                "8A8290",
                "6B3F7C",
                "9A4E71",
            ),
            "purple",
        ),
    ),
    look=Look(
        title=title_of_pages((48, 36, 800, 78), 32),
        top=136,
        shapes=(
            leaf(952, -8, 84, 152, "accent3@65"),
            leaf(956, -10, 74, 118, "accent1@80"),
            leaf(950, -6, 60, 176, "accent2@70"),
        ),
        bullet="•",
        card=Card(fill="bg2", geometry="roundRect", adjust=(6000,), padding=18),
        versus=(
            Card(fill="bg2", geometry="roundRect", adjust=(5000,), padding=22),
            Card(fill="accent1@14", geometry="roundRect", adjust=(5000,), padding=22),
        ),
        picture_geometry="roundRect",
        picture_adjust=(5000,),
    ),
    cover=Stage(
        cover_texts((88, 128, 540, 172), (88, 318, 520, 60), (88, 398, 500, 30), size=48, soft="tx1*78+22"),
        (circle(860, 330, 300, "bg2"), *_RIGHT, rule(88, 308, 72, "accent2", width=3)),
    ),
    contents=Stage(
        contents_texts((300, 60, 560, 60), (300, 140, 560, 340), before=0.7),
        (circle(40, 480, 230, "bg2"), *_LEFT),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts((320, 200, 540, 150), (320, 96, 300, 96), (320, 362, 540, 110), digits=72),
        (
            circle(20, 420, 300, "bg1"),
            *spray(-10, 560, 400, -62, "accent1@85", "accent1", pairs=6),
            *spray(-30, 380, 260, -20, "accent3@75", "accent3", pairs=4),
        ),
        fill="bg2",
        number="tx1*78+22",
    ),
    quote=Stage(
        quote_texts((130, 84, 700, 32), (130, 136, 700, 230), (130, 380, 700, 36), align="ctr"),
        (
            Shape((72, 56, 816, 400), "bg2", geometry="roundRect", adjust=(6000,)),
            leaf(84, 470, 90, -70, "accent3@70"),
            leaf(76, 476, 96, -36, "accent1@80"),
            leaf(876, 44, 90, 110, "accent3@70"),
            leaf(884, 38, 96, 144, "accent1@80"),
        ),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((88, 170, 520, 130), (88, 318, 520, 60), size=60, soft="tx1*78+22"),
        (circle(860, 330, 300, "bg1"), *_RIGHT, rule(88, 308, 72, "accent2", width=3)),
        fill="bg2",
    ),
)
