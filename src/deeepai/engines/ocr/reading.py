"""Lines of text in a picture, whichever way it lies: PP-OCRv6 by RapidOCR, whose models come in its package.

RapidOCR finds lines of any slant and reads them, but their order, and which way a short line stands, it tells badly.
So the way of the whole page is found first, from its longest lines, and each line is then read in that way.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .model import Box, Line, Quad, is_wide

Pixels = NDArray[Any]
"""Height × width × 3, 8 bits, in the order that OpenCV has: blue, green, red."""

_TALL, _VERY_TALL, _SEVERAL = 1.5, 2.5, 3
"""Height over width from which on a line may lie on its side; from which on a single one is taken to; how many others
are taken to."""
_SHOWN: Final = 12
"""Lines that tell the page's way."""
_SURE, _DOUBTFUL, _LONE = 0.5, 0.75, 0.6
"""Scores: below the first nothing counts; below the second a line is read the other way round as well; from the third
on a text counts that stands where no line was found."""
_BAND: Final = 1800
"""Pixels of a very long picture that are looked at together."""
_READ_AT_ONCE: Final = 64


@functools.cache
def _engine() -> Any:
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    from rapidocr import RapidOCR

    params = {
        "Global.log_level": "error",
        "Global.use_cls": False,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return RapidOCR(params=params)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a picture.

    Attributes
    ----------
    lines : list of Line
        In no order yet.
    turn, skew : int, float
        As in `model.Page`.
    upright : array
        The picture, upright.
    """

    lines: list[Line]
    turn: int
    skew: float
    upright: Pixels


def read(pixels: Pixels) -> Reading:
    """Read a picture."""
    quads = _found(pixels)
    if not quads:
        return _alone(pixels)
    found = _lines(pixels, quads)
    if len(quads) == 1 and max(_width(quads[0]), _height(quads[0])) < _TALL * min(_width(quads[0]), _height(quads[0])):
        # Of a lone letter the finder does not know how it leans.
        alone = _alone(pixels)
        if alone.lines and (not found.lines or alone.lines[0].score > found.lines[0].score):
            return alone
    return found


def _lines(pixels: Pixels, quads: Sequence[Any]) -> Reading:
    turn, vertical = _way(pixels, quads)
    upright = turned(pixels, turn)
    placed = [_ordered([_turned_point(point, turn, pixels.shape) for point in quad]) for quad in quads]
    lines = _read(upright, placed, vertical)
    skew = 0.0 if vertical else _skew([line.quad for line in lines])
    return Reading([replace(line, box=straight(line.quad, skew, upright.shape)) for line in lines], turn, skew, upright)


def turned(pixels: Pixels, turn: int) -> Pixels:
    """Return a picture whose text is turned by so many degrees clockwise so that it stands upright."""
    back = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
    return cv2.rotate(pixels, back[turn]) if turn else pixels


def straight(quad: Quad, skew: float, shape: Sequence[int]) -> Box:
    """Return a line's box once the page, of height × width, is turned about its middle by its skew."""
    points = [_rotated(point, -skew, (shape[1] / 2, shape[0] / 2)) for point in quad]
    return Box(
        min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)
    )


# Found -------------------------------------------------------------------------------------------------------------


def _found(pixels: Pixels) -> list[list[tuple[float, float]]]:
    """Find lines; in a very long picture band by band, cut where there is no text."""
    height, width = pixels.shape[:2]
    if max(height, width) <= 2 * _BAND or max(height, width) < 2.5 * min(height, width):
        return _found_in(pixels)
    along = 0 if height > width else 1
    quads: list[list[tuple[float, float]]] = []
    for begin, end in _bands(pixels, along):
        part = pixels[begin:end] if along == 0 else pixels[:, begin:end]
        right, down = (0, begin) if along == 0 else (begin, 0)
        quads += [[(x + right, y + down) for x, y in quad] for quad in _found_in(np.ascontiguousarray(part))]
    return quads


