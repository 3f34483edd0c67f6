"""Videos as Sora makes them, and the address that relays have for every model's videos.

Source: OpenAI's OpenAPI document 2.3.0; new-api's document for `/v1/video/generations`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ...declare import (
    DROP,
    Accepted,
    Answer,
    Ask,
    Facts,
    Failure,
    Json,
    Kind,
    Links,
    Operation,
    Reading,
    Reason,
    Refused,
    Reply,
    Request,
    Result,
    State,
    Task,
    TaskRules,
    Text,
    Usage,
    View,
)
from ..common import body_model
from .common import ModelName
from .objects import page, window

DEFAULT_MODEL, DEFAULT_SECONDS, DEFAULT_SIZE = "sora-2", "4", "720x1280"
LONGEST = 600.0
"""Seconds that may be asked for; the models themselves stop far below."""
VARIANTS = {"video": ("0", "video/mp4"), "thumbnail": ("1", "image/webp"), "spritesheet": ("2", "image/jpeg")}
"""Of a video's content: which of the task's files, and its usual type."""
_PREFIX = "video_"
_UNIFIED = "openai.video.generations"
_STATES = {
    "queued": State.QUEUED,
    "pending": State.QUEUED,
    "submitted": State.QUEUED,
    "not_start": State.QUEUED,
    "in_progress": State.RUNNING,
    "processing": State.RUNNING,
    "running": State.RUNNING,
    "completed": State.SUCCEEDED,
    "succeeded": State.SUCCEEDED,
    "success": State.SUCCEEDED,
    "failed": State.FAILED,
    "failure": State.FAILED,
    "cancelled": State.CANCELLED,
    "canceled": State.CANCELLED,
}
_STATUS = {
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
    State.RUNNING: "in_progress",
}
Prompt = Annotated[str, Meta(min_length=1, max_length=32000, description="What the video shows")]


class VideoBody(msgspec.Struct, omit_defaults=True):
    """Body of a video, as JSON or as a form; a picture to begin with is the form's file `input_reference`."""

    prompt: Prompt
    model: ModelName | None = None
    seconds: str | int | float | None = None
    size: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class RemixBody(msgspec.Struct):
    """Body of a remix."""

    prompt: Prompt


class UnifiedBody(msgspec.Struct, omit_defaults=True):
    """Body of a video in the relays' own form."""

    model: ModelName
    prompt: Annotated[str, Meta(max_length=32000)] | None = None
    image: Annotated[str, Meta(description="Address or base64 of a picture to begin with")] | None = None
    duration: Annotated[float, Meta(gt=0, le=LONGEST)] | None = None
    seconds: str | int | float | None = None
    width: Annotated[int, Meta(ge=1, le=16384)] | None = None
    height: Annotated[int, Meta(ge=1, le=16384)] | None = None
    size: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


# Submissions -------------------------------------------------------------------------------------------------------


def model(request: Request) -> str:
    """Return the model that is asked for, or OpenAI's own choice."""
    return request.body.model or DEFAULT_MODEL


def patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != (request.body.model or facts.asked) else {}


def _length(value: Json) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 < found <= LONGEST else None


def check_seconds(request: Request) -> None:
    """Refuse a length that is none: the price depends on it."""
    seconds = request.body.seconds
    if seconds is not None and _length(seconds) is None:
        raise Failure(Reason.INVALID, f"Invalid value for 'seconds': {str(seconds)[:40]}", param="seconds")


def _wanted(request: Request) -> tuple[str, str]:
    """Return the seconds and the size that are asked for."""
    body = request.body
    seconds, size = body.seconds, body.size
    if isinstance(body, UnifiedBody):
        seconds = body.duration if body.duration is not None else seconds
        size = f"{body.width}x{body.height}" if body.width and body.height else size
    text = DEFAULT_SECONDS if seconds is None else f"{_length(seconds) or 0:g}"
    return text, size or DEFAULT_SIZE


def _usage(seconds: Json, size: Json, *, told: bool) -> Usage:
    length = _length(seconds) or float(DEFAULT_SECONDS)
    params = {"size": size if isinstance(size, str) else DEFAULT_SIZE}
    return Usage(seconds=length, params=params, basis="second" if told else "estimated")


