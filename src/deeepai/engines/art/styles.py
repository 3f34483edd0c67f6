"""Scenes, and what a model makes of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from . import landscapes, ornaments
from .canvas import Array, Canvas, luminance, smooth


@dataclass(frozen=True)
class Scene:
    """A scene.

    Attributes
    ----------
    paint : callable
    motif : str
        What stands for a module; see `canvas.OUTLINES`.
    """

    paint: Callable[[Canvas], None]
    motif: str


SCENES: Final[Mapping[str, Scene]] = {
    "lavender": Scene(ornaments.lavender, "blossom"),
    "roses": Scene(ornaments.roses, "heart"),
    "ink_lotus": Scene(ornaments.ink_lotus, "blossom"),
    "pond": Scene(landscapes.pond, "leaf"),
    "flowers": Scene(ornaments.flowers, "blossom"),
    "snow": Scene(landscapes.snow, "diamond"),
    "green_hills": Scene(landscapes.green_hills, "cloud"),
    "maple_night": Scene(landscapes.maple_night, "maple"),
    "moonset": Scene(landscapes.moonset, "spark"),
    "star_river": Scene(landscapes.star_river, "star"),
    "coral": Scene(ornaments.coral, "blossom"),
    "seaside": Scene(landscapes.seaside, "diamond"),
    "village": Scene(landscapes.village, "diamond"),
    "castle": Scene(landscapes.castle, "spark"),
    "cake": Scene(ornaments.cake, "heart"),
    "hearts": Scene(ornaments.hearts, "heart"),
    "rose_gown": Scene(ornaments.rose_gown, "blossom"),
    "blue_gown": Scene(ornaments.blue_gown, "spark"),
    "gown": Scene(ornaments.gown, "spark"),
    "machine": Scene(ornaments.machine, "diamond"),
    "apples": Scene(ornaments.apples, "leaf"),
    "jade": Scene(ornaments.jade, "cloud"),
}


def painted(name: str, size: tuple[int, int], seed: int, model: str = "") -> Array:
    """Paint a scene, as a model would.

    Parameters
    ----------
    size
        Width and height in pixels.

    Returns
    -------
    array
        (height, width, 3), from 0 to 1.
    """
    canvas = Canvas(*size, seed)
    SCENES[name].paint(canvas)
    return styled(np.clip(canvas.pixels, 0, 1), model)


def styled(picture: Array, model: str) -> Array:
    """Return a picture in the manner of a model."""
    light = luminance(picture)[..., None]
    match model:
        case "51":
            vivid = light + (picture - light) * 1.25
            return np.clip(0.30 + 0.70 * vivid, 0, 1).astype(np.float32)
        case "69":
            paper = np.array([1.0, 0.975, 0.925], np.float32)
            ink = np.clip(light * 0.9 + (picture - light) * 0.22 + 0.06, 0, 1)
            return (ink * paper).astype(np.float32)
        case "70":
            return _comic(picture, 5, 1.35, dots=True)
        case "74":
            return _comic(picture, 7, 1.6, dots=False)
        case _:
            return picture


def _comic(picture: Array, steps: int, vivid: float, *, dots: bool) -> Array:
    light = luminance(picture)
    calm = cv2.bilateralFilter(picture, 7, 0.12, 5)
    tone = luminance(calm)
    flat = np.round(tone * steps) / steps
    drawn = np.clip(flat[..., None] + (calm - tone[..., None]) * vivid, 0, 1)
    if dots:
        ys, xs = np.mgrid[0 : light.shape[0], 0 : light.shape[1]].astype(np.float32)
        grid = np.sin((xs + ys) * 0.45) * np.sin((xs - ys) * 0.45)
        shaded = smooth(0.42, 0.30, light) * smooth(0.15, 0.35, grid)
        drawn = drawn * (1 - 0.35 * shaded[..., None])
    edges = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    return (drawn * (1 - 0.75 * smooth(0.35, 0.9, edges)[..., None])).astype(np.float32)
