"""Stability AI's asynchronous calls: the result itself comes as the answer to a poll."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from ...declare import (
    Accepted,
    Answer,
    AnyRequest,
    Inline,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Refused,
    Reply,
    Result,
    State,
    Task,
    TaskStatus,
    UpstreamCall,
    whole,
)


def wants_json(request: AnyRequest) -> bool:
    """Tell whether the caller wants the result in JSON."""
    return request.header("accept").strip().lower().startswith("application/json")


def accept(answer: Answer, request: AnyRequest) -> Accepted | Refused:
    """Read the answer to a submission."""
    value = answer.json()
    if answer.status in (200, 202) and isinstance(value, dict) and isinstance(value.get("id"), str):
        return Accepted(value["id"])
    return Refused(retry_elsewhere=answer.status in (401, 402, 429, 503))


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission with the task's id."""
    return Reply({"id": task.id})


def poll(task: Task) -> UpstreamCall:
    """Ask for the result's bytes."""
    if _is_video(task):
        return UpstreamCall(f"/v2beta/image-to-video/result/{task.upstream_id}", headers={"accept": "video/*"})
    return UpstreamCall(f"/v2beta/results/{task.upstream_id}", headers={"accept": "*/*"})


def _is_video(task: Task) -> bool:
    return task.operation.endswith(".image-to-video")


def ends(answer: Answer) -> bool:
    """Tell a refused result (403) from a refused key: the first is the job's own end."""
    value = answer.json()
    return isinstance(value, dict) and value.get("name") == "content_moderation"


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a poll's answer: 202 while it runs, then the result itself."""
    kind = answer.headers.get("content-type", "")
    value = answer.json() if "json" in kind else None
    about: dict[str, Json] = value if isinstance(value, dict) else {}
    if answer.status >= 400:
        errors = about.get("errors") or [about.get("message") or f"HTTP {answer.status}"]
        return TaskStatus(State.FAILED, None, error="; ".join(map(str, errors)))
    data = answer.body
    if "json" in kind:
        encoded = about.get("image") or about.get("video")
        if answer.status != 200 or not isinstance(encoded, str):
            return TaskStatus(State.RUNNING, None)
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return TaskStatus(State.FAILED, None, error="the upstream's result cannot be read")
        kind = kind.partition("type=")[2]
    elif answer.status != 200:
        return TaskStatus(State.RUNNING, None)
    seed, reason = about.get("seed", answer.headers.get("seed")), about.get("finish_reason")
    snapshot: dict[str, Json] = {
        "finish_reason": reason or answer.headers.get("finish-reason", "SUCCESS"),
        "content_type": kind.partition(";")[0].strip() or ("video/mp4" if _is_video(task) else "image/png"),
    }
    if seed is not None and (number := whole(str(seed))) is not None:
        snapshot["seed"] = number
    return TaskStatus(State.SUCCEEDED, snapshot, results=(Result(data=data, content_type=snapshot["content_type"]),))


def render(task: Task, links: Links) -> Reply:
    """Answer with the result's bytes."""
    return _result(task, as_json=False)


def render_asked(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer in the way that the caller accepts."""
    return _result(task, as_json=wants_json(request))


def _result(task: Task, *, as_json: bool) -> Reply:
    if not task.state.final:
        return Reply({"id": task.id, "status": "in-progress"}, 202)
    if task.state is not State.SUCCEEDED:
        return Reply({"id": task.id, "name": "internal_error", "errors": [task.error or "the generation failed"]}, 500)
    about = {key: task.snapshot[key] for key in ("finish_reason", "seed") if key in task.snapshot}
    if not as_json:
        headers = {key.replace("_", "-"): str(value) for key, value in about.items()}
        return Reply(asset="0", headers=headers)
    name = "video" if _is_video(task) else "image"
    kind = f"application/json; type={task.snapshot['content_type']}"
    return Reply({name: Inline(), **about}, content_type=kind, asset="0")


JOB: Final[Job[object]] = Job(
    rules=JobRules(accept=accept, poll=poll, read=read, ends=ends, interval=10.0, fresh=10.0, timeout=1800.0),
    face=JobFace(new_id=lambda: secrets.token_hex(32), submitted=submitted, render=render),
)
