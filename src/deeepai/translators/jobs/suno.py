"""Suno's songs between the shapes in which they are asked for: the web's own, the task format, and GoAmzAI's.

The first two have the same fields. The third knows neither covers nor replaced sections nor voices.

Source: relays' documents of the three shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...declare import Answer, AnyRequest, Failure, Json, Reason
from .common import Source, Target, body_of, decimal, failure, no, only, refuse
from .model import Body, Song

FIELDS = {
    "prompt": "prompt",
    "description": "gpt_description_prompt",
    "title": "title",
    "tags": "tags",
    "negative_tags": "negative_tags",
    "mv": "mv",
    "clip": "continue_clip_id",
}
"""Texts of a song, as all three call them."""
DEFAULTS = {"suno": "chirp-v3-5", "suno_tasks": "chirp-v3-0", "suno_goamz": "chirp-v3-0"}
_IN_PATH = re.compile(r"/suno/v1/(?:mv-|v)([\d.]+|auk|bluejay)/")
_VERSIONS = {"3.0": "v3-0", "3.5": "v3-5", "4": "v4", "5": "crow", "auk": "auk", "bluejay": "bluejay"}
_DOTTED = re.compile(r"^(chirp-v\d)\.(\d)")
_KEPT_BACK = ("task_id", "notify_hook", "custom_mode", "seed")
"""What is the caller's and this gateway's affair alone."""
_PLAIN = {"task": "extend", "generation_type": "TEXT"}
"""What says no more than that there is a song, or one that goes on."""


def _song(fields: Mapping[str, Json], default: str) -> Song:
    texts: dict[str, Any] = {name: str(fields[called]) for name, called in FIELDS.items() if called in fields}
    at = decimal(fields["continue_at"], "continue_at") if "continue_at" in fields else None
    known = {*FIELDS.values(), *_KEPT_BACK, "continue_at", "make_instrumental", "input"}
    own = {name: value for name, value in fields.items() if name not in known}
    texts["mv"] = _DOTTED.sub(r"\1-\2", texts.get("mv", default))
    return Song(
        **texts,
        continue_at=at if "clip" in texts else None,
        instrumental=not no(fields.get("make_instrumental")),
        own=own,
        names=FIELDS,
    )


def read(request: AnyRequest) -> Song:
    """Read a song of the web's shape."""
    return _song(body_of(request), DEFAULTS["suno"])


def read_task(request: AnyRequest) -> Song:
    """Read a song of the task format, which has another version where none is said."""
    return _song(body_of(request), DEFAULTS["suno_tasks"])


def read_goamz(request: AnyRequest) -> Song:
    """Read a song of GoAmzAI's shape, whose fields may stand in `input`, and its version in the path."""
    body = body_of(request)
    inner = body.get("input")
    if inner is not None and not isinstance(inner, dict):
        raise Failure(Reason.INVALID, "'input' must be an object", param="input")
    fields = {**{name: value for name, value in body.items() if name == "mv" or inner is None}, **(inner or {})}
    by_path = _IN_PATH.search(request.path)
    if by_path is not None:
        fields["mv"] = f"chirp-{_VERSIONS[by_path[1]]}"
    song = _song({name: value for name, value in fields.items() if value not in ("", None)}, DEFAULTS["suno_goamz"])
    if no(body.get("custom_mode", not song.description)):
        return Song(description=song.description, mv=song.mv, instrumental=song.instrumental, names=FIELDS)
    return Song(
        prompt=song.prompt,
        title=song.title,
        tags=song.tags,
        mv=song.mv,
        clip=song.clip,
        continue_at=song.continue_at,
        names=FIELDS,
    )


def _texts(song: Song) -> Body:
    values: Body = {called: getattr(song, name) for name, called in FIELDS.items()}
    values["continue_at"] = song.continue_at
    values["make_instrumental"] = song.instrumental or None
    return {name: value for name, value in values.items() if value not in (None, "")}


def write(song: Song, model: str) -> Body:
    """Write a song as the web has it; lyrics are there, be they empty."""
    return {"prompt": "", **song.own, **_texts(song)}


def write_goamz(song: Song, model: str) -> Body:
    """Write a song in GoAmzAI's shape."""
    for name, value in song.own.items():
        if value != _PLAIN.get(name) and not no(value):
            refuse(song, name)
    only(song, "description", "title", "tags", "mv", "instrumental", "clip", "continue_at")
    described = bool(song.description)
    if described and song.clip:
        refuse(song, "clip", "the vendor of this model goes on from a clip by lyrics, not by a description")
    fields = {name: value for name, value in _texts(song).items() if name != "mv"}
    return {"custom_mode": not described, "mv": song.mv, "input": {"prompt": "", **fields}}


# What is joined, and words ------------------------------------------------------------------------------------------


def read_joined(request: AnyRequest) -> Song:
    """Read what is to be joined."""
    body = body_of(request)
    return Song(clip=str(body["clip_id"]), infill=not no(body.get("is_infill")), names={"infill": "is_infill"})


def write_joined(song: Song, model: str) -> Body:
    """Write what is to be joined."""
    return {"clip_id": song.clip, "is_infill": song.infill}


def write_joined_goamz(song: Song, model: str) -> Body:
    """Write what is to be joined, in GoAmzAI's shape."""
    only(song, "clip")
    return {"clip_id": song.clip}


def read_words(request: AnyRequest) -> Song:
    """Read what lyrics are to be about."""
    return Song(description=str(body_of(request)["prompt"]))


def write_words(song: Song, model: str) -> Body:
    """Write what lyrics are to be about."""
    return {"prompt": song.description}


def error(answer: Answer) -> Failure:
    """Say what a refusal says, in any of the three shapes."""
    said = answer.json()
    fields: Body = said if isinstance(said, dict) else {}
    inner = fields.get("error")
    within = inner.get("message") if isinstance(inner, dict) else inner
    return failure(answer, within or fields.get("message") or fields.get("detail"))


def _target(operation: str, writes: Callable[[Song, str], Body], models: tuple[str, ...] = ()) -> Target[Song]:
    return Target(operations={operation: lambda song: True}, write=writes, error=error, models=models)


SONGS = (
    (
        Source(operations=("suno.generate",), read=read),
        Source(operations=("suno_tasks.submit.music",), read=read_task),
        Source(operations=("suno_goamz.music",), read=read_goamz),
    ),
    (
        _target("suno.generate", write, ("suno_music",)),
        _target("suno_tasks.submit.music", write, ("suno_music",)),
        _target("suno_goamz.music", write_goamz, ("suno_music",)),
    ),
)
JOINED = (
    (Source(operations=("suno.concat", "suno_tasks.submit.concat", "suno_goamz.concat"), read=read_joined),),
    (
        _target("suno.concat", write_joined),
        _target("suno_tasks.submit.concat", write_joined),
        _target("suno_goamz.concat", write_joined_goamz),
    ),
)
WORDS = (
    (Source(operations=("suno.lyrics", "suno_tasks.submit.lyrics"), read=read_words),),
    (_target("suno.lyrics", write_words), _target("suno_tasks.submit.lyrics", write_words)),
)
