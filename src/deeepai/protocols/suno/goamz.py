"""Suno as PiAPI sold it, the format that GoAmzAI's site system speaks: one task, its songs by their ids.

Source: the vendor's legacy document (2024), new-api's struct of the format, and relays that serve it under a version
in the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...declare import (
    DROP,
    AnyOperation,
    Facts,
    Failure,
    Fetch,
    HookMessage,
    Json,
    Links,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    Usage,
)
from ..common import bearer
from ..common.bodies import Flag
from ..common.errors import ErrorTable, with_param
from ..common.operations import path_id
from ..common.paths import get
from .songs import (
    CLIPS,
    FAMILY,
    MOST,
    Concat,
    Song,
    dashed,
    followed,
    kept_song,
    name_clips,
    of_task,
    shown_clips,
    song_job,
    song_usage,
    theirs,
)
from .uploads import CLIP

DEFAULT = "chirp-v3-0"
VERSIONS: Mapping[str, str] = {
    "v3.5": "chirp-v3-5",
    "v3.0": "chirp-v3-0",
    "mv-3.5": "chirp-v3-5",
    "mv-3.0": "chirp-v3-0",
    "mv-4": "chirp-v4",
    "mv-auk": "chirp-auk",
    "mv-bluejay": "chirp-bluejay",
    "mv-5": "chirp-crow",
}
"""Versions that a path may name, each with what stands for it in a body."""
CARRIED = ("prompt", "title", "tags", "gpt_description_prompt", "make_instrumental", "continue_at", "continue_clip_id")
"""Fields of a song that the format has."""
GOOD: dict[str, Json] = {"code": 200, "message": "success"}


class Body(Song, kw_only=True, omit_defaults=True):
    """Body of a song: its fields stand in `input`; where there is none, beside it."""

    custom_mode: Annotated[Flag, Meta(description="false: by a description alone")] | None = None
    input: Song | None = None


class Joined(Concat, kw_only=True, omit_defaults=True):
    """Body of a concatenation."""


def places(name: str) -> tuple[str, ...]:
    """Return the paths of a resource, the canonical one first: with each version, and with none."""
    return (*(f"/suno/v1/{version}/{name}" for version in VERSIONS), f"/suno/v1/{name}")


def version(request: Request[Body]) -> str:
    """Return the version that is asked for: by the path, else by the body."""
    by_path = next((mv for name, mv in VERSIONS.items() if f"/{name}/" in request.path), None)
    return by_path or dashed(song(request.body).mv or request.body.mv, DEFAULT)


def song(body: Body) -> Song:
    """Return the song that is asked for."""
    return body if body.input is None else body.input


def custom(body: Body) -> bool:
    """Tell whether a song of one's own is asked for, or one by its description."""
    return not song(body).gpt_description_prompt if body.custom_mode is None else body.custom_mode in (True, "true")


def _check(request: Request[Body]) -> None:
    body, within = song(request.body), "input." if request.body.input is not None else ""
    if not custom(request.body) and not body.gpt_description_prompt:
        name = f"{within}gpt_description_prompt"
        raise Failure(Reason.INVALID, f"{name} is required where custom_mode is false", param=name)
    if custom(request.body) and not any((body.prompt, body.tags, body.continue_clip_id, body.title)):
        name = f"{within}prompt"
        raise Failure(Reason.INVALID, f"{name} is required where custom_mode is true", param=name)


def _patch(request: Request[Body], facts: Facts) -> dict[str, Any]:
    """Send the whole form, with the version in it; the flat one is what relays alone take."""
    body = request.body
    top: dict[str, Json] = msgspec.json.decode(request.raw)
    fields: dict[str, Json] = {**top["input"]} if body.input is not None else {}
    if body.input is None:
        fields = {name: top[name] for name in (*CARRIED, "task_id") if top.get(name) is not None}
    if fields.get("continue_clip_id"):
        fields["continue_clip_id"] = theirs(facts.origin, str(fields["continue_clip_id"]))
    if fields.get("task_id") and facts.origin is not None:
        fields["task_id"] = facts.origin.upstream_id
    hook = FORM.patch(request, facts)
    changes = {"custom_mode": custom(body), "mv": version(request), "input": fields, **hook}
    flat = [] if body.input is not None else [name for name in (*CARRIED, "task_id") if name in top]
    return {**{name: value for name, value in changes.items() if top.get(name) != value}, **dict.fromkeys(flat, DROP)}


# Jobs --------------------------------------------------------------------------------------------------------------

_WORDS = {
    State.RUNNING: "processing",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}
