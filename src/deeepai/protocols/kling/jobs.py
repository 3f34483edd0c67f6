"""Kling's tasks: how the vendor does them, what they cost, and how callers see them."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

import msgspec

from ...declare import DROP, Answer, Facts, Job, Json, Links, Request, State, Task, UpstreamCall, Usage
from ..common.jobs import ChildPath, FilePath, JobFormat
from ..common.paths import each, get
from .bodies import Body, EffectsBody, ModelBody, typed

UNIT = 140_000_000
"""10⁻⁹ USD: list price of a unit of the vendor's resource packs."""
ACCOUNT = (*range(1000, 1005), *range(1100, 1104))
"""Codes that blame the channel's account."""

# Prices ------------------------------------------------------------------------------------------------------------


def video(mode: Json, duration: Json, sound: Json = None) -> Usage:
    """Return what a video consumes."""
    params = {"mode": str(mode or "std"), "duration": str(duration or 5), "sound": str(sound or "off")}
    return Usage(calls=1, seconds=float(params["duration"]), params=params, basis="estimated")


def used(job: Json, task: Task) -> Usage | None:
    """Return what the vendor says that a task cost it, in units."""
    try:
        units = float(get(job, "final_unit_deduction") or 0)
    except (TypeError, ValueError):
        return None
    images, facts = len(each(job, "task_result.images[]")), task.facts
    usage = Usage(images=images) if images else video(facts.get("mode"), facts.get("duration"), facts.get("sound"))
    return msgspec.structs.replace(usage, cost=round(units * UNIT), basis="vendor") if 0 < units < 1e6 else None


# On the way to the vendor ------------------------------------------------------------------------------------------


def patch(request: Request[Body], facts: Facts) -> dict[str, Any]:
    """Put the gateway's callback and task in the place of the caller's, and values in the types that the vendor takes.

    The vendor wants each of its account's tasks to be called differently, and finds a task by what it is called.
    """
    named = {"external_task_id": facts.reference} if facts.reference else {}
    return JOBS.patch(request, facts) | typed(request.body) | named


def patch_model(request: Request[ModelBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does, too, under both its names."""
    names = ("model_name",) if request.body.model is None else ("model_name", "model")
    return patch(request, facts) | {name: facts.model for name in names if getattr(request.body, name) != facts.model}


def patch_effect(request: Request[EffectsBody], facts: Facts) -> dict[str, Any]:
    """Name the model, too, where it stands with an effect."""
    if facts.model == facts.requested_model:
        return patch(request, facts)
    sent = msgspec.json.decode(request.raw)["input"]
    return patch(request, facts) | {"input": {**sent, "model_name": facts.model}}


# Tasks -------------------------------------------------------------------------------------------------------------


def external_id(task: Task) -> Json:
    """Return what the caller calls a task; `DROP`: nothing."""
    return (task.request or {}).get("external_task_id") or DROP


def show(task: Task, links: Links) -> Json:
    """Return a task where the vendor's own answer cannot be shown."""
    name, files = external_id(task), JOBS.links(task, links)
    data: dict[str, Json] = {
        "task_id": task.id,
        "task_status": WORDS.get(task.state, "submitted"),
        "task_status_msg": task.error or "",
        "task_info": {} if name is DROP else {"external_task_id": name},
        "created_at": task.submitted_at,
        "updated_at": task.finished_at or task.started_at or task.submitted_at,
    }
    if "video" in files:
        length = str(task.facts.get("seconds") or "")
        data["task_result"] = {"videos": [{"id": task.id, "url": url, "duration": length} for url in files["video"]]}
    elif files:
        data["task_result"] = {
            "images": [{"index": index, "url": url} for index, url in enumerate(files.get("image", ()))]
        }
    return {"code": 0, "message": "SUCCEED", "request_id": task.id, "data": data}


WORDS = {State.RUNNING: "processing", State.SUCCEEDED: "succeed", State.FAILED: "failed", State.CANCELLED: "failed"}
JOBS = JobFormat(
    id="data.task_id",
    code="code",
    gone=(1203,),
    elsewhere=(401, 429, 503),
    # Not 5002: what timed out may have been taken.
    elsewhere_codes=(*ACCOUNT, 1302, 1303, 1304, 5000, 5001),
    poll="/v1/videos/text2video/{id}",
    body="data",
    status="task_status",
    states={
        "submitted": State.QUEUED,
        **{word: state for state, word in WORDS.items() if state is not State.CANCELLED},
    },
    error=("task_status_msg",),
    files=(
        FilePath("task_result.videos[].url", "video"),
        FilePath("task_result.images[].url", "image"),
        FilePath("task_result.audios[].url_mp3", "audio"),
        FilePath("task_result.audios[].url_wav", "audio", optional=True),
        FilePath("task_result.videos[].watermark_url", "watermark", optional=True),
        FilePath("task_result.images[].watermark_url", "watermark", optional=True),
    ),
    children=(ChildPath("task_result.videos[].id", "video"),),
    usage=used,
    show=show,
    written={
        "request_id": lambda task: task.id,
        "data.task_info.external_task_id": external_id,
        "data.task_info.parent_video.url": lambda task: "",
    },
    keep=("external_task_id",),
    hook="callback_url",
    hook_id="task_id",
    hook_body="data",
    hook_each_change=True,
    interval=5.0,
    timeout=7200.0,
)


def job(kind: str, within: str = "body") -> Job[object]:
    """Make the job of one kind, which is asked for below the path that it was submitted to."""
    facts = {name: f"{within}.{name}" for name in ("mode", "duration", "sound")}
    return dataclasses.replace(JOBS, poll=f"/v1/{kind}/{{id}}", request_facts=facts).job(
        new_id=lambda: f"{secrets.randbelow(9 * 10**17) + 10**17}",
        find_lost=lambda reference: UpstreamCall(f"/v1/{kind}/{reference}"),
        found_lost=found_lost,
    )


def found_lost(answer: Answer, reference: str) -> str | None:
    """Return the id of the task that the vendor found by what it is called."""
    name = get(answer.json(), "data.task_id")
    return None if name is None else str(name)
