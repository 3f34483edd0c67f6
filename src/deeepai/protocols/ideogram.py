"""Ideogram's wire format: the legacy endpoints (generate, remix, upscale, describe …) and version 3; all synchronous.

Source: the vendor's OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from ..declare import (
    Answer,
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Failure,
    Json,
    Outputs,
    Protocol,
    Reason,
    Reply,
    Request,
    Text,
    Usage,
)

T = TypeVar("T")
Count = Annotated[int, Meta(ge=1, le=8)]
Percent = Annotated[int, Meta(ge=1, le=100)]
Seed = Annotated[int, Meta(ge=0, le=2147483647)]
Prompt = Annotated[str, Meta(min_length=1, description="What to draw")]
LegacyModel = Annotated[str, Meta(pattern="^(V_1|V_1_TURBO|V_2|V_2_TURBO|V_2A|V_2A_TURBO|V_3|AUTO)$")]
Speed = Annotated[str, Meta(pattern="^(FLASH|TURBO|BALANCED|DEFAULT|QUALITY)$")]
DEFAULT_MODEL = "V_2"


class ImageRequest(msgspec.Struct, omit_defaults=True):
    """What the legacy endpoints wrap into `image_request`."""

    prompt: Prompt
    model: LegacyModel = DEFAULT_MODEL
    num_images: Count = 1
    seed: Seed | None = None
    image_weight: Percent | None = None


class UpscaleRequest(msgspec.Struct, omit_defaults=True):
    """The wrapped part of an upscale."""

    prompt: str | None = None
    resemblance: Percent | None = None
    detail: Percent | None = None
    num_images: Count = 1
    seed: Seed | None = None


class GenerateBody(msgspec.Struct):
    """Body of the legacy generate."""

    image_request: ImageRequest


class EditBody(msgspec.Struct, omit_defaults=True):
    """Form of the legacy edit: flat fields."""

    prompt: Prompt
    model: LegacyModel
    num_images: Count = 1


class ReframeBody(msgspec.Struct, omit_defaults=True):
    """Form of the legacy reframe."""

    resolution: str
    model: LegacyModel
    num_images: Count = 1


class DescribeBody(msgspec.Struct, omit_defaults=True):
    """Form of a description."""

    describe_model_version: str | None = None


class V3Body(msgspec.Struct, omit_defaults=True):
    """Body or form of version 3."""

    prompt: Prompt
    num_images: Count = 1
    rendering_speed: Speed = "DEFAULT"
    seed: Seed | None = None


class V3ReframeBody(msgspec.Struct, omit_defaults=True):
    """Form of version 3's reframe."""

    resolution: str
    num_images: Count = 1
    rendering_speed: Speed = "DEFAULT"


ImagesBody: TypeAlias = GenerateBody | EditBody | ReframeBody | V3Body | V3ReframeBody | None
"""Body of a call that makes images; None where its fields stand in a part of the form."""
BodyT = TypeVar("BodyT", bound=ImagesBody)


