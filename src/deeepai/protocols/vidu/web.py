"""Vidu's films in the format of its web site, as relays have it: tasks, and their states as events.

Source: gpt-best's and gptgod's documents (2024 and 2025).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...declare import (
    AnyRequest,
    Facts,
    Failure,
    Json,
    Links,
    Local,
    Origin,
    Protocol,
    Reason,
    Reply,
    Request,
    Task,
    Text,
    Usage,
    View,
)
from ..common import bearer, digits, iso
from ..common.bodies import renamed, together
from ..common.errors import ErrorTable
from ..common.jobs import ChildPath, FilePath, JobFormat
from ..common.operations import Paths
from .common import CODES, STATES, done, sent

AT = Paths(("/vidu/v1",), "/v1")
UPSCALE, UPSCALER = "upscale", "vidu-upscale"


class Prompt(msgspec.Struct, omit_defaults=True):
    """A text, or a picture's address."""

    type: Annotated[str, Meta(pattern="^(text|image)$")]
    content: str


class Input(msgspec.Struct, omit_defaults=True):
    """What a film is made of."""

    prompts: list[Prompt] | None = None
    creation_id: int | str | None = None


class Settings(msgspec.Struct, omit_defaults=True):
    """How it is made."""

    model: str | None = None
    duration: int | None = None


class TaskBody(msgspec.Struct, omit_defaults=True):
    """Body of a task; all other fields pass through. The callback is the gateway's own."""

    type: str
    input: Input
    settings: Settings | None = None
    callback_url: str | None = None


def check(request: Request[TaskBody]) -> None:
    """Require what a kind of task is made of."""
    body = request.body
    if body.type == UPSCALE:
        if body.input.creation_id in (None, "", "0", 0):
            raise Failure(Reason.INVALID, "input.creation_id is required", param="input.creation_id")
    elif not body.input.prompts:
        raise Failure(Reason.INVALID, "input.prompts is required", param="input.prompts")


def model(request: Request[TaskBody]) -> str:
    """Return the model; to make a film larger is priced by itself."""
    settings = request.body.settings
    return UPSCALER if request.body.type == UPSCALE else (settings and settings.model) or "vidu-1"


def estimate(request: Request[TaskBody]) -> Usage:
    """Return what a task consumes."""
    settings = request.body.settings
    seconds = (settings and settings.duration) or 4
    return Usage(calls=1, seconds=float(seconds), params={"duration": str(seconds)}, basis="estimated")


def patch(request: Request[TaskBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the channel does; of what makes a film larger the caller's word stands."""
    return {} if request.body.type == UPSCALE else renamed("settings.model")(request, facts)


def show(task: Task, links: Links) -> Json:
    """Return a task as relays would show it, out of what the gateway itself knows."""
    told: Any = JOBS.own_answer(task, links)
    asked: Any = task.request or {}
    return {"creations": [], "err_code": "", **told, **asked, "created_at": iso(task.submitted_at)}


def event(task: Task, links: Links) -> bytes:
    """Tell of a task's state; how long it still takes nobody knows."""
    told = {"state": JOBS.word(task.state), "estimated_time_left": 0, "err_code": task.error or ""}
    return b"data: " + msgspec.json.encode(told) + b"\n\n"


def asked_id(request: AnyRequest) -> str:
    """Return the id in the query."""
    task_id = request.query.get("id")
    if not task_id:
        raise Failure(Reason.INVALID, "id is required", param="id")
    return task_id


async def state(view: View[Any]) -> Reply:
    """Follow a task's state to its end."""
    return Reply(content_type="text/event-stream", events=await view.follow(asked_id(view.request), event))


JOBS = JobFormat(
    id="id",
    code="error.code",
    good=(None,),
    poll="/v1/tasks/{id}",
    status="state",
    states=STATES,
    error=("err_code",),
    files=(
        FilePath(
            "creations[].uri",
            "video",
            beside=lambda task, at: {"id": task.id, "task_id": task.id, "type": "video", "grade": "draft"},
        ),
        FilePath("creations[].cover_uri", "cover", optional=True),
    ),
    late=True,
    children=(ChildPath("creations[].id", "video"),),
    show=show,
    hook="callback_url",
    hook_id="id",
    hook_each_change=True,
    interval=4.0,
    timeout=7200.0,
)
CREATION: Origin[TaskBody] = Origin(
    ids=lambda request: [str(request.body.input.creation_id)] if request.body.type == UPSCALE else [], check=done
)
PROMPTS: list[Json] = [
    {"type": "text", "content": "A cat in a spacesuit", "enhance": True},
    {"type": "image", "content": "https://example.com/cat.png"},
]

vidu = Protocol(
    name="vidu",
    title=Text("Vidu (web format)", "Vidu(普通)"),
    base_url="http://127.0.0.1:8080",
    models=("vidu-1", "vidu-1.5", UPSCALER),
    own_paths=("/vidu/v1/",),
    authorize=bearer,
    error=ErrorTable(
        rows=CODES,
        caller="BadRequest",
        server="InternalServiceFailure",
        shape=lambda code, failure, name: {
            "error": {
                "message": failure.message,
                "type": failure.kind.word,
                "param": failure.param,
                "code": "FieldLacking" if failure.code == "missing" else code,
            }
        },
    ),
    operations=(
        AT.submit(
            "tasks",
            Text("Make a video, or a larger one", "创建视频、高清视频(tasks)"),
            name="tasks",
            body=TaskBody,
            rows=(123, 124),
            example={
                "type": "img2video",
                "input": {"prompts": PROMPTS},
                "settings": {"style": "general", "aspect_ratio": "16:9", "duration": 4, "model": "vidu-1"},
            },
            check=check,
            job=JOBS.job(lambda: digits(16), keep=lambda request: sent(request, "type", "input", "settings")),
            model=model,
            estimate=estimate,
            patch=together(JOBS.patch, patch),
            origin=CREATION,
        ),
        Local(
            name="tasks.state",
            method="GET",
            path="/vidu/v1/tasks/state",
            rows=(125,),
            summary=Text("Follow a task's state", "视频状态(state)"),
            media="none",
            answers=("text/event-stream",),
            query=("id",),
            fails=(Reason.NOT_FOUND,),
            answer=state,
        ),
        AT.fetch("tasks/{id}", Text("Get a task", "视频查询(tasks-get)"), name="tasks.get", rows=(126,)),
    ),
)
