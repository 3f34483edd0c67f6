"""Scenes of flowers, cloth, sweets, the sea's bottom and machines, painted by procedure."""

from __future__ import annotations

import math

import numpy as np

from .canvas import BLOSSOM, HEART, LEAF, PETAL, SPARK, Canvas, Colour, Sheet, luminance, mixed, placed, rgb, smooth
from .landscapes import lotus


def _flower(
    canvas: Canvas, sheet: Sheet, place: tuple[float, float], radius: float, colours: tuple[Colour, Colour, Colour]
) -> None:
    """Draw a flower of some rows of petals; colours from the rim to the heart, and of the heart."""
    rim, inner, heart = colours
    turn, count = canvas.chance(0, 6.3), canvas.one_of((5, 6, 7, 8))
    for row, size in enumerate((1.0, 0.72, 0.46)):
        tone = mixed(rim, inner, row / 2)
        for petal in range(count):
            at = turn + row * math.pi / count + 2 * math.pi * petal / count
            sheet.polygon(placed(PETAL, *place, radius * size * 1.04, at), mixed(tone, (0.25, 0.05, 0.2), 0.35), 0.9)
            sheet.polygon(placed(PETAL, *place, radius * size * 0.96, at), tone)
            vein = place[0] + radius * size * 0.7 * math.cos(at), place[1] + radius * size * 0.7 * math.sin(at)
            sheet.line([place, vein], radius * 0.02, mixed(tone, (1, 1, 1), 0.4), 0.7)
    sheet.disk(*place, radius * 0.17, mixed(heart, (0.4, 0.2, 0), 0.3))
    for _ in range(9):
        x, y = place[0] + canvas.chance(-0.1, 0.1) * radius, place[1] + canvas.chance(-0.1, 0.1) * radius
        sheet.disk(x, y, radius * 0.035, heart)


def _leaves(canvas: Canvas, count: int, sizes: tuple[float, float], dark: Colour, light: Colour) -> None:
    sheet = canvas.sheet()
    for _ in range(count):
        x, y = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        size, turn = canvas.chance(*sizes), canvas.chance(0, 6.3)
        tone = mixed(dark, light, canvas.chance(0, 1))
        sheet.polygon(placed(LEAF, x + 0.004, y + 0.006, size, turn), (0, 0.05, 0.05), 0.35)
        sheet.polygon(placed(LEAF, x, y, size, turn), tone)
        half = size / 2 * math.cos(turn), size / 2 * math.sin(turn)
        sheet.line(
            [(x - half[0], y - half[1]), (x + half[0], y + half[1])], size * 0.025, mixed(tone, (1, 1, 0.8), 0.35)
        )
    sheet.stick()


def _bed(
    canvas: Canvas, ground: tuple[str, str], leaves: tuple[str, str], kinds: tuple[tuple[str, str, str], ...]
) -> None:
    """Paint a bed of flowers seen from above."""
    canvas.pixels = canvas.ramp(canvas.noise(5, 5), [(0, rgb(ground[0])), (1, rgb(ground[1]))])
    _leaves(canvas, 260, (0.05, 0.12), rgb(leaves[0]), rgb(leaves[1]))
    for sizes, count in (((0.02, 0.035), 90), ((0.04, 0.06), 70), ((0.065, 0.10), 26)):
        sheet = canvas.sheet()
        for _ in range(count):
            rim, inner, heart = canvas.one_of(kinds)
            place = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
            _flower(canvas, sheet, place, canvas.chance(*sizes), (rgb(rim), rgb(inner), rgb(heart)))
        sheet.stick()


def flowers(canvas: Canvas) -> None:
    """A painted meadow of many kinds of flowers."""
    kinds = (
        ("ff7aa8", "ffd1e0", "ffd34d"),
        ("ffb347", "fff0c2", "b5561d"),
        ("7ea8ff", "e4ecff", "ffe37a"),
        ("fff6ef", "ffe0ea", "f2b233"),
    )
    _bed(canvas, ("0f3d33", "3c7a53"), ("1f5a3f", "9ccf7a"), kinds)