def estimate(request: Request) -> Usage:
    """So many seconds of that size as are asked for."""
    return _usage(*_wanted(request), told=False)


def keep(request: Request) -> Json:
    """Keep what the answers tell of a submission."""
    found: dict[str, Json] = {"prompt": request.body.prompt}
    if not isinstance(request.body, RemixBody):
        found["seconds"], found["size"] = _wanted(request)
    return found


def new_id() -> str:
    """Make an id as OpenAI does."""
    return _PREFIX + secrets.token_hex(24)


def accept(answer: Answer, request: Request) -> Accepted | Refused:
    """Read the answer to a submission; relays say `task_id`, too."""
    found = answer.json()
    if answer.status < 300 and isinstance(found, dict):
        name = found.get("id") or found.get("task_id")
        if isinstance(name, str) and name:
            return Accepted(name, facts={key: found[key] for key in ("seconds", "size") if found.get(key)})
    return Refused(elsewhere=answer.status in (429, 503))


# The relays' own form ----------------------------------------------------------------------------------------------

_OURS = ("image", "duration", "width", "height", "fps", "n", "response_format", "metadata")


def sora_body(request: Request, facts: Facts) -> dict[str, Any]:
    """Say a video of the relays' form as OpenAI does."""
    body = request.body
    found: dict[str, Any] = dict.fromkeys(_OURS, DROP)
    if facts.model != facts.asked:
        found["model"] = facts.model
    if body.duration is not None or body.seconds is not None:
        found["seconds"] = _wanted(request)[0]
    if body.width and body.height:
        found["size"] = _wanted(request)[1]
    if body.image:
        inline = not body.image.startswith(("http://", "https://", "data:"))
        found["input_reference"] = {"image_url": f"data:image/png;base64,{body.image}" if inline else body.image}
    return found


# Polling -----------------------------------------------------------------------------------------------------------


def _path(task: Task) -> str:
    return f"/videos/{quote(task.upstream_id or '', safe='')}"


def read(answer: Answer, task: Task) -> Reading:
    """Read a video's state; what it cost rests on the length and size that the vendor tells."""
    found = answer.json()
    if not isinstance(found, dict):
        return Reading(task.state if task.state is State.RUNNING else State.QUEUED, None)
    state = _STATES.get(str(found.get("status", "")).lower(), State.RUNNING)
    told = {key: found[key] for key in ("seconds", "size", "error") if found.get(key)}
    progress = found.get("progress")
    percent = min(100, max(0, int(progress))) if isinstance(progress, int | float) else None
    if state in (State.FAILED, State.CANCELLED):
        return Reading(state, told, percent, error=_fault(found.get("error"))["message"])
    if state is not State.SUCCEEDED:
        return Reading(state, told or None, percent)
    content = f"{_path(task)}/content"
    results = tuple(
        Result(
            content if variant == "video" else f"{content}?variant={variant}",
            content_type=kind,
            keyed=True,
            optional=variant != "video",
        )
        for variant, (_, kind) in VARIANTS.items()
    )
    seconds, size = _told(task, told, "seconds"), _told(task, told, "size")
    return Reading(state, told, 100, results, usage=_usage(seconds, size, told=True))


def _fault(error: Json) -> dict[str, str]:
    given: Mapping[str, Json] = error if isinstance(error, dict) else {"message": error}
    return {
        "code": str(given.get("code") or "video_generation_failed"),
        "message": str(given.get("message") or "The video could not be made"),
    }


def _told(task: Task, told: Mapping[str, Json] | None, key: str) -> Json:
    """Return a property of a video: as the vendor tells it now, or told at first, or as it was asked for."""
    for source in (told, task.facts, task.request):
        if source and source.get(key):
            return source[key]
    return DEFAULT_SECONDS if key == "seconds" else DEFAULT_SIZE


# Answers -----------------------------------------------------------------------------------------------------------


