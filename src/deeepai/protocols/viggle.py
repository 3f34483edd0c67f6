"""Viggle's wire format as relays speak it: a character's picture is animated by a video or a template of the vendor's.

Pictures and videos go to a library first, or come with the request. A task's status 0 is its good end.

Source: the relays' documents of 2024 and 2025, their web UI, and clients of the vendor's web API. What creates from
files in one request, several characters, and what is left have no document: they are made as the rest is.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Meta

from ..declare import (
    DROP,
    Answer,
    AnyOperation,
    AnyRequest,
    Facts,
    Failure,
    Json,
    Local,
    Made,
    ObjectCall,
    ObjectRules,
    Outputs,
    Protocol,
    Reason,
    Reply,
    Request,
    State,
    Submit,
    Task,
    TaskStatus,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from .common import bearer
from .common.errors import with_param
from .common.films import film_seconds
from .common.jobs import FilePath, JobFormat
from .common.lists import asked_for, by_ids
from .common.paths import each, get, of_request

GOOD: dict[str, Json] = {"code": 0, "message": "ok", "ts": "", "reason": ""}
MODELS = {2: "v2", 3: "v2-turbo", 4: "v3-beta"}
"""By `modelInfoID`."""
CREDIT = 10_000_000
"""10⁻⁹ USD: the vendor's price of a credit, which is one started second."""
USUAL_SECONDS = 30.0
"""Held for a task whose video is not in the request."""
FARTHEST = 10_000
"""Things of the library that a list goes back."""
PLACES = {"": "", "pro": "/pro"}
LARGEST = 128 * 1024 * 1024
_IMAGE, _VIDEO, _TASK = (
    "b7a1c9e2-6f1c-4d3f-9a51-0d1f4b1d7a11",
    "0f6cb1d2-3c4d-4e5f-8a61-1d2f3b4c5d6e",
    "7d0f1a2b-3c4d-4e5f-9a51-0d1f4b1d7a11",
)

# Bodies ------------------------------------------------------------------------------------------------------------

Background: TypeAlias = Annotated[int, Meta(ge=0, le=3)]
ModelId: TypeAlias = Annotated[int, Meta(ge=2, le=4)]
Mark: TypeAlias = Annotated[int, Meta(ge=0, le=1)]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every creation may say."""

    templateID: str | None = None
    bgMode: Background | None = None
    modelInfoID: ModelId = 4
    watermark: Mark | None = None
    callback_url: str | None = None


class CreateBody(Body, kw_only=True, omit_defaults=True):
    """A creation from the library."""

    imageID: Annotated[str, Meta(min_length=1)]
    videoID: str | None = None


class UploadBody(Body, kw_only=True, omit_defaults=True):
    """A creation whose picture and video come with it, or by address, or from the library."""

    imageID: str | None = None
    imageURL: str | None = None
    videoID: str | None = None
    videoURL: str | None = None


Ids: TypeAlias = Annotated[list[str], Meta(min_length=1, max_length=10)]


class MultiBody(Body, kw_only=True, omit_defaults=True):
    """A creation with several characters; a form has their ids as a JSON array in a text."""

    imageIDs: Ids | str | None = None
    videoURL: str | None = None


class FeeBody(msgspec.Struct, omit_defaults=True):
    """A creation that is asked for its price."""

    templateID: str | None = None
    videoID: str | None = None


class IdsBody(msgspec.Struct):
    """Tasks to tell of."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=100)]


CHARACTER = ("file:image", "file:file", "imageID", "imageURL")
CHARACTERS = ("file:images", "file:images[]", "imageIDs")
MOTION = ("templateID", "videoID", "file:video", "videoURL")


def given(request: AnyRequest, names: Sequence[str]) -> list[str]:
    """Return those of some fields and files (`file:…`) that a request has, and that are not empty."""
    files = {f"file:{part.name}" for part in request.parts if part.filename is not None}
    return [name for name in names if name in files or of_request(request, f"body.{name}")]


def needs(*choices: Sequence[str]) -> Callable[[AnyRequest], None]:
    """Make the check that a request has one of each."""

    def check(request: AnyRequest) -> None:
        for names in choices:
            # The web UI sends both keys, one of them empty.
            if not given(request, names):
                words = " or ".join(dict.fromkeys(name.removeprefix("file:").removesuffix("[]") for name in names))
                raise Failure(Reason.INVALID, f"one of {words} is required", param=words.partition(" ")[0])
        character_ids(request)

    return check


