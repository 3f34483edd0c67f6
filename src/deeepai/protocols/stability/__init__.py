"""Stability AI's wire format: v2beta (forms in, one picture out; some calls are polled) and v1 (SDXL).

Source: the vendor's OpenAPI 3.0.3 document. One credit is 0.01 USD.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from ...declare import (Answer, Call, Facts, Failure, Fetch, Json, Kind, Local, Operation, Protocol, Reason, Reply, Request, Submit, TaskRules, Text, UpstreamCall, Usage, View,)
from ..common import bearer
from .forms import (
    DEFAULT_SD3,
    Check,
    ConservativeForm,
    ControlForm,
    CoreForm,
    CreativeForm,
    CutOutForm,
    EraseForm,
    ImageToImageForm,
    InpaintForm,
    MaskingForm,
    MeshForm,
    OutpaintForm,
    OutputForm,
    RecolorForm,
    RelightForm,
    ReplaceForm,
    Sd3Form,
    StyleForm,
    TextToImageBody,
    TransferForm,
    UltraForm,
    VideoForm,
    check_outpaint,
    check_relight,
    check_sd3,
    check_ultra,
    check_v1_prompts,
    required,
)
from .tasks import accept, ends, poll, read, render, render_asked, submitted, wants_json

MOST = 10 * 1024 * 1024
"""Bytes that a request may have."""
CREDIT = 10_000_000
"""10⁻⁹ USD."""
ENGINES = {
    "stable-diffusion-xl-1024-v1-0": "Stable Diffusion XL v1.0",
    "stable-diffusion-v1-6": "Stable Diffusion v1.6",
}
SD3_MODELS = (
    "sd3.5-large",
    "sd3.5-large-turbo",
    "sd3.5-medium",
    "sd3.5-flash",
    "sd3-large",
    "sd3-large-turbo",
    "sd3-medium",
    "sd3",
    "sd3-turbo",
)
OTHER_MODELS = (
    "stable-image-ultra",
    "stable-image-core",
    *(f"stable-image-upscale-{name}" for name in ("fast", "conservative", "creative")),
    *(
        f"stable-image-edit-{name}"
        for name in (
            "erase",
            "inpaint",
            "outpaint",
            "search-and-replace",
            "search-and-recolor",
            "remove-background",
            "replace-background-and-relight",
        )
    ),
    *(f"stable-image-control-{name}" for name in ("sketch", "structure", "style", "style-transfer")),
    "stable-image-to-video",
    "stable-fast-3d",
)


# Errors ------------------------------------------------------------------------------------------------------------

_NAMES: Mapping[Reason, tuple[int, str]] = {
    Reason.INVALID: (400, "bad_request"),
    Reason.BAD_MEDIA: (400, "bad_request"),
    Reason.UNAUTHENTICATED: (401, "unauthorized"),
    Reason.UNFUNDED: (402, "payment_required"),
    Reason.FORBIDDEN: (403, "permission_denied"),
    Reason.NO_MODEL: (404, "not_found"),
    Reason.TOO_LARGE: (413, "payload_too_large"),
    Reason.RATE_LIMITED: (429, "rate_limit_exceeded"),
}


def error(failure: Failure, operation: Operation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: v2beta lists `errors`, v1 has one `message`; a 401 of v2beta has both."""
    kind = failure.kind
    status, name = _NAMES.get(kind, (kind.status, kind.word))
    said = failure.message
    if failure.code == "missing":
        said = "is required"
    elif failure.param is not None:
        said = said.removeprefix(f"Invalid value for '{failure.param}': ")
    if failure.param is not None and not said.startswith(f"{failure.param}: "):
        said = f"{failure.param}: {said}"
    body: dict[str, Json] = {"id": name if kind is Reason.RATE_LIMITED else request_id, "name": name}
    is_v1 = operation is not None and "/v1/" in operation.path
    if not is_v1:
        body["errors"] = [said]
    if is_v1 or kind is Reason.UNAUTHENTICATED:
        body["message"] = said
    return Reply(body, status)


def channel_fault(answer: Answer) -> bool:
    """Bad key, no credits, or a key without rights; a refused prompt is a 403 too, and is the caller's."""
    return answer.status in (401, 402) or (answer.status == 403 and b"permission_denied" in answer.body)


# Models, headers, usage --------------------------------------------------------------------------------------------


