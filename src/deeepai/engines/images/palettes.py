"""Few colours that look like many: a palette fitted to the picture, transparency among it, and dithering."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SAMPLE: Final = 60_000
"""Colours that a palette is fitted to."""
_ROUNDS: Final = 8
_SMOOTH: Final = 9.0
"""Variance of the light within seven pixels, below which a surface is smooth."""


def with_palette(image: Image.Image, colours: int) -> Image.Image:
    """Return a picture of mode P.

    Parameters
    ----------
    image : Image
        RGB or RGBA.
    colours : int
        2 to 256.
    """
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        image = image.convert("RGB")
    if image.mode == "RGB":
        return _opaque(image, colours)
    return _transparent(image, colours)


def _opaque(image: Image.Image, colours: int) -> Image.Image:
    samples = np.asarray(image)
    first = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    start = np.array(first.getpalette(), np.float32).reshape(-1, 3)[:colours]
    fitted = _fitted(_sample(samples), start)
    palette = Image.new("P", (1, 1))
    palette.putpalette(fitted.tobytes())
    dithered = np.asarray(image.quantize(colours, palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    # Half the precision of each colour: some ten times fewer of them.
    cells = (samples >> 1).astype(np.uint32)
    unique, inverse = np.unique((cells[..., 0] << 14 | cells[..., 1] << 7 | cells[..., 2]).ravel(), return_inverse=True)
    values = np.stack([(unique >> shift & 127) * 2 + 0.5 for shift in (14, 7, 0)], axis=1)
    nearest = _nearest(values, fitted).astype(np.uint8)[inverse].reshape(samples.shape[:2])
    # Without dithering, slopes have steps; where there is a texture, dithering is only noise.
    grey = np.asarray(image.convert("L"), np.float32)
    variance = cv2.blur(grey * grey, (7, 7)) - cv2.blur(grey, (7, 7)) ** 2
    made = Image.fromarray(np.where(variance < _SMOOTH, dithered, nearest)).convert("P")
    made.putpalette(fitted.tobytes())
    return made


def _sample(samples: NDArray[Any]) -> NDArray[Any]:
    flat = samples.reshape(-1, samples.shape[-1])
    if len(flat) > _SAMPLE:
        flat = flat[np.random.default_rng(1).choice(len(flat), _SAMPLE, replace=False)]
    return flat.astype(np.float32)


def _fitted(sample: NDArray[Any], start: NDArray[Any]) -> NDArray[Any]:
    """Return a palette of the same length, nearer to the sample (Lloyd's algorithm)."""
    centres = start
    for _ in range(_ROUNDS):
        nearest = _nearest(sample, centres)
        counts = np.bincount(nearest, minlength=len(centres)).astype(np.float32)
        sums = np.stack(
            [np.bincount(nearest, sample[:, part], minlength=len(centres)) for part in range(sample.shape[1])], axis=1
        )
        used = counts > 0
        centres = np.where(used[:, None], sums / np.maximum(counts, 1)[:, None], centres).astype(np.float32)
    return np.clip(centres + 0.5, 0, 255).astype(np.uint8)


def _nearest(colours: NDArray[Any], centres: NDArray[Any]) -> NDArray[Any]:
    """Return for each colour the number of the nearest centre."""
    made = np.empty(len(colours), np.intp)
    lengths = (centres.astype(np.float32) ** 2).sum(axis=1)
    turned = np.ascontiguousarray(centres.astype(np.float32).T)
    for begin in range(0, len(colours), 16_384):
        part = colours[begin : begin + 16_384].astype(np.float32)
        made[begin : begin + 16_384] = (lengths - 2 * part @ turned).argmin(axis=1)
    return made


def _transparent(image: Image.Image, colours: int) -> Image.Image:
    samples = np.array(image)
    alpha = samples[..., 3:].astype(np.float32) / 255
    # What cannot be seen has no colour of its own, and counts by as much as it can be seen.
    seen = np.concatenate([samples[..., :3] * alpha, samples[..., 3:]], axis=2)
    sample = _sample(seen)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 2, 0.0)
    small = sample[:: max(len(sample) // 8192, 1)]
    count = min(colours, len(np.unique(small, axis=0)))
    cv2.setRNGSeed(1)
    _, _, start = cv2.kmeans(small, count, np.empty(0), criteria, 1, cv2.KMEANS_PP_CENTERS)
    centres = _fitted(sample, start).astype(np.float32)
    # Colours that agree in the upper bits are near enough to have the same entry.
    cells = (seen.astype(np.uint8) >> 2).astype(np.uint32)
    keys = (cells[..., 0] << 18) | (cells[..., 1] << 12) | (cells[..., 2] << 6) | cells[..., 3]
    unique, inverse = np.unique(keys.ravel(), return_inverse=True)
    values = np.stack([(unique >> shift & 63) * (255 / 63) for shift in (18, 12, 6, 0)], axis=1)
    made = Image.fromarray(_nearest(values, centres).astype(np.uint8)[inverse].reshape(keys.shape)).convert("P")
    share = np.maximum(centres[:, 3:], 1) / 255
    own = np.clip(centres[:, :3] / share + 0.5, 0, 255).astype(np.uint8)
    made.putpalette(own.tobytes())
    made.info["transparency"] = bytes(np.clip(centres[:, 3] + 0.5, 0, 255).astype(np.uint8))
    return made