def video(task: Task) -> dict[str, Json]:
    """Return OpenAI's video object."""
    failed = task.state in (State.FAILED, State.CANCELLED)
    return {
        "id": task.id,
        "object": "video",
        "model": task.model,
        "status": _STATUS.get(task.state, "queued"),
        "progress": 100 if task.state is State.SUCCEEDED else task.progress or 0,
        "created_at": task.submitted_at // 1000,
        "completed_at": task.finished_at // 1000 if task.finished_at and not failed else None,
        "expires_at": None,
        "prompt": (task.request or {}).get("prompt"),
        "seconds": str(_told(task, task.snapshot, "seconds")),
        "size": _told(task, task.snapshot, "size"),
        "remixed_from_video_id": task.parent_id,
        "error": _fault((task.snapshot or {}).get("error") or task.error) if failed else None,
    }


def unified(task: Task, links: Links) -> dict[str, Json]:
    """Return a video in the relays' own form."""
    found = video(task)
    size = found["size"].partition("x")
    body: dict[str, Json] = {
        "task_id": task.id,
        "id": task.id,
        "object": "video",
        "model": task.model,
        "status": found["status"],
        "progress": found["progress"],
        "created_at": found["created_at"],
    }
    if task.state is State.SUCCEEDED:
        metadata: dict[str, Json] = {"duration": _length(found["seconds"]) or 0}
        if size[0].isdigit() and size[2].isdigit():
            metadata |= {"width": int(size[0]), "height": int(size[2])}
        body |= {"url": links.asset(task), "format": "mp4", "metadata": metadata}
    elif found["error"] is not None:
        body["error"] = {"code": 500, "message": found["error"]["message"], "type": found["error"]["code"]}
    return body


def render(task: Task, links: Links) -> Reply:
    """Answer in the form in which the video was asked for."""
    return Reply(unified(task, links) if task.operation == _UNIFIED else video(task))


def render_video(request: Request, task: Task, links: Links) -> Reply:
    """Answer with OpenAI's video object, however the video was asked for."""
    return Reply(video(task))


def render_unified(request: Request, task: Task, links: Links) -> Reply:
    """Answer in the relays' form, however the video was asked for."""
    return Reply(unified(task, links))


def content(request: Request, task: Task, links: Links) -> Reply:
    """Send a video's file, or one of the pictures of it."""
    variant = request.query.get("variant") or "video"
    if variant not in VARIANTS:
        raise Failure(Reason.INVALID, f"'variant' is one of {', '.join(VARIANTS)}", param="variant")
    if task.state is not State.SUCCEEDED:
        raise Failure(
            Reason.NOT_FOUND, "Video is not ready yet, use GET /v1/videos/{video_id} to check status", param="video_id"
        )
    number, kind = VARIANTS[variant]
    return Reply(content_type=kind, asset=number)


def named(request: Request) -> str:
    """Return the video that the path names."""
    name = request.params["video_id"]
    if not name.startswith(_PREFIX):
        raise Failure(Reason.NOT_FOUND, f"Task '{name[:64]}' was not found", code="task_not_found")
    return name


# Follow-ups --------------------------------------------------------------------------------------------------------


def check_source(request: Request, origin: Task) -> None:
    """Refuse to work on a video that is not there yet."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "The video is not completed", param="video_id")


def inherit(request: Request, origin: Task) -> tuple[str, Usage]:
    """Take model, length and size from the video that is remixed."""
    seconds, size = (_told(origin, origin.snapshot, key) for key in ("seconds", "size"))
    return origin.model, _usage(seconds, size, told=False)


def remix_place(request: Request, facts: Facts) -> str:
    """Name the video as the upstream does."""
    assert facts.origin is not None
    return f"{_path(facts.origin)}/remix"


# The caller's own --------------------------------------------------------------------------------------------------

_SUBMITTING = ("videos.create", "videos.remix", "video.generations")


async def list_videos(view: View) -> Reply:
    """List the caller's videos."""
    found, more = await view.page(_SUBMITTING, window(view.request))
    return Reply(page([video(task) for task in found], more))


async def delete_video(view: View) -> Reply:
    """Delete a video and its files."""
    name = named(view.request)
    await view.forget(name)
    return Reply({"id": name, "object": "video.deleted", "deleted": True})


TASKS = TaskRules(
    new_id=new_id,
    accept=accept,
    submitted=render,
    poll=lambda task: Ask(_path(task)),
    read=read,
    render=render,
    keep=keep,
    discard=lambda task: Ask(_path(task), "DELETE"),
    interval=3.0,
    fresh=1.0,
    timeout=7200.0,
)