# Errors ------------------------------------------------------------------------------------------------------------


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: a sentence, under both names that its clients read."""
    return Reply({"error": failure.message, "message": failure.message}, failure.kind.status)


def channel_fault(answer: Answer) -> bool:
    """Bad key (401 or, on some endpoints, 403) or no credit."""
    return answer.status in (401, 402, 403)


# Bodies ------------------------------------------------------------------------------------------------------------


def _wrapped(request: AnyRequest, kind: type[T]) -> T:
    """Read the JSON in the part `image_request`, which some clients send as a file."""
    for part in request.parts:
        if part.name == "image_request":
            try:
                return msgspec.json.decode(part.data, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
                raise Failure(Reason.INVALID, f"image_request: {fault}", param="image_request") from None
    raise Failure(Reason.INVALID, "image_request is required", param="image_request")


def needs(*files: str, wrapped: type[msgspec.Struct] | None = None) -> Callable[[AnyRequest], None]:
    """Make the check that a form has its files, and its wrapped part."""

    def check(request: AnyRequest) -> None:
        sent = {part.name for part in request.parts if len(part.data)}
        for name in files:
            if name not in sent:
                raise Failure(Reason.INVALID, f"{name} is required", param=name)
        if wrapped is not None:
            _wrapped(request, wrapped)

    return check


# Models and prices -------------------------------------------------------------------------------------------------


def _legacy_model(name: str) -> str:
    return f"ideogram-{'V_2' if name == 'AUTO' else name}"


def generate_model(request: Request[GenerateBody]) -> str:
    """Name the model of a legacy generate."""
    return _legacy_model(request.body.image_request.model)


def remix_model(request: AnyRequest) -> str:
    """Name the model of a remix."""
    return _legacy_model(_wrapped(request, ImageRequest).model)


def form_model(request: Request[EditBody | ReframeBody]) -> str:
    """Name the model of a legacy edit or reframe."""
    return _legacy_model(request.body.model)


def wanted(request: Request[ImagesBody]) -> int:
    """Return how many images are asked for."""
    body = request.body
    if body is None:
        return _wrapped(request, UpscaleRequest).num_images
    return body.image_request.num_images if isinstance(body, GenerateBody) else body.num_images


def _images(request: Request[ImagesBody], count: int) -> Usage:
    """Count images, with what the price of version 3's depends on."""
    body, params = request.body, dict[str, str]()
    if isinstance(body, V3Body | V3ReframeBody):
        params["rendering_speed"] = body.rendering_speed
        if any(part.name.startswith("character_reference_images") for part in request.parts):
            params["character_reference"] = "true"
    return Usage(images=count, params=params)


def estimate(request: Request[ImagesBody]) -> Usage:
    """Estimate: as many images as are asked for."""
    return _images(request, wanted(request))


def usage(request: Request[ImagesBody], answer: Answer) -> Usage | None:
    """Count the images that came, of those that were asked for: an unsafe one has no address and costs nothing."""
    count = min(len(addresses(answer.json())), wanted(request))
    return msgspec.structs.replace(_images(request, count), basis="counted") if count else None


