"""Forms and bodies of Stability AI's calls, and what relates their fields. Numbers come as text in forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from ...declare import (
    AnyRequest,
    Failure,
    Reason,
    Request,
)

DEFAULT_SD3 = "sd3.5-large"
Prompt = Annotated[str, Meta(min_length=1, max_length=10_000, description="What to draw; `(word:weight)` weighs")]
Text10k = Annotated[str, Meta(max_length=10_000)]
Seed = Annotated[float, Meta(ge=0, le=4294967294, description="0: a random one")]
Share = Annotated[float, Meta(ge=0, le=1)]
Side = Annotated[float, Meta(ge=0, le=2000, description="Pixels")]
Format = Literal["png", "jpeg", "webp"]
Ratio = Literal["21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21"]
Style = Literal[
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
]


class OutputForm(msgspec.Struct, omit_defaults=True):
    """Form of a call that takes little more than a picture."""

    seed: Seed | None = None
    output_format: Format | None = None


class CutOutForm(msgspec.Struct, omit_defaults=True):
    """Form of remove-background."""

    output_format: Literal["png", "webp"] | None = None


class PromptForm(msgspec.Struct, omit_defaults=True):
    """What most forms have."""

    prompt: Prompt
    negative_prompt: Text10k | None = None
    seed: Seed | None = None
    output_format: Format | None = None


class CoreForm(PromptForm, omit_defaults=True):
    """Form of Stable Image Core."""

    aspect_ratio: Ratio | None = None
    style_preset: Style | None = None


class UltraForm(CoreForm, omit_defaults=True):
    """Form of Stable Image Ultra."""

    strength: Annotated[float, Meta(ge=0, le=1, description="Required with an image")] | None = None


class Sd3Form(msgspec.Struct, omit_defaults=True):
    """Form of Stable Diffusion 3."""

    prompt: Prompt
    model: Annotated[str, Meta(min_length=1, description=f"{DEFAULT_SD3} where none is given")] | None = None
    mode: Literal["text-to-image", "image-to-image"] | None = None
    negative_prompt: Text10k | None = None
    aspect_ratio: Ratio | None = None
    strength: Annotated[float, Meta(ge=0, le=1, description="Only with image-to-image")] | None = None
    seed: Seed | None = None
    cfg_scale: Annotated[float, Meta(ge=1, le=10)] | None = None
    style_preset: Style | None = None
    output_format: Literal["png", "jpeg"] | None = None


class ConservativeForm(PromptForm, omit_defaults=True):
    """Form of the conservative upscale."""

    creativity: Annotated[float, Meta(ge=0.2, le=0.5)] | None = None


class CreativeForm(PromptForm, omit_defaults=True):
    """Form of the creative upscale."""

    creativity: Annotated[float, Meta(ge=0, le=0.35)] | None = None


class EraseForm(OutputForm, omit_defaults=True):
    """Form of erase."""

    grow_mask: Annotated[float, Meta(ge=0, le=20)] | None = None


class InpaintForm(PromptForm, omit_defaults=True):
    """Form of inpaint."""

    grow_mask: Annotated[float, Meta(ge=0, le=100)] | None = None


class OutpaintForm(OutputForm, omit_defaults=True):
    """Form of outpaint: at least one side grows."""

    left: Side | None = None
    right: Side | None = None
    up: Side | None = None
    down: Side | None = None
    creativity: Share | None = None
    prompt: Text10k | None = None


class ReplaceForm(PromptForm, kw_only=True, omit_defaults=True):
    """Form of search-and-replace."""

    search_prompt: Prompt
    grow_mask: Annotated[float, Meta(ge=0, le=20)] | None = None


class RecolorForm(PromptForm, kw_only=True, omit_defaults=True):
    """Form of search-and-recolor."""

    select_prompt: Prompt
    grow_mask: Annotated[float, Meta(ge=0, le=20)] | None = None


class RelightForm(OutputForm, omit_defaults=True):
    """Form of replace-background-and-relight."""

    background_prompt: Text10k | None = None
    foreground_prompt: Text10k | None = None
    negative_prompt: Text10k | None = None
    preserve_original_subject: Share | None = None
    original_background_depth: Share | None = None
    keep_original_background: Literal["true", "false"] | None = None
    light_source_direction: Literal["left", "right", "above", "below"] | None = None
    light_source_strength: Share | None = None


class ControlForm(PromptForm, omit_defaults=True):
    """Form of sketch and structure."""

    control_strength: Share | None = None


class StyleForm(PromptForm, omit_defaults=True):
    """Form of style."""

    aspect_ratio: Ratio | None = None
    fidelity: Share | None = None


class TransferForm(OutputForm, omit_defaults=True):
    """Form of style-transfer."""

    prompt: Text10k | None = None
    negative_prompt: Text10k | None = None


class VideoForm(msgspec.Struct, omit_defaults=True):
    """Form of image-to-video."""

    seed: Seed | None = None
    cfg_scale: Annotated[float, Meta(ge=0, le=10)] | None = None
    motion_bucket_id: Annotated[float, Meta(ge=1, le=255)] | None = None


class MeshForm(msgspec.Struct, omit_defaults=True):
    """Form of stable-fast-3d."""

    texture_resolution: Literal["512", "1024", "2048"] | None = None
    foreground_ratio: Annotated[float, Meta(ge=0.1, le=1)] | None = None
    remesh: Literal["none", "triangle", "quad"] | None = None
    vertex_count: Annotated[float, Meta(ge=-1, le=20_000)] | None = None


class TextPrompt(msgspec.Struct, omit_defaults=True):
    """A weighed prompt of v1."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    weight: float | None = None


