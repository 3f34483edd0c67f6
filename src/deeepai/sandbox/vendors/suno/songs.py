"""Suno's songs, whatever the shape in which they are asked for: what is taken, what is made, and how a clip looks.

Source: relays' documents of the web's own bodies (2024 to 2026), and clients that send them. That a clip which is
extended must be finished, and that an upload wants its own task or model, is inferred from those.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...fields import Field, number, table, text
from ...job_vendor import Order, Task
from ...results import Artefact, Result
from ...vendor import digest_of

COVER, SHORTEST = 512, 40
"""Pixels of a cover; seconds of the shortest song that is made."""
REPLACED = (6, 60)
"""Seconds of a section that is replaced, which is at most half of the song."""
CREDITS = 10
EXTENSIONS, INFILLS = ("extend", "upload_extend"), ("infill", "fixed_infill")
FROM = {"cover": "cover_clip_id", "artist_consistency": "artist_clip_id"}
"""The field with the clip that a task goes on from, if it is not `continue_clip_id`."""
WORDS = {"queued": "submitted", "running": "streaming", "done": "complete", "failed": "error", "moderated": "error"}
"""Of clips, whatever a task's are."""
SOUNDS = (".mp3", ".wav", ".m4a", ".ogg", ".flac", ".aac")


@dataclass(frozen=True)
class Version:
    """A model: its name in clips, its limits of characters, and the seconds of its longest song."""

    name: str
    lyrics: int = 5000
    tags: int = 1000
    longest: int = 480


VERSIONS: Mapping[str, Version] = {
    "chirp-v3-0": Version("v3", 3000, 200, 120),
    "chirp-v3-5": Version("v3.5", 3000, 200, 240),
    "chirp-v4": Version("v4", 3000, 200, 240),
    "chirp-auk": Version("v4.5", longest=240),
    "chirp-auk-turbo": Version("v4.5-all", longest=240),
    "chirp-bluejay": Version("v4.5+"),
    "chirp-crow": Version("v5"),
    "chirp-fenix": Version("v5.5"),
}
SUFFIXES = ("-upload", "-tau")


def bare(mv: str) -> str:
    """Return a model's name without what says that it extends uploads, or covers."""
    return next((mv.removesuffix(suffix) for suffix in SUFFIXES if mv.endswith(suffix)), mv)


def _mv(value: str) -> str:
    return "" if bare(value) in VERSIONS else "is no model"


MV = Field(check=_mv, error="unknown_model")
SONG = table(
    prompt=text(),
    gpt_description_prompt=text(),
    title=text(80),
    tags=text(),
    negative_tags=text(),
    make_instrumental=Field("flag", default=False),
    continue_clip_id=text(),
    continue_at=number(0),
    infill_start_s=number(0),
    infill_end_s=number(0),
    task=text(),
    cover_clip_id=text(),
    persona_id=text(),
    artist_clip_id=text(),
    stem_type_id=Field("whole"),
    stem_type_group_name=text(),
    stem_task=text(),
    generation_type=text(),
    continued_aligned_prompt=text(),
    metadata_params=Field("object"),
    metadata=Field("object"),
)


# What may be asked for ----------------------------------------------------------------------------------------------


def check(order: Order) -> None:
    """Refuse a song that cannot be made, and find the clip that it goes on from."""
    body, version = order.body, VERSIONS[bare(order.body["mv"])]
    body.update((body.pop("metadata_params", None) or {}) if body.get("task") in INFILLS else {})
    if len(body.get("prompt") or "") > version.lyrics:
        raise order.refused("too_long", f"prompt is longer than {version.lyrics} characters")
    if len(body.get("tags") or "") > version.tags:
        raise order.refused("too_long", f"tags are longer than {version.tags} characters")
    task = body.get("task") or ("extend" if body.get("continue_clip_id") else "")
    if not task:
        if not any(body.get(name) for name in ("gpt_description_prompt", "prompt", "tags")):
            raise order.refused("missing", "prompt, tags or gpt_description_prompt is required")
        return
    name = FROM.get(task, "continue_clip_id")
    if not body.get(name):
        raise order.refused("missing", f"{name} is required with the task {task}")
    _, order.parent = order.made(body[name])
    order.facts |= {"task": task, "parent": order.parent.id}
    if task in EXTENSIONS:
        _check_extension(order, version)
    elif task in INFILLS:
        _check_infill(order)
    elif task == "artist_consistency" and not body.get("persona_id"):
        raise order.refused("missing", "persona_id is required with the task artist_consistency")


