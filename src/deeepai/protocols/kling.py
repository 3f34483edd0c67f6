"""Kling's wire format: a POST starts a task, a GET below the same path tells of it, and callers may be called back.

Source: the vendor's document (copies of 2025 and 2026), and its client for ComfyUI, which sends numbers as texts.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import Json, Protocol, Reason, Reply, Request, State, Submit, Task, Text, UpstreamCall, Usage, View
from .common import bearer, digits
from .common.bodies import Flag, Number, SentAs, extended, model_under, one_of, origin_under, renamed, retyped, together
from .common.errors import ErrorTable, with_param
from .common.jobs import ChildPath, FilePath, JobFormat, kept, number
from .common.lists import NumberedPages
from .common.operations import Paths
from .common.paths import each, get
from .common.signing import key_pair

AT = Paths(("/kling/v1",), "/v1")
GOOD: dict[str, Json] = {"code": 0, "message": "SUCCEED"}
PAGES = NumberedPages(number="pageNum", size="pageSize")
UNIT = 140_000_000
"""10⁻⁹ USD: list price of a unit of the vendor's resource packs."""

# Bodies ------------------------------------------------------------------------------------------------------------

Count: TypeAlias = Annotated[Annotated[int, Meta(ge=1, le=9)] | Annotated[str, Meta(pattern="^[1-9]$")], SentAs(int)]
Whole: TypeAlias = Annotated[int, Meta(ge=1, le=60)] | Annotated[str, Meta(pattern="^[1-9][0-9]?$")]
Mode: TypeAlias = Annotated[str, Meta(pattern="^(std|pro)$")]
Prompt: TypeAlias = Annotated[str, Meta(max_length=2500)]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the gateway must know of every body; a task's other fields pass through."""

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
    duration: Annotated[Whole, SentAs(str)] | None = None
    sound: Annotated[str, Meta(pattern="^(on|off)$")] | None = None
    cfg_scale: Number | None = None
    multi_shot: Flag | None = None
    multi_prompt: list[dict[str, Any]] | None = None
    image: str | None = None
    image_tail: str | None = None


class ImagesBody(ModelBody, kw_only=True, omit_defaults=True):
    """Body of pictures."""

    prompt: Prompt
    n: Count | None = None
    image: str | None = None
    image_fidelity: Number | None = None
    human_fidelity: Number | None = None


Pictures = Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=4)]
Speech = extended(msgspec.Struct, "Speech", video_id=str | None, video_url=str | None)
Effect = extended(msgspec.Struct, "Effect", model_name=str | None, mode=Mode | None, duration=Whole | None)
SeveralBody = extended(VideoBody, "SeveralBody", prompt=Prompt, image_list=Pictures)
ExtendBody = extended(Body, "ExtendBody", video_id=str, prompt=Prompt | None, cfg_scale=Number | None)
LipSyncBody = extended(Body, "LipSyncBody", input=Speech)
EffectsBody = extended(Body, "EffectsBody", effect_scene=str, input=Effect)
TryOnBody = extended(ModelBody, "TryOnBody", human_image=str)

# Prices ------------------------------------------------------------------------------------------------------------

NAMES = ("model_name", "model", "input.model_name")
"""Where the model's name may stand: where the vendor reads it, under an older name, with an effect."""
USUAL = {"mode": "std", "duration": "5", "sound": "off"}


def image_price(request: Request[ImagesBody]) -> str:
    """Return the price key: pictures have prices of their own, by a reference picture others still."""
    return f"{model_under(*NAMES, default='kling-v1')(request)}-image{'-reference' if request.body.image else ''}"


def estimate(request: Request[Any]) -> Usage:
    """Return what a task consumes: a video or an effect by its properties, else pictures."""
    asked = msgspec.structs.asdict(getattr(request.body, "input", request.body))
    if "mode" not in asked:
        return Usage(images=int(asked.get("n") or 1), basis="estimated")
    params = {name: str(asked.get(name) or word) for name, word in USUAL.items()}
    return Usage(calls=1, seconds=float(params["duration"]), params=params, basis="estimated")


def used(job: Json, task: Task) -> Usage | None:
    """Return what was asked for, at the price in units that the vendor says it took."""
    units = number(get(job, "final_unit_deduction")) or 0.0
    made = {"images": len(each(job, "task_result.images[]")), "cost": round(units * UNIT), "basis": "vendor"}
    return msgspec.structs.replace(task.estimate, **made) if 0 < units < 1e6 else None


# Tasks -------------------------------------------------------------------------------------------------------------

