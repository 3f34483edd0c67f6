"""Images: generations, edits, variations, and their streams of partial images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    COMMENT,
    Answer,
    AnswerShape,
    AnyRequest,
    Call,
    Failure,
    Json,
    Outputs,
    Reason,
    Request,
    Stream,
    StreamRules,
    Text,
    Usage,
    event_data,
)
from ..common.events import DATALESS, FAILURES, event_failure, unless, with_data
from ..common.usage import Count, Reader, within
from .common import ModelName, member, members, optional_model_patch, wants_stream
from .errors import error_object

GENERATION_MODEL, EDIT_MODEL = "dall-e-2", "gpt-image-1.5"
"""What OpenAI takes where no model is named."""
UNSERVED = (
    "No channel of this gateway makes images. An operator can add one with `deeepai channels add` and a key of OpenAI, "
    "Black Forest Labs, Google, Stability or Ideogram; test-mode tokens reach the sandbox"
)
_IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
"""Output tokens of a gpt-image of 1024x1024; of others by their area. Source: OpenAI's image generation guide."""
_BODY = 128 * 1024 * 1024


class ImageBody(msgspec.Struct, omit_defaults=True):
    """Body of an image generation."""

    prompt: Annotated[str, Meta(min_length=1, max_length=32000)]
    model: ModelName | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    response_format: Annotated[str, Meta(pattern="^(url|b64_json)$")] | None = None
    output_format: str | None = None
    stream: bool | None = None
    seed: int | None = None


class EditBody(msgspec.Struct, omit_defaults=True):
    """Fields of an edit: a form with one file or several as `image`, or JSON with `images`."""

    prompt: Annotated[str, Meta(min_length=1, max_length=32000)]
    model: ModelName | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    quality: str | None = None
    response_format: Annotated[str, Meta(pattern="^(url|b64_json)$")] | None = None
    stream: bool | None = None
    images: list[dict[str, Any]] | None = None


class VariationBody(msgspec.Struct, omit_defaults=True):
    """Fields of a variation."""

    model: ModelName | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    response_format: Annotated[str, Meta(pattern="^(url|b64_json)$")] | None = None


def generation_model(request: Request[ImageBody | VariationBody]) -> str:
    """Return the model that is asked for, or OpenAI's own choice."""
    return request.body.model or GENERATION_MODEL


def edit_model(request: Request[EditBody]) -> str:
    """Return the model that is asked for, or OpenAI's own choice."""
    return request.body.model or EDIT_MODEL


def check_edit(request: Request[EditBody]) -> None:
    """Refuse an edit without a picture."""
    if request.parts:
        has_image = any(part.name.partition("[")[0] == "image" and part.filename is not None for part in request.parts)
    else:
        has_image = bool(request.body.images)
    if not has_image:
        raise Failure(Reason.INVALID, "Missing required parameter: 'image'", param="image", code="missing")


def check_variation(request: AnyRequest) -> None:
    """Refuse a variation without a picture."""
    if not any(part.name == "image" and part.filename is not None for part in request.parts):
        raise Failure(Reason.INVALID, "Missing required parameter: 'image'", param="image", code="missing")


# Usage -------------------------------------------------------------------------------------------------------------


def image_params(body: ImageBody | EditBody | VariationBody) -> dict[str, str]:
    """Return what an image's price depends on."""
    quality = None if isinstance(body, VariationBody) else body.quality
    return {"size": body.size or "auto", "quality": quality or "auto"}


def image_estimate(request: Request[ImageBody | EditBody | VariationBody]) -> Usage:
    """Estimate an image call: so many images of that size and quality."""
    return Usage(calls=1, images=request.body.n or 1, params=image_params(request.body), basis="estimated")


class ImageTokens(msgspec.Struct):
    """Parts of an image call's tokens."""

    text_tokens: Count = None
    image_tokens: Count = None


class ImageUsage(msgspec.Struct):
    """Usage of the token-priced image models."""

    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: ImageTokens | None = None
    output_tokens_details: ImageTokens | None = None


class ImageAnswer(msgspec.Struct):
    """What of an image answer, or of a stream's event with an image, is metered."""

    data: list[msgspec.Raw] = []
    usage: ImageUsage | None = None
    size: str | None = None
    quality: str | None = None


_ANSWER: Final = Reader(ImageAnswer)


def _usage(answer: ImageAnswer, params: dict[str, str], images: int) -> Usage:
    actual = {"size": answer.size, "quality": answer.quality}
    params = {**params, **{name: value for name, value in actual.items() if value}}
    told = answer.usage
    if told is None or not (told.input_tokens or told.output_tokens):
        return Usage(calls=1, images=images, params=params, basis="counted")
    inputs, outputs = told.input_tokens_details, told.output_tokens_details
    input, output = told.input_tokens or 0, told.output_tokens or 0
    (image_in,) = within(input, inputs.image_tokens if inputs else None)
    (text_out,) = within(output, outputs.text_tokens if outputs else None)
    return Usage(
        calls=1,
        images=images,
        input=input - image_in,
        image_in=image_in,
        output=text_out,
        image_out=output - text_out,
        params=params,
        basis="vendor",
    )


def image_usage(request: Request[ImageBody | EditBody | VariationBody], answer: Answer) -> Usage | None:
    """Count the images, of those that were asked for, and read the tokens where the vendor tells them."""
    if not answer.body.lstrip().startswith(b"{"):
        return image_estimate(request)
    metered = _ANSWER.read(answer.body)
    if metered.usage is None and not metered.data:
        return None
    return _usage(metered, image_params(request.body), min(len(metered.data), request.body.n or 1))


