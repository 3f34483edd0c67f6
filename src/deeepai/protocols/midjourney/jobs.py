"""Jobs of the midjourney-proxy protocol: what answers mean, and how a task is shown."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from ...declare import (
    DROP,
    Accepted,
    Answer,
    AnyRequest,
    ChannelSettings,
    Facts,
    Failure,
    Hook,
    HookMessage,
    Job,
    JobFace,
    JobRules,
    Json,
    Links,
    Reason,
    Refused,
    Reply,
    Request,
    Result,
    State,
    Task,
    TaskStatus,
    UpstreamCall,
    Usage,
)
from . import bodies
from .bodies import BOOKMARK, DEFAULT_MODE, ActionBody, ChangeBody, CommonBody, ModalBody, SimpleChangeBody, VideoBody


class Settings(ChannelSettings):
    """Settings of a channel.

    Attributes
    ----------
    forward_mode : bool
        The upstream takes the speed's prefix in the path.
    forward_account_filter : bool
        Callers may say which of the upstream's accounts works for them.
    change_as_action : bool
        The upstream only knows buttons.
    """

    forward_mode: bool = False
    forward_account_filter: bool = False
    change_as_action: bool = False


_numbers = itertools.count(secrets.randbelow(1000))


def new_id() -> str:
    """Make an id: 13 digits of epoch milliseconds and 3 more."""
    return f"{time.time_ns() // 1_000_000}{next(_numbers) % 1000:03d}"


# Submitting --------------------------------------------------------------------------------------------------------


def patch(request: Request[CommonBody], facts: Facts) -> dict[str, Any]:
    """Put the gateway's own callback and reference in the place of the caller's, and leave out what is not passed on.

    Channel settings: `forward_account_filter`.
    """
    body = request.body
    changes: dict[str, Any] = {"state": facts.reference}
    if facts.hook_url is not None:
        changes["notifyHook"] = facts.hook_url
    elif body.notifyHook is not None:
        changes["notifyHook"] = DROP
    asked = bodies.mode(request)
    if body.accountFilter is not None:
        if not facts.settings.get("forward_account_filter"):
            changes["accountFilter"] = DROP
        elif asked is not None and body.accountFilter.get("modes"):
            changes["accountFilter"] = {**body.accountFilter, "modes": [asked.upper()]}
    if body.mode is not None:
        changes["mode"] = asked or DROP
    return changes | _prompt(body, asked or DEFAULT_MODE)


def _prompt(body: CommonBody, chosen: str) -> dict[str, Any]:
    prompt: str | None = getattr(body, "prompt", None)
    kept = bodies.without_flags(prompt, chosen) if prompt else prompt
    return {} if kept == prompt else {"prompt": kept}


def follow_patch(request: Request[CommonBody], facts: Facts) -> dict[str, Any]:
    """Name the parent as the upstream does."""
    changes = patch(request, facts)
    if facts.origin is not None:
        changes["taskId"] = facts.origin.upstream_id
    return changes


def change_patch(request: Request[ChangeBody | SimpleChangeBody], facts: Facts) -> dict[str, Any]:
    """Ask for a change; where the upstream only knows buttons (setting `change_as_action`), press the one that fits."""
    origin = facts.origin
    assert origin is not None
    changes = patch(request, facts)
    if facts.settings.get("change_as_action"):
        pressed = _button(origin, bodies.change_button(request.body))
        return changes | {
            "taskId": origin.upstream_id,
            "customId": pressed,
            "action": DROP,
            "index": DROP,
            "content": DROP,
        }
    body = request.body
    if isinstance(body, SimpleChangeBody):
        return changes | {"content": f"{origin.upstream_id} {body.content.strip().partition(' ')[2]}"}
    return changes | {"taskId": origin.upstream_id}


def _button(origin: Task, begins: str) -> str:
    """Return the origin's button that begins so, or make it of the picture's hash.

    Raises
    ------
    Failure
    """
    shown: Mapping[str, Json] = origin.snapshot or {}
    for button in shown.get("buttons") or ():
        if str(button.get("customId", "")).startswith(begins):
            return button["customId"]
    known = (shown.get("properties") or {}).get("messageHash")
    if not known:
        raise Failure(Reason.INVALID, "关联任务不允许执行变化", param="taskId")
    return f"{begins}{known}{'::SOLO' if 'reroll' in begins else ''}"


def modal_patch(request: Request[ModalBody], facts: Facts) -> dict[str, Any]:
    """Give the waiting task its input; its reference, callback and speed stay those that it was made with."""
    task = facts.origin
    assert task is not None
    kept: Mapping[str, Json] = task.request or {}
    changes: dict[str, Any] = {"taskId": task.upstream_id, "accountFilter": DROP, "mode": DROP, "state": DROP}
    changes["notifyHook"] = DROP if facts.hook_url is None else facts.hook_url
    return changes | _prompt(request.body, kept.get("mode") or DEFAULT_MODE)


def upload_patch(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Leave out the account filter, under either name, unless it is passed on (setting `forward_account_filter`)."""
    return {} if facts.settings.get("forward_account_filter") else {"accountFilter": DROP, "filter": DROP}