def roses(canvas: Canvas) -> None:
    """Deep red and blush roses."""
    canvas.pixels = canvas.ramp(canvas.noise(4, 5), [(0, rgb("240a18")), (1, rgb("6b1f3a"))])
    _leaves(canvas, 180, (0.06, 0.13), rgb("173a2d"), rgb("5b8a5a"))
    sheet = canvas.sheet()
    for _ in range(70):
        place = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        deep, pale = canvas.one_of(
            (("8e1030", "ff5f7e"), ("c2385a", "ffc2cc"), ("5f0b26", "d8365a"), ("e8a0a8", "fff0ee"))
        )
        radius, turn = canvas.chance(0.04, 0.085), canvas.chance(0, 6.3)
        for step in range(26):
            # A spiral of petals inwards makes a rose.
            size = radius * (1 - step / 28)
            at = turn + step * 2.4
            centre = place[0] + 0.28 * size * math.cos(at), place[1] + 0.28 * size * math.sin(at)
            tone = mixed(rgb(pale), rgb(deep), step / 26)
            sheet.disk(*centre, size * 0.80, mixed(tone, (0.1, 0, 0.05), 0.35))
            sheet.disk(centre[0] - size * 0.03, centre[1] - size * 0.05, size * 0.76, tone)
    sheet.stick()


def lavender(canvas: Canvas) -> None:
    """Rows of lavender towards a low sun."""
    canvas.sky((0, rgb("f6b88f")), (0.26, rgb("ffe7c4")), (0.34, rgb("b59ad6")), (1, rgb("3f2a78")))
    x = canvas.wide * 0.5
    canvas.shine(canvas.glow(x, canvas.high * 0.24, 0.16), rgb("fff3c4"), 0.9)
    canvas.lay(canvas.disk(x, canvas.high * 0.24, 0.06), rgb("fff8df"))
    canvas.lay(canvas.below(canvas.ridge(canvas.high * 0.31, 0.02, 5)), rgb("6b5aa3"))
    near = np.clip((canvas.y / canvas.high - 0.33) / 0.67, 0, 1)
    field = smooth(0.33, 0.335, canvas.y / canvas.high)
    rows = np.sin((canvas.x - x) / (0.06 + near) * 22) * 0.5 + 0.5
    canvas.lay(field, canvas.ramp(rows, [(0, rgb("2f4a36")), (0.4, rgb("5b3f97")), (1, rgb("b18be8"))]))
    for step in range(11):
        depth = (step + 1) / 11
        sheet = canvas.sheet()
        for _ in range(int(120 - 60 * depth)):
            fx, foot = (
                canvas.chance(0, canvas.wide),
                (0.36 + 0.7 * depth**1.4) * canvas.high + canvas.chance(-0.02, 0.02),
            )
            tall = 0.03 + 0.11 * depth
            tone = mixed(rgb("5a3aa5"), rgb("d0b0ff"), canvas.chance(0, 1))
            sheet.line([(fx, foot), (fx, foot - tall)], 0.003 * depth + 0.001, rgb("4f7a4a"))
            for bud in range(7):
                width = tall * 0.13 * (1 - bud / 10)
                sheet.disk(fx + canvas.chance(-0.5, 0.5) * width, foot - tall * (0.45 + 0.09 * bud), width, tone)
        sheet.stick()


def ink_lotus(canvas: Canvas) -> None:
    """Lotus in ink on rice paper, a breath of red."""
    paper = 0.93 + 0.05 * canvas.noise(3, 6) + 0.03 * (canvas.noise(160, 2) - 0.5)
    canvas.pixels = (paper[..., None] * np.array([1.0, 0.975, 0.925], np.float32)).astype(np.float32)
    veins, grain = canvas.sheet(), canvas.noise(9, 5)
    wash_grain = 0.55 + 0.45 * canvas.noise(7, 5)
    for _ in range(22):
        x, y, radius = canvas.chance(0, canvas.wide), canvas.chance(0.05, 1) * canvas.high, canvas.chance(0.06, 0.17)
        ragged = np.roll(grain, int(canvas.random.integers(canvas.width)), 1) - 0.5
        edge = np.hypot((canvas.x - x) / 1.35, canvas.y - y) + 0.09 * ragged
        wash = smooth(radius, radius * 0.55, edge)
        rim = smooth(radius, radius * 0.93, edge) * smooth(radius * 0.78, radius * 0.92, edge)
        strength = canvas.chance(0.35, 0.95)
        canvas.lay(wash * wash_grain, rgb("22292e"), strength * 0.8)
        canvas.lay(rim, rgb("10161a"), strength * 0.6)
        for vein in range(11):
            at = 2 * math.pi * vein / 11 + canvas.chance(-0.1, 0.1)
            veins.line(
                [(x, y), (x + 1.2 * radius * math.cos(at), y + 0.85 * radius * math.sin(at))],
                0.0022,
                rgb("0e1317"),
                0.5,
            )
    veins.stick(0.0008)
    sheet = canvas.sheet()
    for _ in range(16):
        x, foot, bend = canvas.chance(0, canvas.wide), canvas.high * 1.02, canvas.chance(-0.12, 0.12)
        top = canvas.chance(0.15, 0.7) * canvas.high
        points = [(x + bend * (step / 12) ** 2, foot + (top - foot) * step / 12) for step in range(13)]
        sheet.line(points, canvas.chance(0.003, 0.007), rgb("262d30"), 0.75)
    sheet.stick(0.0006)
    sheet = canvas.sheet()
    for _ in range(10):
        place = canvas.chance(0.08, 0.92) * canvas.wide, canvas.chance(0.08, 0.85) * canvas.high
        lotus(canvas, sheet, *place, canvas.chance(0.05, 0.085), rgb("fff3f2"), rgb("d8364e"))
    sheet.stick(0.0004)


