"""Runway's published API: every kind of work is one POST, a task is asked for by its id, DELETE stops or forgets it.

Source: the vendor's SDKs (`runwayml` 3.0, 4.0 and 5.24, `@runwayml/sdk` 4.20) and its pages on errors and outputs.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ..declare import (
    AnyOperation,
    Facts,
    Failure,
    Json,
    Links,
    Local,
    Made,
    ObjectCall,
    ObjectRules,
    Protocol,
    Reason,
    Repeats,
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
from .common import bearer, body_model, iso
from .common.bodies import extended
from .common.jobs import FilePath, JobFormat, number
from .common.operations import Paths, path_id
from .common.paths import get

VERSION = "2024-11-06"
"""Of the vendor's interface: clients that leave the header out, as some front ends do, mean this one."""
AT = Paths(("/runwayml/v1", "/runway/v1"), "/v1")
REPEATS = Repeats(within=10.0, counted="x-stainless-retry-count")
"""The vendor's clients wait half a second, then one."""
CREDIT = 10_000_000
"""10⁻⁹ USD: a credit is one cent."""
USUAL_SECONDS = {"gen3a_turbo": 10, "gen4_turbo": 10, "veo3": 8, "veo3.1": 8, "veo3.1_fast": 8}
"""What a film lasts where the body does not say."""
RELAYS_NAMES = ("gen3", "gen4", "gen3a", "europa")
"""Names of models that other formats of this vendor's use."""

# Bodies ------------------------------------------------------------------------------------------------------------

Words: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]
Uri: TypeAlias = Annotated[str, Meta(min_length=1)]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=60)]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the gateway must know of every body; other fields pass through."""

    model: str


class Reference(msgspec.Struct):
    """A picture and where in the film it stands."""

    uri: Uri


FilmBody = extended(
    Body, "FilmBody", promptText=Words | None, ratio=str | None, duration=Seconds | None, audio=bool | None
)
ImageToVideoBody = extended(FilmBody, "ImageToVideoBody", promptImage=Uri | list[Reference])
TextToVideoBody = extended(FilmBody, "TextToVideoBody", promptText=Words, ratio=str)
VideoToVideoBody = extended(Body, "VideoToVideoBody", videoUri=Uri, promptText=Words | None)
UpscaleBody = extended(Body, "UpscaleBody", videoUri=Uri)
PerformanceBody = extended(Body, "PerformanceBody", character=dict[str, Any], reference=dict[str, Any])
PictureBody = extended(Body, "PictureBody", promptText=Words, ratio=str)
SoundBody = extended(Body, "SoundBody", promptText=Words, duration=float | None)


class UploadBody(msgspec.Struct):
    """A file that will be uploaded."""

    filename: Annotated[str, Meta(min_length=1)]
    type: str = "ephemeral"


def uploads(request: Request[Any]) -> Sequence[str]:
    """Return the uploads that a body names, wherever it does."""
    if b"runway://" not in request.raw:
        return ()
    return list(dict.fromkeys(_uploads(msgspec.json.decode(request.raw))))


def _uploads(value: Json) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("runway://"):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _uploads(item)


# Prices ------------------------------------------------------------------------------------------------------------


def todays(name: str, request: Request[Body]) -> str:
    """Return the vendor's model of today that is likest to one of another name."""
    if name not in RELAYS_NAMES:
        return name
    return "gen4.5" if getattr(request.body, "promptImage", None) is None else "gen4_turbo"


def own_model(request: Request[Body]) -> str:
    """Return under what work is priced: as the vendor names its model."""
    return todays(request.body.model, request)


def estimate(request: Request[Any]) -> Usage:
    """Seconds of film, where the body says how many or the model knows."""
    body = request.body
    seconds = float(getattr(body, "duration", None) or USUAL_SECONDS.get(body.model, 10))
    params = {"audio": "off" if getattr(body, "audio", None) is False else "on"}
    return Usage(calls=1, seconds=seconds, params=params, basis="estimated")


def pictures(request: Request[Any]) -> Usage:
    """One picture, by its size."""
    sides = [int(side) for side in request.body.ratio.replace("x", ":").split(":") if side.isdecimal()]
    size = "1080p" if min(sides, default=720) > 960 else "720p"
    return Usage(images=1, params={"resolution": size}, basis="estimated")


def spoken(request: Request[Any]) -> Usage:
    """Characters that are spoken."""
    return Usage(calls=1, characters=len(request.body.promptText), basis="estimated")


