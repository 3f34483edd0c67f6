"""Luma's films in the format of relays, which is the vendor's own web site's: `user_prompt`, and an object a film.

Two lines are told apart by the path's prefix: the usual one, and `/pro` or `/vip`, whose models are called `…-pro`
here, so that channels, rights and prices of each are said by the model's name.

Source: LumaAI-API/Luma-API (code and document), documents of relays, and a web client of theirs.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    DROP,
    Answer,
    AnyRequest,
    Facts,
    Failure,
    Fetch,
    Job,
    Json,
    Links,
    ObjectCall,
    ObjectRules,
    Origin,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from .common import bearer, iso
from .common.bodies import Flag, model_under, one_of, retyped, together
from .common.errors import ErrorTable, no_retry
from .common.jobs import FilePath, JobFormat, kept
from .common.lists import IdsBody, asked_for, by_ids, part
from .common.operations import Paths, path_id
from .common.paths import get, write

AT = Paths(("/luma",), "/luma")
PREFIXES = {"": {}, "/pro": {"line": "pro"}, "/vip": {"line": "pro"}}
PRO = "-pro"
CENT = 10_000_000
"""10⁻⁹ USD: what is counted as a credit."""
LENGTHS, RESOLUTIONS = ("5s", "9s", "5", "9"), ("540p", "720p", "1080p")

# Bodies ------------------------------------------------------------------------------------------------------------

Prompt: TypeAlias = Annotated[str, Meta(max_length=5000)]


class ExtensionBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of what lengthens a film; `prompt` as clients of the published API write it."""

    user_prompt: Prompt | None = None
    prompt: Prompt | None = None
    model_name: str | None = None
    image_url: str | None = None
    image_end_url: str | None = None
    duration: str | int | None = None
    resolution: str | None = None
    expand_prompt: Flag | None = None
    loop: Flag | None = None
    notify_hook: str | None = None


class FilmBody(ExtensionBody, kw_only=True, omit_defaults=True):
    """Body of a film; `model` as clients of the published API write it."""

    model: str | None = None


class FileBody(msgspec.Struct):
    """A picture to upload: an address, or base64."""

    url: Annotated[str, Meta(min_length=1)]


def check_film(request: Request[FilmBody]) -> None:
    """Refuse a film of nothing, and a length or size that has no price."""
    one_of("user_prompt", "prompt", "image_url", "image_end_url")(request)
    check_size(request)


def check_size(request: Request[ExtensionBody]) -> None:
    """Refuse a length or size that has no price."""
    body = request.body
    if body.duration is not None and str(body.duration) not in LENGTHS:
        raise Failure(Reason.INVALID, "'duration' is 5s or 9s", param="duration")
    if body.resolution is not None and body.resolution not in RESOLUTIONS:
        raise Failure(Reason.INVALID, f"'resolution' is one of {', '.join(RESOLUTIONS)}", param="resolution")


# Models and prices -------------------------------------------------------------------------------------------------


def model(request: Request[ExtensionBody]) -> str:
    """Return the model, of the line that the path names."""
    name = model_under("model_name", "model", default="ray-v1")(request)
    return f"{name}{PRO}" if request.params.get("line") == "pro" and not name.endswith(PRO) else name


def estimate(request: Request[ExtensionBody]) -> Usage:
    """One film, by what its price may depend on."""
    seconds = str(request.body.duration or "5s").removesuffix("s")
    params = {"duration": f"{seconds}s", "resolution": request.body.resolution or "720p"}
    return Usage(calls=1, seconds=float(seconds), params=params, basis="estimated")


def inherit(request: Request[ExtensionBody], origin: Task) -> tuple[str, Usage]:
    """Take the model of the film that is lengthened, where no other is named."""
    return (model(request) if request.body.model_name else origin.model), estimate(request)


def patch(request: Request[ExtensionBody], facts: Facts) -> dict[str, Any]:
    """Say prompt and model under the names that the upstream reads."""
    body, name = request.body, facts.model.removesuffix(PRO)
    changes: dict[str, Any] = {} if body.model_name == name else {"model_name": name}
    changes |= {name: DROP for name in ("model", "prompt") if getattr(body, name, None) is not None}
    if body.user_prompt is None:
        changes["user_prompt"] = body.prompt or ""
    return changes


# Tasks -------------------------------------------------------------------------------------------------------------

