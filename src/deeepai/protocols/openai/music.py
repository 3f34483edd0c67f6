"""Songs in the relays' own form: one address for the songs of every model, as `/v1/video/generations` is for films.

Several gateways have this address (OmniRoute, Infery AI among them); what their documents have in common stands here:
`prompt`, `style`, `lyrics`, `title`, `instrumental`, and a job to ask for.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    AnyRequest,
    Facts,
    Failure,
    Fetch,
    Json,
    Links,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    Usage,
)
from ..common import body_model
from ..common.bodies import Flag
from ..common.jobs import FilePath, JobFormat
from ..common.operations import path_id
from .common import ModelName
from .video_tasks import RELAY_STATES

_PATH: Final = "/v1/music/generations"
_NAME: Final = "music.generations"
_KEPT: Final = ("prompt", "lyrics", "style", "title")


class MusicBody(msgspec.Struct, omit_defaults=True):
    """Body of a song: what it is about, or its lyrics."""

    model: ModelName
    prompt: Annotated[str, Meta(max_length=32000, description="What the song is about; of lyrics, how they sound")] = ""
    lyrics: Annotated[str, Meta(max_length=32000, description="What is sung")] = ""
    style: Annotated[str, Meta(max_length=2000, description="Styles, with commas between them")] = ""
    negative_style: Annotated[str, Meta(max_length=2000, description="Styles that it is not to have")] = ""
    title: Annotated[str, Meta(max_length=500)] = ""
    instrumental: Annotated[Flag, Meta(description="Nothing is sung")] = False
    metadata: Annotated[dict[str, Any], Meta(description="What else the channel's model is told")] | None = None


def check(request: Request[MusicBody]) -> None:
    """Refuse a song of which nothing is said."""
    body = request.body
    if not (body.prompt or body.lyrics or body.style):
        raise Failure(Reason.INVALID, "Say what the song is about: 'prompt', 'lyrics' or 'style'", param="prompt")
    if body.lyrics and body.instrumental is True:
        raise Failure(Reason.INVALID, "An instrumental song has no 'lyrics'", param="lyrics")


def _one(request: Request[MusicBody]) -> Usage:
    return Usage(calls=1)


def _patch(request: Request[MusicBody], facts: Facts) -> dict[str, Any]:
    return {} if facts.model == facts.requested_model else {"model": facts.model}


# A relay that has the same address --------------------------------------------------------------------------------

JOBS: Final = JobFormat(
    id="id",
    poll="/music/generations/{id}",
    status="status",
    states=RELAY_STATES,
    progress="progress",
    error=("error.message", "error"),
    files=(
        FilePath("data[].url", "audio"),
        FilePath("data[].image_url", "cover", optional=True),
        FilePath("data[].video_url", "video", optional=True),
    ),
    show=lambda task, links: shown(task, links),
    written={"model": lambda task: task.model},
    keep=_KEPT,
    interval=3.0,
    timeout=3600.0,
)


def shown(task: Task, links: Links) -> dict[str, Json]:
    """Return a song, or the several that one request makes, whoever made them."""
    state, files = task.state, JOBS.links(task, links)
    songs: list[Json] = []
    if state is State.SUCCEEDED:
        beside = {"image_url": files.get("cover", ()), "video_url": files.get("video", ())}
        for number, url in enumerate(files.get("audio", ())):
            more = {name: urls[number] for name, urls in beside.items() if number < len(urls)}
            songs.append({"url": url, **more})
    return {
        "id": task.id,
        "task_id": task.id,
        "object": "music",
        "model": task.model,
        "status": JOBS.word(state),
        "progress": 100 if state is State.SUCCEEDED else task.progress or 0,
        "created_at": task.submitted_at // 1000,
        "completed_at": task.finished_at // 1000 if task.finished_at is not None else None,
        "prompt": (task.request or {}).get("prompt") or None,
        "title": (task.request or {}).get("title") or None,
        "lyrics": (task.request or {}).get("lyrics") or None,
        "data": songs,
        "error": _fault(task) if state in (State.FAILED, State.CANCELLED) else None,
    }


def _fault(task: Task) -> Json:
    return {"code": f"music_generation_{task.state.value}", "message": task.error or "The song could not be made"}


def render(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer of a song; other tasks have their own addresses."""
    if task.operation != f"openai.{_NAME}":
        raise Failure(Reason.NOT_FOUND, f"Task '{task.id[:64]}' makes no song", code="task_not_found")
    return Reply(JOBS.shown(task, links))


_ID: Final = "music_68d7512d07848190b3e45da0ecbebcde"

OPERATIONS = (
    Submit(
        name=_NAME,
        models=("*music*",),
        method="POST",
        path=_PATH,
        upstream_template="/music/generations",
        summary=Text("Create a song (relays' form)", "创建音乐生成任务"),
        job=JOBS.job(lambda: f"music_{secrets.token_hex(16)}"),
        body=MusicBody,
        check=check,
        example={
            "model": "suno_music",
            "prompt": "A slow song about rain on a tin roof",
            "style": "folk, acoustic guitar",
            "title": "Rain on Tin",
        },
        model=body_model,
        estimate=_one,
        patch=_patch,
    ),
    Fetch(
        name=f"{_NAME}.get",
        method="GET",
        path=f"{_PATH}/{{id}}",
        upstream_template="/music/generations/{id}",
        summary=Text("Get a song's state (relays' form)", "获取音乐生成任务状态"),
        media="none",
        example_params={"id": _ID},
        task=path_id,
        render=render,
    ),
)