def _check_extension(order: Order, version: Version) -> None:
    body, parent = order.body, order.parent
    assert parent is not None
    made, _ = order.made(parent.id)
    uploaded = made.facts.get("type") == "upload"
    if uploaded and body.get("task") != "upload_extend" and not body["mv"].endswith("-upload"):
        raise order.refused("value", "an upload is extended by the task upload_extend")
    at = body.get("continue_at") or parent.result.seconds
    if at > parent.result.seconds:
        raise order.refused("value", f"continue_at is beyond the clip's {parent.result.seconds:g} seconds")
    if offset(made) + at >= version.longest:
        raise order.refused("value", f"the song would be longer than {version.longest} seconds")
    order.facts |= {"at": float(at), "offset": offset(made) + at, "chain": [*chain(made, parent.id, at)]}


def _check_infill(order: Order) -> None:
    body, parent = order.body, order.parent
    assert parent is not None
    start, end, whole = body.get("infill_start_s"), body.get("infill_end_s"), parent.result.seconds
    if start is None or end is None:
        raise order.refused("missing", "infill_start_s and infill_end_s are required")
    if not start < end <= whole:
        raise order.refused("value", f"the section must lie within the clip's {whole:g} seconds")
    if not REPLACED[0] <= end - start <= min(REPLACED[1], whole / 2):
        raise order.refused("value", "the section has 6 to 60 seconds, and at most half of the song's")
    order.facts |= {"start": start, "end": end, "whole": whole}


def offset(task: Task) -> float:
    """Return where in the whole song a task's clips begin."""
    return float(task.facts.get("offset", 0))


def chain(task: Task, clip_id: str, at: float | None) -> Sequence[Mapping[str, Any]]:
    """Return the clips that a whole song is joined of, up to a task's."""
    return [*task.facts.get("chain", ()), {"id": clip_id, "continue_at": at}]


def check_concat(order: Order) -> None:
    """Refuse to join what is no part of anything."""
    clip_id, infill = order.body["clip_id"], bool(order.body.get("is_infill"))
    made, clip = order.made(clip_id)
    if infill is not (made.facts.get("task") in INFILLS) or not (infill or "chain" in made.facts):
        raise order.refused("value", f"{clip_id} is no {'replaced section' if infill else 'extension'}")
    order.parent = clip
    seconds = made.facts["whole"] if infill else offset(made) + clip.result.seconds
    history = chain(made, clip_id, None)
    order.facts |= {"type": "concat", "seconds": seconds, "history": history, "song": dict(made.body)}


def check_upload(order: Order) -> None:
    """Refuse what is no address of a sound."""
    url = order.body["url"]
    if not url.startswith(("http://", "https://")) or not url.partition("?")[0].lower().endswith(SOUNDS):
        raise order.refused("value", "url must be the address of a sound file")
    order.facts |= {"type": "upload", "song": {"title": url.partition("?")[0].rpartition("/")[2].rpartition(".")[0]}}


# What is made -------------------------------------------------------------------------------------------------------


def two(order: Order) -> Sequence[Result]:
    """Return two songs, and a film of each."""
    return _songs(order, 2)


def one(order: Order) -> Sequence[Result]:
    """Return one song, and a film of it."""
    return _songs(order, 1)


def _songs(order: Order, count: int) -> Sequence[Result]:
    pictures = [order.draw((COVER, COVER), number=place) for place in range(count)]
    lengths = [_seconds(order, place) for place in range(count)]
    pairs = list(zip(pictures, lengths, strict=True))
    return [Result(kind, shown, seconds) for kind in ("sound", "film") for shown, seconds in pairs]


def _seconds(order: Order, place: int) -> float:
    facts = order.facts
    if "seconds" in facts:
        return facts["seconds"]
    if "whole" in facts:
        return facts["end"] - facts["start"]
    if facts.get("task") in FROM or facts.get("task") == "gen_stem":
        assert order.parent is not None
        return order.parent.result.seconds
    drawn = SHORTEST + int.from_bytes(digest_of(sorted(map(repr, order.body.items())), place)[:2]) % 400 / 10
    mv = order.body.get("mv")
    longest = drawn if mv is None else VERSIONS[bare(mv)].longest - facts.get("offset", 0)
    return round(min(drawn, longest), 2)


def lyrics(description: str) -> tuple[str, str]:
    """Return a song's title and words, by what it is to be about."""
    about = " ".join(description.split())[:60] or "nothing at all"
    verse = f"[Verse]\nIn test mode I sing of {about}\nNobody wrote these lines for me\n"
    return about.title(), f"{verse}\n[Chorus]\nOh {about}\nTest mode, test mode, {about}"


# How it is told -----------------------------------------------------------------------------------------------------


