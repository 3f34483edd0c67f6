"""Luma's published API of its Dream Machine: a POST makes a generation, a GET tells of it.

Source: the vendor's SDKs (`lumaai` 1.0 to 1.21), its pages on errors, and its client for ComfyUI.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

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
    Links,
    Local,
    Origin,
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
from .common import bearer, iso
from .common.bodies import extended, model_under, together
from .common.jobs import FilePath, JobFormat, kept
from .common.lists import asked_for, part
from .common.operations import Paths, path_id

AT = Paths(("/dream-machine/v1", "/luma/dream-machine/v1"))
CENT = 10_000_000
"""10⁻⁹ USD."""
RELAYS_NAMES = {"ray-v1": "ray-2", "ray-v1-pro": "ray-2", "ray-v2": "ray-2", "ray-v2-pro": "ray-2", "ray-1-6": "ray-2"}
"""Names of models that relays use or that are gone, each with the vendor's of today."""
CONCEPTS = (
    *("truck_left", "pan_right", "pedestal_down", "low_angle", "pedestal_up", "selfie", "pan_left", "roll_right"),
    *("zoom_in", "over_the_shoulder", "orbit_right", "orbit_left", "static", "tiny_planet", "high_angle", "bolt_cam"),
    *("dolly_zoom", "overhead", "zoom_out", "handheld", "roll_left", "pov", "aerial_drone", "push_in", "crane_down"),
    *("truck_right", "tilt_down", "elevator_doors", "tilt_up", "ground_level", "pull_out", "aerial", "crane_up"),
    "eye_level",
)
REPEATS = Repeats(within=10.0, counted="x-stainless-retry-count")
"""The vendor's clients wait half a second, then one."""
LONGEST_WAIT = 300.0
"""Seconds for which a picture is waited for."""

# Bodies ------------------------------------------------------------------------------------------------------------

Prompt: TypeAlias = Annotated[str, Meta(max_length=5000)]


class Frame(msgspec.Struct):
    """A keyframe: a picture, or another generation."""

    type: Literal["image", "generation"]
    url: str | None = None
    id: str | None = None


class Keyframes(msgspec.Struct):
    """How a film begins and ends."""

    frame0: Frame | None = None
    frame1: Frame | None = None


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the gateway must know of every body; other fields pass through."""

    callback_url: str | None = None
    prompt: Prompt | None = None


class FilmBody(Body, kw_only=True, omit_defaults=True):
    """Body of a film, as older versions have it."""

    model: str | None = None
    duration: str | None = None
    resolution: str | None = None
    loop: bool | None = None
    keyframes: Keyframes | None = None


class ImageBody(Body, kw_only=True, omit_defaults=True):
    """Body of a picture."""

    model: str
    sync: bool | None = None
    sync_timeout: Annotated[float, Meta(ge=0)] | None = None


VideoBody = extended(FilmBody, "VideoBody", model=str)
ModifyBody = extended(Body, "ModifyBody", model=str, media=dict[str, Any], mode=str)
ReframeBody = extended(Body, "ReframeBody", model=str, media=dict[str, Any], aspect_ratio=str)
UpscaleBody = extended(Body, "UpscaleBody", resolution=str | None)


def check_film(request: Request[FilmBody]) -> None:
    """Refuse a film of nothing, and a loop that has an end already."""
    body, frames = request.body, frames_of(request.body)
    if body.duration not in (None, "5s", "9s"):
        raise Failure(Reason.INVALID, "Input should be '5s' or '9s'", param="duration")
    if body.prompt is None and not frames:
        raise Failure(Reason.INVALID, "Prompt is required")
    if body.prompt is not None and len(body.prompt) < 3:
        raise Failure(Reason.INVALID, "Prompt is too short, minimum length is 3 characters")
    if body.loop and body.keyframes is not None and body.keyframes.frame1 is not None:
        raise Failure(Reason.INVALID, "Loop is not supported for end frame")


def frames_of(body: FilmBody) -> list[Frame]:
    """Return the keyframes that a body has."""
    return [] if body.keyframes is None else list(filter(None, (body.keyframes.frame0, body.keyframes.frame1)))


# Prices ------------------------------------------------------------------------------------------------------------


def model(request: Request[Any]) -> str:
    """Return the model; a body of an older version may name none."""
    return model_under("model", default="ray-1-6")(request)


def own_model(request: Request[Any]) -> str:
    """Return under what a film is priced: as the vendor names its model."""
    name = model(request)
    return RELAYS_NAMES.get(name, name)


def estimate(request: Request[FilmBody]) -> Usage:
    """One film, by what its price depends on."""
    params = {"duration": request.body.duration or "5s", "resolution": request.body.resolution or "720p"}
    return Usage(calls=1, seconds=float(params["duration"][:-1]), params=params, basis="estimated")


# Follow-ups --------------------------------------------------------------------------------------------------------


def generations(request: Request[FilmBody]) -> Sequence[str]:
    """Return the generations that a film goes on from, or leads to."""
    return [frame.id or "" for frame in frames_of(request.body) if frame.type == "generation"]


def must_be_done(request: AnyRequest, origin: Task) -> None:
    """Refuse to go on from what is not there."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, f"Generation {origin.id} is not completed")


