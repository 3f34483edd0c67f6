"""A subject before another background; the fields are told in the package's docstring."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageOps

from ..jobs import Refusal, Work
from .backdrops import backdrop, scene_of, seed_of
from .cutout import Box, Mask, Samples, box_of, cut_out, mask_of
from .opening import array, chosen, opened, saved
from .segmentation import is_cut_out

MOST: Final = 4
_PIXELS: Final = 17_000_000
_MOST_PROMPT: Final = 4096
_SHADE_SIDE: Final = 1000
"""Longest side at which shadows are drawn: they are soft."""


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    prompt, negative = str(request.get("prompt") or ""), str(request.get("negative_prompt") or "")
    if len(prompt) > _MOST_PROMPT:
        raise Refusal("invalid", f"prompt has at most {_MOST_PROMPT} characters.")
    count, scene_type = request.get("count") or 1, request.get("scene_type")
    if not isinstance(count, int) or not 1 <= count <= MOST:
        raise Refusal("invalid", f"count must be from 1 to {MOST}.")
    if scene_type is not None and not isinstance(scene_type, int):
        raise Refusal("invalid", "scene_type must be a whole number.")
    form = chosen(request.get("format") or "jpg", "", ("png", "jpg"))
    picture = opened(work.given("image"), pixels=_PIXELS)
    cut_already = is_cut_out(picture)
    if cut_already:
        subject = array(picture.image)
    else:
        samples = array(picture.rgb())
        subject = cut_out(samples, mask_of(samples, work.packs))
    box = box_of(subject[..., 3])
    if box is None:
        raise Refusal("empty", "No subject was found in the picture.")
    work.tell(30)
    width, height = picture.size
    first = int(request.get("seed") or seed_of(prompt, negative, scene_type))
    seeds = [(first + number - 1) % 999_999_999 + 1 for number in range(count)]
    # The subject stands on the floor.
    horizon = float(np.clip((box.y + 0.72 * box.height) / height, 0.3, 0.75))
    images: list[str] = []
    given = False
    for number, seed in enumerate(seeds, 1):
        own = work.given(f"backdrop-{number}")
        if own.exists():
            given = True
            ground = array(ImageOps.fit(opened(own, pixels=_PIXELS).rgb(), (width, height), Image.Resampling.LANCZOS))
        else:
            ground = backdrop(
                prompt, width, height, seed, negative=negative, scene_type=scene_type, horizon=horizon
            ).samples
        image = Image.fromarray(composed(subject, ground, box))
        images.append(saved(image, work.made(""), f"image-{number}", form))
        work.tell(30 + 65 * number // count, file=images[-1])
    return {
        "engine": "composite" if given else "procedural",
        "images": images,
        "seeds": seeds,
        "scene": scene_of(prompt, negative, scene_type),
        "cut_out": not cut_already,
        "input_width": width,
        "input_height": height,
        "width": width,
        "height": height,
    }


def composed(subject: Samples, ground: Samples, box: Box) -> Samples:
    """Return a subject (RGBA) with its shadow before a background (RGB) of the same size."""
    made = ground.astype(np.float32)
    made *= 1 - _shadow(subject[..., 3], box)[..., None]
    cover = subject[..., 3:].astype(np.float32) / 255
    # A little of the surroundings' light falls on it.
    light = ground.reshape(-1, 3).mean(axis=0) / max(float(ground.mean()), 1.0)
    own = subject[..., :3] * (0.92 + 0.08 * light).astype(np.float32)
    return np.clip(own * cover + made * (1 - cover) + 0.5, 0, 255).astype(np.uint8)


def _shadow(alpha: Mask, box: Box) -> Mask:
    """Return how dark a subject's shadow is where: on the floor, darkest where it stands."""
    height, width = alpha.shape
    shrunk = min(1.0, _SHADE_SIDE / max(height, width))
    small = cv2.resize(alpha, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    size = (small.shape[1], small.shape[0])
    foot = (box.y + box.height) * shrunk
    tall = max(box.height * shrunk, 1.0)
    unit = max(box.width * shrunk, 4.0)
    shade = 0.10 * cv2.GaussianBlur(small, (0, 0), max(unit * 0.06, 1.0))
    if foot < small.shape[0] - 2:
        # Where it stands: what of it is lowest, pressed flat; and the fall of its shadow to the side.
        low = small.copy()
        low[: max(round(foot - 0.15 * tall), 0)] = 0
        press = np.array([[1, 0, 0], [0, 0.30, foot * 0.70 + tall * 0.015]], np.float32)
        contact = cv2.GaussianBlur(cv2.warpAffine(low, press, size), (0, 0), max(unit * 0.025, 0.8))
        slant = 0.35
        fall = np.array([[1, slant, -slant * foot], [0, 0.22, foot * 0.78]], np.float32)
        cast = cv2.GaussianBlur(cv2.warpAffine(small, fall, size), (0, 0), max(unit * 0.05, 1.2))
        shade = shade + 0.7 * contact + 0.3 * cast
    shade = np.clip(shade, 0, 0.75)
    return cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR)