NULLS: dict[str, Json] = dict.fromkeys(
    ("queue_state", "video", "video_raw", "liked", "estimate_wait_seconds", "thumbnail", "last_frame")
)
CLEAN = "video.download_url"
"""The film without the vendor's mark; it may be missing of a film that is completed."""
JOBS = JobFormat(
    id="id",
    poll="/luma/generations/{id}",
    status="state",
    states={
        "pending": State.QUEUED,
        "queued": State.QUEUED,
        "processing": State.RUNNING,
        "dreaming": State.RUNNING,
        "completed": State.SUCCEEDED,
        "failed": State.FAILED,
    },
    error=("failure_reason",),
    files=(
        FilePath(CLEAN, "video"),
        FilePath("video.url", "watermark", optional=True),
        FilePath("video_raw.url", "raw", optional=True),
        FilePath("thumbnail.url", "cover", optional=True),
        FilePath("last_frame.url", "last_frame", optional=True),
    ),
    hidden=(
        "video.thumbnail",
        "artifact.video.url",
        "artifact.video.download_url",
        "artifact.video.thumbnail",
        "artifact.video_raw.url",
        "artifact.thumbnail.url",
        "artifact.last_frame.url",
    ),
    show=lambda task, links: show(task, links),
    keep=("user_prompt", "prompt", "notify_hook"),
    written={"user_id": DROP, "request.notify_hook": kept("notify_hook")},
    hook="notify_hook",
    hook_id="id",
    interval=4.0,
    timeout=7200.0,
)


def accept(answer: Answer, request: AnyRequest) -> Any:
    """Read the answer to a submission: the web site's own is a list of one."""
    said = answer.json()
    if isinstance(said, list) and len(said) == 1:
        answer = Answer(answer.status, answer.headers, msgspec.json.encode(said[0]))
    return JOBS.accept(answer, request)


def job(at: str, *, frees: bool) -> Job[object]:
    """Make the job of films that are asked for below a path.

    Parameters
    ----------
    frees : bool
        Whether the upstream is asked for a film without the mark, where it does not tell of one at once.
    """
    jobs = dataclasses.replace(JOBS, poll=f"{at}/{{id}}")

    def marked(task: Task) -> bool:
        there = JOBS.state(task.snapshot, task) is State.SUCCEEDED
        return frees and there and not get(task.snapshot, CLEAN)

    def poll(task: Task) -> UpstreamCall:
        ask = jobs.ask(task)
        return UpstreamCall(f"{ask.path}/download_video_url") if marked(task) else ask

    def read(answer: Answer, task: Task) -> TaskStatus:
        said = answer.json()
        if marked(task):
            clean = get(said, "url") if answer.status < 300 else None
            return ended(task, task.snapshot, clean)
        if answer.status >= 400:
            return TaskStatus(State.NOT_FOUND, None)
        status = jobs.read(answer, task)
        if status.state is not State.SUCCEEDED or get(said, CLEAN) or not get(said, "video.url"):
            return status
        # Of another protocol's task no more is kept than its files' roles.
        if not frees or "roles" in (task.snapshot or ()):
            return ended(task, said, None)
        return dataclasses.replace(status, state=State.RUNNING, results=())

    def ended(task: Task, said: Json, clean: Json) -> TaskStatus:
        whole = write(said, CLEAN, clean or get(said, "video.url"))
        return jobs.read(Answer(200, {}, msgspec.json.encode(whole)), task)

    odd: dict[str, Any] = {
        "accept": accept,
        "poll": poll,
        "read": read,
        "ends": lambda answer: answer.status in (400, 404, 405),
    }
    return jobs.job(lambda: str(uuid.uuid4()), **odd)


def show(task: Task, links: Links) -> Json:
    """Return a film where the vendor has told nothing of it."""
    known = task.request or {}
    prompt = known.get("user_prompt") or known.get("prompt") or ""
    own = dataclasses.replace(JOBS, written={}).own_answer(task, links)
    shown = {**NULLS, "prompt": prompt, "created_at": iso(task.submitted_at), "batch_id": "", **own}
    clean = get(shown, CLEAN)
    if clean:
        shown = write(write(shown, "video.url", get(shown, "video.url") or clean), "video_raw.url", clean)
    return shown


FILMS = job("/luma/generations", frees=True)


def extended(facts: Facts) -> str:
    """Return the film that is lengthened, as the upstream names it."""
    return next(iter(facts.named.values()))


def must_be_done(request: AnyRequest, origin: Task) -> None:
    """Refuse to go on from what is not there."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, f"Generation {origin.id} is not completed", code="generation_not_completed")


def download(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer with a fresh address of the film without the vendor's mark."""
    must_be_done(request, task)
    return Reply({"url": get(JOBS.shown(task, links), CLEAN)})


# The caller's own --------------------------------------------------------------------------------------------------

WORDS = {
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.CANCELLED: "FAILURE",
    State.RUNNING: "IN_PROGRESS",
    State.QUEUED: "QUEUED",
}


async def listed(view: View[Any]) -> Reply:
    """List the caller's films, the newest first."""
    limit, offset = asked_for(view, "limit", 10, (1, 100)), asked_for(view, "offset", 0, (0, 10_000))
    tasks, _ = await part(view, ["generations", "extend"], offset, limit)
    return Reply([JOBS.shown(task, view.links) for task in tasks])


