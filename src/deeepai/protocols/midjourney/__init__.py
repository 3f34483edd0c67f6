"""Midjourney, in the wire format of midjourney-proxy and of the relays that extend it.

Every submission answers with a `code` (1 accepted, 21 waits for input in a window, 22 queued; others refuse it) and a
task's id; a finished task has buttons, and pressing one makes a new task. A path prefix chooses the speed and how
pictures are addressed: `/mj-relax/mj/…`, `/mj-fast-origin/mj/…`.

Source: the code and documents of midjourney-proxy, its plus and .NET editions, and new-api.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ...declare import (
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Facts,
    Failure,
    Fetch,
    Json,
    Local,
    Media,
    Origin,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    UpstreamCall,
    View,
)
from . import bodies, jobs, pages
from .bodies import MODES, ChangeBody, CommonBody, SimpleChangeBody
from .errors import channel_fault, error
from .usage import one_call, uploaded

IMAGE_STYLES = ("relay", "origin", "proxy")
"""How pictures are addressed: `proxy` is an operator's own front, which the gateway's public address is already."""
MOST = 64 * 1024 * 1024
"""Bytes that a body may have."""
LISTED_AT_ONCE = 100


def _prefixes() -> dict[str, Mapping[str, str]]:
    prefixes: dict[str, Mapping[str, str]] = {"": {}}
    for speed in ("", *MODES):
        for style in ("", *IMAGE_STYLES):
            words = "-".join(word for word in (speed, style) if word)
            if words:
                params = {key: value for key, value in (("mode", speed), ("images", style)) if value}
                prefixes[f"/mj-{words}"] = prefixes[f"/{words}"] = params
    return prefixes


PREFIXES = _prefixes()
_FOREIGN = re.compile(r"(/[^/]+)/mj/")


def claims(path: str) -> Failure | None:
    """Refuse a path whose prefix is none."""
    prefix = _FOREIGN.match(path)
    if prefix is None or prefix[1] in PREFIXES:
        return None
    return Failure(Reason.INVALID, "无效的加速模式")


def authorize(credential: str) -> Mapping[str, str]:
    """Return the proxies' own header, and the relays'."""
    return {"mj-api-secret": credential, "authorization": f"Bearer {credential}"}


# Submissions -------------------------------------------------------------------------------------------------------


def must_be_done(request: AnyRequest, origin: Task) -> None:
    """Refuse a follow-up of a task that has not succeeded."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "关联任务状态错误", code="task_status_not_success")


def must_be_changeable(request: Request[ChangeBody | SimpleChangeBody], origin: Task) -> None:
    """Refuse to change what has no quadrants."""
    must_be_done(request, origin)
    shown: Mapping[str, Json] = origin.snapshot or {}
    if shown.get("action") in ("IMAGINE", "VARIATION", "REROLL", "BLEND"):
        return
    begins = bodies.change_button(request.body)
    if not any(str(button.get("customId", "")).startswith(begins) for button in shown.get("buttons") or ()):
        raise Failure(Reason.INVALID, "关联任务不允许执行变化", code="task_action_not_allowed")


def must_be_open(request: AnyRequest, origin: Task) -> None:
    """Refuse to cancel a task that has ended."""
    if origin.state.final:
        raise Failure(Reason.INVALID, "关联任务状态错误", code="task_status_final")


def _id(request: AnyRequest) -> str:
    return request.params["id"]


def _ids(request: AnyRequest) -> tuple[str]:
    return (request.params["id"],)


# Lists -------------------------------------------------------------------------------------------------------------


async def list_by_ids(view: View[bodies.ListBody]) -> Reply:
    """Show the tasks of the given ids, those left out that the caller does not have."""
    ids = [str(each) for each in view.request.body.ids or ()]
    tasks: list[Task] = []
    for start in range(0, len(ids), LISTED_AT_ONCE):
        tasks += await view.tasks(ids[start : start + LISTED_AT_ONCE])
    return Reply([jobs.shown(task, view.links) for task in tasks])


async def list_latest(view: View[object]) -> Reply:
    """Show the latest tasks."""
    return Reply([jobs.shown(task, view.links) for task in await view.tasks()])


async def list_open(view: View[object]) -> Reply:
    """Show the tasks that have not ended."""
    return Reply([jobs.shown(task, view.links) for task in await view.tasks(open_only=True)])


# Operations --------------------------------------------------------------------------------------------------------

BodyT = TypeVar("BodyT", bound=CommonBody)
ChangeT = TypeVar("ChangeT", ChangeBody, SimpleChangeBody)
_PICTURE = "data:image/png;base64,iVBORw0KGgo…"
_ENVELOPE = AnswerShape(fields=("code",))
_TASK = "1741531578038412"
_LISTED = [{"id": _TASK, "action": "IMAGINE", "status": "IN_PROGRESS", "progress": "31%"}]
_FOLLOWS: Origin[CommonBody] = Origin(ids=jobs.parent, check=must_be_done)


def _submit(
    name: str,
    path: str,
    summary: Text,
    body: type[BodyT],
    example: Mapping[str, Json],
    *,
    rows: tuple[int, ...] = (),
    aliases: tuple[str, ...] = (),
    check: Callable[[Request[BodyT]], None] | None = None,
    origin: Origin[BodyT] | None = None,
    patch: Callable[[Request[BodyT], Facts], dict[str, Any]] = jobs.patch,
    upstream_path: Callable[[AnyRequest, Facts], str] | None = None,
    price: Callable[[Request[BodyT]], str] | None = None,
    resumes: bool = False,
) -> Submit[BodyT]:
    """Declare one submission; `path` stands below `/mj`."""
    template = f"/mj{path}"
    return Submit(
        name=name,
        method="POST",
        path=template,
        aliases=aliases,
        upstream_template=template,
        rows=rows,
        summary=summary,
        body=body,
        example=example,
        model=bodies.name,
        price=price,
        estimate=one_call,
        patch=patch,
        upstream_path=upstream_path or jobs.upstream_path(template),
        origin=origin,
        resumes=resumes,
        check=check,
        max_body=MOST,
        job=jobs.JOB,
        endpoint_type="midjourney-proxy",
    )


