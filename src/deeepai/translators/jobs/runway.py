"""Runway's films: by the vendor's published API, as tasks of its web site, and in the older format of relays.

Source: the vendor's SDK `runwayml` 5.24.0, a web client of relays, and documents of several relays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    whole,
)
from .model import Body, Film, Picture

# The published API --------------------------------------------------------------------------------------------------

OF_GEN4 = ("1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672")
OF_GEN3 = ("1280:768", "768:1280")
OF_VEO = ("1280:720", "720:1280")
OF_VEO_HIGH = ("1920:1080", "1080:1920")
ENDS = ("gen3a_turbo", "veo3.1", "veo3.1_fast")
"""Models that take a last frame."""
PUBLISHED_NAMES = {
    "prompt": "promptText",
    "negative_prompt": "negativePrompt",
    "first": "promptImage",
    "last": "promptImage",
    "seconds": "duration",
    "size": "ratio",
    "sound": "audio",
}


def read_published(request: AnyRequest) -> Film:
    """Read what film is wanted of the published API."""
    body = body_of(request)
    alone(body, "Runway", ("outputFormat", "proresProfile", "references", "providerSettings"))
    first, last = _frames(body.get("promptImage"))
    return Film(
        prompt=body.get("promptText", ""),
        negative_prompt=body.get("negativePrompt", ""),
        first=first,
        last=last,
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        size=ratio(body["ratio"], "ratio") if "ratio" in body else None,
        sound=body.get("audio") is True,
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names=PUBLISHED_NAMES,
    )


def _frames(value: Json) -> tuple[str | None, str | None]:
    """Return the first frame and the last; an upload lies with one vendor alone."""
    frames: Sequence[Json] = [{"uri": value}] if isinstance(value, str) else value or ()
    found: dict[str, str] = {}
    for one in frames:
        if not isinstance(one, dict) or not isinstance(one.get("uri"), str):
            raise Failure(Reason.INVALID, "'promptImage' must be an address or frames", param="promptImage")
        if one["uri"].startswith("runway://"):
            raise Failure(Reason.INVALID, "'promptImage': the vendor of this model has no upload", param="promptImage")
        found[one.get("position") or "first"] = frame(one["uri"], "promptImage")
    return found.get("first"), found.get("last")


def write_published(film: Film, model: str) -> Body:
    """Write a film for the published API."""
    carried = ("first", "last", "seconds", "size", "ratio", "lines", "high")
    veo = model.startswith("veo")
    only(film, *carried, *(("negative_prompt", "sound") if model.startswith("veo3.1") else ()))
    if film.last and model not in ENDS:
        refuse(film, "last", "this model takes no last frame")
    frames: list[Json] = [
        {"uri": picture, "position": place}
        for place, picture in (("first", film.first), ("last", film.last))
        if picture is not None
    ]
    shapes = OF_GEN3 if model == "gen3a_turbo" else OF_GEN4 if not veo else OF_VEO
    if veo and (film.high or (film.shorter or 0) >= 1080):
        shapes = OF_VEO_HIGH
    body: Body = {
        "model": model,
        "promptText": film.prompt,
        "negativePrompt": film.negative_prompt,
        "promptImage": film.first if film.first and not film.last else frames or None,
        "ratio": ratio_of(film, shapes, 0.15) or shapes[0],
        "duration": length_of(film, _lengths(model)) or (5 if not veo else 8),
        "audio": film.sound if model.startswith("veo3.1") else None,
        "seed": film.seed,
    }
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def _lengths(model: str) -> Sequence[int]:
    if model.startswith("veo"):
        return (8,) if model == "veo3" else (4, 6, 8)
    return (5, 10) if model == "gen3a_turbo" else range(2, 11)


def error_published(answer: Answer) -> Failure:
    """Say what a refusal says."""
    said = answer.json()
    return failure(answer, said.get("error") if isinstance(said, dict) else None)


PUBLISHED_FILMS = Source(operations=("runwayml.image_to_video", "runwayml.text_to_video"), read=read_published)
PUBLISHED_FILM_TARGET = Target(
    operations={
        "runwayml.image_to_video": lambda film: bool(film.first or film.last),
        "runwayml.text_to_video": lambda film: not film.first and not film.last,
    },
    write=write_published,
    error=error_published,
    facts=lambda body: {"seconds": str(body["duration"]), "size": str(body["ratio"]).replace(":", "x")},
)

# Tasks --------------------------------------------------------------------------------------------------------------

LENGTHS = (5, 10)
LINES = 768
"""Of films by the relays' formats, which nobody can change."""
TASK_SIZES: Mapping[str, tuple[int, int]] = {"16:9": (1280, 768), "9:16": (768, 1280)}
TASK_NAMES = {
    "prompt": "options.text_prompt",
    "first": "options.init_image",
    "last": "options.init_image",
    "seconds": "options.seconds",
    "size": "options.width",
    "enhance": "options.enhance_prompt",
    "follows": "options.extended_from_task_id",
}
_TASKS_ALONE = ("video_prompt", "structure_transformation", "gen2Options")


def read(request: AnyRequest) -> Film:
    """Read what film is wanted as a task; a body of the published API is one, too."""
    body = body_of(request)
    if "taskType" not in body and ("promptText" in body or "promptImage" in body):
        return read_published(request)
    asked: Body = body.get("options") or {}
    alone(asked, "Runway", _TASKS_ALONE)
    image = frame(asked["init_image"], "options.init_image") if asked.get("init_image") else None
    ends = not no(asked.get("image_as_end_frame"))
    shaped = asked.get("width") and asked.get("height")
    return Film(
        prompt=asked.get("text_prompt") or "",
        first=None if ends else image,
        last=image if ends else None,
        seconds=decimal(asked["seconds"], "options.seconds") if asked.get("seconds") else None,
        size=(whole(asked["width"], "options.width"), whole(asked["height"], "options.height")) if shaped else None,
        seed=whole(asked["seed"], "options.seed") if asked.get("seed") is not None else None,
        enhance=not no(asked["enhance_prompt"]) if "enhance_prompt" in asked else None,
        follows=asked.get("extended_from_task_id") or None,
        names=TASK_NAMES,
    )


