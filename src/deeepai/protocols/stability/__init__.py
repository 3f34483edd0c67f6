"""Stability AI's wire format: v2beta (forms in, one picture out; some calls are polled) and v1 (SDXL).

Source: the vendor's OpenAPI 3.0.3 document. One credit is 0.01 USD.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ...declare import (
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Facts,
    Fetch,
    Json,
    Local,
    Protocol,
    Reply,
    Request,
    Submit,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from ..common import bearer
from .bodies import (
    DEFAULT_SD3,
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
    V1Options,
    VideoForm,
    check_outpaint,
    check_relight,
    check_sd3,
    check_ultra,
    check_v1_prompts,
    required,
)
from .errors import channel_fault, error
from .jobs import JOB, render_asked, wants_json
from .usage import one_call, one_image, samples, v1_usage

MOST = 10 * 1024 * 1024
"""Bytes that a request may have."""
LIMIT = 120.0
"""Seconds in which the vendor promises to answer."""
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


# Models and headers ----------------------------------------------------------------------------------------------


def sd3_model(request: Request[Sd3Form]) -> str:
    """Name the model; the vendor's default where none is given, which is left out on the wire too."""
    return request.body.model or DEFAULT_SD3


def sd3_patch(request: Request[Sd3Form], facts: Facts) -> dict[str, Json]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != sd3_model(request) else {}


def engine(request: AnyRequest) -> str:
    """Name the engine in the path."""
    return request.params["engine_id"]


def v2_headers(request: AnyRequest, facts: Facts) -> Mapping[str, str]:
    """Say what is accepted in one of the two ways that the vendor knows."""
    return {"accept": "application/json" if wants_json(request) else "image/*"}


def v1_headers(request: AnyRequest, facts: Facts) -> Mapping[str, str]:
    """Say what is accepted: JSON unless a picture is asked for."""
    wants_picture = request.header("accept").strip().lower().startswith("image/")
    return {"accept": "image/png" if wants_picture else "application/json"}


# Answered here -----------------------------------------------------------------------------------------------------


async def engines(view: View[object]) -> Reply:
    """List the engines that the token may call."""
    offered = [model.id for model in await view.models() if model.id in ENGINES]
    return Reply(
        [{"id": name, "name": ENGINES[name], "description": ENGINES[name], "type": "PICTURE"} for name in offered]
    )


async def balance(view: View[object]) -> Reply:
    """Tell the caller's own balance, in credits."""
    available, _, _ = await view.balance()
    return Reply({"credits": available / CREDIT})


async def account(view: View[object]) -> Reply:
    """Tell whose account it is; the gateway gives no address of a person away."""
    own = view.account_id
    organization = {"id": own, "name": own, "role": "MEMBER", "is_default": True}
    return Reply({"id": own, "email": f"{own}@account.invalid", "profile_picture": "", "organizations": [organization]})


# Operations --------------------------------------------------------------------------------------------------------

BodyT = TypeVar("BodyT")
V1BodyT = TypeVar("V1BodyT", bound=V1Options)
IMAGE = {"image": True}
MASKED = {"image": True, "mask": False}


def _name(path: str) -> str:
    return path.removeprefix("stable-image/").replace("/", ".")


def _named(model: str) -> Callable[[AnyRequest], str]:
    return lambda request: model


def _model(path: str) -> str:
    return path.replace("/", "-").replace("-generate-", "-")


_PICTURE = ("image/", "application/octet-stream")


def _call(
    path: str,
    summary: Text,
    body: type[BodyT],
    files: Mapping[str, bool] | None = None,
    *,
    row: int | None = None,
    check: Callable[[Request[BodyT]], None] | None = None,
    model: Callable[[Request[BodyT]], str] | None = None,
    patch: Callable[[Request[BodyT], Facts], dict[str, Any]] | None = None,
    example: Mapping[str, Json] | None = None,
) -> Call[BodyT]:
    """Declare a v2beta call that answers with a picture; `path` stands below `/v2beta/`."""
    return Call(
        name=_name(path),
        shape=AnswerShape(fields=("image",), media=_PICTURE),
        method="POST",
        models=SD3_MODELS if model is sd3_model else (_model(path),),
        path=f"/sd/v2beta/{path}",
        aliases=(f"/v2beta/{path}",),
        upstream_template=f"/v2beta/{path}",
        rows=() if row is None else (row,),
        summary=summary,
        body=body,
        media="multipart",
        files=files or {},
        answers=("image/*", "application/json"),
        example=example or {},
        check=required(files or {}, check),
        model=model or _named(_model(path)),
        estimate=one_image,
        usage=lambda request, answer: one_image(request),
        patch=patch,
        headers=v2_headers,
        max_body=MOST,
        timeout=LIMIT,
    )


def _submit(
    path: str,
    summary: Text,
    body: type[BodyT],
    files: Mapping[str, bool],
    *,
    check: Callable[[Request[BodyT]], None] | None = None,
    model: str | None = None,
    estimate: Callable[[AnyRequest], Usage] = one_image,
    example: Mapping[str, Json] | None = None,
) -> Submit[BodyT]:
    """Declare a v2beta call whose result is polled for; `path` stands below `/v2beta/`."""
    return Submit(
        name=_name(path),
        method="POST",
        models=(model or _model(path),),
        path=f"/sd/v2beta/{path}",
        aliases=(f"/v2beta/{path}",),
        upstream_template=f"/v2beta/{path}",
        summary=summary,
        body=body,
        media="multipart",
        files=files,
        example=example or {},
        check=required(files, check),
        model=_named(model or _model(path)),
        estimate=estimate,
        max_body=MOST,
        timeout=LIMIT,
        job=JOB,
    )


