"""Pika's own API 2.2: forms with files; one address for results.

Source: the models of ComfyUI's nodes (2025). What errors look like is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ..fields import Field, choice, number, table, text, usually
from ..job_vendor import JobVendor, Lookup, Order, Work, at
from ..media.draw import fit, size_of
from ..results import Result
from ..terms import by
from ..vendor import Call
from .pika_web import EFFECTS

LINES = {"720p": 720, "1080p": 1080}
COMMON = table(
    promptText=text(2048),
    negativePrompt=text(2048),
    seed=Field("whole", 0, 4294967295),
    resolution=usually("1080p", "720p"),
    duration=Field("whole", choices=(5, 10), default=5),
)
WORDS = table(COMMON, promptText=text(2048).must())
RATIO = number(0.4, 2.5, 1.7777777777777777)
TEXT = table(WORDS, aspectRatio=RATIO)
FRAMES = table(WORDS, duration=Field("whole", 5, 10, default=5))
SCENES = table(COMMON, ingredientsMode=choice("creative", "precise").must(), aspectRatio=RATIO)
EFFECT = table(COMMON, pikaffect=choice(*EFFECTS).must())
SWAP = table(COMMON, modifyRegionRoi=text(2048))
PICTURES = ("image", "images", "keyFrames", "modifyRegionMask")


def _fields(call: Call) -> Mapping[str, Any]:
    if call.is_form:
        return call.form.texts
    if call.request.content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(call.body.decode("utf-8", "replace")))
    raise API.refused(call, "bad_request", "the body must be a form")


def _work(path: str, fields: Mapping[str, Field], files: Mapping[str, tuple[int, int]], *also: str) -> Work:
    """Return the work of a form: of each file, how many are needed and taken; `also` may be there."""

    def check(order: Order) -> None:
        sent: Mapping[str, Sequence[bytes]] = order.call.form.uploads if order.call.is_form else {}
        for name, (least, most) in files.items():
            if not least <= len(sent.get(name, ())) <= most:
                raise order.refused("value", f"{name}: {least} to {most} files are needed")
        for name, uploads in sent.items():
            if name not in files and name not in also:
                raise order.refused("value", f"{name} is not taken")
            for data in uploads:
                if name in PICTURES and size_of(data) is None:
                    raise order.refused("value", f"{name} is no picture")
                order.facts.setdefault("picture", data if name in PICTURES else None)

    return Work(f"/generate/{path}", 60, fields, _film, check=check, body=_fields)


def _film(order: Order) -> Sequence[Result]:
    picture, side = order.facts.get("picture"), by("resolution", LINES)(order)
    wide, high = size_of(picture or b"") or (order.said("aspectRatio", 1.7777), 1)
    size = fit(wide / high, side * side * max(wide / high, high / wide), 8)
    return [Result("film", order.draw(size, source=picture), order.said("duration"))]


API = JobVendor(
    name="pika_api",
    works=[
        _work("2.2/t2v", TEXT, {}),
        _work("2.2/i2v", COMMON, {"image": (1, 1)}),
        _work("2.2/pikaframes", FRAMES, {"keyFrames": (2, 2)}),
        _work("2.2/pikascenes", SCENES, {"images": (1, 5)}),
        _work("pikaffects", EFFECT, {"image": (1, 1)}),
        _work("pikaswaps", SWAP, {"video": (1, 1)}, "image", "modifyRegionMask"),
        _work("pikadditions", COMMON, {"video": (1, 1), "image": (1, 1)}),
    ],
    words={"queued": "queued", "running": "started", "done": "finished", "failed": "failed"},
    shown=lambda task: {
        "id": task.id,
        "status": task.status,
        "progress": task.job.percent,
        "url": task.artefacts[0].url if task.artefacts else None,
        **({"error": task.reason} if task.reason else {}),
    },
    accepted={"video_id": "id"},
    lookups=[Lookup("GET", "/videos/{id}")],
    errors={
        **at(400, bad_request="invalid_request", value="invalid_request", moderated="content_moderation"),
        **at(401, unauthorized="invalid_api_key"),
        **at(404, not_found="not_found"),
        **at(429, rate_limited="rate_limit_exceeded"),
        **at(500, server_error="internal_error"),
    },
    error=lambda call, code, message: {"code": code, "message": message},
    lenient=True,
    settings={"at_root": False},
)
VENDOR = API.vendor()
