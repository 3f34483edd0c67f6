"""Luma's films: as relays serve them, at two sets of addresses, and by the vendor's published API.

Source: LumaAI-API/Luma-API, documents of relays, and the vendor's SDK `lumaai` 1.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import Answer, AnyRequest, Failure, Json, Reason
from .common import (
    Source,
    Target,
    addressed,
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
)
from .model import Body, Film, Picture

RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
LENGTHS = (5, 9)
LINES = {540: "540p", 720: "720p", 1080: "1080p", 2160: "4k"}
NAMES = {
    "first": "image_url",
    "last": "image_end_url",
    "seconds": "duration",
    "ratio": "aspect_ratio",
    "lines": "resolution",
    "enhance": "expand_prompt",
    "follows": "id",
}
PUBLISHED_NAMES = {
    "first": "keyframes.frame0",
    "last": "keyframes.frame1",
    "seconds": "duration",
    "ratio": "aspect_ratio",
    "lines": "resolution",
    "follows": "keyframes.frame0",
}


def _seconds(body: Body) -> float | None:
    told = body.get("duration")
    return None if told is None else decimal(str(told).removesuffix("s"), "duration")


def _lines(body: Body) -> int | None:
    told = body.get("resolution")
    known = {word: lines for lines, word in LINES.items()}
    if told is not None and told not in known:
        raise Failure(Reason.INVALID, f"'resolution' is one of {', '.join(known)}", param="resolution")
    return None if told is None else known[told]


def read(request: AnyRequest) -> Film:
    """Read what film is wanted of a relay: a new one, or one that goes on from that which the path names."""
    body = body_of(request)
    return Film(
        prompt=body.get("user_prompt") or body.get("prompt", ""),
        first=frame(body["image_url"], "image_url") if "image_url" in body else None,
        last=frame(body["image_end_url"], "image_end_url") if "image_end_url" in body else None,
        seconds=_seconds(body),
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        lines=_lines(body),
        loop=not no(body.get("loop")),
        enhance=not no(body["expand_prompt"]) if "expand_prompt" in body else None,
        follows=request.params.get("id"),
        names=NAMES,
    )


def read_published(request: AnyRequest) -> Film:
    """Read what film is wanted of the vendor's API."""
    body = body_of(request)
    alone(body, "Luma", ("concepts",))
    frames: Body = body.get("keyframes") or {}
    first, last = frames.get("frame0") or {}, frames.get("frame1") or {}
    if last.get("type") == "generation":
        alone({"keyframes.frame1": last}, "Luma", ("keyframes.frame1",))
    return Film(
        prompt=body.get("prompt", ""),
        first=frame(first["url"], "keyframes.frame0.url") if first.get("type") == "image" else None,
        last=frame(last["url"], "keyframes.frame1.url") if last else None,
        seconds=_seconds(body),
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        lines=_lines(body),
        loop=not no(body.get("loop")),
        follows=first.get("id") if first.get("type") == "generation" else None,
        names=PUBLISHED_NAMES,
    )


def _resolution(film: Film) -> str | None:
    lines = film.shorter or (1080 if film.high else None)
    return None if lines is None else LINES[min(LINES, key=lambda offered: abs(offered - lines))]


def _shared(film: Film) -> Body:
    """Return what both formats call alike."""
    only(film, "first", "last", "seconds", "size", "ratio", "lines", "high", "loop", "follows")
    seconds, lines = length_of(film, LENGTHS), _resolution(film)
    return {
        "aspect_ratio": ratio_of(film, RATIOS),
        "duration": f"{seconds}s" if seconds else None,
        "resolution": lines,
        "loop": film.loop or None,
    }


def write(film: Film, model: str) -> Body:
    """Write a film for a relay."""
    body = {
        "model_name": model,
        "user_prompt": film.prompt,
        "image_url": film.first,
        "image_end_url": film.last,
        "expand_prompt": film.enhance,
        **_shared(film),
    }
    if body["resolution"] == "4k":
        refuse(film, "size" if film.size else "lines", "relays make no films of 2160 lines")
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def write_published(film: Film, model: str) -> Body:
    """Write a film for the vendor's API."""
    frames: dict[str, Json] = {}
    if film.follows:
        if film.first:
            refuse(film, "first", "the vendor of this model takes none for a film that goes on")
        frames["frame0"] = {"type": "generation", "id": film.follows}
    for place, name in (("frame0", "first"), ("frame1", "last")):
        picture = addressed(film, name)
        if picture is not None:
            frames[place] = {"type": "image", "url": picture}
    body = {"model": model, "prompt": film.prompt, "keyframes": frames or None, **_shared(film)}
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def error(answer: Answer) -> Failure:
    """Say what a relay's refusal says."""
    said = answer.json()
    fault = said.get("error", said.get("detail")) if isinstance(said, dict) else None
    fields: Body = fault if isinstance(fault, dict) else {"message": fault}
    return failure(answer, fields.get("message") or fields.get("reason"))


def error_published(answer: Answer) -> Failure:
    """Say what a refusal of the vendor's API says."""
    said = answer.json()
    fault = said.get("detail") if isinstance(said, dict) else None
    if isinstance(fault, list) and fault and isinstance(fault[0], dict):
        where = ".".join(map(str, fault[0].get("loc") or ()))
        fault = f"{where}: {fault[0].get('msg')}"
    return failure(answer, fault)


FILMS = Source(operations=("luma.generations", "luma.extend"), read=read)
GOAMZ_FILMS = Source(operations=("luma_goamz.generations", "luma_goamz.extend"), read=read)
PUBLISHED_FILMS = Source(
    operations=("dream_machine.generations.video", "dream_machine.generations"), read=read_published
)


def _relays(protocol: str) -> Target[Film]:
    operations = {
        f"{protocol}.generations": lambda film: film.follows is None,
        f"{protocol}.extend": lambda film: film.follows is not None,
    }
    return Target(operations=operations, write=write, error=error, facts=facts)


def facts(body: Mapping[str, Json]) -> Body:
    """Return how long a film is to be."""
    return {"seconds": str(body.get("duration") or "5s").removesuffix("s")}


FILM_TARGET, GOAMZ_FILM_TARGET = _relays("luma"), _relays("luma_goamz")
PUBLISHED_FILM_TARGET = Target(
    operations={"dream_machine.generations.video": lambda film: True},
    write=write_published,
    error=error_published,
    facts=facts,
)

# Pictures -----------------------------------------------------------------------------------------------------------

PICTURE_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")


def write_picture(picture: Picture, model: str) -> Body:
    """Write a picture for the vendor's API; of its size it is told the ratio."""
    only(picture, "image", "size", "ratio")
    if not picture.prompt:
        refuse(picture, "prompt", "the vendor of this model needs one")
    followed = addressed(picture, "image")
    body: Body = {
        "model": model,
        "prompt": picture.prompt,
        "aspect_ratio": ratio_of(picture, PICTURE_RATIOS),
        "image_ref": [{"url": followed}] if followed else None,
    }
    return {name: value for name, value in body.items() if value is not None}


PICTURE_TARGET = Target(
    operations={"dream_machine.generations.image": lambda picture: True},
    write=write_picture,
    error=error_published,
    models=("photon-*",),
)
