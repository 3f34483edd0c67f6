"""Viggle's official API: renders, and characters and scenes that are prepared for them.

Source: the vendor's pages on renders, characters, scenes, credits and errors (2026).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..conditions import FieldError
from ..fields import Field, read, table, text, usually
from ..job_vendor import Balance, JobVendor, Lookup, Order, Task, Work, at
from ..media.draw import size_of
from ..results import Result
from ..vendor import Answer, Call, Route, json_answer
from .viggle import LONGEST, TEMPLATES, Film, film_of

MODELS = ("V4_Preview", "V3_Preview")
BACKGROUND = usually("original", "solid", "transparent", "inpaint")
RENDER = table(
    ref_image_url=Field(),
    driving_video_url=Field(),
    character_id=Field(),
    scene_id=Field(),
    character_mapping=Field(),
    model=usually(*MODELS),
    background_mode=BACKGROUND,
    bg_color=Field(),
    fast=Field("flag", default=False),
)
CHARACTER = table(name=text(200).must(), image_url=Field())
SCENE = table(name=text(200).must(), video_url=Field(), background_mode=BACKGROUND, model=usually(*MODELS))
IMPORT = table(name=text(200).must(), template_id=Field(), template_uuid=Field())
RESERVED = 15
"""Credits that an import takes."""
READY_AFTER = 10.0
"""Seconds until what is prepared is ready."""


def _shelf(call: Call, kind: str) -> dict[str, Any]:
    return call.world.shelves[call.owner, f"viggle_api.{kind}"]


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(int(seconds), dt.UTC).isoformat()


# Renders ------------------------------------------------------------------------------------------------------------


def _file(call: Call, name: str) -> bytes | None:
    return call.form.files.get(name) if call.is_form else None


def _picture(call: Call, data: bytes) -> bytes:
    if size_of(data) is None:
        raise JOBS.refused(call, "value", "the picture is neither PNG nor JPEG")
    return data


def _film(call: Call, data: bytes) -> Film:
    film = film_of(data)
    if film is None:
        raise JOBS.refused(call, "value", "the video is not MP4")
    if film.seconds > LONGEST:
        raise JOBS.refused(call, "too_long", f"the video is longer than {LONGEST} s")
    return film


def _ready(order: Order, kind: str, name: str) -> dict[str, Any]:
    thing = _shelf(order.call, kind).get(name)
    if thing is None:
        raise order.refused("unknown_id", f"{kind} {name[:80]} is not known")
    if _status(order.call, thing) != "ready":
        raise order.refused("value", f"{kind} {name[:80]} is not ready")
    return thing


def _check(order: Order) -> None:
    body, call = order.body, order.call
    picture, video = _file(call, "ref_image"), _file(call, "driving_video")
    mapped = _mapping(order)
    prepared = bool(body.get("character_id") or mapped)
    if picture is None and not body.get("ref_image_url") and not prepared:
        raise order.refused("no_picture", "a reference image is required")
    if video is None and not body.get("driving_video_url") and not body.get("scene_id"):
        raise order.refused("no_video", "a driving video is required")
    if prepared != bool(body.get("scene_id")):
        raise order.refused("value", "character_id and scene_id go together")
    if body.get("bg_color") and body["background_mode"] != "solid":
        raise order.refused("value", "bg_color is for a solid background only")
    if body["fast"] and video is None and not body.get("scene_id"):
        raise order.refused("value", "fast needs an uploaded video or a scene")
    order.facts["film"] = _film(call, video) if video is not None else Film((720, 1280), 10)
    order.facts["picture"] = _picture(call, picture) if picture is not None else None
    if body.get("scene_id"):
        scene = _ready(order, "scene", body["scene_id"])
        if scene["model"] != body["model"]:
            raise order.refused("value", f"the scene was made with {scene['model']}")
        if unknown := set(mapped) - {segment["uuid"] for segment in scene["segments"]}:
            raise order.refused("unknown_id", f"{sorted(unknown)[0][:80]} is nobody in the scene")
        order.facts["film"] = scene["film"]
    for name in {*mapped.values(), *filter(None, [body.get("character_id")])}:
        order.facts["picture"] = _ready(order, "character", name)["picture"]


def _mapping(order: Order) -> Mapping[str, str]:
    try:
        mapped = json.loads(order.body.get("character_mapping") or "{}")
    except ValueError:
        mapped = None
    if not isinstance(mapped, dict) or not all(isinstance(name, str) for name in mapped.values()):
        raise order.refused("value", "character_mapping is not a JSON object of texts")
    return mapped


def _filmed(order: Order) -> Sequence[Result]:
    film: Film = order.facts["film"]
    shown = Result("film", order.draw(film.size, source=order.facts["picture"]), film.seconds, loud=True)
    return [shown, shown] if order.body["background_mode"] == "transparent" else [shown]


def _price(order: Order) -> float:
    film: Film = order.facts["film"]
    return math.ceil(film.seconds) * (2 if order.body["fast"] else 1)


def _shown(task: Task) -> dict[str, Any]:
    films = [made.url for made in task.films]
    failed = task.status == "failed"
    return {
        "job_id": task.id,
        "status": task.status,
        "mode": "full_pipeline",
        "checkpoint": "render_done" if films else "ref_done",
        "progress_pct": task.job.percent,
        "cdn_url": films[0] if films else None,
        "mask_cdn_url": films[1] if len(films) > 1 else None,
        "error_code": "CS-ORRE-001" if failed else None,
        "error_message": task.reason if failed else None,
        "chunks": [],
        "created_at": _moment(task.job.created),
        "completed_at": _moment(task.job.finished),
    }


# What is prepared ---------------------------------------------------------------------------------------------------


def _read(call: Call, fields: Mapping[str, Field]) -> dict[str, Any]:
    try:
        return read(fields, call.form.texts if call.is_form else call.json)
    except FieldError as error:
        raise JOBS.refused(call, error.kind, str(error)) from None


def _status(call: Call, thing: Mapping[str, Any]) -> str:
    return "ready" if call.world.clock.now() >= thing["ready"] else "pending"


def _keep(call: Call, kind: str, name: str, **facts: Any) -> str:
    identity, clock = call.world.ids.uuid(), call.world.clock
    thing = {"name": name, "created": clock.wall(), "ready": clock.now() + READY_AFTER, **facts}
    _shelf(call, kind)[identity] = thing
    return identity


def _pending(call: Call, kind: str, identity: str) -> Answer:
    started = {"job_id": call.world.ids.uuid(), "status": "pending", "enqueued_at": _moment(call.world.clock.wall())}
    return json_answer({f"{kind}_id": identity, **started})


async def _character(call: Call) -> Answer:
    body, data = _read(call, CHARACTER), _file(call, "image")
    if data is None and not body.get("image_url"):
        raise JOBS.refused(call, "no_picture", "image is required")
    picture = _picture(call, data) if data is not None else None
    call.spend(1)
    return _pending(call, "character", _keep(call, "character", body["name"], picture=picture))


async def _scene(call: Call) -> Answer:
    body, data = _read(call, SCENE), _file(call, "video")
    if data is None and not body.get("video_url"):
        raise JOBS.refused(call, "no_video", "video is required")
    film = _film(call, data) if data is not None else Film((720, 1280), 10)
    identity = _keep(call, "scene", body["name"], film=film, model=body["model"], segments=[])
    return _pending(call, "scene", identity)


async def _import(call: Call) -> Answer:
    body = _read(call, IMPORT)
    template = TEMPLATES.get(str(body.get("template_id") or body.get("template_uuid")))
    if template is None:
        raise JOBS.refused(call, "unknown_id", "there is no such template")
    people = range(template.people) if template.people > 1 else ()
    segments = [{"uuid": call.world.ids.uuid(), "type": "human"} for _ in people]
    call.spend(RESERVED)
    identity = _keep(call, "scene", body["name"], film=template, model=MODELS[0], segments=segments)
    return json_answer({"id": identity, "status": "pending", "credits_reserved": RESERVED, "segments": segments})


def _thing(call: Call, kind: str) -> dict[str, Any]:
    thing = _shelf(call, kind).get(call.params["id"])
    if thing is None:
        raise JOBS.refused(call, "unknown_id", f"{kind} {call.params['id'][:80]} is not known")
    return thing


async def _get(kind: str, call: Call) -> Answer:
    thing = _thing(call, kind)
    shown: dict[str, Any] = {"id": call.params["id"], "name": thing["name"], "status": _status(call, thing)}
    film: Film | None = thing.get("film")
    if film is not None:
        shown |= {"duration_seconds": film.seconds, "width": film.size[0], "height": film.size[1]}
    return json_answer(shown | {"created_at": _moment(thing["created"]), "error_message": None})


async def _delete(kind: str, call: Call) -> Answer:
    _thing(call, kind)
    del _shelf(call, kind)[call.params["id"]]
    return json_answer({"id": call.params["id"], "deleted": True})


JOBS = JobVendor(
    name="viggle_api",
    works=[
        Work(
            "/api/render",
            60,
            RENDER,
            _filmed,
            check=_check,
            price=_price,
            body=lambda call: call.form.texts if call.is_form else call.json,
        )
    ],
    words={
        "queued": "queued",
        "running": "processing",
        "done": "complete",
        "failed": "failed",
        "cancelled": "cancelled",
    },
    shown=_shown,
    accepted={
        "job_id": "id",
        "status": "status",
        "mode": lambda task: "full_pipeline",
        "enqueued_at": lambda task: _moment(task.job.created),
    },
    lookups=[Lookup("GET", "/api/render/{id}")],
    cancels="/api/render/{id}",
    balances=[Balance("/api/credits", 1000.0, {"balance": "left", "updated_at": lambda left: _moment(time.time())})],
    # Codes: the vendor's page on errors; that those of what is wrong with a request are 400 is inferred.
    errors={
        **at(400, bad_request="CS-ORIV-000", moderated="CS-ORMO-001", too_long="CS-ORIV-004"),
        **at(400, no_picture="CS-ORIV-001", no_video="CS-ORIV-002"),
        **at(401, unauthorized="CS-ORAU-002", no_key="CS-ORAU-001"),
        **at(404, not_found="CS-ORNF-001"),
        **at(429, rate_limited="CS-ORRL-001"),
        **at(500, server_error="CS-ORSE-001"),
    },
    error=lambda call, code, message: {"detail": {"error_code": code, "message": message, "action": ""}},
    lenient=True,
    further=[
        Route("POST", "/api/characters/preprocess", _character),
        Route("POST", "/api/scenes/preprocess", _scene),
        Route("POST", "/api/scenes/import", _import),
        *(
            Route(method, f"/api/{kind}s/{{id}}", partial(handler, kind))
            for kind in ("character", "scene")
            for method, handler in (("GET", _get), ("DELETE", _delete))
        ),
    ],
)
VENDOR = JOBS.vendor()
