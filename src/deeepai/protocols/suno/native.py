"""Suno as its own web has it, which relays call the official format: songs are asked for by the ids of their clips.

Source: relays' documents (2024 to 2026) and the clients that speak it; the vendor has no public interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ...declare import (
    DROP,
    Answer,
    AnswerShape,
    AnyOperation,
    AnyRequest,
    Call,
    Facts,
    Failure,
    Fetch,
    HookMessage,
    Json,
    Links,
    Local,
    Made,
    ObjectRules,
    Origin,
    Outputs,
    Protocol,
    Reason,
    Reply,
    Request,
    Submit,
    Task,
    Text,
    UpstreamCall,
    Usage,
    View,
)
from ..common import bearer
from ..common.bodies import together
from ..common.errors import ErrorTable, no_retry
from ..common.operations import path_id
from ..common.paths import each, get
from .pages import CONTINUING
from .songs import (
    CLIPS,
    FAMILY,
    LYRICS,
    MODELS,
    MOST,
    Concat,
    Lyrics,
    Song,
    action_of,
    as_task,
    check_song,
    cleared,
    clip_of_path,
    dashed,
    followed,
    kept_song,
    moment,
    must_be_done,
    name_clips,
    shown_clips,
    shown_words,
    song_job,
    song_usage,
    theirs,
)
from .uploads import CLIP, OPERATIONS, UPLOAD_FORM, feed

DEFAULT = "chirp-v3-5"
AT_ONCE = 100
FOREIGN = ("task_id", "notify_hook", "seed")
"""Fields of relays and clients that the vendor does not have."""
SONG = {"prompt": "[Verse]\nRain on the tin roof", "title": "Rain on Tin", "tags": "folk, guitar", "mv": DEFAULT}

# Jobs --------------------------------------------------------------------------------------------------------------

FORM = replace(CLIPS, id="clips[].id", poll="/feed/{id}", answer_facts={"clips": "clips"}, hook="notify_hook")


def hook_message(task: Task, links: Links) -> HookMessage:
    """Call back as relays do, with the task."""
    return HookMessage(as_task(task, links))


def _submitted(task: Task, links: Links) -> Reply:
    """Answer as the web does: `complete` means no more than that it was taken."""
    clips = shown_clips(task, links)
    first = clips[0] if clips else {}
    about = {name: first.get(name) for name in ("metadata", "major_model_version")}
    beside = {"status": "complete", "created_at": moment(task), "batch_size": len(clips)}
    return Reply({"id": task.id, "clips": clips, **about, **beside})


def _keep(request: Request[Any]) -> Json:
    song = request.body or Song()
    return kept_song("MUSIC", song, request.raw)


MUSIC = song_job(FORM, feed, submitted=_submitted, render=_submitted, keep=_keep, hook_message=hook_message)
JOINED = song_job(
    replace(FORM, id="id", answer_facts={"clips": ""}),
    feed,
    submitted=lambda task, links: Reply(shown_clips(task, links)[0]),
    keep=lambda request: kept_song("CONCAT", request.body, request.raw),
    hook_message=hook_message,
)
UPLOADED = song_job(
    UPLOAD_FORM,
    feed,
    submitted=lambda task, links: Reply({"code": "success", "message": "", "data": shown_clips(task, links)[0]["id"]}),
    keep=lambda request: kept_song("UPLOAD", request.body, request.raw),
)
WORDS = song_job(
    replace(LYRICS, poll="/lyrics/{id}"),
    lambda said: said if isinstance(said, dict) else None,
    count=0,
    submitted=lambda task, links: Reply({"id": task.id}),
    keep=lambda request: kept_song("LYRICS", request.body, request.raw),
)

# Songs -------------------------------------------------------------------------------------------------------------


def _model(request: Request[Song]) -> str:
    return "suno_stems" if request.body.task == "gen_stem" else "suno_music"


def _patch(request: Request[Song], facts: Facts) -> dict[str, Any]:
    mv = dashed(request.body.mv, DEFAULT)
    changes = {} if mv == request.body.mv else {"mv": mv}
    return changes | {name: DROP for name in FOREIGN if name in _top(request.raw)}


def _top(raw: bytes) -> dict[str, Any]:
    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])


def _stems_of(request: AnyRequest, facts: Facts) -> str:
    return f"/act/stems/{theirs(facts.origin, request.params['clip_id'])}"


class Upload(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of an upload by its address."""

    url: str


