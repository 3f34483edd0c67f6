"""Luma's films as relays serve them, at their own addresses and at those that GoAmzAI appends.

Source: LumaAI-API/Luma-API (code and document), documents of relays, and a web client of theirs.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from ..conditions import Rule
from ..fields import Field, picture, table, text, usually
from ..job_vendor import Balance, Hook, JobVendor, Left, Lookup, Order, Task, Work, at
from ..media.draw import from_base64
from ..terms import by, films
from ..vendor import Answer, Call, Route, digest_of, json_answer
from ..views import moment

BASE = "/luma/generations"
LONGEST, EXTENSION = 30, 5
"""Seconds of a film, as the vendor said of extensions by Ray 2 in 2025; by how many one is extended."""
FLAG = Field("flag", lenient=True)
FILM = table(
    user_prompt=text(5000),
    aspect_ratio=usually("16:9", "1:1", "4:3", "3:4", "9:16", "21:9", "9:21"),
    expand_prompt=FLAG,
    loop=FLAG,
    image_url=picture(),
    image_end_url=picture(),
    model_name=usually("ray-v1", "ray-v2", error="unknown_model"),
    duration=usually("5s", "9s", "5", "9"),
    resolution=usually("720p", "540p", "1080p"),
    notify_hook=Field(),
)
EXTEND = table(FILM, id=text())
FILMED = films(side=by("resolution", {"540p": 540, "1080p": 1080}, 720), seconds=by("duration", {"9s": 9, "9": 9}, 5))
LONGER = films(side=720, seconds=5, longer=EXTENSION)
EXTENDABLE = Rule({"parent.seconds": range(1, LONGEST - EXTENSION + 1)})


def _check(order: Order) -> None:
    body = order.body
    if not any(body.get(name) for name in ("user_prompt", "image_url", "image_end_url")):
        raise order.refused("missing", "user_prompt is required")
    if body.get("loop") and body.get("image_end_url"):
        raise order.refused("value", "loop is not supported for an end frame")
    if order.parent is not None and body.get("image_url"):
        raise order.refused("value", "image_url is not taken with an extension")


CREATED = moment("job.created")


def _shown(task: Task) -> dict[str, Any]:
    body, film = task.body, task.films[0] if task.films else None
    told: dict[str, Any] = {
        "id": task.id,
        "prompt": body.get("user_prompt", ""),
        "state": task.status,
        "queue_state": None,
        "created_at": CREATED(task),
        "batch_id": "",
        "request": {"prompt": body.get("user_prompt", ""), "aspect_ratio": body["aspect_ratio"]},
        **dict.fromkeys(("video", "video_raw", "liked", "estimate_wait_seconds", "thumbnail", "last_frame")),
    }
    if film is None:
        return told | ({"failure_reason": task.reason} if task.reason else {})
    shown = film.result.picture
    size = {"width": shown.width, "height": shown.height}
    video = {"url": f"{film.url}&watermark=1", "thumbnail": film.cover, **size}
    # The document says that it may be missing of a film that is completed: so it is without "expand_prompt".
    clean = {"download_url": film.url} if body.get("expand_prompt") else {}
    pictured = {"url": film.cover, **size}
    told |= {"video": video | clean, "thumbnail": pictured | {"palette": None, "media_type": "image"}}
    return told | {"last_frame": pictured, "video_raw": {"url": film.url, "duration": film.result.seconds, **size}}


async def _download(call: Call) -> Answer:
    task = VENDOR_OF_JOBS.find(call, call.params["id"])
    if not task.films:
        raise VENDOR_OF_JOBS.refused(call, "unfinished", "the generation is not completed")
    return json_answer({"url": f"{task.films[0].url}&fresh=1"})


async def _upload(call: Call) -> Answer:
    """Keep a picture that comes as base64; one that has an address stays where it is."""
    url = call.json.get("url")
    if not isinstance(url, str) or not url:
        raise VENDOR_OF_JOBS.refused(call, "missing", "url is required")
    if not url.startswith(("http://", "https://")):
        data = from_base64(url)
        if data is None:
            raise VENDOR_OF_JOBS.refused(call, "value", "url is neither an address nor base64")
        files = call.world.files
        url = files.url(call.origin, files.add(lambda: data, "png", "image/png"), 86400)
    name = str(uuid.UUID(bytes=digest_of(url)[:16]))
    return json_answer({"id": name, "presigned_url": url, "public_url": url})


def _usage(left: Left) -> dict[str, float]:
    return {"consumed": left.credits - left.left, "available": left.left, "capacity": left.credits}


def _works(base: str) -> list[Work]:
    def body(call: Call) -> dict[str, Any]:
        return {**call.json, "id": call.params["id"]}

    extend = Work(
        f"{base}/{{id}}/extend",
        100,
        EXTEND,
        LONGER,
        parent="id",
        body=body,
        rules=(EXTENDABLE,),
        check=_check,
        price=0.4,
    )
    return [Work(base, 100, FILM, FILMED, check=_check, price=0.4), extend]


VENDOR_OF_JOBS = JobVendor(
    name="luma",
    works=_works(BASE),
    words={"queued": "pending", "running": "processing", "done": "completed", "failed": "failed"},
    shown=_shown,
    lookups=[Lookup("GET", f"{BASE}/{{id}}")],
    balances=[Balance("/luma/subscription/usage", 1000.0, _usage)],
    hook=Hook("notify_hook", _shown),
    one_id=True,
    slashes=True,
    # Texts: relays' own shape; that what is wrong with a body is 400 and an unknown id 404, too.
    errors={
        **at(400, bad_request="invalid_request", unfinished="generation_not_completed"),
        **at(401, unauthorized="invalid_api_key"),
        **at(404, not_found="not_found", unknown_id="task_not_found"),
        **at(400, moderated="content_moderation"),
        **at(429, rate_limited="rate_limit_exceeded"),
        **at(500, server_error="internal_error"),
    },
    error=lambda call, code, message: {"error": {"message": message, "type": "luma_error", "code": code}},
    further=[
        *(Route(method, f"{BASE}/{{id}}/download_video_url", _download) for method in ("GET", "POST")),
        Route("POST", f"{BASE}/file_upload", _upload),
    ],
)
VENDOR = VENDOR_OF_JOBS.vendor()
PLACE = "/luma/v1/generations"
GOAMZ = replace(
    VENDOR_OF_JOBS,
    name="luma_goamz",
    works=_works(PLACE),
    lookups=[Lookup("GET", f"{PLACE}/{{id}}")],
    balances=(),
    further=(),
).vendor()
