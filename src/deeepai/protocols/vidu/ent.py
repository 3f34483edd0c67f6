"""Vidu's own API: a POST for each way to make a film, an address for what a task has made, signed callbacks.

Source: platform.vidu.com's documents (2025 and 2026); new-api's adaptor and ComfyUI's nodes.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ...declare import (
    Callback,
    Failure,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    Submit,
    Task,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from ..common import digits, iso
from ..common.bodies import extended, one_of, origin_under, renamed, together
from ..common.errors import ErrorTable, with_param
from ..common.jobs import ChildPath, FilePath, JobFormat, kept
from ..common.lists import NumberedPages
from ..common.operations import Paths
from ..common.usage import amount
from .common import ACCOUNT, CODES, ELSEWHERE, STATES, done, sent

AT = Paths(("/vidu/ent/v2", "/vidu/v2", "/ent/v2"), "/ent/v2")
CREDIT = 5_000_000
"""10⁻⁹ USD of a credit."""
OLD = ("vidu1.5", "vidu2.0")
PAGES = NumberedPages(number="pager.page", size="pager.pagesz")

# Bodies ------------------------------------------------------------------------------------------------------------

Images: TypeAlias = list[str]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the gateway must know of every body; all other fields pass through."""

    model: str | None = None
    prompt: Annotated[str, Meta(max_length=5000)] | None = None
    images: Images | None = None
    duration: int | None = None
    resolution: str | None = None
    off_peak: bool | None = None
    creation_id: str | None = None
    video_creation_id: str | None = None
    video_url: str | None = None
    upscale_resolution: str | None = None
    payload: Annotated[str, Meta(max_length=1_048_576)] | None = None
    callback_url: str | None = None


One: TypeAlias = Annotated[list[str], Meta(min_length=1, max_length=1)]
Two: TypeAlias = Annotated[list[str], Meta(min_length=2, max_length=2)]
Several: TypeAlias = Annotated[list[str], Meta(min_length=1, max_length=7)]
TextBody = extended(Body, "TextBody", model=str, prompt=str)
ImageBody = extended(Body, "ImageBody", model=str, images=One)
ReferenceBody = extended(Body, "ReferenceBody", model=str, images=Several, prompt=str)
EndsBody = extended(Body, "EndsBody", model=str, images=Two)
UpscaleBody = extended(Body, "UpscaleBody", creation_id=str)
ExtendBody = extended(Body, "ExtendBody", model=str)

# Prices ------------------------------------------------------------------------------------------------------------


def usual(model: str) -> tuple[int, str]:
    """Return the seconds and the resolution of a film where nothing else is asked for."""
    if model in OLD:
        return 4, "360p"
    return 5, "1080p" if model == "viduq1" else "720p"


def estimate(request: Request[Body]) -> Usage:
    """Return what a film consumes."""
    body = request.body
    seconds, resolution = usual(body.model or "")
    seconds = body.duration or seconds
    if body.model in OLD and seconds > 4:
        resolution = "720p"
    params = {"duration": str(seconds), "resolution": body.resolution or body.upscale_resolution or resolution}
    share = 0.5 if body.off_peak else 1.0
    return Usage(calls=1, seconds=float(seconds), params=params, share=share, basis="estimated")


def used(job: Json, task: Task) -> Usage | None:
    """Return what was asked for, at the credits that the vendor says it took."""
    told = job.get("credits") if isinstance(job, dict) else None
    credits = amount(task.facts.get("credits") if told is None else told)
    if not credits:
        return None
    return msgspec.structs.replace(task.estimate, cost=round(credits * CREDIT), share=1.0, basis="vendor")


# Tasks -------------------------------------------------------------------------------------------------------------