def keyframes_patch(request: Request[FilmBody], facts: Facts) -> dict[str, Any]:
    """Name generations as the upstream does."""
    if not facts.named:
        return {}
    frames = msgspec.json.decode(request.raw)["keyframes"]
    renamed = {
        name: {**frame, "id": facts.named[frame["id"]]} if frame and frame.get("id") in facts.named else frame
        for name, frame in frames.items()
    }
    return {"keyframes": renamed}


def model_patch(request: Request[Any], facts: Facts) -> dict[str, Any]:
    """Name the model as the vendor does today."""
    name = RELAYS_NAMES.get(facts.model, facts.model)
    return {"model": name} if name != request.body.model else {}


def inherit(request: Request[Body], origin: Task) -> tuple[str, Usage]:
    """What is made of a film counts as work of the model that made it; its price is its own."""
    resolution = getattr(request.body, "resolution", None) or "1080p"
    return origin.model, Usage(calls=1, params={"resolution": resolution}, basis="estimated")


# Tasks -------------------------------------------------------------------------------------------------------------

FILMS = JobFormat(
    id="id",
    elsewhere=(401, 402, 403, 429, 503),
    code="detail",
    good=(None,),
    account=("Insufficient credits", "Insufficient credit"),
    poll="/generations/{id}",
    status="state",
    states={
        "queued": State.QUEUED,
        "dreaming": State.RUNNING,
        "completed": State.SUCCEEDED,
        "failed": State.FAILED,
    },
    error=("failure_reason",),
    files=(
        FilePath("assets.video", "video"),
        FilePath("assets.image", "cover", optional=True),
        FilePath("assets.progress_video", "progress", optional=True),
    ),
    show=lambda task, links: show(task, links),
    keep=("prompt", "callback_url", "keyframes.frame0.id", "keyframes.frame1.id"),
    written={
        "model": lambda task: task.model,
        "request.model": lambda task: task.model,
        "request.callback_url": kept("callback_url"),
        "request.keyframes.frame0.id": kept("keyframes.frame0.id"),
        "request.keyframes.frame1.id": kept("keyframes.frame1.id"),
    },
    hook="callback_url",
    hook_id="id",
    hook_each_change=True,
    interval=3.0,
    timeout=7200.0,
)
PICTURES = dataclasses.replace(FILMS, files=(FilePath("assets.image", "image"),))
_OF_PICTURES = ("dream_machine.generations.image", "dream_machine.generations.image.reframe")


def show(task: Task, links: Links) -> Json:
    """Return a generation where the vendor has told nothing of it."""
    jobs, kind = (PICTURES, "image") if task.operation in _OF_PICTURES else (FILMS, "video")
    own = dataclasses.replace(jobs, written={}).own_answer(task, links)
    request = {"prompt": (task.request or {}).get("prompt"), "model": task.model}
    told = {"failure_reason": None, "assets": None, **own, "generation_type": kind, "model": task.model}
    return {**told, "created_at": iso(task.submitted_at), "request": request}