def coral(canvas: Canvas) -> None:
    """Branching corals, light from above, bubbles."""
    canvas.sky((0, rgb("6fd6e8")), (0.5, rgb("1583b5")), (1, rgb("07306b")), waves=0.1)
    rays = np.sin((canvas.x + 0.35 * canvas.y) * 26 + 5 * canvas.noise(3, 3)) * 0.5 + 0.5
    canvas.shine(smooth(0.7, 1.0, rays) * np.clip(1 - canvas.y / canvas.high, 0, 1), rgb("e0fbff"), 0.45)
    for layer in range(4):
        sheet = canvas.sheet()
        for _ in range(9):
            base = canvas.chance(0, canvas.wide), canvas.high * (1.04 - 0.16 * (3 - layer))
            tone = mixed(
                rgb(canvas.one_of(("ff6b6b", "ff9f5a", "ff7fb5", "ffd166", "c86bff"))),
                rgb("0f5f9a"),
                0.20 * (3 - layer),
            )
            _coral(
                canvas, sheet, base, -math.pi / 2 + canvas.chance(-0.3, 0.3), canvas.chance(0.09, 0.14), 0.024, tone, 6
            )
        sheet.stick(0.0015 * (3 - layer))
    sheet = canvas.sheet()
    for _ in range(70):
        x, y, radius = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0.004, 0.016)
        sheet.disk(x, y, radius, rgb("d8f7ff"), 0.22)
        sheet.ring(x, y, radius, 0.0018, (1, 1, 1), 0.7)
    sheet.stick()


def _coral(
    canvas: Canvas,
    sheet: Sheet,
    foot: tuple[float, float],
    turn: float,
    length: float,
    width: float,
    tone: Colour,
    left: int,
) -> None:
    end = foot[0] + length * math.cos(turn), foot[1] + length * math.sin(turn)
    sheet.line([foot, end], width, mixed(tone, (0.2, 0, 0.2), 0.2))
    sheet.line([foot, end], width * 0.55, tone)
    sheet.disk(*end, width * 0.55, mixed(tone, (1, 1, 1), 0.25))
    if left:
        for side in (-1, 1):
            spread = side * canvas.chance(0.2, 0.6)
            _coral(canvas, sheet, end, turn + spread, length * canvas.chance(0.68, 0.86), width * 0.74, tone, left - 1)


def cake(canvas: Canvas) -> None:
    """Cakes, cream and cherries on pastel."""
    canvas.pixels = canvas.ramp(canvas.noise(3, 4), [(0, rgb("ffd6e4")), (1, rgb("fff3df"))])
    stripes = np.sin((canvas.x + canvas.y) * 40) * 0.5 + 0.5
    canvas.lay(smooth(0.45, 0.55, stripes.astype(np.float32)), rgb("ffc7da"), 0.5)
    for row in range(6):
        sheet = canvas.sheet()
        for column in range(7):
            x = (column + 0.5 * (row % 2)) / 6 * canvas.wide + canvas.chance(-0.02, 0.02)
            y = (row + 0.75) / 6 * canvas.high
            _tiers(canvas, sheet, x, y, canvas.chance(0.13, 0.165))
        sheet.stick()
    sheet = canvas.sheet()
    for _ in range(170):
        x, y, turn = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0, 6.3)
        long = 0.008 * math.cos(turn), 0.008 * math.sin(turn)
        tone = rgb(canvas.one_of(("ff5d8f", "ffb627", "5ec2b7", "8e7dff")))
        sheet.line([(x - long[0], y - long[1]), (x + long[0], y + long[1])], 0.005, tone)
    sheet.stick()