def upstream_path(template: str) -> Callable[[AnyRequest, Facts], str]:
    """Make the upstream path: with the speed's prefix where the channel takes it (setting `forward_mode`)."""

    def placed(request: AnyRequest, facts: Facts) -> str:
        path = template
        if facts.origin is not None:
            path = path.replace("{id}", facts.origin.upstream_id or "")
        speed = request.params.get("mode")
        return f"/mj-{speed}{path}" if speed and facts.settings.get("forward_mode") else path

    return placed


def change_path(template: str) -> Callable[[AnyRequest, Facts], str]:
    """Make the upstream path of a change, which may be that of a button."""

    def placed(request: AnyRequest, facts: Facts) -> str:
        pressed = facts.settings.get("change_as_action")
        return upstream_path("/mj/submit/action" if pressed else template)(request, facts)

    return placed


def keep(request: Request[CommonBody]) -> Json:
    """Keep of a submission what a task shows before its first poll, and what its price depends on."""
    body = request.body
    return {
        "prompt": getattr(body, "prompt", None),
        "state": body.state,
        "action": bodies.action(request),
        "mode": bodies.mode(request),
        "by_path": "mode" in request.params,
    }


def hook(request: Request[CommonBody]) -> Hook | None:
    """Find the caller's callback URL."""
    url = (request.body.notifyHook or "").strip()
    return Hook(url) if url else None


def parent(request: Request[CommonBody]) -> Sequence[str]:
    """Return the id of the task that a body follows up."""
    body = request.body
    if isinstance(body, ChangeBody | SimpleChangeBody):
        return (bodies.change(body)[0],)
    if isinstance(body, ActionBody | ModalBody) or (isinstance(body, VideoBody) and body.action == "extend"):
        return (str(body.taskId),)
    return ()


