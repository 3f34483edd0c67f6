"""Google's films (Veo), whose frames come in the request itself.

Source: Google's reference of the Gemini API, and its Python SDK.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...declare import AnyRequest, Failure, Json, Reason
from ..chat.gemini import read_error
from .common import (
    Source,
    Target,
    alone,
    body_of,
    decimal,
    frame,
    inline,
    length_of,
    no,
    only,
    ratio,
    ratio_of,
    refuse,
    said,
    whole,
)
from .model import Body, Film

RATIOS = ("16:9", "9:16")
LENGTHS, LENGTHS_OF_VEO_2 = (4, 6, 8), (5, 6, 7, 8)
LINES: Mapping[str, int] = {"720p": 720, "1080p": 1080, "4k": 2160}
NAMES = {
    "first": "image",
    "last": "lastFrame",
    "seconds": "durationSeconds",
    "ratio": "aspectRatio",
    "lines": "resolution",
    "sound": "generateAudio",
    "count": "sampleCount",
    "negative_prompt": "negativePrompt",
}


def read(request: AnyRequest) -> Film:
    """Read what film is wanted."""
    body = body_of(request)
    instances = body.get("instances") or [{}]
    if len(instances) > 1:
        raise Failure(Reason.INVALID, "'instances': the vendor of this model makes one film", param="instances")
    instance, parameters = _camel(instances[0]), _camel(body.get("parameters") or {})
    alone(instance, "Google", ("video", "referenceImages"))
    fps = parameters.get("fps")
    resolution = parameters.get("resolution")
    lines = LINES.get(str(resolution).lower())
    if resolution is not None and lines is None:
        raise Failure(Reason.INVALID, f"'resolution' must be one of {', '.join(LINES)}", param="resolution")
    return Film(
        prompt=instance.get("prompt", ""),
        negative_prompt=parameters.get("negativePrompt", ""),
        first=_frame(instance.get("image"), "image"),
        last=_frame(instance.get("lastFrame"), "lastFrame"),
        seconds=decimal(parameters["durationSeconds"], "durationSeconds") if "durationSeconds" in parameters else None,
        ratio=ratio(parameters["aspectRatio"], "aspectRatio") if "aspectRatio" in parameters else None,
        lines=lines,
        sound=not no(parameters.get("generateAudio")),
        seed=whole(parameters["seed"], "seed") if "seed" in parameters else None,
        fps=None if fps is None or whole(fps, "fps") <= 30 else whole(fps, "fps"),
        count=whole(parameters.get("sampleCount", 1), "sampleCount"),
        names=NAMES,
    )


def _camel(fields: Mapping[str, Json]) -> Body:
    """Return fields under their names in camelCase: Google takes them in snake_case, too."""

    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.title() for word in rest)

    return said({camel(name): value for name, value in fields.items()})


def _frame(value: Json, name: str) -> str | None:
    """Return a frame, whose bytes stand under one of two names."""
    if value is None:
        return None
    fields = _camel(value)
    held = _camel(fields.get("inlineData") or fields)
    data = held.get("bytesBase64Encoded") or held.get("data")
    if not isinstance(data, str):
        raise Failure(Reason.INVALID, f"'{name}': the vendor of this model needs the bytes", param=name)
    return f"data:{held['mimeType']};base64,{data}" if "mimeType" in held else frame(data, name)


def write(film: Film, model: str) -> Body:
    """Write a film, whose sound goes without saying."""
    only(film, "negative_prompt", "first", "last", "seconds", "size", "ratio", "lines", "high", "sound", "count")
    instance: Body = {"prompt": film.prompt, "image": _held(film, "first"), "lastFrame": _held(film, "last")}
    parameters: Body = {
        "aspectRatio": ratio_of(film, RATIOS),
        "durationSeconds": length_of(film, LENGTHS_OF_VEO_2 if model.startswith("veo-2") else LENGTHS),
        "resolution": _resolution(film),
        "negativePrompt": film.negative_prompt,
        "seed": film.seed,
        "sampleCount": film.count if film.count > 1 else None,
    }
    parameters = {name: value for name, value in parameters.items() if value not in (None, "")} | dict(film.bag)
    body: Body = {"instances": [{name: value for name, value in instance.items() if value not in (None, "")}]}
    return {**body, "parameters": parameters} if parameters else body


def _resolution(film: Film) -> str | None:
    lines = film.shorter or (1080 if film.high else 0)
    return next((name for name in reversed([*LINES]) if LINES[name] <= lines), None) if lines >= 720 else None


def _held(film: Film, name: str) -> Body | None:
    picture = film.first if name == "first" else film.last
    if picture is None:
        return None
    held = inline(picture)
    if held is None:
        refuse(film, name, "the vendor of this model takes base64, no address")
    return {"bytesBase64Encoded": held[1], "mimeType": held[0]}


def _facts(body: Mapping[str, Json]) -> dict[str, Json]:
    seconds = body.get("parameters", {}).get("durationSeconds", 8)
    return {"seconds": str(seconds)}


FILMS = Source(operations=("gemini.predictLongRunning",), read=read)
FILM_TARGET = Target(
    operations={"gemini.predictLongRunning": lambda film: True}, write=write, error=read_error, facts=_facts
)