JOBS = JobFormat(
    id="data.task_id",
    code="code",
    gone=(1203,),
    # Not 5002: what timed out may have been taken.
    elsewhere_codes=(1302, 1303, 1304, 5000, 5001),
    account=(*range(1000, 1005), *range(1100, 1104)),
    reference="external_task_id",
    body="data",
    status="task_status",
    states={"submitted": State.QUEUED, "processing": State.RUNNING, "succeed": State.SUCCEEDED, "failed": State.FAILED},
    error=("task_status_msg",),
    files=(
        FilePath(
            "task_result.videos[].url",
            "video",
            beside=lambda task, at: {"id": task.id, "duration": str(task.facts.get("seconds") or "")},
        ),
        FilePath("task_result.images[].url", "image", beside=lambda task, at: {"index": at}),
        FilePath("task_result.videos[].watermark_url", "watermark", optional=True),
        FilePath("task_result.images[].watermark_url", "watermark", optional=True),
    ),
    hidden=("task_info.parent_video.url",),
    children=(ChildPath("task_result.videos[].id", "video"),),
    usage=used,
    show=lambda task, links: JOBS.own_answer(task, links),
    written={"request_id": lambda task: task.id, "data.task_info.external_task_id": kept("external_task_id")},
    beside={
        **GOOD,
        "data.task_info": {},
        "data.task_status_msg": lambda task: task.error or "",
        "data.created_at": lambda task: task.submitted_at,
        "data.updated_at": lambda task: task.finished_at or task.started_at or task.submitted_at,
    },
    hook="callback_url",
    hook_id="task_id",
    hook_body="data",
    hook_each_change=True,
    interval=4.0,
    timeout=7200.0,
)
CAT, URL, VIDEO_ID = "A cat in a spacesuit", "https://example.com/cat.png", "831922345799999999"
EXAMPLES: dict[str, dict[str, Json]] = {
    "images/generations": {"prompt": CAT, "n": 2},
    "images/kolors-virtual-try-on": {"human_image": URL, "cloth_image": URL},
    "videos/text2video": {"prompt": CAT, "mode": "std", "duration": "5"},
    "videos/image2video": {"image": URL, "prompt": "It jumps"},
    "videos/multi-image2video": {"image_list": [{"image": URL}], "prompt": "It jumps"},
    "videos/video-extend": {"video_id": VIDEO_ID, "prompt": "It lands"},
    "videos/lip-sync": {"input": {"video_id": VIDEO_ID, "mode": "text2video", "text": "Hello"}},
    "videos/effects": {"effect_scene": "squish", "input": {"image": URL, "duration": "5"}},
}


def _task(kind: str, en: str, zh: str, body: type[Any], *row: int, model: str = "kling-v1", **odd: Any) -> Submit[Any]:
    jobs = JOBS.below(f"/v1/{kind}")
    usual: dict[str, Any] = {"job": jobs.job(lambda: digits(18)), "estimate": estimate, "endpoint_type": "kling"}
    usual |= {"model": model_under(*NAMES, default=model), "patch": together(jobs.patch, retyped, renamed(*NAMES))}
    return AT.submit(kind, Text(en, zh), body=body, rows=row, example=EXAMPLES[kind], **(usual | odd))


FOLLOW_UP = {"estimate": None, "origin": origin_under("video_id", "input.video_id")}
SUBMISSIONS = (
    _task("images/generations", "Generate images", "图像生成", ImagesBody, 141, price=image_price),
    _task("videos/text2video", "Text to video", "文生视频", VideoBody, 142, check=one_of("prompt", "multi_prompt")),
    _task("videos/image2video", "Image to video", "图生视频", VideoBody, 143, check=one_of("image", "image_tail")),
    _task("videos/multi-image2video", "Several images to video", "多图参考生视频", SeveralBody, model="kling-v1-6"),
    _task("videos/video-extend", "Extend a video", "视频延长", ExtendBody, model="kling-video-extend", **FOLLOW_UP),
    _task("videos/lip-sync", "Lip-sync", "对口型", LipSyncBody, model="kling-lip-sync", **FOLLOW_UP),
    _task("videos/effects", "Video effects", "视频特效", EffectsBody, model="kling-v1-6"),
    _task("images/kolors-virtual-try-on", "Try-on", "虚拟试穿", TryOnBody, model="kolors-virtual-try-on-v1"),
)
KINDS = tuple(submission.path.removeprefix("/kling/v1/") for submission in SUBMISSIONS)

# The caller's own --------------------------------------------------------------------------------------------------


def envelope(data: Json) -> Reply:
    """Answer as the vendor does."""
    return Reply({**GOOD, "request_id": str(uuid.uuid4()), "data": data})


async def listed(view: View[Any]) -> Reply:
    """List the caller's tasks of one kind, the newest first."""
    kind = view.request.path.partition("/v1/")[2].strip("/").replace("/", ".")
    return envelope([get(JOBS.shown(task, view.links), "data") for task in await PAGES.tasks(view, [kind])])


async def costs(view: View[Any]) -> Reply:
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
    return envelope({"code": 0, "msg": "success", "resource_pack_subscribe_infos": [pack]})


kling = Protocol(
    name="kling",
    title=Text("Kling", "可灵(官方格式)"),
    base_url="https://api-singapore.klingai.com",
    env_key="KLING_API_KEY",
    models=("kling-*", "kolors-virtual-try-on-*"),
    own_paths=("/kling/",),
    authorize=bearer,
    signing=key_pair(),
    error=ErrorTable(
        rows={
            Reason.UNFUNDED: (429, 1102),
            Reason.INVALID: (400, 1201),
            Reason.MODERATED: (400, 1301),
            Reason.BAD_METHOD: (404, 1202),
        },
        usual={401: 1002, 403: 1103, 404: 1203, 429: 1302, 503: 5001, 504: 5002},
        caller=1200,
        server=5000,
        shape=lambda code, failure, name: {"code": code, "message": with_param(failure), "request_id": name},
    ),
    channel_fault=JOBS.channel_fault,
    probe=UpstreamCall("/v1/videos/text2video?pageNum=1&pageSize=1"),
    operations=(
        *SUBMISSIONS,
        AT.fetch([f"{kind}/{{id}}" for kind in KINDS], Text("Get a task", "查询任务"), name="tasks.get", rows=(144,)),
        AT.own(
            KINDS,
            Text("List tasks", "任务列表"),
            name="tasks.list",
            query={"pageNum": "1", "pageSize": "30"},
            example_answer={**GOOD, "request_id": "b1e7", "data": []},
            answer=listed,
        ),
        Paths(("/kling",)).own(
            "account/costs",
            Text("What may be spent", "账号信息查询"),
            query={"start_time": "1722769557708", "end_time": "1722769877708"},
            example_answer={**GOOD, "data": {"resource_pack_subscribe_infos": []}},
            answer=costs,
        ),
    ),
)