def jobs_of(task: Task) -> JobFormat:
    """Return the format of a task."""
    return PICTURES if task.operation in _OF_PICTURES else FILMS


FOX, ID = "A fox in snow", "d290f1ee-6c54-4b01-90e6-d701748f0851"
CLIP = {"url": "https://example.com/fox.mp4"}
MODIFY = {
    "generation_type": "modify_video",
    "model": "ray-2",
    "mode": "flex_1",
    "media": CLIP,
    "prompt": "As a drawing",
}


def _generation(rest: str, en: str, zh: str, body: type[Any], example: Mapping[str, Json], **odd: Any) -> Submit[Any]:
    jobs = PICTURES if "/image" in rest else FILMS
    job = jobs.job(lambda: str(uuid.uuid4()), submitted=lambda task, links: Reply(show(task, links), 201))
    usual: dict[str, Any] = {"model": model, "price": own_model, "patch": together(jobs.patch, model_patch)}
    usual["repeats"] = REPEATS
    return AT.submit(rest, Text(en, zh), body=body, example=example, job=job, **(usual | odd))


def _film(rest: str, en: str, zh: str, body: type[Any]) -> Submit[Any]:
    return _generation(
        rest,
        en,
        zh,
        body,
        {"model": "ray-2", "prompt": FOX, "duration": "5s", "resolution": "720p"},
        estimate=estimate,
        check=check_film,
        origin=Origin(ids=generations, check=must_be_done),
        patch=together(FILMS.patch, model_patch, keyframes_patch),
    )


def _follow_up(kind: str, en: str, zh: str, body: type[Any], example: Mapping[str, Json], price: str) -> Submit[Any]:
    return _generation(
        f"generations/{{id}}/{kind}",
        en,
        zh,
        body,
        example,
        name=f"generations.{kind}",
        model=None,
        price=lambda request: price,
        inherit=inherit,
        origin=Origin(ids=lambda request: (path_id(request),), check=must_be_done),
        patch=FILMS.patch,
        upstream_path=lambda request, facts: f"/generations/{facts.named[path_id(request)]}/{kind}",
    )


def sync_patch(request: Request[ImageBody], facts: Facts) -> dict[str, Any]:
    """Let the vendor answer at once: it is the gateway that waits."""
    return {name: DROP for name in ("sync", "sync_timeout") if getattr(request.body, name) is not None}


def sync(request: Request[ImageBody]) -> float:
    """Return how long a picture is waited for."""
    told = request.body.sync_timeout
    return (60.0 if told is None else min(told, LONGEST_WAIT)) if request.body.sync else 0.0


SUBMISSIONS = (
    _film("generations/video", "Make a video", "生成视频", VideoBody),
    _film("generations", "Make a video (older path)", "生成视频(旧版路径)", FilmBody),
    _generation(
        "generations/video/modify",
        "Modify a video",
        "修改视频",
        ModifyBody,
        MODIFY,
        price=lambda request: f"{own_model(request)}-modify",
    ),
    _generation(
        "generations/video/reframe",
        "Reframe a video",
        "视频重构画幅",
        ReframeBody,
        {"generation_type": "reframe_video", "model": "ray-2", "aspect_ratio": "9:16", "media": CLIP},
        price=lambda request: f"{own_model(request)}-reframe",
    ),
    _generation(
        "generations/image",
        "Make an image",
        "生成图像",
        ImageBody,
        {"model": "photon-1", "prompt": FOX, "aspect_ratio": "16:9"},
        estimate=lambda request: Usage(images=1, basis="estimated"),
        patch=together(PICTURES.patch, model_patch, sync_patch),
        wait=sync,
    ),
    _generation(
        "generations/image/reframe",
        "Reframe an image",
        "图像重构画幅",
        ReframeBody,
        {
            "generation_type": "reframe_image",
            "model": "photon-1",
            "aspect_ratio": "9:16",
            "media": {"url": "https://example.com/fox.png"},
        },
        estimate=lambda request: Usage(images=1, basis="estimated"),
    ),
    _follow_up("audio", "Add sound", "添加音频", Body, {"prompt": "Wind and steps in snow"}, "luma-add-audio"),
    _follow_up("upscale", "Upscale a video", "视频超分", UpscaleBody, {"resolution": "1080p"}, "luma-upscale"),
)

