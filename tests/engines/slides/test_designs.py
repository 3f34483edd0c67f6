"""Designs: what they promise to those who choose them, and to those who read them."""

from __future__ import annotations

import colorsys
import re

import pytest

from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.designs.design import HEIGHT, LEAST, WIDTH, Design, Theme
from deeepai.engines.slides.designs.drawing import Colour, Gradient, colour
from deeepai.engines.slides.designs.layouts import layouts_of

THEMES = [(design, theme) for design in DESIGNS.values() for theme in design.themes.values()]
KINDS = {"cover", "contents", "section", "list", "columns-2", "picture", "chart", "table", "quote", "timeline-4"}


def test_there_are_ten_with_three_themes_each() -> None:
    assert len(DESIGNS) >= 10
    assert all(len(design.themes) == 3 for design in DESIGNS.values())
    hues = {theme.hue for _, theme in THEMES}
    assert {"orange", "blue", "purple", "cyan", "green", "yellow", "red", "brown", "pink", "black"} <= hues
    styles = {design.style for design in DESIGNS.values()}
    assert styles == {"扁平简约", "商务科技", "文艺清新", "卡通手绘", "中国风", "创意时尚", "创意趣味"}


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_each_has_all_layouts_and_boxes_within_the_page(design: Design) -> None:
    assert KINDS | {"comparison", "closing"} <= set(layouts_of(design))
    names = [layout.name for layout in layouts_of(design).values()]
    assert len(set(names)) == len(names)
    for layout in layouts_of(design).values():
        indices = [slot.index for slot in layout.slots]
        assert len(set(indices)) == len(indices)
        assert 0 in indices
        for slot in layout.slots:
            left, top, width, height = slot.box
            assert left >= 40, f"{layout.kind}: margins are five per cent"
            assert left + width <= WIDTH - 40
            assert top >= 20
            assert top + height <= HEIGHT - 20
            assert slot.size >= LEAST
            assert slot.least >= LEAST


def channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4


def rgb(theme: Theme, design: Design, spec: str) -> tuple[float, float, float]:
    wanted = colour(spec)
    light, dark = ("dk", "lt") if design.dark else ("lt", "dk")
    slot = wanted.slot.replace("bg", light).replace("tx", dark)
    text = theme.colour(slot)
    parts = [int(text[at : at + 2], 16) for at in (0, 2, 4)]
    return tuple(lightened(parts, wanted))  # type: ignore[return-value]


def lightened(parts: list[int], wanted: Colour) -> list[float]:
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in parts))
    light = min(light * wanted.mod / 100 + wanted.off / 100, 1.0)
    return [part * 255 for part in colorsys.hls_to_rgb(hue, light, saturation)]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    lights = sorted(
        0.2126 * channel(round(red)) + 0.7152 * channel(round(green)) + 0.0722 * channel(round(blue))
        for red, green, blue in (one, other)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize(("design", "theme"), THEMES, ids=[f"{design.id}-{theme.id}" for design, theme in THEMES])
def test_text_can_be_read_in_every_theme(design: Design, theme: Theme) -> None:
    for layout in layouts_of(design).values():
        fill = layout.fill or design.look.fill or "bg1"
        grounds = [fill.start, fill.end] if isinstance(fill, Gradient) else [fill]
        for slot in layout.slots:
            if slot.kind in ("pic", "chart", "tbl"):
                continue
            behind = grounds
            for shape in layout.shapes:
                left, top, width, height = shape.box
                x, y = slot.box[0] + 20, slot.box[1] + slot.box[3] / 2
                solid = shape.fill is not None and not (isinstance(shape.fill, str) and "@" in shape.fill)
                covers = left <= x <= left + width and top <= y <= top + height
                if solid and covers and shape.geometry not in ("donut", "frame") and isinstance(shape.geometry, str):
                    paint = shape.fill
                    behind = [paint.start, paint.end] if isinstance(paint, Gradient) else [str(paint)]
            if layout.kind.startswith("contents") and design.id == "launch" and slot.index == 0:
                behind = ["accent1", "accent2"]
            large = (slot.size >= 24 and slot.bold) or slot.size >= 32
            for ground in behind:
                found = contrast(rgb(theme, design, slot.colour), rgb(theme, design, ground))
                assert found >= (3.0 if large else 4.5), (
                    f"{layout.kind}, {slot.name}: {slot.colour} on {ground}: {found:.1f}"
                )


def test_colours_are_written_as_office_has_them() -> None:
    assert colour("tx1*65+35@50") == Colour("tx1", 65, 35, 50)
    assert colour("accent2").xml == '<a:schemeClr val="accent2"></a:schemeClr>'
    for _, theme in THEMES:
        assert len(theme.colours) == 12
        assert all(re.fullmatch("[0-9A-F]{6}", value) for value in theme.colours)
