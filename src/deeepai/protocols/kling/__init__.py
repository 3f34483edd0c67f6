"""Kling's wire format: a POST starts a task, a GET below the same path tells of it, and callers may be called back.

Source: the vendor's document (copies of 2025 and 2026), and its client for ComfyUI.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import jwt

from ...declare import (
    Failure,
    Json,
    Origin,
    Protocol,
    Reason,
    Reply,
    Request,
    Signing,
    Submit,
    Task,
    Text,
    UpstreamCall,
    Usage,
    View,
    Window,
)
from ..common import bearer
from ..common.errors import ErrorTable
from ..common.operations import Paths
from ..common.paths import get
from . import bodies
from .bodies import EffectsBody, ImagesBody, ModelBody, VideoBody
from .jobs import ACCOUNT, JOBS, UNIT, job, patch, patch_effect, patch_model, video

AT = Paths(("/kling/v1",), "/v1")
FARTHEST = 10_000
"""Tasks that a list goes back."""
PICTURE = "https://example.com/cat.png"


def signed(credential: str, now: int) -> Mapping[str, str]:
    """Sign a token with a key pair, `ACCESS|SECRET`; any other credential is a key of its own, as relays have."""
    access, pair, secret = credential.partition("|")
    if not pair or credential.startswith("sk-"):
        return bearer(credential)
    claims = {"iss": access, "exp": now + 1800, "nbf": now - 5}
    return bearer(jwt.encode(claims, secret, algorithm="HS256"))


# Models and prices -------------------------------------------------------------------------------------------------


def named(default: str) -> Callable[[Request[ModelBody]], str]:
    """Make what finds the model: under the name that the vendor reads, or else the older one."""
    return lambda request: request.body.model_name or request.body.model or default


def image_price(request: Request[ImagesBody]) -> str:
    """Return the price key: pictures have prices of their own, by a reference picture others still."""
    return f"{named('kling-v1')(request)}-image{'-reference' if request.body.image else ''}"


# The caller's own --------------------------------------------------------------------------------------------------


def _natural(view: View[object], name: str, usual: int, most: int) -> int:
    word = view.request.query.get(name) or str(usual)
    if not word.isdecimal() or not 1 <= int(word) <= most:
        raise Failure(Reason.INVALID, f"{name} is a number from 1 to {most}", param=name)
    return int(word)


async def listed(view: View[object]) -> Reply:
    """List the caller's tasks of one kind, the newest first."""
    number, size = _natural(view, "pageNum", 1, 1000), _natural(view, "pageSize", 30, 500)
    if number * size > FARTHEST:
        raise Failure(Reason.INVALID, f"A list goes back {FARTHEST} tasks", param="pageNum")
    kind = view.request.path.partition("/v1/")[2].strip("/").replace("/", ".")
    tasks: list[Task] = []
    more = True
    while more and len(tasks) < number * size:
        window = Window(limit=number * size - len(tasks), after=tasks[-1].id if tasks else None)
        page, more = await view.page([kind], window)
        tasks += page
    shown = [get(JOBS.shown(task, view.links), "data") for task in tasks[(number - 1) * size :]]
    return Reply({"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": shown})


async def costs(view: View[object]) -> Reply:
    """Tell what the caller's key may spend as the one resource pack that it has, in units."""
    allowance = await view.allowance()
    pack = {
        "resource_pack_name": allowance.name,
        "resource_pack_type": "decreasing_total",
        "total_quantity": (allowance.spent + allowance.available) / UNIT,
        "remaining_quantity": allowance.available / UNIT,
        "invalid_time": allowance.expires_at,
        "status": "online" if allowance.available else "runOut",
    }
    data = {"code": 0, "msg": "success", "resource_pack_subscribe_infos": [pack]}
    return Reply({"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": data})


def _video(
    kind: str,
    summary: Text,
    example: Mapping[str, Json],
    check: Callable[[Request[VideoBody]], None],
    *,
    body: type[VideoBody] = VideoBody,
    model: str = "kling-v1",
    rows: tuple[int, ...] = (),
) -> Submit[VideoBody]:
    return AT.submit(
        kind,
        summary,
        rows=rows,
        body=body,
        example=example,
        check=check,
        job=job(kind),
        model=named(model),
        estimate=lambda request: video(request.body.mode, request.body.duration, request.body.sound),
        patch=patch_model,
    )


