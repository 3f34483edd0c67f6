"""A page's pixels: filled outlines with smooth edges, gradients, transparency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageChops, ImageDraw

from .colours import RGBA, mixed

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""
_FINE: Final = 3
"""Edges are drawn so many times as large."""

Paint = RGBA | tuple[RGBA, RGBA, float]
"""A colour, or a gradient: start, end, degrees."""


class Canvas:
    """An image that shapes are put on."""

    def __init__(self, width: int, height: int, ground: RGBA = (255, 255, 255, 255)) -> None:
        self.image = Image.new("RGB", (width, height), ground[:3])
        self.draw = ImageDraw.Draw(self.image)

    @classmethod
    def of(cls, image: Image.Image) -> Canvas:
        """Return one that goes on with an image."""
        found = cls(1, 1)
        found.image, found.draw = image, ImageDraw.Draw(image)
        return found

    def fill(self, paint: Paint) -> None:
        """Paint all of it."""
        self.rectangle((0, 0, *self.image.size), paint)

    def rectangle(self, box: Box, paint: Paint) -> None:
        """Fill an upright rectangle."""
        left, top, width, height = box
        if width <= 0 or height <= 0:
            return
        # What is thinner than a pixel is seen all the same.
        across, down = max(round(width), 1), max(round(height), 1)
        corners = (round(left), round(top), round(left) + across, round(top) + down)
        if width > 4:
            corners = (corners[0], corners[1], max(round(left + width), corners[0] + 1), corners[3])
        if height > 4:
            corners = (corners[0], corners[1], corners[2], max(round(top + height), corners[1] + 1))
        if len(paint) == 4 and paint[3] == 255:
            self.draw.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=paint[:3])
            return
        mask = Image.new("L", (corners[2] - corners[0], corners[3] - corners[1]), 255)
        self._paste(mask, corners[:2], paint)

    def line(self, start: Point, end: Point, width: float, colour: RGBA, dash: Sequence[float] = ()) -> None:
        """Draw a straight line."""
        length = math.dist(start, end)
        if not length or width <= 0:
            return
        if dash:
            step, at, pen = sum(dash), 0.0, dash[0]
            while at < length:
                one, other = at / length, min(at + pen, length) / length
                part = [(start[axis] + (end[axis] - start[axis]) * share) for share in (one, other) for axis in (0, 1)]
                self.line((part[0], part[1]), (part[2], part[3]), width, colour)
                at += step
            return
        width = max(width, 1.0)
        if start[1] == end[1]:
            left = min(start[0], end[0])
            self.rectangle((left, start[1] - width / 2, length, max(width, 1)), colour)
        elif start[0] == end[0]:
            top = min(start[1], end[1])
            self.rectangle((start[0] - width / 2, top, max(width, 1), length), colour)
        else:
            across = ((end[1] - start[1]) / length * width / 2, -(end[0] - start[0]) / length * width / 2)
            corners = [
                (start[0] + across[0], start[1] + across[1]),
                (end[0] + across[0], end[1] + across[1]),
                (end[0] - across[0], end[1] - across[1]),
                (start[0] - across[0], start[1] - across[1]),
            ]
            self.polygons([corners], colour)

    def polygons(self, outlines: Sequence[Sequence[Point]], paint: Paint) -> None:
        """Fill outlines; those within others are holes."""
        points = [point for outline in outlines for point in outline]
        if not points:
            return
        left = max(math.floor(min(x for x, _ in points)), 0)
        top = max(math.floor(min(y for _, y in points)), 0)
        right = min(math.ceil(max(x for x, _ in points)) + 1, self.image.width)
        bottom = min(math.ceil(max(y for _, y in points)) + 1, self.image.height)
        if right <= left or bottom <= top:
            return
        self._paste(mask_of(outlines, (left, top, right, bottom)), (left, top), paint)

    def stroke(self, outlines: Sequence[Sequence[Point]], width: float, colour: RGBA, *, closed: bool = True) -> None:
        """Draw along outlines."""
        points = [point for outline in outlines for point in outline]
        if not points:
            return
        pad = math.ceil(width) + 1
        left = max(math.floor(min(x for x, _ in points)) - pad, 0)
        top = max(math.floor(min(y for _, y in points)) - pad, 0)
        right = min(math.ceil(max(x for x, _ in points)) + pad, self.image.width)
        bottom = min(math.ceil(max(y for _, y in points)) + pad, self.image.height)
        if right <= left or bottom <= top:
            return
        fine = Image.new("L", ((right - left) * _FINE, (bottom - top) * _FINE))
        pen = ImageDraw.Draw(fine)
        for outline in outlines:
            scaled = [((x - left) * _FINE, (y - top) * _FINE) for x, y in outline]
            if closed and len(scaled) > 2:
                scaled.append(scaled[0])
            pen.line(scaled, fill=255, width=max(round(width * _FINE), 1), joint="curve")
        self._paste(fine.reduce(_FINE), (left, top), colour)

    def paste(self, image: Any, position: tuple[int, int], mask: Any = None) -> None:
        """Put a picture on it."""
        self.image.paste(image, position, mask)

    def _paste(self, mask: Any, position: tuple[int, ...], paint: Paint) -> None:
        at = (position[0], position[1])
        if len(paint) == 4:
            if paint[3] < 255:
                mask = mask.point([value * paint[3] // 255 for value in range(256)])
            self.image.paste(paint[:3], (*at, at[0] + mask.width, at[1] + mask.height), mask)
            return
        gradient = gradient_of(mask.size, paint)
        alpha = gradient.getchannel("A")
        if alpha.getextrema() != (255, 255):
            mask = ImageChops.multiply(mask, alpha)
        self.image.paste(gradient.convert("RGB"), at, mask)


def mask_of(outlines: Sequence[Sequence[Point]], box: tuple[int, int, int, int]) -> Any:
    """Return a mask of outlines within left, top, right and bottom; those within others are holes."""
    left, top, right, bottom = box
    size = ((right - left) * _FINE, (bottom - top) * _FINE)
    fine = Image.new("L", size)
    for number, outline in enumerate(outlines):
        if len(outline) < 2:
            continue
        scaled = [((x - left) * _FINE, (y - top) * _FINE) for x, y in outline]
        ImageDraw.Draw(fine).polygon(scaled, fill=0 if number else 255)
    return fine.reduce(_FINE)


def gradient_of(size: tuple[int, int], paint: tuple[RGBA, RGBA, float]) -> Image.Image:
    """Return a picture of a gradient."""
    return _gradient(*paint).resize(size, Image.Resampling.BILINEAR)


@lru_cache(maxsize=64)
def _gradient(start: RGBA, end: RGBA, angle: float) -> Image.Image:
    turned = math.radians(angle)
    across, down = math.cos(turned), math.sin(turned)
    steps = 64
    small = Image.new("RGBA", (steps, steps))
    pixels: list[RGBA] = []
    span = abs(across) + abs(down)
    for y in range(steps):
        for x in range(steps):
            place = (x / (steps - 1) - 0.5) * across + (y / (steps - 1) - 0.5) * down
            pixels.append(mixed(start, end, min(max(place / span + 0.5, 0.0), 1.0)))
    small.putdata(pixels)
    return small
