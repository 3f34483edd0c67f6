"""Runway's tasks as the vendor's own web site submits them, and as relays serve them: everything stands in `task`.

Source: a web client of relays, and two relays' documents of their older interface.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    DROP,
    AnyRequest,
    Facts,
    Failure,
    Json,
    Links,
    Made,
    ObjectCall,
    ObjectRules,
    Origin,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Task,
    Text,
    Usage,
)
from .common import bearer, iso
from .common.bodies import together
from .common.errors import ErrorTable, no_retry, with_param
from .common.jobs import FilePath, JobFormat, kept
from .common.operations import Paths, path_id
from .common.paths import get
from .runwayml import STATES

AT = Paths(("/runway", "/runway/v2"), "/runway")
PREFIXES = {"": {}, "/pro": {}}
SHORT = 4
"""Seconds of a film by Gen-2, which is not told how long."""

# Bodies ------------------------------------------------------------------------------------------------------------

Words: TypeAlias = Annotated[str, Meta(max_length=2000)]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=60)]


class Options(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a film is to be like; other fields pass through."""

    text_prompt: Words | None = None
    seconds: Seconds | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    exploreMode: bool | None = None
    width: Annotated[int, Meta(ge=1, le=8192)] | None = None
    height: Annotated[int, Meta(ge=1, le=8192)] | None = None
    init_image: str | None = None
    image_as_end_frame: bool | None = None
    extended_from_task_id: str | None = None
    gen2Options: dict[str, Any] | None = None


class TaskBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of a task; clients of the vendor's published interface write the fields of its last lines."""

    taskType: Annotated[str, Meta(min_length=1)] | None = None
    options: Options | None = None
    notify_hook: str | None = None
    published_model: str | None = msgspec.field(name="model", default=None)
    promptText: Words | None = None
    promptImage: str | None = None
    duration: Seconds | None = None
    ratio: Annotated[str, Meta(pattern="^[0-9]{2,4}:[0-9]{2,4}$")] | None = None
    seed: int | None = None


class UploadBody(msgspec.Struct):
    """A file that will be uploaded."""

    filename: Annotated[str, Meta(min_length=1)]
    numberOfParts: int = 1
    type: str = "DATASET_PREVIEW"


class PartsBody(msgspec.Struct):
    """What was uploaded."""

    parts: Annotated[list[dict[str, Any]], Meta(min_length=1)]


def is_published(request: Request[TaskBody]) -> bool:
    """Tell whether a body is one of the vendor's published interface."""
    body = request.body
    return body.taskType is None and (body.promptText is not None or body.promptImage is not None)


def options(request: Request[TaskBody]) -> Options:
    """Return what a film is to be like, however the body says it."""
    body = request.body
    if not is_published(request):
        return body.options or Options()
    wide, _, high = (body.ratio or "1280:768").partition(":")
    return Options(
        text_prompt=body.promptText,
        seconds=body.duration or 10,
        seed=body.seed,
        width=int(wide),
        height=int(high),
        init_image=body.promptImage,
    )


def check(request: Request[TaskBody]) -> None:
    """Refuse a task of no kind, or one that does not say how long."""
    if is_published(request):
        return
    asked = request.body.options
    if request.body.taskType is None:
        raise Failure(Reason.INVALID, "taskType is required", param="taskType")
    if asked is None:
        raise Failure(Reason.INVALID, "options are required", param="options")
    if asked.seconds is None and asked.gen2Options is None:
        raise Failure(Reason.INVALID, "seconds are required", param="options.seconds")


# Prices ------------------------------------------------------------------------------------------------------------


def model(request: Request[TaskBody]) -> str:
    """Return the kind of task, or the model of a body that names one."""
    return request.body.taskType or request.body.published_model or "gen3a_turbo"


def estimate(request: Request[TaskBody]) -> Usage:
    """Seconds of film, at the price of the slow queue or the fast one."""
    asked = options(request)
    params = {"explore": "on" if asked.exploreMode else "off"}
    return Usage(calls=1, seconds=float(asked.seconds or SHORT), params=params, basis="estimated")


def patch(request: Request[TaskBody], facts: Facts) -> dict[str, Any]:
    """Name kind and origin as the upstream does, and say in its words what is said in others."""
    body = request.body
    changes: dict[str, Any] = {} if body.taskType == facts.model else {"taskType": facts.model}
    if is_published(request):
        said = {name: value for name, value in msgspec.to_builtins(options(request)).items() if value is not None}
        others = ("published_model", "promptText", "promptImage", "duration", "ratio", "seed")
        sent = [name.removeprefix("published_") for name in others if getattr(body, name) is not None]
        return {**changes, "options": said, **dict.fromkeys(sent, DROP)}
    if facts.named:
        whole = msgspec.json.decode(request.raw)["options"]
        changes["options"] = {**whole, "extended_from_task_id": facts.named[whole["extended_from_task_id"]]}
    return changes


# Tasks -------------------------------------------------------------------------------------------------------------

