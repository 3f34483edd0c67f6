"""H.264 of the plainest kind, for drawn pictures: blocks of 4x4 pixels, each of one colour.

Each macroblock of a key picture is predicted from its neighbour, and corrected by the DC coefficients of its 16 blocks
and of its chroma (`Intra_16x16`, no AC). Pictures in between repeat the one before, but for some macroblocks. Every
decoder plays it (constrained baseline).

Source: Rec. ITU-T H.264, clauses 7.3 (syntax), 8.3.3 and 8.3.4 (prediction), 8.5 (transforms), 9.1 and 9.2 (codes), B.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import add, itemgetter, sub
from typing import TypeAlias

Macroblock: TypeAlias = bytes
"""Values of 16 blocks of luma, row by row, then of 4 of each chroma; 16 to 239, so that no error leaves 0 to 255."""
SIDE = 16
"""Pixels of a macroblock."""
QP = 30
"""At which one step of a DC coefficient is 5/4 of a value; that of chroma is set to 24, for the same step."""
LEVELS = (
    (1620, 40_500, 30),
    (3600, 108_000, 31),
    (5120, 216_000, 32),
    (8192, 245_760, 40),
    (8704, 522_240, 42),
    (22_080, 589_824, 50),
    (36_864, 983_040, 51),
    (36_864, 2_073_600, 52),
    (139_264, 4_177_920, 60),
)
"""Macroblocks of a picture and of a second that a level allows (table A-1)."""

# Codes -------------------------------------------------------------------------------------------------------------


def _words(lengths: Sequence[Sequence[int]], codes: Sequence[Sequence[int]]) -> list[list[str]]:
    return [
        [f"{code:0{length}b}" if length else "" for length, code in zip(*row, strict=True)]
        for row in zip(lengths, codes, strict=True)
    ]


def _table(lengths: str, codes: str) -> list[list[str]]:
    """Read a table of codes, row by row: the length of each in bits, and its value."""
    return _words(*([[int(item) for item in row.split()] for row in text.split(",")] for text in (lengths, codes)))


TOKENS = _table(
    "1, 6 2, 8 6 3, 9 8 7 5, 10 9 8 6, 11 10 9 7, 13 11 10 8, 13 13 11 9, 13 13 13 10, 14 14 13 11, 14 14 14 13,"
    "15 15 14 14, 15 15 15 14, 16 15 15 15, 16 16 16 15, 16 16 16 16, 16 16 16 16",
    "1, 5 1, 7 4 1, 7 6 5 3, 7 6 5 3, 7 6 5 4, 15 6 5 4, 11 14 5 4, 8 10 13 4, 15 14 9 4, 11 10 13 12,"
    "15 14 9 12, 11 10 13 8, 15 1 9 12, 11 14 13 8, 7 10 9 12, 4 6 5 8",
)
"""Table 9-5 for 0 <= nC < 2: by the number of coefficients, and of ones at the end."""
CHROMA_TOKENS = _table("2, 6 1, 6 6 3, 6 7 7 6, 6 8 8 7", "1, 7 1, 4 6 1, 3 3 2 5, 2 3 2 0")
"""The same for nC = -1."""
ZEROS = _table(
    "1 3 3 4 4 5 5 6 6 7 7 8 8 9 9 9, 3 3 3 3 3 4 4 4 4 5 5 6 6 6 6, 4 3 3 3 4 4 3 3 4 5 5 6 5 6,"
    "5 3 4 4 3 3 3 4 3 4 5 5 5, 4 4 4 3 3 3 3 3 4 5 4 5, 6 5 3 3 3 3 3 3 4 3 6, 6 5 3 3 3 2 3 4 3 6,"
    "6 4 5 3 2 2 3 3 6, 6 6 4 2 2 3 2 5, 5 5 3 2 2 2 4, 4 4 3 3 1 3, 4 4 2 1 3, 3 3 1 2, 2 2 1, 1 1",
    "1 3 2 3 2 3 2 3 2 3 2 3 2 3 2 1, 7 6 5 4 3 5 4 3 2 3 2 3 2 1 0, 5 7 6 5 4 3 4 3 2 3 2 1 1 0,"
    "3 7 5 4 6 5 4 3 3 2 2 1 0, 5 4 3 7 6 5 4 3 2 1 1 0, 1 1 7 6 5 4 3 2 1 1 0, 1 1 5 4 3 3 2 1 1 0,"
    "1 1 1 3 3 2 2 1 0, 1 0 1 3 2 1 1 1, 1 0 1 3 2 1 1, 0 1 1 2 1 3, 0 1 1 1 1, 0 1 1 1, 0 1 1, 0 1",
)
"""Tables 9-7 and 9-8: by the number of coefficients, and of zeros before the last."""
CHROMA_ZEROS = _table("1 2 3 3, 1 2 2, 1 1", "1 1 1 0, 1 1 0, 1 0")
"""Table 9-9."""
RUNS = _table(
    "1 1, 1 2 2, 2 2 2 2, 2 2 2 3 3, 2 2 3 3 3 3, 2 3 3 3 3 3 3, 3 3 3 3 3 3 3 4 5 6 7 8 9 10 11",
    "1 0, 1 1 0, 3 2 1 0, 3 2 1 1 0, 3 2 3 2 1 0, 3 0 1 3 2 5 4, 7 6 5 4 3 2 1 1 1 1 1 1 1 1 1",
)
"""Table 9-10: by the zeros that are left, and those before a coefficient."""


@lru_cache(maxsize=4096)
def _ue(value: int) -> str:
    """Return an unsigned Exp-Golomb code."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _se(value: int) -> str:
    return _ue(2 * value - 1 if value > 0 else -2 * value)


