"""Runway's films in the older format of relays: a POST makes one, `feed` tells of it, all in an envelope of `code`.

Source: documents of several relays of one supplier. They say in `code` what failed and answer 200 all the same; here
the HTTP status says so, too. What is posted to a caller's address is the `data` of `feed`, which is inferred.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    Facts,
    Failure,
    Fetch,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Task,
    Text,
    UpstreamCall,
    Usage,
)
from .common import bearer
from .common.bodies import renamed, together
from .common.errors import ErrorTable, with_param
from .common.jobs import FilePath, JobFormat
from .common.operations import Paths
from .common.paths import get

AT = Paths(("/runway/v1",), "/runway/v1")
USUAL = 10
"""Seconds of a film that is not told how long."""

# Bodies ------------------------------------------------------------------------------------------------------------

Prompt: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000)]
Move: TypeAlias = Annotated[float, Meta(ge=-10, le=10)]


class Options(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a film is to be like."""

    seconds: Annotated[int, Meta(ge=1, le=60)] | None = None
    motion_vector: dict[str, Move] | None = None
    flip: bool | None = None
    image_as_end_frame: bool | None = None


class FilmBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of a film; other fields pass through."""

    prompt: Prompt
    options: Options
    model: str | None = None
    ratio: str | None = None
    image: str | None = None
    last_image: str | None = None
    callback_url: str | None = None


class FeedBody(msgspec.Struct):
    """Which film is asked for."""

    task_id: Annotated[str, Meta(min_length=1)]


def model(request: Request[FilmBody]) -> str:
    """Return the model."""
    return request.body.model or "gen3"


def estimate(request: Request[FilmBody]) -> Usage:
    """Seconds of film."""
    return Usage(calls=1, seconds=float(request.body.options.seconds or USUAL), basis="estimated")


def patch(request: Request[FilmBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {} if request.body.model is None and facts.model == "gen3" else renamed("model")(request, facts)


# Tasks -------------------------------------------------------------------------------------------------------------

JOBS = JobFormat(
    id="data.task_id",
    code="code",
    good=(200, "success"),
    gone=("task_not_exist",),
    elsewhere_codes=(401, 402, 403, 429, 503),
    account=(401, 402),
    body="data",
    states={
        "0": State.QUEUED,
        "1": State.RUNNING,
        "2": State.FAILED,
        "3": State.SUCCEEDED,
        # Of the envelope that some relays put a task of the published interface into.
        **dict.fromkeys(("not_start", "submitted", "queued"), State.QUEUED),
        "in_progress": State.RUNNING,
        "failure": State.FAILED,
        "success": State.SUCCEEDED,
    },
    progress="progress",
    error=("msg", "fail_reason"),
    files=(
        FilePath("video_url", "video"),
        FilePath("data.output[]", "video", optional=True),
        FilePath("poster", "cover", optional=True),
        FilePath("last_frame", "last_frame", optional=True),
    ),
    hidden=("raw_video_url",),
    show=lambda task, links: show(task, links),
    keep=("prompt",),
    hook="callback_url",
    hook_id="task_id",
    hook_body="data",
    interval=4.0,
    timeout=7200.0,
)
NAMES = {State.QUEUED: "pending", State.RUNNING: "running", State.SUCCEEDED: "succeeded"}


def envelope(data: Json) -> Mapping[str, Json]:
    """Answer as the relays do."""
    return {"code": 200, "msg": "成功", "data": data, "exec_time": 0.01}


def show(task: Task, links: Links) -> Json:
    """Return a film where a relay has told nothing of it in this format."""
    by_role = JOBS.links(task, links)
    stopped = task.state in (State.FAILED, State.CANCELLED)
    prompt = (task.request or {}).get("prompt")
    status = {State.RUNNING: "1", State.SUCCEEDED: "3"}.get(task.state, "2" if stopped else "0")
    data = {
        "task_id": task.id,
        "state": NAMES.get(task.state, "error" if stopped else "pending"),
        "status": status,
        "prompt": prompt,
        "prompt_en": prompt,
        **{
            name: next(iter(by_role.get(role, ())), None)
            for name, role in (("video_url", "video"), ("poster", "cover"), ("last_frame", "last_frame"))
        },
        "raw_video_url": None,
        "msg": (task.error or "The task was cancelled") if stopped else None,
        "point": "0",
        "refund": "1" if stopped else "0",
        "create_time": str((task.started_at or 0) // 1000),
        "update_time": str((task.finished_at or task.started_at or task.submitted_at) // 1000),
    }
    return envelope(data)


def shown(task: Task, links: Links) -> Json:
    """Return a film in this format, whichever of the two a relay tells it in."""
    return JOBS.shown(task, links) if get(task.snapshot, "code") == 200 else show(task, links)


def poll(task: Task) -> UpstreamCall:
    """Ask for a film: the id stands in the body."""
    return UpstreamCall("/runway/v1/feed", "POST", json={"task_id": task.upstream_id})


JOB = JOBS.job(
    lambda: str(uuid.uuid4()),
    poll=poll,
    submitted=lambda task, links: Reply(envelope({"task_id": task.id})),
    render=lambda task, links: Reply(shown(task, links)),
)


def asked_in_query(request: Request[Any]) -> str:
    """Return which film is asked for."""
    name = request.query.get("task_id")
    if not name:
        raise Failure(Reason.INVALID, "task_id is required", param="task_id")
    return name


FOX, ID = "A fox in snow", "0ab3bfe2-be23-4635-8c35-890fb2c1732d"
FEED = ("/runway/feed", "/runway/v1/pro/feed")


def _told(method: str, name: str, **odd: Any) -> Fetch[Any]:
    return Fetch(
        name=name,
        method=method,
        path="/runway/v1/feed",
        aliases=FEED,
        upstream_template="/runway/v1/feed",
        summary=Text("Get a video", "feed"),
        example_params={"task_id": ID},
        **odd,
    )


runway_web = Protocol(
    name="runway_web",
    title=Text("Runway (older format)", "Runway(v1格式)"),
    base_url="http://127.0.0.1:8000",
    models=("gen2", "gen3", "gen4", "gen4_turbo", "runwayml-*"),
    own_paths=("/runway/v1/pro/", "/runway/v1/feed", "/runway/v1/generate", "/runway/pro/generate", "/runway/feed"),
    authorize=bearer,
    error=ErrorTable(
        rows={Reason.NOT_FOUND: (404, "task_not_exist")},
        usual={reason.status: str(reason.status) for reason in Reason},
        caller="400",
        server="500",
        shape=lambda code, failure, request_id: {
            "code": int(code) if code.isdecimal() else code,
            "msg": with_param(failure),
            "data": None,
            "exec_time": 0.0,
        },
    ),
    channel_fault=JOBS.channel_fault,
    operations=(
        AT.submit(
            "pro/generate",
            Text("Generate a video", "generate(文本; 参考图片)"),
            name="generate",
            aliases=("/runway/pro/generate", "/runway/v1/generate", "/runway/generate"),
            rows=(132, 133),
            body=FilmBody,
            example={"prompt": FOX, "model": "gen3", "ratio": "16:9", "options": {"seconds": 10}},
            job=JOB,
            model=model,
            estimate=estimate,
            patch=together(JOBS.patch, patch),
        ),
        _told("POST", "feed", rows=(131,), body=FeedBody, task=lambda request: request.body.task_id),
        _told("GET", "feed.get", media="none", query=("task_id",), task=asked_in_query),
    ),
)
