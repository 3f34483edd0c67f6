"""Videos: OpenAI's operations, and the address that relays have for every model's videos."""

from __future__ import annotations

from typing import Any

from ...declare import (
    AnyRequest,
    Facts,
    Failure,
    Fetch,
    Json,
    Links,
    Local,
    Origin,
    Reason,
    Repeats,
    Reply,
    Request,
    State,
    Submit,
    Task,
    Text,
    Usage,
    View,
)
from ..common import body_model
from .common import optional_model_patch
from .object_calls import page, window
from .video_tasks import (
    PREFIX,
    VARIANTS,
    VIDEO_JOB,
    EditBody,
    ExtensionBody,
    RemixBody,
    UnifiedBody,
    VideoBody,
    check_seconds,
    check_unified,
    estimate,
    known,
    length_usage,
    model,
    numbered,
    path_of,
    property_of,
    sora_body,
    unified,
    video,
)


def render_video(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer with OpenAI's video object, however the video was asked for."""
    return Reply(video(task))


def render_unified(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Answer in the relays' form, however the video was asked for."""
    return Reply(unified(task, links))


def content(request: AnyRequest, task: Task, links: Links) -> Reply:
    """Send a video's file, or one of the pictures of it."""
    variant = request.query.get("variant") or "video"
    if variant not in VARIANTS:
        raise Failure(Reason.INVALID, f"'variant' is one of {', '.join(VARIANTS)}", param="variant")
    if task.state is not State.SUCCEEDED:
        raise Failure(
            Reason.NOT_FOUND, "Video is not ready yet, use GET /v1/videos/{video_id} to check status", param="video_id"
        )
    role, kind = VARIANTS[variant]
    number = numbered(task, role)
    if number is None:
        raise Failure(Reason.NOT_FOUND, f"The video has no {variant}", param="variant")
    return Reply(content_type=kind, asset=str(number))


def named(request: AnyRequest) -> str:
    """Return the video that the path names."""
    return _known(request.params["video_id"])


def _known(name: str) -> str:
    if not name.startswith(PREFIX):
        raise Failure(Reason.NOT_FOUND, f"Task '{name[:64]}' was not found", code="task_not_found")
    return name


# Follow-ups --------------------------------------------------------------------------------------------------------


def check_source(request: AnyRequest, origin: Task) -> None:
    """Refuse to work on a video that is not there yet."""
    if origin.state is not State.SUCCEEDED:
        raise Failure(Reason.INVALID, "The video is not completed", param="video_id")


def inherit(request: Request[RemixBody | EditBody], origin: Task) -> tuple[str, Usage]:
    """Take model, length and size from the video that this one follows; an extension has a length of its own."""
    seconds, size = property_of(origin, "seconds"), known(origin, origin.snapshot, "size")
    if isinstance(request.body, ExtensionBody):
        seconds = request.body.seconds
    return origin.model, length_usage(seconds, size, told=False)


def source(request: Request[EditBody]) -> str:
    """Return the video that a body names."""
    name = (request.body.video or {}).get("id")
    if request.parts:
        name = next((part.text for part in request.parts if part.name == "video[id]"), None)
    if not isinstance(name, str) or not name:
        raise Failure(Reason.INVALID, "'video' names a video by its 'id'", param="video", code="missing")
    return _known(name)


def source_patch(request: Request[EditBody], facts: Facts) -> dict[str, Any]:
    """Name the video as the upstream does."""
    assert facts.origin is not None
    name = facts.origin.upstream_id
    return {"video[id]": name} if request.parts else {"video": {**(request.body.video or {}), "id": name}}


def remix_path(request: AnyRequest, facts: Facts) -> str:
    """Name the video as the upstream does."""
    assert facts.origin is not None
    return f"{path_of(facts.origin)}/remix"


# The caller's own --------------------------------------------------------------------------------------------------

_SUBMITTING = ("videos.create", "videos.remix", "videos.edits", "videos.extensions", "video.generations")


async def list_videos(view: View[object]) -> Reply:
    """List the caller's videos."""
    tasks, has_more = await view.page(_SUBMITTING, window(view.request))
    return Reply(page([video(task) for task in tasks], has_more))


async def delete_video(view: View[object]) -> Reply:
    """Delete a video and its files."""
    name = named(view.request)
    await view.forget(name)
    return Reply({"id": name, "object": "video.deleted", "deleted": True})


_ID = "video_68d7512d07848190b3e45da0ecbebcde004da08e1e0678d5"
_PARAMS = {"video_id": _ID}
_VIDEO: dict[str, Json] = {
    "id": _ID,
    "object": "video",
    "model": "sora-2",
    "status": "completed",
    "progress": 100,
    "created_at": 1760000000,
    "completed_at": 1760000060,
    "expires_at": None,
    "prompt": "A cat in a spacesuit walks on the moon",
    "seconds": "8",
    "size": "1280x720",
    "remixed_from_video_id": None,
    "error": None,
}

_MODELS = ("sora-*",)
_REPEATS = Repeats(within=10.0, counted="x-stainless-retry-count")
"""The SDKs wait eight seconds at most between two of their tries."""

OPERATIONS = (
    Submit(
        name="videos.create",
        endpoint_type="openai-video",
        models=_MODELS,
        repeats=_REPEATS,
        method="POST",
        path="/v1/videos",
        upstream_template="/videos",
        summary=Text("Create a video", "创建视频"),
        job=VIDEO_JOB,
        body=VideoBody,
        media="either",
        files={"input_reference": False},
        check=check_seconds,
        example={
            "model": "sora-2",
            "prompt": "A cat in a spacesuit walks on the moon",
            "seconds": "8",
            "size": "1280x720",
        },
        model=model,
        estimate=estimate,
        patch=optional_model_patch,
        max_body=128 * 1024 * 1024,
    ),
    Local(
        name="videos.list",
        method="GET",
        fails=(Reason.NOT_FOUND,),
        path="/v1/videos",
        summary=Text("List your videos", "列出视频"),
        media="none",
        query=("limit", "order", "after"),
        example_params={"limit": "20", "order": "desc", "after": _ID},
        example_answer={"object": "list", "data": [_VIDEO], "first_id": _ID, "last_id": _ID, "has_more": False},
        answer=list_videos,
    ),
    Fetch(
        name="videos.get",
        method="GET",
        path="/v1/videos/{video_id}",
        upstream_template="/videos/{video_id}",
        summary=Text("Get a video's state", "查询视频任务"),
        media="none",
        example_params=_PARAMS,
        task=named,
        render=render_video,
    ),
    Fetch(
        name="videos.content",
        method="GET",
        path="/v1/videos/{video_id}/content",
        upstream_template="/videos/{video_id}/content",
        summary=Text("Download a video", "下载视频"),
        media="none",
        query=("variant",),
        answers=("video/mp4", "image/webp", "image/jpeg"),
        example_params={**_PARAMS, "variant": "video"},
        task=named,
        render=content,
    ),
    Local(
        name="videos.delete",
        method="DELETE",
        path="/v1/videos/{video_id}",
        summary=Text("Delete a video", "删除视频"),
        media="none",
        example_params=_PARAMS,
        example_answer={"id": _ID, "object": "video.deleted", "deleted": True},
        answer=delete_video,
    ),
    Submit(
        name="videos.remix",
        models=_MODELS,
        repeats=_REPEATS,
        method="POST",
        path="/v1/videos/{video_id}/remix",
        upstream_template="/videos/{video_id}/remix",
        summary=Text("Remix a video", "混合视频"),
        job=VIDEO_JOB,
        body=RemixBody,
        media="either",
        example={"prompt": "The same cat, now on Mars"},
        example_params=_PARAMS,
        origin=Origin(ids=lambda request: (named(request),), check=check_source),
        inherit=inherit,
        upstream_path=remix_path,
    ),
    Submit(
        name="videos.edits",
        models=_MODELS,
        repeats=_REPEATS,
        method="POST",
        path="/v1/videos/edits",
        upstream_template="/videos/edits",
        summary=Text("Edit a video", "编辑视频"),
        job=VIDEO_JOB,
        body=EditBody,
        media="either",
        example={"prompt": "The same, in black and white", "video": {"id": _ID}},
        origin=Origin(ids=lambda request: (source(request),), check=check_source),
        inherit=inherit,
        patch=source_patch,
    ),
    Submit(
        name="videos.extensions",
        models=_MODELS,
        repeats=_REPEATS,
        method="POST",
        path="/v1/videos/extensions",
        upstream_template="/videos/extensions",
        summary=Text("Extend a video", "延长视频"),
        job=VIDEO_JOB,
        body=ExtensionBody,
        media="either",
        check=check_seconds,
        example={"prompt": "The cat finds a flag", "seconds": "8", "video": {"id": _ID}},
        origin=Origin(ids=lambda request: (source(request),), check=check_source),
        inherit=inherit,
        patch=source_patch,
    ),
    Submit(
        name="video.generations",
        models=_MODELS,
        method="POST",
        path="/v1/video/generations",
        upstream_template="/videos",
        summary=Text("Create a video (relays' form)", "创建视频生成任务"),
        job=VIDEO_JOB,
        body=UnifiedBody,
        check=check_unified,
        example={
            "model": "sora-2",
            "prompt": "A cat in a spacesuit walks on the moon",
            "duration": 8,
            "width": 1280,
            "height": 720,
        },
        model=body_model,
        estimate=estimate,
        patch=sora_body,
    ),
    Fetch(
        name="video.generations.get",
        method="GET",
        path="/v1/video/generations/{video_id}",
        upstream_template="/videos/{video_id}",
        summary=Text("Get a video's state (relays' form)", "获取视频生成任务状态"),
        media="none",
        example_params=_PARAMS,
        task=named,
        render=render_unified,
    ),
)
