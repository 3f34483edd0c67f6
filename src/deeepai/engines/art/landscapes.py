"""Scenes of land, water and sky, painted by procedure."""

from __future__ import annotations

import math

import numpy as np

from .canvas import MAPLE, PETAL, SPARK, Canvas, Colour, Sheet, mixed, placed, rgb, smooth


def _stars(canvas: Canvas, count: int, lowest: float) -> None:
    sheet = canvas.sheet()
    for _ in range(count):
        x, y = canvas.chance(0, canvas.wide), canvas.chance(0, lowest * canvas.high)
        size = canvas.chance(0.0008, 0.0022)
        sheet.disk(x, y, size, (1, 1, 1), canvas.chance(0.4, 1))
        if size > 0.0019:
            sheet.polygon(placed(SPARK, x, y, size * 14), (1, 1, 1), 0.85)
    sheet.stick()


def _mist(canvas: Canvas, level: float, depth: float, colour: Colour, strength: float) -> None:
    band = np.exp(-(((canvas.y / canvas.high - level) / depth) ** 2)).astype(np.float32)
    canvas.lay(band * (0.55 + 0.45 * canvas.noise(4)), colour, strength)


def _ranges(canvas: Canvas, far: Colour, near: Colour, top: float, count: int, rough: float) -> None:
    """Paint ranges of hills, paler with distance, mist between them."""
    for step in range(count):
        share = step / max(1, count - 1)
        ridge = canvas.ridge(
            (top + (0.98 - top) * share**1.15) * canvas.high, rough * (0.6 + 0.6 * share), 3 + 2 * share
        )
        mask = canvas.below(ridge)
        colour = mixed(far, near, share)
        depth = np.clip((canvas.y - ridge[None, :]) / 0.22, 0, 1)
        shade = canvas.ramp(depth, [(0, colour), (1, mixed(colour, far, 0.55))])
        grain = (canvas.noise(60, 3) - 0.5)[..., None] * 0.10
        canvas.lay(mask, np.clip(shade + grain, 0, 1))


def green_hills(canvas: Canvas) -> None:
    """Blue-green ranges in the mist, a pale sun and birds."""
    canvas.sky((0, rgb("a9d6e5")), (0.45, rgb("fdf0d5")), (1, rgb("cfe8d5")))
    x, y = canvas.chance(0.25, 0.75) * canvas.wide, 0.2 * canvas.high
    canvas.shine(canvas.glow(x, y, 0.16), rgb("ffe8a3"), 0.8)
    canvas.lay(canvas.disk(x, y, 0.065), rgb("fff6d6"))
    _ranges(canvas, rgb("b7d9d0"), rgb("1e5f4b"), 0.32, 6, 0.11)
    sheet = canvas.sheet()
    for _ in range(6):
        bx, by, size = (
            canvas.chance(0.1, 0.9) * canvas.wide,
            canvas.chance(0.1, 0.3) * canvas.high,
            canvas.chance(0.008, 0.016),
        )
        sheet.line([(bx - size, by - size * 0.5), (bx, by), (bx + size, by - size * 0.5)], 0.0025, rgb("3d5a5a"))
    sheet.stick()
    _mist(canvas, 0.55, 0.06, rgb("f3f8f2"), 0.55)
    _mist(canvas, 0.78, 0.05, rgb("eaf5ee"), 0.4)