def _coefficients(scanned: Sequence[int], tokens: list[list[str]], zeros: list[list[str]]) -> str:
    """Code coefficients by their runs and levels (CAVLC, clause 9.2)."""
    places = [place for place, level in enumerate(scanned) if level][::-1]
    levels = [scanned[place] for place in places]
    count = len(levels)
    ones = next((number for number, level in enumerate(levels[:3]) if abs(level) != 1), min(count, 3))
    if not count:
        return tokens[0][0]
    bits = [tokens[count][ones], *("1" if level < 0 else "0" for level in levels[:ones])]
    size = 1 if count > 10 and ones < 3 else 0
    for number, level in enumerate(levels[ones:]):
        code = 2 * abs(level) - (1 if level < 0 else 2) - (2 if number == 0 and ones < 3 else 0)
        plain = 15 << size if size else 14
        if code < plain:
            bits.append("0" * (code >> size) + "1" + (f"{code & (1 << size) - 1:0{size}b}" if size else ""))
        elif size == 0 and code < 30:
            bits.append(f"{1:015b}{code - 14:04b}")
        else:
            bits.append(f"{1:016b}{code - (plain if size else 30):012b}")
        size = max(size, 1)
        size += abs(level) > 3 << (size - 1) and size < 6
    if count < len(scanned):
        left = places[0] + 1 - count
        bits.append(zeros[count - 1][left])
        for place, before in pairwise(places):
            if not left:
                break
            bits.append(RUNS[min(left, 7) - 1][place - before - 1])
            left -= place - before - 1
    return "".join(bits)


# Macroblocks -------------------------------------------------------------------------------------------------------

ZIGZAG = itemgetter(0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15)
LEFT = itemgetter(3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15, 17, 17, 19, 19, 21, 21, 23, 23)
ABOVE = itemgetter(*[12, 13, 14, 15] * 4, 18, 19, 18, 19, 22, 23, 22, 23)
NOTHING = (128,) * 24
VERTICAL, HORIZONTAL, MEAN = (0, 2), (1, 1), (2, 0)
"""How luma and chroma are predicted: `Intra16x16PredMode` and `intra_chroma_pred_mode`."""


def _butterflies(values: Sequence[int]) -> list[int]:
    """Transform 4x4 values in rows and columns (clause 8.5.10); done twice, it gives 16 times the values."""
    rows: list[int] = []
    for at in range(0, 16, 4):
        a, b, c, d = values[at : at + 4]
        rows += (a + b + c + d, a + b - c - d, a - b - c + d, a - b + c - d)
    columns = [0] * 16
    for at in range(4):
        a, b, c, d = rows[at::4]
        columns[at::4] = (a + b + c + d, a + b - c - d, a - b - c + d, a - b + c - d)
    return columns


def _square(values: Sequence[int]) -> tuple[int, int, int, int]:
    a, b, c, d = values
    return a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d


