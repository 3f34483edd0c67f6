"""Zhipu's films: CogVideoX, and the Vidu models on the same platform.

Source: the vendor's document, and its two Python SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...declare import Answer, AnyRequest, Failure, Json, Reason
from .common import (
    Source,
    Target,
    alone,
    body_of,
    decimal,
    failure,
    frame,
    length_of,
    no,
    only,
    ratio,
    ratio_of,
    refuse,
    size,
    times,
    whole,
)
from .model import Body, Film

SIZES: Mapping[str, tuple[str, str]] = {
    "16:9": ("1280x720", "1920x1080"),
    "9:16": ("720x1280", "1080x1920"),
    "1:1": ("1024x1024", "1024x1024"),
}
"""Of each ratio, the usual one and one of 1080 lines."""
MORE_SIZES = ("2048x1080", "3840x2160")
LONG = "cogvideox-3"
"""The model that may be told how long; others make about five seconds."""
USUAL_FPS = 30
NAMES = {
    "first": "image_url",
    "last": "image_url",
    "seconds": "duration",
    "ratio": "aspect_ratio",
    "high": "quality",
    "sound": "with_audio",
}
_CODES = {
    **dict.fromkeys(("1210", "1212", "1213", "1214", "1215", "1261"), Reason.INVALID),
    "1211": Reason.NO_MODEL,
    **dict.fromkeys(("1300", "1301"), Reason.MODERATED),
    **dict.fromkeys(("1302", "1303", "1304", "1305"), Reason.RATE_LIMITED),
}


def read(request: AnyRequest) -> Film:
    """Read what film is wanted."""
    body = body_of(request)
    alone(body, "Zhipu", ("style", "movement_amplitude", "off_peak"))
    first, last = _frames(body.get("image_url"))
    fps = whole(body.get("fps", USUAL_FPS), "fps")
    return Film(
        prompt=body.get("prompt", ""),
        first=first,
        last=last,
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        size=size(body["size"]) if "size" in body else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        high=body.get("quality") == "quality",
        sound=not no(body.get("with_audio")),
        fps=None if fps == USUAL_FPS else fps,
        names=NAMES,
    )


def _frames(value: Json) -> tuple[str | None, str | None]:
    pictures: Sequence[Json] = value if isinstance(value, list) else [] if value is None else [value]
    if len(pictures) > 2:
        raise Failure(Reason.INVALID, "'image_url': the vendor of this model takes two frames", param="image_url")
    first, last, *_ = [*(frame(picture, "image_url") for picture in pictures), None, None]
    return first, last


def write(film: Film, model: str) -> Body:
    """Write a film."""
    only(film, "first", "last", "seconds", "size", "ratio", "lines", "high", "sound", "fps")
    if film.last and not film.first:
        refuse(film, "last", "the vendor of this model takes a last frame after a first one")
    seconds = length_of(film, (5, 10) if model.startswith(LONG) else (5,))
    body: Body = {
        "model": model,
        "prompt": film.prompt,
        "image_url": [film.first, film.last] if film.last else film.first,
        "duration": seconds if model.startswith(LONG) else None,
        "quality": "quality" if film.high else None,
        "with_audio": film.sound or None,
        "fps": film.fps,
    }
    if film.shape is not None and model.startswith("vidu"):
        body["aspect_ratio"] = ratio_of(film, tuple(SIZES))
    elif film.shape is not None or film.lines is not None:
        body["size"] = _size(film)
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def _size(film: Film) -> str:
    """Return the size that is wanted if the vendor has it, else one of its ratio."""
    if film.size is not None and times(film.size) in (*(name for pair in SIZES.values() for name in pair), *MORE_SIZES):
        return times(film.size)
    return SIZES[ratio_of(film, tuple(SIZES)) or "16:9"][(film.shorter or 0) >= 1080]


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    said = answer.json()
    fault = said.get("error") if isinstance(said, dict) else None
    fields: Body = fault if isinstance(fault, dict) else {}
    return failure(answer, fields.get("message"), fields.get("code"), _CODES)


FILMS = Source(operations=("cogvideox.videos.generations",), read=read)
FILM_TARGET = Target(
    operations={"cogvideox.videos.generations": lambda film: True},
    write=write,
    error=error,
    facts=lambda body: {"seconds": str(body.get("duration", 5)), **({"size": body["size"]} if "size" in body else {})},
)
