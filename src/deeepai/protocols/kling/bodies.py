"""Bodies of Kling's requests: what the gateway must know of them; all other fields pass through.

Source: the vendor's document (copies of 2025 and 2026), and its client for ComfyUI, which sends numbers as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ...declare import Failure, Reason, Request

Whole: TypeAlias = Annotated[int, Meta(ge=1, le=9)] | Annotated[str, Meta(pattern="^[1-9]$")]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=60)] | Annotated[str, Meta(pattern="^[1-9][0-9]?$")]
Number: TypeAlias = float | Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Flag: TypeAlias = bool | Annotated[str, Meta(pattern="^(true|false)$")]
Mode: TypeAlias = Annotated[str, Meta(pattern="^(std|pro)$")]
Prompt: TypeAlias = Annotated[str, Meta(max_length=2500)]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every task's body may have."""

    callback_url: str | None = None
    external_task_id: str | None = None


class ModelBody(Body, kw_only=True, omit_defaults=True):
    """A body that may name its model, under the name that the vendor reads or an older one."""

    model_name: str | None = None
    model: str | None = None


class VideoBody(ModelBody, kw_only=True, omit_defaults=True):
    """Body of a video."""

    prompt: Prompt | None = None
    mode: Mode | None = None
    duration: Seconds | None = None
    sound: Annotated[str, Meta(pattern="^(on|off)$")] | None = None
    cfg_scale: Number | None = None
    multi_shot: Flag | None = None
    image: str | None = None
    image_tail: str | None = None


class SeveralImagesBody(VideoBody, kw_only=True, omit_defaults=True):
    """Body of a video from several pictures."""

    image_list: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=4)]


class ExtendBody(Body, kw_only=True, omit_defaults=True):
    """Body of an extension of a video, which is named by the vendor's id."""

    video_id: str
    prompt: Prompt | None = None
    cfg_scale: Number | None = None


class Speech(msgspec.Struct, omit_defaults=True):
    """Whose lips move."""

    video_id: str | None = None
    video_url: str | None = None


class LipSyncBody(Body, kw_only=True, omit_defaults=True):
    """Body of a lip-sync."""

    input: Speech


class Effect(msgspec.Struct, omit_defaults=True):
    """What an effect is done to."""

    model_name: str | None = None
    mode: Mode | None = None
    duration: Seconds | None = None


class EffectsBody(Body, kw_only=True, omit_defaults=True):
    """Body of an effect."""

    effect_scene: str
    input: Effect


class ImagesBody(ModelBody, kw_only=True, omit_defaults=True):
    """Body of pictures."""

    prompt: Prompt
    n: Whole | None = None
    image: str | None = None
    image_fidelity: Number | None = None
    human_fidelity: Number | None = None


class TryOnBody(ModelBody, kw_only=True, omit_defaults=True):
    """Body of a try-on."""

    human_image: str


def check_text(request: Request[VideoBody]) -> None:
    """Ask for a prompt, if not for each shot."""
    if not request.body.prompt and request.body.multi_shot in (None, False, "false"):
        raise Failure(Reason.INVALID, "prompt is required", param="prompt")


def check_image(request: Request[VideoBody]) -> None:
    """Ask for a first or a last frame."""
    if not request.body.image and not request.body.image_tail:
        raise Failure(Reason.INVALID, "image or image_tail is required", param="image")


# Types -------------------------------------------------------------------------------------------------------------

TYPES: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("cfg_scale", "image_fidelity", "human_fidelity"), float),
    "n": int,
    "duration": str,
    "multi_shot": "true".__eq__,
}
"""What the vendor takes, where callers write numbers as texts, or the one text as a number."""


def typed(body: Body) -> dict[str, object]:
    """Return the fields that the vendor takes as another type than they were sent in."""
    values = {name: getattr(body, name, None) for name in TYPES}
    wrong = {name for name, value in values.items() if isinstance(value, str) != (TYPES[name] is str)}
    return {name: TYPES[name](values[name]) for name in wrong if values[name] is not None}