ASKED = (
    *("model", "prompt", "duration", "resolution", "style", "seed", "aspect_ratio", "movement_amplitude", "bgm"),
    *("off_peak", "watermark", "payload"),
)
TOLD = ("style", "seed", "aspect_ratio", "resolution", "movement_amplitude", "duration", "credits")
"""What the vendor chooses, and says at once."""


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission: with what was asked for, and what the vendor chose."""
    asked: Any = task.request or {}
    told = {name: task.facts[name] for name in TOLD if name in task.facts}
    kind = task.operation.partition(".")[2]
    usual: dict[str, Json] = {"model": task.model, "prompt": "", "images": [], "payload": "", "off_peak": False}
    own = {"task_id": task.id, "type": kind, "state": "created", "created_at": iso(task.submitted_at)}
    return Reply({**usual, **asked, **told, **own})


def show(task: Task, links: Links) -> Json:
    """Return a task as the vendor would show it, out of what the gateway itself knows."""
    told: Any = JOBS.own_answer(task, links)
    asked: Any = task.request or {}
    flags = {name: bool(asked.get(name)) for name in ("bgm", "off_peak")}
    del told["task_id"]
    return {
        "id": task.id,
        "err_code": "",
        "credits": task.facts.get("credits", 0),
        "payload": "",
        **flags,
        "creations": [],
        **told,
    }


def stop(task: Task) -> UpstreamCall:
    """Ask the vendor to stop a task."""
    return UpstreamCall(f"/ent/v2/tasks/{task.upstream_id}/cancel", "POST")


def sign(callback: Callback) -> Mapping[str, str]:
    """Sign a callback as the vendor does, over its address, its time and a word that is used once."""
    parts, nonce = urlsplit(callback.url), secrets.token_hex(16)
    date = email.utils.formatdate(callback.now, usegmt=True)
    lines = ("POST", parts.path or "/", parts.query, ACCESS_KEY, date, f"Date:{date}", f"x-request-nonce:{nonce}")
    signed = "".join(f"{line}\n" for line in lines).encode()
    digest = hmac.new(callback.secret.encode(), signed, hashlib.sha256).digest()
    return {
        "date": date,
        "x-request-nonce": nonce,
        "x-hmac-signed-headers": "Date;x-request-nonce",
        "x-hmac-algorithm": "hmac-sha256",
        "x-hmac-access-key": ACCESS_KEY,
        "x-hmac-signature": base64.b64encode(digest).decode(),
    }


ACCESS_KEY = "vidu"
JOBS = JobFormat(
    id="task_id",
    code="reason",
    good=(None,),
    gone=("TaskNotFound",),
    elsewhere_codes=ELSEWHERE,
    account=ACCOUNT,
    answer_facts={name: name for name in TOLD},
    poll="/ent/v2/tasks/{id}/creations",
    status="state",
    states=STATES,
    error=("err_code",),
    files=(
        FilePath("creations[].url", "video", beside=lambda task, at: {"id": task.id}),
        FilePath("creations[].cover_url", "cover", optional=True),
        FilePath("creations[].watermarked_url", "watermark", optional=True),
    ),
    late=True,
    children=(ChildPath("creations[].id", "video"),),
    usage=used,
    written={"payload": kept("payload", lambda task: "")},
    show=show,
    hook="callback_url",
    hook_id="id",
    hook_each_change=True,
    interval=4.0,
    timeout=2 * 86400.0,
)
JOB = JOBS.job(lambda: digits(18), submitted=submitted, keep=lambda request: sent(request, *ASKED), cancel=stop)
URL, CREATION_ID = "https://example.com/cat.png", "833001234567899999"
CAT: dict[str, Json] = {"model": "viduq1", "prompt": "A cat in a spacesuit"}
SOURCE = one_of("video_creation_id", "video_url")


def _make(
    kind: str, en: str, zh: str, body: type[Any], example: dict[str, Json], model: str = "", **odd: Any
) -> Submit[Any]:
    return AT.submit(
        kind,
        Text(en, zh),
        body=body,
        example=example,
        job=JOB,
        model=lambda request: model or request.body.model,
        estimate=estimate,
        origin=origin_under("creation_id", "video_creation_id", check=done),
        patch=JOBS.patch if model else together(JOBS.patch, renamed("model")),
        **odd,
    )


SUBMISSIONS = (
    _make("text2video", "Text to video", "文生视频", TextBody, {**CAT, "aspect_ratio": "16:9"}),
    _make("img2video", "Image to video", "图生视频", ImageBody, {**CAT, "images": [URL]}),
    _make("reference2video", "References to video", "参考生视频", ReferenceBody, {**CAT, "images": [URL, URL]}),
    _make("start-end2video", "First and last frame to video", "首尾帧", EndsBody, {**CAT, "images": [URL, URL]}),
    _make("upscale", "Make a larger video", "高清", UpscaleBody, {"creation_id": CREATION_ID}, "vidu-ent-upscale"),
    _make(
        "upscale-new",
        "Make a much larger video",
        "超清",
        Body,
        {"video_creation_id": CREATION_ID, "upscale_resolution": "1080p"},
        "vidu-ent-upscale-new",
        check=SOURCE,
    ),
    _make(
        "extend",
        "Extend a video",
        "视频延长",
        ExtendBody,
        {"model": "viduq2-turbo", "video_creation_id": CREATION_ID, "prompt": "It lands", "duration": 5},
        check=SOURCE,
    ),
)
KINDS = tuple(submission.name for submission in SUBMISSIONS)


async def listed(view: View[Any]) -> Reply:
    """List the caller's tasks, the newest first, of certain states if any are named."""
    wanted = {word for word in view.request.query.get("states", "").split(",") if word}
    tasks = [JOBS.shown(task, view.links) for task in await PAGES.tasks(view, KINDS)]
    return Reply({"tasks": [task for task in tasks if not wanted or task["state"] in wanted], "next_page_token": ""})


