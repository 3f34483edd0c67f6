"""What jobs make: pictures, films and sounds, and the addresses under which they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from .files import Files
from .media.draw import MIME, Picture, recipe
from .media.sounds import MIME as SOUND_MIME
from .media.sounds import sound
from .media.video import FPS, film


@dataclass(frozen=True)
class Result:
    """One thing that a job makes: a picture, a film of that picture, or a sound."""

    kind: Literal["picture", "film", "sound"]
    picture: Picture
    """Of a film the first picture, and the cover; of a sound the cover."""
    seconds: float = 0
    format: str = "mp3"
    """Of a sound."""
    fps: int = FPS
    loud: bool = False
    """Of a film: pictures a second, and whether it has a sound."""


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
            make = partial(film, shown, result.seconds, result.fps, sound=result.loud)
            return Artefact(artefact_id, url(make, "mp4", "video/mp4"), image, result)
        case "sound":
            make = partial(sound, result.format, result.seconds)
            return Artefact(artefact_id, url(make, result.format, SOUND_MIME[result.format]), image, result)