def addresses(body: Json) -> Sequence[str]:
    """Return the pictures' addresses, which expire."""
    items = body.get("data") if isinstance(body, dict) else None
    urls = [item.get("url") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [url for url in urls if isinstance(url, str) and url]


def one_call(request: AnyRequest) -> Usage:
    """One call."""
    return Usage(calls=1)


def described(request: AnyRequest, answer: Answer) -> Usage | None:
    """One call, if it brought a description."""
    found = answer.json()
    return Usage(calls=1) if isinstance(found, dict) and found.get("descriptions") else None


# Operations --------------------------------------------------------------------------------------------------------


_OUTPUTS = Outputs(addresses)
_PICTURES = AnswerShape(fields=("data",))


def _legacy_operation(
    name: str,
    row: int | None,
    summary: Text,
    *,
    model: Callable[[Request[BodyT]], str],
    body: type[BodyT] | None = None,
    files: Sequence[str] = (),
    wrapped: type[msgspec.Struct] | None = None,
    models: tuple[str, ...] = (),
) -> Call[BodyT]:
    return Call(
        name=name,
        shape=_PICTURES,
        models=models,
        method="POST",
        path=f"/ideogram/{name}",
        upstream_template=f"/{name}",
        rows=(row,) if row is not None else (),
        summary=summary,
        body=body,
        media="multipart" if files else "json",
        files=dict.fromkeys(files, True),
        check=needs(*files, wrapped=wrapped) if files else None,
        example={"image_request": {"prompt": "A cat in a spacesuit"}} if wrapped is not None else {},
        model=model,
        estimate=estimate,
        usage=usage,
        outputs=_OUTPUTS,
    )


def _v3_operation(
    name: str, summary: Text, *, files: Sequence[str] = (), body: type[V3Body | V3ReframeBody] = V3Body
) -> Call[V3Body | V3ReframeBody]:
    return Call(
        name=f"v3.{name}",
        shape=_PICTURES,
        models=("ideogram-V_3",),
        method="POST",
        path=f"/ideogram/v1/ideogram-v3/{name}",
        aliases=(f"/v1/ideogram-v3/{name}",),
        upstream_template=f"/v1/ideogram-v3/{name}",
        summary=summary,
        body=body,
        media="multipart" if files else "either",
        files=dict.fromkeys(files, True),
        check=needs(*files) if files else None,
        model=lambda request: "ideogram-V_3",
        estimate=estimate,
        usage=usage,
        outputs=_OUTPUTS,
    )


ideogram = Protocol(
    name="ideogram",
    title=Text("Ideogram", "Ideogram(官方格式)"),
    base_url="https://api.ideogram.ai",
    env_key="IDEOGRAM_API_KEY",
    env_base_url="IDEOGRAM_BASE_URL",
    models=(
        *(f"ideogram-{name}" for name in ("V_1", "V_1_TURBO", "V_2", "V_2_TURBO", "V_2A", "V_2A_TURBO", "V_3")),
        "ideogram-upscale",
        "ideogram-describe",
    ),
    key_headers=("api-key",),
    own_paths=("/ideogram/", "/v1/ideogram-v3/"),
    authorize=lambda credential: {"api-key": credential},
    error=error,
    channel_fault=channel_fault,
    operations=(
        _legacy_operation(
            "generate", 32, Text("Generate images", "Generate(文生图)"), model=generate_model, body=GenerateBody
        ),
        _legacy_operation(
            "remix",
            33,
            Text("Remix an image", "Remix(混合图)"),
            model=remix_model,
            files=("image_file",),
            wrapped=ImageRequest,
        ),
        _legacy_operation(
            "upscale",
            34,
            Text("Upscale an image", "Upscale(放大高清)"),
            model=lambda request: "ideogram-upscale",
            models=("ideogram-upscale",),
            files=("image_file",),
            wrapped=UpscaleRequest,
        ),
        Call(
            name="describe",
            shape=AnswerShape(fields=("descriptions",)),
            models=("ideogram-describe",),
            method="POST",
            path="/ideogram/describe",
            upstream_template="/describe",
            rows=(35,),
            summary=Text("Describe an image", "Describe(描述)"),
            body=DescribeBody,
            media="multipart",
            files={"image_file": True},
            check=needs("image_file"),
            model=lambda request: "ideogram-describe",
            estimate=one_call,
            usage=described,
        ),
        _legacy_operation(
            "edit",
            None,
            Text("Edit an image", "Edit(编辑)"),
            model=form_model,
            body=EditBody,
            files=("image_file", "mask"),
        ),
        _legacy_operation(
            "reframe",
            None,
            Text("Reframe an image", "Reframe(扩展画幅)"),
            model=form_model,
            body=ReframeBody,
            files=("image_file",),
        ),
        _v3_operation("generate", Text("Generate images (3.0)", "Generate 3.0(文生图)")),
        _v3_operation("remix", Text("Remix an image (3.0)", "Remix 3.0(混合图)"), files=("image",)),
        _v3_operation("edit", Text("Edit an image (3.0)", "Edit 3.0(编辑)"), files=("image", "mask")),
        _v3_operation("inpaint", Text("Inpaint an image (3.0)", "Inpaint 3.0(局部重绘)"), files=("image", "mask")),
        _v3_operation(
            "reframe", Text("Reframe an image (3.0)", "Reframe 3.0(扩展画幅)"), files=("image",), body=V3ReframeBody
        ),
        _v3_operation(
            "replace-background",
            Text("Replace the background (3.0)", "Replace background 3.0(替换背景)"),
            files=("image",),
        ),
    ),
)
