"""Pixverse's films in the format of its web site, as relays have it.

Source: openai-hk's document, and the web client chatgpt-web-midjourney-proxy.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...declare import Facts, Json, Links, Protocol, Reply, Request, State, Submit, Task, Text, Usage
from ..common import bearer, digits
from ..common.bodies import origin_under, together
from ..common.jobs import FilePath, JobFormat
from ..common.operations import Paths
from .common import ACCOUNT, ELSEWHERE, GOOD, consumed, done, error, named, renamed, when, whole_id

AT = Paths(("/pixverse",))


class WebBody(msgspec.Struct, omit_defaults=True):
    """Body of a film; all other fields pass through."""

    prompt: str
    model: str | None = None
    quality: str | None = None
    duration: int | None = None
    motion_mode: str | None = None
    img_url: str | None = None
    frame: list[str] | None = None
    original_video_id: int | str | None = None


def model(request: Request[WebBody]) -> str:
    """Return the model."""
    return named(request.body.model or "v4.5")


def estimate(request: Request[WebBody]) -> Usage:
    """Return what a film consumes."""
    body = request.body
    return consumed(body.quality or "360p", body.duration or 5.0, body.motion_mode)


def follow(request: Request[WebBody], facts: Facts) -> dict[str, Any]:
    """Name the film that is extended as the vendor does."""
    origin = facts.origin
    return {} if origin is None else {"original_video_id": whole_id(origin.upstream_id or "")}


CODES = {State.SUCCEEDED: 1, State.RUNNING: 10, State.FAILED: 8, State.CANCELLED: 8}


def show(task: Task, links: Links) -> Json:
    """Return a task as the web site would show it, out of what the gateway itself knows."""
    by_role = JOBS.links(task, links)
    first = {role: urls[0] for role, urls in by_role.items() if urls}
    told = {
        "video_id": whole_id(task.id),
        "video_status": CODES.get(task.state, 5),
        "url": first.get("video", ""),
        "first_frame": first.get("cover", ""),
        "last_frame": first.get("last", ""),
        **{name: value for name, value in (task.request or {}).items() if value is not None},
        "created_at": when(task.submitted_at),
    }
    return {**GOOD, "Resp": told}


JOBS = JobFormat(
    id="Resp.video_id",
    code="ErrCode",
    gone=(500008,),
    elsewhere_codes=ELSEWHERE,
    account=ACCOUNT,
    poll="/feed/{id}",
    body="Resp",
    status="video_status",
    states={"5": State.QUEUED, "10": State.RUNNING, "1": State.SUCCEEDED, "7": State.FAILED, "8": State.FAILED},
    files=(
        FilePath("url", "video"),
        FilePath("first_frame", "cover", optional=True),
        FilePath("last_frame", "last", optional=True),
    ),
    late=True,
    # Whose the channel is, is the operator's affair.
    written={"Resp.account_id": 0, "Resp.nick_name": "", "Resp.avatar": ""},
    keep=("prompt", "model", "quality", "duration", "motion_mode", "img_url"),
    show=show,
    interval=4.0,
)


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission."""
    return Reply({**GOOD, "Resp": {"video_id": whole_id(task.id)}})


JOB = JOBS.job(lambda: digits(15), submitted=submitted)
ORIGIN = origin_under("original_video_id", check=done)
GENERATE: Submit[WebBody] = AT.submit(
    "generate",
    Text("Make or extend a video", "生成或延长视频"),
    body=WebBody,
    example={"prompt": "A cat in a spacesuit", "model": "v4.5", "quality": "540p", "duration": 5},
    job=JOB,
    model=model,
    estimate=estimate,
    origin=ORIGIN,
    patch=together(follow, renamed),
)

pixverse_web = Protocol(
    name="pixverse_web",
    title=Text("Pixverse (web format)", "Pixverse(网页格式)"),
    base_url="http://127.0.0.1:8080",
    models=("pixverse-v2.5", "pixverse-v3", "pixverse-v3.5", "pixverse-v4", "pixverse-v4.5"),
    own_paths=("/pixverse/",),
    authorize=bearer,
    error=error,
    channel_fault=JOBS.channel_fault,
    operations=(GENERATE, AT.fetch("feed/{id}", Text("Get a task", "feed"), name="feed")),
)
