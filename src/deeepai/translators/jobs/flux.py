"""Flux's pictures: one a task; models differ in how a size is said.

Source: the vendor's OpenAPI document.
"""

from __future__ import annotations

import math

from ...declare import Answer, AnyRequest, Failure, Reason
from .common import (
    Source,
    Target,
    alone,
    bare,
    body_of,
    frame,
    nearest_ratio,
    only,
    ratio,
    whole,
)
from .model import Body, Picture

RATIOS = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
USUAL = 1024
"""Pixels of a side where only a ratio is said, of a square as large."""
_TUNED = ("image_prompt", "image_prompt_strength", "raw", "steps", "guidance")
_SOURCES = ("image", "mask", "control_image", "preprocessed_image", *(f"input_image_{n}" for n in range(2, 9)))
_ALONE = (*_TUNED, *_SOURCES, "finetune_id")
_OWN = (*_TUNED, "prompt_upsampling", "safety_tolerance", "output_format")
"""Fields that relays take beside OpenAI's."""
_REASONS = {400: Reason.INVALID, 422: Reason.INVALID, 429: Reason.RATE_LIMITED}


def read(request: AnyRequest) -> Picture:
    """Read what picture is wanted."""
    body = body_of(request)
    alone(body, "Flux", _ALONE)
    width, height = body.get("width"), body.get("height")
    return Picture(
        prompt=body.get("prompt", ""),
        image=frame(body["input_image"], "input_image") if "input_image" in body else None,
        size=(width or USUAL, height or USUAL) if width or height else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names={"image": "input_image", "size": "width", "ratio": "aspect_ratio"},
    )


def write(picture: Picture, model: str) -> Body:
    """Write a picture, in the nearest size that the model has."""
    only(picture, "image", "size", "ratio")
    body: Body = {"prompt": picture.prompt, "seed": picture.seed}
    if picture.image:
        body["input_image"] = bare(picture.image)
    body |= {name: picture.own[name] for name in _OWN if name in picture.own}
    return {name: value for name, value in body.items() if value is not None} | _shape(picture, model)


def _shape(picture: Picture, model: str) -> Body:
    shape = picture.ratio or picture.size
    if shape is None:
        return {}
    if "ultra" in model or "kontext" in model:
        return {"aspect_ratio": nearest_ratio(shape, RATIOS)[0]}
    low, high, step = (64, 2048, 16) if model.startswith("flux-2") else (256, 1440, 32)
    if picture.ratio is not None:
        scale = min(USUAL / math.sqrt(shape[0] * shape[1]), high / max(shape))
        shape = round(shape[0] * scale), round(shape[1] * scale)
    width, height = (min(high, max(low, round(side / step) * step)) for side in shape)
    return {"width": width, "height": height}


def error(answer: Answer) -> Failure:
    """Say what a refusal says: FastAPI's list of faults, or a sentence."""
    said = answer.json()
    message = "The upstream refused the request"
    if isinstance(said, dict):
        detail = said.get("detail") or said.get("message") or said.get("error")
        if isinstance(detail, str):
            message = detail
        elif isinstance(detail, list) and detail and isinstance(detail[0], dict):
            field = ".".join(str(part) for part in detail[0].get("loc", ())[1:])
            message = f"{field}: {detail[0].get('msg', '')}"
    return Failure(_REASONS.get(answer.status, Reason.UPSTREAM), message)


PICTURES = Source(operations=("flux.generate",), read=read)
PICTURE_TARGET = Target(operations={"flux.generate": lambda picture: True}, write=write, error=error)
