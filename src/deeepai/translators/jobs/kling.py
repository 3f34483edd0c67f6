"""Kling's films: from words, or from a first or last frame; and its pictures.

Source: the vendor's document (copies of 2025 and 2026).
"""

from __future__ import annotations

from ...declare import Answer, AnyRequest, Failure, Reason
from .common import (
    Source,
    Target,
    alone,
    bare,
    body_of,
    decimal,
    failure,
    frame,
    length_of,
    no,
    only,
    ratio,
    ratio_of,
    whole,
)
from .model import Body, Film, Picture

GUIDANCE = 0.5
"""What the vendor takes where nothing is said."""
LENGTHS, LENGTHS_OF_V3 = (5, 10), tuple(range(3, 16))
FILM_RATIOS = ("16:9", "9:16", "1:1")
RATIOS = (*FILM_RATIOS, "4:3", "3:4", "3:2", "2:3", "21:9")
NAMES = {
    "first": "image",
    "last": "image_tail",
    "seconds": "duration",
    "ratio": "aspect_ratio",
    "high": "mode",
    "guidance": "cfg_scale",
    "count": "n",
}
_MASKS = ("static_mask", "dynamic_masks")
_FILM_ALONE = (*_MASKS, "camera_control", "element_list", "voice_list", "multi_shot", "multi_prompt", "watermark_info")
_PICTURE_ALONE = ("image_reference", "image_fidelity", "human_fidelity", "resolution", "watermark_info")
_CODES = {1201: Reason.INVALID, 1203: Reason.NO_MODEL, 1301: Reason.MODERATED}


def read(request: AnyRequest) -> Film:
    """Read what film is wanted."""
    body = body_of(request)
    alone(body, "Kling", _FILM_ALONE)
    guidance = decimal(body.get("cfg_scale", GUIDANCE), "cfg_scale")
    return Film(
        prompt=body.get("prompt", ""),
        negative_prompt=body.get("negative_prompt", ""),
        first=frame(body["image"], "image") if "image" in body else None,
        last=frame(body["image_tail"], "image_tail") if "image_tail" in body else None,
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        high=body.get("mode") == "pro",
        sound=body.get("sound") == "on",
        guidance=None if guidance == GUIDANCE else guidance,
        names=NAMES,
    )


def write(film: Film, model: str) -> Body:
    """Write a film; the frames decide its ratio."""
    only(film, "negative_prompt", "first", "last", "seconds", "size", "ratio", "lines", "high", "sound", "guidance")
    shape = ratio_of(film, FILM_RATIOS)
    seconds = length_of(film, LENGTHS_OF_V3 if model.startswith("kling-v3") else LENGTHS)
    body: Body = {
        "model_name": model,
        "prompt": film.prompt,
        "negative_prompt": film.negative_prompt,
        "image": bare(film.first) if film.first else None,
        "image_tail": bare(film.last) if film.last else None,
        "duration": str(seconds or 5),
        "aspect_ratio": None if film.first or film.last else shape,
        "mode": "pro" if film.high or (film.shorter or 0) >= 1080 else None,
        "sound": "on" if film.sound else None,
        "cfg_scale": film.guidance,
    }
    return {name: value for name, value in body.items() if value not in (None, "")} | dict(film.bag)


def _framed(film: Film) -> bool:
    return any((film.first, film.last, film.bag.get("image"), film.bag.get("image_tail")))


def error(answer: Answer) -> Failure:
    """Say what a refusal says."""
    said = answer.json()
    fields: Body = said if isinstance(said, dict) else {}
    return failure(answer, fields.get("message"), fields.get("code"), _CODES)


def read_picture(request: AnyRequest) -> Picture:
    """Read what pictures are wanted."""
    body = body_of(request)
    alone(body, "Kling", _PICTURE_ALONE)
    return Picture(
        prompt=body.get("prompt", ""),
        negative_prompt=body.get("negative_prompt", ""),
        image=frame(body["image"], "image") if "image" in body else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        count=whole(body.get("n", 1), "n"),
        names=NAMES,
    )


def write_picture(picture: Picture, model: str) -> Body:
    """Write pictures; of their size the vendor is told the ratio."""
    only(picture, "negative_prompt", "image", "size", "ratio", "count")
    body: Body = {
        "model_name": model,
        "prompt": picture.prompt,
        "negative_prompt": picture.negative_prompt,
        "image": bare(picture.image) if picture.image else None,
        "aspect_ratio": ratio_of(picture, RATIOS),
        "n": picture.count if picture.count > 1 else None,
        **{name: value for name, value in picture.own.items() if name in _PICTURE_ALONE and not no(value)},
    }
    return {name: value for name, value in body.items() if value not in (None, "")}


FILMS = Source(operations=("kling.videos.text2video", "kling.videos.image2video"), read=read)
FILM_TARGET = Target(
    operations={"kling.videos.text2video": lambda film: not _framed(film), "kling.videos.image2video": _framed},
    write=write,
    error=error,
    facts=lambda body: {"seconds": body["duration"]},
)
PICTURES = Source(operations=("kling.images.generations",), read=read_picture)
PICTURE_TARGET = Target(operations={"kling.images.generations": lambda picture: True}, write=write_picture, error=error)
