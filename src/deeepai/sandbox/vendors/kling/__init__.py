"""Kling: pictures and films, extended, spoken to, dressed; keys that are tokens, and callbacks at each change.

Source: as in `bodies`, where the fields stand. Errors, prices and envelopes are the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...fields import Field, inline
from ...job_vendor import Artefact, Hook, JobVendor, Listing, Lookup, Order, Result, Task, Work
from ...keys import WebTokens
from ...media.draw import fit, size_of
from ...vendor import Answer, Call, Route, json_answer
from . import bodies

PACK = 10_000.0
"""Units that a key starts with; one is 0.14 USD."""
STEPS: Mapping[str, tuple[float, float]] = {
    "kling-v1": (1, 3.5),
    "kling-v2-master": (10, 10),
    "kling-v2-1-master": (10, 10),
    "kling-v2-5-turbo": (2.5, 2.5),
    "kling-v2-6": (2.5, 2.5),
    "kling-v3": (3, 4),
}
"""Units of five seconds, `std` and `pro`; of all other models 2 and 3.5.

Source: price lists of 2025 and 2026; those of versions 1 to 2.1, and of pictures, are unverified.
"""
LOUDER = {"kling-v2-6": 2.0, "kling-v3": 1.5}
"""How many times dearer sound makes it."""
IMAGE_UNITS = {"kling-v1": 0.025, "kling-v3": 0.2}
"""Of a picture; of all other models 0.1."""
REASONS = {"failed": "internal error", "moderated": "the content breaks the platform's rules"}


def _units(order: Order) -> float:
    body: Mapping[str, Any] = order.body.get("input", order.body)
    model, sound = body["model_name"], LOUDER.get(body["model_name"], 1) if body.get("sound") == "on" else 1
    return STEPS.get(model, (2, 3.5))[body["mode"] == "pro"] * sound * int(body["duration"]) / 5


def _image_units(order: Order) -> float:
    return IMAGE_UNITS.get(order.body["model_name"], 0.1) * order.body["n"]


def _source(order: Order) -> bytes | None:
    body: Mapping[str, Any] = order.body.get("input", order.body)
    pictures = [body.get("image"), body.get("human_image"), *body.get("images", [])]
    pictures += [item["image"] for item in body.get("image_list", [])]
    return next((data for value in pictures if (data := inline(value))), None)


def _films(order: Order) -> Sequence[Result]:
    body: Mapping[str, Any] = order.body.get("input", order.body)
    if "parent" in order.facts:
        shown = order.facts["parent"].result.picture
        return [Result("film", order.draw((shown.width, shown.height)), order.facts["seconds"])]
    source = _source(order)
    wide, high = size_of(source or b"") or map(int, body.get("aspect_ratio", "16:9").split(":"))
    side = 1080 if body.get("mode") == "pro" else 720
    size = fit(wide / high, side * side * max(wide / high, high / wide), 8)
    return [Result("film", order.draw(size, source=source), float(body.get("duration", 5)))]


def _images(order: Order) -> Sequence[Result]:
    body, source = order.body, _source(order)
    wide, high = map(int, body.get("aspect_ratio", "1:1").split(":"))
    side = 2048 if body.get("resolution") == "2k" else 1024
    size = fit(wide / high, side * side, 8)
    count = range(body.get("n", 1))
    return [Result("picture", order.draw(size, number=number, source=source)) for number in count]


def _film_view(film: Artefact) -> dict[str, Any]:
    return {"id": film.id, "url": film.url, "duration": f"{film.result.seconds:g}"}


def _accepted(task: Task) -> dict[str, Any]:
    info: dict[str, Any] = {}
    if "external_task_id" in task.body:
        info["external_task_id"] = task.body["external_task_id"]
    if "parent" in task.facts:
        info["parent_video"] = _film_view(task.facts["parent"])
    times = {"created_at": int(task.job.created * 1000), "updated_at": int(task.updated * 1000)}
    return {"task_id": task.id, "task_status": task.status, "task_info": info, **times}


def _shown(task: Task) -> dict[str, Any]:
    view = _accepted(task) | {"task_status_msg": REASONS.get(task.job.state, "")}
    marked: Mapping[str, Any] = task.body.get("watermark_info") or {}
    if marked:
        view["watermark_info"] = marked
    if task.job.state != "done":
        return view
    if task.artefacts[0].result.kind == "film":
        items = [_film_view(film) for film in task.artefacts]
    else:
        items = [{"index": index, "url": image.url} for index, image in enumerate(task.artefacts)]
    for item in items:
        item["watermark_url"] = item["url"] if marked.get("enabled") else ""
    view["task_result"] = {"videos" if "id" in items[0] else "images": items}
    return view if "no-usage" in task.job.triggers else view | {"final_unit_deduction": f"{task.price:g}"}


def _envelope(call: Call, data: Any) -> dict[str, Any]:
    return {"code": 0, "message": "SUCCEED", "request_id": call.world.ids.uuid(), "data": data}


async def costs(call: Call) -> Answer:
    """`GET /account/costs`: the key's one pack of units."""
    for name in ("start_time", "end_time"):
        if not call.request.query.get(name, "").isdigit():
            raise JOBS.refused(call, "missing", f"{name} is required, in milliseconds")
    pack = {
        "resource_pack_name": "Test mode",
        "resource_pack_id": call.owner,
        "resource_pack_type": "decreasing_total",
        "total_quantity": PACK,
        "remaining_quantity": call.credits_left(PACK),
        "status": "online",
    }
    return json_answer(_envelope(call, {"code": 0, "msg": "success", "resource_pack_subscribe_infos": [pack]}))


