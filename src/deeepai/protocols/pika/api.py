"""Pika's own API 2.2: forms, with pictures and films as files, and one address for results.

Source: the models of ComfyUI's nodes (2025), behind whose proxy the same paths are.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ...declare import Failure, Json, Links, Protocol, Reason, Reply, Request, State, Submit, Task, Text, Usage
from ..common import bearer
from ..common.errors import ErrorTable, with_param
from ..common.jobs import FilePath, JobFormat
from ..common.operations import Paths

AT = Paths(("/pika/api", "/proxy/pika"))
MODEL = "pika-2.2"
Lines: TypeAlias = Annotated[str, Meta(pattern="^(720p|1080p)$")]


class Sized(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a film's price depends on; all other fields of a form pass through."""

    resolution: Lines | None = None
    duration: int | None = None


class FilmBody(Sized, kw_only=True, omit_defaults=True):
    """Fields of a form that may do without words."""

    promptText: str | None = None


class TextBody(Sized, kw_only=True, omit_defaults=True):
    """Fields of a form that may not."""

    promptText: str
    aspectRatio: Annotated[float, Meta(ge=0.4, le=2.5)] | None = None


class EffectBody(FilmBody, kw_only=True, omit_defaults=True):
    """Fields of an effect."""

    pikaffect: str


class ScenesBody(FilmBody, kw_only=True, omit_defaults=True):
    """Fields of a scene put together."""

    ingredientsMode: Annotated[str, Meta(pattern="^(creative|precise)$")]


def estimate(request: Request[Sized]) -> Usage:
    """Return what a film consumes."""
    body = request.body
    params = {"resolution": body.resolution or "1080p", "duration": str(body.duration or 5)}
    return Usage(calls=1, seconds=float(body.duration or 5), params=params, basis="estimated")


def show(task: Task, links: Links) -> Json:
    """Return a task as the vendor would show it, out of what the gateway itself knows."""
    videos = JOBS.links(task, links).get("video", [])
    progress = 100 if task.state is State.SUCCEEDED else task.progress or 0
    told: dict[str, Json] = {"id": task.id, "status": JOBS.word(task.state), "progress": progress}
    told["url"] = videos[0] if videos else None
    return told | ({"error": task.error} if task.error else {})


JOBS = JobFormat(
    id="video_id",
    code="code",
    good=(None,),
    poll="/videos/{id}",
    states={
        "queued": State.QUEUED,
        "started": State.RUNNING,
        "finished": State.SUCCEEDED,
        "failed": State.FAILED,
    },
    progress="progress",
    error=("error",),
    files=(FilePath("url", "video"),),
    late=True,
    show=show,
    interval=4.0,
)


JOB = JOBS.job(lambda: str(uuid.uuid4()), submitted=lambda task, links: Reply({"video_id": task.id}))


def _make(rest: str, en: str, zh: str, body: type[Any], *files: str, **odd: Any) -> Submit[Any]:
    """Declare a form that needs some files; how many of each, the vendor says."""

    def check(request: Request[Any]) -> None:
        sent = {part.name for part in request.parts if part.filename is not None}
        for file in files:
            if file not in sent:
                raise Failure(Reason.INVALID, f"The file {file} is required", param=file)

    return AT.submit(
        f"generate/{rest}",
        Text(en, zh),
        name=rest.rpartition("/")[2],
        body=body,
        check=check if files else None,
        media="multipart" if files else "form",
        files=dict.fromkeys(files, True),
        job=JOB,
        model=lambda request: MODEL,
        estimate=estimate,
        **odd,
    )


CAT = {"promptText": "A cat in a spacesuit"}

pika_api = Protocol(
    name="pika_api",
    title=Text("Pika", "Pika(官方格式)"),
    base_url="http://127.0.0.1:8080",
    env_key="PIKA_API_KEY",
    env_base_url="PIKA_BASE_URL",
    models=(MODEL,),
    own_paths=("/pika/api/", "/proxy/pika/"),
    authorize=bearer,
    error=ErrorTable(
        rows={Reason.MODERATED: (400, "content_moderation")},
        caller="invalid_request",
        server="internal_error",
        shape=lambda code, failure, name: {"code": failure.kind.word, "message": with_param(failure)},
    ),
    operations=(
        _make("2.2/t2v", "Text to video", "文生视频", TextBody, example=CAT),
        _make("2.2/i2v", "Image to video", "图生视频", FilmBody, "image", example=CAT),
        _make("2.2/pikaframes", "First and last frame to video", "首尾帧", TextBody, "keyFrames", example=CAT),
        _make(
            "2.2/pikascenes",
            "References to video",
            "多参考生视频",
            ScenesBody,
            "images",
            example={**CAT, "ingredientsMode": "creative"},
        ),
        _make("pikaffects", "An effect", "特效", EffectBody, "image", example={"pikaffect": "Melt"}),
        _make("pikaswaps", "Swap a part of a video", "局部替换", FilmBody, "video", example=CAT),
        _make("pikadditions", "Add to a video", "添加元素", FilmBody, "video", "image", example=CAT),
        AT.fetch("videos/{id}", Text("Get a task", "查询视频"), name="videos"),
    ),
)