def _judge_lines(film: Film) -> None:
    if film.lines and film.lines > LINES:
        refuse(film, "lines", f"the vendor of this model makes {LINES} lines")


def write(film: Film, model: str) -> Body:
    """Write a film as a task."""
    only(film, "first", "last", "seconds", "size", "ratio", "lines")
    _judge_lines(film)
    first, last = addressed(film, "first"), addressed(film, "last")
    if first and last:
        refuse(film, "last", "the vendor of this model takes one frame, be it the first or the last")
    name = ratio_of(film, tuple(TASK_SIZES), 0.15) or "16:9"
    wide, high = TASK_SIZES[name]
    options: Body = {
        "text_prompt": film.prompt,
        "seconds": length_of(film, LENGTHS) or 5,
        "init_image": first or last,
        "image_as_end_frame": True if last else None,
        "width": wide,
        "height": high,
        "seed": film.seed,
        "enhance_prompt": film.enhance,
    }
    return {"taskType": model, "options": {name: value for name, value in options.items() if value not in (None, "")}}


FILMS = Source(operations=("runway.tasks",), read=read)
FILM_TARGET = Target(
    operations={"runway.tasks": lambda film: True},
    write=write,
    error=error_published,
    facts=lambda body: {"seconds": str(body["options"]["seconds"])},
)

# The older format ---------------------------------------------------------------------------------------------------

WEB_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
WEB_NAMES = {"first": "image", "last": "last_image", "seconds": "options.seconds"}


def read_web(request: AnyRequest) -> Film:
    """Read what film is wanted in the older format; it names its shape as a ratio or in pixels."""
    body = body_of(request)
    alone(body, "Runway", ("style",))
    asked: Body = body.get("options") or {}
    alone(asked, "Runway", ("motion_vector",))
    first = frame(body["image"], "image") if "image" in body else None
    last = frame(body["last_image"], "last_image") if "last_image" in body else None
    if not no(asked.get("image_as_end_frame")):
        first, last = None, first
    shape = ratio(body["ratio"], "ratio") if "ratio" in body else (9, 16) if not no(asked.get("flip")) else None
    return Film(
        prompt=body.get("prompt", ""),
        first=first,
        last=last,
        seconds=decimal(asked["seconds"], "options.seconds") if asked.get("seconds") else None,
        ratio=shape,
        names=WEB_NAMES,
    )


def write_web(film: Film, model: str) -> Body:
    """Write a film in the older format."""
    only(film, "first", "last", "seconds", "size", "ratio", "lines")
    _judge_lines(film)
    first, last = addressed(film, "first"), addressed(film, "last")
    ends = last is not None and first is None
    body: Body = {
        "prompt": film.prompt,
        "model": model,
        "ratio": ratio_of(film, WEB_RATIOS) or "16:9",
        "image": last if ends else first,
        "last_image": None if ends else last,
        "options": {"seconds": length_of(film, LENGTHS) or 5, **({"image_as_end_frame": True} if ends else {})},
    }
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def error_web(answer: Answer) -> Failure:
    """Say what a refusal says; its status may be a good one."""
    said = answer.json()
    fields: Body = said if isinstance(said, dict) else {}
    codes = {400: Reason.INVALID, 404: Reason.NO_MODEL, 429: Reason.RATE_LIMITED}
    return failure(answer, fields.get("msg"), fields.get("code"), codes)


WEB_FILMS = Source(operations=("runway_web.generate",), read=read_web)
WEB_FILM_TARGET = Target(
    operations={"runway_web.generate": lambda film: True},
    write=write_web,
    error=error_web,
    facts=lambda body: {"seconds": str(body["options"]["seconds"])},
)

# Pictures -----------------------------------------------------------------------------------------------------------

PICTURE_SIZES: Mapping[str, tuple[str, str]] = {
    "16:9": ("1280:720", "1920:1080"),
    "9:16": ("720:1280", "1080:1920"),
    "1:1": ("720:720", "1080:1080"),
    "4:3": ("960:720", "1440:1080"),
    "3:4": ("720:960", "1080:1440"),
    "21:9": ("1680:720", "2112:912"),
}
"""Of each ratio, the usual size and the dearer one, of 1080 lines."""


def write_picture(picture: Picture, model: str) -> Body:
    """Write a picture for the vendor's API, in its own size of the ratio that is wanted."""
    only(picture, "image", "size", "ratio")
    if not picture.prompt:
        refuse(picture, "prompt", "the vendor of this model needs one")
    body: Body = {
        "model": model,
        "promptText": picture.prompt,
        "ratio": PICTURE_SIZES[ratio_of(picture, tuple(PICTURE_SIZES)) or "1:1"][min(picture.size or (0,)) >= 1080],
        "seed": None if picture.seed is None else picture.seed % 2**32,
        "referenceImages": [{"uri": picture.image}] if picture.image else None,
    }
    return {name: value for name, value in body.items() if value is not None}


PICTURE_TARGET = Target(
    operations={"runwayml.text_to_image": lambda picture: True},
    write=write_picture,
    error=error_published,
    models=("gen4_image*",),
)
