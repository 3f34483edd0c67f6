"""Pixverse's own API: a POST for each way to make a film, pictures and sounds by upload, one address for results.

Source: docs.platform.pixverse.ai (2025 and 2026), and the vendor's MCP server 0.2.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlencode

import msgspec

from ...declare import (
    Callback,
    Facts,
    Failure,
    HookMessage,
    Json,
    Links,
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
from ..common import digits
from ..common.bodies import SentAs, extended, one_of, origin_under, retyped, together
from ..common.jobs import FilePath, JobFormat
from ..common.operations import Paths
from ..common.paths import each, get, is_id
from .common import ACCOUNT, CREDIT, ELSEWHERE, GOOD, consumed, done, error, named, renamed, used, when, whole_id

AT = Paths(("/pixverse/openapi/v2", "/openapi/v2"), "/openapi/v2")
"""At the root, too: the vendor's client drops what stands before it in an address."""
WEBHOOK_NONCE = 16
"""Bytes, of two digits each."""

# Bodies ------------------------------------------------------------------------------------------------------------


Id: TypeAlias = Annotated[int | str, SentAs(whole_id)]
Ids: TypeAlias = Annotated[list[int | str], SentAs(lambda ids: [whole_id(name) for name in ids])]


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the gateway must know of every body; all other fields pass through."""

    callback_url: str | None = None
    model: str | None = None
    img_id: Id | None = None
    img_ids: Ids | None = None
    source_video_id: Id | None = None
    video_media_id: Id | None = None
    audio_media_id: Id | None = None
    template_id: Id | None = None
    lip_sync_tts_content: str | None = None
    prompt: str | None = None
    duration: int | None = None
    quality: str | None = None
    motion_mode: str | None = None
    sound_effect_switch: bool | None = None


class Reference(msgspec.Struct):
    """A picture that a prompt refers to."""

    img_id: int | str


FilmBody = extended(Body, "FilmBody", prompt=str, model=str, duration=int, quality=str)
TransitionBody = extended(FilmBody, "TransitionBody", first_frame_img=Id, last_frame_img=Id)
FusionBody = extended(FilmBody, "FusionBody", image_references=list[Reference])
SoundBody = extended(Body, "SoundBody", sound_effect_content=str)
UPLOADS = ("img_id", "first_frame_img", "last_frame_img", "video_media_id", "audio_media_id")


def uploads(request: Request[Body]) -> Sequence[str]:
    """Return the ids of the uploads that a body names."""
    body = request.body
    names: list[Json] = [getattr(body, name, None) for name in UPLOADS] + (body.img_ids or [])
    names += [reference.img_id for reference in getattr(body, "image_references", ())]
    return [str(name) for name in names if name and is_id(name)]


# Prices ------------------------------------------------------------------------------------------------------------

WORD_BYTES = 15
"""Bytes of a text that are spoken for one price."""


def estimate(request: Request[Body]) -> Usage:
    """Return what a film consumes."""
    body = request.body
    return consumed(body.quality, body.duration or 5.0, body.motion_mode, sound=bool(body.sound_effect_switch))


def spoken(request: Request[Body]) -> Usage:
    """Return what lips that move consume: by the text, or by the length of the sound, which nobody tells."""
    text = (request.body.lip_sync_tts_content or "").encode()
    characters = -(-len(text) // WORD_BYTES) * WORD_BYTES
    return Usage(characters=characters, seconds=0.0 if text else 5.0, basis="estimated")


# Tasks -------------------------------------------------------------------------------------------------------------


def follow(request: Request[Body], facts: Facts) -> dict[str, Any]:
    """Name the film that is gone on from as the vendor does."""
    origin = facts.origin
    return {} if origin is None else {"source_video_id": whole_id(origin.upstream_id or "")}


def trace(request: Request[Any], facts: Facts) -> Mapping[str, str]:
    """Return the vendor's name of the request: it makes nothing for one that it has seen before."""
    return {"ai-trace-id": str(uuid.uuid5(uuid.NAMESPACE_OID, facts.reference))}


def ask(task: Task) -> UpstreamCall:
    """Ask for a task, by a name that nothing was asked by."""
    return replace(JOBS.ask(task), headers={"ai-trace-id": str(uuid.uuid4())})


CODES = {State.SUCCEEDED: 1, State.FAILED: 8, State.CANCELLED: 8}
BLANK: dict[str, Json] = {
    **dict.fromkeys(("negative_prompt", "style", "url"), ""),
    **dict.fromkeys(("seed", "size", "resolution_ratio", "outputWidth", "outputHeight"), 0),
    "has_audio": False,
}


def show(task: Task, links: Links) -> Json:
    """Return a task as the vendor would show it, out of what the gateway itself knows."""
    told = {
        **BLANK,
        **{name: value for name, value in (task.request or {}).items() if value is not None},
        "id": whole_id(task.id),
        "status": CODES.get(task.state, 5),
        "create_time": when(task.submitted_at),
        "modify_time": when(task.finished_at or task.started_at or task.submitted_at),
    }
    videos = JOBS.links(task, links).get("video")
    return {**GOOD, "Resp": told | ({"url": videos[0]} if videos else {})}