def snow(canvas: Canvas) -> None:
    """Sharp peaks with snow, fir trees in front."""
    canvas.sky((0, rgb("2b5c9e")), (0.5, rgb("9cc9ee")), (1, rgb("f4d6c6")))
    for step, (far, near) in enumerate((("9fbfe0", "dcebfa"), ("5f86b5", "f2f8ff"), ("34567f", "ffffff"))):
        ridge = canvas.ridge((0.30 + 0.17 * step) * canvas.high, 0.20, 3.2 + step, 7)
        mask = canvas.below(ridge)
        depth = canvas.y - ridge[None, :]
        slope = np.gradient(ridge)[None, :] * canvas.side
        light = np.clip(0.5 + 0.35 * slope + 0.7 * (canvas.noise(26, 5) - 0.5), 0, 1)
        capped = smooth(0.20, 0.04, depth + 0.22 * (canvas.noise(14, 4) - 0.5))
        rock = canvas.ramp(light, [(0, mixed(rgb(far), (0, 0, 0.1), 0.35)), (1, rgb(far))])
        white = canvas.ramp(light, [(0, rgb("9dbde0")), (1, rgb(near))])
        canvas.lay(mask, rock * (1 - capped[..., None]) + white * capped[..., None])
        _mist(canvas, 0.52 + 0.16 * step, 0.05, rgb("e8f1fb"), 0.35)
    ground = canvas.ridge(0.86 * canvas.high, 0.03, 3, 4)
    canvas.lay(canvas.below(ground), rgb("eef5fc"))
    sheet = canvas.sheet()
    for _ in range(46):
        x, tall = canvas.chance(-0.02, canvas.wide + 0.02), canvas.chance(0.06, 0.15)
        foot = canvas.chance(0.86, 1.03) * canvas.high
        dark = mixed(rgb("123a3a"), rgb("2f6b62"), canvas.chance(0, 1))
        for part in range(4):
            top, half = foot - tall * (1 - part * 0.2), tall * (0.10 + 0.07 * part)
            sheet.polygon([(x, top), (x - half, top + tall * 0.36), (x + half, top + tall * 0.36)], dark)
            sheet.polygon(
                [(x, top), (x - half * 0.6, top + tall * 0.20), (x + half * 0.1, top + tall * 0.16)], rgb("f3f8ff"), 0.8
            )
    sheet.stick()


def maple_night(canvas: Canvas) -> None:
    """A full moon behind dark trees, red maple leaves all over."""
    canvas.sky((0, rgb("14183f")), (0.6, rgb("5a2a5c")), (1, rgb("c8543c")), waves=0.1)
    x, y = canvas.chance(0.55, 0.75) * canvas.wide, 0.24 * canvas.high
    canvas.shine(canvas.glow(x, y, 0.26), rgb("ffd9a0"), 0.65)
    canvas.lay(canvas.disk(x, y, 0.13), rgb("fff2cf"))
    canvas.lay(canvas.disk(x, y, 0.13) * smooth(0.5, 0.62, canvas.noise(9, 4)), rgb("f0cf95"), 0.5)
    _stars(canvas, 110, 0.55)
    _ranges(canvas, rgb("6d3656"), rgb("2a1230"), 0.62, 3, 0.06)
    sheet = canvas.sheet()
    for _ in range(9):
        foot, lean = canvas.chance(-0.05, canvas.wide + 0.05), canvas.chance(-0.12, 0.12)
        _branch(canvas, sheet, (foot, canvas.high * 1.02), -math.pi / 2 + lean, canvas.chance(0.20, 0.34), 0.022, 6)
    sheet.stick()
    for size, count, blur in ((0.030, 240, 0.0), (0.048, 150, 0.0), (0.10, 14, 0.006)):
        sheet = canvas.sheet()
        for _ in range(count):
            tone = mixed(rgb("b3202a"), rgb("ff9a3d"), canvas.chance(0, 1) ** 1.4)
            place = canvas.chance(0, canvas.wide), canvas.chance(0, 1) ** 1.1 * canvas.high
            sheet.polygon(placed(MAPLE, *place, size * canvas.chance(0.6, 1.2), canvas.chance(0, 6.3)), tone, 0.95)
        sheet.stick(blur)


def _branch(
    canvas: Canvas, sheet: Sheet, foot: tuple[float, float], turn: float, length: float, width: float, left: int
) -> None:
    x, y = foot[0] + length * math.cos(turn), foot[1] + length * math.sin(turn)
    sheet.line([foot, (x, y)], width, mixed(rgb("1c0f1f"), rgb("3b2430"), canvas.chance(0, 1)))
    if left and width > 0.0012:
        for side in (-1, 1):
            spread = side * canvas.chance(0.25, 0.65)
            _branch(canvas, sheet, (x, y), turn + spread, length * canvas.chance(0.62, 0.80), width * 0.64, left - 1)