def _work(name: str, fields: Mapping[str, Field], seconds: float, **more: Any) -> Work:
    # The vendor's examples have a slash at the end at times.
    return Work(path=f"/v1/{name}{{_:/?}}", name=name, fields=fields, seconds=seconds, **more)


# Seconds: averages that the authors of a client measured in 2025.
FILM = {"results": _films, "price": _units}
WORKS = (
    _work("videos/text2video", bodies.TEXT_TO_VIDEO, 319, check=bodies.text_to_video, **FILM),
    _work("videos/image2video", bodies.IMAGE_TO_VIDEO, 164, check=bodies.image_to_video, **FILM),
    _work("videos/multi-image2video", bodies.MULTI_IMAGE, 164, **FILM),
    _work("videos/video-extend", bodies.EXTEND, 320, results=_films, check=bodies.extend, price=2),
    _work("videos/lip-sync", bodies.LIP_SYNC, 455, results=_films, check=bodies.lip_sync, price=0.7),
    _work("videos/effects", bodies.EFFECTS, 320, check=bodies.effects, **FILM),
    _work("images/generations", bodies.IMAGES, 32, results=_images, check=bodies.images, price=_image_units),
    _work("images/kolors-virtual-try-on", bodies.TRY_ON, 19, results=_images, price=0.5),
)
KEYS = WebTokens(holder="iss")
JOBS = JobVendor(
    name="kling",
    works=WORKS,
    words={
        "queued": "submitted",
        "running": "processing",
        "done": "succeed",
        "failed": "failed",
        "moderated": "failed",
    },
    shown=_shown,
    accepted=_accepted,
    envelope=_envelope,
    # The vendor's client asks for try-ons with two slashes.
    lookups=[Lookup("GET", f"/v1/{work.name}{{_://?}}{{id}}", of=work.name) for work in WORKS],
    listings=[Listing(f"/v1/{work.name}", work.name, "pageNum", "pageSize") for work in WORKS],
    hook=Hook("callback_url", _shown, on_change=True),
    errors={
        "unauthorized": (401, 1000),
        "no_key": (401, 1001),
        "bad_key": (401, 1002),
        "early_key": (401, 1003),
        "expired_key": (401, 1004),
        "bad_request": (400, 1200),
        "missing": (400, 1201),
        "type": (400, 1201),
        "value": (400, 1201),
        "not_found": (404, 1202),
        "unknown_id": (404, 1203),
        "unknown_model": (404, 1203),
        "moderated": (400, 1301),
        "rate_limited": (429, 1303),
        "server_error": (500, 5000),
        "unavailable": (503, 5001),
        "timeout": (504, 5002),
    },
    error=lambda call, code, message: {"code": code, "message": message, "request_id": call.world.ids.uuid()},
    unique="external_task_id",
    found_by_unique=True,
    task_id=lambda ids: ids.digits(18),
    artefact_id=lambda ids: ids.digits(18),
    lifetime=bodies.KEEPS,
    credential=KEYS.account,
    fault=KEYS.fault,
    further=[Route("GET", "/account/costs", costs)],
    # `/v1/videos/…` and `/v1/images/generations` at the root are OpenAI's.
    settings={"at_root": False},
)
VENDOR = JOBS.vendor()