SUBMISSIONS: tuple[AnyOperation, ...] = (
    Submit(
        name="generate",
        method="POST",
        path="/suno/v2/generate",
        aliases=("/suno/generate", "/suno/generate/description-mode"),
        upstream_template="/generate",
        rows=(84, 87, 89, 91, 93, 97, 99, 100, 105, 107, 109, 111),
        summary=Text("Generate two songs", "音乐生成(generations)"),
        body=Song,
        max_body=MOST,
        example=SONG,
        check=lambda request: check_song(request.body),
        job=MUSIC,
        model=_model,
        estimate=lambda request: song_usage(request.body, DEFAULT),
        patch=together(name_clips, _patch),
        origin=followed(),
    ),
    Submit(
        name="concat",
        method="POST",
        path="/suno/v2/concat",
        aliases=("/suno/generate/concat",),
        upstream_template="/generate/concat",
        rows=(86, 104),
        summary=Text("Join an extension with what it goes on from", "获取完整音乐(concat)"),
        body=Concat,
        max_body=MOST,
        example={"clip_id": CLIP, "is_infill": False},
        job=JOINED,
        model=lambda request: "suno_concat",
        patch=together(name_clips, cleared("notify_hook")),
        origin=followed(),
    ),
    Submit(
        name="upload",
        method="POST",
        path="/suno/v2/upload",
        aliases=("/suno/uploads/audio-url",),
        upstream_template="/uploads/audio-url",
        rows=(83, 96),
        summary=Text("Make a clip of a sound at an address", "音乐链接转成suno(upload)"),
        body=Upload,
        max_body=MOST,
        example={"url": "https://example.com/song.mp3"},
        job=UPLOADED,
        model=lambda request: "suno_upload",
    ),
    Submit(
        name="lyrics",
        method="POST",
        path="/suno/generate/lyrics",
        upstream_template="/generate/lyrics/",
        summary=Text("Write lyrics", "生成歌词(lyrics)"),
        body=Lyrics,
        max_body=MOST,
        example={"prompt": "A song about rain"},
        job=WORDS,
        model=lambda request: "suno_lyrics",
        patch=cleared("notify_hook"),
    ),
    Submit(
        name="act.stems",
        method="GET",
        path="/suno/act/stems/{clip_id}",
        upstream_template="/act/stems/{clip_id}",
        upstream_path=_stems_of,
        summary=Text("Separate a song into stems", "声曲分离(stems)"),
        media="none",
        job=MUSIC,
        model=lambda request: "suno_stems",
        origin=clip_of_path(),
    ),
)

# Asked for ---------------------------------------------------------------------------------------------------------


async def _feed(view: View[Any]) -> Reply:
    """Answer the caller's own clips in the order of their ids, those of a task by its own id; others are left out."""
    wanted = view.request.params.get("ids") or view.request.query.get("ids") or ""
    names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    if not names:
        raise Failure(Reason.INVALID, "ids is required", param="ids")
    known: dict[str, Sequence[dict[str, Json]]] = {}
    for start in range(0, len(names), AT_ONCE):
        for task in await view.tasks(names[start : start + AT_ONCE]):
            made = shown_clips(task, view.links) if action_of(task) != "LYRICS" else []
            known |= {str(clip["id"]): [clip] for clip in made}
            known.setdefault(task.id, made)
    found = {str(clip["id"]): clip for name in names for clip in known.get(name, ())}
    return Reply(list(found.values()))


def _words(request: AnyRequest, task: Task, links: Links) -> Reply:
    if action_of(task) != "LYRICS":
        raise Failure(Reason.NOT_FOUND, f"There are no lyrics '{task.id}'", code="task_not_found")
    return Reply(shown_words(task))


# Extras ------------------------------------------------------------------------------------------------------------


def _addresses(answer: Json) -> Sequence[str]:
    paths = ("data", "data[]", "wav_file_url", "mp4", "video_url", "url")
    found = [url for path in paths for url in each(answer, path)]
    return [url for url in found if isinstance(url, str) and url.startswith(("http://", "https://"))]


def _act(kind: str, en: str, zh: str, fields: tuple[str, ...], example: Json, *, files: bool = False) -> Call[object]:
    def path(request: AnyRequest, facts: Facts) -> str:
        return f"/act/{kind}/{theirs(facts.origin, request.params['clip_id'])}"

    return Call(
        name=f"act.{kind}",
        method="GET",
        path=f"/suno/act/{kind}/{{clip_id}}",
        upstream_template=f"/act/{kind}/{{clip_id}}",
        upstream_path=path,
        summary=Text(en, zh),
        media="none",
        example_answer=example,
        shape=AnswerShape(fields=fields),
        model=lambda request: f"suno_{kind}",
        usage=_once,
        origin=clip_of_path(),
        outputs=Outputs(of=_addresses) if files else None,
    )


def _once(request: AnyRequest, answer: Answer) -> Usage:
    return Usage(calls=1)


