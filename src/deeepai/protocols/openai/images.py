"""Images."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...declare import Answer, Kind, Operation, Request, Text, Usage
from ..common import body_model
from .common import ModelName, model_patch


class ImageBody(msgspec.Struct, omit_defaults=True):
    """Body of an image generation."""

    model: ModelName
    prompt: Annotated[str, Meta(min_length=1, max_length=32000)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    response_format: Annotated[str, Meta(pattern="^(url|b64_json)$")] | None = None
    output_format: str | None = None
    seed: int | None = None


def image_params(body: ImageBody) -> dict[str, str]:
    """Return what an image's price depends on."""
    return {"size": body.size or "auto", "quality": body.quality or "auto"}


def image_estimate(request: Request) -> Usage:
    """Estimate an image call: so many images of that size and quality."""
    body: ImageBody = request.body
    return Usage(images=body.n or 1, params=image_params(body), basis="estimated")


class ImageTokens(msgspec.Struct):
    """Parts of an image call's input tokens."""

    text_tokens: int | None = 0
    image_tokens: int | None = 0


class ImageUsage(msgspec.Struct):
    """Usage of the token-priced image models."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: ImageTokens | None = None


class ImageAnswer(msgspec.Struct):
    """What of an image answer is metered."""

    data: list[msgspec.Raw] = []
    usage: ImageUsage | None = None


def image_usage(request: Request, answer: Answer) -> Usage | None:
    """Count the images, and read the tokens where the vendor tells them."""
    try:
        found = msgspec.json.decode(answer.body, type=ImageAnswer)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return image_estimate(request)
    params = image_params(request.body)
    if found.usage is None:
        return Usage(images=len(found.data), params=params, basis="counted") if found.data else None
    details = found.usage.input_tokens_details
    image_in = (details.image_tokens or 0) if details else 0
    return Usage(
        images=len(found.data),
        input=max(0, found.usage.input_tokens - image_in),
        image_in=image_in,
        image_out=found.usage.output_tokens,
        params=params,
        basis="vendor",
    )


OPERATIONS = (
    Operation(
        name="images.generations",
        method="POST",
        path="/v1/images/generations",
        native="/images/generations",
        kind=Kind.CALL,
        rows=(31,),
        summary=Text("Create images", "生成图片"),
        body=ImageBody,
        example={"model": "flux-dev", "prompt": "A cat in a spacesuit", "size": "1024x1024"},
        example_answer={"created": 1760000000, "data": [{"url": "https://…", "revised_prompt": "…"}]},
        model=body_model,
        estimate=image_estimate,
        usage=image_usage,
        patch=model_patch,
    ),
)
