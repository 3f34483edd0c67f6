"""Midjourney, in the wire format of midjourney-proxy and of the relays that extend it.

Every submission answers with a `code` (1 accepted, 21 waits for input in a window, 22 queued; others refuse it) and a
task's id; a finished task has buttons, and pressing one makes a new task. A path prefix chooses the speed and how
pictures are addressed: `/mj-relax/mj/…`, `/mj-fast-origin/mj/…`.

Channel settings: `forward_mode` (send the speed's prefix on), `forward_account_filter`, `change_as_action` (the
upstream only knows buttons).

Source: the code and documents of midjourney-proxy, its plus and .NET editions, and new-api.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...declare import (
    Answer,
    Call,
    Facts,
    Failure,
    Fetch,
    Json,
    Kind,
    Local,
    Media,
    Operation,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    TaskRules,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from . import bodies, tasks
from .bodies import DEFAULT_MODE, MODES

IMAGE_STYLES = ("relay", "origin", "proxy")
"""How pictures are addressed: `proxy` is an operator's own front, which the gateway's public address is already."""
MOST = 64 * 1024 * 1024
"""Bytes that a body may have."""
LISTED_AT_ONCE = 100


def _prefixes() -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {"": {}}
    for speed in ("", *MODES):
        for style in ("", *IMAGE_STYLES):
            words = "-".join(word for word in (speed, style) if word)
            if words:
                params = {key: value for key, value in (("mode", speed), ("images", style)) if value}
                found[f"/mj-{words}"] = found[f"/{words}"] = params
    return found


PREFIXES = _prefixes()
_FOREIGN = re.compile(r"(/[^/]+)/mj/")


# Errors ------------------------------------------------------------------------------------------------------------

_WORDS: Mapping[Reason, tuple[int, int]] = {
    Reason.INVALID: (400, 4),
    Reason.UNPROCESSABLE: (400, 4),
    Reason.BAD_MEDIA: (400, 4),
    Reason.CONFLICT: (400, 4),
    Reason.NOT_FOUND: (400, 4),
    Reason.UNFUNDED: (403, 4),
    Reason.MODERATED: (400, 24),
    Reason.NO_MODEL: (404, 3),
    Reason.UNAVAILABLE: (503, 3),
    Reason.UPSTREAM: (502, 5),
    Reason.TIMEOUT: (504, 5),
    Reason.RATE_LIMITED: (429, 30),
    Reason.INTERNAL: (500, 9),
}
"""HTTP status and code; the kind's own status and 4 for the others."""
_EARLY = frozenset({Reason.UNAUTHENTICATED, Reason.FORBIDDEN, Reason.NO_MODEL, Reason.UNAVAILABLE, Reason.UNFUNDED})
"""What relays say before they know the protocol, in OpenAI's shape: given beside the protocol's own."""


def error(failure: Failure, operation: Operation | None, request_id: str) -> Reply:
    """Answer a failure as relays do: a code and a description, with the fields of a submission's answer."""
    kind = failure.kind
    if operation is not None and operation.kind is Kind.MEDIA and kind is Reason.NOT_FOUND:
        return Reply({"error": "midjourney_task_not_found"}, 400)
    status, code = _WORDS.get(kind, (kind.status, 4))
    if operation is None and kind is Reason.NOT_FOUND:
        status = 404
    whose = "upstream_error" if code != 4 or kind is Reason.NOT_FOUND else "invalid_request_error"
    said = _description(failure, operation)
    body: dict[str, Json] = {"code": code, "description": said, "type": whose, "result": None, "properties": {}}
    if kind in _EARLY:
        body["error"] = {
            "message": failure.message,
            "type": "invalid_request_error" if kind is Reason.UNAUTHENTICATED else kind.word,
            "param": failure.param,
            "code": failure.code or kind.word,
        }
    return Reply(body, status)


def _description(failure: Failure, operation: Operation | None) -> str:
    if failure.kind is Reason.NOT_FOUND and operation is not None:
        # Relays misspell it where a task is asked for.
        return "task_no_found" if operation.method == "GET" else "task_not_found"
    if failure.kind is Reason.UNFUNDED:
        return "quota_not_enough"
    if failure.code == "task_not_waiting":
        return "关联任务状态错误"
    if failure.param is not None:
        if failure.code == "missing":
            return f"{failure.param}不能为空"
        what, _, detail = failure.message.partition(": ")
        if what == f"Invalid value for '{failure.param}'":
            return f"{failure.param}参数错误 ({detail})"
    return failure.message


