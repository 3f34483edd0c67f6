"""Blueprint: white lines on blue, dimensions and centre marks; a thin frame on the pages after it."""

from __future__ import annotations

from .design import Card, Design, Look, Stage, Theme, themes
from .drawing import Shape, circle, post, rect, rule
from .parts import closing_texts, contents_texts, cover_texts, quote_texts, section_texts, title_of_pages

_GRID = (
    *(post(x, 0, 540, "bg1@9", width=0.75) for x in range(48, 960, 48)),
    *(rule(0, y, 960, "bg1@9", width=0.75) for y in range(30, 540, 48)),
)


def _drawing(x: float, y: float, size: float) -> tuple[Shape, ...]:
    """Return a part as an engineer draws it: circles on centre lines, with a dimension below."""
    reach = size * 1.25
    return (
        circle(x, y, size, None, "bg1@90", width=1.75),
        circle(x, y, size * 0.72, None, "bg1@60", width=1),
        circle(x, y, size * 0.32, "bg1@14", "bg1@90", width=1.75),
        rule(x - reach, y, 2 * reach, "accent2", width=1, dash="lgDash"),
        post(x, y - reach, 2 * reach, "accent2", width=1, dash="lgDash"),
        *(
            circle(x + dx * size * 0.52, y + dy * size * 0.52, size * 0.075, None, "bg1@80", width=1.25)
            for dx, dy in ((0.72, 0.72), (-0.72, 0.72), (0.72, -0.72), (-0.72, -0.72))
        ),
        rule(x - size, y + reach + 14, 2 * size, "bg1@80", width=1),
        post(x - size, y + reach + 6, 16, "bg1@80", width=1),
        post(x + size, y + reach + 6, 16, "bg1@80", width=1),
    )


def _corners(left: float, top: float, right: float, bottom: float, line: str, arm: float = 14) -> tuple[Shape, ...]:
    return (
        rule(left, top, arm, line, width=1.5), post(left, top, arm, line, width=1.5),
        rule(right - arm, top, arm, line, width=1.5), post(right, top, arm, line, width=1.5),
        rule(left, bottom, arm, line, width=1.5), post(left, bottom - arm, arm, line, width=1.5),
        rule(right - arm, bottom, arm, line, width=1.5), post(right, bottom - arm, arm, line, width=1.5),
    )  # fmt: skip


DESIGN = Design(
    id="blueprint",
    name={"en": "Blueprint", "zh": "蓝图"},
    category="商业计划书",
    style="商务科技",
    heading="Barlow Condensed",
    body="Barlow",
    themes=themes(
        Theme(
            "blue",
            {"en": "Blueprint", "zh": "晒图蓝"},
            (
                "FFFFFF",
                "14213A",
                "EAF1F9",
                "173E75",
                "1F5FAE",
                "E7A33E",
                "3C8DA8",
                "C4593B",
                "6E7FA3",
                "5C8A5A",
                "1F5FAE",
                "6B4E8A",
            ),
            "blue",
        ),
        Theme(
            "teal",
            {"en": "Teal", "zh": "工程青"},
            (
                "FFFFFF",
                "10292C",
                "E6F3F2",
                "0E4A4E",
                "0B7A7A",
                "F0A64B",
                "4B7FA8",
                "B9573F",
                "7FA08F",
                "7A6C9B",
                "0B6B6B",
                "6B4E8A",
            ),
            "cyan",
        ),
        Theme(
            "graphite",
            {"en": "Graphite", "zh": "石墨"},
            (
                "FFFFFF",
                "1B1E22",
                "EEF0F2",
                "2E343B",
                "47525E",
                "E08E2B",
                "5B8DB8",
                "A65A4A",
                "7D8A97",
                "6A9A78",
                "2F6090",
                "6B4E8A",
            ),
            "black",
        ),
    ),
    look=Look(
        title=title_of_pages((64, 40, 832, 74), 34),
        top=138,
        shapes=(
            *_corners(28, 24, 932, 516, "accent1"),
            rule(64, 122, 832, "accent1", width=1.25),
            rect(64, 119, 48, 6),
        ),
        bullet="+",
        card=Card(line="accent1@55", padding=16),
        versus=(Card(line="accent1@55", padding=20), Card(fill="bg2", line="accent1", padding=20)),
        dot="diamond",
    ),
    cover=Stage(
        cover_texts((72, 150, 500, 176), (72, 342, 500, 60), (72, 436, 500, 30), size=54, colour="bg1", soft="bg1*85"),
        (
            *_GRID,
            *_drawing(752, 236, 138),
            *_corners(28, 24, 932, 516, "bg1@80"),
            rule(72, 332, 140, "accent2", width=3),
        ),
        fill="tx2",
    ),
    contents=Stage(
        contents_texts((72, 150, 210, 120), (352, 84, 540, 384), colour="bg1", size=40),
        (
            rect(0, 0, 300, 540, "tx2"),
            *_GRID[:6],
            *(rule(0, y, 300, "bg1@9", width=0.75) for y in range(30, 540, 48)),
            rule(72, 138, 80, "accent2", width=3),
        ),
        number="tx1*78+22",
    ),
    section=Stage(
        section_texts(
            (300, 200, 590, 150),
            (72, 182, 210, 120),
            (300, 362, 590, 110),
            colour="bg1",
            soft="bg1*85",
            mark="accent2",
            digits=96,
        ),
        (*_GRID, *_corners(28, 24, 932, 516, "bg1@80"), post(276, 200, 140, "bg1@70", width=1)),
        fill="tx2",
        number="bg1",
    ),
    quote=Stage(
        quote_texts((96, 72, 768, 32), (96, 124, 768, 250), (96, 392, 768, 36), size=36),
        (*_corners(28, 24, 932, 516, "accent1"), *_corners(72, 112, 888, 440, "accent2", 22)),
        number="tx1*78+22",
    ),
    closing=Stage(
        closing_texts((72, 180, 480, 140), (72, 346, 480, 60), colour="bg1", soft="bg1*85", size=66),
        (
            *_GRID,
            *_drawing(752, 236, 138),
            *_corners(28, 24, 932, 516, "bg1@80"),
            rule(72, 334, 140, "accent2", width=3),
        ),
        fill="tx2",
    ),
)
