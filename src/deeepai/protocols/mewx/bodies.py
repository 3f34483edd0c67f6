"""Bodies of MewXAI's submissions, and what is wrong with one.

The vendor's clients send every key, with an empty text where there is nothing: that counts as absent. Ids come as
numbers and as texts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from ...declare import DROP, Failure, Reason, Request
from ..common.bodies import SentAs
from .flags import flags, judge

Id: TypeAlias = int | str
Whole: TypeAlias = Annotated[int | Annotated[str, Meta(pattern=r"^-?[0-9]{1,9}$")], SentAs(int)]
"""A whole number that may come in quotes."""
MaybeWhole: TypeAlias = Annotated[
    int | Annotated[str, Meta(pattern=r"^(-?[0-9]{1,9})?$")], SentAs(lambda value: DROP if value == "" else int(value))
]
"""The same, or an empty text."""
Address: TypeAlias = Annotated[str, Meta(max_length=200)]
TextKind: TypeAlias = Literal["textart", "texthidden", "textshadow"]
MOST_PICTURE = 8 * 2**20
"""Characters of a QR code's picture in base64: one client sends up to 5 MB of bytes."""
MODES = (1, 5, 7, 8, 9)
"""Of control: the vendor gives them no names."""
TEXT_RATIOS = (1, 3, 4, 5, 6)
CUTE_RATIOS = (1, 5, 6, 10, 11)
CUTE_MODELS = ("200", "201", "202", "203")


