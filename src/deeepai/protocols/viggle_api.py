"""Viggle's official API: a render by files, addresses, or what was prepared before (characters, scenes).

Source: the vendor's pages on renders, characters, scenes, credits and errors (2026).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    Answer,
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Failure,
    Json,
    Local,
    Made,
    ObjectCall,
    ObjectRules,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from .common import bearer, body_model
from .common.bodies import Flag, renamed, together
from .common.films import film_seconds
from .common.jobs import FilePath, JobFormat
from .common.operations import Paths, path_id
from .common.paths import get, of_request

AT = Paths(("/viggle/api",), "/api")
CREDIT = 10_000_000
"""10⁻⁹ USD: the price of a credit, which is one started second."""
LONGEST, USUAL_SECONDS = 300.0, 10.0
"""Seconds: that a driving video may have, and that are taken where it is not in the request."""
LARGEST = 128 * 1024 * 1024
CODES = {"ref_image": "CS-ORIV-001", "driving_video": "CS-ORIV-002"}
"""Of errors, by the field that is missing."""
_ID = "0f6cb1d2-3c4d-4e5f-8a61-1d2f3b4c5d6e"

# Bodies ------------------------------------------------------------------------------------------------------------

Background: TypeAlias = Annotated[str, Meta(pattern="^(original|solid|transparent|inpaint)$")]
Colour: TypeAlias = Annotated[str, Meta(pattern="^[0-9]{1,3},[0-9]{1,3},[0-9]{1,3}$")]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]


class RenderBody(msgspec.Struct, omit_defaults=True):
    """A render."""

    ref_image_url: str | None = None
    driving_video_url: str | None = None
    character_id: str | None = None
    scene_id: str | None = None
    character_mapping: str | None = None
    model: str = "V4_Preview"
    background_mode: Background = "original"
    bg_color: Colour | None = None
    fast: Flag | None = None


class CharacterBody(msgspec.Struct, omit_defaults=True):
    """A character to prepare."""

    name: Name
    image_url: str | None = None


class SceneBody(msgspec.Struct, omit_defaults=True):
    """A scene to prepare."""

    name: Name
    video_url: str | None = None
    background_mode: Background = "original"
    model: str = "V4_Preview"


class ImportBody(msgspec.Struct, omit_defaults=True):
    """A template to make a scene of."""

    name: Name
    template_id: str | None = None
    template_uuid: str | None = None


def has(request: AnyRequest, name: str) -> bool:
    """Tell whether a request has a file, or the address of one."""
    return any(part.name == name and part.filename is not None for part in request.parts) or bool(
        of_request(request, f"body.{name}_url")
    )


def mapping(request: AnyRequest) -> Mapping[str, str]:
    """Return the characters by the person in the scene."""
    text = of_request(request, "body.character_mapping")
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else {}
    except msgspec.DecodeError:
        message = "character_mapping is a JSON object of texts"
        raise Failure(Reason.INVALID, message, param="character_mapping") from None


def check_render(request: Request[RenderBody]) -> None:
    """Judge what goes with what: files with files, what was prepared with what was prepared."""
    body = request.body
    mapped = mapping(request)
    if mapped and not body.scene_id:
        raise Failure(Reason.INVALID, "character_mapping needs a scene_id", param="scene_id")
    if not (has(request, "ref_image") or body.character_id or mapped):
        raise Failure(Reason.INVALID, "ref_image or character_id is required", param="ref_image")
    if not (has(request, "driving_video") or body.scene_id):
        raise Failure(Reason.INVALID, "driving_video or scene_id is required", param="driving_video")
    if bool(body.character_id or mapped) != bool(body.scene_id):
        raise Failure(Reason.INVALID, "character_id and scene_id go together", param="character_id")
    if body.bg_color is not None and body.background_mode != "solid":
        raise Failure(Reason.INVALID, "bg_color needs background_mode solid", param="bg_color")
    if fast(request) and not (body.scene_id or any(part.name == "driving_video" for part in request.parts)):
        raise Failure(Reason.INVALID, "fast needs an uploaded driving_video or a scene_id", param="fast")


def needs(name: str) -> Callable[[AnyRequest], None]:
    """Make the check that a request has a file or its address."""

    def check(request: AnyRequest) -> None:
        if not has(request, name):
            raise Failure(Reason.INVALID, f"{name} or {name}_url is required", param=name)

    return check


def check_import(request: Request[ImportBody]) -> None:
    """Judge that a template is named."""
    if not (request.body.template_id or request.body.template_uuid):
        raise Failure(Reason.INVALID, "template_id is required", param="template_id")


def prepared(request: AnyRequest) -> list[str]:
    """Return the ids of characters and scenes that a request names."""
    named = [of_request(request, f"body.{name}") for name in ("character_id", "scene_id")]
    return [str(one) for one in named if one] + list(mapping(request).values())


# Prices ------------------------------------------------------------------------------------------------------------


def fast(request: Request[RenderBody]) -> bool:
    """Tell whether twice the speed is wanted."""
    return request.body.fast in (True, "true")


def estimate(request: Request[RenderBody]) -> Usage:
    """Return the seconds of a render: those of the driving video, for no answer tells them."""
    films = [film_seconds(part) for part in request.parts if part.name == "driving_video"]
    seconds = min(LONGEST, films[0]) if films and films[0] else USUAL_SECONDS
    params = {"fast": str(fast(request)).lower()}
    return Usage(calls=1, seconds=float(-(-seconds // 1)), params=params, basis="estimated")


def reserved(request: AnyRequest, answer: Answer) -> Usage:
    """Return the credits that an import takes."""
    credits = get(answer.json(), "credits_reserved")
    cost = round(credits * CREDIT) if isinstance(credits, int | float) and 0 < credits < 1e6 else None
    return Usage(calls=1, cost=cost, basis="call" if cost is None else "vendor")


# Renders -----------------------------------------------------------------------------------------------------------

JOBS = JobFormat(
    id="job_id",
    states={
        "queued": State.QUEUED,
        "processing": State.RUNNING,
        "rendering": State.RUNNING,
        "merging": State.RUNNING,
        "complete": State.SUCCEEDED,
        "failed": State.FAILED,
        "cancelled": State.CANCELLED,
    },
    poll="/api/render/{id}",
    progress="progress_pct",
    error=("error_message",),
    files=(FilePath("cdn_url", "video"), FilePath("mask_cdn_url", "mask", optional=True)),
    show=lambda task, links: JOBS.own_answer(task, links),
    beside={
        "mode": "full_pipeline",
        "progress_pct": lambda task: 100 if task.state is State.SUCCEEDED else task.progress or 0,
        "error_code": lambda task: "failed" if task.state is State.FAILED else None,
        "error_message": lambda task: task.error,
        "chunks": [],
        "created_at": lambda task: moment(task.submitted_at),
        "completed_at": lambda task: moment(task.finished_at) if task.finished_at else None,
    },
    interval=3.0,
)


def moment(milliseconds: int) -> str:
    """Return a time as the vendor writes it."""
    return dt.datetime.fromtimestamp(milliseconds // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def submitted(task: Task, links: Any) -> Reply:
    """Answer a submission."""
    shown = {"job_id": task.id, "status": "queued", "mode": "full_pipeline"}
    return Reply({**shown, "enqueued_at": moment(task.submitted_at)})


async def cancel(view: View[Any]) -> Reply:
    """Stop a render that has not ended; what was held for it comes back."""
    name = path_id(view.request)
    await view.cancel(name)
    (task,) = await view.tasks([name]) or [None]
    if task is None:
        raise Failure(Reason.NOT_FOUND, f"No such render: '{name[:128]}'", param="job_id")
    return Reply(JOBS.shown(task, view.links))


# What is prepared --------------------------------------------------------------------------------------------------


def made(kind: str, *names: str) -> Callable[[AnyRequest, Json], Sequence[Made]]:
    """Make what finds the character or scene that an answer tells of."""

    def find(request: AnyRequest, value: Json) -> Sequence[Made]:
        ids = [get(value, name) for name in names]
        return [Made(one, kind) for one in ids if isinstance(one, str)][:1]

    return find


def unknown(request: AnyRequest, name: str) -> Failure:
    """Say that something is not the caller's."""
    return Failure(Reason.NOT_FOUND, f"'{name}' is not one of your characters or scenes")


