"""Midjourney's pictures, as one of its proxies draws them: what has no field of its own is said by parameters.

A task draws four pictures in one, from which a caller of Midjourney's own format takes single ones.

Source: midjourney-proxy's document; Midjourney's own list of parameters.
"""

from __future__ import annotations

import math

from ...declare import Answer, Failure, Reason
from .common import Target, failure, inline, only, refuse
from .model import Body, Picture

_LONGEST = 14
"""Of the sides of a ratio, one may be so many times the other."""
_SEEDS = 4294967296
_CODES = {3: Reason.UNAVAILABLE, 4: Reason.INVALID, 23: Reason.RATE_LIMITED, 24: Reason.MODERATED}


def write(picture: Picture, model: str) -> Body:
    """Write a picture; a size counts by its ratio, and what it follows stands before the words."""
    only(picture, "negative_prompt", "image", "size", "ratio", "seed")
    if not picture.prompt:
        refuse(picture, "prompt", "the vendor of this model needs one")
    if "--" in picture.negative_prompt:
        refuse(picture, "negative_prompt", "it may not hold parameters of its own")
    words = [picture.prompt]
    if picture.shape is not None:
        wide, high = (side // math.gcd(*picture.shape) for side in picture.shape)
        if max(wide, high) > _LONGEST * min(wide, high):
            refuse(picture, "size" if picture.size is not None else "ratio", "the vendor draws nothing so narrow")
        words.append(f"--ar {wide}:{high}")
    if picture.negative_prompt:
        words.append(f"--no {picture.negative_prompt}")
    if picture.seed is not None:
        words.append(f"--seed {picture.seed % _SEEDS}")
    body: Body = {}
    if picture.image is not None and inline(picture.image) is not None:
        body["base64Array"] = [picture.image]
    elif picture.image is not None:
        words.insert(0, picture.image)
    return {**body, "prompt": " ".join(words)}


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    said = answer.json()
    fields: Body = said if isinstance(said, dict) else {}
    return failure(answer, fields.get("description"), fields.get("code"), _CODES)


PICTURE_TARGET = Target(
    operations={"midjourney.imagine": lambda picture: True}, write=write, error=error, models=("mj_imagine",)
)
