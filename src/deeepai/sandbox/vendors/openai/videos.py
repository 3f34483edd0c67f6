"""OpenAI's videos: jobs that end in a film, a thumbnail and a sprite sheet.

Source: OpenAI's OpenAPI document 2.3.0. Thumbnails are a quarter as wide and high as the film.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image

from ...jobs import Job
from ...media.draw import Picture, frames, render
from ...media.video import film
from ...vendor import Answer, Call, RefusedError, Route, digest_of, json_answer
from .common import error, invalid

MODELS = ("sora-2", "sora-2-pro", "sora-2-2025-10-06", "sora-2-2025-12-08", "sora-2-pro-2025-10-06", "sandbox-video")
SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024")
SECONDS = ("4", "8", "12")
JOB_SECONDS = 60.0
LIFETIME = 3600
"""Seconds after which a film is gone."""
_STATUS = {"waiting": "queued", "queued": "queued", "running": "in_progress", "done": "completed"}
_MESSAGES = {"moderated": ("moderation_blocked", "Your request was blocked by our moderation system.")}


def _fields(call: Call) -> tuple[Mapping[str, Any], bytes | None]:
    """Return the fields of a JSON body or a form, and the picture to begin with."""
    if call.request.content_type == "application/json":
        reference: Any = call.json.get("input_reference")
        if reference is None:
            return call.json, None
        address = reference.get("image_url") if isinstance(reference, dict) else None
        if not isinstance(address, str):
            raise invalid("Invalid 'input_reference'.", "input_reference", "invalid_value")
        head, _, data = address.partition(";base64,")
        return call.json, base64.b64decode(data) if head.startswith("data:") else None
    return call.form.texts, call.form.files.get("input_reference")


def _one_of(body: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = body.get(name)
    if value is None:
        return allowed[0]
    if str(value) not in allowed:
        text = ", ".join(f"'{one}'" for one in allowed)
        raise invalid(f"Invalid value: '{str(value)[:40]}'. Supported values are: {text}.", name, "invalid_value")
    return str(value)


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    if len(prompt) > 32000:
        raise invalid("Invalid 'prompt': string too long.", "prompt", "string_above_max_length")
    return prompt


async def create(call: Call) -> Answer:
    """`POST /v1/videos`, multipart or JSON."""
    body, source = _fields(call)
    prompt = _prompt(body)
    name = str(body.get("model") or MODELS[0])
    if name not in MODELS:
        message = f"The model `{name[:60]}` does not exist or you do not have access to it."
        raise RefusedError(error(404, message, param="model", code="model_not_found"))
    seconds, size = _one_of(body, "seconds", SECONDS), _one_of(body, "size", SIZES)
    if name.startswith("sora-2") and "-pro" not in name and size in SIZES[2:]:
        raise invalid(f"Invalid size {size} for {name}.", "size", "invalid_value")
    return _start(call, name, prompt, seconds, size, source)


def _start(
    call: Call, name: str, prompt: str, seconds: str, size: str, source: bytes | None, remixed: str | None = None
) -> Answer:
    world = call.world
    width, _, height = size.partition("x")
    picture = Picture(
        int(width) // 4,
        int(height) // 4,
        prompt,
        digest_of(name, prompt, size, seconds, source, remixed),
        source=source,
    )
    job = world.jobs.accept(
        f"video_{world.ids.hex(48)}",
        "openai",
        name,
        call.owner,
        call.triggers,
        picture=picture,
        prompt=prompt,
        seconds=seconds,
        size=size,
        remixed=remixed,
    )
    call.accepted.append(job.id)
    world.jobs.start(job, JOB_SECONDS, lambda _: None)
    return json_answer(_view(job))


def _view(job: Job) -> dict[str, Any]:
    failed = job.is_final and job.state != "done"
    code, text = _MESSAGES.get(job.state, ("server_error", f"The video could not be made: {job.error}"))
    done = job.state == "done" and job.finished is not None
    return {
        "id": job.id,
        "object": "video",
        "model": job.kind,
        "status": "failed" if failed else _STATUS[job.state],
        "progress": job.percent,
        "created_at": int(job.created),
        "completed_at": int(job.finished or 0) if done else None,
        "expires_at": int(job.finished or 0) + LIFETIME if done else None,
        "prompt": job.data["prompt"],
        "seconds": job.data["seconds"],
        "size": job.data["size"],
        "remixed_from_video_id": job.data["remixed"],
        "error": {"code": code, "message": text} if failed else None,
    }


def _own(call: Call) -> Job:
    return _find(call, call.params["id"])


def _find(call: Call, name: str) -> Job:
    job = call.world.jobs.find("openai", name)
    if job is None or job.owner != call.owner or "picture" not in job.data or job.data.get("deleted"):
        raise RefusedError(error(404, f"Video with id '{name[:80]}' not found.", param="video_id", code="not_found"))
    return job


async def get(call: Call) -> Answer:
    """`GET /v1/videos/{id}`."""
    return json_answer(_view(_own(call)))


async def content(call: Call) -> Answer:
    """`GET /v1/videos/{id}/content`."""
    job = _own(call)
    gone = job.finished is not None and call.world.clock.wall() > job.finished + LIFETIME
    if job.state != "done":
        text = "Video is not ready yet, use GET /v1/videos/{video_id} to check status."
        raise RefusedError(error(404, text, param="video_id"))
    if gone or "expire-url" in job.triggers:
        raise RefusedError(error(404, "The video has expired.", param="video_id", code="expired"))
    picture: Picture = job.data["picture"]
    match call.request.query.get("variant", "video"):
        case "video":
            return Answer(200, _film(job), "video/mp4")
        case "thumbnail":
            return Answer(200, _encoded(_still(picture), "WEBP"), "image/webp")
        case "spritesheet":
            return Answer(200, _encoded(_sheet(picture), "JPEG"), "image/jpeg")
        case other:
            raise invalid(f"Invalid value: '{other[:40]}'.", "variant", "invalid_value")


def _film(job: Job) -> bytes:
    width, _, height = job.data["size"].partition("x")
    picture = replace(job.data["picture"], width=int(width), height=int(height))
    return film(picture, float(job.data["seconds"]), sound=True)


def _still(picture: Picture) -> Image.Image:
    return Image.open(BytesIO(render(picture)))


def _sheet(picture: Picture) -> Image.Image:
    sheet = Image.new("RGB", (picture.width * 2, picture.height * 2))
    for number, frame in enumerate(frames(picture, 4)):
        sheet.paste(frame, (number % 2 * picture.width, number // 2 * picture.height))
    return sheet


def _encoded(image: Image.Image, kind: str) -> bytes:
    out = BytesIO()
    image.convert("RGB").save(out, kind, quality=80)
    return out.getvalue()


async def remix(call: Call) -> Answer:
    """`POST /v1/videos/{id}/remix`."""
    job = _own(call)
    prompt = _prompt(_fields(call)[0])
    if job.state != "done":
        raise invalid("The video is not completed.", "video_id", "invalid_value")
    return _start(
        call, job.kind, prompt, job.data["seconds"], job.data["size"], render(job.data["picture"]), remixed=job.id
    )


def _source(call: Call) -> tuple[Mapping[str, Any], Job]:
    body = _fields(call)[0]
    given: Any = body.get("video")
    name = given.get("id") if isinstance(given, dict) else body.get("video[id]")
    if not isinstance(name, str):
        raise invalid("Missing required parameter: 'video'.", "video", "missing_required_parameter")
    job = _find(call, name)
    if job.state != "done":
        raise invalid("The video is not completed.", "video", "invalid_value")
    return body, job


async def edit(call: Call) -> Answer:
    """`POST /v1/videos/edits`."""
    body, job = _source(call)
    seconds, size = job.data["seconds"], job.data["size"]
    return _start(call, job.kind, _prompt(body), seconds, size, render(job.data["picture"]))


async def extend(call: Call) -> Answer:
    """`POST /v1/videos/extensions`: told is the length of it all."""
    body, job = _source(call)
    if body.get("seconds") is None:
        raise invalid("Missing required parameter: 'seconds'.", "seconds", "missing_required_parameter")
    seconds = int(_one_of(body, "seconds", ("4", "8", "12", "16", "20"))) + int(job.data["seconds"])
    return _start(call, job.kind, _prompt(body), str(seconds), job.data["size"], render(job.data["picture"]))


async def delete(call: Call) -> Answer:
    """`DELETE /v1/videos/{id}`."""
    job = _own(call)
    if not job.is_final:
        raise RefusedError(error(409, "The video is still being made.", param="video_id"))
    job.data["deleted"] = True
    return json_answer({"id": job.id, "object": "video.deleted", "deleted": True})


async def listed(call: Call) -> Answer:
    """`GET /v1/videos`: of everybody who has the same key, as at the vendor."""
    query = call.request.query
    limit = query.get("limit", "20")
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise invalid("Invalid 'limit'.", "limit", "invalid_value")
    jobs = [
        job
        for job in call.world.jobs
        if job.vendor == "openai" and job.owner == call.owner and "picture" in job.data and not job.data.get("deleted")
    ]
    if query.get("order", "desc") == "desc":
        jobs.reverse()
    ids = [job.id for job in jobs]
    start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
    data = [_view(job) for job in jobs[start : start + int(limit)]]
    return json_answer(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": start + len(data) < len(jobs),
        }
    )


ROUTES = (
    Route("POST", "/v1/videos", create),
    Route("POST", "/v1/videos/edits", edit),
    Route("POST", "/v1/videos/extensions", extend),
    Route("GET", "/v1/videos", listed),
    Route("GET", "/v1/videos/{id}", get),
    Route("DELETE", "/v1/videos/{id}", delete),
    Route("GET", "/v1/videos/{id}/content", content),
    Route("POST", "/v1/videos/{id}/remix", remix),
)