def sd3_model(request: Request) -> str:
    """Name the model; the vendor's default where none is given, which is left out on the wire too."""
    return request.body.model or DEFAULT_SD3


def sd3_patch(request: Request, facts: Facts) -> dict[str, Json]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != sd3_model(request) else {}


def engine(request: Request) -> str:
    """Name the engine in the path."""
    return request.params["engine_id"]


def v2_headers(request: Request, facts: Facts) -> Mapping[str, str]:
    """Say what is accepted in one of the two ways that the vendor knows."""
    return {"accept": "application/json" if wants_json(request) else "image/*"}


def v1_headers(request: Request, facts: Facts) -> Mapping[str, str]:
    """Say what is accepted: JSON unless a picture is asked for."""
    wants_picture = request.header("accept").strip().lower().startswith("image/")
    return {"accept": "image/png" if wants_picture else "application/json"}


def one_image(request: Request) -> Usage:
    """One image."""
    return Usage(images=1)


def one_call(request: Request) -> Usage:
    """One call."""
    return Usage(calls=1)


def samples(request: Request) -> Usage:
    """As many images as are asked for, of so many steps each."""
    return Usage(images=request.body.samples, steps=request.body.steps)


class Artifact(msgspec.Struct):
    """What of a v1 result is metered."""

    finishReason: str | None = None


class Artifacts(msgspec.Struct):
    """A v1 answer."""

    artifacts: list[Artifact] = []


def v1_usage(request: Request, answer: Answer) -> Usage | None:
    """Count the images that were made, blurred ones too."""
    asked = samples(request)
    if "json" not in answer.headers.get("content-type", ""):
        return asked
    try:
        found = msgspec.json.decode(answer.body, type=Artifacts).artifacts
    except (msgspec.DecodeError, msgspec.ValidationError):
        return asked
    made = sum(artifact.finishReason != "ERROR" for artifact in found)
    return Usage(images=made, steps=asked.steps, basis="counted") if made else None


# Answered here -----------------------------------------------------------------------------------------------------


async def engines(view: View) -> Reply:
    """List the engines that the token may call."""
    offered = [model["id"] for model in await view.models() if model["id"] in ENGINES]
    return Reply(
        [{"id": name, "name": ENGINES[name], "description": ENGINES[name], "type": "PICTURE"} for name in offered]
    )


async def balance(view: View) -> Reply:
    """Tell the caller's own balance, in credits."""
    available, _, _ = await view.balance()
    return Reply({"credits": available / CREDIT})


async def account(view: View) -> Reply:
    """Tell whose account it is; the gateway gives no address of a person away."""
    own = view.account_id
    organization = {"id": own, "name": own, "role": "MEMBER", "is_default": True}
    return Reply({"id": own, "email": f"{own}@account.invalid", "profile_picture": "", "organizations": [organization]})


# Operations --------------------------------------------------------------------------------------------------------

IMAGE = {"image": True}
MASKED = {"image": True, "mask": False}


def _named(name: str) -> Callable[[Request], str]:
    return lambda request: name


def _v2(
    path: str,
    summary: Text,
    body: type[msgspec.Struct],
    files: Mapping[str, bool] | None = None,
    *,
    row: int | None = None,
    check: Check | None = None,
    model: str = "",
    is_async: bool = False,
    by_call: bool = False,
    answers: tuple[str, ...] = ("image/*", "application/json"),
    example: Mapping[str, Json] | None = None,
) -> Operation:
    """Declare one v2beta call; `path` stands below `/v2beta/`."""
    native = f"/v2beta/{path}"
    given = files or {}
    estimate = one_call if by_call else one_image
    is_sd3 = body is Sd3Form
    return Submit(
        name=path.removeprefix("stable-image/").replace("/", "."),
        method="POST",
        path=f"/sd{native}",
        aliases=(native,),
        upstream_template=native,
        if is_async else Kind.CALL,
        rows=() if row is None else (row,),
        summary=summary,
        body=body,
        media="multipart",
        files=given,
        answers=("application/json",) if is_async else answers,
        example=example or {},
        check=required(given, check),
        model=sd3_model if is_sd3 else _named(model or path.replace("/", "-").replace("-generate-", "-")),
        estimate=estimate,
        usage=None if is_async else lambda request, answer: estimate(request),
        patch=sd3_patch if is_sd3 else None,
        headers=None if is_async or by_call else v2_headers,
        max_body=MOST,
        timeout=120.0,
    )