def _prepared(kind: str, summary: Text, method: str, example: Json) -> AnyOperation:
    ends: Any = (lambda request: [path_id(request)]) if method == "DELETE" else None
    return ObjectCall(
        name=f"{kind}s.{'delete' if method == 'DELETE' else 'get'}",
        method=method,
        path=f"/viggle/api/{kind}s/{{id}}",
        upstream_template=f"/api/{kind}s/{{id}}",
        summary=summary,
        media="none",
        objects=ObjectRules(uses=lambda request: [path_id(request)], ends=ends, missing=unknown),
        example_params={"id": _ID},
        example_answer=example,
    )


async def credits_left(view: View[Any]) -> Reply:
    """Tell what the caller's key may spend, in credits."""
    allowance = await view.allowance()
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Reply({"balance": allowance.available / CREDIT, "updated_at": now})


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does; where it names no code, by our own word."""
    code = {Reason.UNAUTHENTICATED: "CS-ORAU-002", Reason.UNFUNDED: "CS-ORCR-001"}.get(failure.kind)
    code = code or CODES.get(failure.param or "") or failure.code or failure.kind.word
    action = f"Look at {failure.param}" if failure.param else "Try again" if failure.kind.status >= 500 else ""
    return Reply({"detail": {"error_code": code, "message": failure.message, "action": action}}, failure.kind.status)


_CHARACTER: dict[str, Json] = {"character_id": _ID, "job_id": _ID, "status": "pending"}
_SCENE: dict[str, Json] = {"scene_id": _ID, "job_id": _ID, "status": "pending"}

viggle_api = Protocol(
    name="viggle_api",
    title=Text("Viggle's official API", "Viggle官方API"),
    base_url="https://apis.viggle.ai",
    env_key="VIGGLE_API_KEY",
    models=("V4_Preview", "V3_Preview", "viggle-character", "viggle-scene"),
    own_paths=("/viggle/api/",),
    authorize=bearer,
    error=error,
    channel_fault=lambda answer: answer.status in (401, 402),
    probe=UpstreamCall("/api/credits"),
    operations=(
        Submit(
            name="render",
            method="POST",
            path="/viggle/api/render",
            upstream_template="/api/render",
            summary=Text("Animate a character", "生成视频(官方API)"),
            body=RenderBody,
            media="multipart",
            files={"ref_image": False, "driving_video": False},
            max_body=LARGEST,
            check=check_render,
            example={"ref_image_url": "https://example.com/a.png", "driving_video_url": "https://example.com/d.mp4"},
            job=JOBS.job(
                lambda: str(uuid.uuid4()),
                submitted=submitted,
                cancel=lambda task: UpstreamCall(f"/api/render/{task.upstream_id}", "DELETE"),
            ),
            model=body_model,
            estimate=estimate,
            patch=together(JOBS.patch, renamed("model")),
            uses=prepared,
        ),
        AT.fetch("render/{id}", Text("Get a render", "查询任务(官方API)"), name="render.get"),
        Local(
            name="render.cancel",
            method="DELETE",
            path="/viggle/api/render/{id}",
            summary=Text("Stop a render", "取消任务(官方API)"),
            media="none",
            fails=(Reason.NOT_FOUND, Reason.CONFLICT),
            example_params={"id": _ID},
            example_answer={"job_id": _ID, "status": "cancelled"},
            answer=cancel,
        ),
        Call(
            name="characters.preprocess",
            method="POST",
            path="/viggle/api/characters/preprocess",
            upstream_template="/api/characters/preprocess",
            summary=Text("Prepare a character", "预处理角色(官方API)"),
            body=CharacterBody,
            media="multipart",
            files={"image": False},
            check=needs("image"),
            example={"name": "Ann", "image_url": "https://example.com/a.png"},
            example_answer=_CHARACTER,
            model=lambda request: "viggle-character",
            shape=AnswerShape(fields=("character_id",)),
            objects=ObjectRules(makes=made("character", "character_id")),
        ),
        ObjectCall(
            name="scenes.preprocess",
            method="POST",
            path="/viggle/api/scenes/preprocess",
            upstream_template="/api/scenes/preprocess",
            summary=Text("Prepare a scene", "预处理场景(官方API)"),
            body=SceneBody,
            media="multipart",
            files={"video": False},
            max_body=LARGEST,
            check=needs("video"),
            example={"name": "A dance", "video_url": "https://example.com/d.mp4"},
            example_answer=_SCENE,
            model=body_model,
            patch=renamed("model"),
            objects=ObjectRules(makes=made("scene", "scene_id")),
        ),
        Call(
            name="scenes.import",
            method="POST",
            path="/viggle/api/scenes/import",
            upstream_template="/api/scenes/import",
            summary=Text("Make a scene of a template", "导入模板场景(官方API)"),
            body=ImportBody,
            check=check_import,
            example={"name": "A dance", "template_id": "1"},
            example_answer={"id": _ID, "status": "pending", "credits_reserved": 15, "segments": []},
            model=lambda request: "viggle-scene",
            shape=AnswerShape(fields=("id", "scene_id")),
            usage=reserved,
            objects=ObjectRules(makes=made("scene", "id", "scene_id")),
        ),
        _prepared("character", Text("Get a character", "查询角色(官方API)"), "GET", _CHARACTER),
        _prepared("character", Text("Delete a character", "删除角色(官方API)"), "DELETE", _CHARACTER),
        _prepared("scene", Text("Get a scene", "查询场景(官方API)"), "GET", _SCENE),
        _prepared("scene", Text("Delete a scene", "删除场景(官方API)"), "DELETE", _SCENE),
        AT.own(
            "credits",
            Text("What is left", "剩余积分(官方API)"),
            example_answer={"balance": 100, "updated_at": "2026-09-01T08:00:00Z"},
            answer=credits_left,
        ),
    ),
)
