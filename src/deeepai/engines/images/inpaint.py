"""What is marked is erased; the fields are told in the package's docstring.

PatchMatch (Barnes et al., 2009) fills a hole with what stands elsewhere in the picture, at several scales; a thin mark
is filled from its sides by fast marching (Telea, 2004). Neither knows what things are.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from ..jobs import Refusal, Work
from .cutout import Box, Mask, Samples
from .opening import array, chosen, opened, saved

MOST_RECTANGLES: Final = 50
_SIDES: Final = ("x", "y", "width", "height")
_PIXELS: Final = 40_000_000
_THIN: Final = 3.0
"""Pixels from its edge that a mark has at most where its sides are enough."""
_WORK_SIDE: Final = 900
"""Longest side of what PatchMatch is given: a larger surrounding is shrunk first."""
_PATCH: Final = 3
_MOST_ERASED: Final = 0.95


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    picture = opened(work.given("image"), pixels=_PIXELS)
    form = chosen(request.get("format"), picture.format)
    samples = array(picture.image.convert("RGB"))
    holes = _holes(work, picture.size)
    share = float(np.count_nonzero(holes)) / holes.size
    if share == 0:
        raise Refusal("empty", "Nothing of the picture is marked to be erased.")
    if share > _MOST_ERASED:
        raise Refusal("invalid", "Nearly all of the picture is marked to be erased: nothing is left to fill it with.")
    made, engine = erased(samples, holes, work)
    image = Image.fromarray(made)
    if picture.transparent:
        # What is erased is filled, and not seen through.
        alpha = array(picture.image.getchannel("A"))
        image.putalpha(Image.fromarray(np.where(holes > 0, cv2.inpaint(alpha, holes, 3, cv2.INPAINT_TELEA), alpha)))
    width, height = picture.size
    return {
        "engine": engine,
        "image": saved(image, work.made(""), "image", form),
        "erased": round(share, 6),
        "input_width": width,
        "input_height": height,
        "width": width,
        "height": height,
    }


def _holes(work: Work, size: tuple[int, int]) -> Mask:
    """Return what is to be erased, as 255 in an array of the picture's size."""
    rectangles = work.request.get("rectangles")
    given = work.given("mask")
    if bool(rectangles) == given.exists():
        raise Refusal("invalid", "Either rectangles or a mask must say what is to be erased.")
    if rectangles:
        return _of_rectangles(rectangles, size)
    mask = opened(given)
    grey = mask.rgb("000000").convert("L")
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    holes = ((np.asarray(grey) > 127) * np.uint8(255)).astype(np.uint8)
    # Whoever marks a thing by hand leaves its soft edge.
    reach = max(round(max(size) / 400), 2)
    return cv2.dilate(holes, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))


def _of_rectangles(rectangles: Any, size: tuple[int, int]) -> Mask:
    if not isinstance(rectangles, Sequence) or isinstance(rectangles, str) or len(rectangles) > MOST_RECTANGLES:
        raise Refusal("invalid", f"rectangles must be a list of at most {MOST_RECTANGLES}.")
    holes = np.zeros((size[1], size[0]), np.uint8)
    for rectangle in rectangles:
        values = [rectangle.get(key) for key in _SIDES] if isinstance(rectangle, Mapping) else []
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) < 4 or min(numbers[2:]) <= 0 or not np.isfinite(numbers).all():
            raise Refusal("invalid", "Each of rectangles must have x, y, and a width and height above 0.")
        x, y, width, height = numbers
        left, top = int(np.clip(x, 0, size[0])), int(np.clip(y, 0, size[1]))
        right, bottom = int(np.clip(np.ceil(x + width), 0, size[0])), int(np.clip(np.ceil(y + height), 0, size[1]))
        holes[top:bottom, left:right] = 255
    return holes


def erased(samples: Samples, holes: Mask, work: Work | None = None) -> tuple[Samples, str]:
    """Fill holes; return the picture, and by what most of it was done.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    holes : array
        Of shape (height, width), 255 where to fill.
    work : Work, optional
        Is told how far it is.
    """
    made = samples.copy()
    groups = list(_groups(holes))
    engine = "telea"
    for number, (box, group) in enumerate(groups):
        thickness = cv2.distanceTransform(np.pad(group, 1), cv2.DIST_L2, 3).max()
        if thickness <= _THIN:
            context = _around(box, 12, holes.shape)
            part = np.ascontiguousarray(made[context.part()])
            filled = cv2.inpaint(part, np.ascontiguousarray(holes[context.part()]), 3, cv2.INPAINT_TELEA)
        else:
            engine = "patchmatch"
            # A hole is filled from what is near it: as much on each side as it is large.
            context = _around(box, max(box.width, box.height, 64), holes.shape)
            filled = _patchmatch(made[context.part()], holes[context.part()])
        own = np.zeros(holes.shape, bool)
        own[box.part()] = group > 0
        made[own] = filled[own[context.part()]]
        if work is not None:
            work.tell(10 + round(85 * (number + 1) / len(groups)))
    return made, engine


def _groups(holes: Mask) -> Iterator[tuple[Box, Mask]]:
    """Yield the box of each hole, small ones first, and the hole in it; what is near one another is one hole."""
    reach = max(round(max(holes.shape) / 64), 4)
    joined = cv2.dilate(holes, np.ones((reach, reach), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    order = sorted(range(1, count), key=lambda label: int(facts[label, cv2.CC_STAT_AREA]))
    for label in order:
        box = Box(*(int(facts[label, fact]) for fact in range(4)))
        group = np.where(labels[box.part()] == label, holes[box.part()], np.uint8(0))
        if group.any():
            yield box, group


def _around(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    right, bottom = min(box.x + box.width + margin, shape[1]), min(box.y + box.height + margin, shape[0])
    return Box(left, top, right - left, bottom - top)


def _patchmatch(samples: Samples, holes: Mask) -> Samples:
    patchmatch: Any = importlib.import_module("patchmatch")
    height, width = holes.shape
    shrunk = min(1.0, _WORK_SIDE / max(height, width))
    given, marked = np.ascontiguousarray(samples), np.ascontiguousarray(holes)
    if shrunk < 1:
        size = (max(round(width * shrunk), 1), max(round(height * shrunk), 1))
        # What is to go must not colour its neighbours when they are averaged.
        seen = (marked == 0).astype(np.float32)
        weight = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
        mean = cv2.resize(given * seen[..., None], size, interpolation=cv2.INTER_AREA)
        given = np.clip(mean / np.maximum(weight, 1e-3)[..., None] + 0.5, 0, 255).astype(np.uint8)
        marked = ((weight < 0.5) * np.uint8(255)).astype(np.uint8)
    if min(given.shape[:2]) < 4 * _PATCH or not (marked == 0).any():
        filled = cv2.inpaint(given, marked, 3, cv2.INPAINT_TELEA)
    else:
        patchmatch.set_random_seed(1)
        filled = patchmatch.inpaint(given, marked, patch_size=_PATCH)
    if shrunk < 1:
        filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return filled