def _texts(answer: Json, name: str) -> Sequence[str]:
    texts = [member(item, name) for item in members(answer, "data")]
    return [text for text in texts if isinstance(text, str)]


def addresses(answer: Json) -> Sequence[str]:
    """Return the addresses of an answer's images, which OpenAI forgets within the hour."""
    return _texts(answer, "url")


def wanted_inline(answer: Json) -> Sequence[str]:
    """Return addresses that stand where an image's bytes are wanted: a vendor that has only those made it."""
    return [text for text in _texts(answer, "b64_json") if text.startswith(("http://", "https://"))]


_OUTPUTS: Final = Outputs(of=addresses, inline=wanted_inline)


# Streams -----------------------------------------------------------------------------------------------------------


def ends(event: bytes) -> bool:
    """Tell whether an event brings a finished image; there may be several."""
    return b"image_generation.completed" in event[:80] or b"image_edit.completed" in event[:80]


class Begun(Usage, frozen=True, omit_defaults=True):
    """Usage whose last image is a partial one."""


def event_usage(event: bytes) -> Usage | None:
    """Count an image that is finished, or has begun to come; the vendor makes that one whoever leaves."""
    partial = b".partial_image" in event[:80]
    if not partial and not ends(event):
        return None
    usage = _usage(_ANSWER.read(event_data(event)), {}, 1)
    if not partial:
        return usage
    return Begun(calls=1, images=1, image_out=_tokens(usage.params), params=usage.params, basis="counted")


def _tokens(params: Mapping[str, str]) -> int:
    """Return the tokens of an image of that size and quality."""
    each = _IMAGE_TOKENS.get(params.get("quality", ""), _IMAGE_TOKENS["medium"])
    size = re.fullmatch(r"(\d{1,4})x(\d{1,4})", params.get("size", ""))
    return each * int(size[1]) * int(size[2]) // 1024**2 if size else each


def add(first: Usage, later: Usage) -> Usage:
    """Put the usage of two images together; what an image had begun with gives way to what comes of it."""
    images, image_out = first.images, first.image_out
    if isinstance(first, Begun):
        images, image_out = images - 1, image_out - _tokens(first.params)
    return type(later)(
        calls=1,
        images=images + later.images,
        input=first.input + later.input,
        image_in=first.image_in + later.image_in,
        output=first.output + later.output,
        image_out=image_out + later.image_out,
        params=later.params,
        basis=later.basis,
    )


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"event: error\ndata: " + msgspec.json.encode({"type": "error", "error": error_object(failure)}) + b"\n\n"


IMAGE_MODELS: Final = ("dall-e*", "gpt-image-*", "chatgpt-image-*")

STREAM: Final[StreamRules[ImageBody | EditBody]] = StreamRules(
    wanted=wants_stream,
    usage=event_usage,
    visible=with_data,
    text=lambda event: "",
    prompt=lambda request: request.body.prompt,
    is_last=ends,
    error=stream_error,
    scan_for=(b".completed", b".partial_image", *FAILURES, *DATALESS),
    only_opens=unless("image_"),
    failure=event_failure,
    merge=add,
    choices=lambda request: request.body.n or 1,
    at_close=True,
    keep_alive=COMMENT,
)

_DATA: Final = AnswerShape(fields=("data",))
_EXAMPLE_ANSWER = {"created": 1760000000, "data": [{"url": "https://…", "revised_prompt": "…"}]}

OPERATIONS = (
    Stream(
        name="images.generations",
        endpoint_type="image-generation",
        shape=_DATA,
        models=IMAGE_MODELS,
        method="POST",
        path="/v1/images/generations",
        upstream_template="/images/generations",
        rules=STREAM,
        rows=(6, 31),
        summary=Text("Create images", "生成图片"),
        body=ImageBody,
        example={"model": "dall-e-3", "prompt": "A cat in a spacesuit", "size": "1024x1024"},
        example_answer=_EXAMPLE_ANSWER,
        answers=("application/json", "text/event-stream"),
        model=generation_model,
        estimate=image_estimate,
        usage=image_usage,
        patch=optional_model_patch,
        outputs=_OUTPUTS,
        passthrough=True,
        unserved=UNSERVED,
    ),
    Stream(
        name="images.edits",
        shape=_DATA,
        models=IMAGE_MODELS,
        method="POST",
        path="/v1/images/edits",
        upstream_template="/images/edits",
        rules=STREAM,
        rows=(6,),
        summary=Text("Edit images", "编辑图片"),
        body=EditBody,
        media="either",
        files={"image": True, "mask": False},
        check=check_edit,
        example={
            "model": "gpt-image-1",
            "prompt": "Put a hat on the cat",
            "images": [{"image_url": "https://example.com/cat.png"}],
        },
        example_answer=_EXAMPLE_ANSWER,
        answers=("application/json", "text/event-stream"),
        model=edit_model,
        estimate=image_estimate,
        usage=image_usage,
        patch=optional_model_patch,
        outputs=_OUTPUTS,
        passthrough=True,
        unserved=UNSERVED,
        max_body=_BODY,
    ),
    Call(
        name="images.variations",
        shape=_DATA,
        models=IMAGE_MODELS,
        method="POST",
        path="/v1/images/variations",
        upstream_template="/images/variations",
        rows=(6,),
        summary=Text("Vary an image", "图片变体"),
        body=VariationBody,
        media="multipart",
        files={"image": True},
        check=check_variation,
        example={"model": "dall-e-2", "size": "256x256"},
        example_answer=_EXAMPLE_ANSWER,
        model=generation_model,
        estimate=image_estimate,
        usage=image_usage,
        patch=optional_model_patch,
        outputs=_OUTPUTS,
        passthrough=True,
        unserved=UNSERVED,
    ),
)
