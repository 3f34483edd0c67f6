"""Pika's films in the format of its web site, as relays have it.

Source: openai-hk's, gpt-best's and apicore's documents, and the web client chatgpt-web-midjourney-proxy.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from ...declare import (
    AnyRequest,
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
    Usage,
)
from ..common import bearer
from ..common.errors import ErrorTable
from ..common.jobs import FilePath, JobFormat
from ..common.operations import Paths
from .common import named, numbered

AT = Paths(("/pika", "/pro/pika"))


class WebBody(msgspec.Struct, omit_defaults=True):
    """Body of a film; all other fields pass through."""

    promptText: str
    model: float | str | None = None
    pikaffect: str | None = None
    image: str | None = None
    options: dict[str, Any] | None = None


def check(request: Request[WebBody]) -> None:
    """Require that a picture is one."""
    if request.body.image == "":
        raise Failure(Reason.INVALID, "image must not be empty", param="image")


def patch(request: Request[WebBody], facts: Facts) -> dict[str, Any]:
    """Name the model by its number, as a text."""
    sent, number = request.body.model, numbered(facts.model)
    return {} if sent == number or (sent is None and named(None) == facts.model) else {"model": number}


def fetched(request: AnyRequest) -> str:
    """Return the id in the path; some clients leave it to the query."""
    task_id = request.params.get("id") or request.query.get("id")
    if not task_id:
        raise Failure(Reason.INVALID, "id is required", param="id")
    return task_id


def show(task: Task, links: Links) -> Json:
    """Return a task as relays would show it, out of what the gateway itself knows."""
    first = {role: urls[0] for role, urls in JOBS.links(task, links).items() if urls}
    stopped = task.state in (State.FAILED, State.CANCELLED)
    video = {
        "id": task.id,
        "status": JOBS.word(task.state),
        "progress": 100 if task.state is State.SUCCEEDED else task.progress or 0,
        "seed": 0,
        "resultUrl": first.get("video", ""),
        "sharingUrl": first.get("share", first.get("video", "")),
        "videoPoster": first.get("cover", ""),
        "imageThumb": first.get("thumb", first.get("cover", "")),
        "duration": 5,
        "error": (task.error or "error") if stopped else "",
    }
    return {"id": task.id, "promptText": (task.request or {}).get("promptText") or "", "videos": [video]}


JOBS = JobFormat(
    id="id",
    code="error.code",
    good=(None,),
    poll="/feed/{id}",
    status="videos[0].status",
    states={
        "queued": State.QUEUED,
        "pending": State.RUNNING,
        "finished": State.SUCCEEDED,
        "error": State.FAILED,
    },
    progress="videos[].progress",
    error=("videos[].error",),
    files=(
        FilePath("videos[].resultUrl", "video"),
        FilePath("videos[].videoPoster", "cover", optional=True),
        FilePath("videos[].sharingUrl", "share", optional=True),
        FilePath("videos[].imageThumb", "thumb", optional=True),
    ),
    late=True,
    show=show,
    keep=("promptText",),
    interval=4.0,
)

pika_web = Protocol(
    name="pika_web",
    title=Text("Pika (web format)", "Pika(网页格式)"),
    base_url="http://127.0.0.1:8080",
    models=("pika-1.0", "pika-1.5", "pika-2.0"),
    own_paths=("/pro/pika/",),
    authorize=bearer,
    error=ErrorTable(
        rows={},
        caller=None,
        server=None,
        shape=lambda code, failure, name: {
            "error": {
                "message": failure.message,
                "type": failure.kind.word,
                "param": failure.param,
                "code": failure.code or failure.kind.word,
            }
        },
    ),
    operations=(
        AT.submit(
            "generate",
            Text("Make a video", "生成视频"),
            body=WebBody,
            example={
                "promptText": "A cat in a spacesuit",
                "model": "2.0",
                "options": {"aspectRatio": 1.7777777777777777},
            },
            check=check,
            job=JOBS.job(lambda: str(uuid.uuid4()), submitted=lambda task, links: Reply({"id": task.id})),
            model=lambda request: named(request.body.model),
            estimate=lambda request: Usage(calls=1, seconds=5.0, basis="estimated"),
            patch=patch,
        ),
        AT.fetch("feed/{id}", Text("Get a task", "feed"), name="feed", aliases=("/pika/feed/",), task=fetched),
    ),
)