class Tags(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of styles that are to be written out."""

    original_tags: str


class Persona(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of a voice: a clip that has it, and its name."""

    root_clip_id: str
    name: str
    description: str | None = None
    clips: list[str] | None = None


def _persona_patch(request: Request[Persona], facts: Facts) -> dict[str, Any]:
    sent: dict[str, Json] = {"root_clip_id": request.body.root_clip_id, "clips": request.body.clips}
    named = {name: theirs(facts.origin, name) for name in (request.body.root_clip_id, *(request.body.clips or ()))}
    meant = {"root_clip_id": named[request.body.root_clip_id], "clips": [named[name] for name in sent["clips"] or ()]}
    return {name: value for name, value in meant.items() if value and value != sent[name]}


def _persona_made(request: Request[Persona], answer: Json) -> Sequence[Made]:
    found = get(answer, "id") or get(answer, "data.id")
    return [Made(str(found), "persona", request.body.root_clip_id)] if found else []


_SONG_URL = {"code": "success", "message": "", "data": {"wav_file_url": "https://…/song.wav"}}
_WORD = {"word": "Rain", "success": True, "start_s": 1.2, "end_s": 1.5, "p_align": 0.99}
EXTRAS: tuple[AnyOperation, ...] = (
    _act(
        "timing",
        "When each word is sung",
        "歌词时间轴(timing)",
        ("aligned_words", "data"),
        {"aligned_words": [_WORD], "waveform_data": [0.01], "hoot_cer": 0.1, "is_streamed": False},
    ),
    _act("wav", "Get a song as WAV", "获取wav", ("data", "wav_file_url"), _SONG_URL, files=True),
    _act(
        "mp4",
        "Get a song's film",
        "获取mp4",
        ("data", "mp4", "video_url", "url"),
        {"code": "success", "message": "", "data": "https://…/song.mp4"},
        files=True,
    ),
    _act(
        "midi",
        "Get a song's notes",
        "获取midi",
        ("state", "data", "instruments"),
        {"state": "complete", "instruments": []},
    ),
    Call(
        name="act.tags",
        method="POST",
        path="/suno/act/tags",
        upstream_template="/act/tags",
        summary=Text("Write styles out", "扩写风格标签(tags)"),
        body=Tags,
        max_body=MOST,
        example={"original_tags": "folk"},
        example_answer={"upsampled_tags": "warm folk, fingerpicked guitar", "request_id": "b1e7"},
        shape=AnswerShape(fields=("upsampled_tags", "data")),
        model=lambda request: "suno_tags",
        usage=_once,
    ),
    Call(
        name="persona.create",
        method="POST",
        path="/suno/persona/create",
        upstream_template="/persona/create/",
        summary=Text("Make a voice of a clip", "创建歌手风格(persona)"),
        body=Persona,
        max_body=MOST,
        example={"root_clip_id": CLIP, "name": "Rain", "description": "A rough voice", "clips": [CLIP]},
        example_answer={"id": "b1e7", "name": "Rain", "root_clip_id": CLIP, "clip": {}, "persona_clips": []},
        shape=AnswerShape(fields=("id", "data")),
        model=lambda request: "suno_persona",
        usage=_once,
        patch=_persona_patch,
        origin=Origin(
            ids=lambda request: (request.body.root_clip_id, *(request.body.clips or ())),
            check=lambda request, task: must_be_done(task, request.body.root_clip_id),
        ),
        objects=ObjectRules(makes=_persona_made),
    ),
)

# The protocol ------------------------------------------------------------------------------------------------------

_TABLE: ErrorTable[str] = ErrorTable(
    rows={},
    usual={reason.status: reason.word for reason in Reason},
    caller="invalid_request",
    server="upstream_error",
    shape=lambda code, failure, request_id: {
        "error": {
            "message": f"{failure.param}: {failure.message}" if failure.param else failure.message,
            "type": code,
            "code": failure.code or failure.kind.word,
        }
    },
    headers=no_retry,
)


def error(failure: Failure, operation: AnyOperation | None, request_id: str) -> Reply:
    """Answer a failure; a clip or task that is not known is a wrong parameter."""
    reply = _TABLE(failure, operation, request_id)
    return replace(reply, status=400) if failure.code == "task_not_found" else reply


suno = Protocol(
    name="suno",
    title=Text("Suno", "Suno(官方格式)"),
    # No vendor is there for all: where SunoAI-API, which speaks the web's paths, usually listens.
    base_url="http://127.0.0.1:8000",
    env_key="SUNO_KEY",
    env_base_url="SUNO_SERVER",
    models=MODELS,
    family=FAMILY,
    # Beside these, `/suno/` is shared with the task format.
    own_paths=("/suno/v2/", "/suno/uploads/", "/suno/act/", "/suno/guide/", "/sunoapi/"),
    base_paths={"/sunoapi": "/suno"},
    authorize=bearer,
    error=error,
    probe=UpstreamCall("/feed/00000000-0000-4000-8000-000000000000"),
    operations=(
        *SUBMISSIONS,
        Local(
            name="feed",
            method="GET",
            path="/suno/v2/feed",
            aliases=("/suno/feed", "/suno/feed/{ids}", "/suno/v2/feed/{ids}"),
            upstream_template="/feed/{ids}",
            rows=(85, 88, 90, 92, 94, 98, 101, 102, 103, 106, 108, 110, 112),
            summary=Text("Get clips", "查询任务(feed)"),
            media="none",
            query=("ids",),
            example_params={"ids": CLIP},
            example_answer=[{"id": CLIP, "status": "complete", "audio_url": "https://…", "title": "Rain on Tin"}],
            answer=_feed,
        ),
        Fetch(
            name="lyrics.get",
            method="GET",
            path="/suno/lyrics/{id}",
            upstream_template="/lyrics/{id}",
            summary=Text("Get lyrics", "查询歌词(lyrics)"),
            media="none",
            task=path_id,
            render=_words,
        ),
        *OPERATIONS,
        *EXTRAS,
        CONTINUING,
    ),
)
