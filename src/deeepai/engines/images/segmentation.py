"""A subject without its background; the fields are told in the package's docstring."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from ..jobs import Refusal, Work
from .cutout import ENGINE, Mask, Samples, box_of, cut_out, mask_of
from .opening import Picture, array, chosen, colour, flat, opened, saved

_PIXELS: Final = 40_000_000
_TYPES: Final = ("auto", "person", "object", "stamp")
_OUTPUTS: Final = ("image", "mask", "both")
_CUT_OUT: Final = 0.02
"""Share of the picture that can be seen through where its subject was cut out already."""
_RED: Final = 0.25
"""Redness that ink has and skin, wood and yellowed paper mostly have not."""
_LEAST: Final = 0.0005
"""Share of the picture that a subject has at least."""


def run(work: Work) -> dict[str, Any]:
    """Do a job."""
    request = work.request
    kind, output = request.get("type") or "auto", request.get("output") or "image"
    if kind not in _TYPES:
        raise Refusal("invalid", f"type must be one of: {', '.join(_TYPES)}.")
    if output not in _OUTPUTS:
        raise Refusal("invalid", f"output must be one of: {', '.join(_OUTPUTS)}.")
    form = chosen(request.get("format"), "", ("png", "jpg"))
    background = colour(request.get("background"))
    picture = opened(work.given("image"), pixels=_PIXELS)
    work.tell(20)
    subject, engine = subject_of(work, picture, str(kind))
    work.tell(80)
    box = box_of(subject[..., 3])
    if box is None or int((subject[..., 3] > 127).sum()) < _LEAST * subject.shape[0] * subject.shape[1]:
        raise Refusal("empty", "No subject was found in the picture.")
    kept = subject[box.part()] if request.get("crop") else subject
    result: dict[str, Any] = {"engine": engine, "image": None, "mask": None, "box": box._asdict()}
    result |= dict(zip(("input_width", "input_height"), picture.size, strict=True))
    result |= {"width": kept.shape[1], "height": kept.shape[0]}
    if output != "mask":
        image = Image.fromarray(kept)
        result["image"] = saved(flat(image, background) if form == "jpg" else image, work.made(""), "image", form)
    if output != "image":
        result["mask"] = saved(Image.fromarray(np.ascontiguousarray(kept[..., 3])), work.made(""), "mask", "png")
    return result


def subject_of(work: Work, picture: Picture, kind: str = "auto") -> tuple[Samples, str]:
    """Return a picture's subject as RGBA of the picture's size, and what found it."""
    if kind == "stamp":
        samples = array(picture.rgb())
        return cut_out(samples, _ink(samples)), "red-ink"
    if is_cut_out(picture):
        return array(picture.image), "alpha"
    samples = array(picture.rgb())
    mask = _without_specks(mask_of(samples, work.packs), 0.2 if kind == "person" else 0.01)
    return cut_out(samples, mask), ENGINE


def is_cut_out(picture: Picture) -> bool:
    """Tell whether a picture came without background: some transparent pixels alone may be anything."""
    return picture.transparent and float((array(picture.image.getchannel("A")) < 128).mean()) > _CUT_OUT


def _without_specks(mask: Mask, least: float) -> Mask:
    """Leave out whatever stands apart and is smaller than a share of the largest part."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats((mask > 8).astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = facts[:, cv2.CC_STAT_AREA]
    kept = areas >= least * areas[1:].max()
    kept[0] = False
    return np.where(kept[labels], mask, np.uint8(0))


def _ink(samples: Samples) -> Mask:
    """Return how much red ink covers each pixel, relative to where it lies thickest."""
    red, green, blue = (samples[..., channel].astype(np.float32) for channel in range(3))
    # Paper and writing have about the same of all three, whatever the light; blue and purple ink have more blue.
    redness = np.minimum(red - green, red - blue) / np.maximum(red, 64.0)
    redness = cv2.GaussianBlur(redness, (0, 0), 0.7)
    strong = redness[redness > _RED]
    if strong.size < _LEAST * redness.size:
        return np.zeros(redness.shape, np.uint8)
    full = float(np.percentile(strong, 60))
    low = 0.3 * full
    return np.clip((redness - low) / (full - low) * 255, 0, 255).astype(np.uint8)
