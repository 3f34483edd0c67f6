"""Films: a drawn picture that says TEST MODE, and across it a bar that fills as time passes, with a light that runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from PIL import Image

from . import h264
from .draw import Picture, background, write
from .h264 import SIDE, Macroblock
from .mp4 import Track, avc1, mp4, mp4a
from .sounds import AAC_CONFIG, AAC_FRAME, PACKED_RATE, aac

FPS = 24
CLOCK = 90_000
KEY_EVERY = 10
"""Seconds between pictures that a player can begin at."""
SWEEPS = 6
"""How often the light runs across in that time."""
Sliceable = TypeVar("Sliceable", bytes, list[bytes])
LONGEST_TEXT = 120
FILLED, EMPTY = (235, 128, 128), (40, 128, 128)


@lru_cache(maxsize=16)
def film(picture: Picture, seconds: float, fps: float = FPS, *, sound: bool = False) -> bytes:
    """Return a film of a picture as MP4, with a tone if it is to have a sound; its sides are made even."""
    width, height = picture.width + picture.width % 2, picture.height + picture.height % 2
    count = max(1, round(seconds * fps))
    seconds = max(seconds, 1 / fps)
    every = max(1, round(KEY_EVERY * fps))
    rows = _macroblocks(replace(picture, width=width, height=height))
    entry = avc1(width, height, h264.sequence_set(width, height, fps), h264.picture_set())
    samples, step = list(_pictures(rows, count, every)), max(1, round(seconds * CLOCK / count))
    tracks = [Track("vide", entry, samples, CLOCK, step, (width, height), range(0, count, every))]
    if sound:
        tone = [aac()] * (math.ceil(seconds * PACKED_RATE / AAC_FRAME) + 1)
        entry = mp4a(PACKED_RATE, AAC_CONFIG)
        tracks.append(Track("soun", entry, tone, PACKED_RATE, AAC_FRAME, first=AAC_FRAME))
    return mp4(*tracks)


def _macroblocks(picture: Picture) -> list[list[Macroblock]]:
    """Draw a picture: the words in squares of 4 pixels, what is behind them in such of 16."""
    columns, rows = -(-picture.width // SIDE), -(-picture.height // SIDE)
    behind = background(replace(picture, width=columns, height=rows))
    image = behind.resize((columns * 4, rows * 4), Image.Resampling.NEAREST)
    write(image, picture.text[:LONGEST_TEXT])
    bounds = [min(239, max(16, value)) for value in range(256)] * 3
    luma, *chroma = image.convert("YCbCr").point(bounds).split()
    planes = [luma, *(part.resize((columns * 2, rows * 2), Image.Resampling.BOX) for part in chroma)]
    # Each plane's lines, cut into what belongs to a macroblock: four pixels of luma, two of chroma.
    cut = [_cut(_cut(plane.tobytes(), plane.width // columns), columns) for plane in planes]
    blocks: list[list[Macroblock]] = []
    for row in range(rows):
        lines = [*cut[0][row * 4 : row * 4 + 4], *(line for part in cut[1:] for line in part[row * 2 : row * 2 + 2])]
        blocks.append([b"".join(square) for square in zip(*lines, strict=True)])
    return blocks


def _cut(items: Sliceable, size: int) -> list[Sliceable]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _pictures(rows: Sequence[Sequence[Macroblock]], count: int, every: int) -> Iterator[bytes]:
    """Code the pictures of a film: some rows are the bar, and all else stands still."""
    columns, thick = len(rows[0]), max(1, len(rows) // 24)
    top = max(0, len(rows) * 5 // 6 - thick)
    still = {0: rows[:top], (top + thick) * columns: rows[top + thick :]}
    drawn = {first: h264.intra(part)[0] for first, part in still.items() if part}
    light = (160, *rows[0][0][16::4])
    shown: list[tuple[int, ...]] = []
    made: list[Macroblock] = []
    for number in range(count):
        since, key = number % every, number // every % 2
        at = abs(number * SWEEPS * (columns - 1) // every % (2 * (columns - 1) or 1) - (columns - 1))
        wanted = [light if at == x else FILLED if x * count < number * columns else EMPTY for x in range(columns)]
        if since:
            slices = {first: h264.head(first, since) + h264.skipped(len(still[first]) * columns) for first in drawn}
            changes = {x: _flat(new) for x, (new, old) in enumerate(zip(wanted, shown, strict=True)) if new != old}
            bar, made = h264.changed(made, changes)
        else:
            slices = {first: h264.head(first, 0, key, smooth=True) + bits for first, bits in drawn.items()}
            bar, made = h264.intra([[_flat(colour) for colour in wanted]])
        shown = wanted
        for first in range(top * columns, (top + thick) * columns, columns):
            slices[first] = h264.head(first, since, None if since else key) + bar
        units = [h264.unit(0x41 if since else 0x65, bits) for _, bits in sorted(slices.items())]
        yield b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def _flat(colour: Sequence[int]) -> Macroblock:
    luma, blue, red = colour
    return bytes((*[luma] * 16, *[blue] * 4, *[red] * 4))