def _bands(pixels: Pixels, along: int) -> list[tuple[int, int]]:
    """Cut a long picture where a row (or column) is of one colour, if there is any near."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.int16)
    busy = np.abs(np.diff(grey, axis=1 - along)).sum(axis=1 - along)
    cuts, size = [0], pixels.shape[along]
    while size - cuts[-1] > _BAND * 1.25:
        low, high = cuts[-1] + _BAND // 2, cuts[-1] + _BAND
        cuts.append(high - 1 - int(np.argmin(busy[low:high][::-1])))
    return list(zip(cuts, [*cuts[1:], size], strict=True))


def _found_in(pixels: Pixels) -> list[list[tuple[float, float]]]:
    quads = _detected(pixels)
    if quads:
        return quads
    # A lone word that touches the edges, or is tiny, goes unfound: with room about it, and larger, it does not.
    scale = 2 if max(pixels.shape[:2]) <= 640 else 1
    room = 48
    colour = [int(value) for value in np.median(pixels[[0, -1]].reshape(-1, 3), axis=0)]
    larger = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else pixels
    padded = cv2.copyMakeBorder(larger, room, room, room, room, cv2.BORDER_CONSTANT, value=colour)
    return [[((x - room) / scale, (y - room) / scale) for x, y in quad] for quad in _detected(padded)]


def _detected(pixels: Pixels) -> list[list[tuple[float, float]]]:
    found = _engine()(pixels, use_det=True, use_cls=False, use_rec=False)
    boxes = getattr(found, "boxes", None)
    return [] if boxes is None else [[(float(x), float(y)) for x, y in box] for box in boxes]


def _alone(pixels: Pixels) -> Reading:
    """Read a picture in which no line was found as if all that is drawn were one."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if np.count_nonzero(ink) * 2 > ink.size:
        ink = 255 - ink
    if not np.count_nonzero(ink) or int(grey.max()) - int(grey.min()) < 24:
        return Reading([], 0, 0.0, pixels)
    x, y, width, height = cv2.boundingRect(ink)
    if height > _VERY_TALL * width:
        return Reading([], 0, 0.0, pixels)
    room = max(height // 4, 4)
    quad = (
        (x - room, y - room),
        (x + width + room, y - room),
        (x + width + room, y + height + room),
        (x - room, y + height + room),
    )
    ((text, score),) = _recognised([_crop(pixels, quad)])
    lines = [Line(text, quad, straight(quad, 0, pixels.shape), score)] if text.strip() and score >= _LONE else []
    return Reading(lines, 0, 0.0, pixels)


# The page's way ----------------------------------------------------------------------------------------------------


def _way(pixels: Pixels, quads: Sequence[Any]) -> tuple[int, bool]:
    """Return by how much the text is turned, and whether it is written from top to bottom."""
    tall = [quad for quad in quads if _height(quad) >= _TALL * _width(quad)]
    flat = [quad for quad in quads if _width(quad) >= _TALL * _height(quad)]
    # A lone letter is taller than wide, too.
    lying = len(tall) >= _SEVERAL or any(_height(quad) >= _VERY_TALL * _width(quad) for quad in tall)
    on_side = lying and sum(map(_height, tall)) > sum(map(_width, flat))
    shown = sorted(tall if on_side else flat or quads, key=lambda quad: -max(_width(quad), _height(quad)))[:_SHOWN]
    crops = [_crop(pixels, _ordered(quad)) for quad in shown]
    if not on_side:
        return (180 if _upside_down(crops) else 0), False
    laid = [np.ascontiguousarray(np.rot90(crop)) for crop in crops]
    if _is_vertical(crops, laid):
        return 0, True
    return (270 if _upside_down(laid) else 90), False


def _upside_down(crops: Sequence[Pixels]) -> bool:
    """Tell whether lines stand on their heads: by a network made for that, and where it doubts by reading both ways."""
    _, told = _engine().cls_and_rotate(list(crops))
    votes = [(score if label == "180" else 1 - score) for label, score in told.cls_res]
    share = sum(votes) / len(votes)
    if share < 0.25:
        return False
    some = list(crops[:6])
    right = sum(score * len(text) for text, score in _recognised(some))
    wrong = sum(score * len(text) for text, score in _recognised([cv2.rotate(crop, cv2.ROTATE_180) for crop in some]))
    return wrong > right


def _is_vertical(crops: Sequence[Pixels], lying: Sequence[Pixels]) -> bool:
    """Tell columns of Chinese from lines that lie on their side.

    The reader takes both. So a column's letters are set beside one another, upright: if that says the same, they stood.
    """
    agreed = judged = 0
    for crop, (text, score) in zip(crops[:4], _recognised(list(lying[:4])), strict=True):
        letters = text.replace(" ", "")
        if score < _SURE or len(letters) < 2 or sum(map(is_wide, letters)) * 2 < len(letters):
            continue
        cells = np.array_split(crop, len(letters))
        side = max(cell.shape[0] for cell in cells)
        row = np.hstack(
            [cv2.copyMakeBorder(cell, 0, side - cell.shape[0], 0, 0, cv2.BORDER_REPLICATE) for cell in cells]
        )
        ((beside, _),) = _recognised([row])
        agreed += sum(1 for letter in letters if letter in beside)
        judged += len(letters)
    return judged > 0 and agreed * 2 > judged


# Read --------------------------------------------------------------------------------------------------------------


def _read(pixels: Pixels, quads: Sequence[Quad], vertical: bool) -> list[Line]:
    tall = [_height(quad) >= _TALL * _width(quad) for quad in quads]
    crops = [_crop(pixels, quad) for quad in quads]
    crops = [
        np.ascontiguousarray(np.rot90(crop)) if on_side else crop for crop, on_side in zip(crops, tall, strict=True)
    ]
    told = _recognised(crops)
    doubtful = [place for place, (_, score) in enumerate(told) if score < _DOUBTFUL or (tall[place] and not vertical)]
    others = [(place, cv2.rotate(crops[place], cv2.ROTATE_180)) for place in doubtful]
    short = [place for place in doubtful if tall[place] and _height(quads[place]) < _VERY_TALL * _width(quads[place])]
    # A lone letter that stands upright comes last, as the likeliest: between equals it is taken.
    others += [(place, _crop(pixels, quads[place])) for place in short]
    for (place, _), other in zip(others, _recognised([crop for _, crop in others]), strict=True):
        upright = place in short and len(other[0]) == 1
        if other[1] > told[place][1] + (-0.1 if upright else 0.1):
            told[place] = other
    return [
        Line(text.strip(), quad, straight(quad, 0, pixels.shape), score, on_side)
        for quad, on_side, (text, score) in zip(quads, tall, told, strict=True)
        if text.strip() and score >= _SURE
    ]


def _recognised(crops: list[Pixels]) -> list[tuple[str, float]]:
    """Read lines that stand upright; what cannot be read is an empty text."""
    told: list[tuple[str, float]] = []
    for begin in range(0, len(crops), _READ_AT_ONCE):
        part = crops[begin : begin + _READ_AT_ONCE]
        try:
            found = _engine().recognize_txt(part)
        except Exception as error:
            # RapidOCR's own class is defined in its main module, and says that nothing at all was read.
            if type(error).__name__ != "RapidOCRError":
                raise
            found = None
        if found is None or found.txts is None:
            told += [("", 0.0)] * len(part)
        else:
            told += [(str(text), float(score)) for text, score in zip(found.txts, found.scores, strict=True)]
    return told


# Geometry ----------------------------------------------------------------------------------------------------------


def _width(quad: Any) -> float:
    return math.dist(quad[0], quad[1])


def _height(quad: Any) -> float:
    return math.dist(quad[0], quad[3])


def _crop(pixels: Pixels, quad: Any) -> Pixels:
    """Cut a line out, straight."""
    width = max(round(max(_width(quad), math.dist(quad[3], quad[2]))), 2)
    height = max(round(max(_height(quad), math.dist(quad[1], quad[2]))), 2)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(np.array(quad, dtype=np.float32), corners)
    return cv2.warpPerspective(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)


def _ordered(points: Sequence[Any]) -> Quad:
    """Return a quad's corners from the top left, clockwise, for a slant of less than 45 degrees."""
    middle = (sum(x for x, _ in points) / 4, sum(y for _, y in points) / 4)
    clockwise = sorted(points, key=lambda point: math.atan2(point[1] - middle[1], point[0] - middle[0]))
    start = min(range(4), key=lambda place: clockwise[place][0] + clockwise[place][1])
    first = clockwise[start:] + clockwise[:start]
    return tuple((float(x), float(y)) for x, y in first)  # type: ignore[return-value]


def _turned_point(point: tuple[float, float], turn: int, shape: Sequence[int]) -> tuple[float, float]:
    """Return where a point of a picture, of height × width, lies once that is upright."""
    x, y = point
    height, width = shape[:2]
    match turn:
        case 90:
            return y, width - x
        case 180:
            return width - x, height - y
        case 270:
            return height - y, x
        case _:
            return x, y


def _rotated(point: tuple[float, float], degrees: float, about: tuple[float, float]) -> tuple[float, float]:
    """Turn a point clockwise (y goes down)."""
    angle = math.radians(degrees)
    x, y = point[0] - about[0], point[1] - about[1]
    return about[0] + x * math.cos(angle) - y * math.sin(angle), about[1] + x * math.sin(angle) + y * math.cos(angle)


def _skew(quads: Sequence[Quad]) -> float:
    """Return by how many degrees lines lean, clockwise; long ones tell it best."""
    long = [quad for quad in quads if _width(quad) > 3 * _height(quad)]
    if not long:
        return 0.0
    leaning = sorted(
        (math.degrees(math.atan2(quad[1][1] - quad[0][1], quad[1][0] - quad[0][0])), _width(quad)) for quad in long
    )
    half, passed = sum(width for _, width in leaning) / 2, 0.0
    for angle, width in leaning:
        passed += width
        if passed >= half:
            return angle if abs(angle) >= 0.3 else 0.0
    return 0.0