def _v1(
    name: str,
    path: str,
    summary: Text,
    body: type[msgspec.Struct],
    files: Mapping[str, bool] | None = None,
    *,
    row: int | None = None,
    example: Mapping[str, Json] | None = None,
) -> Operation:
    """Declare one v1 generation; `path` stands below the engine."""
    given = files or {}
    return Call(
        name=name,
        method="POST",
        path=f"/sd/v1/generation/{{engine_id}}/{path}",
        aliases=(f"/v1/generation/{{engine_id}}/{path}",),
        upstream_template=f"/v1/generation/{{engine_id}}/{path}",
        rows=() if row is None else (row,),
        summary=summary,
        body=body,
        media="multipart" if given else "json",
        files=given,
        answers=("application/json", "image/png"),
        example=example or {},
        example_answer={"artifacts": [{"base64": "iVBORw0KGgo…", "finishReason": "SUCCESS", "seed": 1050625087}]},
        check=required(given, check_v1_prompts) if given else None,
        model=engine,
        estimate=samples,
        usage=v1_usage,
        upstream_path=lambda request, facts: f"/v1/generation/{facts.model}/{path}",
        headers=v1_headers,
        max_body=MOST,
        timeout=120.0,
    )


def _own(
    name: str, path: str, summary: Text, answer: Callable[[View], Awaitable[Reply]], example_answer: Json
) -> Operation:
    return Local(
        name=name,
        method="GET",
        path=f"/sd{path}",
        aliases=(path,),
        summary=summary,
        media="none",
        answer=answer,
        example_answer=example_answer,
    )


V2_CALLS: Sequence[Operation] = (
    _v2(
        "stable-image/generate/ultra",
        Text("Stable Image Ultra", "Stable Image Ultra"),
        UltraForm,
        {"image": False},
        row=25,
        check=check_ultra,
        example={"prompt": "A cat in a spacesuit", "aspect_ratio": "16:9", "output_format": "png"},
    ),
    _v2(
        "stable-image/generate/core",
        Text("Stable Image Core", "Stable Image Core"),
        CoreForm,
        row=26,
        example={"prompt": "A cat in a spacesuit", "style_preset": "photographic"},
    ),
    _v2(
        "stable-image/generate/sd3",
        Text("Stable Diffusion 3", "Stable Diffusion 3"),
        Sd3Form,
        {"image": False},
        row=27,
        check=check_sd3,
        example={"prompt": "A cat in a spacesuit", "model": "sd3.5-large"},
    ),
    _v2("stable-image/upscale/fast", Text("Upscale four times", "快速放大(fast)"), OutputForm, IMAGE),
    _v2(
        "stable-image/upscale/conservative",
        Text("Upscale, keeping to the picture", "保守放大(conservative)"),
        ConservativeForm,
        IMAGE,
    ),
    _v2(
        "stable-image/upscale/creative",
        Text("Upscale creatively (asynchronous)", "创意放大(creative，异步)"),
        CreativeForm,
        IMAGE,
        is_async=True,
    ),
    _v2("stable-image/edit/erase", Text("Erase", "擦除(erase)"), EraseForm, MASKED),
    _v2("stable-image/edit/inpaint", Text("Inpaint", "局部重绘(inpaint)"), InpaintForm, MASKED),
    _v2(
        "stable-image/edit/outpaint",
        Text("Outpaint", "扩图(outpaint)"),
        OutpaintForm,
        IMAGE,
        check=check_outpaint,
        example={"left": 200, "down": 100},
    ),
    _v2("stable-image/edit/search-and-replace", Text("Search and replace", "查找替换"), ReplaceForm, IMAGE),
    _v2("stable-image/edit/search-and-recolor", Text("Search and recolour", "查找换色"), RecolorForm, IMAGE),
    _v2("stable-image/edit/remove-background", Text("Remove the background", "去除背景"), CutOutForm, IMAGE),
    _v2(
        "stable-image/edit/replace-background-and-relight",
        Text("Replace the background and relight (asynchronous)", "替换背景并重新打光(异步)"),
        RelightForm,
        {"subject_image": True, "background_reference": False, "light_reference": False},
        check=check_relight,
        is_async=True,
        example={"background_prompt": "A beach at dawn"},
    ),
    _v2("stable-image/control/sketch", Text("Draw from a sketch", "草图控制(sketch)"), ControlForm, IMAGE),
    _v2(
        "stable-image/control/structure", Text("Keep a picture's structure", "结构控制(structure)"), ControlForm, IMAGE
    ),
    _v2("stable-image/control/style", Text("Keep a picture's style", "风格控制(style)"), StyleForm, IMAGE),
    _v2(
        "stable-image/control/style-transfer",
        Text("Transfer a style", "风格迁移(style-transfer)"),
        TransferForm,
        {"init_image": True, "style_image": True},
    ),
    _v2(
        "image-to-video",
        Text("Animate a picture (asynchronous)", "图生视频(异步)"),
        VideoForm,
        IMAGE,
        model="stable-image-to-video",
        is_async=True,
        by_call=True,
    ),
    _v2(
        "3d/stable-fast-3d",
        Text("Model a picture's object", "单图生成三维模型"),
        MeshForm,
        IMAGE,
        model="stable-fast-3d",
        by_call=True,
        answers=("model/gltf-binary",),
    ),
)