def submitted(task: Task, links: Links) -> Reply:
    """Answer a submission: with the id, and the credits where the vendor told them."""
    credits = task.facts.get("credits")
    return Reply({**GOOD, "Resp": {"video_id": whole_id(task.id)} | ({} if credits is None else {"credits": credits})})


def hook_message(task: Task, links: Links) -> HookMessage:
    """Build the vendor's callback, in which the id is a text."""
    told = get(JOBS.shown(task, links), "Resp")
    credits = task.facts.get("credits")
    body = {name: told.get(name, BLANK[name]) for name in ("url", "size", "has_audio")}
    return HookMessage(
        {"id": task.id, "status": told["status"], **body} | ({} if credits is None else {"credits": credits})
    )


def sign(callback: Callback) -> Mapping[str, str]:
    """Sign a callback as the vendor does: over its fields in the form of a query, by their names."""
    fields = sorted(msgspec.json.decode(callback.body).items())
    words = [(name, value if isinstance(value, str) else msgspec.json.encode(value).decode()) for name, value in fields]
    nonce = secrets.token_hex(WEBHOOK_NONCE)
    signed = f"{callback.now}\n{nonce}\n{urlencode(words)}".encode()
    digest = hmac.new(callback.secret.encode(), signed, hashlib.sha256).digest()
    return {
        "webhook-timestamp": str(callback.now),
        "webhook-nonce": nonce,
        "webhook-signature": base64.b64encode(digest).decode(),
        "ai-trace-id": str(uuid.uuid4()),
    }


JOBS = JobFormat(
    id="Resp.video_id",
    code="ErrCode",
    gone=(500008,),
    elsewhere_codes=ELSEWHERE,
    account=ACCOUNT,
    answer_facts={"credits": "Resp.credits"},
    poll="/openapi/v2/video/result/{id}",
    body="Resp",
    # 6, which clients take for an end, is of a film that was deleted.
    states={"5": State.RUNNING, "1": State.SUCCEEDED, "6": State.NOT_FOUND, "7": State.FAILED, "8": State.FAILED},
    files=(FilePath("url", "video"),),
    late=True,
    hidden=("customer_paths[]", "customer_paths[][]"),
    usage=used,
    keep=("prompt", "negative_prompt", "seed", "style"),
    show=show,
    hook="callback_url",
    hook_id="id",
    interval=4.0,
)
JOB = JOBS.job(lambda: digits(15), poll=ask, submitted=submitted, hook_message=hook_message)
ORIGIN = origin_under("source_video_id", check=done)
SOURCES = one_of("source_video_id", "video_media_id")
PICTURES = one_of("img_id", "img_ids", "template_id")
VERSIONS = ("v3.5", "v4", "v4.5", "v5", "v5.5", "v6", "c1")
WAYS = ("lip-sync", "sound-effect", "multi-transition", "restyle", "swap", "mimic", "modify", "upscale")
"""What names a film's price where no model does."""
VIDEO_ID, IMAGE = "331232157217408", "7041"
CAT = {"prompt": "A cat in a spacesuit", "model": "v5", "duration": 5, "quality": "540p"}
OF_VIDEO: dict[str, Json] = {"source_video_id": VIDEO_ID}


def _make(kind: str, en: str, zh: str, body: type[Any], example: dict[str, Json], **odd: Any) -> Submit[Any]:
    submission = AT.submit(
        f"video/{kind}/generate",
        Text(en, zh),
        body=body,
        name=f"video.{kind}",
        example=example,
        job=JOB,
        model=lambda request: named(request.body.model or kind.replace("_", "-")),
        estimate=odd.pop("estimate", estimate),
        origin=ORIGIN,
        patch=together(JOBS.patch, retyped, follow, renamed),
    )
    # The vendor's client submits up to three times, with four seconds and more between, by another trace id each.
    return replace(submission, uses=uploads, headers=trace, repeats=Repeats(within=12.0), **odd)


SUBMISSIONS = (
    _make("text", "Text to video", "文生视频", FilmBody, {**CAT, "aspect_ratio": "16:9"}),
    _make("img", "Image to video", "图生视频", FilmBody, {**CAT, "img_id": IMAGE}, check=PICTURES),
    _make(
        "transition",
        "First and last frame to video",
        "首尾帧",
        TransitionBody,
        {**CAT, "first_frame_img": IMAGE, "last_frame_img": IMAGE},
    ),
    _make("extend", "Extend a video", "视频延长", FilmBody, CAT | OF_VIDEO, check=SOURCES),
    _make(
        "lip_sync",
        "Lip-sync",
        "对口型",
        Body,
        OF_VIDEO | {"lip_sync_tts_speaker_id": "1", "lip_sync_tts_content": "Hello"},
        estimate=spoken,
        check=SOURCES,
    ),
    _make(
        "sound_effect", "Add sound", "添加音效", SoundBody, {**OF_VIDEO, "sound_effect_content": "Rain"}, check=SOURCES
    ),
    _make(
        "fusion",
        "References to video",
        "多参考生视频",
        FusionBody,
        {**CAT, "prompt": "@cat jumps", "image_references": [{"type": "subject", "img_id": IMAGE, "ref_name": "cat"}]},
    ),
    _make("restyle", "Restyle a video", "风格重绘", Body, OF_VIDEO, check=SOURCES),
    _make("multi_transition", "Several frames to video", "多帧过渡", Body, {"img_ids": [IMAGE, IMAGE]}),
    _make("swap", "Swap a subject", "主体替换", Body, {**OF_VIDEO, "img_id": IMAGE}, check=SOURCES),
    _make("mimic", "Mimic a motion", "动作模仿", Body, {**OF_VIDEO, "img_id": IMAGE}, check=SOURCES),
    _make("modify", "Modify a video", "视频编辑", Body, {**OF_VIDEO, "prompt": "In the rain"}, check=SOURCES),
    _make("upscale", "Upscale a video", "超清", Body, {**OF_VIDEO, "quality": "1080p"}, check=SOURCES),
)

