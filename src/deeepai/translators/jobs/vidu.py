"""Vidu's films: the vendor's own format, and that of its web site.

Source: platform.vidu.com's documents (2025 and 2026); gpt-best's and gptgod's (2024 and 2025).
"""

from __future__ import annotations

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
    said,
    whole,
)
from .model import Body, Film

OLD = ("vidu1.5", "vidu2.0")
RATIOS = ("16:9", "9:16", "1:1")
MORE_RATIOS = (*RATIOS, "3:4", "4:3")
NAMES = {"first": "images", "last": "images", "seconds": "duration", "ratio": "aspect_ratio", "lines": "resolution"}
WEB_NAMES = {"first": "prompts", "last": "prompts", "seconds": "duration", "ratio": "aspect_ratio"}
_CODES: dict[Json, Reason] = {
    **dict.fromkeys(("BadRequest", "FieldLacking", "FieldInvalid", "ImageFormatInvalid"), Reason.INVALID),
    **dict.fromkeys(("TaskPromptPolicyViolation", "AuditSubmitIllegal", "CreationPolicyViolation"), Reason.MODERATED),
    **dict.fromkeys(("QuotaExceeded", "TooManyRequests"), Reason.RATE_LIMITED),
    "SystemThrottling": Reason.UNAVAILABLE,
    "ModelUnavailable": Reason.NO_MODEL,
}


def read(request: AnyRequest) -> Film:
    """Read what film is wanted: of its pictures the first begins it, and the second ends it."""
    body = body_of(request)
    alone(body, "Vidu", ("bgm", "off_peak", "watermark"))
    for name, usual in (("movement_amplitude", "auto"), ("style", "general")):
        if body.get(name, usual) != usual:
            alone(body, "Vidu", (name,))
    first, last, *_ = [*(frame(picture, "images") for picture in body.get("images", ())), None, None]
    return Film(
        prompt=body.get("prompt", ""),
        first=first,
        last=last,
        seconds=decimal(body["duration"], "duration") if "duration" in body else None,
        ratio=ratio(body["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in body else None,
        lines=whole(str(body["resolution"]).removesuffix("p"), "resolution") if "resolution" in body else None,
        sound=not no(body.get("audio")),
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        names={**NAMES, "sound": "audio"},
    )


def read_web(request: AnyRequest) -> Film:
    """Read what film is wanted in the web site's format."""
    body = body_of(request)
    if body.get("type") not in ("text2video", "img2video"):
        alone(body, "Vidu", ("type",))
    settings, prompts = said(body.get("settings", {})), body["input"].get("prompts", ())
    if settings.get("style", "general") != "general":
        alone(settings, "Vidu", ("style",))
    pictures = [prompt["content"] for prompt in prompts if prompt["type"] == "image"]
    first, last, *_ = [*(frame(picture, "prompts") for picture in pictures), None, None]
    return Film(
        prompt=" ".join(prompt["content"] for prompt in prompts if prompt["type"] == "text"),
        first=first,
        last=last,
        seconds=decimal(settings["duration"], "duration") if "duration" in settings else None,
        ratio=ratio(settings["aspect_ratio"], "aspect_ratio") if "aspect_ratio" in settings else None,
        names=WEB_NAMES,
    )


def _offers(model: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lengths (s) and the lines that a model makes."""
    if model in OLD:
        return (4, 8), (360, 720, 1080)
    if model.startswith("viduq3"):
        return tuple(range(1, 17)), (540, 720, 1080)
    return (tuple(range(1, 11)), (540, 720, 1080)) if model.startswith("viduq2") else ((5,), (1080,))


def write(film: Film, model: str) -> Body:
    """Write a film; the frames decide its ratio."""
    newest = model.startswith("viduq3")
    only(film, "first", "last", "seconds", "size", "ratio", "lines", *(("sound",) if newest else ()))
    if film.last and not film.first:
        refuse(film, "last", "the vendor of this model takes a last frame after a first one")
    lengths, offered = _offers(model)
    wanted = film.shorter
    lines = None if wanted is None else next((lines for lines in offered if lines >= wanted), None)
    if wanted is not None and lines is None:
        refuse(film, "size" if film.size else "lines", f"the vendor of this model makes {offered[-1]} lines at most")
    shape = ratio_of(film, MORE_RATIOS if model.startswith(("viduq2", "viduq3")) else RATIOS)
    body: Body = {
        "model": model,
        "prompt": film.prompt,
        "images": [picture for picture in (film.first, film.last) if picture],
        "duration": length_of(film, lengths),
        "resolution": None if lines is None else f"{lines}p",
        "aspect_ratio": None if film.first else shape,
        "seed": film.seed,
        "audio": film.sound or None,
    }
    return said(body) | dict(film.bag)


def write_web(film: Film, model: str) -> Body:
    """Write a film in the web site's format."""
    only(film, "first", "seconds", "size", "ratio", "lines")
    picture = addressed(film, "first")
    prompts: list[Json] = [{"type": "text", "content": film.prompt}] if film.prompt else []
    prompts += [{"type": "image", "content": picture}] if picture else []
    settings: Body = {"model": model, "duration": length_of(film, (4, 8)), "aspect_ratio": ratio_of(film, RATIOS)}
    kind = "img2video" if picture else "text2video"
    return {"type": kind, "input": {"prompts": prompts}, "settings": said(settings)} | dict(film.bag)


def error(answer: Answer) -> Failure:
    """Say what a refusal says, in either format."""
    told = answer.json()
    fields: Body = told if isinstance(told, dict) else {}
    fault = fields.get("error")
    if isinstance(fault, dict):
        return failure(answer, fault.get("message"), fault.get("code"), _CODES)
    return failure(answer, fields.get("message"), fields.get("reason"), _CODES)


SOURCES = (
    Source(operations=("vidu_ent.text2video", "vidu_ent.img2video", "vidu_ent.start-end2video"), read=read),
    Source(operations=("vidu.tasks",), read=read_web),
)
TARGETS = (
    Target(
        operations={
            "vidu_ent.text2video": lambda film: not (film.first or film.last),
            "vidu_ent.img2video": lambda film: bool(film.first) and not film.last,
            "vidu_ent.start-end2video": lambda film: bool(film.last),
        },
        write=write,
        error=error,
        facts=lambda body: {"seconds": str(body.get("duration", 4 if body["model"] in OLD else 5))},
    ),
    Target(
        operations={"vidu.tasks": lambda film: True},
        write=write_web,
        error=error,
        facts=lambda body: {"seconds": str(body["settings"].get("duration", 4))},
    ),
)