SUBMISSIONS = (
    AT.submit(
        "images/generations",
        Text("Generate images", "图像生成"),
        rows=(141,),
        body=ImagesBody,
        example={"prompt": "A cat in a spacesuit", "n": 2},
        job=job("images/generations"),
        model=named("kling-v1"),
        price=image_price,
        estimate=lambda request: Usage(images=int(request.body.n or 1), basis="estimated"),
        patch=patch_model,
    ),
    _video(
        "videos/text2video",
        Text("Text to video", "文生视频"),
        {"prompt": "A cat in a spacesuit", "mode": "std", "duration": "5"},
        bodies.check_text,
        rows=(142,),
    ),
    _video(
        "videos/image2video",
        Text("Image to video", "图生视频"),
        {"image": PICTURE, "prompt": "It jumps"},
        bodies.check_image,
        rows=(143,),
    ),
    _video(
        "videos/multi-image2video",
        Text("Several images to video", "多图参考生视频"),
        {"image_list": [{"image": PICTURE}], "prompt": "It jumps"},
        bodies.check_text,
        body=bodies.SeveralImagesBody,
        model="kling-v1-6",
    ),
    AT.submit(
        "videos/video-extend",
        Text("Extend a video", "视频延长"),
        body=bodies.ExtendBody,
        example={"video_id": "831922345799999999", "prompt": "It lands"},
        job=job("videos/video-extend"),
        model=lambda request: "kling-video-extend",
        patch=patch,
        origin=Origin(ids=lambda request: [request.body.video_id]),
    ),
    AT.submit(
        "videos/lip-sync",
        Text("Lip-sync", "对口型"),
        body=bodies.LipSyncBody,
        example={"input": {"video_id": "831922345799999999", "mode": "text2video", "text": "Hello"}},
        job=job("videos/lip-sync"),
        model=lambda request: "kling-lip-sync",
        patch=patch,
        origin=Origin(ids=lambda request: [request.body.input.video_id] if request.body.input.video_id else []),
    ),
    AT.submit(
        "videos/effects",
        Text("Video effects", "视频特效"),
        body=EffectsBody,
        example={"effect_scene": "squish", "input": {"image": PICTURE, "duration": "5"}},
        job=job("videos/effects", "body.input"),
        model=lambda request: request.body.input.model_name or "kling-v1-6",
        estimate=lambda request: video(request.body.input.mode, request.body.input.duration),
        patch=patch_effect,
    ),
    AT.submit(
        "images/kolors-virtual-try-on",
        Text("Virtual try-on", "虚拟试穿"),
        body=bodies.TryOnBody,
        example={"human_image": PICTURE, "cloth_image": PICTURE},
        job=job("images/kolors-virtual-try-on"),
        model=named("kolors-virtual-try-on-v1"),
        estimate=lambda request: Usage(images=1, basis="estimated"),
        patch=patch_model,
    ),
)
KINDS = tuple(submission.path.removeprefix("/kling/v1/") for submission in SUBMISSIONS)

kling = Protocol(
    name="kling",
    title=Text("Kling", "可灵(官方格式)"),
    base_url="https://api-singapore.klingai.com",
    env_key="KLING_API_KEY",
    models=("kling-*", "kolors-virtual-try-on-*"),
    own_paths=("/kling/",),
    authorize=bearer,
    signing=Signing(signed, 1500.0),
    error=ErrorTable(
        rows={
            Reason.UNAUTHENTICATED: (401, 1002),
            Reason.UNFUNDED: (429, 1102),
            Reason.FORBIDDEN: (403, 1103),
            Reason.INVALID: (400, 1201),
            Reason.MODERATED: (400, 1301),
            Reason.NOT_FOUND: (404, 1203),
            Reason.NO_MODEL: (404, 1203),
            Reason.BAD_METHOD: (404, 1202),
            Reason.RATE_LIMITED: (429, 1302),
            Reason.UNAVAILABLE: (503, 5001),
            Reason.TIMEOUT: (504, 5002),
        },
        caller=1200,
        server=5000,
        shape=lambda code, failure, request_id: {
            "code": code,
            "message": f"{failure.param}: {failure.message}" if failure.param else failure.message,
            "request_id": request_id,
        },
    ),
    channel_fault=lambda answer: answer.status == 401 or get(answer.json(), "code") in ACCOUNT,
    probe=UpstreamCall("/v1/videos/text2video?pageNum=1&pageSize=1"),
    operations=(
        *SUBMISSIONS,
        AT.fetch(
            f"{KINDS[0]}/{{id}}",
            Text("Get a task", "查询任务"),
            name="tasks.get",
            aliases=tuple(f"/kling/v1/{kind}/{{id}}" for kind in KINDS[1:]),
            rows=(144,),
        ),
        AT.own(
            KINDS[0],
            Text("List tasks", "任务列表"),
            name="tasks.list",
            aliases=tuple(f"/kling/v1/{kind}" for kind in KINDS[1:]),
            query=("pageNum", "pageSize"),
            example_params={"pageNum": "1", "pageSize": "30"},
            example_answer={"code": 0, "message": "SUCCEED", "request_id": "b1e7", "data": []},
            answer=listed,
        ),
        Paths(("/kling",)).own(
            "account/costs",
            Text("What may be spent", "账号信息查询"),
            query=("start_time", "end_time"),
            example_params={"start_time": "1722769557708", "end_time": "1722769877708"},
            example_answer={"code": 0, "message": "SUCCEED", "data": {"resource_pack_subscribe_infos": []}},
            answer=costs,
        ),
    ),
)