def character_ids(request: AnyRequest) -> list[str]:
    """Return the ids of the characters' pictures."""
    ids = of_request(request, "body.imageIDs") or []
    if isinstance(ids, str):
        try:
            ids = msgspec.json.decode(ids, type=Ids)
        except msgspec.DecodeError:
            raise Failure(Reason.INVALID, "imageIDs is a JSON array of texts", param="imageIDs") from None
    return ids


def library_ids(request: AnyRequest) -> list[str]:
    """Return the ids of things in the library that a request names."""
    named = [of_request(request, path) for path in ("body.imageID", "body.videoID", "params.imageID")]
    return [str(one) for one in named if one] + character_ids(request)


# Prices ------------------------------------------------------------------------------------------------------------


def model(request: Request[Body]) -> str:
    """Return the model, of which the relays' better class has another price."""
    plan = request.params.get("plan")
    return f"viggle-{plan + '-' if plan else ''}{MODELS[request.body.modelInfoID]}"


def estimate(request: Request[Body]) -> Usage:
    """Return the seconds that a task will probably have: at most five minutes are taken."""
    films = [film_seconds(part) for part in request.parts if part.name == "video"]
    return usage(min(300.0, films[0]) if films and films[0] else USUAL_SECONDS, "estimated")


def usage(seconds: float, basis: Any) -> Usage:
    """Return started seconds."""
    return Usage(calls=1, seconds=float(max(1, math.ceil(seconds))), basis=basis)


def used(job: Json, task: Task) -> Usage | None:
    """Return the seconds that a finished film has."""
    seconds = get(job, "videoDuration")
    return usage(seconds, "vendor") if isinstance(seconds, int | float) and 0 < seconds < 1e5 else None


# Tasks -------------------------------------------------------------------------------------------------------------

WORDS = {State.SUCCEEDED: 0, State.QUEUED: 1, State.FAILED: 3, State.CANCELLED: 3}
"""Only 0 is documented."""

JOBS = JobFormat(
    id="data.taskID",
    code="code",
    body="data",
    states={"0": State.SUCCEEDED, "1": State.QUEUED, "2": State.RUNNING, "3": State.FAILED},
    error=("reason",),
    files=(FilePath("result", "video"), FilePath("resultCover", "cover", optional=True)),
    hidden=("image.url", "video.url", "video.coverURL"),
    usage=used,
    show=lambda task, links: JOBS.own_answer(task, links),
    written={"data.taskID": lambda task: task.id, "data.status": lambda task: WORDS.get(task.state, 2)},
    beside={
        **GOOD,
        "data.mqType": 0,
        "data.reason": lambda task: task.error or "",
        "data.result": lambda task: DROP if task.results else "",
        "data.createdAt": lambda task: moment(task.submitted_at),
    },
    hook="callback_url",
    hook_id="data.taskID",
    hook_body="data",
    interval=2.0,
)