def clips(task: Task) -> list[dict[str, Any]]:
    """Return what a task makes, as the web's own clips."""
    return [clip(task, place) for place in range(len(task.results) // 2)]


def clip(task: Task, place: int) -> dict[str, Any]:
    """Return one clip."""
    half, own = len(task.results) // 2, task.artefact_ids[place]
    lost = not task.lost.isdisjoint({place, place + half})
    failed = bool(task.reason) or (lost and task.done is not None)
    made, film = _made(task, place, half, failed)
    body: Mapping[str, Any] = task.facts.get("song", task.body)
    version = VERSIONS.get(bare(body.get("mv") or ""), VERSIONS["chirp-v3-5"]).name
    streams = task.job.state == "running" and not failed
    about = body.get("gpt_description_prompt")
    title, words = body.get("title") or "", body.get("prompt") or ""
    if about and made is not None:
        title, sung = lyrics(about)
        words = "" if body.get("make_instrumental") else sung
    if task.facts.get("task") == "gen_stem":
        title = f"{title} - {('Vocals', 'Instrumental')[place]}"
    created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(task.job.created))
    kind = task.facts.get("type") or ("stem" if task.facts.get("task") == "gen_stem" else "gen")
    return {
        "id": own,
        "video_url": film.url if film else "",
        "audio_url": made.url if made else f"https://audiopipe.suno.ai/?item_id={own}" if streams else "",
        "image_url": made.cover if made else None,
        "image_large_url": made.cover if made else None,
        "is_video_pending": False,
        "major_model_version": version,
        "model_name": f"chirp-{version}",
        "metadata": {
            "tags": body.get("tags") or "",
            "negative_tags": body.get("negative_tags") or "",
            "prompt": words,
            "gpt_description_prompt": about,
            "audio_prompt_id": task.facts.get("parent"),
            "history": _history(task),
            "concat_history": task.facts.get("history"),
            "type": kind,
            "duration": round(made.result.seconds, 2) if made else None,
            "refund_credits": failed,
            "stream": True,
            "error_type": ("moderation_failure" if task.job.state == "moderated" else "generation_failed")
            if failed
            else None,
            "error_message": (task.reason or "one of the songs has failed") if failed else None,
            **_beside(task),
        },
        "is_liked": False,
        "user_id": task.job.owner,
        "display_name": "Test mode",
        "handle": "testmode",
        "is_handle_updated": False,
        "avatar_image_url": "",
        "is_trashed": False,
        "reaction": None,
        "created_at": created,
        "status": "error" if failed else WORDS[task.job.state],
        "title": title,
        "play_count": 0,
        "upvote_count": 0,
        "is_public": False,
    }


def _made(task: Task, place: int, half: int, failed: bool) -> tuple[Artefact | None, Artefact | None]:
    if failed or task.done is None:
        return None, None
    return task.artefacts[place], task.artefacts[place + half]


def _history(task: Task) -> list[dict[str, Any]] | None:
    facts = task.facts
    if facts.get("task") in EXTENSIONS:
        return [{"id": facts["parent"], "continue_at": facts["at"], "type": "gen", "source": "web", "infill": False}]
    if facts.get("task") in INFILLS:
        section = {"infill_start_s": facts["start"], "infill_end_s": facts["end"]}
        return [{"id": facts["parent"], "type": "gen", "source": "web", "infill": True, **section}]
    return None


def _beside(task: Task) -> Mapping[str, Any]:
    kind, facts = task.facts.get("task"), task.facts
    more = {"task": kind, "infill": kind in INFILLS or None}
    more["cover_clip_id"] = facts["parent"] if kind == "cover" else None
    more["stem_from_id"] = facts["parent"] if kind == "gen_stem" else None
    more["persona_id"] = task.body.get("persona_id") if kind == "artist_consistency" else None
    return {name: value for name, value in more.items() if value is not None}


def aligned(made: Task, artefact: Artefact) -> dict[str, Any]:
    """Return when each word of a clip is sung."""
    shown = clip(made, artefact.index)
    said = [word for line in shown["metadata"]["prompt"].splitlines() if line[:1] != "[" for word in line.split()]
    step = artefact.result.seconds / max(1, len(said))
    words = [
        {
            "word": word,
            "success": True,
            "start_s": round(place * step, 2),
            "end_s": round(place * step + step * 0.9, 2),
            "p_align": 0.99,
        }
        for place, word in enumerate(said)
    ]
    wave = [byte / 255 for byte in digest_of(artefact.id)]
    return {"aligned_words": words, "waveform_data": wave, "hoot_cer": 0.1, "is_streamed": False}
