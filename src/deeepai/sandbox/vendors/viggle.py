"""Viggle as relays have it: a library of pictures and videos, templates, and films of the one moved by the other.

Source: the relays' documents of 2024 and 2025, and clients of the vendor's web API; bounds are those of the vendor's
official API, which takes videos of at most five minutes. What creates from files at once has no document.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..conditions import ABSENT, Rule
from ..fields import Field, table
from ..job_vendor import Balance, Hook, JobVendor, Lookup, Order, Task, Work, at
from ..media.draw import MIME, Picture, recipe, size_of
from ..media.video import film
from ..results import Result
from ..vendor import Answer, Call, Route, digest_of, json_answer

LONGEST = 300
"""Seconds of a video that moves a picture."""
PLANS = ("", "/pro")
TAGS = [{"id": "1", "name": "Dance", "sort": 1}, {"id": "2", "name": "Sport", "sort": 2}]


@dataclass(frozen=True)
class Film:
    """A video or a template: its size and seconds, and a template's tag and how many people it shows."""

    size: tuple[int, int]
    seconds: float
    words: str = ""
    tag: str = ""
    people: int = 1


TEMPLATES = {
    "1": Film((720, 1280), 11.2, "A shuffle", "1"),
    "2": Film((720, 1280), 6, "A backflip", "2"),
    "3": Film((1280, 720), 8, "Two dancers", "1", 2),
    "4": Film((1280, 720), 15, "A team of four", "2", 4),
}

# What is taken ------------------------------------------------------------------------------------------------------


def film_of(data: bytes) -> Film | None:
    """Read size and seconds of an MP4 file; None if it is none, or has no picture."""
    movie, track = data.find(b"mvhd"), data.find(b"tkhd")
    if data[4:8] != b"ftyp" or movie < 0 or track < 0 or len(data) < track + 88:
        return None
    clock, length = struct.unpack_from(">II", data, movie + 16)
    width, height = struct.unpack_from(">II", data, track + 80)
    return Film((width >> 16, height >> 16), length / clock) if clock and width and height else None


def _shelf(call: Call, kind: str) -> dict[str, Any]:
    return call.world.shelves[call.owner, f"viggle.{kind}"]


def _picture(order: Order, *names: str) -> bytes | None:
    """Return the picture that came as a file, or whose id came; None where an address did, which is not fetched."""
    call = order.call
    for name in names:
        if call.is_form and name in call.form.files:
            return _checked_picture(order.vendor, call, call.form.files[name])
    return _kept(order, "image", str(order.body["imageID"])) if order.body.get("imageID") else None


def _checked_picture(vendor: JobVendor, call: Call, data: bytes) -> bytes:
    if size_of(data) is None:
        raise vendor.refused(call, "media", "the file is not a picture (jpeg, png, gif)")
    return data


def _checked_film(vendor: JobVendor, call: Call, data: bytes) -> Film:
    found = film_of(data)
    if found is None:
        raise vendor.refused(call, "media", "the file is not an mp4 video")
    if found.seconds > LONGEST:
        raise vendor.refused(call, "value", f"the video is longer than {LONGEST} s")
    return found


def _kept(order: Order, kind: str, name: str) -> Any:
    if (found := _shelf(order.call, kind).get(name)) is None:
        raise order.refused("unknown_id", f"{kind} {name[:80]} is not in the library")
    return found[1]


def _motion(order: Order, people: int) -> Film:
    """Return what moves the characters."""
    body, call = order.body, order.call
    if call.is_form and "video" in call.form.files:
        return _checked_film(order.vendor, call, call.form.files["video"])
    if body.get("videoID"):
        return _kept(order, "video", body["videoID"])
    if body.get("templateID"):
        template = TEMPLATES.get(body["templateID"])
        if template is None or template.people < people:
            raise order.refused("unknown_id", f"template {body['templateID'][:80]} is not one for {people}")
        return template
    if body.get("videoURL"):
        return Film((720, 1280), 10)
    raise order.refused("missing", "a video or a template is required")


def _one(order: Order) -> None:
    order.facts["picture"] = _picture(order, "image", "file")
    if order.facts["picture"] is None and not order.body.get("imageURL"):
        raise order.refused("missing", "image is required")
    order.facts["film"] = _motion(order, 1)


def _several(order: Order) -> None:
    uploads = order.call.form.uploads.get("images", ()) if order.call.is_form else ()
    pictures = [_checked_picture(order.vendor, order.call, data) for data in uploads]
    pictures += [_kept(order, "image", str(name)) for name in order.body.get("imageIDs", ())]
    if not pictures:
        raise order.refused("missing", "images or imageIDs is required")
    order.facts.update(picture=pictures[0], film=_motion(order, len(pictures)))