def moment(milliseconds: int) -> str:
    """Return a time as the vendor writes it."""
    return dt.datetime.fromtimestamp(milliseconds // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at(path: str) -> Callable[[AnyRequest, Facts], str]:
    """Make what finds an upstream path: below the class that the caller's path names."""

    def find(request: AnyRequest, facts: Facts) -> str:
        names = {name: quote(word, safe="") for name, word in request.params.items()}
        return PLACES[request.params.get("plan", "")] + path.format_map(names)

    return find


def ask(task: Task) -> UpstreamCall:
    """Ask for a task: of several ids relays read the first."""
    path = f"{PLACES[task.params.get('plan', '')]}/viggle/video-task/by-ids"
    return UpstreamCall(path, "POST", json={"ids": [task.upstream_id]})


def read(answer: Answer, task: Task) -> TaskStatus:
    """Read the one task of a list."""
    said = answer.json()
    job = get(said, "data[0]")
    if isinstance(job, dict):
        if job.get("status") == 0 and not job.get("result"):
            # Said of a task that is under way by clients of the web API, who wait for the file.
            job = {**job, "status": 2}
        said = {**said, "data": {"reason": said.get("reason") or said.get("message"), **job}}
    elif answer.status == 200 and get(said, "code") == 0 and isinstance(get(said, "data"), list):
        return TaskStatus(State.NOT_FOUND, None)
    return JOBS.read(Answer(answer.status, answer.headers, msgspec.json.encode(said)), task)


def submitted(task: Task, links: Any) -> Reply:
    """Answer a submission."""
    return Reply({**GOOD, "data": {"taskID": task.id, "mqType": 0}})


def _create(name: str, path: str, summary: Text, body: type[Any], check: Any, **more: Any) -> Submit[Any]:
    usual: dict[str, Any] = {"media": "either", "max_body": LARGEST}
    return Submit(
        name=name,
        method="POST",
        path=path,
        upstream_template=path,
        upstream_path=at(path),
        summary=summary,
        body=body,
        check=check,
        job=JOBS.job(lambda: str(uuid.uuid4()), poll=ask, read=read, submitted=submitted),
        model=model,
        estimate=estimate,
        patch=JOBS.patch,
        uses=library_ids,
        **(usual | more),
    )


ASKED: dict[str, Json] = {"imageID": _IMAGE, "templateID": "", "videoID": _VIDEO, "bgMode": 2, "modelInfoID": 4}
BY_ADDRESS: dict[str, Json] = {"imageURL": "https://example.com/a.png", "videoURL": "https://example.com/dance.mp4"}
ONE = {"image": False, "file": False, "video": False}
SUBMISSIONS = (
    _create(
        "video-task",
        "/viggle/video-task",
        Text("Create from the library", "素材库生成视频"),
        CreateBody,
        needs(("templateID", "videoID")),
        media="json",
        example=ASKED | {"watermark": 1},
    ),
    _create(
        "mix",
        "/viggle/mix/video-task",
        Text("Put a character into a video", "Mix上传视频并生成视频"),
        UploadBody,
        needs(CHARACTER, MOTION),
        files=ONE,
        rows=(145,),
        example=BY_ADDRESS,
    ),
    _create(
        "move",
        "/viggle/move/video-task",
        Text("Animate a picture by a video", "Move上传视频并生成视频"),
        UploadBody,
        needs(CHARACTER, MOTION),
        files=ONE,
        rows=(153,),
        example=BY_ADDRESS,
    ),
    _create(
        "multi",
        "/viggle/multi/video-task",
        Text("Put several characters into a video", "Multi上传视频并生成视频"),
        MultiBody,
        needs(CHARACTERS, MOTION),
        files={"images": False, "video": False},
        rows=(152,),
        example={"imageIDs": [_IMAGE, _VIDEO], "videoURL": "https://example.com/dance.mp4"},
    ),
)

# The library -------------------------------------------------------------------------------------------------------


KEPT = ("data.url", "data.coverURL")


def made(kind: str) -> Callable[[AnyRequest, Json], Sequence[Made]]:
    """Make what finds the thing that an upload's answer tells of."""

    def find(request: AnyRequest, value: Json) -> Sequence[Made]:
        told = get(value, "data")
        if get(value, "code") != 0 or not isinstance(told, dict) or not isinstance(told.get("id"), str):
            return ()
        return (Made(told["id"], kind, facts={key: word for key, word in told.items() if isinstance(word, str | int)}),)

    return find


def _upload(kind: str, path: str, summary: Text, rows: tuple[int, ...], example: Json, name: str = "") -> AnyOperation:
    return ObjectCall(
        name=name or f"asset.{kind}",
        method="POST",
        path=path,
        upstream_template=path,
        upstream_path=at(path),
        summary=summary,
        media="multipart",
        files={"file": True},
        max_body=LARGEST,
        check=needs(("file:file",)),
        rows=rows,
        objects=ObjectRules(uses=library_ids, makes=made(kind), missing=unknown),
        outputs=Outputs(of=lambda value: [str(url) for path in KEPT for url in each(value, path)]),
        example_params={"imageID": _IMAGE},
        example_answer={**GOOD, "data": example},
    )


def unknown(request: AnyRequest, name: str) -> Failure:
    """Say that something is not in the caller's library."""
    return Failure(Reason.NOT_FOUND, f"'{name}' is not in your library", param="imageID")


def _library(kind: str, summary: Text) -> AnyOperation:
    async def answer(view: View[Any]) -> Reply:
        size = asked_for(view, "pageSize", 48, (1, 100))
        page = asked_for(view, "page", 1, (1, FARTHEST // size))
        found = await view.objects(kind, page * size)
        return Reply({**GOOD, "data": [dict(one.facts) for one in found[(page - 1) * size :]]})

    return Local(
        name=f"asset.{kind}.list",
        method="GET",
        path=f"/viggle/asset/{kind}",
        summary=summary,
        media="none",
        query=("page", "pageSize"),
        example_params={"page": "1", "pageSize": "48"},
        example_answer={**GOOD, "data": []},
        answer=answer,
    )


def _forwarded(
    name: str, path: str, summary: Text, told: Json, *row: int, query: str = "", **more: Any
) -> AnyOperation:
    usual: dict[str, Any] = {"method": "GET", "media": "none", "objects": ObjectRules()}
    shown = dict(pair.split("=") for pair in query.split("&") if pair)
    return ObjectCall(
        name=name,
        path=path,
        upstream_template=path,
        upstream_path=at(path),
        summary=summary,
        rows=row,
        query=tuple(shown),
        example_params=shown,
        example_answer={**GOOD, "data": told},
        **(usual | more),
    )


# The caller's own --------------------------------------------------------------------------------------------------


async def tasks(view: View[IdsBody]) -> Reply:
    """Tell of several tasks."""
    found = await by_ids(view, view.request.body.ids)
    return Reply({**GOOD, "data": [get(JOBS.shown(task, view.links), "data") for task in found]})


async def credits_left(view: View[Any]) -> Reply:
    """Tell what the caller's key may spend, in credits."""
    allowance = await view.allowance()
    balance = allowance.available / CREDIT
    of_plan: Mapping[str, Json] = {"freeCredits": 0, "planCredits": balance, "purchasedCredits": 0}
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Reply({**GOOD, "data": {"balance": balance, "updated_at": now, **of_plan}})


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as both kinds of client read it: the web UI's `error.message`, the envelope's `reason`."""
    said = with_param(failure)
    told = {"message": said, "type": failure.kind.word, "param": failure.param, "code": failure.code}
    envelope = {"code": failure.kind.status, "message": said, "ts": "", "reason": said, "data": None}
    return Reply({**envelope, "error": told}, failure.kind.status)


_PICTURE: dict[str, Json] = {"id": _IMAGE, "name": "a.png", "url": "https://…", "width": 768, "height": 1024}
_FILM: dict[str, Json] = {"id": _VIDEO, "name": "d.mp4", "url": "https://…", "coverURL": "https://…"}
_PAGE = "page=1&pageSize=48"
_TEMPLATE: dict[str, Json] = {"id": "1", "processedURL": "https://…", "description": "A dance"}

viggle = Protocol(
    name="viggle",
    title=Text("Viggle", "Viggle(开发中)"),
    base_url="http://127.0.0.1:3002",
    env_key="VIGGLE_KEY",
    env_base_url="VIGGLE_SERVER",
    models=("viggle-*",),
    prefixes={"": {}, "/pro": {"plan": "pro"}},
    own_paths=("/viggle/", "/pro/viggle/"),
    authorize=bearer,
    error=error,
    channel_fault=JOBS.channel_fault,
    probe=UpstreamCall("/viggle/template2/tag"),
    operations=(
        *SUBMISSIONS,
        Local(
            name="tasks",
            method="POST",
            path="/viggle/video-task/by-ids",
            summary=Text("Get tasks", "查询视频任务"),
            rows=(146,),
            body=IdsBody,
            example={"ids": [_TASK]},
            example_answer={**GOOD, "data": [{"taskID": _TASK, "status": 0, "result": "https://…"}]},
            answer=tasks,
        ),
        _upload("image", "/viggle/asset/image", Text("Upload a picture", "Mix上传图片素材库"), (150,), _PICTURE),
        _upload("video", "/viggle/asset/video", Text("Upload a video", "上传视频素材库"), (), _FILM),
        _upload(
            "video",
            "/viggle/asset/video/{imageID}",
            Text("Upload a video for a picture", "Mix上传视频素材库"),
            (149,),
            _FILM,
            "asset.video.of-image",
        ),
        _library("image", Text("List the library's pictures", "图片素材库列表")),
        _library("video", Text("List the library's videos", "视频素材库列表")),
        _forwarded(
            "template2",
            "/viggle/template2",
            Text("List templates", "Mix官方模板列表"),
            [_TEMPLATE],
            148,
            query=f"{_PAGE}&searchKeyword=&tagID=1&type=0",
        ),
        _forwarded(
            "template2.tag",
            "/viggle/template2/tag",
            Text("List the tags of templates", "模板标签"),
            [{"id": "1", "name": "Dance", "sort": 1}],
        ),
        _forwarded(
            "multi.template",
            "/viggle/multi/template",
            Text("List templates for several characters", "Multi模板列表"),
            [{**_TEMPLATE, "segments": [{"uuid": "1", "type": "human"}]}],
            147,
            query=_PAGE,
        ),
        _forwarded(
            "fee",
            "/viggle/video-task/credit/calculate",
            Text("Ask what a task costs", "计算积分"),
            1,
            method="POST",
            media="json",
            body=FeeBody,
            example={"templateID": "1"},
            objects=ObjectRules(uses=library_ids, missing=unknown),
        ),
        Local(
            name="credits",
            method="GET",
            path="/viggle/credits",
            summary=Text("What is left", "剩余积分查询"),
            rows=(151,),
            media="none",
            example_answer={**GOOD, "data": {"balance": 100.0, "updated_at": "2026-09-01T08:00:00Z"}},
            answer=credits_left,
        ),
    ),
)
