"""A subject's mask: U²-Net's, made sharp along the picture's own edges.

U²-Net (Qin et al., 2020) sees 320 × 320 pixels. So a subject that fills a part of the picture is looked at twice, the
second time in its own box; then a guided filter (He et al., 2013) lays the edge where the picture has one, and the
colours of half-covered pixels are told apart from the background's (Forté, 2021).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..packs.image_packs import U2NETP
from .networks import onnx, require

ENGINE: Final = U2NETP.name
_SIDE: Final = 320
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)
_SURE: Final = 0.5
_CLOSER_BELOW: Final = 0.55
"""Share of the picture that a subject's box has at most where a second look is worth it."""
_MARGIN: Final = 0.12
_GUIDE_SIDE: Final = 1024
STRIP: Final = 512
"""Rows that are done at a time, so that large pictures need little memory."""

Mask = NDArray[Any]
Samples = NDArray[Any]


class Box(NamedTuple):
    """A rectangle in pixels."""

    x: int
    y: int
    width: int
    height: int

    def part(self) -> tuple[slice, slice]:
        """Return the index of its rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def grown(self, share: float, width: int, height: int) -> Box:
        """Return it with a margin of a share of its sides, within a picture."""
        across, along = round(self.width * share), round(self.height * share)
        left, top = max(self.x - across, 0), max(self.y - along, 0)
        right, bottom = min(self.x + self.width + across, width), min(self.y + self.height + along, height)
        return Box(left, top, right - left, bottom - top)


def box_of(mask: Mask, above: int = 8) -> Box | None:
    """Return the box of all pixels above a value; None where there are none."""
    rows, columns = np.flatnonzero((mask > above).any(axis=1)), np.flatnonzero((mask > above).any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)


def mask_of(samples: Samples, packs: Path) -> Mask:
    """Return the mask of a picture's subject.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    packs : Path
        The packs folder.

    Returns
    -------
    array
        Of shape (height, width), 255 where the subject is; all 0 where none was found.

    Raises
    ------
    Refusal
        `not_installed`
    """
    height, width = samples.shape[:2]
    # Averaged, for plain interpolation of a large picture would leave out most of its pixels.
    shrunk = min(1.0, _GUIDE_SIDE / max(height, width))
    size = (max(round(width * shrunk), 1), max(round(height * shrunk), 1))
    small = cv2.resize(samples, size, interpolation=cv2.INTER_AREA) if shrunk < 1 else samples
    first = _look(small, packs)
    box = box_of((first > _SURE).astype(np.uint8), 0)
    if box is None:
        return np.zeros((height, width), np.uint8)
    found = first
    if box.width * box.height < _CLOSER_BELOW * size[0] * size[1] and min(box.width, box.height) >= 8:
        closer = box.grown(_MARGIN, *size)
        found = np.zeros_like(first)
        second = _look(np.ascontiguousarray(small[closer.part()]), packs)
        # Where the second look loses sight of what the first was sure of, both count.
        found[closer.part()] = np.maximum(second, np.where(first[closer.part()] > 0.9, first[closer.part()], 0) * 0.5)
    return _along_edges(samples, small, found)


def _look(samples: Samples, packs: Path) -> NDArray[Any]:
    """Return what the network says of a picture, in its size: 0 to 1."""
    session = onnx(require(U2NETP, packs))
    given = cv2.resize(samples, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    given /= max(float(given.max()), 1.0)
    given = ((given - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
    said = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: np.ascontiguousarray(given)})[0]
    return cv2.resize(said[0, 0], (samples.shape[1], samples.shape[0]), interpolation=cv2.INTER_LINEAR)


def _along_edges(samples: Samples, small: Samples, found: NDArray[Any]) -> Mask:
    """Lay the mask's edges along the picture's: a guided filter, fitted on the small one, applied to the large one."""
    guide = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    radius = max(round(max(guide.shape) / 200), 2)
    mean_guide, mean_found = _mean(guide, radius), _mean(found, radius)
    variance = _mean(guide * guide, radius) - mean_guide**2
    slope = (_mean(guide * found, radius) - mean_guide * mean_found) / (variance + 1e-4)
    offset = _mean(mean_found - slope * mean_guide, radius)
    slope = _mean(slope, radius)
    height, width = samples.shape[:2]
    mask = np.empty((height, width), np.uint8)
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        grey = cv2.cvtColor(np.ascontiguousarray(samples[rows]), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        filtered = stretched(slope, rows, height, width) * grey + stretched(offset, rows, height, width)
        # The network's doubt at both ends is no transparency.
        filtered = (filtered - 0.1) / 0.8
        mask[rows] = np.clip(filtered * 255 + 0.5, 0, 255).astype(np.uint8)
    return mask


def _mean(values: NDArray[Any], radius: int) -> NDArray[Any]:
    return cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)


def stretched(values: NDArray[Any], rows: slice, height: int, width: int) -> NDArray[Any]:
    """Return some rows of what `values` is when it is made as large as a picture (bilinear)."""
    if values.shape[:2] == (height, width):
        return values[rows]
    scale_y, scale_x = values.shape[0] / height, values.shape[1] / width
    across = np.float32((np.arange(width) + 0.5) * scale_x - 0.5)
    along = np.float32((np.arange(rows.start, rows.stop) + 0.5) * scale_y - 0.5)
    grid_x, grid_y = np.meshgrid(across, along)
    return cv2.remap(values, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def cut_out(samples: Samples, mask: Mask) -> Samples:
    """Return RGBA: the subject's own colours, without the background's that shine through at its edge.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    mask : array
        Of shape (height, width).
    """
    made = np.dstack([samples, mask])
    edge = (mask > 0) & (mask < 255)
    box = box_of(edge.astype(np.uint8), 0)
    if box is None:
        return made
    radius = max(round(max(mask.shape) / 100), 4)
    for top in range(box.y, box.y + box.height, STRIP):
        bottom = min(top + STRIP, box.y + box.height)
        outer = slice(max(top - 2 * radius, 0), min(bottom + 2 * radius, mask.shape[0]))
        inner = slice(top - outer.start, bottom - outer.start)
        colours = _own_colours(samples[outer], mask[outer], radius)[inner]
        part = edge[top:bottom]
        made[top:bottom, :, :3][part] = colours[part]
    return made


def _own_colours(samples: Samples, mask: Mask, radius: int) -> Samples:
    """Estimate the subject's colours by those of what is surely it nearby, and the background's likewise."""
    picture, cover = samples.astype(np.float32), (mask.astype(np.float32) / 255)[..., None]
    subject, ground = picture, picture
    for reach in (radius, max(radius // 6, 2)):
        size = (2 * reach + 1, 2 * reach + 1)
        near = cv2.blur(cover, size)[..., None]
        mean_subject = cv2.blur(subject * cover, size) / (near + 1e-5)
        mean_ground = cv2.blur(ground * (1 - cover), size) / (1 - near + 1e-5)
        missing = picture - cover * mean_subject - (1 - cover) * mean_ground
        subject = np.clip(mean_subject + cover * missing, 0, 255)
        ground = np.clip(mean_ground + (1 - cover) * missing, 0, 255)
    return (subject + 0.5).astype(np.uint8)