class V1Options(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every v1 generation may say."""

    cfg_scale: Annotated[float, Meta(ge=0, le=35)] | None = None
    samples: Annotated[int, Meta(ge=1, le=10)] = 1
    steps: Annotated[int, Meta(ge=10, le=50)] = 30
    seed: Annotated[int, Meta(ge=0, le=4294967295)] | None = None
    sampler: str | None = None
    clip_guidance_preset: Literal["FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST"] | None = (
        None
    )
    style_preset: Style | None = None


class TextToImageBody(V1Options, kw_only=True, omit_defaults=True):
    """Body of v1's text-to-image."""

    text_prompts: Annotated[list[TextPrompt], Meta(min_length=1, description="A negative weight: what not to draw")]
    width: Annotated[int, Meta(ge=128, multiple_of=64)] | None = None
    height: Annotated[int, Meta(ge=128, multiple_of=64)] | None = None


class ImageToImageForm(V1Options, kw_only=True, omit_defaults=True):
    """Form of v1's image-to-image; prompts come as `text_prompts[0][text]`, `text_prompts[0][weight]` …"""

    init_image_mode: Literal["IMAGE_STRENGTH", "STEP_SCHEDULE"] | None = None
    image_strength: Share | None = None
    step_schedule_start: Share | None = None
    step_schedule_end: Share | None = None


class MaskingForm(V1Options, kw_only=True, omit_defaults=True):
    """Form of v1's masking."""

    mask_source: Literal["MASK_IMAGE_WHITE", "MASK_IMAGE_BLACK", "INIT_IMAGE_ALPHA"]


# Relations ---------------------------------------------------------------------------------------------------------

BodyT = TypeVar("BodyT")
_V1_PROMPT = re.compile(r"text_prompts\[\d+\]\[text\]")


def _sent(request: AnyRequest) -> set[str]:
    return {part.name for part in request.parts if len(part.data)}


def _bad(param: str, message: str) -> Failure:
    return Failure(Reason.INVALID, message, param=param)


def required(
    files: Mapping[str, bool], relation: Callable[[Request[BodyT]], None] | None
) -> Callable[[Request[BodyT]], None] | None:
    """Make the check that a form has its files, and what else a struct cannot say."""
    needed = [name for name, is_required in files.items() if is_required]
    if not needed:
        return relation

    def check(request: Request[BodyT]) -> None:
        sent = _sent(request)
        for name in needed:
            if name not in sent:
                raise Failure(Reason.INVALID, f"{name} is required", param=name, code="missing")
        if relation is not None:
            relation(request)

    return check


def check_ultra(request: Request[UltraForm]) -> None:
    """Ask for a strength beside an image."""
    if "image" in _sent(request) and request.body.strength is None:
        raise _bad("strength", "is required when image is given")


def check_sd3(request: Request[Sd3Form]) -> None:
    """Hold the two modes apart."""
    body = request.body
    has_image = "image" in _sent(request)
    if body.mode == "image-to-image":
        if not has_image or body.strength is None:
            raise _bad("strength" if has_image else "image", "is required with image-to-image")
        if body.aspect_ratio is not None:
            raise _bad("aspect_ratio", "is only valid with text-to-image")
    elif has_image or body.strength is not None:
        raise _bad("image" if has_image else "strength", "is only valid with image-to-image")


def check_outpaint(request: Request[OutpaintForm]) -> None:
    """Ask for a side that grows."""
    body = request.body
    if not any((body.left, body.right, body.up, body.down)):
        raise _bad("left", "at least one of left, right, up and down must be above 0")


def check_relight(request: Request[RelightForm]) -> None:
    """Ask for a background."""
    if not request.body.background_prompt and "background_reference" not in _sent(request):
        raise _bad("background_prompt", "is required where there is no background_reference")


def check_v1_prompts(request: AnyRequest) -> None:
    """Ask for a prompt, and for a mask where the picture's own alpha is none."""
    if not any(_V1_PROMPT.fullmatch(name) for name in _sent(request)):
        raise _bad("text_prompts", "is required")
    body = request.body
    if isinstance(body, MaskingForm) and body.mask_source != "INIT_IMAGE_ALPHA" and "mask_image" not in _sent(request):
        raise _bad("mask_image", "is required")