def claims(path: str) -> Failure | None:
    """Refuse a path whose prefix is none."""
    found = _FOREIGN.match(path)
    if found is None or found[1] in PREFIXES:
        return None
    return Failure(Reason.INVALID, "无效的加速模式")


def channel_fault(answer: Answer) -> bool:
    """Bad secret; or a relay's account without rights or money."""
    return answer.status in (401, 402, 403) or (answer.status == 400 and b"quota_not_enough" in answer.body)


def authorize(credential: str) -> Mapping[str, str]:
    """Return the proxies' own header, and the relays'."""
    return {"mj-api-secret": credential, "authorization": f"Bearer {credential}"}


# Submissions -------------------------------------------------------------------------------------------------------


def one_call(request: Request) -> Usage:
    """One call, at the speed that is asked for."""
    return Usage(calls=1, params={"mode": bodies.mode(request) or DEFAULT_MODE})


def uploaded(request: Request, answer: Answer) -> Usage | None:
    """One call, if the pictures were taken."""
    found = answer.json()
    return one_call(request) if isinstance(found, dict) and found.get("code") == 1 else None


def must_be_done(request: Request, origin: Task) -> None:
    """Refuse a follow-up of a task that has not succeeded."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "关联任务状态错误", code="task_status_not_success")


def must_be_changeable(request: Request, origin: Task) -> None:
    """Refuse to change what has no quadrants."""
    must_be_done(request, origin)
    shown: Mapping[str, Json] = origin.snapshot or {}
    if shown.get("action") in ("IMAGINE", "VARIATION", "REROLL", "BLEND"):
        return
    begins = bodies.change_button(request)
    if not any(str(button.get("customId", "")).startswith(begins) for button in shown.get("buttons") or ()):
        raise Failure(Reason.INVALID, "关联任务不允许执行变化", code="task_action_not_allowed")


def must_be_open(request: Request, origin: Task) -> None:
    """Refuse to cancel a task that has ended."""
    if origin.state.final:
        raise Failure(Reason.INVALID, "关联任务状态错误", code="task_status_final")


def _id(request: Request) -> str:
    return request.params["id"]


def _ids(request: Request) -> tuple[str]:
    return (request.params["id"],)


# Lists -------------------------------------------------------------------------------------------------------------


async def list_by_ids(view: View) -> Reply:
    """Show the tasks of the given ids, those left out that the caller does not have."""
    ids = [str(each) for each in view.request.body.ids or ()]
    found: list[Task] = []
    for start in range(0, len(ids), LISTED_AT_ONCE):
        found += await view.tasks(ids[start : start + LISTED_AT_ONCE])
    return Reply([tasks.shown(task, view.links) for task in found])


async def list_latest(view: View) -> Reply:
    """Show the latest tasks."""
    return Reply([tasks.shown(task, view.links) for task in await view.tasks()])


async def list_open(view: View) -> Reply:
    """Show the tasks that have not ended."""
    return Reply([tasks.shown(task, view.links) for task in await view.tasks(open_only=True)])


# Operations --------------------------------------------------------------------------------------------------------

Patch = Callable[[Request, Facts], dict[str, Any]]
_PICTURE = "data:image/png;base64,iVBORw0KGgo…"
_TASK = "1741531578038412"


def _submit(
    name: str,
    path: str,
    summary: Text,
    body: type[msgspec.Struct],
    example: Mapping[str, Json],
    *,
    rows: tuple[int, ...] = (),
    aliases: tuple[str, ...] = (),
    check: Callable[[Request], None] | None = None,
    check_origin: Callable[[Request, Task], None] | None = None,
    follows: bool = False,
    patch: Patch | None = None,
    place: Callable[[Request, Facts], str] | None = None,
    price: Callable[[Request], str] | None = None,
    resumes: bool = False,
) -> Operation:
    """Declare one submission; `path` stands below `/mj`."""
    native = f"/mj{path}"
    return Submit(
        name=name,
        method="POST",
        path=native,
        aliases=aliases,
        upstream_template=native,
        rows=rows,
        summary=summary,
        body=body,
        example=example,
        model=bodies.name,
        price=price,
        estimate=one_call,
        patch=patch or (tasks.follow_patch if follows else tasks.patch),
        upstream_path=place or tasks.place(native),
        origin=tasks.parent if follows else None,
        resumes=resumes,
        check=check,
        check_origin=check_origin or (must_be_done if follows and not resumes else None),
        max_body=MOST,
    )


def _change(name: str, row: int, summary: Text, body: type[msgspec.Struct], example: Mapping[str, Json]) -> Operation:
    path = f"/submit/{name}"
    return _submit(
        name,
        path,
        summary,
        body,
        example,
        rows=(row,),
        check=bodies.check_change if body is bodies.ChangeBody else bodies.check_simple_change,
        check_origin=must_be_changeable,
        follows=True,
        patch=tasks.change_patch,
        place=tasks.change_place(f"/mj{path}"),
    )


def _list(
    name: str, method: str, path: str, summary: Text, answer: Any, *, aliases: tuple[str, ...] = (), row: int = 0
) -> Operation:
    return Local(
        name=name,
        method=method,
        path=path,
        aliases=aliases,
        upstream_template=path,
        rows=(row,) if row else (),
        summary=summary,
        body=bodies.ListBody if method == "POST" else None,
        media="json" if method == "POST" else "none",
        example={"ids": [_TASK]} if method == "POST" else {},
        example_answer=[{"id": _TASK, "action": "IMAGINE", "status": "IN_PROGRESS", "progress": "31%"}],
        answer=answer,
    )


SUBMISSIONS = (
    _submit(
        "imagine",
        "/submit/imagine",
        Text("Imagine", "提交Imagine任务(文生图、文图生图)"),
        bodies.ImagineBody,
        {"botType": "MID_JOURNEY", "prompt": "Cat --ar 1:1", "base64Array": [], "notifyHook": "", "state": "order-17"},
        rows=(12, 19),
        check=bodies.check_imagine,
    ),
    _change(
        "change",
        14,
        Text("Upscale, vary or reroll", "绘图变化(UPSCALE; VARIATION; REROLL)"),
        bodies.ChangeBody,
        {"taskId": _TASK, "action": "UPSCALE", "index": 2},
    ),
    _change(
        "simple-change",
        16,
        Text("Upscale, vary or reroll, in one line", "绘图变化-simple(UPSCALE; VARIATION; REROLL)"),
        bodies.SimpleChangeBody,
        {"content": f"{_TASK} U2"},
    ),
    _submit(
        "action",
        "/submit/action",
        Text("Press a button", "执行动作(所有的关联按钮动作UPSCALE; VARIATION; REROLL; ZOOM等)"),
        bodies.ActionBody,
        {"taskId": _TASK, "customId": "MJ::JOB::upsample::2::26d56b92-4ed6-45e2-8561-563797923135"},
        rows=(15,),
        check=bodies.check_action,
        follows=True,
        price=bodies.button_price,
    ),
    _submit(
        "modal",
        "/submit/modal",
        Text("Give a waiting task its input", "提交Modal(提交局部重绘、ZOOM)"),
        bodies.ModalBody,
        {"taskId": _TASK, "prompt": "Cat --zoom 1.5"},
        rows=(20,),
        check=bodies.check_modal,
        follows=True,
        patch=tasks.modal_patch,
        resumes=True,
    ),
    _submit(
        "blend",
        "/submit/blend",
        Text("Blend pictures", "提交Blend任务(图生图)"),
        bodies.BlendBody,
        {"base64Array": [_PICTURE, _PICTURE], "dimensions": "SQUARE"},
        rows=(17,),
        check=bodies.check_blend,
    ),
    _submit(
        "describe",
        "/submit/describe",
        Text("Describe a picture", "提交Describe任务(图生文)"),
        bodies.DescribeBody,
        {"base64": _PICTURE},
        rows=(18,),
        check=bodies.check_describe,
    ),
    _submit(
        "shorten",
        "/submit/shorten",
        Text("Shorten a prompt", "提交Shorten任务(prompt分析)"),
        bodies.ShortenBody,
        {"prompt": "A cat in a very shiny spacesuit, standing on the moon"},
        rows=(21,),
        check=bodies.check_prompt,
    ),
    _submit(
        "swap",
        "/insight-face/swap",
        Text("Swap a face", "提交swap_face任务"),
        bodies.SwapBody,
        {"sourceBase64": _PICTURE, "targetBase64": _PICTURE.replace("KGgo", "KGgoAAAA")},
        rows=(13,),
        check=bodies.check_swap,
    ),
    _submit(
        "edits",
        "/submit/edits",
        Text("Edit a picture", "提交编辑图片任务(edits)"),
        bodies.EditBody,
        {"prompt": "Give the cat a hat", "image": _PICTURE},
        aliases=("/mj/submit/edit",),
        check=bodies.check_edit,
    ),
    _submit(
        "retexture",
        "/submit/retexture",
        Text("Retexture a picture", "提交重新贴图任务(retexture)"),
        bodies.EditBody,
        {"prompt": "Made of glass", "image": _PICTURE},
        check=bodies.check_edit,
    ),
    _submit(
        "video",
        "/submit/video",
        Text("Make or lengthen a video", "提交视频任务(video)"),
        bodies.VideoBody,
        {"prompt": "The cat turns its head", "motion": "low", "image": _PICTURE},
        check=bodies.check_video,
        follows=True,
    ),
)

midjourney = Protocol(
    name="midjourney",
    title=Text("Midjourney", "Midjourney"),
    base_url="http://127.0.0.1:8080",
    env_key="MJ_API_SECRET",
    env_base_url="MJ_SERVER",
    models=bodies.MODELS,
    prefixes=PREFIXES,
    key_headers=("mj-api-secret",),
    own_paths=("/mj/", *(f"{prefix}/mj/" for prefix in PREFIXES if prefix)),
    authorize=authorize,
    error=error,
    claims=claims,
    channel_fault=channel_fault,
    probe=UpstreamCall("/mj/task/list-by-condition", "POST", json={"ids": []}),
    tasks=TaskRules(
        new_id=tasks.new_id,
        accept=tasks.accept,
        submitted=tasks.submitted,
        poll=tasks.poll,
        batch=tasks.batch,
        split=tasks.split,
        read=tasks.read,
        render=tasks.render,
        hook=tasks.hook,
        hook_message=tasks.hook_message,
        hook_each_change=True,
        hook_in=tasks.hook_in,
        find_lost=tasks.find_lost,
        found_lost=tasks.found_lost,
        keep=tasks.keep,
        preview=tasks.preview,
        interval=3.0,
    ),
    operations=(
        *SUBMISSIONS,
        Call(
            name="upload",
            method="POST",
            path="/mj/submit/upload-discord-images",
            upstream_template="/mj/submit/upload-discord-images",
            summary=Text("Upload pictures to refer to", "上传图片到Discord"),
            body=bodies.UploadBody,
            example={"base64Array": [_PICTURE]},
            example_answer={"code": 1, "description": "提交成功", "result": ["https://…"], "properties": {}},
            model=bodies.name,
            estimate=one_call,
            usage=uploaded,
            patch=tasks.upload_patch,
            upstream_path=tasks.place("/mj/submit/upload-discord-images"),
            check=bodies.check_blend,
            max_body=MOST,
        ),
        Fetch(
            name="fetch",
            method="GET",
            path="/mj/task/{id}/fetch",
            upstream_template="/mj/task/{id}/fetch",
            rows=(23,),
            summary=Text("Get a task", "指定ID获取任务"),
            media="none",
            task=_id,
        ),
        _list(
            "list-by-condition",
            "POST",
            "/mj/task/list-by-condition",
            Text("Get tasks by their ids", "根据ID列表查询任务"),
            list_by_ids,
            aliases=("/mj/task/list-by-ids",),
            row=22,
        ),
        _list("list", "GET", "/mj/task/list", Text("List the latest tasks", "查询最近任务"), list_latest),
        _list("queue", "GET", "/mj/task/queue", Text("List open tasks", "查询进行中的任务"), list_open),
        Call(
            name="image-seed",
            method="GET",
            path="/mj/task/{id}/image-seed",
            upstream_template="/mj/task/{id}/image-seed",
            rows=(24,),
            summary=Text("Get the seed of a task's picture", "获取任务图片的seed"),
            media="none",
            example_answer={"code": 1, "description": "成功", "result": "636646138"},
            model=lambda request: "mj_imagine",
            upstream_path=tasks.place("/mj/task/{id}/image-seed"),
            origin=_ids,
            check_origin=must_be_done,
            free=True,
        ),
        Call(
            name="cancel",
            method="POST",
            path="/mj/task/{id}/cancel",
            upstream_template="/mj/task/{id}/cancel",
            summary=Text("Cancel a task", "取消任务"),
            media="none",
            example_answer={"code": 1, "description": "成功", "result": _TASK, "properties": {}},
            model=lambda request: "mj_imagine",
            upstream_path=tasks.place("/mj/task/{id}/cancel"),
            origin=_ids,
            check_origin=must_be_open,
            free=True,
        ),
        Media(
            name="image",
            method="GET",
            path="/mj/image/{id}",
            upstream_template="/mj/image/{id}",
            summary=Text("Get a task's picture", "获取任务图片"),
            media="none",
            answers=("image/*",),
            task=_id,
        ),
    ),
)
