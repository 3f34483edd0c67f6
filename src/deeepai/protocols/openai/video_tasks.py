"""What a video is asked for with, how it comes to be, and how it is told of: OpenAI's form and the relays'.

Source: OpenAI's OpenAPI document 2.3.0; new-api's document for `/v1/video/generations`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, cast
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ...declare import (
    DROP,
    Accepted,
    Answer,
    AnyRequest,
    Facts,
    Failure,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Reason,
    Refused,
    Reply,
    Request,
    Result,
    State,
    Task,
    TaskStatus,
    UpstreamCall,
    Usage,
    whole,
)
from .common import ModelName

DEFAULT_MODEL, DEFAULT_SECONDS, DEFAULT_SIZE = "sora-2", "4", "720x1280"
LONGEST = 600.0
"""Seconds that may be asked for; the models themselves stop far below."""
VARIANTS = {
    "video": ("video", "video/mp4"),
    "thumbnail": ("cover", "image/webp"),
    "spritesheet": ("sheet", "image/jpeg"),
}
"""Of a video's content: the file's role, and its usual type."""
PREFIX = "video_"
_REMIX, _UNIFIED = "openai.videos.remix", "openai.video.generations"
RELAY_STATES = {
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
"""Words that relays have for a job's state."""
_STATUS = {
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
    State.RUNNING: "in_progress",
}
_PRICED = frozenset(("model", "n", "seconds", "duration", "size", "width", "height"))
"""What the price of a video depends on, in the relays' form."""
_SIZE = re.compile(r"\d{1,5}[xX]\d{1,5}")
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


class EditBody(msgspec.Struct, omit_defaults=True):
    """Body of an edit. A form names the video as `video[id]`; one that is sent along cannot be priced."""

    prompt: Prompt
    video: Annotated[dict[str, Any], Meta(description="`id` of the video")] | None = None


class ExtensionBody(EditBody, kw_only=True):
    """Body of an extension; `seconds` is what comes to the video's length."""

    seconds: str | int | float


class UnifiedBody(msgspec.Struct, omit_defaults=True):
    """Body of a video in the relays' own form."""

    model: ModelName
    prompt: Annotated[str, Meta(max_length=32000)] | None = None
    image: Annotated[str, Meta(description="Address or base64 of a picture to begin with")] | None = None
    duration: Annotated[float, Meta(gt=0, le=LONGEST)] | None = None
    seconds: str | int | float | None = None
    width: Annotated[int, Meta(ge=1, le=16384)] | None = None
    height: Annotated[int, Meta(ge=1, le=16384)] | None = None
    n: Annotated[int, Meta(ge=1, description="1: a request makes one video")] | None = None
    size: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    metadata: Annotated[dict[str, Any], Meta(description="What else the channel's model is told")] | None = None


AnyVideoBody: TypeAlias = VideoBody | RemixBody | EditBody | UnifiedBody


# Submissions -------------------------------------------------------------------------------------------------------


def model(request: Request[VideoBody]) -> str:
    """Return the model that is asked for, or OpenAI's own choice."""
    return request.body.model or DEFAULT_MODEL


