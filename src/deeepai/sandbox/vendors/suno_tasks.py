"""Suno as Suno-API and new-api tell it: tasks with a word for their state, the songs within.

Source: the code and documents of both projects. Neither knows of joining songs; that relays answer it as they answer a
song stands in one relay's document.
"""

from __future__ import annotations

from typing import Any

from ..fields import Field, table, text
from ..job_vendor import Hook, JobVendor, Lookup, Order, Task, Work, at
from ..vendor import Answer, Call, Route, json_answer
from .suno import songs

DEFAULT = "chirp-v3-0"
STATES = {"queued": "SUBMITTED", "running": "IN_PROGRESS", "done": "SUCCESS", "failed": "FAILURE"}
ACTIONS = {"music": "MUSIC", "lyrics": "LYRICS", "concat": "CONCAT"}


def _check(order: Order) -> None:
    """Songs that go on from a clip name the task that made it."""
    order.body.setdefault("mv", DEFAULT)
    clip, task = order.body.get("continue_clip_id"), order.body.get("task_id")
    if clip and not task:
        raise order.refused("missing", "task id is empty")
    if clip and order.made(clip)[0].id != task:
        raise order.refused("unknown_id", "task_not_exist")
    songs.check(order)


def told(task: Task) -> dict[str, Any]:
    """Return a task. Its songs stand in it from the moment that one can be heard."""
    job, name = task.job, task.work.name
    if name == "lyrics":
        title, words = songs.lyrics(task.body["prompt"])
        data: Any = (
            {"id": task.id, "text": words, "title": title, "status": "complete"} if job.state == "done" else None
        )
    else:
        data = songs.clips(task) if job.state != "queued" else None
    return {
        "task_id": task.id,
        "notify_hook": task.body.get("notify_hook") or "",
        "action": ACTIONS[name],
        "status": task.status,
        "fail_reason": task.reason,
        "submit_time": int(job.created),
        "start_time": int(job.started or 0),
        "finish_time": int(job.finished or 0),
        "progress": "100%" if job.is_final else f"{job.percent}%",
        "data": data,
    }


def _envelope(call: Call, data: Any) -> dict[str, Any]:
    return {"code": "success", "message": "", "data": data}


async def _fetch(call: Call) -> Answer:
    """Answer the tasks of several ids; what is not known is left out."""
    ids = call.json.get("ids")
    if not isinstance(ids, list):
        raise JOBS.refused(call, "missing", "ids is required")
    known = {task.id: task for task in JOBS.tasks(call)}
    return json_answer(_envelope(call, [told(known[name]) for name in map(str, ids) if name in known]))


SONG = table(songs.SONG, mv=songs.MV, task_id=text(), notify_hook=Field())
CONCAT = table(clip_id=text().must(), is_infill=Field("flag", default=False), mv=songs.MV, notify_hook=Field())
JOBS = JobVendor(
    name="suno_tasks",
    works=[
        Work("/suno/submit/music", 120, SONG, songs.two, check=_check, price=songs.CREDITS, name="music"),
        Work("/suno/submit/concat", 20, CONCAT, songs.one, check=songs.check_concat, name="concat"),
        Work(
            "/suno/submit/lyrics",
            10,
            table(prompt=text().must(), notify_hook=Field()),
            lambda order: [],
            name="lyrics",
        ),
    ],
    words=STATES,
    shown=told,
    accepted=lambda task: task.id,
    envelope=_envelope,
    lookups=[Lookup("GET", "/suno/fetch/{id}")],
    hook=Hook("notify_hook", told),
    errors={
        **at(400, bad_request="invalid_request", moderated="invalid_request", unknown_id="task_not_exist"),
        **at(401, unauthorized="unauthorized"),
        **at(404, not_found="not_found"),
        **at(429, rate_limited="rate_limited"),
        **at(500, server_error="fail_to_fetch_task"),
    },
    error=lambda call, code, message: {"code": code, "message": message, "data": None},
    lifetime=30 * 86400,
    pictures="jpeg",
    further=[Route("POST", "/suno/fetch", _fetch)],
    # Below `/suno` stands another vendor.
    settings={"at_root": False},
)
VENDOR = JOBS.vendor()