def used(job: Json, task: Task) -> Usage | None:
    """Return what was asked for, at the price in credits that the vendor says it took."""
    credits = number(get(job, "cost.credits"))
    if credits is None or not 0 <= credits < 1e6:
        return None
    return msgspec.structs.replace(task.estimate, cost=round(credits * CREDIT), basis="vendor")


def patch(request: Request[Body], facts: Facts) -> dict[str, Any]:
    """Name the model as the vendor does today."""
    name = todays(facts.model, request)
    return {} if name == request.body.model else {"model": name}


# Tasks -------------------------------------------------------------------------------------------------------------

STATES = {
    "PENDING": State.QUEUED,
    "THROTTLED": State.QUEUED,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "CANCELLED": State.CANCELLED,
}
JOBS = JobFormat(
    id="id",
    code="error",
    good=(None,),
    account=("You do not have enough credits to run this task.",),
    answer_facts={"estimatedCost": "estimatedCost"},
    poll="/v1/tasks/{id}",
    states=STATES,
    progress="progress",
    whole=1.0,
    error=("failure",),
    usage=used,
    show=lambda task, links: show(task, links),
    interval=5.0,
    timeout=7200.0,
)
STOPPED = {"status": "FAILED", "failure": "The task was cancelled", "failureCode": "CANCELLED"}
"""How a task is told of that was stopped: where it reads CANCELLED, the vendor's Python client waits on for long."""
ROLES = {"text_to_image": "image", "sound_effect": "audio", "text_to_speech": "audio"}
"""What the files of a kind of work are, where they are no films."""


def jobs_of(task: Task) -> JobFormat:
    """Return the format of a task."""
    role = ROLES.get(task.operation.rpartition(".")[2], "video")
    return dataclasses.replace(JOBS, files=(FilePath("output[]", role),))


def show(task: Task, links: Links) -> Json:
    """Return a task where the vendor has told nothing of it."""
    shown = {**jobs_of(task).own_answer(task, links), "createdAt": iso(task.submitted_at)}
    if task.state is State.FAILED:
        shown["failureCode"] = "INTERNAL"
    if not task.state.final and "estimatedCost" in task.facts:
        shown["estimatedCost"] = task.facts["estimatedCost"]
    return shown