JOBS = JobFormat(
    id="task.id",
    code="error",
    good=(None,),
    poll="/runway/tasks/{id}",
    body="task",
    states=STATES,
    progress="progressRatio",
    whole=1.0,
    error=("progressText", "error.reason", "error.message"),
    files=(FilePath("artifacts[].url", "video", beside=lambda task, at: {"id": f"{task.id}-{at}", "taskId": task.id}),),
    hidden=("artifacts[].previewUrls[]",),
    show=lambda task, links: show(task, links),
    keep=("options.text_prompt", "promptText", "options.extended_from_task_id"),
    written={
        "task.options.extended_from_task_id": kept("options.extended_from_task_id"),
        "task.userId": DROP,
        "task.createdBy": DROP,
    },
    hook="notify_hook",
    hook_id="task.id",
    interval=4.0,
    timeout=7200.0,
)


def show(task: Task, links: Links) -> Json:
    """Return a task where the vendor has told nothing of it."""
    own = get(dataclasses.replace(JOBS, written={}).own_answer(task, links), "task")
    known = task.request or {}
    prompt = known.get("options.text_prompt") or known.get("promptText") or ""
    changed = task.finished_at or task.started_at or task.submitted_at
    shown = {
        "name": f"{task.model} {task.id[:8]}",
        "image": None,
        "createdAt": iso(task.submitted_at),
        "updatedAt": iso(changed),
        "taskType": task.model,
        "options": {"text_prompt": prompt},
        "error": None,
        "progressText": None,
        "progressRatio": None if task.progress is None else f"{task.progress / 100:g}",
        "artifacts": [],
        **own,
    }
    return {"task": shown}


def render(task: Task, links: Links) -> Reply:
    """Answer with a task; one that was stopped is told of as one that failed, which clients know."""
    shown = JOBS.shown(task, links)
    if task.state is State.CANCELLED:
        shown = {**shown, "task": {**shown["task"], "status": "FAILED", "progressText": "The task was cancelled"}}
    return Reply(shown)


JOB = JOBS.job(lambda: str(uuid.uuid4()), render=render)


def extended(request: Request[TaskBody]) -> Sequence[str]:
    """Return the task whose film is lengthened."""
    name = options(request).extended_from_task_id
    return [name] if name else []


def must_be_done(request: AnyRequest, origin: Task) -> None:
    """Refuse to go on from what is not there."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, f"Task {origin.id} has not succeeded", param="options.extended_from_task_id")


def uploading(request: Request[UploadBody], answer: Json) -> Sequence[Made]:
    """Return the upload that an answer tells of."""
    name = get(answer, "id")
    return [Made(name, "upload")] if isinstance(name, str) else []


UPLOAD = "0c7c5a0e-7a4c-4d43-9f4d-5a52b8b4e3aa"
FOX = "A fox in snow"
runway = Protocol(
    name="runway",
    title=Text("Runway (tasks)", "Runway(官方格式v2)"),
    base_url="http://127.0.0.1:8000",
    env_key="RUNWAY_KEY",
    env_base_url="RUNWAY_SERVER",
    models=("gen2", "gen3a", "gen3a_turbo", "europa"),
    prefixes=PREFIXES,
    own_paths=tuple(f"{prefix}/runway/" for prefix in PREFIXES),
    authorize=bearer,
    error=ErrorTable(
        rows={},
        caller="",
        server="",
        shape=lambda code, failure, request_id: {"error": with_param(failure)},
        headers=no_retry,
    ),
    operations=(
        AT.submit(
            "tasks",
            Text("Generate a video", "生成视频(tasks)"),
            rows=(134,),
            body=TaskBody,
            example={
                "taskType": "gen3a_turbo",
                "options": {"text_prompt": FOX, "seconds": 5, "init_image": "https://example.com/fox.png"},
            },
            check=check,
            job=JOB,
            model=model,
            estimate=estimate,
            patch=together(JOBS.patch, patch),
            origin=Origin(ids=extended, check=must_be_done),
        ),
        AT.fetch("tasks/{id}", Text("Get a task", "查询任务"), name="tasks.get", rows=(135,)),
        ObjectCall(
            name="uploads",
            method="POST",
            path="/runway/uploads",
            aliases=("/runway/v2/uploads",),
            upstream_template="/runway/uploads",
            summary=Text("Begin an upload", "创建上传"),
            body=UploadBody,
            example={"filename": "fox.png", "numberOfParts": 1, "type": "DATASET_PREVIEW"},
            example_answer={"id": UPLOAD, "uploadUrls": ["https://…"], "uploadHeaders": {}},
            objects=ObjectRules(makes=uploading),
        ),
        ObjectCall(
            name="uploads.complete",
            method="POST",
            path="/runway/uploads/{id}/complete",
            aliases=("/runway/v2/uploads/{id}/complete",),
            upstream_template="/runway/uploads/{id}/complete",
            summary=Text("End an upload", "完成上传"),
            body=PartsBody,
            example={"parts": [{"PartNumber": 1, "ETag": "x"}]},
            example_answer={"url": "https://…"},
            example_params={"id": UPLOAD},
            objects=ObjectRules(uses=lambda request: [path_id(request)]),
        ),
    ),
)
