"""A document or a thing, straight and cropped; the fields are told in the package's docstring.

A sheet's four edges are looked for in what contrast, colour and adaptive thresholds show; lines fitted to its edges at
full size meet in its corners. Its proportions come of the perspective (Zhang and He, 2007).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..jobs import Refusal, Work
from .cutout import ENGINE, Samples, box_of, cut_out, mask_of
from .opening import array, chosen, opened, saved

_PIXELS: Final = 40_000_000
_SIDE: Final = 720
_LEAST: Final = 0.2
"""Share of the picture that a sheet has at least."""
_MOST: Final = 0.985
_FULL: Final = 0.9
"""Share of a thing's mask and its four corners' polygon that agree where it is flat and four-sided."""

Corners = NDArray[Any]
"""Four (x, y), from the top left, clockwise."""


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    kind = request.get("type", 1)
    if kind not in (0, 1, 2, 3, 4):
        raise Refusal("invalid", "type must be from 0 to 4.")
    picture = opened(work.given("image"), pixels=_PIXELS)
    form = chosen(request.get("format"), "png" if kind == 4 else picture.format)
    if kind == 4 and form == "jpg" and not request.get("format"):
        form = "png"
    samples = array(picture.rgb())
    corners, engine = None, "none"
    made: Samples = samples
    if kind in (0, 2):
        engine = "contour"
        corners = sheet_of(samples)
        work.tell(40)
        if corners is not None:
            made = straightened(samples, corners)
    elif kind in (3, 4):
        engine = ENGINE
        made, corners = _thing(samples, work, cut=kind == 4)
    if kind in (1, 2):
        work.tell(60)
        made = clearer(made)
    return {
        "engine": engine,
        "image": saved(Image.fromarray(made), work.made(""), "image", form),
        "corners": None if corners is None else [[round(float(x), 1), round(float(y), 1)] for x, y in corners],
        "input_width": picture.size[0],
        "input_height": picture.size[1],
        "width": made.shape[1],
        "height": made.shape[0],
    }


def sheet_of(samples: Samples) -> Corners | None:
    """Return the corners of the sheet in a picture; None where none is seen whole.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    """
    height, width = samples.shape[:2]
    shrunk = min(1.0, _SIDE / max(height, width))
    small = cv2.resize(samples, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA) if shrunk < 1 else samples
    area = small.shape[0] * small.shape[1]
    gradient = _gradient(small)
    best: Corners | None = None
    best_worth = 0.0
    for shape in _shapes(small):
        for corners in _quadrangles(shape, area):
            # How much of its outline is an edge of the picture counts first; then how large it is.
            worth = _support(gradient, corners) * (float(cv2.contourArea(corners)) / area) ** 0.25
            if worth > best_worth:
                best, best_worth = corners, worth
    if best is None or best_worth < 0.3:
        return None
    scale = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
    return _refined(samples, (best + 0.5) * scale - 0.5)


def _gradient(small: Samples) -> NDArray[Any]:
    smooth = cv2.GaussianBlur(small, (5, 5), 0).astype(np.float32)
    across, along = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return cv2.dilate(np.hypot(across, along).max(axis=2), np.ones((3, 3), np.uint8))


def _shapes(small: Samples) -> Iterator[NDArray[Any]]:
    """Yield binary pictures in which the sheet may be one shape, or its outline a line."""
    # Writing is wiped away, edges of larger things stay.
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    lab = cv2.cvtColor(cv2.medianBlur(closed, 7), cv2.COLOR_RGB2LAB)
    for channel in range(3):
        plane = np.ascontiguousarray(lab[..., channel])
        if int(plane.max()) - int(plane.min()) > 20:
            yield cv2.threshold(plane, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
            yield cv2.threshold(plane, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1]
        for low, high in ((20, 60), (50, 150)):
            lines = cv2.Canny(plane, low, high)
            yield cv2.dilate(lines, np.ones((3, 3), np.uint8))
    size = max(max(small.shape[:2]) // 4, 3) | 1
    yield cv2.adaptiveThreshold(lab[..., 0], 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, size, -5)


def _quadrangles(shape: NDArray[Any], area: int) -> Iterator[Corners]:
    contours, _ = cv2.findContours(shape, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:6]:
        hull = cv2.convexHull(contour)
        if not _LEAST * area < cv2.contourArea(hull):
            continue
        for share in (0.01, 0.02, 0.04, 0.06):
            rough = cv2.approxPolyDP(hull, share * cv2.arcLength(hull, True), True).reshape(-1, 2)
            if len(rough) == 4:
                corners = _ordered(rough.astype(np.float32))
                filled = float(cv2.contourArea(corners)) / max(float(cv2.contourArea(hull)), 1)
                if filled > 0.85 and float(cv2.contourArea(corners)) < _MOST * area:
                    yield corners
                break


def _ordered(corners: Corners) -> Corners:
    """Order four points from the top left, clockwise."""
    centre = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    turned = corners[np.argsort(angles)]
    return np.roll(turned, -int(turned.sum(axis=1).argmin()), axis=0).astype(np.float32)


def _support(gradient: NDArray[Any], corners: Corners) -> float:
    """Return the share of an outline that lies on an edge: of the side that has the least."""
    strong = max(float(np.percentile(gradient, 70)), 12.0)
    shares: list[float] = []
    for begin, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        steps = np.linspace(0.05, 0.95, 60)[:, None]
        points = np.round(begin + (end - begin) * steps).astype(int)
        x = np.clip(points[:, 0], 0, gradient.shape[1] - 1)
        y = np.clip(points[:, 1], 0, gradient.shape[0] - 1)
        shares.append(float((gradient[y, x] > strong).mean()))
    return float(np.mean(shares)) * min(shares) ** 0.5


def _refined(samples: Samples, corners: Corners) -> Corners:
    """Fit a line to each side at full size; return where they meet."""
    grey = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach = max(round(max(samples.shape) / 140), 3)
    lines: list[tuple[Any, Any]] = []
    for begin, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - begin) / max(float(np.hypot(*(end - begin))), 1e-6)
        normal = np.array([-along[1], along[0]])
        stations = begin + (end - begin) * np.linspace(0.06, 0.94, 80)[:, None]
        offsets = np.arange(-reach, reach + 0.5, 0.5)
        grid = stations[:, None, :] + offsets[None, :, None] * normal
        values = cv2.remap(
            grey,
            grid[..., 0].astype(np.float32),
            grid[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        values = cv2.blur(values, (3, 5))
        steps = np.abs(np.gradient(values, axis=1))
        peaks = steps.argmax(axis=1)
        firm = steps.max(axis=1) > max(float(np.median(steps)) * 2, 0.8)
        points = stations + offsets[peaks][:, None] * normal
        points = points[firm] if firm.sum() >= 12 else stations
        direction_x, direction_y, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        lines.append((np.array([x, y]), np.array([direction_x, direction_y])))
    met: list[Any] = []
    for number in range(4):
        (place, direction), (other, other_direction) = lines[number - 1], lines[number]
        matrix = np.stack([direction, -other_direction], axis=1)
        if abs(float(np.linalg.det(matrix))) < 1e-3:
            return corners
        step = np.linalg.solve(matrix, other - place)[0]
        met.append(place + step * direction)
    better = np.array(met, np.float32)
    moved = float(np.hypot(*(better - corners).T).max())
    return better if moved < 4 * reach else corners


def straightened(samples: Samples, corners: Corners) -> Samples:
    """Return what lies between four corners, as a rectangle of its own proportions."""
    width, height = _proportions(corners, samples.shape[1], samples.shape[0])
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    return cv2.warpPerspective(samples, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _proportions(corners: Corners, picture_width: int, picture_height: int) -> tuple[int, int]:
    """Return width and height of a rectangle seen in perspective, its longer sides kept."""
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = max(float(sides[0]), float(sides[2]), 1.0), max(float(sides[1]), float(sides[3]), 1.0)
    ratio = _ratio(corners, picture_width, picture_height) or width / height
    if not 0.5 < ratio / (width / height) < 2:
        ratio = width / height
    if ratio > width / height:
        width = height * ratio
    else:
        height = width / ratio
    return max(round(width), 1), max(round(height), 1)


def _ratio(corners: Corners, picture_width: int, picture_height: int) -> float | None:
    """Return width over height by the vanishing points, of a camera whose axis is the picture's centre."""
    centre = np.array([picture_width / 2, picture_height / 2])
    top_left, top_right, bottom_right, bottom_left = (np.append(corner - centre, 1.0) for corner in corners)
    diagonal = np.cross(top_left, bottom_right)
    by_right = float(np.dot(np.cross(top_right, bottom_right), bottom_left))
    by_left = float(np.dot(np.cross(bottom_left, bottom_right), top_right))
    if min(abs(by_right), abs(by_left)) < 1e-9:
        return None
    across = float(np.dot(diagonal, bottom_left)) / by_right * top_right - top_left
    along = float(np.dot(diagonal, top_right)) / by_left * bottom_left - top_left
    if min(abs(float(across[2])), abs(float(along[2]))) < 1e-3:
        # Without perspective in one direction, the focal length cannot be told; nor is it needed.
        return None
    # In pixels, squared.
    focal = -float(across[:2] @ along[:2]) / float(across[2] * along[2])
    longest = max(picture_width, picture_height)
    if not (0.3 * longest) ** 2 < focal < (10 * longest) ** 2:
        return None
    lengths = [float(np.sqrt(side[:2] @ side[:2] / focal + side[2] ** 2)) for side in (across, along)]
    return lengths[0] / lengths[1]