def _change(
    name: str,
    row: int,
    summary: Text,
    body: type[ChangeT],
    example: Mapping[str, Json],
    check: Callable[[Request[ChangeT]], None],
) -> Submit[ChangeT]:
    path = f"/submit/{name}"
    return _submit(
        name,
        path,
        summary,
        body,
        example,
        rows=(row,),
        check=check,
        origin=Origin(ids=jobs.parent, check=must_be_changeable),
        patch=jobs.change_patch,
        upstream_path=jobs.change_path(f"/mj{path}"),
    )


def _list(name: str, summary: Text, answer: Callable[[View[object]], Awaitable[Reply]]) -> Local[object]:
    path = f"/mj/task/{name}"
    return Local(
        name=name,
        method="GET",
        path=path,
        upstream_template=path,
        summary=summary,
        media="none",
        example_answer=_LISTED,
        answer=answer,
    )


SUBMISSIONS: tuple[AnyOperation, ...] = (
    _submit(
        "imagine",
        "/submit/imagine",
        Text("Imagine", "提交Imagine任务(文生图、文图生图)"),
        bodies.ImagineBody,
        {"botType": "MID_JOURNEY", "prompt": "Cat --ar 1:1", "base64Array": [], "notifyHook": "", "state": "order-17"},
        rows=(19,),
        check=bodies.check_imagine,
    ),
    _change(
        "change",
        14,
        Text("Upscale, vary or reroll", "绘图变化(UPSCALE; VARIATION; REROLL)"),
        bodies.ChangeBody,
        {"taskId": _TASK, "action": "UPSCALE", "index": 2},
        bodies.check_change,
    ),
    _change(
        "simple-change",
        16,
        Text("Upscale, vary or reroll, in one line", "绘图变化-simple(UPSCALE; VARIATION; REROLL)"),
        bodies.SimpleChangeBody,
        {"content": f"{_TASK} U2"},
        bodies.check_simple_change,
    ),
    _submit(
        "action",
        "/submit/action",
        Text("Press a button", "执行动作(所有的关联按钮动作UPSCALE; VARIATION; REROLL; ZOOM等)"),
        bodies.ActionBody,
        {"taskId": _TASK, "customId": "MJ::JOB::upsample::2::26d56b92-4ed6-45e2-8561-563797923135"},
        rows=(15,),
        check=bodies.check_action,
        origin=_FOLLOWS,
        patch=jobs.follow_patch,
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
        origin=Origin(ids=jobs.parent),
        patch=jobs.modal_patch,
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
        origin=_FOLLOWS,
        patch=jobs.follow_patch,
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
    key_placeholders=("midjourney-proxy",),
    own_paths=("/mj/", *(f"{prefix}/mj/" for prefix in PREFIXES if prefix)),
    authorize=authorize,
    error=error,
    claims=claims,
    channel_fault=channel_fault,
    settings=jobs.Settings,
    probe=UpstreamCall("/mj/task/list-by-condition", "POST", json={"ids": []}),
    operations=(
        pages.PARAMETERS,
        *SUBMISSIONS,
        Call(
            name="upload",
            shape=_ENVELOPE,
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
            patch=jobs.upload_patch,
            upstream_path=jobs.upstream_path("/mj/submit/upload-discord-images"),
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
        Local(
            name="list-by-condition",
            method="POST",
            path="/mj/task/list-by-condition",
            aliases=("/mj/task/list-by-ids",),
            upstream_template="/mj/task/list-by-condition",
            rows=(22,),
            summary=Text("Get tasks by their ids", "根据ID列表查询任务"),
            body=bodies.ListBody,
            example={"ids": [_TASK]},
            example_answer=_LISTED,
            answer=list_by_ids,
        ),
        _list("list", Text("List the latest tasks", "查询最近任务"), list_latest),
        _list("queue", Text("List open tasks", "查询进行中的任务"), list_open),
        Call(
            name="image-seed",
            shape=_ENVELOPE,
            method="GET",
            path="/mj/task/{id}/image-seed",
            upstream_template="/mj/task/{id}/image-seed",
            rows=(24,),
            summary=Text("Get the seed of a task's picture", "获取任务图片的seed"),
            media="none",
            example_answer={"code": 1, "description": "成功", "result": "636646138"},
            model=lambda request: "mj_imagine",
            upstream_path=jobs.upstream_path("/mj/task/{id}/image-seed"),
            origin=Origin(ids=_ids, check=must_be_done),
            free=True,
        ),
        Call(
            name="cancel",
            shape=_ENVELOPE,
            method="POST",
            path="/mj/task/{id}/cancel",
            upstream_template="/mj/task/{id}/cancel",
            summary=Text("Cancel a task", "取消任务"),
            media="none",
            example_answer={"code": 1, "description": "成功", "result": _TASK, "properties": {}},
            model=lambda request: "mj_imagine",
            upstream_path=jobs.upstream_path("/mj/task/{id}/cancel"),
            origin=Origin(ids=_ids, check=must_be_open),
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
