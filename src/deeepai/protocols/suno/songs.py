"""Suno's songs in every shape: what of a body must be known, what a task says of its clips, and how clips are shown.

A task's snapshot is `{"status", "clips", "fail_reason"}` whoever did it, so that each of the three shapes shows the
tasks of the others. Callers know clips by names: the vendor's ids where it tells them at once, else the gateway's own,
which stand for the vendor's in all that is said of them from then on.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from ...declare import (
    DROP,
    Accepted,
    Answer,
    AnyRequest,
    Child,
    Facts,
    Failure,
    Job,
    Json,
    Links,
    Origin,
    Reason,
    Refused,
    State,
    Task,
    TaskStatus,
    Usage,
)
from ..common.bodies import Flag, Number
from ..common.jobs import ChildPath, FilePath, JobFormat
from ..common.paths import each, get, is_id, mirror, of_request, put

MODELS = ("suno_music", "suno_lyrics", "suno_concat", "suno_upload", "suno_stems", "suno_*")
"""What is asked for; the version of the vendor's model is a property that prices may depend on."""
FAMILY = "suno"
MOST = 1 << 20
"""Bytes of a body."""
CONTINUED = ("extend", "upload_extend", "infill", "fixed_infill", "gen_stem")
"""Tasks that go on from `continue_clip_id`."""
CLIP_FIELDS = ("continue_clip_id", "cover_clip_id", "artist_clip_id", "metadata_params.continue_clip_id", "clip_id")
"""Where a body may name clips, the one that decides first."""
_DOTTED = re.compile(r"^(chirp-v\d)\.(\d)")

STATES = {
    "queued": State.QUEUED,
    "submitted": State.QUEUED,
    "pending": State.QUEUED,
    "not_start": State.QUEUED,
    "streaming": State.RUNNING,
    "running": State.RUNNING,
    "processing": State.RUNNING,
    "in_progress": State.RUNNING,
    "complete": State.SUCCEEDED,
    "completed": State.SUCCEEDED,
    "success": State.SUCCEEDED,
    "error": State.FAILED,
    "failed": State.FAILED,
    "failure": State.FAILED,
}
"""Words of all three shapes."""

# Bodies ------------------------------------------------------------------------------------------------------------

Text: TypeAlias = str | None


