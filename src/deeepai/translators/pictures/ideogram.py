"""Ideogram: version 3, and the models before it.

An edit with a mask is an edit there, too; one without is a remix, which follows the picture. A quality is a rendering
speed of version 3. Pictures come as addresses. Dropped: `output_format`, the size of an edit with a mask (the picture's
own), `quality` before version 3. Refused: `negative_prompt` beside a mask, and of 2A. Source: the vendor's OpenAPI
document.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...declare import Answer, AnyRequest, Failure, Part
from ..chat.common import whole_json
from ..jobs.common import failure
from .common import Asked, Body, Made, Target, carried, form, mask_of, moderated, one_image, own, shape_of, up_to
from .openai import has_mask

RATIOS = ("1:3", "3:1", "9:16", "16:9", "10:16", "16:10", "2:3", "3:2", "3:4", "4:3", "1:1")
NEWER_RATIOS = (*RATIOS, "1:2", "2:1", "4:5", "5:4")
MOST = 8
_SPEEDS = {"low": "TURBO", "high": "QUALITY"}
_OWN = ("style_type", "style_preset", "magic_prompt", "rendering_speed", "image_weight")
_LEGACY_OWN = ("style_type", "magic_prompt_option", "image_weight")
_PREFIX = "ideogram-"


def _common(asked: Asked, *names: str) -> Body:
    carried(asked, "count", "size", "ratio", *names)
    body: Body = {"prompt": asked.prompt, "num_images": up_to(asked, MOST)}
    more: Body = {"seed": asked.seed, "negative_prompt": asked.negative_prompt or None}
    return body | {name: value for name, value in more.items() if value is not None}


# Version 3 ---------------------------------------------------------------------------------------------------------


def _newer(asked: Asked, *names: str) -> Body:
    body = _common(asked, *names)
    if asked.quality:
        body["rendering_speed"] = _SPEEDS[asked.quality]
    return body | own(asked, *_OWN)


def _shaped(asked: Asked, body: Body) -> Body:
    shape = shape_of(asked, NEWER_RATIOS)
    return body if shape is None else {**body, "aspect_ratio": shape.replace(":", "x")}


def draw(asked: Asked, model: str) -> Body:
    """Ask version 3 for pictures."""
    return _shaped(asked, _newer(asked, "negative_prompt"))


def remix(asked: Asked, model: str) -> list[Part]:
    """Ask version 3 for pictures that follow one."""
    return form(_shaped(asked, _newer(asked, "negative_prompt", "images")), {"image": one_image(asked)})


def edit(asked: Asked, model: str) -> list[Part]:
    """Ask version 3 for a picture with other things behind its mask."""
    texts = _newer(asked, "images", "mask")
    return form(texts, {"image": one_image(asked), "mask": mask_of(asked, edited="black")})


# Before version 3 --------------------------------------------------------------------------------------------------


def _legacy(asked: Asked, model: str, *names: str) -> Body:
    avoids = () if "V_2A" in model else ("negative_prompt",)
    body = _common(asked, *avoids, *names) | own(asked, *_LEGACY_OWN)
    shape = shape_of(asked, RATIOS)
    if shape is not None:
        body["aspect_ratio"] = f"ASPECT_{shape.replace(':', '_')}"
    return {**body, "model": model.removeprefix(_PREFIX)}


def draw_legacy(asked: Asked, model: str) -> Body:
    """Ask an older model for pictures."""
    return {"image_request": _legacy(asked, model)}


def remix_legacy(asked: Asked, model: str) -> list[Part]:
    """Ask an older model for pictures that follow one."""
    wrapped = msgspec.json.encode(_legacy(asked, model, "images")).decode()
    return form({"image_request": wrapped}, {"image_file": one_image(asked)})


def edit_legacy(asked: Asked, model: str) -> list[Part]:
    """Ask an older model for a picture with other things behind its mask."""
    texts = _common(asked, "images", "mask") | own(asked, *_LEGACY_OWN)
    files = {"image_file": one_image(asked), "mask": mask_of(asked, edited="black")}
    return form({**texts, "model": model.removeprefix(_PREFIX)}, files)


# Answers -----------------------------------------------------------------------------------------------------------


def read(answer: Answer) -> Sequence[Made]:
    """Return the pictures; an unsafe one has no address."""
    made = [
        Made(address=each["url"], prompt=each.get("prompt"))
        for each in whole_json(answer.body)["data"]
        if each.get("url")
    ]
    if not made:
        raise moderated("the pictures were not safe")
    return made


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    told = answer.json()
    words = (told.get("error") or told.get("message")) if isinstance(told, dict) else None
    if answer.status == 422:
        return moderated(words if isinstance(words, str) else "")
    return failure(answer, words)


def _unmasked(request: AnyRequest) -> bool:
    return not has_mask(request)


_NEWER = ("ideogram-V_3",)
_LEGACY = ("ideogram-V_1*", "ideogram-V_2*")
_EDITORS = ("ideogram-V_2", "ideogram-V_2_TURBO")

TARGETS: Sequence[Target] = (
    Target(operation="ideogram.v3.generate", models=_NEWER, draw=draw, read=read, error=error),
    Target(operation="ideogram.v3.remix", models=_NEWER, edit=remix, takes=_unmasked, read=read, error=error),
    Target(operation="ideogram.v3.edit", models=_NEWER, edit=edit, takes=has_mask, read=read, error=error),
    Target(operation="ideogram.generate", models=_LEGACY, draw=draw_legacy, read=read, error=error),
    Target(operation="ideogram.remix", models=_LEGACY, edit=remix_legacy, takes=_unmasked, read=read, error=error),
    Target(operation="ideogram.edit", models=_EDITORS, edit=edit_legacy, takes=has_mask, read=read, error=error),
)