def _tiers(canvas: Canvas, sheet: Sheet, x: float, foot: float, size: float) -> None:
    icing = rgb(canvas.one_of(("fff8ef", "ffb3c7", "c9f0e4", "d9ccff")))
    sponge = rgb(canvas.one_of(("7a4328", "c98a4b", "a83a55")))
    for tier in range(3):
        half, high = size * (0.55 - 0.15 * tier), size * 0.30
        top = foot - high * (tier + 1)
        sheet.box(x - half, top, x + half, top + high, sponge)
        sheet.box(x - half, top + high * 0.45, x + half, top + high * 0.62, mixed(icing, sponge, 0.15))
        sheet.box(x - half, top, x + half, top + high * 0.26, icing)
        drips = 6 - tier
        for drip in range(drips):
            dx = x - half + (drip + 0.5) * 2 * half / drips
            sheet.disk(dx, top + high * (0.28 + 0.14 * (drip % 2)), half / drips, icing)
        sheet.box(x + half * 0.55, top, x + half, top + high, (0.3, 0.05, 0.15), 0.22)
    top = foot - size * 0.92
    sheet.disk(x, top - size * 0.05, size * 0.09, rgb("c1121f"))
    sheet.disk(x - size * 0.025, top - size * 0.08, size * 0.025, rgb("ff9aa2"))


def hearts(canvas: Canvas) -> None:
    """Hearts that rise through soft light."""
    canvas.sky((0, rgb("ffb3c8")), (0.5, rgb("ff6f9c")), (1, rgb("a3174f")), waves=0.2)
    for _ in range(22):
        glow = canvas.glow(canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0.03, 0.09))
        canvas.shine(glow, rgb("ffe3ec"), 0.35)
    for sizes, count, blur in (((0.02, 0.05), 170, 0.0), ((0.06, 0.10), 70, 0.0), ((0.15, 0.22), 7, 0.009)):
        sheet = canvas.sheet()
        for _ in range(count):
            place, size = (canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)), canvas.chance(*sizes)
            turn = canvas.chance(-0.5, 0.5)
            tone = mixed(rgb("8e0f43"), rgb("fff0f4"), canvas.chance(0, 1))
            sheet.polygon(placed(HEART, place[0], place[1] + size * 0.04, size * 1.04, turn), (0.3, 0, 0.15), 0.35)
            sheet.polygon(placed(HEART, *place, size, turn), tone)
            shine = placed(((-0.22, -0.20),), *place, size, turn)[0]
            sheet.disk(*shine, size * 0.07, (1, 1, 1), 0.6)
        sheet.stick(blur)


def gown(canvas: Canvas, tones: tuple[str, str, str] = ("7a2f6e", "f29bc4", "fff0f8")) -> None:
    """Folds of silk with lace and glitter."""
    bend = canvas.noise(2.2, 3)
    folds = np.sin((canvas.x * 9 + canvas.y * 3.2 + 7 * bend) * 2.2) * 0.5 + 0.5
    fine = np.sin((canvas.x * 24 - canvas.y * 9 + 15 * bend) * 1.7) * 0.5 + 0.5
    depth = np.clip(0.72 * folds + 0.28 * fine, 0, 1)
    canvas.pixels = canvas.ramp(depth, [(0, rgb(tones[0])), (0.55, rgb(tones[1])), (1, rgb(tones[2]))])
    canvas.shine(smooth(0.82, 1.0, depth), (1, 1, 1), 0.35)
    sheet = canvas.sheet()
    for _ in range(120):
        place = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        size, tone = canvas.chance(0.02, 0.055), mixed(rgb(tones[2]), rgb(tones[0]), canvas.one_of((0.05, 0.15, 0.8)))
        sheet.polygon(placed(BLOSSOM, *place, size, canvas.chance(0, 6.3)), tone, 0.85)
        sheet.ring(*place, size * 0.2, 0.0025, rgb(tones[1]))
    for _ in range(240):
        place = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        sheet.polygon(placed(SPARK, *place, canvas.chance(0.006, 0.03)), (1, 1, 1), canvas.chance(0.5, 1))
    sheet.stick()


def blue_gown(canvas: Canvas) -> None:
    """The same in blue."""
    gown(canvas, ("12306e", "5f9be8", "eef6ff"))