_ID = "video_68d7512d07848190b3e45da0ecbebcde004da08e1e0678d5"
_PARAMS = {"video_id": _ID}
_VIDEO: dict[str, Json] = {
    "id": _ID,
    "object": "video",
    "model": "sora-2",
    "status": "completed",
    "progress": 100,
    "created_at": 1760000000,
    "completed_at": 1760000060,
    "expires_at": None,
    "prompt": "A cat in a spacesuit walks on the moon",
    "seconds": "8",
    "size": "1280x720",
    "remixed_from_video_id": None,
    "error": None,
}

OPERATIONS = (
    Operation(
        name="videos.create",
        method="POST",
        path="/v1/videos",
        native="/videos",
        kind=Kind.SUBMIT,
        summary=Text("Create a video", "创建视频"),
        body=VideoBody,
        media="either",
        files={"input_reference": False},
        check=check_seconds,
        example={
            "model": "sora-2",
            "prompt": "A cat in a spacesuit walks on the moon",
            "seconds": "8",
            "size": "1280x720",
        },
        model=model,
        estimate=estimate,
        patch=patch,
        max_body=128 * 1024 * 1024,
    ),
    Operation(
        name="videos.list",
        method="GET",
        path="/v1/videos",
        kind=Kind.LIST,
        summary=Text("List your videos", "列出视频"),
        media="none",
        query=("limit", "order", "after"),
        example_params={"limit": "20", "order": "desc", "after": _ID},
        example_answer={"object": "list", "data": [_VIDEO], "first_id": _ID, "last_id": _ID, "has_more": False},
        answer=list_videos,
    ),
    Operation(
        name="videos.get",
        method="GET",
        path="/v1/videos/{video_id}",
        native="/videos/{video_id}",
        kind=Kind.FETCH,
        summary=Text("Get a video's state", "查询视频任务"),
        media="none",
        example_params=_PARAMS,
        task=named,
        render=render_video,
    ),
    Operation(
        name="videos.content",
        method="GET",
        path="/v1/videos/{video_id}/content",
        native="/videos/{video_id}/content",
        kind=Kind.FETCH,
        summary=Text("Download a video", "下载视频"),
        media="none",
        query=("variant",),
        answers=("video/mp4", "image/webp", "image/jpeg"),
        example_params={**_PARAMS, "variant": "video"},
        task=named,
        render=content,
    ),
    Operation(
        name="videos.delete",
        method="DELETE",
        path="/v1/videos/{video_id}",
        kind=Kind.LIST,
        summary=Text("Delete a video", "删除视频"),
        media="none",
        example_params=_PARAMS,
        example_answer={"id": _ID, "object": "video.deleted", "deleted": True},
        answer=delete_video,
    ),
    Operation(
        name="videos.remix",
        method="POST",
        path="/v1/videos/{video_id}/remix",
        native="/videos/{video_id}/remix",
        kind=Kind.SUBMIT,
        summary=Text("Remix a video", "混合视频"),
        body=RemixBody,
        media="either",
        example={"prompt": "The same cat, now on Mars"},
        example_params=_PARAMS,
        origin=lambda request: (named(request),),
        check_origin=check_source,
        inherit=inherit,
        place=remix_place,
    ),
    Operation(
        name="video.generations",
        method="POST",
        path="/v1/video/generations",
        native="/videos",
        kind=Kind.SUBMIT,
        summary=Text("Create a video (relays' form)", "创建视频生成任务"),
        body=UnifiedBody,
        check=check_seconds,
        example={
            "model": "sora-2",
            "prompt": "A cat in a spacesuit walks on the moon",
            "duration": 8,
            "width": 1280,
            "height": 720,
        },
        model=body_model,
        estimate=estimate,
        patch=sora_body,
    ),
    Operation(
        name="video.generations.get",
        method="GET",
        path="/v1/video/generations/{video_id}",
        native="/videos/{video_id}",
        kind=Kind.FETCH,
        summary=Text("Get a video's state (relays' form)", "获取视频生成任务状态"),
        media="none",
        example_params=_PARAMS,
        task=named,
        render=render_unified,
    ),
)
