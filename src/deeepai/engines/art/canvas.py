"""What scenes are painted with: noise, ramps of colour, layers, and shapes with smooth edges.

Pictures are float32 arrays (height, width, 3) of sRGB values from 0 to 1. Lengths that do not say otherwise are parts
of the shorter side, and y points down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array: TypeAlias = NDArray[Any]
Colour: TypeAlias = tuple[float, float, float]
Point: TypeAlias = tuple[float, float]
_FINE = 2
"""Shapes are drawn so many times larger, for smooth edges."""


def rgb(text: str) -> Colour:
    """Return a colour from its six hexadecimal digits."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two, `share` of the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def luminance(picture: Array) -> Array:
    """Return how light each pixel looks, (height, width), by the weights of Rec. 709."""
    return (picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)).astype(np.float32)


def smooth(low: float, high: float, value: Array) -> Array:
    """Return a smooth step from 0 at `low` to 1 at `high`, which may be the smaller."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return (part * part * (3 - 2 * part)).astype(np.float32)


def noise(size: tuple[int, int], random: np.random.Generator, cells: float, octaves: int = 4) -> Array:
    """Return fractal noise from 0 to 1, (height, width).

    Parameters
    ----------
    size
        Height and width.
    cells
        Bumps of the coarsest octave along the longer side.
    """
    height, width = size
    total, weight, whole = np.zeros(size, np.float32), 1.0, 0.0
    for octave in range(octaves):
        across = cells * 2**octave
        shape = (max(2, round(across * height / max(size))) + 3, max(2, round(across * width / max(size))) + 3)
        grid = random.random(shape, np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        whole += weight
        weight *= 0.5
    return np.clip(total / whole, 0, 1)


class Canvas:
    """A picture under the brush.

    Parameters
    ----------
    width, height : int
        Pixels.
    seed : int
        Of all that is left to chance.
    """

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.width, self.height, self.side = width, height, min(width, height)
        self.random = np.random.default_rng(seed)
        self.pixels: Array = np.zeros((height, width, 3), np.float32)
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        self.x: Array = (xs + 0.5) / self.side
        self.y: Array = (ys + 0.5) / self.side
        self.wide, self.high = width / self.side, height / self.side

    def chance(self, low: float, high: float) -> float:
        """Return a number between two."""
        return float(self.random.uniform(low, high))

    def one_of(self, items: Sequence[Any]) -> Any:
        """Return one of some things."""
        return items[int(self.random.integers(len(items)))]

    def noise(self, cells: float, octaves: int = 4) -> Array:
        """Return noise over the whole picture."""
        return noise((self.height, self.width), self.random, cells, octaves)

    def ramp(self, at: Array, stops: Sequence[tuple[float, Colour]]) -> Array:
        """Return the colours of a ramp, (height, width, 3), by places on it."""
        places = [place for place, _ in stops]
        channels = [np.interp(at, places, [colour[part] for _, colour in stops]) for part in range(3)]
        return np.stack(channels, -1).astype(np.float32)

    def sky(self, *stops: tuple[float, Colour], waves: float = 0.0) -> None:
        """Fill the picture from top (0) to bottom (1)."""
        at = self.y / self.high
        if waves:
            at = at + waves * (self.noise(3) - 0.5)
        self.pixels = self.ramp(at, stops)

    def lay(self, mask: Array, colour: Colour | Array, opacity: float = 1.0) -> None:
        """Lay a colour, or a picture, over the picture where a mask is 1."""
        share = (mask * opacity)[..., None]
        self.pixels = (self.pixels * (1 - share) + np.asarray(colour, np.float32) * share).astype(np.float32)

    def shine(self, mask: Array, colour: Colour, strength: float = 1.0) -> None:
        """Add light of a colour where a mask is 1."""
        light = np.asarray(colour, np.float32) * (mask * strength)[..., None]
        self.pixels = (1 - (1 - self.pixels) * (1 - np.clip(light, 0, 1))).astype(np.float32)

    def glow(self, x: float, y: float, radius: float) -> Array:
        """Return the mask of a round glow that fades outwards."""
        return np.exp(-((self.x - x) ** 2 + (self.y - y) ** 2) / (2 * radius * radius)).astype(np.float32)

    def disk(self, x: float, y: float, radius: float, edge: float = 0.004) -> Array:
        """Return the mask of a disk."""
        return smooth(radius + edge, radius - edge, np.hypot(self.x - x, self.y - y))

    def ridge(self, level: float, rough: float, cells: float, octaves: int = 6) -> Array:
        """Return the height of a ridge of hills over x, (width,), in parts of the shorter side from the top."""
        line = noise((1, self.width), self.random, cells, octaves)[0]
        return (level - rough * (line - 0.5) * 2).astype(np.float32)

    def below(self, ridge: Array, edge: float = 0.003) -> Array:
        """Return the mask of what lies below a ridge."""
        return smooth(-edge, edge, self.y - ridge[None, :])

    def sheet(self) -> Sheet:
        """Return a transparent sheet to draw on."""
        return Sheet(self)


class Sheet:
    """A transparent sheet over a canvas; `stick` puts it on."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._scale = canvas.side * _FINE
        self._image = Image.new("RGBA", (canvas.width * _FINE, canvas.height * _FINE))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], colour: Colour, opacity: float = 1.0) -> None:
        """Fill a polygon."""
        scale = self._scale
        self._draw.polygon([(x * scale, y * scale) for x, y in points], fill=_bytes(colour, opacity))

    def line(self, points: Sequence[Point], width: float, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a line with round joints."""
        scale = self._scale
        places = [(x * scale, y * scale) for x, y in points]
        self._draw.line(places, fill=_bytes(colour, opacity), width=max(1, round(width * scale)), joint="curve")

    def disk(self, x: float, y: float, radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """Fill a disk."""
        box = [(value * self._scale) for value in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(box, fill=_bytes(colour, opacity))

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a ring."""
        box = [(value * self._scale) for value in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(box, outline=_bytes(colour, opacity), width=max(1, round(width * self._scale)))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, opacity: float = 1.0) -> None:
        """Fill a rectangle."""
        if right > left and bottom > top:
            box = [value * self._scale for value in (left, top, right, bottom)]
            self._draw.rectangle(box, fill=_bytes(colour, opacity))

    def stick(self, blur: float = 0.0, opacity: float = 1.0) -> None:
        """Put the sheet on the canvas, out of focus by some length."""
        canvas = self._canvas
        # Premultiplied, so that no edge is darkened by what is transparent.
        drawn = np.asarray(self._image, np.float32) / 255
        drawn[..., :3] *= drawn[..., 3:]
        drawn = cv2.resize(drawn, (canvas.width, canvas.height), interpolation=cv2.INTER_AREA)
        if blur:
            drawn = cv2.GaussianBlur(drawn, (0, 0), blur * canvas.side)
        canvas.pixels = (canvas.pixels * (1 - drawn[..., 3:] * opacity) + drawn[..., :3] * opacity).astype(np.float32)


def _bytes(colour: Colour, opacity: float) -> tuple[int, int, int, int]:
    red, green, blue = (round(255 * min(1.0, max(0.0, part))) for part in colour)
    return red, green, blue, round(255 * opacity)


# Outlines ----------------------------------------------------------------------------------------------------------


def placed(outline: Sequence[Point], x: float, y: float, size: float, turn: float = 0.0) -> list[Point]:
    """Return an outline of about the unit size, turned by radians, at a place."""
    cosine, sine = math.cos(turn), math.sin(turn)
    return [(x + size * (a * cosine - b * sine), y + size * (a * sine + b * cosine)) for a, b in outline]


def _curve(make: Callable[[float], Point], steps: int = 40) -> tuple[Point, ...]:
    return tuple(make(2 * math.pi * step / steps) for step in range(steps))


def _heart(at: float) -> Point:
    x = 16 * math.sin(at) ** 3
    y = 13 * math.cos(at) - 5 * math.cos(2 * at) - 2 * math.cos(3 * at) - math.cos(4 * at)
    return x / 32, (-y - 2) / 32


def _petal(at: float) -> Point:
    # From the origin along x; widest beyond the middle.
    along = 0.5 - 0.5 * math.cos(at)
    return along, 0.30 * math.sin(at) * (0.55 + 0.75 * along)


def _leaf(at: float) -> Point:
    along = 0.5 - 0.5 * math.cos(at)
    return along - 0.5, 0.26 * math.sin(at) * math.sqrt(max(0.0, 1.1 - along))


def _blossom(at: float) -> Point:
    radius = 0.36 + 0.14 * abs(math.cos(2.5 * at))
    return radius * math.sin(at), -radius * math.cos(at)


def _cloud(at: float) -> Point:
    waves = 1 + 0.12 * math.cos(6 * at)
    return 0.5 * waves * math.cos(at), 0.42 * waves * math.sin(at)


def _star(points: int, inner: float) -> tuple[Point, ...]:
    places: list[Point] = []
    for step in range(points * 2):
        radius = 0.5 if step % 2 == 0 else 0.5 * inner
        at = math.pi * step / points - math.pi / 2
        places.append((radius * math.cos(at), radius * math.sin(at)))
    return tuple(places)


HEART, PETAL, LEAF = _curve(_heart, 48), _curve(_petal), _curve(_leaf)
STAR, SPARK = _star(5, 0.45), _star(4, 0.22)
BLOSSOM, CLOUD = _curve(_blossom, 60), _curve(_cloud, 60)
DIAMOND = ((0.0, -0.55), (0.55, 0.0), (0.0, 0.55), (-0.55, 0.0))
MAPLE = tuple(
    (x / 2, y / 2)
    for x, y in (
        *((0, -1), (0.18, -0.62), (0.42, -0.7), (0.36, -0.36), (0.66, -0.52), (0.72, -0.32), (1, -0.28)),
        *((0.82, 0.0), (0.9, 0.14), (0.5, 0.34), (0.52, 0.5), (0.08, 0.42), (0.05, 0.9), (-0.05, 0.9)),
        *((-0.08, 0.42), (-0.52, 0.5), (-0.5, 0.34), (-0.9, 0.14), (-0.82, 0.0), (-1, -0.28), (-0.72, -0.32)),
        *((-0.66, -0.52), (-0.36, -0.36), (-0.42, -0.7), (-0.18, -0.62)),
    )
)
OUTLINES = {
    "heart": HEART,
    "leaf": LEAF,
    "star": STAR,
    "spark": _star(4, 0.40),
    "blossom": BLOSSOM,
    "diamond": DIAMOND,
    "maple": MAPLE,
    "cloud": CLOUD,
}
"""What modules of a code may look like."""