def _sent(call: Call) -> Mapping[str, Any]:
    if not call.is_form:
        return call.json
    texts = dict(call.form.texts)
    try:
        return texts | {"imageIDs": json.loads(texts["imageIDs"])} if texts.get("imageIDs") else texts
    except ValueError:
        raise call.refused("bad_request", 400, "imageIDs is not a JSON array") from None


def _filmed(order: Order) -> Sequence[Result]:
    """Make the film: as wide and high as what gives the background."""
    found: Film = order.facts["film"]
    source: bytes | None = order.facts["picture"]
    own = size_of(source) if source is not None and order.body["bgMode"] == 3 else None
    return [Result("film", order.draw(own or found.size, source=source), found.seconds, loud=True)]


def _price(order: Order) -> float:
    found: Film = order.facts["film"]
    return math.ceil(found.seconds)


def _fields(background: int) -> Mapping[str, Field]:
    return table(
        imageID=Field(),
        imageURL=Field(),
        videoID=Field(),
        videoURL=Field(),
        imageIDs=Field("list", 1, 10),
        templateID=Field(),
        bgMode=Field("whole", 0, 3, default=background),
        modelInfoID=Field("whole", choices=(2, 3, 4), default=4),
        watermark=Field("whole", 0, 1, default=1),
        callback_url=Field(),
    )


# How it is told -----------------------------------------------------------------------------------------------------


def _shown(task: Task) -> dict[str, Any]:
    done = task.done is not None
    found: Film = task.facts["film"]
    return {
        "taskID": task.id,
        "name": task.body.get("imageID", ""),
        "status": int(task.status),
        "reason": task.reason,
        "videoDuration": found.seconds,
        "bgMode": task.body["bgMode"],
        "modelInfoID": task.body["modelInfoID"],
        "optimize": False,
        "watermark": task.body["watermark"],
        "freeCredits": 0,
        "planCredits": math.ceil(task.price),
        "purchasedCredits": 0,
        "mqType": 0,
        "result": task.artefacts[0].url if done else "",
        "resultCover": task.artefacts[0].cover if done else "",
        "createdAt": _moment(task.job.created),
    }


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _good(call: Call, data: Any) -> Any:
    return {"code": 0, "message": "ok", "ts": "", "reason": "", "data": data}


# The library and the templates --------------------------------------------------------------------------------------


async def _upload(kind: str, call: Call) -> Answer:
    data = call.form.files.get("file")
    if data is None:
        raise JOBS.refused(call, "missing", "file is required")
    owner = call.params.get("imageID")
    if owner is not None and owner not in _shelf(call, "image"):
        raise JOBS.refused(call, "unknown_id", f"image {owner[:80]} is not in the library")
    files, name = call.world.files, call.world.ids.uuid()
    kept: Any = _checked_picture(JOBS, call, data) if kind == "image" else _checked_film(JOBS, call, data)
    width, height = (size_of(data) or (0, 0)) if kind == "image" else kept.size
    cover = Picture(width, height, "the library", digest_of(data))
    suffix, media_type = ("png", "image/png") if kind == "image" else ("mp4", "video/mp4")

    def url(make: Any, suffix: str, media_type: str) -> str:
        return files.url(call.origin, files.add(make, suffix, media_type), JOBS.lifetime)

    shown = {"id": name, "name": call.form.names["file"], "width": width, "height": height}
    shown["url"] = url(lambda: data, suffix, media_type)
    if kind == "video":
        shown["coverURL"] = url(recipe(cover), "png", MIME["png"])
    _shelf(call, kind)[name] = (shown, kept)
    return json_answer(_good(call, shown))


async def _library(kind: str, call: Call) -> Answer:
    things = [shown for shown, _ in _shelf(call, kind).values()][::-1]
    return json_answer(_good(call, _page(call, things)))


def _page(call: Call, things: Sequence[Any]) -> Sequence[Any]:
    query = call.request.query
    page, size = (query.get(name, usual) for name, usual in (("page", "1"), ("pageSize", "48")))
    if not (page.isdecimal() and size.isdecimal() and int(page) and 0 < int(size) <= 100):
        raise JOBS.refused(call, "value", "page and pageSize are numbers from 1 on")
    start = (int(page) - 1) * int(size)
    return things[start : start + int(size)]


