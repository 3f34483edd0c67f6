"""Suno as Suno-API and new-api have it: what is submitted is a task, with a word for its state and the songs within.

Source: the code and documents of both projects, and relays' documents of what they add.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from ...declare import (
    AnyOperation,
    AnyRequest,
    Facts,
    Failure,
    Fetch,
    HookMessage,
    Job,
    Json,
    Local,
    Protocol,
    Reason,
    Reply,
    Request,
    Submit,
    Task,
    Text,
    UpstreamCall,
    View,
)
from ..common import bearer
from ..common.bodies import together
from ..common.errors import ErrorTable, with_param
from ..common.jobs import JobFormat
from ..common.operations import path_id
from ..common.paths import get
from .songs import (
    CLIPS,
    FAMILY,
    LYRICS,
    MOST,
    Concat,
    Lyrics,
    Song,
    action_of,
    as_task,
    check_song,
    dashed,
    followed,
    kept_song,
    name_clips,
    of_clips,
    of_task,
    song_job,
    song_usage,
)
from .uploads import CLIP

DEFAULT = "chirp-v3-0"
ALIAS = "/task/suno/v1"
"""Where some clients look for the paths that follow `/suno`."""
TASK = "736a6f88-bd29-4b1e-b110-37132a5325ac"
AT_ONCE = 100

# Jobs --------------------------------------------------------------------------------------------------------------


def _form(base: JobFormat) -> JobFormat:
    return replace(
        base,
        id="data",
        code="code",
        good=("success",),
        gone=("task_not_exist",),
        poll="/suno/fetch/{id}",
        hook="notify_hook",
        hook_id="task_id",
    )


def _read(said: Json) -> Json:
    """Find the songs in a task, or in what Suno-API answers instead of one."""
    found = get(said, "data")
    if isinstance(found, list):
        return of_clips(found)
    if not isinstance(found, dict):
        return None
    return of_task(found.get("status"), found.get("data"), found.get("fail_reason"))


def _words(said: Json) -> Json:
    found = get(said, "data")
    if not isinstance(found, dict):
        return None
    inner = found.get("data")
    about = inner if isinstance(inner, dict) else {}
    return {**about, "status": found.get("status") or about.get("status"), "fail_reason": found.get("fail_reason")}


def _answered(task: Task) -> Reply:
    return Reply({"code": "success", "message": "", "data": task.id})


def _job(action: str, count: int) -> Job[Any]:
    form = _form(CLIPS if count else LYRICS)
    return song_job(
        form,
        _read if count else _words,
        count,
        submitted=lambda task, links: _answered(task),
        render=lambda task, links: Reply(as_task(task, links)),
        keep=lambda request: kept_song(action, request.body, request.raw),
        hook_message=lambda task, links: HookMessage(as_task(task, links)),
    )


def _patch(request: Request[Any], facts: Facts) -> dict[str, Any]:
    """Name the version as the vendor does, and the task that made a clip, which it wants to know."""
    body, changes = request.body, _form(CLIPS).patch(request, facts)
    if isinstance(body, Song):
        mv = dashed(body.mv, DEFAULT)
        changes |= {} if mv == body.mv else {"mv": mv}
        if facts.origin is not None and (body.continue_clip_id or body.task_id):
            changes["task_id"] = facts.origin.upstream_id
    return changes


# Asked for ---------------------------------------------------------------------------------------------------------


class Fetched(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body that asks for tasks by their ids."""

    ids: list[str]
    action: str | None = None


async def _several(view: View[Fetched]) -> Reply:
    """Answer the caller's own tasks in the order of their ids; others are left out."""
    body, found = view.request.body, dict[str, Task]()
    for start in range(0, len(body.ids), AT_ONCE):
        found |= {task.id: task for task in await view.tasks(body.ids[start : start + AT_ONCE])}
    wanted = (body.action or "").upper()
    shown = [task for task in found.values() if wanted in ("", action_of(task))]
    return Reply({"code": "success", "message": "", "data": [as_task(task, view.links) for task in shown]})


def _one(request: AnyRequest, task: Task, links: Any) -> Reply:
    shown = as_task(task, links)
    if not request.path.startswith("/suno/task/"):
        return Reply({"code": "success", "message": "", "data": shown})
    # Those who ask here take no other word for it.
    return Reply({**shown, "status": "FAILED" if shown["status"] == "FAILURE" else shown["status"]})


