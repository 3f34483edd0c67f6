"""Stability AI: Stable Image (forms in, one picture out), its inpainting, and the engines of version 1.

Inpainting gives the picture's own size, whatever size is asked for. A picture that the vendor has blurred counts as
held back. Dropped: `quality`; a file type that the model does not have. Source: the vendor's OpenAPI document.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Final

from ...declare import Answer, Failure, Json, Part, Reason
from ..chat.common import whole_json
from ..jobs.common import failure
from .common import (
    Asked,
    Body,
    Made,
    Target,
    carried,
    form,
    judged,
    mask_of,
    moderated,
    one_image,
    own,
    shape_of,
    up_to,
)

RATIOS = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
FORMATS, SD3_FORMATS = ("png", "jpeg", "webp"), ("png", "jpeg")
MOST_SAMPLES = 10
SIZES = ("1024:1024", "1152:896", "1216:832", "1344:768", "1536:640", "640:1536", "768:1344", "832:1216", "896:1152")
"""What SDXL makes, width and height."""
_CODES: Final = {"content_moderation": Reason.MODERATED, "invalid_prompts": Reason.MODERATED}
_SUCCESS: Final = "SUCCESS"
_OWN = ("style_preset", "cfg_scale")


def _texts(asked: Asked, formats: Sequence[str]) -> Body:
    return {
        "prompt": asked.prompt,
        "negative_prompt": asked.negative_prompt,
        "seed": asked.seed,
        "output_format": asked.format if asked.format in formats else None,
    }


# Stable Image ------------------------------------------------------------------------------------------------------


def _draw(formats: Sequence[str], *fields: str) -> Callable[[Asked, str], list[Part]]:
    """Return what asks for a picture; further fields name the model, or are the vendor's own."""

    def draw(asked: Asked, model: str) -> list[Part]:
        carried(asked, "count", "size", "ratio", "negative_prompt")
        up_to(asked, 1)
        texts = {**_texts(asked, formats), "aspect_ratio": shape_of(asked, RATIOS), **own(asked, *fields)}
        return form({**texts, "model": model} if "model" in fields else texts, {})

    return draw


def inpaint(asked: Asked, model: str) -> list[Part]:
    """Ask for a picture with other things behind its mask, or where it is transparent."""
    carried(asked, "count", "size", "ratio", "negative_prompt", "images", "mask")
    up_to(asked, 1)
    texts = {**_texts(asked, FORMATS), **own(asked, "style_preset", "grow_mask")}
    return form(texts, {"image": one_image(asked), "mask": mask_of(asked, edited="white")})


def read(answer: Answer) -> Sequence[Made]:
    """Return the picture, which comes as it is or in JSON."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.endswith("json"):
        told = whole_json(answer.body)
        data, reason, kind = told["image"], told.get("finish_reason"), "image/png"
    else:
        data, reason = base64.b64encode(answer.body).decode(), answer.headers.get("finish-reason")
    if (reason or _SUCCESS) != _SUCCESS:
        raise moderated("the picture was blurred")
    return [Made(data, kind)]


# Version 1 ---------------------------------------------------------------------------------------------------------


def draw_v1(asked: Asked, model: str) -> Body:
    """Ask an engine for pictures."""
    carried(asked, "count", "size", "ratio", "negative_prompt")
    prompts: list[Json] = [{"text": asked.prompt}]
    if asked.negative_prompt:
        prompts.append({"text": asked.negative_prompt, "weight": -1})
    body: Body = {"text_prompts": prompts, "samples": up_to(asked, MOST_SAMPLES), **own(asked, *_OWN, "steps")}
    if asked.seed is not None:
        body["seed"] = asked.seed
    return body | _size(asked, model)


def _size(asked: Asked, model: str) -> Body:
    if asked.shape is None:
        return {}
    width, height = map(int, (shape_of(asked, SIZES) or SIZES[0]).split(":"))
    if "xl" in model:
        return {"width": width, "height": height}
    # The older engine is at its best with half as many pixels a side.
    return {"width": width // 128 * 64, "height": height // 128 * 64}


def read_v1(answer: Answer) -> Sequence[Made]:
    """Return the pictures; where some are good, the blurred ones, too, which cost as much."""
    artifacts = whole_json(answer.body)["artifacts"]
    reasons = [each.get("finishReason") or _SUCCESS for each in artifacts]
    if _SUCCESS not in reasons:
        if "CONTENT_FILTERED" in reasons:
            raise moderated("the picture was blurred")
        raise Failure(Reason.UPSTREAM, "The vendor could not make the picture")
    made = [each["base64"] for each, reason in zip(artifacts, reasons, strict=True) if reason != "ERROR"]
    return [Made(data, "image/png") for data in made]


# Errors ------------------------------------------------------------------------------------------------------------


def error(answer: Answer) -> Failure:
    """Say what a refusal says: a list of faults, or a message."""
    told = answer.json()
    if not isinstance(told, dict):
        return failure(answer, None)
    faults = told.get("errors")
    words = "; ".join(map(str, faults)) if isinstance(faults, list) else told.get("message")
    return judged(failure(answer, words, told.get("name"), _CODES))


TARGETS: Sequence[Target] = (
    Target(
        operation="stability.generate.ultra",
        models=("stable-image-ultra",),
        draw=_draw(FORMATS, "style_preset"),
        read=read,
        error=error,
    ),
    Target(
        operation="stability.generate.core",
        models=("stable-image-core",),
        draw=_draw(FORMATS, "style_preset"),
        read=read,
        error=error,
    ),
    Target(
        operation="stability.generate.sd3",
        models=("sd3*",),
        draw=_draw(SD3_FORMATS, "model", *_OWN),
        read=read,
        error=error,
    ),
    Target(
        operation="stability.edit.inpaint",
        models=("stable-image-edit-inpaint",),
        edit=inpaint,
        read=read,
        error=error,
    ),
    Target(
        operation="stability.text-to-image",
        models=("stable-diffusion-*",),
        draw=draw_v1,
        read=read_v1,
        error=error,
    ),
)