def accept(answer: Answer, request: Request[CommonBody]) -> Accepted | Refused:
    """Read the answer to a submission.

    Code 21 means either that the new task waits for input in a window, or that the work was done before.
    """
    value = answer.json()
    if not isinstance(value, dict):
        return Refused(retry_elsewhere=answer.status in (429, 503))
    code, task_id = value.get("code"), value.get("result")
    description, about = str(value.get("description") or ""), value.get("properties")
    properties: dict[str, Json] = about if isinstance(about, dict) else {}
    if code in (1, 21, 22) and answer.status < 400 and isinstance(task_id, str | int) and task_id != "":
        facts: dict[str, Json] = {"code": code, "description": description, "properties": properties}
        body = request.body
        if isinstance(body, ModalBody):
            return Accepted(str(task_id), facts=facts | {"resumed": True})
        waits = bool(properties.get("remix")) or "confirm" in description.lower() or "窗口" in description
        if waits or (code == 21 and "finalPrompt" in properties):
            return Accepted(str(task_id), State.WAITING, facts)
        existing = code == 21 or (isinstance(body, ActionBody) and body.customId.startswith(BOOKMARK))
        return Accepted(str(task_id), facts=facts, existing=existing)
    # Code 5 comes from a relay that lost its own upstream: the job may run, so it is not sent again. Code 3 means that
    # no account is free, except in answer to a follow-up, whose parent is meant.
    no_account = code == 3 and not parent(request)
    elsewhere = code in (9, 23, 30) or no_account or answer.status in (429, 503)
    return Refused(elsewhere, worded=answer.status < 300 and isinstance(code, int | str) and code not in (1, 21, 22))


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission with what the upstream said, under the gateway's own id."""
    facts = task.facts
    description = str(facts.get("description") or "提交成功")
    return Reply(
        {
            "code": facts.get("code", 1),
            "description": _own_ids(description, task),
            "result": task.id,
            "properties": _own_ids(facts.get("properties") or {}, task),
        }
    )


# Polling -----------------------------------------------------------------------------------------------------------

_STATES = {
    "": State.QUEUED,
    "NOT_START": State.QUEUED,
    "SUBMITTED": State.QUEUED,
    "QUEUED": State.QUEUED,
    "MODAL": State.WAITING,
    "IN_PROGRESS": State.RUNNING,
    "SUCCESS": State.SUCCEEDED,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILURE": State.FAILED,
    "FAILED": State.FAILED,
    "CANCEL": State.CANCELLED,
    "CANCELED": State.CANCELLED,
    "CANCELLED": State.CANCELLED,
}
_NAMES = {
    State.WAITING: "MODAL",
    State.RUNNING: "IN_PROGRESS",
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.CANCELLED: "CANCEL",
}
_LOST = re.compile(r"task_?not?_?found|not exist|不存在", re.IGNORECASE)


def poll(task: Task) -> UpstreamCall:
    """Ask for one task."""
    return UpstreamCall(f"/mj/task/{task.upstream_id}/fetch")


def batch(tasks: Sequence[Task]) -> UpstreamCall:
    """Ask for many tasks."""
    return UpstreamCall("/mj/task/list-by-condition", "POST", json={"ids": [task.upstream_id for task in tasks]})


def split(answer: Answer) -> Mapping[str, Answer]:
    """Take a list of tasks apart."""
    return {str(item["id"]): Answer(200, answer.headers, msgspec.json.encode(item)) for item in _tasks(answer.json())}


def _tasks(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict) and "id" in item] if isinstance(value, list) else []


def find_lost(reference: str) -> UpstreamCall:
    """Ask for the latest tasks."""
    return UpstreamCall("/mj/task/list")


def found_lost(answer: Answer, reference: str) -> str | None:
    """Find the task that was sent with a reference."""
    return next((str(item["id"]) for item in _tasks(answer.json()) if item.get("state") == reference), None)


def hook_in(body: Json) -> str | None:
    """Find the task id in an upstream's callback."""
    task_id = body.get("id") if isinstance(body, dict) else None
    return str(task_id) if isinstance(task_id, str | int) else None


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read a task's state."""
    snapshot = answer.json()
    if not isinstance(snapshot, dict) or "status" not in snapshot:
        description = str(snapshot.get("description", "")) if isinstance(snapshot, dict) else ""
        if answer.status >= 400 and _LOST.search(description):
            return TaskStatus(State.NOT_FOUND, None)
        if task.state in (State.SUBMITTING, State.UNKNOWN):
            return TaskStatus(State.NOT_FOUND, None)
        return TaskStatus(State.RUNNING, task.snapshot, progress=task.progress)
    state = _STATES.get(str(snapshot["status"] or "").upper(), State.RUNNING)
    if state is State.WAITING and task.facts.get("resumed"):
        state = State.QUEUED
    percent = re.match(r"\d{1,3}", str(snapshot.get("progress") or ""))
    done = state is State.SUCCEEDED
    return TaskStatus(
        state,
        snapshot,
        progress=min(100, int(percent[0])) if percent else None,
        results=tuple(Result(url) for url in _files(snapshot)) if done else (),
        error=str(snapshot.get("failReason") or "failed") if state is State.FAILED else snapshot.get("failReason"),
        usage=_usage(snapshot, task) if done else None,
    )