def star_river(canvas: Canvas) -> None:
    """The Milky Way over still hills."""
    canvas.sky((0, rgb("060b2b")), (0.55, rgb("1d2c72")), (1, rgb("7a4fa3")))
    turn = canvas.chance(0.5, 0.9)
    across = (canvas.x - canvas.wide / 2) * math.sin(turn) + (canvas.y - canvas.high * 0.42) * math.cos(turn)
    cloud = canvas.noise(5, 6)
    river = np.exp(-(((across + 0.25 * (cloud - 0.5)) / 0.15) ** 2)).astype(np.float32)
    canvas.shine(river * (0.35 + 0.65 * canvas.noise(12, 5)), rgb("9f8bff"), 0.7)
    canvas.shine(river * smooth(0.5, 0.72, cloud), rgb("ff9ed2"), 0.6)
    canvas.shine(np.exp(-((across / 0.05) ** 2)).astype(np.float32) * canvas.noise(20, 4), rgb("fff0d8"), 0.7)
    canvas.lay(river * smooth(0.52, 0.70, canvas.noise(16, 5)), rgb("0b0c2c"), 0.55)
    _stars(canvas, 620, 0.92)
    sheet = canvas.sheet()
    for _ in range(4):
        x, y, long = canvas.chance(0, canvas.wide), canvas.chance(0, 0.4) * canvas.high, canvas.chance(0.08, 0.2)
        sheet.line([(x, y), (x + long, y + long * 0.45)], 0.0022, (1, 1, 1), 0.7)
    sheet.stick(0.0006)
    _ranges(canvas, rgb("3a2f74"), rgb("0a0a24"), 0.80, 3, 0.05)


def moonset(canvas: Canvas) -> None:
    """A large low moon over water, stars falling."""
    canvas.sky((0, rgb("0e1f4d")), (0.55, rgb("46629f")), (0.62, rgb("e2b58c")), (1, rgb("1b2c5b")))
    x, y = canvas.wide * canvas.chance(0.35, 0.65), canvas.high * 0.47
    canvas.shine(canvas.glow(x, y, 0.24), rgb("ffe2ad"), 0.7)
    canvas.lay(canvas.disk(x, y, 0.16), rgb("ffefc4"))
    _stars(canvas, 180, 0.5)
    shore = canvas.ridge(canvas.high * 0.60, 0.035, 4, 6)
    canvas.lay(canvas.below(shore), rgb("26355f"))
    water = smooth(0.64, 0.65, canvas.y / canvas.high)
    canvas.lay(
        water, canvas.ramp(canvas.y / canvas.high, [(0.64, rgb("c79f86")), (0.78, rgb("42598f")), (1, rgb("101c45"))])
    )
    waves = np.sin((canvas.y / canvas.high) ** 1.6 * 170 + 6 * canvas.noise(6, 4)) * 0.5 + 0.5
    canvas.shine(water * smooth(0.72, 1.0, waves), rgb("b9cdf2"), 0.35)
    path = np.exp(-(((canvas.x - x) / (0.05 + 0.16 * np.clip(canvas.y / canvas.high - 0.62, 0, 1))) ** 2))
    canvas.shine((water * path * smooth(0.45, 0.9, waves)).astype(np.float32), rgb("ffe3b0"), 0.9)


def pond(canvas: Canvas) -> None:
    """Lily pads and pink lotus on a green pond, seen from above."""
    canvas.pixels = canvas.ramp(canvas.noise(4, 5), [(0, rgb("08403c")), (0.5, rgb("1d7268")), (1, rgb("6fc0a4"))])
    for _ in range(7):
        x, y = canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high)
        rings = np.sin(np.hypot(canvas.x - x, canvas.y - y) * 130) * 0.5 + 0.5
        canvas.shine(canvas.glow(x, y, 0.10) * smooth(0.6, 1.0, rings), rgb("c9f2e3"), 0.35)
    sheet = canvas.sheet()
    for _ in range(64):
        pad(canvas, sheet, canvas.chance(0, canvas.wide), canvas.chance(0, canvas.high), canvas.chance(0.03, 0.085))
    sheet.stick()
    sheet = canvas.sheet()
    for _ in range(15):
        place = canvas.chance(0.05, 0.95) * canvas.wide, canvas.chance(0.05, 0.95) * canvas.high
        lotus(canvas, sheet, *place, canvas.chance(0.05, 0.09), rgb("ffd9e6"), rgb("e2457f"))
    sheet.stick()