async def several(view: View[IdsBody]) -> Reply:
    """Tell of several films, as relays tell of tasks."""

    def told(task: Task) -> Json:
        times = {"submit_time": task.submitted_at, "start_time": task.started_at, "finish_time": task.finished_at}
        return {
            "task_id": task.id,
            "platform": "luma",
            "action": "LUMA_VIDEO",
            "status": WORDS.get(task.state, "SUBMITTED"),
            "fail_reason": task.error or "",
            **{name: (time or 0) // 1000 for name, time in times.items()},
            "data": JOBS.shown(task, view.links),
        }

    tasks = await by_ids(view, view.request.body.ids)
    return Reply({"code": "success", "message": "", "data": [told(task) for task in tasks]})


async def usage(view: View[Any]) -> Reply:
    """Tell what the caller's key has spent and may spend, in cents."""
    allowance = await view.allowance()
    spent, left = allowance.spent / CENT, allowance.available / CENT
    return Reply({"consumed": spent, "available": left, "capacity": spent + left})


async def me(view: View[Any]) -> Reply:
    """Tell whose key it is."""
    allowance = await view.allowance()
    return Reply({"id": view.account_id, "name": allowance.name})


FOX, ID = "A fox in snow", "45e3d6dd-8d93-4f4a-9c4b-3a5b3f3c9f01"
EXAMPLE: dict[str, Json] = {"user_prompt": FOX, "aspect_ratio": "16:9", "expand_prompt": True, "loop": False}


def film(at: Paths, rest: str, summary: Text, job: Job[object], **odd: Any) -> Submit[Any]:
    """Declare a submission of a film."""
    usual: dict[str, Any] = {"body": FilmBody, "job": job, "model": model, "estimate": estimate, "check": check_film}
    usual |= {"patch": together(retyped, JOBS.patch, patch), "example": EXAMPLE}
    return at.submit(rest, summary, **(usual | odd))


def extension(at: Paths, job: Job[object], *rows: int) -> Submit[Any]:
    """Declare what lengthens a film."""
    return film(
        at,
        "generations/{id}/extend",
        Text("Extend a video", "扩展视频"),
        job,
        name="extend",
        body=ExtensionBody,
        rows=rows,
        example={"user_prompt": "It finds a burrow", "expand_prompt": True},
        check=check_size,
        model=None,
        estimate=None,
        inherit=inherit,
        origin=Origin(ids=lambda request: (path_id(request),), check=must_be_done),
        upstream_path=lambda request, facts: f"{at.vendor}/generations/{extended(facts)}/extend",
    )


def _download(method: str, name: str, *rows: int) -> Fetch[object]:
    return Fetch(
        name=name,
        method=method,
        path="/luma/generations/{id}/download_video_url",
        upstream_template="/luma/generations/{id}/download_video_url",
        rows=rows,
        summary=Text("Address without watermark", "获取视频无水印链接"),
        media="none",
        task=path_id,
        render=download,
    )


def error_table(rows: dict[Reason, tuple[int, str]]) -> ErrorTable[str]:
    """Return errors as relays shape them."""
    return ErrorTable(
        rows=rows,
        caller="invalid_request",
        server="upstream_error",
        shape=lambda code, failure, request_id: {
            "error": {"message": failure.message, "type": code, "code": failure.code or failure.kind.word}
        },
        headers=no_retry,
    )


luma = Protocol(
    name="luma",
    title=Text("Luma (relays' format)", "Luma(官方格式v2)"),
    base_url="http://127.0.0.1:8000",
    env_key="LUMA_KEY",
    env_base_url="LUMA_SERVER",
    models=("ray-v*",),
    prefixes=PREFIXES,
    own_paths=tuple(f"{prefix}/luma/" for prefix in PREFIXES),
    authorize=bearer,
    error=error_table({}),
    probe=UpstreamCall("/luma/subscription/usage"),
    operations=(
        film(AT, "generations", Text("Generate a video", "提交生成视频任务"), FILMS, rows=(117,)),
        AT.own(
            "generations",
            Text("List videos", "任务列表"),
            name="generations.list",
            query={"limit": "10", "offset": "0"},
            example_answer=[],
            answer=listed,
        ),
        AT.fetch("generations/{id}", Text("Get a video", "查询单个任务"), name="generations.get", rows=(118,)),
        extension(AT, FILMS, 119),
        _download("GET", "download_video_url", 120),
        _download("POST", "download_video_url.post"),
        ObjectCall(
            name="file_upload",
            method="POST",
            path="/luma/generations/file_upload",
            upstream_template="/luma/generations/file_upload",
            summary=Text("Upload a picture", "上传图片"),
            body=FileBody,
            example={"url": "https://example.com/fox.png"},
            example_answer={"id": ID, "presigned_url": "https://…", "public_url": "https://…"},
            objects=ObjectRules(),
        ),
        AT.own(
            "tasks",
            Text("Get several videos", "批量查询任务"),
            method="POST",
            body=IdsBody,
            example_answer={"code": "success", "message": "", "data": []},
            answer=several,
        ),
        AT.own(
            "subscription/usage",
            Text("What is spent", "用量查询"),
            example_answer={"consumed": 40.0, "available": 960.0, "capacity": 1000.0},
            answer=usage,
        ),
        AT.own("users/me", Text("Whose key it is", "用户信息"), example_answer={"id": "acc_1", "name": "k"}, answer=me),
    ),
)