def _length(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds <= LONGEST else None


def check_seconds(request: Request[VideoBody | ExtensionBody | UnifiedBody]) -> None:
    """Refuse a length that is none: the price depends on it."""
    seconds = request.body.seconds
    if seconds is not None and _length(seconds) is None:
        raise Failure(Reason.INVALID, f"Invalid value for 'seconds': {str(seconds)[:40]}", param="seconds")


def check_unified(request: Request[UnifiedBody]) -> None:
    """Refuse what a channel cannot be told, and what would change the price behind its back."""
    check_seconds(request)
    if (request.body.n or 1) > 1:
        raise Failure(Reason.INVALID, "A request makes one video: 'n' may only be 1", param="n")
    for name in request.body.metadata or ():
        if name.lower() in _PRICED:
            text = f"'{name}' stands beside 'metadata', not in it"
            raise Failure(Reason.INVALID, text, param=f"metadata.{name}")


def _wanted(body: VideoBody | UnifiedBody) -> tuple[str, str | None]:
    """Return the seconds and the size that are asked for; None where the choice of a size is left to the vendor."""
    seconds, size = body.seconds, body.size
    if isinstance(body, UnifiedBody):
        seconds = body.duration if body.duration is not None else seconds
        size = f"{body.width}x{body.height}" if body.width and body.height else size
    text = DEFAULT_SECONDS if seconds is None else f"{_length(seconds) or 0:g}"
    return text, size


def length_usage(seconds: Json, size: str | None, *, told: bool) -> Usage:
    """Count the seconds of a video of that size, where it is known; `told` by the vendor, or else asked for."""
    length = _length(seconds) or float(DEFAULT_SECONDS)
    params = {"size": size} if size else {}
    return Usage(seconds=length, params=params, basis="second" if told else "estimated")


def estimate(request: Request[VideoBody | UnifiedBody]) -> Usage:
    """So many seconds of that size as are asked for."""
    return length_usage(*_wanted(request.body), told=False)


def keep(request: Request[AnyVideoBody]) -> Json:
    """Keep what the answers tell of a submission."""
    kept: dict[str, Json] = {"prompt": request.body.prompt}
    if isinstance(request.body, ExtensionBody):
        kept["added"] = _length(request.body.seconds)
    elif isinstance(request.body, VideoBody | UnifiedBody):
        kept["seconds"], kept["size"] = _wanted(request.body)
    return kept


def new_id() -> str:
    """Make an id as OpenAI does."""
    return PREFIX + secrets.token_hex(24)


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Read the answer to a submission; relays say `task_id`, too."""
    value = answer.json()
    if answer.status < 300 and isinstance(value, dict):
        fields = cast("dict[str, Json]", value)
        name = fields.get("id") or fields.get("task_id")
        if isinstance(name, str) and name:
            return Accepted(name, facts=_length_and_size(fields))
    return Refused(retry_elsewhere=answer.status in (429, 503))


# The relays' own form ----------------------------------------------------------------------------------------------

_OURS = ("image", "duration", "width", "height", "fps", "seed", "n", "response_format", "user")
"""What OpenAI has under another name, or not at all."""


def sora_body(request: Request[UnifiedBody], facts: Facts) -> dict[str, Any]:
    """Say a video of the relays' form as OpenAI does."""
    body = request.body
    changes: dict[str, Any] = dict.fromkeys(_OURS, DROP)
    if not body.metadata:
        changes["metadata"] = DROP
    if facts.model != facts.requested_model:
        changes["model"] = facts.model
    if body.duration is not None or body.seconds is not None:
        changes["seconds"] = _wanted(request.body)[0]
    if body.width and body.height:
        changes["size"] = _wanted(request.body)[1]
    if body.image:
        inline = not body.image.startswith(("http://", "https://", "data:"))
        changes["input_reference"] = {"image_url": f"data:image/png;base64,{body.image}" if inline else body.image}
    return changes


# Polling -----------------------------------------------------------------------------------------------------------


def path_of(task: Task) -> str:
    """Return a video's path at its channel."""
    return f"/videos/{quote(task.upstream_id or '', safe='')}"


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a video's state; what it cost rests on the length and size that the vendor tells."""
    value = answer.json()
    if not isinstance(value, dict):
        return TaskStatus(task.state if task.state is State.RUNNING else State.QUEUED, None)
    fields = cast("dict[str, Json]", value)
    state = RELAY_STATES.get(str(fields.get("status", "")).lower(), State.RUNNING)
    snapshot = _length_and_size(fields)
    if fields.get("error"):
        snapshot["error"] = fields["error"]
    progress = fields.get("progress")
    percent = min(100, max(0, int(progress))) if isinstance(progress, int | float) else None
    if state in (State.FAILED, State.CANCELLED):
        return TaskStatus(state, snapshot, percent, error=_fault(fields.get("error"))["message"])
    if state is not State.SUCCEEDED:
        return TaskStatus(state, snapshot or None, percent)
    content = f"{path_of(task)}/content"
    results = tuple(
        Result(
            content if variant == "video" else f"{content}?variant={variant}",
            content_type=kind,
            keyed=True,
            optional=variant != "video",
            role=role,
        )
        for variant, (role, kind) in VARIANTS.items()
    )
    size = known(task, snapshot, "size")
    # What the vendor tells of an extension is the length of it all.
    seconds = (task.request or {}).get("added") or known(task, snapshot, "seconds")
    # Of a video that follows another, only the estimate knows what the other was like.
    unknown = seconds is None or (size is None and task.parent_id is not None)
    usage = None if unknown else length_usage(seconds, size, told=True)
    return TaskStatus(state, snapshot, 100, results, usage=usage)


def _length_and_size(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a vendor tells of a video's length and size, where it can be understood."""
    understood: dict[str, Json] = {}
    if _length(fields.get("seconds")) is not None:
        understood["seconds"] = fields["seconds"]
    size = fields.get("size")
    if isinstance(size, str) and _SIZE.fullmatch(size):
        understood["size"] = size
    return understood


def _fault(error: Json) -> dict[str, str]:
    fields: Mapping[str, Json] = error if isinstance(error, dict) else {"message": error}
    return {
        "code": str(fields.get("code") or "video_generation_failed"),
        "message": str(fields.get("message") or "The video could not be made"),
    }


def known(task: Task, snapshot: Mapping[str, Json] | None, key: str) -> Json:
    """Return a property of a video: as the vendor tells it now, or told at first, or as it was asked for."""
    return next((source[key] for source in (snapshot, task.facts, task.request) if source and source.get(key)), None)


def property_of(task: Task, key: str) -> Json:
    """Return a property of a video: by what is known, or by default."""
    return known(task, task.snapshot, key) or (DEFAULT_SECONDS if key == "seconds" else DEFAULT_SIZE)


def numbered(task: Task, role: str) -> int | None:
    """Return which of a task's files has a role, whoever did it; None where none has."""
    roles = (task.snapshot or {}).get("roles") or [role for role, _ in VARIANTS.values()]
    return roles.index(role) if role in roles[: task.results] else None


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
        "seconds": str(property_of(task, "seconds")),
        "size": property_of(task, "size"),
        "remixed_from_video_id": task.parent_id if task.operation == _REMIX else None,
        "error": _fault((task.snapshot or {}).get("error") or task.error) if failed else None,
    }


def unified(task: Task, links: Links) -> dict[str, Json]:
    """Return a video in the relays' own form."""
    shown = video(task)
    size = shown["size"].partition("x")
    body: dict[str, Json] = {
        "task_id": task.id,
        "id": task.id,
        "object": "video",
        "model": task.model,
        "status": shown["status"],
        "progress": shown["progress"],
        "created_at": shown["created_at"],
    }
    if task.state is State.SUCCEEDED:
        metadata: dict[str, Json] = {"duration": _length(shown["seconds"]) or 0}
        width, height = whole(size[0], 9), whole(size[2], 9)
        if width is not None and height is not None:
            metadata |= {"width": width, "height": height}
        body |= {"url": links.asset(task, numbered(task, "video") or 0), "format": "mp4", "metadata": metadata}
    elif shown["error"] is not None:
        body["error"] = {"code": 500, "message": shown["error"]["message"], "type": shown["error"]["code"]}
    return body


def render(task: Task, links: Links) -> Reply:
    """Answer in the form in which the video was asked for."""
    return Reply(unified(task, links) if task.operation == _UNIFIED else video(task))


VIDEO_JOB: Final[Job[AnyVideoBody]] = Job(
    rules=JobRules(
        accept=accept,
        poll=lambda task: UpstreamCall(path_of(task)),
        read=read,
        discard=lambda task: UpstreamCall(path_of(task), "DELETE"),
        interval=3.0,
        fresh=1.0,
        timeout=7200.0,
    ),
    face=JobFace(new_id=new_id, submitted=render, render=render, keep=keep),
)