def _usage(snapshot: Mapping[str, Json], task: Task) -> Usage:
    """One call, at the speed that the path asks for, else that the upstream tells, else that the body asks for."""
    kept: Mapping[str, Json] = task.request or {}
    reported, wanted = str(snapshot.get("mode") or "").lower(), kept.get("mode")
    speed = reported if reported in bodies.MODES and not kept.get("by_path") else wanted or DEFAULT_MODE
    return Usage(calls=1, params={"mode": speed, "action": str(snapshot.get("action") or kept.get("action") or "")})


def _files(snapshot: Mapping[str, Json]) -> list[str]:
    """Return the addresses of a task's files, each once: the picture, further pictures, videos and their stills."""
    urls: list[Json] = [snapshot.get("imageUrl")]
    urls += [item.get("url") for item in _items(snapshot, "imageUrls")]
    urls.append(snapshot.get("videoUrl"))
    for item in _items(snapshot, "videoUrls"):
        urls += [item.get("url"), item.get("thumbnail")]
    return list(dict.fromkeys(url for url in urls if isinstance(url, str) and url.startswith(("http://", "https://"))))


def _items(snapshot: Mapping[str, Json], key: str) -> list[dict[str, Json]]:
    items = snapshot.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


# Showing -----------------------------------------------------------------------------------------------------------

_PARENT = re.compile(r"(?<=^/up )\S+")


def render(task: Task, links: Links) -> Reply:
    """Answer a fetch."""
    return Reply(shown(task, links))


def hook_message(task: Task, links: Links) -> HookMessage:
    """Build a callback: the whole task."""
    return HookMessage(shown(task, links))


def preview(task: Task, number: int) -> str | None:
    """Return the upstream's address of a running task's picture."""
    return None if number else (task.snapshot or {}).get("imageUrl") or None


def shown(task: Task, links: Links) -> dict[str, Json]:
    """Return a task as clients see it: the upstream's own fields, with the gateway's ids, times and links.

    Times are epoch milliseconds.
    """
    kept: Mapping[str, Json] = task.request or {}
    snapshot: dict[str, Json] = task.snapshot or {}
    own: dict[str, Json] = {
        "id": task.id,
        "action": snapshot.get("action") or kept.get("action"),
        "status": _status(task, snapshot),
        "progress": "100%" if task.state.final else snapshot.get("progress") or "0%",
        "prompt": snapshot.get("prompt") or kept.get("prompt"),
        "promptEn": snapshot.get("promptEn") or kept.get("prompt"),
        "description": snapshot.get("description"),
        "state": kept.get("state"),
        "submitTime": task.submitted_at,
        "startTime": task.started_at,
        "finishTime": task.finished_at,
        "imageUrl": snapshot.get("imageUrl") or None,
        "failReason": task.error or snapshot.get("failReason"),
        "buttons": [button for button in snapshot.get("buttons") or () if not _unserved(button)],
        "properties": _properties(task, snapshot),
    }
    extra = {key: value for key, value in snapshot.items() if key not in own}
    whole: dict[str, Json] = _own_ids(extra | own, task)
    if isinstance(whole["description"], str) and task.parent_id:
        whole["description"] = _PARENT.sub(task.parent_id, whole["description"])
    if whole.get("parentId"):
        whole["parentId"] = task.parent_id
    if "notifyHook" in extra:
        whole["notifyHook"] = _hook_url(task)
    return {**whole, **_linked(task, snapshot, links)}