# The protocol ------------------------------------------------------------------------------------------------------


def _submit(
    action: str, summary: Text, body: type[Any], example: dict[str, Json], count: int, **more: Any
) -> Submit[Any]:
    name = action.lower()
    path = f"/suno/submit/{name}"
    return Submit(
        name=f"submit.{name}",
        method="POST",
        path=path,
        aliases=(f"/suno/submit/{action}", f"{ALIAS}/submit/{name}", f"{ALIAS}/submit/{action}"),
        upstream_template=path,
        summary=summary,
        body=body,
        max_body=MOST,
        example=example,
        job=_job(action, count),
        model=lambda request: f"suno_{name}",
        patch=together(name_clips, _patch),
        endpoint_type="suno-proxy",
        **more,
    )


_TABLE: ErrorTable[str] = ErrorTable(
    rows={Reason.UNFUNDED: (403, "quota_not_enough")},
    usual={**{reason.status: reason.word for reason in Reason}, 502: "fail_to_fetch_task", 503: "get_channel_failed"},
    caller="invalid_request",
    server="internal_error",
    shape=lambda code, failure, request_id: {"code": code, "message": with_param(failure), "data": None},
)


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure. Of tokens, both shapes in one: relays tell of them before they know what is asked for."""
    if failure.code == "task_not_found":
        return Reply({"code": "task_not_exist", "message": with_param(failure), "data": None}, 400)
    reply = _TABLE(failure, operation, request_id)
    if failure.kind in (Reason.UNAUTHENTICATED, Reason.FORBIDDEN):
        about = {"message": failure.message, "type": "new_api_error"}
        return Reply({**reply.body, "error": about}, reply.status, headers=reply.headers)  # pyright: ignore[reportGeneralTypeIssues]
    return reply


suno_tasks = Protocol(
    name="suno_tasks",
    title=Text("Suno (tasks)", "Suno(任务格式)"),
    # Where Suno-API usually listens.
    base_url="http://127.0.0.1:8000",
    env_key="SUNO_API_KEY",
    models=("suno_music", "suno_lyrics", "suno_concat"),
    family=FAMILY,
    own_paths=("/suno/submit/", "/task/suno/"),
    authorize=bearer,
    error=error,
    channel_fault=_form(CLIPS).channel_fault,
    probe=UpstreamCall("/suno/fetch", "POST", json={"ids": []}),
    operations=(
        _submit(
            "MUSIC",
            Text("Generate two songs", "提交音乐任务(submit/music)"),
            Song,
            {"prompt": "[Verse]\nRain on the tin roof", "title": "Rain on Tin", "tags": "folk", "mv": "chirp-v4"},
            2,
            check=lambda request: check_song(request.body),
            estimate=lambda request: song_usage(request.body, DEFAULT),
            origin=followed(),
        ),
        _submit(
            "LYRICS",
            Text("Write lyrics", "提交歌词任务(submit/lyrics)"),
            Lyrics,
            {"prompt": "A song about rain"},
            0,
        ),
        _submit(
            "CONCAT",
            Text("Join an extension with what it goes on from", "提交拼接任务(submit/concat)"),
            Concat,
            {"clip_id": CLIP, "is_infill": False},
            1,
            origin=followed(),
        ),
        Local(
            name="fetch.several",
            method="POST",
            path="/suno/fetch",
            aliases=("/suno/submit/fetch", f"{ALIAS}/fetch"),
            upstream_template="/suno/fetch",
            summary=Text("Get tasks by their ids", "批量查询任务(fetch)"),
            body=Fetched,
            max_body=MOST,
            example={"ids": [TASK], "action": "MUSIC"},
            example_answer={"code": "success", "message": "", "data": []},
            answer=_several,
        ),
        Fetch(
            name="fetch",
            method="GET",
            path="/suno/fetch/{id}",
            aliases=(f"{ALIAS}/fetch/{{id}}", "/suno/task/{id}"),
            upstream_template="/suno/fetch/{id}",
            summary=Text("Get a task", "查询任务(fetch)"),
            media="none",
            task=path_id,
            render=_one,
        ),
    ),
)