def clearer(samples: Samples) -> Samples:
    """Make writing clearer: the paper's shade is divided away, and ink darkened.

    Parameters
    ----------
    samples : array
        RGB, of shape (height, width, 3).
    """
    shrunk = min(1.0, 800 / max(samples.shape[:2]))
    size = (max(round(samples.shape[1] * shrunk), 1), max(round(samples.shape[0] * shrunk), 1))
    small = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
    kernel = max(max(size) // 25, 3) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel)))
    paper = cv2.medianBlur(paper, min(kernel, 51) | 1)
    paper = cv2.GaussianBlur(paper, (0, 0), kernel / 2)
    paper = cv2.resize(paper, samples.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    even = cv2.divide(samples, np.maximum(paper, 24), scale=250)
    lab = cv2.cvtColor(even, cv2.COLOR_RGB2LAB)
    light = lab[..., 0].astype(np.float32)
    dark = float(np.percentile(light[::4, ::4], 1))
    # What is nearly paper becomes paper, what is surely ink nearly black.
    low, high = min(dark + 10, 150.0), 215.0
    curve = np.clip((np.arange(256, dtype=np.float32) - low) / (high - low), 0, 1) ** 1.1 * 255
    lab[..., 0] = cv2.LUT(np.ascontiguousarray(lab[..., 0]), curve.astype(np.uint8))
    clear = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    soft = cv2.GaussianBlur(clear, (0, 0), 1.2)
    return cv2.addWeighted(clear, 1.5, soft, -0.5, 0)


def _thing(samples: Samples, work: Work, cut: bool) -> tuple[Samples, Corners | None]:
    """Return a thing cropped, straight where it is four-sided, and without background if so wanted."""
    mask = mask_of(samples, work.packs)
    work.tell(60)
    box = box_of(mask, 127)
    if box is None:
        raise Refusal("empty", "Nothing that stands out was found in the picture.")
    picture: Samples = cut_out(samples, mask) if cut else samples
    contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    for share in (0.02, 0.04, 0.06):
        rough = cv2.approxPolyDP(hull, share * cv2.arcLength(hull, True), True).reshape(-1, 2)
        if len(rough) == 4:
            corners = _ordered(rough.astype(np.float32))
            inside = np.zeros(mask.shape, np.uint8)
            cv2.fillConvexPoly(inside, corners.astype(np.int32), 255)
            both = float(np.minimum(inside, mask).sum()) / max(float(np.maximum(inside, mask).sum()), 1)
            if both > _FULL:
                better = _refined(samples, corners)
                return straightened(picture, better), better
            break
    grown = box.grown(0.0 if cut else 0.04, mask.shape[1], mask.shape[0])
    left, top, right, bottom = grown.x, grown.y, grown.x + grown.width, grown.y + grown.height
    edges = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return np.ascontiguousarray(picture[grown.part()]), edges