async def cancel(view: View[Any]) -> Reply:
    """Stop a task."""
    if not await view.cancel(view.request.params["id"]):
        raise Failure(Reason.CONFLICT, "The task has ended", code="task_ended")
    return Reply({})


vidu_ent = Protocol(
    name="vidu_ent",
    title=Text("Vidu", "Vidu(官方格式)"),
    base_url="https://api.vidu.com",
    env_key="VIDU_API_KEY",
    models=(
        *("vidu1.5", "vidu2.0", "viduq1", "viduq2", "viduq2-pro", "viduq2-turbo", "viduq3-pro", "viduq3-turbo"),
        "vidu-ent-upscale",
        "vidu-ent-upscale-new",
    ),
    key_schemes=("token",),
    own_paths=tuple(f"{place}/" for place in AT.gateway),
    authorize=lambda credential: {"authorization": f"Token {credential}"},
    # The body's shape is inferred: it is that of the vendor's framework.
    error=ErrorTable(
        rows=CODES,
        caller="BadRequest",
        server="InternalServiceFailure",
        shape=lambda code, failure, name: {
            "code": CODES.get(failure.kind, (failure.kind.status, ""))[0],
            "reason": "FieldLacking" if failure.code == "missing" else code,
            "message": with_param(failure),
            "metadata": {},
        },
    ),
    channel_fault=JOBS.channel_fault,
    sign=sign,
    probe=UpstreamCall("/ent/v2/tasks?pager.pagesz=1"),
    operations=(
        *SUBMISSIONS,
        AT.fetch("tasks/{id}/creations", Text("Get a task", "查询任务"), name="tasks.creations"),
        AT.own(
            "tasks",
            Text("List tasks", "任务列表"),
            name="tasks.list",
            query={"states": "success", "pager.page": "1", "pager.pagesz": "30"},
            example_answer={"tasks": [], "next_page_token": ""},
            answer=listed,
        ),
        AT.own(
            "tasks/{id}/cancel",
            Text("Cancel a task", "取消任务"),
            name="tasks.cancel",
            method="POST",
            example_answer={},
            answer=cancel,
        ),
    ),
)
