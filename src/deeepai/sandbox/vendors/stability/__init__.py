"""Stability AI, v2beta: generate, upscale, edit, control, and results; v1 is in `v1`.

Source: the vendor's OpenAPI 3.0.3 document. One credit is 0.01 USD.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from ...jobs import Job
from ...media.draw import MIME, Format, Picture, fit, render, size_of
from ...media.mesh import cube
from ...media.video import film
from ...vendor import Answer, Call, Refusal, Route, Vendor, bearer, digest_of, json_answer
from . import v1
from .v1 import STYLES, id_answer

RATIOS = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
SD3_CREDITS: Mapping[str, float] = {
    "sd3.5-large": 6.5,
    "sd3.5-large-turbo": 4,
    "sd3.5-medium": 3.5,
    "sd3.5-flash": 2.5,
    "sd3-large": 6.5,
    "sd3-large-turbo": 4,
    "sd3-medium": 3.5,
    "sd3": 6.5,
    "sd3-turbo": 4,
}
MEGAPIXEL = 1024 * 1024
KEPT_SECONDS = 24 * 3600
LONGEST_TEXT = 10_000
VIDEO_FRAMES, VIDEO_SECONDS = 25, 4.0


@dataclass(frozen=True)
class Field:
    """One field of a form. A field with `choices` is one of them, one with `high` a number, else it is a text."""

    name: str
    required: bool = False
    low: float = 0
    high: float | None = None
    choices: tuple[str, ...] = ()
    file: bool = False


@dataclass(frozen=True)
class Operation:
    """One POST: its fields, its price in credits, how long it takes, how large its result is.

    `pixels` is that of the result; without it the result has `scale` times the sides of the image.
    """

    fields: tuple[Field, ...]
    credits: float
    seconds: float
    pixels: float = 0
    scale: float = 1
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    is_async: bool = False
    makes: str = "image"


IMAGE = Field("image", required=True, file=True)
PROMPT, NEGATIVE = Field("prompt", required=True), Field("negative_prompt")
SEED = Field("seed", high=4294967294)
RATIO, STYLE = Field("aspect_ratio", choices=RATIOS), Field("style_preset", choices=STYLES)
TEXT = (PROMPT, NEGATIVE, SEED)
STRENGTH = Field("strength", high=1)


def _mask(limit: int) -> tuple[Field, ...]:
    return (Field("mask", file=True), Field("grow_mask", high=limit))


def _control(*more: Field) -> tuple[Field, ...]:
    return (*TEXT, IMAGE, *more)


OPERATIONS: Mapping[str, Operation] = {
    "stable-image/generate/ultra": Operation(
        (*TEXT, RATIO, Field("image", file=True), STRENGTH, STYLE), 8, 12, MEGAPIXEL
    ),
    "stable-image/generate/core": Operation((*TEXT, RATIO, STYLE), 3, 4, 1.5 * MEGAPIXEL),
    "stable-image/generate/sd3": Operation(
        (
            *TEXT,
            RATIO,
            STYLE,
            STRENGTH,
            Field("mode", choices=("text-to-image", "image-to-image")),
            Field("image", file=True),
            Field("model", choices=tuple(SD3_CREDITS)),
            Field("cfg_scale", low=1, high=10),
        ),
        6.5,
        8,
        MEGAPIXEL,
        formats=("png", "jpeg"),
    ),
    "stable-image/upscale/fast": Operation((IMAGE,), 1, 2, scale=4),
    "stable-image/upscale/conservative": Operation(
        _control(Field("creativity", low=0.2, high=0.5)), 25, 15, 4 * MEGAPIXEL
    ),
    "stable-image/upscale/creative": Operation(
        _control(Field("creativity", high=0.35)), 25, 60, 4 * MEGAPIXEL, is_async=True
    ),
    "stable-image/edit/erase": Operation((IMAGE, SEED, *_mask(20)), 3, 6),
    "stable-image/edit/inpaint": Operation((IMAGE, *TEXT, *_mask(100)), 3, 8),
    "stable-image/edit/outpaint": Operation(
        (
            IMAGE,
            SEED,
            Field("prompt"),
            Field("creativity", high=1),
            *(Field(side, high=2000) for side in ("left", "right", "up", "down")),
        ),
        4,
        10,
    ),
    "stable-image/edit/search-and-replace": Operation(
        (IMAGE, *TEXT, Field("search_prompt", required=True), Field("grow_mask", high=20)), 4, 10
    ),
    "stable-image/edit/search-and-recolor": Operation(
        (IMAGE, *TEXT, Field("select_prompt", required=True), Field("grow_mask", high=20)), 5, 10
    ),
    "stable-image/edit/remove-background": Operation((IMAGE,), 2, 4, formats=("png", "webp")),
    "stable-image/edit/replace-background-and-relight": Operation(
        (
            Field("subject_image", required=True, file=True),
            Field("background_reference", file=True),
            Field("background_prompt"),
            Field("foreground_prompt"),
            NEGATIVE,
            Field("preserve_original_subject", high=1),
            Field("original_background_depth", high=1),
            Field("keep_original_background", choices=("true", "false")),
            Field("light_source_direction", choices=("left", "right", "above", "below")),
            Field("light_reference", file=True),
            Field("light_source_strength", high=1),
            SEED,
        ),
        8,
        40,
        is_async=True,
    ),
    "stable-image/control/sketch": Operation(_control(Field("control_strength", high=1)), 3, 7),
    "stable-image/control/structure": Operation(_control(Field("control_strength", high=1)), 3, 7),
    "stable-image/control/style": Operation(_control(RATIO, Field("fidelity", high=1)), 4, 7, MEGAPIXEL),
    "stable-image/control/style-transfer": Operation(
        (
            SEED,
            Field("init_image", required=True, file=True),
            Field("style_image", required=True, file=True),
            Field("prompt"),
            NEGATIVE,
        ),
        8,
        8,
    ),
    "image-to-video": Operation(
        (IMAGE, SEED, Field("cfg_scale", high=10), Field("motion_bucket_id", low=1, high=255)),
        20,
        60,
        is_async=True,
        makes="video",
    ),
    "3d/stable-fast-3d": Operation(
        (
            IMAGE,
            Field("texture_resolution", choices=("512", "1024", "2048")),
            Field("foreground_ratio", low=0.1, high=1),
            Field("remesh", choices=("none", "triangle", "quad")),
            Field("vertex_count", low=-1, high=20_000),
        ),
        2,
        3,
        makes="model",
    ),
}


@dataclass(frozen=True)
class Made:
    """A result: what to draw and what to tell of it."""

    picture: Picture
    seed: int
    reason: str
    kind: str

    def data(self) -> bytes:
        """Return the bytes of the result."""
        if self.kind == "model":
            return cube(self.picture.digest)
        if self.kind == "video":
            return film(self.picture, VIDEO_SECONDS, VIDEO_FRAMES / VIDEO_SECONDS)
        return render(self.picture)

    @property
    def mime(self) -> str:
        """The content type of the result."""
        return {"model": "model/gltf-binary", "video": "video/mp4"}.get(self.kind) or MIME[self.picture.format]


async def _operate(name: str, call: Call) -> Answer:
    operation = OPERATIONS[name]
    accept = _accept(call, operation.makes)
    made, credits = _made(name, operation, call)
    if operation.is_async:
        jobs = call.world.jobs
        job = jobs.accept(call.world.ids.hex(64), "stability", name, call.owner, call.triggers, made=made)
        call.accepted.append(job.id)
        call.spend(credits)
        jobs.start(job, operation.seconds, lambda _: None)
        return json_answer({"id": job.id})
    await call.work(operation.seconds)
    call.spend(credits)
    return await _deliver(made, accept)


async def results(call: Call) -> Answer:
    """`GET /v2beta/results/{id}`: 202 while running, then the result."""
    accept = _accept(call, "any")
    job = call.world.jobs.find("stability", call.params["id"])
    if job is None or job.owner != call.owner or _is_stale(call, job):
        raise call.refused("not_found", 404, "id: no generation with this id")
    if job.state == "failed":
        raise call.refused("server_error", 500, job.error)
    if job.state in {"queued", "running"}:
        return json_answer({"id": job.id, "status": "in-progress"}, 202)
    return await _deliver(cast(Made, job.data["made"]), accept)


def _is_stale(call: Call, job: Job) -> bool:
    return job.finished is not None and call.world.clock.wall() - job.finished > KEPT_SECONDS


def _accept(call: Call, makes: str) -> str:
    """Return whether the caller wants `bytes` or `json`."""
    accept = call.request.headers.get("accept", "*/*").split(";")[0].strip().lower()
    if accept == "application/json":
        return "json"
    wanted = {"image": ("image/",), "video": ("video/",), "model": ("model/",), "any": ("image/", "video/")}[makes]
    # An asynchronous call answers JSON whatever is accepted, so that all pass there.
    if accept == "*/*" or accept.startswith(wanted) or makes == "video":
        return "bytes"
    raise call.refused("bad_request", 400, "accept: must be one of 'image/*' or 'application/json'")


def _made(name: str, operation: Operation, call: Call) -> tuple[Made, float]:
    texts, files = call.form.texts, call.form.files
    errors = [problem for field in operation.fields if (problem := _problem(field, texts, files))]
    form = texts.get("output_format") or "png"
    if form not in operation.formats:
        errors.append(f"output_format: must be one of {', '.join(operation.formats)}")
    errors += _relations(name, texts, files)
    if errors:
        raise call.refused("bad_request", 400, "\n".join(errors))
    source = files.get("image") or files.get("subject_image") or files.get("init_image")
    prompt = texts.get("prompt") or texts.get("background_prompt") or name
    model = texts.get("model") or name
    inputs = sorted((key, digest_of(data)) for key, data in files.items() if data)
    wanted = sorted((key, value) for key, value in texts.items() if value and key != "seed")
    digest = digest_of(name, wanted, inputs)
    seed = int(float(texts.get("seed") or 0)) or int.from_bytes(digest[:4]) % 4294967294 + 1
    width, height = _size(operation, texts, source)
    flagged = "moderated-output" in call.triggers
    picture = Picture(
        width,
        height,
        f"{prompt} ({model}, seed {seed})",
        digest_of(digest, seed),
        cast(Format, form),
        source,
        blur=min(width, height) / 16 if flagged else 0,
        cutout=name.endswith("remove-background"),
    )
    credits = SD3_CREDITS.get(texts.get("model") or "sd3.5-large", 0) if name.endswith("sd3") else operation.credits
    return Made(picture, seed, "CONTENT_FILTERED" if flagged else "SUCCESS", operation.makes), credits


def _problem(field: Field, texts: Mapping[str, str], files: Mapping[str, bytes]) -> str:
    if field.file:
        data = files.get(field.name)
        if not data:
            return f"{field.name}: is required" if field.required else ""
        size = size_of(data)
        if size is None:
            return f"{field.name}: must be a jpeg, png or webp image"
        return f"{field.name}: each side must be at least 64 pixels" if min(size) < 64 else ""
    value = texts.get(field.name, "")
    if not value:
        return f"{field.name}: is required" if field.required else ""
    if field.choices:
        return "" if value in field.choices else f"{field.name}: must be one of {', '.join(field.choices)}"
    if field.high is None:
        too_long = len(value) > LONGEST_TEXT
        return f"{field.name}: must be at most {LONGEST_TEXT} characters" if too_long else ""
    try:
        number = float(value)
    except ValueError:
        return f"{field.name}: must be a number"
    inside = field.low <= number <= field.high
    return "" if inside else f"{field.name}: must be between {field.low:g} and {field.high:g}"


def _relations(name: str, texts: Mapping[str, str], files: Mapping[str, bytes]) -> list[str]:
    """Return what is wrong between fields."""
    errors: list[str] = []
    if name.endswith("ultra") and files.get("image") and not texts.get("strength"):
        errors.append("strength: is required when image is given")
    if name.endswith("sd3"):
        from_image = texts.get("mode") == "image-to-image"
        if from_image and not (files.get("image") and texts.get("strength")):
            errors.append("image: image-to-image requires image and strength")
        if not from_image and (files.get("image") or texts.get("strength")):
            errors.append("mode: image and strength are only valid with image-to-image")
        if from_image and texts.get("aspect_ratio"):
            errors.append("aspect_ratio: is only valid with text-to-image")
        if texts.get("negative_prompt") and texts.get("model") == "sd3-large-turbo":
            errors.append("negative_prompt: is not valid with sd3-large-turbo")
    if name.endswith("outpaint") and not any(_number(texts, side) for side in ("left", "right", "up", "down")):
        errors.append("left, right, up, down: at least one must be above 0")
    if name.endswith("relight") and not (texts.get("background_prompt") or files.get("background_reference")):
        errors.append("background_prompt: background_prompt or background_reference is required")
    return errors


def _number(texts: Mapping[str, str], name: str) -> float:
    try:
        return float(texts.get(name) or 0)
    except ValueError:
        return 0


def _size(operation: Operation, texts: Mapping[str, str], source: bytes | None) -> tuple[int, int]:
    given = size_of(source) if source else None
    if operation.makes == "video":
        return (
            (768, 768) if given is None or given[0] == given[1] else (1024, 576) if given[0] > given[1] else (576, 1024)
        )
    if operation.pixels and (texts.get("aspect_ratio") or given is None):
        width, _, height = (texts.get("aspect_ratio") or "1:1").partition(":")
        return fit(int(width) / int(height), operation.pixels)
    if given is None:
        return 1024, 1024
    if operation.pixels:
        return fit(given[0] / given[1], operation.pixels)
    width = given[0] + int(_number(texts, "left") + _number(texts, "right"))
    height = given[1] + int(_number(texts, "up") + _number(texts, "down"))
    scale = min(operation.scale, (16 * MEGAPIXEL / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))


async def _deliver(made: Made, accept: str) -> Answer:
    data = await asyncio.to_thread(made.data)
    if accept == "json":
        key = {"image": "image", "video": "video"}.get(made.kind, "model")
        body: dict[str, Any] = {key: base64.b64encode(data).decode(), "finish_reason": made.reason, "seed": made.seed}
        answer = json_answer(body)
        return Answer(200, answer.body, f"application/json; type={made.mime}")
    return Answer(200, data, made.mime, {"finish-reason": made.reason, "seed": str(made.seed)})


def _refuse(call: Call, why: Refusal) -> Answer:
    if "/v1/" in call.request.path:
        return v1.refuse(call, why)
    match why.kind:
        case "unauthorized":
            return id_answer(call, 401, "unauthorized", errors=["authorization: missing or invalid header value"])
        case "moderated":
            text = "Your request was flagged by our content moderation system, as a result your request was denied."
            return id_answer(call, 403, "content_moderation", errors=[text])
        case "rate_limited":
            text = "You have exceeded the rate limit of 150 requests within a 10 second period."
            answer = id_answer(call, 429, "rate_limit_exceeded", errors=[text], identity="rate_limit_exceeded")
            return Answer(429, answer.body, headers={"retry-after": str(call.triggers.integer("rate-limit", 60))})
        case "too_large":
            text = "body: payloads cannot be larger than 10MiB in size"
            return id_answer(call, 413, "payload_too_large", errors=[text])
        case "bad_request" | "not_found":
            return id_answer(call, why.status, why.kind, errors=why.message.split("\n"))
        case "server_error":
            names = {402: "payment_required", 422: "invalid_language"}
            return id_answer(call, why.status, names.get(why.status, "internal_error"), errors=[why.message])


VENDOR = Vendor(
    name="stability",
    routes=(
        *(Route("POST", f"/v2beta/{name}", partial(_operate, name)) for name in OPERATIONS),
        Route("GET", "/v2beta/results/{id}", results),
        Route("GET", "/v2beta/stable-image/upscale/creative/result/{id}", results),
        Route("GET", "/v2beta/image-to-video/result/{id}", results),
        *v1.ROUTES,
    ),
    credential=bearer,
    refuse=_refuse,
    headers=lambda call: {"x-request-id": call.world.ids.hex(32)},
    body_limit=10 * 2**20,
)