def _quantized(values: Iterable[int], count: int) -> list[int]:
    # In steps of 5/4, a little towards zero, so that a remainder of one is not corrected.
    half, whole = 2 * count, 5 * count
    return [(4 * value + half) // whole if value >= 0 else -((half - 4 * value) // whole) for value in values]


@lru_cache(maxsize=20_000)
def _residual(wanted: tuple[int, ...]) -> tuple[int, str, tuple[int, ...]]:
    """Return whether chroma is corrected, the bits of the coefficients, and the correction that they make."""
    luma = _quantized(_butterflies(wanted[:16]), 16)
    blue, red = _quantized(_square(wanted[16:20]), 4), _quantized(_square(wanted[20:]), 4)
    coloured = int(any(blue) or any(red))
    bits = _coefficients(ZIGZAG(luma), TOKENS, ZEROS)
    if coloured:
        bits += "".join(_coefficients(chroma, CHROMA_TOKENS, CHROMA_ZEROS) for chroma in (blue, red))
    made = (*_butterflies(luma), *_square(blue), *_square(red))
    return coloured, bits, tuple([(5 * value + 2) >> 2 for value in made])


@lru_cache(maxsize=20_000)
def _macroblock(
    wanted: Macroblock, left: Macroblock | None, above: Macroblock | None, offset: int = 0
) -> tuple[str, Macroblock]:
    """Return the bits of an intra macroblock, and how it comes out."""
    (luma, chroma), predicted = (
        (HORIZONTAL, LEFT(left)) if left else (VERTICAL, ABOVE(above)) if above else (MEAN, NOTHING)
    )
    coloured, bits, made = _residual(tuple(map(sub, wanted, predicted)))
    # With a change of the quantizer of 0.
    start = _ue(offset + 1 + luma + 4 * coloured) + _ue(chroma) + "1"
    return start + bits, bytes(map(add, predicted, made))


# Pictures ----------------------------------------------------------------------------------------------------------


def unit(header: int, bits: str) -> bytes:
    """Return a unit (clause 7.3.1) of some bits, to which the end is added."""
    padded = bits + "1"
    padded += "0" * (-len(padded) % 8)
    raw = bytes([header]) + int(padded, 2).to_bytes(len(padded) // 8, "big")
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", raw)


def sequence_set(width: int, height: int, fps: float) -> bytes:
    """Return the parameters of the sequence: sizes, and colours as JPEG has them."""
    columns, rows = -(-width // SIDE), -(-height // SIDE)
    size = columns * rows
    level = next((level for most, rate, level in LEVELS if size <= most and size * fps <= rate), LEVELS[-1][2])
    # Numbers of frames have 4 bits; order of output is that of decoding; one reference.
    bits = f"{66:08b}{0b11000000:08b}{level:08b}" + _ue(0) + _ue(0) + _ue(2) + _ue(1) + "0"
    bits += _ue(columns - 1) + _ue(rows - 1) + "11"
    bits += "1" + _ue(0) + _ue((columns * SIDE - width) // 2) + _ue(0) + _ue((rows * SIDE - height) // 2)
    # Of the VUI only: any video format, full range, BT.709 with the matrix of BT.601.
    return unit(0x67, bits + "1" + "00" + "1" + "101" + "1" + "1" + f"{1:08b}{1:08b}{6:08b}" + "000000")


def picture_set() -> bytes:
    """Return the parameters of the pictures: CAVLC, the quantizers, and filters as each slice says."""
    return unit(0x68, _ue(0) * 2 + "00" + _ue(0) * 3 + "000" + _se(QP - 26) + _se(0) + _se(24 - QP) + "100")


def head(first: int, number: int, key: int | None = None, *, smooth: bool = False) -> str:
    """Return the head of a slice, from some macroblock on.

    Parameters
    ----------
    number
        Of pictures since the last key picture.
    key
        The id of a key picture, of which the slice is; else it is of one that repeats the picture before.
    smooth
        Whether edges within it are.
    """
    bits = _ue(first) + _ue(0 if key is None else 2) + _ue(0) + f"{number % 16:04b}"
    bits += "000" if key is None else _ue(key) + "00"
    return bits + _se(0) + (_ue(2) + _se(0) * 2 if smooth else _ue(1))


def intra(rows: Iterable[Sequence[Macroblock]]) -> tuple[str, list[Macroblock]]:
    """Return the bits of whole rows of macroblocks in a key picture, and how the last row comes out."""
    bits: list[str] = []
    made: list[Macroblock] = []
    for row in rows:
        left, above, made = None, made[0] if made else None, []
        for wanted in row:
            code, left = _macroblock(wanted, left, above if left is None else None)
            bits.append(code)
            made.append(left)
    return "".join(bits), made


def changed(row: Sequence[Macroblock], changes: Mapping[int, Macroblock]) -> tuple[str, list[Macroblock]]:
    """Return the bits of a row that repeats another but for some of it, and how it comes out."""
    bits: list[str] = []
    made, start = list(row), 0
    for place, wanted in sorted(changes.items()):
        code, made[place] = _macroblock(wanted, made[place - 1] if place else None, None, 5)
        bits.append(_ue(place - start) + code)
        start = place + 1
    return "".join(bits) + (skipped(len(row) - start) if start < len(row) else ""), made


def skipped(count: int) -> str:
    """Return the bits of macroblocks that are as in the picture before."""
    return _ue(count)