class Song(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What must be known of a song that is asked for; all other fields pass through."""

    mv: Annotated[str, Meta(description="The version: chirp-v3-5, chirp-v4, chirp-auk …")] | None = None
    prompt: Annotated[str, Meta(description="Lyrics")] | None = None
    gpt_description_prompt: Annotated[str, Meta(description="What the song is about, instead of lyrics")] | None = None
    title: Text = None
    tags: Annotated[str, Meta(description="Styles, with commas between them")] | None = None
    negative_tags: Text = None
    make_instrumental: Flag | None = None
    task: Annotated[str, Meta(description="extend, upload_extend, cover, infill, gen_stem …")] | None = None
    continue_clip_id: Annotated[str, Meta(description="The clip that is gone on from")] | None = None
    continue_at: Annotated[Number, Meta(description="Seconds")] | None = None
    infill_start_s: Number | None = None
    infill_end_s: Number | None = None
    cover_clip_id: Text = None
    artist_clip_id: Text = None
    persona_id: Text = None
    metadata_params: dict[str, Any] | None = None
    task_id: Annotated[str, Meta(description="The task that made the clip; not needed")] | None = None
    notify_hook: Annotated[str, Meta(description="Is told of the end")] | None = None


class Concat(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of a concatenation: the last clip of the chain."""

    clip_id: Annotated[str, Meta(min_length=1)]
    is_infill: Flag | None = None
    notify_hook: Text = None


class Lyrics(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Body of lyrics: what they are to be about."""

    prompt: Annotated[str, Meta(min_length=1)]
    notify_hook: Text = None


def check_song(song: Song) -> None:
    """Refuse a song of which too little is said, or nothing that fits together.

    Raises
    ------
    Failure
        INVALID, which names the field.
    """
    task, within = song.task or "", song.metadata_params or {}
    for kind, name in {"cover": "cover_clip_id", "artist_consistency": "persona_id"}.items():
        if task == kind and not getattr(song, name):
            raise Failure(Reason.INVALID, f"{name} is required with the task {task}", param=name)
    if task in CONTINUED and not (song.continue_clip_id or within.get("continue_clip_id")):
        raise Failure(Reason.INVALID, f"continue_clip_id is required with the task {task}", param="continue_clip_id")
    if task == "infill" and not within:
        start, end = song.infill_start_s, song.infill_end_s
        if start is None or end is None or not float(start) < float(end):
            raise Failure(Reason.INVALID, "infill_start_s must be less than infill_end_s", param="infill_start_s")
    named = song.continue_clip_id or song.cover_clip_id or song.artist_clip_id or within
    if not (named or song.gpt_description_prompt or song.prompt or song.tags):
        raise Failure(Reason.INVALID, "prompt, tags or gpt_description_prompt is required", param="prompt")


def dashed(mv: str | None, default: str) -> str:
    """Return a version as the vendor writes it: some clients have a dot in it."""
    return _DOTTED.sub(r"\1-\2", mv) if mv else default


def song_usage(song: Song, default: str) -> Usage:
    """Return what a song consumes: one call, by its version and its task."""
    params = {"mv": dashed(song.mv, default), "task": song.task or ("extend" if song.continue_clip_id else "")}
    return Usage(calls=1, params=params, basis="estimated")


# Clips of the caller's ---------------------------------------------------------------------------------------------


def named_clips(request: AnyRequest, within: str = "") -> Sequence[str]:
    """Return ids of clips and personas that a body names, the one that decides first."""
    names = [of_request(request, f"body.{within}{path}") for path in (*CLIP_FIELDS, "persona_id")]
    return [name for name in names if isinstance(name, str) and name]


def followed(*places: str) -> Origin[Any]:
    """Say that a request goes on from the clips that its body names, which must be finished.

    Parameters
    ----------
    places : str
        Objects of the body in which it may name them, each with a dot behind it; none, if it does so itself.
    """

    def ids(request: AnyRequest) -> Sequence[str]:
        for within in places or ("",):
            names, task = named_clips(request, within), of_request(request, f"body.{within}task_id")
            if names:
                return [*names, task] if is_id(task) else names
        return ()

    return Origin(ids=ids, check=lambda request, task: must_be_done(task, ids(request)[0]))


def clip_of_path() -> Origin[Any]:
    """Say that a request is about the finished clip that its path names."""
    return Origin(
        ids=lambda request: (request.params["clip_id"],),
        check=lambda request, task: must_be_done(task, request.params["clip_id"]),
    )


def must_be_done(task: Task, name: str) -> None:
    """Refuse to go on from what is not finished, or has failed.

    Raises
    ------
    Failure
        INVALID.
    """
    found = {clip["id"]: clip for clip in own_clips(task)}
    if name == task.id and len(found) > 1:
        raise Failure(Reason.INVALID, f"'{name}' is a task of several clips: name one of them")
    if name not in found:
        # By the task itself, or a voice that was made of one of its clips.
        found[name] = next(iter(found.values()), {})
    clip = found.get(name, {})
    if task.state is State.SUCCEEDED and _state(clip) is State.SUCCEEDED:
        return
    failed = task.state in (State.FAILED, State.CANCELLED) or _state(clip) is State.FAILED
    word = "has failed" if failed else "is not finished"
    raise Failure(Reason.INVALID, f"The clip '{name[:64]}' {word}", code="clip_not_complete")


def theirs(task: Task | None, name: str) -> str:
    """Return a clip's id at the vendor, by what the caller calls it."""
    if task is None:
        return name
    ours = {own: other for other, own in _names(task).items()}
    whole = [str(clip["id"]) for clip in _told(task)]
    return whole[0] if name == task.id and len(whole) == 1 else ours.get(name, name)


def name_clips(request: AnyRequest, facts: Facts) -> dict[str, Any]:
    """Name clips, and the task that made them, as the upstream does."""
    changes: dict[str, Any] = {}
    for path in CLIP_FIELDS:
        field, _, below = path.partition(".")
        sent = of_request(request, f"body.{path}")
        if isinstance(sent, str) and sent and theirs(facts.origin, sent) != sent:
            whole = of_request(request, f"body.{field}")
            changes[field] = put(whole, below, theirs(facts.origin, sent))
    return changes


def cleared(*names: str) -> Callable[[AnyRequest, Facts], dict[str, Any]]:
    """Make a patch that leaves some fields out."""
    return lambda request, facts: {name: DROP for name in names if of_request(request, f"body.{name}") is not None}


# Watched -----------------------------------------------------------------------------------------------------------

CLIPS = JobFormat(
    id="data",
    states=STATES,
    parts="clips[]",
    error=("clips[].metadata.error_message", "clips[].error_message", "fail_reason"),
    files=(
        FilePath("clips[].audio_url", "audio"),
        FilePath("clips[].video_url", "video", optional=True),
        FilePath("clips[].image_url", "cover", optional=True),
        FilePath("clips[].image_large_url", "cover", optional=True),
    ),
    children=(ChildPath("clips[].id", "clip"),),
    show=lambda task, links: shown_clips(task, links),
    interval=4.0,
    timeout=1800.0,
)
LYRICS = JobFormat(
    id="id",
    states=STATES,
    error=("error_message", "fail_reason"),
    show=lambda task, links: shown_words(task),
    interval=3.0,
    timeout=600.0,
)
Read: TypeAlias = Callable[[Json], Json]
"""Finds in a poll's answer what a snapshot has; None where it tells nothing of the task."""


def song_job(form: JobFormat, read: Read, count: int | None = None, **odd: Any) -> Job[object]:
    """Make the job of a shape.

    Parameters
    ----------
    read : callable
    count : int, optional
        How many clips there will be, where the answer to a submission does not name them.
    """

    def accepted(answer: Answer, request: AnyRequest) -> Accepted | Refused:
        verdict = form.accept(answer, request)
        if isinstance(verdict, Refused) or count == 0:
            return verdict
        told = [str(name) for name in each(answer.json(), form.id) if is_id(name)]
        names = told if count is None else [str(uuid.uuid4()) for _ in range(count)]
        children = [Child(name, "clip") for name in names]
        return replace(verdict, facts={**verdict.facts, "named": names}, children=children)

    def status(answer: Answer, task: Task) -> TaskStatus:
        said = answer.json()
        if form.code and get(said, form.code) in tuple(form.gone):
            return TaskStatus(State.NOT_FOUND, None)
        snapshot = read(said)
        if snapshot is None:
            return TaskStatus(State.RUNNING, task.snapshot)
        return form.read(Answer(200, {}, msgspec.json.encode(snapshot)), task)

    return form.job(lambda: str(uuid.uuid4()), **{"accept": accepted, "read": status, **odd})


def of_task(status: Json, found: Json, reason: Json = None) -> Json:
    """Return a snapshot of the clips that a task has; while it goes on, none of them has ended."""
    state = STATES.get(str(status or "").lower(), State.RUNNING)
    songs = _clips_in(found)
    if state is State.SUCCEEDED:
        songs = [{**clip, "status": clip.get("status") or "complete"} for clip in songs]
        if not songs:
            return {"status": "error", "clips": songs, "fail_reason": reason or "the upstream made no song"}
    elif state is not State.FAILED:
        songs = [{**clip, "status": "streaming"} if _state(clip).final else clip for clip in songs]
    return {**of_clips(songs), "status": status, "fail_reason": reason}


def of_clips(found: Json) -> dict[str, Json]:
    """Return a snapshot of clips that are told without their task; none is complete that cannot be heard."""
    songs = _clips_in(found)
    silent = {str(clip["id"]) for clip in songs if _state(clip) is State.SUCCEEDED and not clip.get("audio_url")}
    return {
        "status": None,
        "clips": [{**clip, "status": "streaming"} if str(clip["id"]) in silent else clip for clip in songs],
    }


def _clips_in(found: Json) -> list[dict[str, Json]]:
    items = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [clip for clip in items if isinstance(clip, dict) and is_id(clip.get("id"))]


def _state(clip: Mapping[str, Json]) -> State:
    return STATES.get(str(clip.get("status") or "").lower(), State.RUNNING)


# Shown -------------------------------------------------------------------------------------------------------------


def kept_song(action: str, song: msgspec.Struct, raw: bytes) -> Json:
    """Return what is kept of a submission: what its clips show before the vendor tells, and the whole of it as text."""
    return {"action": action, "fields": msgspec.to_builtins(song), "input": raw.decode("utf-8", "replace")}


def of_song(task: Task, name: str) -> Json:
    """Return what was asked for in a field."""
    return get(task.request, f"fields.{name}")


def action_of(task: Task) -> str:
    """Return what kind of task it is: MUSIC, CONCAT, UPLOAD or LYRICS."""
    return str(get(task.request, "action") or "MUSIC")


def _told(task: Task) -> list[dict[str, Json]]:
    at_once = task.facts.get("clips")
    found = each(task.snapshot, "clips[]") or ([at_once] if isinstance(at_once, dict) else each(at_once, "[]"))
    return [clip for clip in found if isinstance(clip, dict) and is_id(clip.get("id"))]


def _named(task: Task) -> list[str]:
    """Return what callers were told that a task's clips are called; of one whose answer was lost, what they will be."""
    told = [str(name) for name in each(task.facts.get("named"), "[]")]
    if told or action_of(task) != "MUSIC":
        return told or [task.id]
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{task.id}/{number}")) for number in range(2)]


def _names(task: Task) -> dict[str, str]:
    """Return what clips are called, by the vendor's ids."""
    real, named = [str(clip["id"]) for clip in _told(task)], _named(task)
    unnamed, free = [name for name in real if name not in named], [name for name in named if name not in real]
    return dict(zip(unnamed, free, strict=False))


def own_clips(task: Task, words: Mapping[str, str] | None = None) -> list[dict[str, Json]]:
    """Return a task's clips by the names that callers know, other words of the vendor's replaced.

    Those of which nothing is told yet are made up; nothing has ended before the task has, and its files are kept.
    """
    told = [_ended(clip, task) for clip in _told(task)]
    found = mirror(told, {**(words or {}), **_names(task)})
    known = {clip["id"] for clip in found}
    missing = [name for name in _named(task) if name not in known]
    return [*found, *(_ended(_blank(task, name), task) for name in missing if task.state is not State.SUCCEEDED)]


def _ended(clip: dict[str, Json], task: Task) -> dict[str, Json]:
    if task.state in (State.FAILED, State.CANCELLED) and _state(clip) is not State.FAILED:
        reason = {"error_type": "generation_failed", "error_message": task.error or "failed"}
        about = clip.get("metadata")
        return {**clip, "status": "error", "metadata": {**(about if isinstance(about, dict) else {}), **reason}}
    return {**clip, "status": "streaming"} if not task.state.final and _state(clip) is State.SUCCEEDED else clip


def _blank(task: Task, name: str) -> dict[str, Json]:
    mv = str(of_song(task, "mv") or "")
    major = mv.removeprefix("chirp-").replace("-", ".")
    asked = {key: of_song(task, key) for key in ("tags", "negative_tags", "prompt", "gpt_description_prompt")}
    unknown = dict.fromkeys(("audio_prompt_id", "history", "concat_history", "duration", "error_type", "error_message"))
    return {
        "id": name,
        "video_url": "",
        "audio_url": "",
        "image_url": None,
        "image_large_url": None,
        "is_video_pending": False,
        "major_model_version": major,
        "model_name": f"chirp-{major}" if major else "",
        "metadata": {**asked, **unknown, "type": "gen", "refund_credits": None, "stream": True},
        "is_liked": False,
        "user_id": "",
        "display_name": "",
        "handle": "",
        "is_handle_updated": False,
        "is_trashed": False,
        "reaction": None,
        "created_at": moment(task),
        "status": "submitted",
        "title": of_song(task, "title") or "",
        "play_count": 0,
        "upvote_count": 0,
        "is_public": False,
    }


def shown_clips(task: Task, links: Links) -> list[dict[str, Json]]:
    """Return a task's clips with the gateway's links; a failed one has none."""
    named = {**CLIPS.words(task, links), **_streams(task)}
    # A task of one clip may have its id.
    named.pop(task.upstream_id or "", None)
    shown = own_clips(task, named)
    for clip in shown:
        about = clip.get("metadata")
        # Some clients look for these two at the top.
        for name in ("prompt", "tags"):
            clip.setdefault(name, about.get(name) if isinstance(about, dict) else None)
    return shown


def _streams(task: Task) -> dict[str, str]:
    """Return the addresses of what the vendor told at once; none of it is kept."""
    names = [file.path.rpartition(".")[2] for file in CLIPS.files]
    told = _told(task)
    return {url: "" for clip in told for url in map(clip.get, names) if isinstance(url, str) and task.snapshot is None}


def shown_words(task: Task) -> dict[str, Json]:
    """Return lyrics as the web tells them."""
    text = {name: str(get(task.snapshot, name) or "") for name in ("text", "title")}
    if task.state is State.SUCCEEDED:
        more = task.snapshot if isinstance(task.snapshot, dict) else {}
        return {**more, **text, "id": task.id, "status": "complete"}
    if task.state in (State.FAILED, State.CANCELLED):
        return {**text, "id": task.id, "status": "error", "error_message": task.error or "failed"}
    return {**text, "id": task.id, "status": "running"}


def moment(task: Task) -> str:
    """Return when a task was submitted, as the web writes it."""
    seconds, millis = divmod(task.submitted_at, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{millis:03d}Z"


# As a task, which callbacks of all shapes and the task format tell -------------------------------------------------

_TASK_WORDS = {
    State.QUEUED: "QUEUED",
    State.RUNNING: "IN_PROGRESS",
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.CANCELLED: "FAILURE",
}


def as_task(task: Task, links: Links) -> dict[str, Json]:
    """Return a task as the task format has it; times are seconds since 1970."""
    if action_of(task) == "LYRICS":
        data: Json = shown_words(task) if task.state is State.SUCCEEDED else None
    else:
        data = shown_clips(task, links)
    return {
        "task_id": task.id,
        "notify_hook": task.hook.url if task.hook is not None else "",
        "action": action_of(task),
        "status": _TASK_WORDS.get(task.state, "SUBMITTED"),
        "fail_reason": task.error or "",
        "submit_time": task.submitted_at // 1000,
        "start_time": (task.started_at or 0) // 1000,
        "finish_time": (task.finished_at or 0) // 1000,
        "progress": "100%" if task.state.final else f"{task.progress or 0}%",
        "data": data,
    }