def _template(call: Call, name: str) -> dict[str, Any]:
    found = TEMPLATES[name]
    shown = Picture(*found.size, found.words, digest_of("viggle", name))
    files = call.world.files
    made = files.add(partial(film, shown, found.seconds, sound=True), "mp4", "video/mp4")
    kept = made, files.add(recipe(shown), "png", MIME["png"])
    links = [files.url(call.origin, each, JOBS.lifetime) for each in kept]
    return {
        "id": name,
        "description": found.words,
        "processedURL": links[0],
        "processedHdURL": links[0],
        "processedCoverURL": links[1],
        "width": found.size[0],
        "height": found.size[1],
        "webStatus": 1,
        "dcStatus": 1,
        "appStatus": 1,
    }


async def _templates(call: Call) -> Answer:
    word, tag = call.request.query.get("searchKeyword", "").lower(), call.request.query.get("tagID", "")
    found = [name for name, each in TEMPLATES.items() if word in each.words.lower() and tag in ("", each.tag)]
    return json_answer(_good(call, [_template(call, name) for name in _page(call, found)]))


async def _group_templates(call: Call) -> Answer:
    found = _page(call, [name for name, each in TEMPLATES.items() if each.people > 1])
    people = {name: [{"uuid": f"{name}-{n}", "type": "human"} for n in range(TEMPLATES[name].people)] for name in found}
    return json_answer(_good(call, [{**_template(call, name), "segments": people[name]} for name in found]))


async def _tags(call: Call) -> Answer:
    return json_answer(_good(call, TAGS))


async def _fee(call: Call) -> Answer:
    """`POST …/credit/calculate`: a credit a second that has begun."""
    template = TEMPLATES.get(str(call.json.get("templateID")))
    video = _shelf(call, "video").get(str(call.json.get("videoID")))
    found = template or (video and video[1])
    if found is None:
        raise JOBS.refused(call, "unknown_id", "there is no such template or video")
    return json_answer(_good(call, math.ceil(found.seconds)))


def _both(method: str, path: str, handler: Any) -> list[Route]:
    return [Route(method, f"{plan}/viggle/{path}", handler) for plan in PLANS]


FROM_LIBRARY = Rule({"imageURL": ABSENT, "videoURL": ABSENT})
JOBS = JobVendor(
    name="viggle",
    works=[
        Work(
            f"{plan}/viggle/{path}",
            60,
            _fields(background),
            _filmed,
            check=check,
            price=_price,
            body=_sent,
            rules=rules,
        )
        for plan in PLANS
        for path, background, check, rules in (
            ("video-task", 2, _one, (FROM_LIBRARY,)),
            ("mix/video-task", 2, _one, ()),
            ("move/video-task", 3, _one, ()),
            ("multi/video-task", 2, _several, ()),
        )
    ],
    words={"queued": "1", "running": "2", "done": "0", "failed": "3"},
    shown=_shown,
    accepted={"taskID": "id", "mqType": lambda task: 0},
    envelope=_good,
    lookups=[Lookup("POST", f"{plan}/viggle/video-task/by-ids", "body", "ids", many=True) for plan in PLANS],
    balances=[Balance(f"{plan}/viggle/credits", 1000.0, {"balance": "left", "planCredits": "left"}) for plan in PLANS],
    hook=Hook("callback_url", _shown),
    errors={
        **at(400, bad_request=400, missing=400, type=400, value=400, media=400, moderated=400),
        **at(401, unauthorized=401),
        **at(404, not_found=404, unknown_id=404),
        **at(429, rate_limited=429),
        **at(500, server_error=500),
    },
    error=lambda call, code, message: {
        "code": code,
        "message": message,
        "ts": "",
        "reason": message,
        "data": None,
        "error": {"message": message, "type": "viggle_error", "code": code},
    },
    lifetime=12 * 3600,
    lenient=True,
    further=[
        *_both("POST", "asset/image", partial(_upload, "image")),
        *_both("POST", "asset/video", partial(_upload, "video")),
        *_both("POST", "asset/video/{imageID}", partial(_upload, "video")),
        *_both("GET", "asset/image", partial(_library, "image")),
        *_both("GET", "asset/video", partial(_library, "video")),
        *_both("GET", "template2", _templates),
        *_both("GET", "template2/tag", _tags),
        *_both("GET", "multi/template", _group_templates),
        *_both("POST", "video-task/credit/calculate", _fee),
    ],
    # `/viggle/…` at the root is where this vendor is mounted.
    settings={"at_root": False},
)
VENDOR = JOBS.vendor()