# The caller's own --------------------------------------------------------------------------------------------------


async def listed(view: View[Any]) -> Reply:
    """List the caller's generations, the newest first."""
    limit, offset = asked_for(view, "limit", 100, (0, 100)), asked_for(view, "offset", 0, (0, 10_000))
    tasks, more = await part(view, [submission.name for submission in SUBMISSIONS], offset, limit)
    shown = [jobs_of(task).shown(task, view.links) for task in tasks]
    return Reply({"generations": shown, "count": len(shown), "has_more": more, "limit": limit, "offset": offset})


async def deleted(view: View[Any]) -> Reply:
    """Forget a generation, here and at the vendor."""
    await view.forget(path_id(view.request))
    return Reply(b"", 204)


async def credits(view: View[Any]) -> Reply:
    """Tell the caller's own balance, in cents."""
    available, _, _ = await view.balance()
    return Reply({"credit_balance": available / CENT})


async def concepts(view: View[Any]) -> Reply:
    """List how a camera may move."""
    return Reply(list(CONCEPTS))


async def pong(view: View[Any]) -> Reply:
    """Answer that there is somebody."""
    return Reply({"message": "pong"})


# Errors ------------------------------------------------------------------------------------------------------------


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure as the vendor does: FastAPI's list where a field is at fault, else a text."""
    if failure.kind is Reason.INVALID and failure.param is not None:
        where = ["body", *failure.param.split(".")]
        fault = {"type": "value_error", "loc": where, "msg": failure.message, "input": ""}
        return Reply({"detail": [fault]}, 422)
    status = 400 if failure.kind is Reason.MODERATED else failure.kind.status
    return Reply({"detail": failure.message}, status)


def channel_fault(answer: Answer) -> bool:
    """Bad key, or no credit."""
    return answer.status == 402 or FILMS.channel_fault(answer)


dream_machine = Protocol(
    name="dream_machine",
    title=Text("Luma (Dream Machine API)", "Luma 官方 API"),
    base_url="https://api.lumalabs.ai/dream-machine/v1",
    env_key="LUMAAI_API_KEY",
    env_base_url="LUMAAI_BASE_URL",
    models=("ray-*", "photon-*"),
    own_paths=tuple(f"{place}/" for place in AT.gateway),
    authorize=bearer,
    error=error,
    channel_fault=channel_fault,
    probe=UpstreamCall("/credits"),
    operations=(
        *SUBMISSIONS,
        AT.own(
            "generations",
            Text("List generations", "任务列表"),
            name="generations.list",
            query={"limit": "10", "offset": "0"},
            example_answer={"generations": [], "count": 0, "has_more": False, "limit": 10, "offset": 0},
            answer=listed,
        ),
        AT.fetch("generations/{id}", Text("Get a generation", "查询任务"), name="generations.get"),
        Local(
            name="generations.delete",
            method="DELETE",
            path=f"{AT.gateway[0]}/generations/{{id}}",
            aliases=(f"{AT.gateway[1]}/generations/{{id}}",),
            summary=Text("Delete a generation", "删除任务"),
            media="none",
            status=204,
            fails=(Reason.NOT_FOUND, Reason.CONFLICT),
            example_params={"id": ID},
            answer=deleted,
        ),
        AT.own(
            ["generations/concepts/list", "generations/camera_motion/list"],
            Text("List concepts", "镜头运动列表"),
            name="concepts",
            example_answer=["dolly_zoom"],
            answer=concepts,
        ),
        AT.own("credits", Text("Credits left", "余额查询"), example_answer={"credit_balance": 1234.0}, answer=credits),
        AT.own("ping", Text("Ping", "连通性检查"), example_answer={"message": "pong"}, answer=pong),
    ),
)