def _v1(
    name: str,
    path: str,
    summary: Text,
    body: type[V1BodyT],
    files: Mapping[str, bool] | None = None,
    *,
    row: int | None = None,
    example: Mapping[str, Json] | None = None,
) -> Call[V1BodyT]:
    """Declare one v1 generation; `path` stands below the engine."""
    return Call(
        name=name,
        shape=AnswerShape(fields=("artifacts",), media=_PICTURE),
        method="POST",
        models=tuple(ENGINES),
        path=f"/sd/v1/generation/{{engine_id}}/{path}",
        aliases=(f"/v1/generation/{{engine_id}}/{path}",),
        upstream_template=f"/v1/generation/{{engine_id}}/{path}",
        rows=() if row is None else (row,),
        summary=summary,
        body=body,
        media="multipart" if files else "json",
        files=files or {},
        answers=("application/json", "image/png"),
        example=example or {},
        example_answer={"artifacts": [{"base64": "iVBORw0KGgo…", "finishReason": "SUCCESS", "seed": 1050625087}]},
        check=required(files, check_v1_prompts) if files else None,
        model=engine,
        estimate=samples,
        usage=v1_usage,
        upstream_path=lambda request, facts: f"/v1/generation/{facts.model}/{path}",
        headers=v1_headers,
        max_body=MOST,
        timeout=LIMIT,
    )


def _own(
    name: str, path: str, summary: Text, answer: Callable[[View[object]], Awaitable[Reply]], example_answer: Json
) -> Local[object]:
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


V2_OPERATIONS: tuple[AnyOperation, ...] = (
    _call(
        "stable-image/generate/ultra",
        Text("Stable Image Ultra", "Stable Image Ultra"),
        UltraForm,
        {"image": False},
        row=25,
        check=check_ultra,
        example={"prompt": "A cat in a spacesuit", "aspect_ratio": "16:9", "output_format": "png"},
    ),
    _call(
        "stable-image/generate/core",
        Text("Stable Image Core", "Stable Image Core"),
        CoreForm,
        row=26,
        example={"prompt": "A cat in a spacesuit", "style_preset": "photographic"},
    ),
    _call(
        "stable-image/generate/sd3",
        Text("Stable Diffusion 3", "Stable Diffusion 3"),
        Sd3Form,
        {"image": False},
        row=27,
        check=check_sd3,
        model=sd3_model,
        patch=sd3_patch,
        example={"prompt": "A cat in a spacesuit", "model": "sd3.5-large"},
    ),
    _call("stable-image/upscale/fast", Text("Upscale four times", "快速放大(fast)"), OutputForm, IMAGE),
    _call(
        "stable-image/upscale/conservative",
        Text("Upscale, keeping to the picture", "保守放大(conservative)"),
        ConservativeForm,
        IMAGE,
    ),
    _submit(
        "stable-image/upscale/creative",
        Text("Upscale creatively (asynchronous)", "创意放大(creative，异步)"),
        CreativeForm,
        IMAGE,
    ),
    _call("stable-image/edit/erase", Text("Erase", "擦除(erase)"), EraseForm, MASKED),
    _call("stable-image/edit/inpaint", Text("Inpaint", "局部重绘(inpaint)"), InpaintForm, MASKED),
    _call(
        "stable-image/edit/outpaint",
        Text("Outpaint", "扩图(outpaint)"),
        OutpaintForm,
        IMAGE,
        check=check_outpaint,
        example={"left": 200, "down": 100},
    ),
    _call("stable-image/edit/search-and-replace", Text("Search and replace", "查找替换"), ReplaceForm, IMAGE),
    _call("stable-image/edit/search-and-recolor", Text("Search and recolour", "查找换色"), RecolorForm, IMAGE),
    _call("stable-image/edit/remove-background", Text("Remove the background", "去除背景"), CutOutForm, IMAGE),
    _submit(
        "stable-image/edit/replace-background-and-relight",
        Text("Replace the background and relight (asynchronous)", "替换背景并重新打光(异步)"),
        RelightForm,
        {"subject_image": True, "background_reference": False, "light_reference": False},
        check=check_relight,
        example={"background_prompt": "A beach at dawn"},
    ),
    _call("stable-image/control/sketch", Text("Draw from a sketch", "草图控制(sketch)"), ControlForm, IMAGE),
    _call(
        "stable-image/control/structure", Text("Keep a picture's structure", "结构控制(structure)"), ControlForm, IMAGE
    ),
    _call("stable-image/control/style", Text("Keep a picture's style", "风格控制(style)"), StyleForm, IMAGE),
    _call(
        "stable-image/control/style-transfer",
        Text("Transfer a style", "风格迁移(style-transfer)"),
        TransferForm,
        {"init_image": True, "style_image": True},
    ),
    _submit(
        "image-to-video",
        Text("Animate a picture (asynchronous)", "图生视频(异步)"),
        VideoForm,
        IMAGE,
        model="stable-image-to-video",
        estimate=one_call,
    ),
    Call(
        name="3d.stable-fast-3d",
        shape=AnswerShape(media=("model/", "application/octet-stream")),
        method="POST",
        path="/sd/v2beta/3d/stable-fast-3d",
        aliases=("/v2beta/3d/stable-fast-3d",),
        upstream_template="/v2beta/3d/stable-fast-3d",
        summary=Text("Model a picture's object", "单图生成三维模型"),
        body=MeshForm,
        media="multipart",
        files=IMAGE,
        answers=("model/gltf-binary",),
        check=required(IMAGE, None),
        model=_named("stable-fast-3d"),
        estimate=one_call,
        usage=lambda request, answer: one_call(request),
        max_body=MOST,
        timeout=LIMIT,
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
    operations=(
        *V2_OPERATIONS,
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
