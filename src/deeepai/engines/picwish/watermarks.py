"""Removes watermarks wherever they are: writing that is faint, slanted or at the edge is found by the reader of text
and erased. No network tells a mark from a picture's own writing here, so this is a rule of thumb, named as such."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from ..images import inpaint, opening
from ..jobs import Refusal, Work
from ..ocr import reading
from ..ocr.model import Line

_FAINT: Final = 0.6
"""Contrast, as a share of the strongest writing's, below which writing is a mark."""
_SLANTED: Final = 12.0
"""Degrees."""
_EDGE: Final = 0.15
"""Share of a side that is its edge."""
_WORDY: Final = 0.12
"""Share of the picture that writing covers from which on not all of it can be a mark."""


def run(work: Work) -> dict[str, Any]:
    """Find marks and erase them.

    Raises
    ------
    Refusal
        `empty` where there is none; what `opening` and `inpaint` refuse.
    """
    picture = opening.opened(work.given("image"))
    pixels = np.ascontiguousarray(np.asarray(picture.rgb())[:, :, ::-1])
    found = reading.read(pixels)
    work.tell(40)
    marks = chosen(found.lines, found.upright)
    if not marks:
        raise Refusal("empty", "No watermark was found.")
    mask = np.zeros(found.upright.shape[:2], np.uint8)
    for line in marks:
        cv2.fillPoly(mask, [np.array(line.quad, dtype=np.int32)], 255)
    mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    # As the picture came.
    mask = reading.turned(mask, (360 - found.turn) % 360)
    Image.fromarray(mask).save(work.given("mask"), "PNG")
    made = inpaint.run(replace(work, request={}))
    return {**made, "engine": "heuristic", "marks": len(marks)}


def chosen(lines: Sequence[Line], pixels: reading.Pixels) -> list[Line]:
    """Return the lines that are taken as marks.

    Parameters
    ----------
    lines : sequence of Line
    pixels : array
        The upright picture.
    """
    if not lines:
        return []
    high, wide = pixels.shape[:2]
    contrasts = [_contrast(line, pixels) for line in lines]
    strongest = max(contrasts)
    marks = [
        line
        for line, contrast in zip(lines, contrasts, strict=True)
        if contrast < _FAINT * strongest or _is_slanted(line) or _is_at_edge(line, wide, high)
    ]
    covered = sum(line.box.width * line.box.height for line in lines) / (wide * high)
    return marks or (list(lines) if covered < _WORDY else [])


def _contrast(line: Line, pixels: reading.Pixels) -> float:
    box = line.box
    part = pixels[
        max(int(box.top), 0) : max(int(box.bottom), int(box.top) + 1),
        max(int(box.left), 0) : max(int(box.right), int(box.left) + 1),
    ]
    if part.size == 0:
        return 0.0
    low, high = np.percentile(part.mean(axis=2), (5, 95))
    return float(high - low)


def _is_slanted(line: Line) -> bool:
    (x, y), (right, bottom) = line.quad[0], line.quad[1]
    return abs(math.degrees(math.atan2(bottom - y, right - x))) > _SLANTED


def _is_at_edge(line: Line, wide: int, high: int) -> bool:
    x, y = line.box.middle
    return not (_EDGE * wide < x < (1 - _EDGE) * wide and _EDGE * high < y < (1 - _EDGE) * high)
