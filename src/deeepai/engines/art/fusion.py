"""A picture in the colours of another: classical transfer of statistics, not a network's idea of a style.

Mean and spread of lightness and of both colour axes move from the style's picture to the other's, a guided filter keeps
its edges, and what of the style is fine-grained is laid over. Source of the transfer: Reinhard, Ashikhmin, Gooch and
Shirley, "Color transfer between images", 2001; of the filter: He, Sun and Tang, "Guided image filtering", 2010.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from PIL import Image

from .canvas import Array, smooth

SIDE: Final = 1536
"""Pixels that the longer side of a result has at most."""
HOLDS: Final = {1: 0.9, 5: 0.75, 7: 0.6, 8: 0.45, 9: 1.0}
"""How much a control mode holds on to the picture's own edges. The vendor names none of them."""


def fused(
    source: Image.Image, style: Image.Image, *, mode: int, engine: int, control: int, weight: float, span: float
) -> Image.Image:
    """Return a picture in the manner of another.

    Parameters
    ----------
    mode
        2 stays nearer to the picture than 1.
    engine
        1 as a photograph, 2 as drawn.
    control, weight
        What of the picture is held on to, and how much of it, from 0 to 1.
    span
        The part of the work during which it is held, from 0 to 1.
    """
    factor = min(1.0, SIDE / max(source.size))
    size = max(1, round(source.width * factor)), max(1, round(source.height * factor))
    picture = np.asarray(source.resize(size, Image.Resampling.LANCZOS), np.float32) / 255
    other = np.asarray(style.resize((512, 512), Image.Resampling.LANCZOS), np.float32) / 255
    held = HOLDS[control] * weight * span
    amount = (0.95 if mode == 1 else 0.70) * (1 - 0.35 * held)
    moved = _moved(picture, other, amount)
    calm = guided(picture, moved, max(2, round(min(size) * 0.008)), 0.0015)
    detail = picture - cv2.GaussianBlur(picture, (0, 0), max(1.0, min(size) * 0.006))
    drawn = calm + detail * (0.35 + 0.65 * held)
    drawn = drawn + _grain(other, size) * (0.30 if mode == 1 else 0.18) * (1 - 0.5 * held)
    drawn = np.clip(drawn, 0, 1).astype(np.float32)
    if engine == 2:
        drawn = _as_drawn(drawn)
    return Image.fromarray((np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8))


def _moved(picture: Array, other: Array, amount: float) -> Array:
    ours, theirs = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB) for one in (picture, other))
    middle, spread = ours.mean((0, 1)), np.maximum(ours.std((0, 1)), 1e-3)
    wanted_middle, wanted_spread = theirs.mean((0, 1)), theirs.std((0, 1))
    # More than this and noise is what becomes visible.
    ratio = np.clip(wanted_spread / spread, 0.4, 2.5)
    target = (ours - middle) * ratio + wanted_middle
    # Lightness moves less than colour, or nothing of the picture is left.
    share = np.array([0.55, 1.0, 1.0], np.float32) * amount
    mixed = (ours * (1 - share) + target * share).astype(np.float32)
    mixed[..., 0] = np.clip(mixed[..., 0], 0, 100)
    return np.clip(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB), 0, 1).astype(np.float32)


def guided(guide: Array, picture: Array, radius: int, smallest: float) -> Array:
    """Return a picture, smoothed as far as its guide has no edges; each channel by its own."""
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(value: Array) -> Array:
        return cv2.boxFilter(value, -1, window).astype(np.float32)

    middle, target = mean(guide), mean(picture)
    slope = (mean(guide * picture) - middle * target) / (mean(guide * guide) - middle * middle + smallest)
    return (mean(slope) * guide + mean(target - slope * middle)).astype(np.float32)


def _grain(other: Array, size: tuple[int, int]) -> Array:
    """Return what of a picture is fine-grained, in the size of another."""
    fine = other - cv2.GaussianBlur(other, (0, 0), 9)
    return cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _as_drawn(picture: Array) -> Array:
    """Return a picture in flat tones with lines around them."""
    calm = picture
    for _ in range(3):
        calm = cv2.bilateralFilter(calm, 9, 0.10, 7)
    lab = cv2.cvtColor(calm, cv2.COLOR_RGB2LAB)
    steps = 8.0
    tone = lab[..., 0] / 100 * steps
    # Tones melt into one another over a tenth of a step, so that no edge is ragged.
    low = np.floor(tone)
    lab[..., 0] = (low + smooth(0.45, 0.55, tone - low)) / steps * 100
    lab[..., 1:] *= 1.22
    flat = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    grey = cv2.cvtColor(calm, cv2.COLOR_RGB2GRAY)
    line = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 1.6)
    return (flat * (1 - 0.85 * smooth(-0.006, -0.030, line)[..., None])).astype(np.float32)