FORM = replace(
    CLIPS, id="data.task_id", code="code", good=(200,), poll="/music/{id}", hook="notify_hook", hook_id="data.task_id"
)


def _read(said: Json) -> Json:
    found = get(said, "data")
    if not isinstance(found, dict):
        return None
    reason = get(found, "error_message") or get(found, "error.message") or get(said, "error_message")
    return of_task(found.get("status"), found.get("clips"), reason)


def told(task: Task, links: Links) -> Json:
    """Return a task: its request as text, its songs by their ids."""
    done = {clip["id"]: clip for clip in shown_clips(task, links)} if task.snapshot is not None else {}
    asked = get(task.request, "input") or ""
    data = {"task_id": task.id, "status": _WORDS.get(task.state, "pending"), "input": asked, "clips": done}
    reason = {"error_message": task.error or "failed"} if data["status"] == "failed" else {}
    return {**GOOD, "data": {**data, **reason}}


def _job(count: int, action: str) -> Any:
    return song_job(
        FORM,
        _read,
        count,
        submitted=lambda task, links: Reply({**GOOD, "data": {"task_id": task.id}}),
        render=lambda task, links: Reply(told(task, links)),
        keep=lambda request: kept_song(action, _asked(request), request.raw),
        hook_message=lambda task, links: HookMessage(told(task, links)),
    )


def _asked(request: Request[Any]) -> msgspec.Struct:
    body = request.body
    return msgspec.structs.replace(song(body), mv=version(request)) if isinstance(body, Body) else body


def _usage(request: Request[Body]) -> Usage:
    body = msgspec.structs.replace(song(request.body), mv=version(request))
    return song_usage(body, DEFAULT)


# The protocol ------------------------------------------------------------------------------------------------------

EXAMPLE = {
    "custom_mode": True,
    "mv": "chirp-v3-5",
    "input": {"title": "Rain on Tin", "tags": "folk, guitar", "prompt": "[Verse]\nRain on the tin roof"},
}
_ERRORS: ErrorTable[int] = ErrorTable(
    rows={},
    usual={reason.status: reason.status for reason in Reason},
    caller=400,
    server=500,
    shape=lambda code, failure, request_id: {"code": code, "message": with_param(failure), "data": None},
)


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure; the code is the HTTP status, and an unknown task is a wrong parameter."""
    reply = _ERRORS(failure, operation, request_id)
    if failure.code != "task_not_found":
        return reply
    return replace(reply, status=400, body={**reply.body, "code": 400})  # pyright: ignore[reportGeneralTypeIssues]


suno_goamz = Protocol(
    name="suno_goamz",
    title=Text("Suno (GoAmzAI's format)", "Suno(GoAmzAI格式)"),
    base_url="https://api.piapi.ai/api/suno/v1",
    env_key="SUNO_GOAMZ_KEY",
    models=("suno_music", "suno_concat"),
    family=FAMILY,
    own_paths=("/suno/v1/",),
    key_headers=("x-api-key",),
    authorize=lambda credential: {"x-api-key": credential, **bearer(credential)},
    error=error,
    channel_fault=FORM.channel_fault,
    operations=(
        Submit(
            name="music",
            method="POST",
            path=places("music")[0],
            aliases=places("music")[1:],
            upstream_template="/music",
            rows=(79, 81),
            summary=Text("Generate two songs", "生成音乐"),
            body=Body,
            max_body=MOST,
            example=EXAMPLE,
            check=_check,
            job=_job(2, "MUSIC"),
            model=lambda request: "suno_music",
            estimate=_usage,
            patch=_patch,
            origin=followed("input.", ""),
        ),
        Submit(
            name="concat",
            method="POST",
            path=places("music/concat")[0],
            aliases=places("music/concat")[1:],
            upstream_template="/music/concat",
            summary=Text("Join an extension with what it goes on from", "获取完整音乐(concat)"),
            body=Joined,
            max_body=MOST,
            example={"clip_id": CLIP},
            job=_job(1, "CONCAT"),
            model=lambda request: "suno_concat",
            patch=lambda request, facts: {**name_clips(request, facts), **FORM.patch(request, facts)},
            origin=followed(),
        ),
        Fetch(
            name="music.get",
            method="GET",
            path=places("music/{id}")[0],
            aliases=places("music/{id}")[1:],
            upstream_template="/music/{id}",
            rows=(80, 82),
            summary=Text("Get two songs", "获取音乐"),
            media="none",
            task=path_id,
            render=lambda request, task, links: Reply(told(task, links)),
        ),
    ),
)