def _status(task: Task, snapshot: Mapping[str, Json]) -> str:
    """Return the upstream's word for a state where it fits, else the usual one."""
    word = str(snapshot.get("status") or "").upper()
    if task.state in _NAMES:
        return _NAMES[task.state]
    if task.state is State.QUEUED and word in ("NOT_START", "SUBMITTED"):
        return word
    return "NOT_START" if task.facts.get("code") == 22 else "SUBMITTED"


def _unserved(button: Json) -> bool:
    return isinstance(button, dict) and str(button.get("customId", "")).lower() == "mj::job::picreader::all"


def _hook_url(task: Task) -> str:
    return task.hook.url if task.hook is not None else ""


def _properties(task: Task, snapshot: Mapping[str, Json]) -> dict[str, Json]:
    value = snapshot.get("properties") or task.facts.get("properties")
    properties: dict[str, Json] = dict(value) if isinstance(value, dict) else {}
    for key, number in properties.items():
        # Discord's ids are beyond what JavaScript counts exactly.
        if isinstance(number, int) and abs(number) >= 2**53:
            properties[key] = str(number)
    if "notifyHook" in properties:
        properties["notifyHook"] = _hook_url(task)
    return properties


def _own_ids(value: Json, task: Task) -> Json:
    """Put the task's own id in the place of the upstream's, wherever it stands."""
    if task.upstream_id is None:
        return value
    if isinstance(value, str):
        return value.replace(task.upstream_id, task.id)
    if isinstance(value, list):
        return [_own_ids(item, task) for item in value]
    if isinstance(value, dict):
        return {key: _own_ids(item, task) for key, item in value.items()}
    return task.id if isinstance(value, int) and str(value) == task.upstream_id else value


_ADDRESSES = ("imageUrl", "imageUrls", "thumbnailUrl", "videoUrl", "videoUrls")


def _linked(task: Task, snapshot: Mapping[str, Json], links: Links) -> dict[str, Json]:
    """Return the fields that hold addresses: the gateway's own, unless the path asks for the upstream's."""
    fields = {key: snapshot[key] for key in _ADDRESSES if snapshot.get(key)}
    if task.params.get("images") == "origin":
        return fields
    picture = snapshot.get("imageUrl")
    if task.state is not State.SUCCEEDED:
        shows = picture and not task.state.final
        return dict.fromkeys(fields) | {
            "imageUrl": f"{_media(task, links)}&rand={task.progress or 0}" if shows else None
        }
    ours = {url: links.asset(task, number) for number, url in enumerate(_files(snapshot))}
    if picture:
        ours[picture] = _media(task, links)
    return {key: _replaced(value, ours) for key, value in fields.items()}


def _media(task: Task, links: Links) -> str:
    return links.media(task, f"/mj/image/{task.id}")


def _replaced(value: Json, ours: Mapping[str, str]) -> Json:
    """Put the gateway's links in; a still that is not kept is shown by its picture."""
    if isinstance(value, str):
        return ours.get(value)
    if isinstance(value, list):
        return [_replaced(item, ours) for item in value]
    if isinstance(value, dict):
        picture = ours.get(value.get("url") or "")
        return {**value, "url": picture} | (
            {"thumbnail": ours.get(value["thumbnail"] or "", picture)} if "thumbnail" in value else {}
        )
    return value


JOB: Final[Job[CommonBody]] = Job(
    rules=JobRules(
        accept=accept,
        poll=poll,
        batch=batch,
        split=split,
        read=read,
        hook_in=hook_in,
        find_lost=find_lost,
        found_lost=found_lost,
        preview=preview,
        cancel=lambda task: UpstreamCall(f"/mj/task/{task.upstream_id}/cancel", "POST"),
        interval=3.0,
    ),
    face=JobFace(
        new_id=new_id,
        submitted=submitted,
        render=render,
        keep=keep,
        hook=hook,
        hook_message=hook_message,
        hook_each_change=True,
    ),
)