def pad(canvas: Canvas, sheet: Sheet, x: float, y: float, radius: float) -> None:
    """Draw a lily pad."""
    turn = canvas.chance(0, 6.3)
    tone = mixed(rgb("1f6b3a"), rgb("86c05a"), canvas.chance(0, 1))
    places = [turn + 0.22 + (2 * math.pi - 0.44) * step / 40 for step in range(41)]
    outline = [(x, y), *((x + radius * math.cos(at), y + radius * math.sin(at)) for at in places)]
    sheet.polygon([(px + 0.006, py + 0.008) for px, py in outline], (0, 0.1, 0.1), 0.45)
    sheet.polygon(outline, tone)
    for at in places[::5]:
        rim = x + radius * 0.92 * math.cos(at), y + radius * 0.92 * math.sin(at)
        sheet.line([(x, y), rim], radius * 0.03, mixed(tone, (1, 1, 0.8), 0.35), 0.8)


def lotus(canvas: Canvas, sheet: Sheet, x: float, y: float, radius: float, pale: Colour, deep: Colour) -> None:
    """Draw a lotus flower, rows of petals inwards."""
    begin = canvas.chance(0, 6.3)
    for row, (count, size) in enumerate(((10, 1.0), (9, 0.78), (7, 0.55), (5, 0.36))):
        tone = mixed(deep, pale, 0.25 + 0.25 * row)
        for petal in range(count):
            turn = begin + row * 0.35 + 2 * math.pi * petal / count
            sheet.polygon(placed(PETAL, x, y, radius * size * 1.03, turn), mixed(tone, deep, 0.5))
            sheet.polygon(placed(PETAL, x, y, radius * size * 0.94, turn), tone)
    sheet.disk(x, y, radius * 0.16, rgb("ffd34d"))


def seaside(canvas: Canvas) -> None:
    """White houses with coloured roofs above a bright sea."""
    canvas.sky((0, rgb("3f9bdc")), (0.4, rgb("bfe6f7")), (1, rgb("fff4dd")))
    _clouds(canvas, 9, 0.3)
    sea = smooth(0.30, 0.302, canvas.y / canvas.high)
    canvas.lay(
        sea, canvas.ramp(canvas.y / canvas.high, [(0.3, rgb("0b6fae")), (0.6, rgb("27b3c4")), (1, rgb("9fe3d6"))])
    )
    waves = np.sin((canvas.y / canvas.high) * 190 + 8 * canvas.noise(6, 4)) * 0.5 + 0.5
    canvas.shine(sea * smooth(0.8, 1, waves), (1, 1, 1), 0.35)
    _houses(
        canvas, 0.42, ("f7f3ea", "ffe0c2", "ffd0c9", "e8f1f5"), ("d9523f", "e98a3c", "2f7fb5", "c7415a"), rgb("2c5d86")
    )


def village(canvas: Canvas) -> None:
    """Warm houses under a night sky, windows lit."""
    canvas.sky((0, rgb("0f1c46")), (0.5, rgb("43508f")), (1, rgb("f0a37c")))
    _stars(canvas, 200, 0.5)
    x = canvas.wide * canvas.chance(0.2, 0.8)
    canvas.shine(canvas.glow(x, 0.16, 0.12), rgb("fff1c8"), 0.6)
    canvas.lay(canvas.disk(x, 0.16, 0.055), rgb("fff4d2"))
    _ranges(canvas, rgb("5a5f9c"), rgb("2b3163"), 0.36, 2, 0.06)
    _houses(
        canvas, 0.46, ("7a5a63", "8f6a5a", "5d5b7d", "a07a60"), ("3a2a44", "5a2f3d", "2c3157", "4a3a35"), rgb("ffd773")
    )


def _clouds(canvas: Canvas, count: int, lowest: float) -> None:
    sheet = canvas.sheet()
    for _ in range(count):
        x, y, size = canvas.chance(0, canvas.wide), canvas.chance(0.02, lowest) * canvas.high, canvas.chance(0.03, 0.06)
        for _ in range(7):
            sheet.disk(
                x + canvas.chance(-1.8, 1.8) * size,
                y + canvas.chance(-0.35, 0.25) * size,
                size * canvas.chance(0.4, 0.9),
                (1, 1, 1),
                0.85,
            )
    sheet.stick(0.006)