def rose_gown(canvas: Canvas) -> None:
    """The same in red, with roses."""
    gown(canvas, ("5a0f2a", "d94a66", "ffe6e2"))
    sheet = canvas.sheet()
    for _ in range(34):
        place = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        _flower(canvas, sheet, place, canvas.chance(0.03, 0.06), (rgb("b3123c"), rgb("ff8fa3"), rgb("ffd34d")))
    sheet.stick()


def machine(canvas: Canvas) -> None:
    """Red and gold armour plates around cores of light."""
    canvas.pixels = canvas.ramp(canvas.noise(6, 4), [(0, rgb("1a0c10")), (1, rgb("3c1a1e"))])
    sheet, step = canvas.sheet(), 0.085
    for row in range(int(canvas.high / step) + 2):
        for column in range(int(canvas.wide / step) + 2):
            x, y = (column + 0.5 * (row % 2)) * step, row * step * 0.88
            tone = (
                mixed(rgb("6d0f16"), rgb("e0362f"), canvas.chance(0, 1))
                if canvas.chance(0, 1) < 0.72
                else mixed(rgb("9a6a14"), rgb("ffd873"), canvas.chance(0, 1))
            )
            radius = step * 0.56
            plate = [
                (x + radius * math.cos(at), y + radius * math.sin(at))
                for at in (math.pi / 6 + math.pi / 3 * n for n in range(6))
            ]
            sheet.polygon(plate, mixed(tone, (0, 0, 0), 0.5))
            inner = [(x + 0.88 * (px - x), y + 0.88 * (py - y)) for px, py in plate]
            sheet.polygon(inner, tone)
            sheet.polygon([inner[3], inner[4], inner[5], (x, y)], mixed(tone, (1, 1, 1), 0.28))
            if canvas.chance(0, 1) < 0.3:
                sheet.ring(x, y, radius * 0.4, 0.004, mixed(tone, (0, 0, 0), 0.55))
    sheet.stick()
    for _ in range(6):
        x, y = canvas.chance(0.1, 0.9) * canvas.wide, canvas.chance(0.1, 0.9) * canvas.high
        canvas.lay(canvas.disk(x, y, 0.05), rgb("0d2a3a"))
        canvas.shine(canvas.glow(x, y, 0.06), rgb("6fe3ff"), 0.9)
        canvas.shine(canvas.disk(x, y, 0.03), rgb("e6fbff"), 1.0)


def apples(canvas: Canvas) -> None:
    """Red and green apples among leaves."""
    canvas.pixels = canvas.ramp(canvas.noise(5, 5), [(0, rgb("15361f")), (1, rgb("4d7a34"))])
    _leaves(canvas, 300, (0.05, 0.11), rgb("1f5a2a"), rgb("a7d060"))
    sheet = canvas.sheet()
    for _ in range(60):
        x, y, radius = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0.035, 0.06)
        tone = rgb(canvas.one_of(("c1121f", "e63946", "8fbf3f", "f2c14e")))
        sheet.disk(x + 0.006, y + 0.010, radius, (0, 0.05, 0), 0.45)
        for step in range(9):
            share = step / 9
            sheet.disk(
                x - radius * 0.25 * share,
                y - radius * 0.28 * share,
                radius * (1 - 0.9 * share),
                mixed(mixed(tone, (0.15, 0, 0.05), 0.4), mixed(tone, (1, 1, 0.9), 0.55), share),
            )
        sheet.line([(x, y - radius * 0.75), (x + radius * 0.2, y - radius * 1.3)], 0.006, rgb("4a2f1b"))
    sheet.stick()


def jade(canvas: Canvas) -> None:
    """Polished jade in bands, carved clouds."""
    bands = np.sin((canvas.y * 6 + 5 * canvas.noise(3, 6)) * 3) * 0.5 + 0.5
    canvas.pixels = canvas.ramp(bands, [(0, rgb("0e4d3c")), (0.5, rgb("4fae85")), (1, rgb("e3f6e6"))])
    sheet = canvas.sheet()
    for _ in range(90):
        x, y, radius = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0.025, 0.06)
        tone = mixed(rgb("d9b24a"), rgb("fff2bf"), canvas.chance(0, 1))
        for ring in range(4):
            sheet.ring(x + ring * radius * 0.12, y, radius * (1 - 0.24 * ring), 0.0035, tone, 0.9)
    sheet.stick()
    canvas.shine(smooth(0.6, 0.9, luminance(canvas.pixels)), (1, 1, 1), 0.15)
