"""Sharper, and larger; the fields are told in the package's docstring.

Real-ESRGAN (Wang et al., 2021) makes four times as large; what was asked for is that, shrunk. Its colours drift, so the
broad ones are taken from the picture as given.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from ..jobs import Refusal, Work
from ..packs.image_packs import REAL_ESRGAN
from .cutout import STRIP, Box, Samples, stretched
from .faces import faces_of
from .networks import Scaler, require, scaler
from .opening import array, chosen, opened, saved

BEST: Final = "real-esrgan-x4plus"
FAST: Final = "realesr-animevideov3"
_FILES: Final = {BEST: "realesrgan-x4plus", FAST: "realesr-animevideov3-x4"}
_TILES: Final = {BEST: 96, FAST: 320}
"""Pixels a side; with larger ones a process would need more than a gigabyte."""
_OVERLAP: Final = 8
_COSTS: Final = {BEST: 2.5e-4, FAST: 9e-6}
"""Seconds a pixel on one core, to begin with; the first tile tells how it is here."""
_PIXELS: Final = 17_000_000
_MADE: Final = 68_000_000
_SECONDS: Final = 25.0
_LEAST_WORK: Final = 0.25
"""The picture is shrunk at most so far before it is made larger."""

Tell = Callable[[float], None]


class _TooSlow(Exception):
    """It would not be done in time."""


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    kind, quality = request.get("type") or "clean", request.get("quality") or "auto"
    if kind not in ("clean", "face"):
        raise Refusal("invalid", "type must be one of: clean, face.")
    if quality not in ("auto", "fast", "best"):
        raise Refusal("invalid", "quality must be one of: auto, fast, best.")
    factor = request.get("factor") or 0
    if factor not in (0, 1, 2, 4):
        raise Refusal("invalid", "factor must be one of: 1, 2, 4.")
    require(REAL_ESRGAN, work.packs)
    picture = opened(work.given("image"), pixels=_PIXELS)
    form = chosen(request.get("format"), picture.format)
    width, height = picture.size
    factor = factor or (4 if max(width, height) <= 512 else 2 if max(width, height) <= 1024 else 1)
    if width * height * factor**2 > _MADE:
        raise Refusal("too_large", f"The result would have {width * factor} × {height * factor} pixels.")
    samples = array(picture.rgb("FFFFFF") if not picture.transparent else picture.image.convert("RGB"))
    plan = _Plan(work, float(request.get("seconds") or _SECONDS), str(quality))
    found = faces_of(samples) if kind == "face" else []
    if kind == "face":
        made, engine = plan.faces(samples, factor, found, bool(request.get("face_only")))
    else:
        made, engine = plan.whole(samples, factor)
    image = Image.fromarray(made)
    if picture.transparent:
        alpha = picture.image.getchannel("A").resize(image.size, Image.Resampling.LANCZOS)
        image.putalpha(alpha)
    return {
        "engine": engine,
        "image": saved(image, work.made(""), "image", form),
        "factor": factor,
        "faces": len(found),
        "input_width": width,
        "input_height": height,
        "width": image.size[0],
        "height": image.size[1],
    }


class _Plan:
    """What is done by which network, in the time that there is."""

    def __init__(self, work: Work, seconds: float, quality: str) -> None:
        self._work, self._quality = work, quality
        self._folder = require(REAL_ESRGAN, work.packs).parent
        self._end = time.monotonic() + seconds

    def whole(self, samples: Samples, factor: int) -> tuple[Samples, str]:
        """Scale all of a picture."""
        pixels = samples.shape[0] * samples.shape[1]
        left = self._end - time.monotonic()
        if self._quality == "best" or (self._quality == "auto" and pixels * _COSTS[BEST] < left):
            try:
                return self._scaled(samples, factor, BEST, bounded=self._quality == "auto"), BEST
            except _TooSlow:
                pass
        # Real-ESRGAN sees as much in half of the pixels where less than four times as large is wanted.
        share = 1.0
        while pixels * share**2 * _COSTS[FAST] > left and share / 2 * Scaler.FACTOR >= factor and share > _LEAST_WORK:
            share /= 2
        small = samples if share == 1 else cv2.resize(samples, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        return self._scaled(small, factor, FAST, samples.shape[:2]), FAST

    def faces(self, samples: Samples, factor: int, found: list[Box], only: bool) -> tuple[Samples, str]:
        """Scale a picture, its faces with the better network."""
        height, width = samples.shape[:2]
        if only:
            made = cv2.resize(samples, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC)
            engine = BEST
        else:
            made, engine = self.whole(samples, factor)
        if engine == BEST and not only:
            return made, engine
        for face in found:
            box = face.grown(0.35, width, height)
            part = np.ascontiguousarray(samples[box.part()])
            # A large face is sharp as it is: the network sees it in the size in which faces usually are.
            share = min(1.0, 160 / max(part.shape[:2]))
            small = cv2.resize(part, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) if share < 1 else part
            if share * Scaler.FACTOR < factor:
                small = part
            better = self._scaled(small, factor, BEST, part.shape[:2])
            _blend(made, better, Box(*(side * factor for side in box)))
            engine = BEST
        return made, engine

    def _scaled(
        self,
        samples: Samples,
        factor: int,
        name: str,
        size: tuple[int, int] | None = None,
        bounded: bool = False,
    ) -> Samples:
        """Scale samples to `factor` times `size` (height, width), by default their own."""
        net, tile = scaler(self._folder, _FILES[name]), _TILES[name]
        height, width = size or samples.shape[:2]
        wanted = (width * factor, height * factor)
        own_height, own_width = samples.shape[:2]
        across, along = wanted[0] / own_width, wanted[1] / own_height
        made = np.empty((wanted[1], wanted[0], 3), np.uint8)
        places = [(x, y) for y in range(0, own_height, tile) for x in range(0, own_width, tile)]
        begun = time.monotonic()
        for number, (x, y) in enumerate(places):
            right, bottom = min(x + tile, own_width), min(y + tile, own_height)
            left, top, outer_right, outer_bottom = (
                max(x - _OVERLAP, 0),
                max(y - _OVERLAP, 0),
                min(right + _OVERLAP, own_width),
                min(bottom + _OVERLAP, own_height),
            )
            large = net(samples[top:outer_bottom, left:outer_right])
            inner = Box(x - left, y - top, right - x, bottom - y)
            part = large[Box(*(side * Scaler.FACTOR for side in inner)).part()]
            to_x, to_y = (round(x * across), round(right * across)), (round(y * along), round(bottom * along))
            target = (to_x[1] - to_x[0], to_y[1] - to_y[0])
            if part.shape[1::-1] != target:
                part = cv2.resize(part, target, interpolation=cv2.INTER_AREA)
            made[to_y[0] : to_y[1], to_x[0] : to_x[1]] = part
            passed = time.monotonic() - begun
            if bounded and passed / (number + 1) * len(places) > self._end - begun:
                raise _TooSlow
            self._work.tell(5 + round(90 * (number + 1) / len(places)))
        return _true_colours(made, samples)


def _true_colours(made: Samples, given: Samples) -> Samples:
    """Take the broad colours of the picture as given: the difference in its own size, blurred, is added."""
    height, width = given.shape[:2]
    shrunk = cv2.resize(made, (width, height), interpolation=cv2.INTER_AREA)
    drift = cv2.GaussianBlur(given.astype(np.float32) - shrunk, (0, 0), 2.0)
    for top in range(0, made.shape[0], STRIP):
        rows = slice(top, min(top + STRIP, made.shape[0]))
        part = stretched(drift, rows, made.shape[0], made.shape[1])
        made[rows] = np.clip(made[rows] + part + 0.5, 0, 255).astype(np.uint8)
    return made


def _blend(made: Samples, better: Samples, box: Box) -> None:
    """Lay a part over a picture, softly at its edges."""
    better = cv2.resize(better, (box.width, box.height), interpolation=cv2.INTER_AREA)
    cover = np.zeros((box.height, box.width), np.float32)
    cv2.ellipse(
        cover,
        (box.width // 2, box.height // 2),
        (round(box.width * 0.38), round(box.height * 0.42)),
        0,
        0,
        360,
        1.0,
        -1,
    )
    cover = cv2.GaussianBlur(cover, (0, 0), max(box.width * 0.05, 1.0))[..., None]
    below = made[box.part()].astype(np.float32)
    made[box.part()] = np.clip(better * cover + below * (1 - cover) + 0.5, 0, 255).astype(np.uint8)