def render(task: Task, links: Links) -> Reply:
    """Answer with a task as the vendor would, but for one that was stopped."""
    shown = jobs_of(task).shown(task, links)
    return Reply({**shown, **STOPPED} if task.state is State.CANCELLED else shown)


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission: its id, and what the vendor says that it will cost."""
    return Reply({"id": task.id, **{name: cost for name, cost in task.facts.items() if name == "estimatedCost"}})


def discard(task: Task) -> UpstreamCall:
    """Have the vendor stop a task, or forget one that has ended."""
    return UpstreamCall(f"/v1/tasks/{task.upstream_id}", "DELETE")


def _work(kind: str, en: str, zh: str, body: type[Any], example: Mapping[str, Json], **odd: Any) -> Submit[Any]:
    jobs = dataclasses.replace(JOBS, files=(FilePath("output[]", ROLES.get(kind, "video")),))
    own: dict[str, Any] = {"submitted": submitted, "render": render, "discard": discard, "cancel": discard}
    job = jobs.job(lambda: str(uuid.uuid4()), **own)
    usual: dict[str, Any] = {"model": body_model, "price": own_model, "estimate": estimate, "patch": patch}
    usual["repeats"] = REPEATS
    return AT.submit(kind, Text(en, zh), body=body, example=example, job=job, uses=uploads, **(usual | odd))


FOX, IMAGE, CLIP = "A fox in snow", "https://example.com/fox.png", "https://example.com/fox.mp4"
ID = "17f20503-6c24-4c16-946b-35dbbce2af2f"
FILM: dict[str, Json] = {"promptText": FOX, "ratio": "1280:720", "duration": 5}
SUBMISSIONS = (
    _work(
        "image_to_video",
        "Image to video",
        "图生视频",
        ImageToVideoBody,
        {"model": "gen4_turbo", "promptImage": IMAGE, **FILM},
    ),
    _work("text_to_video", "Text to video", "文生视频", TextToVideoBody, {"model": "gen4.5", **FILM}),
    _work(
        "video_to_video",
        "Video to video",
        "视频转绘",
        VideoToVideoBody,
        {"model": "gen4_aleph", "videoUri": CLIP, "promptText": "By night", "ratio": "1280:720"},
    ),
    _work("video_upscale", "Upscale a video", "视频超分", UpscaleBody, {"model": "upscale_v1", "videoUri": CLIP}),
    _work(
        "character_performance",
        "Character performance",
        "角色表演",
        PerformanceBody,
        {
            "model": "act_two",
            "character": {"type": "image", "uri": IMAGE},
            "reference": {"type": "video", "uri": CLIP},
            "ratio": "1280:720",
        },
    ),
    _work(
        "text_to_image",
        "Text to image",
        "文生图",
        PictureBody,
        {"model": "gen4_image", "promptText": FOX, "ratio": "1920:1080"},
        estimate=pictures,
    ),
    _work(
        "sound_effect",
        "Sound effect",
        "音效生成",
        SoundBody,
        {"model": "eleven_text_to_sound_v2", "promptText": "Steps in snow", "duration": 4.0},
    ),
    _work(
        "text_to_speech",
        "Text to speech",
        "语音合成",
        SoundBody,
        {
            "model": "eleven_multilingual_v2",
            "promptText": "Hello",
            "voice": {"type": "runway-preset", "presetId": "Maya"},
        },
        estimate=spoken,
    ),
)

# The caller's own --------------------------------------------------------------------------------------------------


def uploaded(request: Request[UploadBody], answer: Json) -> Sequence[Made]:
    """Return the file that an answer tells of: submissions name it."""
    name = get(answer, "runwayUri")
    return [Made(name, "upload")] if isinstance(name, str) else []


async def deleted(view: View[Any]) -> Reply:
    """Stop a task that is under way; forget one that has ended."""
    name = path_id(view.request)
    if not await view.cancel(name):
        await view.forget(name)
    return Reply(b"", 204)


async def organization(view: View[Any]) -> Reply:
    """Tell what the caller's key may spend, in credits."""
    allowance = await view.allowance()
    tier = {"maxMonthlyCreditSpend": (allowance.spent + allowance.available) // CREDIT, "models": {}}
    return Reply({"tier": tier, "creditBalance": allowance.available // CREDIT, "usage": {"models": {}}})


# Errors ------------------------------------------------------------------------------------------------------------


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: a text, and of a body's fault where it is."""
    status = 400 if failure.kind in (Reason.MODERATED, Reason.NO_MODEL) else failure.kind.status
    if failure.param is None:
        return Reply({"error": failure.message}, status)
    where = {"code": "custom", "path": failure.param.split("."), "message": failure.message}
    return Reply({"error": f"{failure.param}: {failure.message}", "issues": [where]}, status)


runwayml = Protocol(
    name="runwayml",
    title=Text("Runway (developer API)", "Runway 官方 API"),
    base_url="https://api.dev.runwayml.com",
    env_key="RUNWAYML_API_SECRET",
    env_base_url="RUNWAYML_BASE_URL",
    models=("gen3*", "gen4*", "veo3*", "aleph2", "act_two", "upscale_v1", "eleven_*", "europa"),
    own_paths=("/runwayml/",),
    authorize=lambda credential: {**bearer(credential), "x-runway-version": VERSION},
    forward_headers=("x-runway-version",),
    error=error,
    channel_fault=JOBS.channel_fault,
    probe=UpstreamCall("/v1/organization"),
    operations=(
        *SUBMISSIONS,
        AT.fetch("tasks/{id}", Text("Get a task", "查询任务"), name="tasks.get"),
        Local(
            name="tasks.delete",
            method="DELETE",
            path="/runwayml/v1/tasks/{id}",
            aliases=("/runway/v1/tasks/{id}",),
            summary=Text("Stop or delete a task", "取消或删除任务"),
            media="none",
            status=204,
            fails=(Reason.NOT_FOUND, Reason.CONFLICT),
            example_params={"id": ID},
            answer=deleted,
        ),
        ObjectCall(
            name="uploads",
            method="POST",
            path="/runwayml/v1/uploads",
            aliases=("/runway/v1/uploads",),
            upstream_template="/v1/uploads",
            summary=Text("Upload a file", "上传文件"),
            body=UploadBody,
            example={"filename": "fox.png", "type": "ephemeral"},
            example_answer={"uploadUrl": "https://…", "fields": {}, "runwayUri": "runway://…"},
            objects=ObjectRules(makes=uploaded),
        ),
        AT.own(
            "organization",
            Text("What may be spent", "组织信息"),
            example_answer={"tier": {}, "creditBalance": 1000, "usage": {}},
            answer=organization,
        ),
    ),
)
