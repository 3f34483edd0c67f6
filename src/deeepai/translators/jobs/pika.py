"""Pika's films: the formats of relays and of its web site, and the vendor's own forms.

Source: documents of relays (2024 and 2025); the models of ComfyUI's nodes (2025).
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
    frame_of,
    inline,
    length_of,
    only,
    ratio,
    ratio_of,
    refuse,
    said,
    whole,
)
from .model import Body, Film, Shape

RATIOS = ("16:9", "9:16", "1:1", "5:2", "4:5", "4:3")
NARROWEST, WIDEST = 0.4, 2.5
NAMES = {"first": "image", "sound": "sfx", "negative_prompt": "negativePrompt", "lines": "resolution"}
WEB_NAMES = {**NAMES, "ratio": "aspectRatio"}
API_NAMES = {**WEB_NAMES, "seconds": "duration"}
_CODES: dict[Json, Reason] = {400: Reason.INVALID, "content_moderation": Reason.MODERATED}


def _parameters(options: Body) -> Body:
    """Return what is said among the options' parameters, which are the vendor's alone but for two."""
    parameters = said(options.get("parameters", {}))
    alone(options, "Pika", ("camera", "extend"))
    return parameters


def read_relay(request: AnyRequest) -> Film:
    """Read what film is wanted of a relay."""
    body = body_of(request)
    alone(body, "Pika", ("style", "video"))
    parameters = _parameters(body.get("options", {}))
    return Film(
        prompt=body.get("prompt", ""),
        negative_prompt=parameters.get("negativePrompt", ""),
        first=frame(body["image"], "image") if "image" in body else None,
        ratio=ratio(body["ratio"], "ratio") if "ratio" in body else None,
        sound=bool(body.get("sfx")),
        seed=whole(parameters["seed"], "seed") if "seed" in parameters else None,
        names=NAMES,
    )


def _shape(value: Json) -> Shape:
    """Return a ratio that is written as a number."""
    number = decimal(value, "aspectRatio")
    if not 0.1 <= number <= 10:
        raise Failure(Reason.INVALID, "'aspectRatio' must be a ratio", param="aspectRatio")
    return round(number * 10_000), 10_000


def read_web(request: AnyRequest) -> Film:
    """Read what film is wanted in the web site's format."""
    body = body_of(request)
    alone(body, "Pika", ("pikaffect",))
    options = body.get("options", {})
    parameters = _parameters(options)
    return Film(
        prompt=body.get("promptText", ""),
        negative_prompt=parameters.get("negativePrompt", ""),
        first=frame(body["image"], "image") if "image" in body else None,
        ratio=_shape(options["aspectRatio"]) if options.get("aspectRatio") else None,
        names=WEB_NAMES,
    )


def read(request: AnyRequest) -> Film:
    """Read what film is wanted of the vendor: a form, whose first frame is a file."""
    body = body_of(request)
    sent = next((part for part in request.parts if part.name == "image" and part.filename is not None), None)
    first = frame_of(sent.data) if sent is not None else frame(body["image"], "image") if "image" in body else None
    lines = str(body["resolution"]).removesuffix("p") if "resolution" in body else None
    return Film(
        prompt=body.get("promptText", ""),
        negative_prompt=body.get("negativePrompt", ""),
        first=first,
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        ratio=_shape(body["aspectRatio"]) if "aspectRatio" in body else None,
        lines=None if lines is None else whole(lines, "resolution"),
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names=API_NAMES,
    )


def write_relay(film: Film, model: str) -> Body:
    """Write a film for a relay, which chooses size and length."""
    only(film, "negative_prompt", "first", "seconds", "size", "ratio", "lines", "sound")
    length_of(film, (5,))
    shape = ratio_of(film, RATIOS)
    parameters = said({"negativePrompt": film.negative_prompt, "seed": film.seed})
    body: Body = {
        "prompt": film.prompt,
        "model": model,
        "image": addressed(film, "first"),
        "ratio": None if film.first else shape,
        "sfx": film.sound or None,
        "options": {"parameters": parameters} if parameters else {},
    }
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def _number(film: Film) -> float | None:
    """Return the ratio that is wanted as a number, where no frame decides it."""
    if film.shape is None or film.first:
        return None
    number = round(film.shape[0] / film.shape[1], 4)
    if not NARROWEST <= number <= WIDEST:
        refuse(film, "size" if film.size else "ratio", f"the vendor of this model takes {NARROWEST} to {WIDEST}")
    return number


def write_web(film: Film, model: str) -> Body:
    """Write a film in the web site's format."""
    only(film, "negative_prompt", "first", "seconds", "size", "ratio", "lines")
    length_of(film, (5,))
    parameters = said({"negativePrompt": film.negative_prompt})
    options = said({"aspectRatio": _number(film), "parameters": parameters})
    body: Body = {"promptText": film.prompt, "model": model, "image": film.first, "options": options}
    return said(body) | dict(film.bag)


def write(film: Film, model: str) -> Body:
    """Write a film for the vendor, to which frames go as files."""
    only(film, "negative_prompt", "first", "seconds", "size", "ratio", "lines")
    if film.first is not None and inline(film.first) is None:
        refuse(film, "first", "the vendor of this model takes pictures themselves, and no addresses")
    body: Body = {
        "promptText": film.prompt,
        "negativePrompt": film.negative_prompt,
        "image": film.first,
        "duration": length_of(film, (5, 10)),
        "resolution": None if film.shorter is None else "1080p" if film.shorter > 720 else "720p",
        "aspectRatio": _number(film),
        "seed": film.seed,
    }
    return said(body) | dict(film.bag)


def error(answer: Answer) -> Failure:
    """Say what a refusal says, in any of the formats."""
    told = answer.json()
    fields: Body = told if isinstance(told, dict) else {}
    fault = fields.get("error")
    if isinstance(fault, dict):
        return failure(answer, fault.get("message"), fault.get("code"), _CODES)
    return failure(answer, fields.get("message", fields.get("msg")), fields.get("code"), _CODES)


def _facts(body: Mapping[str, Json]) -> Body:
    return {"seconds": str(body.get("duration", 5))}


SOURCES = (
    Source(operations=("pika.generate",), read=read_relay),
    Source(operations=("pika_web.generate",), read=read_web),
    Source(operations=("pika_api.t2v", "pika_api.i2v"), read=read),
)
TARGETS = (
    Target(operations={"pika.generate": lambda film: True}, write=write_relay, error=error, facts=_facts),
    Target(operations={"pika_web.generate": lambda film: True}, write=write_web, error=error, facts=_facts),
    Target(
        operations={"pika_api.t2v": lambda film: not film.first, "pika_api.i2v": lambda film: bool(film.first)},
        write=write,
        error=error,
        facts=_facts,
    ),
)