class Called(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every submission may say."""

    callback_url: str | None = None


class Control(msgspec.Struct, kw_only=True):
    """How strongly the picture is held on to, and from when to when."""

    type: Whole
    weight: Whole
    guidance_start: float = 0
    guidance_end: float = 1


class Fusion(Called, kw_only=True, omit_defaults=True):
    """Body of a fusion of a picture with a style."""

    source_img: Address
    source_mode: Whole
    style_img: Address
    engine: Whole
    cn_list: Annotated[list[Control], Meta(min_length=1, max_length=1)]
    type: Literal["neuralstyle"] | None = None


class Code(Called, kw_only=True, omit_defaults=True):
    """Body of an art QR code; the prompt ends in flags."""

    prompt: str | None = None
    negative_prompt: str | None = None
    qr_content: str | None = None
    qr_image: Annotated[str, Meta(max_length=MOST_PICTURE)] | None = None
    model: Id | None = None
    template_id: Id | None = None


class Words(Called, kw_only=True, omit_defaults=True):
    """Body of creative text; the prompt ends in flags. `content` and `words` are other names of `text`."""

    type: TextKind
    text: str | None = None
    content: str | None = None
    words: str | None = None
    prompt: str | None = None
    model: Id | None = None
    template_id: Id | None = None
    ratio: MaybeWhole | None = None


class ExtraModel(msgspec.Struct, omit_defaults=True):
    """A further model that is mixed in."""

    id: Id
    weight: float = 0.5


Side: TypeAlias = Annotated[float, Meta(ge=256, le=1024)]
Prompt: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]
Audit: TypeAlias = Literal[0, 1, 2]


class CuteArgs(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a Cute picture is to be like."""

    prompt: Prompt
    upscaler: Literal[1, 2]
    ratio: int
    negative_prompt: Annotated[str, Meta(max_length=1000)] | None = None
    negative_type: Literal[0, 1, 2] | None = None
    extra_model: Annotated[list[ExtraModel], Meta(max_length=2)] = []
    audit: Audit = 0
    model: Id | None = None
    photo_format: Literal["jpg", "png"] | None = None
    width: Side | None = None
    height: Side | None = None


class Cute(Called, kw_only=True, omit_defaults=True):
    """Body of a Cute picture."""

    type: Literal["MX-CUTE"]
    args: CuteArgs


class PaintingArgs(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an MX picture is to be like."""

    prompt: Prompt
    ratio: Literal[1, 3, 4, 5, 6]
    upscaler: Literal[1, 2, 3, 4]
    model: Id
    negative_prompt: Annotated[str, Meta(max_length=1000)] | None = None
    negative_type: Literal[0, 1, 2] | None = None
    fix_faces: bool = False
    seed: Annotated[int, Meta(ge=1, le=999_999_999_999)] | None = None
    init_img_url: str | None = None
    denoising_strength: Annotated[float, Meta(ge=0, le=1)] | None = None
    cfg_scale: Annotated[float, Meta(ge=1, le=20)] | None = None
    extra_model: Annotated[list[ExtraModel], Meta(max_length=3)] = []
    audit: Literal[0, 1] = 0


class Painting(Called, kw_only=True, omit_defaults=True):
    """Body of an MX picture."""

    args: PaintingArgs
    type: Literal["default"] = "default"


class Either(msgspec.Struct, kw_only=True):
    """Body of a submission of either sort, which is asked about only."""

    type: Literal["default", "MX-CUTE"] = "default"
    args: dict[str, Any]


# Checks ------------------------------------------------------------------------------------------------------------


def among(value: Any, values: tuple[Any, ...], name: str) -> None:
    """Refuse a value that is none of some.

    Raises
    ------
    Failure
    """
    if value not in values:
        raise Failure(Reason.INVALID, f"{name} must be one of {', '.join(map(str, values))}", param=name)


def within(value: float, low: float, high: float, name: str) -> None:
    """Refuse a number out of bounds.

    Raises
    ------
    Failure
    """
    if not low <= value <= high:
        raise Failure(Reason.INVALID, f"{name} must be from {low:g} to {high:g}", param=name)


def numbered(value: Id | None, name: str, reason: Reason = Reason.INVALID) -> str:
    """Return an id as text, empty where there is none; ids are numbers, in quotes or without.

    Raises
    ------
    Failure
    """
    text = "" if value is None else str(value).strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Failure(reason, f"{name}: there is no '{text[:60]}'; an id is a number", param=name)
    return text


def check_fusion(request: Request[Fusion]) -> None:
    """Judge a fusion."""
    body, control = request.body, request.body.cn_list[0]
    for name in ("source_img", "style_img"):
        if not getattr(body, name):
            raise Failure(Reason.INVALID, f"{name} is required", param=name)
    among(int(body.source_mode), (1, 2), "source_mode")
    among(int(body.engine), (1, 2), "engine")
    among(int(control.type), MODES, "cn_list[0].type")
    within(int(control.weight), 0, 100, "cn_list[0].weight")
    within(control.guidance_start, 0, 1, "cn_list[0].guidance_start")
    within(control.guidance_end, control.guidance_start, 1, "cn_list[0].guidance_end")


def check_code(request: Request[Code]) -> None:
    """Judge an art QR code: what it says, and how it is to look."""
    body = request.body
    if not (body.qr_content or body.qr_image):
        raise Failure(Reason.INVALID, "qr_content or qr_image is required", param="qr_content")
    if body.qr_content and len(body.qr_content.encode()) > 1273:
        raise Failure(Reason.INVALID, "qr_content is longer than a QR code can hold (1273 bytes)", param="qr_content")
    # Whoever asks for a model that is none asks for none of the vendor's.
    model, template = numbered(body.model, "model", Reason.NO_MODEL), numbered(body.template_id, "template_id")
    if not template and not (model and (body.prompt or "").strip()):
        raise Failure(Reason.INVALID, "prompt and model are required where there is no template_id", param="prompt")
    judge(flags(body.prompt or ""), "v", "iw", "seed", "shape", "ar")


def check_words(request: Request[Words]) -> None:
    """Judge creative text."""
    body = request.body
    text = next(filter(None, ((one or "").strip() for one in (body.text, body.content, body.words))), "")
    if not text:
        raise Failure(Reason.INVALID, "text is required", param="text")
    if len(text) > 20:
        raise Failure(Reason.INVALID, "text is longer than 20 characters", param="text")
    model, template = numbered(body.model, "model", Reason.NO_MODEL), numbered(body.template_id, "template_id")
    if not template and not (model and (body.prompt or "").strip()):
        raise Failure(Reason.INVALID, "prompt and model are required where there is no template_id", param="prompt")
    if body.ratio not in (None, ""):
        among(int(body.ratio), TEXT_RATIOS, "ratio")
    judge(flags(body.prompt or ""), "iw", "seed", "type")


def check_picture(request: Request[Cute] | Request[Painting]) -> None:
    """Judge a picture."""
    judge_picture(request.body)


def judge_picture(body: Cute | Painting) -> None:
    """Judge what a picture is to be like.

    Raises
    ------
    Failure
    """
    if isinstance(body, Cute):
        among(body.args.ratio, CUTE_RATIOS, "args.ratio")
        if body.args.model not in (None, ""):
            among(str(body.args.model), CUTE_MODELS, "args.model")
    elif not numbered(body.args.model, "args.model"):
        raise Failure(Reason.INVALID, "args.model is required", param="args.model")
    for extra in body.args.extra_model:
        numbered(extra.id, "args.extra_model.id")


def read_either(request: Request[Either]) -> Cute | Painting:
    """Return the submission that is asked about, judged.

    Raises
    ------
    Failure
        It could not be one.
    """
    kind = Cute if request.body.type == "MX-CUTE" else Painting
    try:
        body = msgspec.json.decode(request.raw, type=kind)
    except msgspec.ValidationError as fault:
        raise Failure(Reason.INVALID, str(fault), param="args") from None
    judge_picture(body)
    return body
