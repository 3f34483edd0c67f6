"""Vidu in the format of its web site: tasks of four kinds, and states told as events.

Source: gpt-best's and gptgod's documents (2024 and 2025).
"""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

from ..conditions import GIVEN, Rule
from ..feeds import ADDRESS
from ..fields import Field, choice, group, several, table, text, usually
from ..job_vendor import Hook, JobVendor, Order, Task, Work, at
from ..terms import films, said
from ..vendor import Answer, Call, Route, Stream, json_answer

KINDS = ("img2video", "character2video", "text2video", "upscale")
MODELS = ("vidu-1", "vidu-1.5", "stable")
PROMPT = group(type=choice("text", "image").must(), content=text(1500).must(), enhance=Field("flag"))
INPUT = group(prompts=several(1, 4, PROMPT), creation_id=Field())
SETTINGS = group(
    style=usually("general", "anime"),
    aspect_ratio=usually("16:9", "9:16", "1:1"),
    duration=Field("whole", choices=(4, 8), default=4),
    model=choice(*MODELS, error="unknown_model"),
)
TASK = table(type=choice(*KINDS).must(), input=INPUT.must(), settings=SETTINGS, callback_url=ADDRESS)
LARGER = Rule({"input.creation_id": GIVEN}, {"type": "upscale"})
MADE = Rule({"input.prompts": GIVEN}, unless={"type": "upscale"})
EVERY = 2.0
"""Job seconds between two events."""


def _check(order: Order) -> None:
    asked = order.body["input"].get("prompts", ())
    kinds = [prompt["type"] for prompt in asked]
    for prompt in asked:
        if prompt["type"] == "image" and not prompt["content"].startswith(("http://", "https://")):
            raise order.refused("value", "an image must be an address")
    wanted = order.body["type"]
    if wanted in ("img2video", "character2video") and "image" not in kinds:
        raise order.refused("value", f"{wanted} needs an image")
    if wanted == "text2video" and kinds != ["text"]:
        raise order.refused("value", "text2video takes one text")
    words = next((prompt["content"] for prompt in asked if prompt["type"] == "text"), "")
    order.body["prompt"] = words


def when(seconds: float) -> str:
    """Write a time."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told(task: Task) -> dict[str, Any]:
    """Tell of a task."""
    body = task.body
    prompts = [
        {"type": prompt["type"], "content": prompt["content"], "negative": False, "enhance": True, "recaption": ""}
        for prompt in body["input"].get("prompts", ())
    ]
    creations = [
        {
            "id": made.id,
            "task_id": task.id,
            "type": "video",
            "grade": "final" if body["type"] == "upscale" else "draft",
            "uri": made.url,
            "cover_uri": made.cover,
        }
        for made in task.artefacts
    ]
    return {
        "id": task.id,
        "type": body["type"],
        "state": task.status,
        "err_code": reason(task),
        "creations": creations,
        "input": {"creation_id": body["input"].get("creation_id", "0"), "lang": "en", "prompts": prompts},
        "settings": body.get("settings", {}),
        "created_at": when(task.job.created),
    }


def reason(task: Task) -> str:
    """Return why a task failed."""
    return {"moderated": "CreationPolicyViolation", "failed": "InternalServiceFailure"}.get(task.job.state, "")


async def _states(call: Call) -> Stream:
    task = VIDU.find(call, call.request.query.get("id", ""))
    events: list[bytes] = []
    while True:
        left = 0 if task.job.is_final else max(1, round(task.work.seconds * (1 - task.job.percent / 100)))
        state = {"state": task.status, "estimated_time_left": left, "err_code": reason(task)}
        events.append(b"data: " + msgspec.json.encode(state) + b"\n\n")
        if task.job.is_final:
            return Stream(events, b"")
        await call.world.clock.sleep(EVERY)


async def _one(call: Call) -> Answer:
    return json_answer(told(VIDU.find(call, call.params["id"])))


VIDU = JobVendor(
    name="vidu",
    works=[
        Work(
            "/v1/tasks",
            60,
            TASK,
            films(side=360, seconds=said("duration", 4)),
            rules=(MADE, LARGER),
            parent="input.creation_id",
            check=_check,
        )
    ],
    words={"queued": "queueing", "running": "processing", "done": "success", "failed": "failed"},
    shown=told,
    hook=Hook("callback_url", told, on_change=True),
    errors={
        **at(
            400, bad_request="BadRequest", value="FieldInvalid", missing="FieldLacking", unfinished="OperationInProcess"
        ),
        **at(400, moderated="TaskPromptPolicyViolation"),
        **at(401, unauthorized="Unauthorized"),
        **at(404, not_found="NotFound", unknown_id="TaskNotFound", unknown_model="ModelUnavailable"),
        **at(429, rate_limited="TooManyRequests"),
        **at(500, server_error="InternalServiceFailure"),
    },
    error=lambda call, code, message: {"error": {"message": message, "type": "error", "param": None, "code": code}},
    new_id=lambda ids: ids.digits(16),
    # Of addresses, say the older documents.
    lifetime=3600,
    # The first that fits counts.
    further=[Route("GET", "/v1/tasks/state", _states), Route("GET", "/v1/tasks/{id}", _one)],
    settings={"at_root": False},
)
VENDOR = VIDU.vendor()
