"""Pixverse's films: in the vendor's own format from words alone, in the two of relays from addresses of frames, too.

Source: docs.platform.pixverse.ai (2025 and 2026); documents of relays (2025).
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
    whole,
)
from .model import Body, Film

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
LINES = (360, 540, 720, 1080)
USUAL = "540p"
"""What the vendor's own client asks for, where its caller does not say."""
OLD = ("v3.5", "v4", "v4.5", "v5")
"""Models that make nothing longer than 8 s."""
_ALONE = ("style", "template_id", "camera_movement", "lip_sync_tts_content", "motion_scale", "original_video_id")
_CODES: dict[Json, Reason] = {
    **dict.fromkeys((400, 400011, 400013, 400017, 400018, 400019), Reason.INVALID),
    **dict.fromkeys((500054, 500063), Reason.MODERATED),
    500044: Reason.RATE_LIMITED,
    500069: Reason.UNAVAILABLE,
}
_NAMES = {"seconds": "duration", "lines": "quality", "sound": "sound_effect_switch"}
RELAY_NAMES = {**_NAMES, "first": "image", "last": "last_image"}
WEB_NAMES = {**_NAMES, "ratio": "aspect_ratio", "first": "img_url", "last": "frame"}
NAMES = {**_NAMES, "ratio": "aspect_ratio"}


def read_relay(request: AnyRequest) -> Film:
    """Read what film is wanted of a relay."""
    body = body_of(request)
    alone(body, "Pixverse", _ALONE)
    return Film(
        prompt=body.get("prompt", ""),
        negative_prompt=body.get("negative_prompt", ""),
        first=frame(body["image"], "image") if "image" in body else None,
        last=frame(body["last_image"], "last_image") if "last_image" in body else None,
        ratio=ratio(body["ratio"], "ratio") if "ratio" in body else None,
        sound=body.get("sound_effect_switch") == 1,
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names=RELAY_NAMES,
    )


def _read(body: Body, names: dict[str, str], first: Json = None, last: Json = None) -> Film:
    alone(body, "Pixverse", _ALONE)
    if body.get("motion_mode", "normal") != "normal":
        alone(body, "Pixverse", ("motion_mode",))
    return Film(
        prompt=body.get("prompt", ""),
        negative_prompt=body.get("negative_prompt", ""),
        first=None if first is None else frame(first, names["first"]),
        last=None if last is None else frame(last, names["last"]),
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        lines=None if body.get("quality", USUAL) == USUAL else whole(body["quality"].removesuffix("p"), "quality"),
        sound=not no(body.get("sound_effect_switch")),
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names=names,
    )


def read_web(request: AnyRequest) -> Film:
    """Read what film is wanted in the web site's format."""
    body = body_of(request)
    pair: Json = body.get("frame") or [body.get("img_url"), None]
    first, last = pair
    return _read(body, WEB_NAMES, first, last)


def read(request: AnyRequest) -> Film:
    """Read what film is wanted of the vendor: from words, for of frames it has ids alone."""
    return _read(body_of(request), NAMES)


def write_relay(film: Film, model: str) -> Body:
    """Write a film for a relay, which chooses size and length."""
    only(film, "negative_prompt", "first", "last", "seconds", "size", "ratio", "lines", "sound")
    length_of(film, (5,))
    shape = ratio_of(film, RATIOS)
    body: Body = {
        "model": model,
        "prompt": film.prompt,
        "negative_prompt": film.negative_prompt,
        "image": addressed(film, "first"),
        "last_image": addressed(film, "last"),
        "ratio": None if film.first else shape,
        "seed": film.seed,
        "sound_effect_switch": 1 if film.sound else None,
    }
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def _written(film: Film, model: str) -> Body:
    lengths = (5, 8) if model.removeprefix("pixverse-") in OLD else (5, 8, 10)
    body: Body = {
        "model": model,
        "prompt": film.prompt,
        "negative_prompt": film.negative_prompt,
        "duration": length_of(film, lengths) or 5,
        "quality": USUAL if film.shorter is None else quality(film, film.shorter),
        "aspect_ratio": ratio_of(film, RATIOS),
        "seed": film.seed,
    }
    return {name: value for name, value in body.items() if value not in (None, "")}


def quality(film: Film, wanted: int) -> str:
    """Return the lowest of the vendor's sizes that is no smaller than what is wanted."""
    best = next((lines for lines in LINES if lines >= wanted), None)
    if best is None:
        refuse(film, "size" if film.size else "lines", f"the vendor of this model makes {LINES[-1]} lines at most")
    return f"{best}p"


def write_web(film: Film, model: str) -> Body:
    """Write a film in the web site's format."""
    only(film, "negative_prompt", "first", "last", "seconds", "size", "ratio", "lines")
    first, last = addressed(film, "first"), addressed(film, "last")
    if last and not first:
        refuse(film, "last", "the vendor of this model takes a last frame after a first one")
    frames: Body = {"frame": [first, last]} if last else {"img_url": first} if first else {}
    return _written(film, model) | frames | dict(film.bag)


def write(film: Film, model: str) -> Body:
    """Write a film for the vendor."""
    only(film, "negative_prompt", "seconds", "size", "ratio", "lines", "sound")
    sound: Body = {"sound_effect_switch": True} if film.sound else {}
    return {"aspect_ratio": "16:9"} | _written(film, model) | sound | dict(film.bag)


def error(answer: Answer) -> Failure:
    """Say what a refusal says, in any of the formats."""
    said = answer.json()
    fields: Body = said if isinstance(said, dict) else {}
    message = fields.get("ErrMsg", fields.get("msg"))
    return failure(answer, message, fields.get("ErrCode", fields.get("code")), _CODES)


def _facts(body: Mapping[str, Json]) -> Body:
    return {"seconds": str(body.get("duration", 5))}


SOURCES = (
    Source(operations=("pixverse.generate",), read=read_relay),
    Source(operations=("pixverse_web.generate",), read=read_web),
    Source(operations=("pixverse_platform.video.text",), read=read),
)
TARGETS = (
    Target(
        operations={"pixverse_platform.video.text": lambda film: True},
        write=write,
        error=error,
        facts=_facts,
    ),
    Target(operations={"pixverse_web.generate": lambda film: True}, write=write_web, error=error, facts=_facts),
    Target(operations={"pixverse.generate": lambda film: True}, write=write_relay, error=error, facts=_facts),
)
