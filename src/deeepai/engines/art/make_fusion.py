"""The job that fuses a picture with a style."""

from __future__ import annotations

from typing import Any, Final

from PIL import Image

from ..images.opening import opened
from ..jobs import Refusal, Work
from . import fusion

STEEPEST: Final = 5
"""The longer side over the shorter one."""
_PIXELS: Final = 24_000_000


def run(work: Work) -> dict[str, Any]:
    """Fuse two pictures; see `fusion`.

    Returns
    -------
    dict
        `engine`: `classical`.

    Raises
    ------
    Refusal
        One of them is no picture, or too steep.
    """
    request = work.request
    source, style = (_opened(work, name) for name in ("source", "style"))
    work.tell(20)
    drawn = fusion.fused(
        source,
        style,
        mode=request["mode"],
        engine=request["engine"],
        control=request["control"],
        weight=request["weight"],
        span=request["span"],
    )
    drawn.save(work.made("picture.png"), "PNG")
    return {"engine": "classical"}


def _opened(work: Work, name: str) -> Image.Image:
    try:
        picture = opened(work.given(name), pixels=_PIXELS).rgb()
    except Refusal as fault:
        raise Refusal(fault.code, f"{name}_img: {fault.message}") from None
    if max(picture.size) > STEEPEST * min(picture.size):
        wide, high = picture.size
        raise Refusal(
            "unsupported", f"{name}_img: {wide} by {high} pixels; its sides may differ by a factor of {STEEPEST}"
        )
    return picture