def _houses(canvas: Canvas, top: float, walls: tuple[str, ...], roofs: tuple[str, ...], window: Colour) -> None:
    """Build rows of houses, the nearest lowest."""
    rows = 7
    for row in range(rows):
        sheet = canvas.sheet()
        scale = 0.55 + 0.75 * row / rows
        foot = (top + (1.10 - top) * (row + 1) / rows) * canvas.high
        x = canvas.chance(-0.12, 0.0)
        while x < canvas.wide:
            wide, tall = canvas.chance(0.07, 0.13) * scale, canvas.chance(0.10, 0.20) * scale
            wall, roof = rgb(canvas.one_of(walls)), rgb(canvas.one_of(roofs))
            left, right, high = x, x + wide, foot - tall
            sheet.box(left, high, right, foot + 0.2, wall)
            sheet.box(left + wide * 0.72, high, right, foot + 0.2, mixed(wall, (0.2, 0.15, 0.3), 0.22))
            eaves, peak = wide * 0.10, canvas.chance(0.35, 0.7) * wide
            sheet.polygon([(left - eaves, high), ((left + right) / 2, high - peak), (right + eaves, high)], roof)
            sheet.polygon(
                [((left + right) / 2, high - peak), (right + eaves, high), (right - wide * 0.28, high)],
                mixed(roof, (0, 0, 0.1), 0.25),
            )
            _windows(sheet, (left, high, wide, tall), window)
            x += wide * canvas.chance(1.0, 1.25)
        sheet.stick()


def _windows(sheet: Sheet, house: tuple[float, float, float, float], colour: Colour) -> None:
    left, top, wide, tall = house
    for floor in range(3):
        for part in range(2):
            x, y = left + wide * (0.16 + 0.36 * part), top + tall * (0.14 + 0.30 * floor)
            sheet.box(x, y, x + wide * 0.20, y + tall * 0.16, colour)
            sheet.box(x + wide * 0.09, y, x + wide * 0.11, y + tall * 0.16, mixed(colour, (0.2, 0.15, 0.2), 0.6))


def castle(canvas: Canvas) -> None:
    """Towers that rise out of the mist."""
    canvas.sky((0, rgb("3b3f7a")), (0.5, rgb("b58bb8")), (1, rgb("f6d7c3")), waves=0.08)
    canvas.shine(canvas.glow(canvas.wide * 0.5, canvas.high * 0.3, 0.3), rgb("ffe6c8"), 0.5)
    for layer in range(4):
        share = layer / 3
        sheet = canvas.sheet()
        tone = mixed(rgb("9c86b4"), rgb("2a2048"), share)
        for _ in range(9):
            x, wide = canvas.chance(-0.02, canvas.wide + 0.02), canvas.chance(0.035, 0.075) * (0.7 + 0.5 * share)
            top = canvas.chance(0.16 + 0.16 * layer, 0.36 + 0.16 * layer) * canvas.high
            _tower(sheet, x, top, wide, tone, canvas.high)
        sheet.stick()
        _mist(canvas, 0.46 + 0.17 * layer, 0.07, mixed(rgb("f2dfe6"), rgb("b7a4cf"), share), 0.85)
    _stars(canvas, 60, 0.3)


def _tower(sheet: Sheet, x: float, top: float, wide: float, tone: Colour, foot: float) -> None:
    light, dark, glow = mixed(tone, (1, 0.9, 0.85), 0.18), mixed(tone, (0.05, 0, 0.15), 0.35), rgb("ffd884")
    sheet.box(x - wide / 2, top, x + wide / 2, foot, tone)
    sheet.box(x - wide / 2, top, x - wide / 6, foot, light)
    sheet.box(x + wide / 5, top, x + wide / 2, foot, dark)
    sheet.polygon(
        [(x - wide * 0.68, top), (x, top - wide * 2.1), (x + wide * 0.68, top)], mixed(tone, rgb("7a2f5d"), 0.55)
    )
    sheet.polygon([(x, top - wide * 2.1), (x + wide * 0.68, top), (x + wide * 0.2, top)], dark)
    sheet.line([(x, top - wide * 2.1), (x, top - wide * 2.6)], 0.003, dark)
    sheet.polygon([(x, top - wide * 2.6), (x + wide * 0.5, top - wide * 2.45), (x, top - wide * 2.3)], rgb("d8476a"))
    for floor in range(5):
        y = top + wide * (0.5 + 1.25 * floor)
        sheet.box(x - wide * 0.10, y, x + wide * 0.10, y + wide * 0.36, glow, 0.95)
        sheet.disk(x, y, wide * 0.10, glow, 0.95)