stability = Protocol(
    name="stability",
    title=Text("Stability AI", "Stable Diffusion(官方格式)"),
    base_url="https://api.stability.ai",
    env_key="STABILITY_API_KEY",
    env_base_url="STABILITY_API_BASE",
    models=(
        *ENGINES,
        *SD3_MODELS,
        *OTHER_MODELS,
    ),
    own_paths=("/sd/", "/v2beta/", "/v1/generation/", "/v1/engines/", "/v1/user/"),
    authorize=bearer,
    error=error,
    channel_fault=channel_fault,
    probe=UpstreamCall("/v1/user/balance"),
    forward_headers=(
        "accept",
        "stability-client-id",
        "stability-client-user-id",
        "stability-client-version",
    ),
    answer_headers=("finish-reason", "seed"),
    tasks=TaskRules(
        new_id=lambda: secrets.token_hex(32),
        accept=accept,
        submitted=submitted,
        poll=poll,
        read=read,
        ends=ends,
        render=render,
        interval=10.0,
        fresh=10.0,
        timeout=1800.0,
    ),
    operations=(
        *V2_CALLS,
        Fetch(
            name="results",
            method="GET",
            path="/sd/v2beta/results/{id}",
            aliases=(
                "/v2beta/results/{id}",
                *(
                    f"{prefix}/v2beta/{path}/result/{{id}}"
                    for prefix in ("/sd", "")
                    for path in ("stable-image/upscale/creative", "image-to-video")
                ),
            ),
            upstream_template="/v2beta/results/{id}",
            summary=Text("Get an asynchronous call's result", "查询异步结果"),
            media="none",
            answers=("image/*", "application/json"),
            task=lambda request: request.params["id"],
            render=render_asked,
        ),
        _v1(
            "text-to-image",
            "text-to-image",
            Text("Text to image (SDXL)", "Text-to-image"),
            TextToImageBody,
            row=28,
            example={"text_prompts": [{"text": "A cat in a spacesuit"}], "width": 1024, "height": 1024, "steps": 30},
        ),
        _v1(
            "image-to-image",
            "image-to-image",
            Text("Image to image (SDXL)", "Image-to-image"),
            ImageToImageForm,
            {"init_image": True},
            example={"text_prompts[0][text]": "A cat in a spacesuit", "image_strength": 0.35},
        ),
        _v1(
            "masking",
            "image-to-image/masking",
            Text("Image to image with a mask (SDXL)", "Image-to-image(蒙版)"),
            MaskingForm,
            {"init_image": True, "mask_image": False},
            example={"text_prompts[0][text]": "A cat in a spacesuit", "mask_source": "INIT_IMAGE_ALPHA"},
        ),
        _own(
            "engines.list",
            "/v1/engines/list",
            Text("List engines", "列出引擎"),
            engines,
            [
                {
                    "id": "stable-diffusion-xl-1024-v1-0",
                    "name": "Stable Diffusion XL v1.0",
                    "description": "Stable Diffusion XL v1.0",
                    "type": "PICTURE",
                }
            ],
        ),
        _own("user.balance", "/v1/user/balance", Text("Credits left", "余额查询"), balance, {"credits": 1250.0}),
        _own(
            "user.account",
            "/v1/user/account",
            Text("Get the account", "账户信息"),
            account,
            {
                "id": "acc_1",
                "email": "acc_1@account.invalid",
                "profile_picture": "",
                "organizations": [{"id": "acc_1", "name": "acc_1", "role": "MEMBER", "is_default": True}],
            },
        ),
    ),
)
