"""What jobs make: pictures, films and sounds, and the addresses under which they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from .files import Files
from .media.draw import MIME, Picture, frames, recipe
from .media.sounds import MIME as SOUND_MIME
from .media.sounds import sound
from .media.video import mp4

FILM_FRAMES = 8
LONGEST_SIDE = 640
"""Pixels of a film."""


@dataclass(frozen=True)
class Result:
    """One thing that a job makes: a picture, a film of that picture, or a sound."""

    kind: Literal["picture", "film", "sound"]
    picture: Picture
    """Of a film or a sound the cover; a film is smaller than it, for nobody looks long at a test."""
    seconds: float = 0
    format: str = "mp3"
    """Of a sound."""


@dataclass(frozen=True)
class Artefact:
    """A finished result: its id at the vendor, its address, and that of a film's or a sound's cover."""

    id: str
    url: str
    cover: str
    result: Result
    index: int = 0
    """Its place among what its job made."""
    marked: str = ""
    """The address of a copy with the vendor's mark, where one is asked for."""


def keep(files: Files, origin: str, seconds: float, artefact_id: str, result: Result) -> Artefact:
    """Keep a result, and make the artefact, whose addresses work for some seconds."""

    def url(make: Callable[[], bytes], suffix: str, media_type: str) -> str:
        return files.url(origin, files.add(make, suffix, media_type), seconds)

    shown = result.picture
    image = url(recipe(shown), shown.format, MIME[shown.format])
    match result.kind:
        case "picture":
            return Artefact(artefact_id, image, "", result)
        case "film":
            film = url(partial(_film, shown, result.seconds), "mp4", "video/mp4")
            return Artefact(artefact_id, film, image, result)
        case "sound":
            make = partial(sound, result.format, result.seconds)
            return Artefact(artefact_id, url(make, result.format, SOUND_MIME[result.format]), image, result)


def _film(shown: Picture, seconds: float) -> bytes:
    scale = min(1, LONGEST_SIDE / max(shown.width, shown.height))
    small = replace(shown, width=round(shown.width * scale), height=round(shown.height * scale))
    return mp4(frames(small, FILM_FRAMES), seconds)