# Uploads -----------------------------------------------------------------------------------------------------------


class ImageBody(msgspec.Struct, omit_defaults=True):
    """Where a picture lies that is not sent."""

    image_url: str | None = None


class MediaBody(msgspec.Struct, omit_defaults=True):
    """Where a film or a sound lies that is not sent."""

    file_url: str | None = None
    media_type: str | None = None


def _upload(kind: str, en: str, zh: str, body: type[Any], file: str, name: str, answer: Json) -> ObjectCall[Any]:
    def check(request: Request[Any]) -> None:
        sent = any(part.name == file and part.filename is not None for part in request.parts)
        if not sent and not getattr(request.body, f"{file}_url"):
            raise Failure(Reason.INVALID, f"{file} or {file}_url is required", param=file)

    def made(request: Request[Any], said: Json) -> Sequence[Made]:
        return [Made(str(name_of), kind) for name_of in each(said, f"Resp.{name}") if is_id(name_of)]

    paths = AT.on_gateway(f"{kind}/upload")
    return ObjectCall(
        name=f"{kind}.upload",
        method="POST",
        path=paths[0],
        aliases=paths[1:],
        upstream_template=f"{AT.vendor}/{kind}/upload",
        summary=Text(en, zh),
        body=body,
        media="form",
        files={file: False},
        check=check,
        headers=trace,
        objects=ObjectRules(makes=made),
        example_answer={**GOOD, "Resp": answer},
    )


TTS_PATHS = AT.on_gateway("video/lip_sync/tts_list")


async def balance(view: View[Any]) -> Reply:
    """Tell what the caller's key may spend, in credits."""
    allowance = await view.allowance()
    account = int.from_bytes(hashlib.sha256(view.account_id.encode()).digest()[:6])
    left = allowance.available // CREDIT
    return Reply({**GOOD, "Resp": {"account_id": account, "credit_monthly": 0, "credit_package": left}})


pixverse_platform = Protocol(
    name="pixverse_platform",
    title=Text("Pixverse", "Pixverse(官方格式)"),
    base_url="https://app-api.pixverse.ai",
    env_key="PIXVERSE_API_KEY",
    env_base_url="PIXVERSE_BASE_URL",
    models=tuple(map(named, (*VERSIONS, *WAYS))),
    key_headers=("api-key",),
    own_paths=tuple(f"{place}/" for place in AT.gateway),
    authorize=lambda credential: {"api-key": credential},
    error=error,
    channel_fault=JOBS.channel_fault,
    sign=sign,
    probe=UpstreamCall("/openapi/v2/account/balance", headers={"ai-trace-id": str(uuid.UUID(int=0))}),
    operations=(
        *SUBMISSIONS,
        AT.fetch("video/result/{id}", Text("Get a task", "查询视频状态"), name="video.result"),
        _upload(
            "image",
            "Upload a picture",
            "上传图片",
            ImageBody,
            "image",
            "img_id",
            {"img_id": 7041, "img_url": "https://…"},
        ),
        _upload(
            "media",
            "Upload a film or a sound",
            "上传视频或音频",
            MediaBody,
            "file",
            "media_id",
            {"media_id": 7042, "media_type": "video", "url": "https://…"},
        ),
        ObjectCall(
            name="video.lip_sync.tts_list",
            method="GET",
            path=TTS_PATHS[0],
            aliases=TTS_PATHS[1:],
            upstream_template=f"{AT.vendor}/video/lip_sync/tts_list",
            summary=Text("List voices", "人声列表"),
            media="none",
            query=("page_num", "page_size"),
            headers=trace,
            objects=ObjectRules(),
            example_params={"page_num": "1", "page_size": "30"},
            example_answer={**GOOD, "Resp": {"total": 1, "data": [{"speaker_id": "1", "name": "Emily"}]}},
        ),
        AT.own(
            "account/balance",
            Text("What may be spent", "账户余额"),
            example_answer={**GOOD, "Resp": {"account_id": 1, "credit_monthly": 0, "credit_package": 1250}},
            answer=balance,
        ),
    ),
)
