"""Zhipu's wire format of CogVideoX: one POST starts a video, one GET tells of it; nobody is called back.

Source: the vendor's document, and its two Python SDKs, which send null for what is not set.
"""

from __future__ import annotations

import secrets
from itertools import zip_longest
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..declare import (
    Facts,
    Failure,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Task,
    Text,
    View,
)
from .common import bearer, body_model
from .common.errors import ErrorTable, no_retry
from .common.jobs import FilePath, JobFormat
from .common.operations import Paths
from .common.paths import get

AT = Paths(("/cogvideox/v4", "/zhipu/api/paas/v4", "/api/paas/v4"))
ACCOUNT = tuple(map(str, (*range(1000, 1005), *range(1110, 1114), 1120, 1121)))
"""Codes that blame the channel's account."""


class VideoBody(msgspec.Struct, omit_defaults=True):
    """Body of a generation; all other fields pass through."""

    model: str
    prompt: Annotated[str, Meta(max_length=1500)] | None = None
    image_url: str | list[str] | dict[str, Any] | None = None
    request_id: str | None = None


class IdsBody(msgspec.Struct):
    """Tasks to tell of."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=100)]


def check(request: Request[VideoBody]) -> None:
    """Ask for words or a picture."""
    if not request.body.prompt and not request.body.image_url:
        raise Failure(Reason.INVALID, "prompt or image_url is required", param="prompt")


def patch(request: Request[VideoBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, and the request as no other caller of the same channel can."""
    named = {"model": facts.model} if facts.model != request.body.model else {}
    return named | ({"request_id": facts.reference} if request.body.request_id and facts.reference else {})


def request_id(task: Task) -> str:
    """Return the caller's own word for the request, or else one that looks like the vendor's."""
    return (task.request or {}).get("request_id") or task.id.partition("-")[0]


def show(task: Task, links: Links) -> Json:
    """Return a task where the vendor's own answer cannot be shown."""
    shown: dict[str, Json] = {"id": task.id, "request_id": request_id(task), "model": task.model}
    if task.state is State.SUCCEEDED:
        files = JOBS.links(task, links)
        pairs = zip_longest(files.get("video", ()), files.get("cover", ()), fillvalue="")
        videos = [{"url": video, "cover_image_url": cover} for video, cover in pairs]
        return {**shown, "task_status": "SUCCESS", "video_result": videos}
    if task.state.final:
        return {**shown, "task_status": "FAIL", "error": {"code": "500", "message": task.error or "failed"}}
    return {**shown, "task_status": "PROCESSING"}


JOBS = JobFormat(
    id="id",
    code="error.code",
    good=(None,),
    # Of a poll, the id is all that can be wrong.
    gone=("1214",),
    elsewhere_codes=(*ACCOUNT, "1302", "1303", "1304", "1305", "1312"),
    poll="/async-result/{id}",
    status="task_status",
    states={"processing": State.RUNNING, "success": State.SUCCEEDED, "fail": State.FAILED},
    error=("error.message",),
    files=(
        FilePath("video_result[].url", "video"),
        FilePath("video_result[].cover_image_url", "cover", optional=True),
        FilePath("image_result[].url", "image"),
    ),
    show=show,
    written={"request_id": request_id, "model": lambda task: task.model},
    keep=("request_id",),
    interval=5.0,
)


async def results(view: View[IdsBody]) -> Reply:
    """Tell of several tasks; of those that are not the caller's, nothing."""
    tasks = {task.id: task for task in await view.tasks(view.request.body.ids)}
    return Reply([JOBS.shown(tasks[name], view.links) for name in view.request.body.ids if name in tasks])


cogvideox = Protocol(
    name="cogvideox",
    title=Text("CogVideoX (Zhipu)", "CogVideoX(官方格式)"),
    base_url="https://open.bigmodel.cn/api/paas/v4",
    # What the vendor's SDK reads brings the channel of its chat models.
    env_key="COGVIDEOX_API_KEY",
    models=("cogvideox*", "viduq1-*", "vidu2-*"),
    own_paths=tuple(f"{place}/" for place in AT.gateway),
    authorize=bearer,
    error=ErrorTable(
        rows={
            Reason.UNAUTHENTICATED: (401, "1000"),
            Reason.UNFUNDED: (429, "1113"),
            Reason.FORBIDDEN: (403, "1220"),
            Reason.MODERATED: (400, "1301"),
            Reason.NO_MODEL: (400, "1211"),
            Reason.RATE_LIMITED: (429, "1302"),
        },
        caller="1214",
        server="500",
        shape=lambda code, failure, request_id: {"error": {"code": code, "message": failure.message}},
        headers=no_retry,
    ),
    channel_fault=lambda answer: answer.status == 401 or get(answer.json(), "error.code") in ACCOUNT,
    operations=(
        AT.submit(
            "videos/generations",
            Text("Generate a video", "生成(generations)"),
            rows=(121,),
            body=VideoBody,
            example={"model": "cogvideox-3", "prompt": "A cat in a spacesuit"},
            check=check,
            job=JOBS.job(new_id=lambda: f"{secrets.randbelow(9 * 10**18) + 10**18}-{secrets.randbelow(10**16):016d}"),
            model=body_model,
            patch=patch,
        ),
        AT.fetch(
            "async-result/{id}", Text("Get a task's result", "查询(async-result)"), name="async-result", rows=(122,)
        ),
        AT.own(
            "async-results",
            Text("Get several tasks' results", "批量查询(async-results)"),
            method="POST",
            body=IdsBody,
            example_answer=[],
            answer=results,
        ),
    ),
)
