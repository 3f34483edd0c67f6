"""A portrait in the proportions of an identity photo; the fields are told in the package's docstring.

From crown to chin, the head takes some 62 % of the height, a tenth lies above it, and the face is in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from ..jobs import Refusal, Work
from .cutout import ENGINE, Box, Mask, Samples, cut_out, mask_of
from .faces import faces_of
from .opening import array, chosen, colour, flat, opened, saved

_PIXELS: Final = 40_000_000
_HEAD: Final = 0.62
_LARGEST_HEAD: Final = 0.74
_ABOVE: Final = 0.10
_LEAST_SIDE: Final = 100
_MOST_SIDE: Final = 2000
_CHIN: Final = 0.97
"""Where, down a face's box, the chin is."""
_CROWN: Final = 0.22
"""How far, in the box's height, the crown lies above it; the mask tells better."""


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    size = _size(request.get("size"))
    form = chosen(request.get("format"), "", ("png", "jpg"))
    background = colour(request.get("background"))
    picture = opened(work.given("image"), pixels=_PIXELS)
    samples = array(picture.rgb())
    found = faces_of(samples)
    if not found:
        raise Refusal("no_face", "No face seen from the front was found in the picture.")
    face = found[0]
    work.tell(30)
    # The head and shoulders alone, so that the network sees them as large as it can.
    near = _near(face, samples)
    part = np.ascontiguousarray(samples[near.part()])
    mask = _of_the_face(mask_of(part, work.packs), Box(face.x - near.x, face.y - near.y, face.width, face.height))
    work.tell(70)
    subject = cut_out(part, mask)
    proportion = size[0] / size[1] if size else 3 / 4
    frame = _frame(face, near, mask, samples.shape, proportion)
    made = _framed(subject, Box(frame.x - near.x, frame.y - near.y, frame.width, frame.height))
    image = Image.fromarray(made)
    if size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return {
        "engine": ENGINE,
        "image": saved(flat(image, background) if form == "jpg" else image, work.made(""), "image", form),
        "face": face._asdict(),
        "box": frame._asdict(),
        "input_width": picture.size[0],
        "input_height": picture.size[1],
        "width": image.size[0],
        "height": image.size[1],
    }


def _size(value: Any) -> tuple[int, int] | None:
    if not value:
        return None
    if (
        not isinstance(value, Sequence)
        or len(value) != 2
        or not all(isinstance(side, int) and _LEAST_SIDE <= side <= _MOST_SIDE for side in value)
    ):
        raise Refusal("invalid", f"size must be a width and a height, each from {_LEAST_SIDE} to {_MOST_SIDE}.")
    return value[0], value[1]


def _near(face: Box, samples: Samples) -> Box:
    """Return the part of a picture where a head and its shoulders are."""
    height, width = samples.shape[:2]
    left, right = max(round(face.x - 1.4 * face.width), 0), min(round(face.x + 2.4 * face.width), width)
    top, bottom = max(round(face.y - 1.0 * face.height), 0), min(round(face.y + 3.2 * face.height), height)
    return Box(left, top, right - left, bottom - top)


def _of_the_face(mask: Mask, face: Box) -> Mask:
    """Leave out who stands beside."""
    _, labels = cv2.connectedComponents((mask > 40).astype(np.uint8))
    inside = labels[max(face.y, 0) : face.y + face.height, max(face.x, 0) : face.x + face.width]
    counts = np.bincount(inside[inside > 0].ravel())
    if not counts.size:
        raise Refusal("empty", "The person could not be told from the background.")
    own = cv2.dilate((labels == int(counts.argmax())).astype(np.uint8), np.ones((9, 9), np.uint8))
    return np.where(own > 0, mask, np.uint8(0))


def _frame(face: Box, near: Box, mask: Mask, shape: tuple[int, ...], proportion: float) -> Box:
    """Return the frame of the photo in the picture; it may reach beyond its sides and top."""
    chin = face.y + _CHIN * face.height
    columns = mask[:, max(face.x - near.x, 0) : face.x - near.x + face.width]
    rows = np.flatnonzero((columns > 127).mean(axis=1) > 0.08)
    crown = float(near.y + rows[0]) if rows.size else face.y - _CROWN * face.height
    # Raised hands and tall hats are no head.
    crown = float(np.clip(crown, face.y - 0.6 * face.height, face.y - 0.05 * face.height))
    head = chin - crown
    height = head / _HEAD
    top = crown - _ABOVE * height
    if top + height > shape[0]:
        # Below, the person would end before the photo does.
        height = max(head / _LARGEST_HEAD, (shape[0] - crown) / (1 - _ABOVE))
        top = min(crown - _ABOVE * height, shape[0] - height)
    width = height * proportion
    return Box(round(face.x + face.width / 2 - width / 2), round(top), max(round(width), 1), max(round(height), 1))


def _framed(subject: Samples, frame: Box) -> Samples:
    """Return a part of a picture, which may reach beyond it: nothing is there."""
    made = np.zeros((frame.height, frame.width, 4), np.uint8)
    left, top = max(frame.x, 0), max(frame.y, 0)
    right, bottom = min(frame.x + frame.width, subject.shape[1]), min(frame.y + frame.height, subject.shape[0])
    if right > left and bottom > top:
        made[top - frame.y : bottom - frame.y, left - frame.x : right - frame.x] = subject[top:bottom, left:right]
    return made
