"""OpenAI's films, and the same in the relays' own form.

Source: OpenAI's OpenAPI document 2.3.0; new-api's document for `/v1/video/generations`.
"""

from __future__ import annotations

import msgspec

from ...declare import AnyRequest, Failure, Json, Reason
from ..chat.openai import read_error
from .common import (
    Source,
    Target,
    body_of,
    decimal,
    frame,
    frame_of,
    length_of,
    only,
    ratio_of,
    refuse,
    size,
    times,
    whole,
)
from .model import Body, Film, Shape

SORA_LENGTHS = (4, 8, 12)
SORA_SIZES = {"16:9": ("1280x720", "1792x1024"), "9:16": ("720x1280", "1024x1792")}
"""Of each ratio, the usual one and one of the pro model alone."""
SMOOTH = 30
"""Pictures a second: of those, all vendors make as many, or nearly."""
_NAMES = {"first": "input_reference"}
_RELAYS_NAMES = {"first": "image", "seconds": "duration", "high": "mode", "count": "n"}


def read(request: AnyRequest) -> Film:
    """Read what film is wanted: JSON, or a form whose first frame is a file."""
    body = body_of(request)
    return Film(
        prompt=body.get("prompt", ""),
        first=_reference(request, body.get("input_reference")),
        seconds=decimal(body["seconds"], "seconds") if "seconds" in body else None,
        size=size(body["size"]) if "size" in body else None,
        bag=_bag(body.get("metadata")),
        names=_NAMES,
    )


def _reference(request: AnyRequest, value: Json) -> str | None:
    sent = next((part for part in request.parts if part.name == "input_reference" and part.filename is not None), None)
    if sent is not None:
        return frame_of(sent.data)
    if isinstance(value, dict):
        if "image_url" not in value:
            message = "'input_reference': the vendor of this model does not have the file"
            raise Failure(Reason.INVALID, message, param="input_reference")
        value = value["image_url"]
    return None if value is None else frame(value, "input_reference")


def _bag(value: Json) -> Body:
    """Return the fields that go to the vendor as they are; a form holds them as JSON."""
    try:
        bag = msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        bag = value
    if bag is None:
        return {}
    if not isinstance(bag, dict):
        raise Failure(Reason.INVALID, "'metadata' must be a JSON object", param="metadata")
    if bag.get("callback_url"):
        message = "'callback_url': callbacks are in the format that was asked in, and this one has none"
        raise Failure(Reason.INVALID, message, param="metadata.callback_url")
    return bag


def read_relays(request: AnyRequest) -> Film:
    """Read what film is wanted in the relays' form."""
    body = body_of(request)
    seconds = body.get("duration", body.get("seconds"))
    shape: Shape | None = size(body["size"]) if "size" in body else None
    if body.get("width") and body.get("height"):
        shape = body["width"], body["height"]
    fps = whole(body.get("fps", SMOOTH), "fps")
    return Film(
        prompt=body.get("prompt", ""),
        first=frame(body["image"], "image") if "image" in body else None,
        seconds=None if seconds is None else decimal(seconds, "duration"),
        size=shape,
        high=body.get("mode") == "pro",
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        fps=None if fps <= SMOOTH else fps,
        count=whole(body.get("n", 1), "n"),
        bag=_bag(body.get("metadata")),
        names=_RELAYS_NAMES,
    )


def write(film: Film, model: str) -> Body:
    """Write a film, whose sound goes without saying; other vendors' models at a relay have other lengths and sizes."""
    only(film, "first", "seconds", "size", "ratio", "lines", "sound")
    if not film.prompt:
        refuse(film, "prompt", "the vendor of this model needs one")
    own = model.startswith("sora")
    seconds = length_of(film, SORA_LENGTHS) if own else film.seconds
    body: Body = {"model": model, "prompt": film.prompt}
    if seconds is not None:
        body["seconds"] = f"{seconds:g}"
    if film.shape is not None:
        body["size"] = _sora_size(film, model) if own else _any_size(film)
    if film.first:
        body["input_reference"] = {"image_url": film.first}
    return body | dict(film.bag)


def _sora_size(film: Film, model: str) -> str:
    asked = times(film.size) if film.size is not None else ""
    if asked in ("1792x1024", "1024x1792"):
        return asked
    pair = SORA_SIZES[ratio_of(film, tuple(SORA_SIZES)) or "9:16"]
    return pair["pro" in model and (film.shorter or 0) >= 1080]


def _any_size(film: Film) -> str:
    if film.size is not None or film.ratio is None:
        return times(film.size or (1280, 720))
    wide, high = film.ratio
    lines = film.lines or 720
    return times((round(lines * wide / min(wide, high)), round(lines * high / min(wide, high))))


FILMS = Source(operations=("openai.videos.create",), read=read)
RELAYS_FILMS = Source(operations=("openai.video.generations",), read=read_relays)
FILM_TARGET = Target(operations={"openai.videos.create": lambda film: True}, write=write, error=read_error)
