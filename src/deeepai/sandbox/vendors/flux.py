"""Black Forest Labs (FLUX): a POST endpoint for each model, one to poll, webhooks.

Source: the vendor's OpenAPI document; `flux-pro`, `-canny` and `-depth` from its Python SDK. A credit is 0.01 USD.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import msgspec
from aiohttp import web

from ..jobs import Job
from ..media.draw import MIME, Format, Picture, fit, from_base64, recipe, size_of
from ..vendor import Answer, Call, Refusal, RefusedError, Route, Vendor, World, digest_of, json_answer

URL_LIFETIME = 600
"""Seconds that a delivery URL works."""
RETRIES = (1.0, 5.0, 30.0)
"""Seconds between the tries of a webhook."""
CREDITS_START = 100_000.0
MEGAPIXEL = 1024 * 1024
MOST_BYTES = 20 * 2**20


@dataclass(frozen=True)
class Field:
    """One field of a body: `kind` is text, whole, number, flag, image (base64), reference (base64 or URL), ratio."""

    kind: str
    low: float | None = None
    high: float | None = None
    step: int = 1
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """One endpoint. `price` is in credits: the first megapixel (or image), and each further one."""

    fields: Mapping[str, Field]
    price: tuple[float, float]
    seconds: float
    default_format: str = "jpeg"
    default_size: tuple[int, int] = (1024, 768)
    needs_one_of: tuple[str, ...] = ()


def _all(*parts: Mapping[str, Field], **more: Field) -> dict[str, Field]:
    merged: dict[str, Field] = {}
    for part in (*parts, more):
        merged |= part
    return merged


_COMMON: dict[str, Field] = {
    "prompt": Field("text"),
    "seed": Field("whole"),
    "output_format": Field("text", choices=("jpeg", "png", "webp")),
    "safety_tolerance": Field("whole", 0, 6),
    "webhook_url": Field("text", 1, 2083),
    "webhook_secret": Field("text"),
}
_UPSAMPLING = {"prompt_upsampling": Field("flag")}
_REMIX = {"image_prompt": Field("image")}
_SIZE = {"width": Field("whole", 256, 1440, 32), "height": Field("whole", 256, 1440, 32)}
_RATIO = {"aspect_ratio": Field("ratio")}
_NEEDS_PROMPT = {"prompt": Field("text", required=True)}
_FINETUNE = {"finetune_id": Field("text", required=True), "finetune_strength": Field("number", 0, 2)}
_EDIT = {"image": Field("image", required=True), "steps": Field("whole", 15, 50), "guidance": Field("number", 1.5, 100)}
_CONTROL = {
    "control_image": Field("image"),
    "preprocessed_image": Field("image"),
    "steps": Field("whole", 15, 50),
    "guidance": Field("number", 1, 100),
}
_SIDES = {side: Field("whole", 0, 2048) for side in ("top", "bottom", "left", "right")}
_FLUX_2 = {
    "width": Field("whole", 0, 4096, 16),
    "height": Field("whole", 0, 4096, 16),
    "safety_tolerance": Field("whole", 0, 5),
    **_NEEDS_PROMPT,
}


def _references(count: int) -> dict[str, Field]:
    names = ["input_image", *(f"input_image_{number}" for number in range(2, count + 1))]
    return {name: Field("reference") for name in names}


_FILL = _all(_COMMON, _UPSAMPLING, _EDIT, mask=Field("image"))
_ULTRA = _all(_COMMON, _UPSAMPLING, _REMIX, _RATIO, raw=Field("flag"), image_prompt_strength=Field("number", 0, 1))
_KONTEXT = _all(_COMMON, _UPSAMPLING, _RATIO, _NEEDS_PROMPT, _references(4))
_TEXT_OR_IMAGE = ("prompt", "image_prompt")
_KLEIN = _all(_COMMON, _FLUX_2, _references(4))
_MULTI = _all(_COMMON, _FLUX_2, _references(8))
_SQUARE = (1024, 1024)

MODELS: Mapping[str, Model] = {
    "flux-pro-1.1": Model(_all(_COMMON, _UPSAMPLING, _REMIX, _SIZE), (4, 0), 5, needs_one_of=_TEXT_OR_IMAGE),
    "flux-pro": Model(
        _all(
            _COMMON,
            _UPSAMPLING,
            _REMIX,
            _SIZE,
            steps=Field("whole", 1, 50),
            guidance=Field("number", 1.5, 5),
            interval=Field("number", 1, 4),
        ),
        (5, 0),
        7,
        needs_one_of=_TEXT_OR_IMAGE,
    ),
    "flux-dev": Model(
        _all(_COMMON, _UPSAMPLING, _REMIX, _SIZE, steps=Field("whole", 1, 50), guidance=Field("number", 1.5, 5)),
        (2.5, 0),
        5,
        needs_one_of=_TEXT_OR_IMAGE,
    ),
    "flux-pro-1.1-ultra": Model(_ULTRA, (6, 0), 12, needs_one_of=_TEXT_OR_IMAGE),
    "flux-pro-1.1-ultra-finetuned": Model(_all(_ULTRA, _FINETUNE), (7, 0), 12, needs_one_of=_TEXT_OR_IMAGE),
    "flux-kontext-pro": Model(_KONTEXT, (4, 0), 8, "png", _SQUARE),
    "flux-kontext-max": Model(_KONTEXT, (8, 0), 10, "png", _SQUARE),
    "flux-pro-1.0-fill": Model(_FILL, (5, 0), 9),
    "flux-pro-1.0-fill-finetuned": Model(_all(_FILL, _FINETUNE), (6, 0), 9),
    "flux-pro-1.0-expand": Model(_all(_COMMON, _UPSAMPLING, _EDIT, _SIDES), (5, 0), 9, needs_one_of=tuple(_SIDES)),
    "flux-pro-1.0-canny": Model(
        _all(
            _COMMON,
            _UPSAMPLING,
            _CONTROL,
            canny_low_threshold=Field("whole", 0, 500),
            canny_high_threshold=Field("whole", 0, 500),
        ),
        (5, 0),
        9,
        needs_one_of=("control_image", "preprocessed_image"),
    ),
    "flux-pro-1.0-depth": Model(
        _all(_COMMON, _UPSAMPLING, _CONTROL), (5, 0), 9, needs_one_of=("control_image", "preprocessed_image")
    ),
    "flux-2-pro": Model(_MULTI, (3, 1.5), 8, default_size=_SQUARE),
    "flux-2-pro-preview": Model(_MULTI, (3, 1.5), 8, default_size=_SQUARE),
    "flux-2-max": Model(_MULTI, (7, 3), 15, default_size=_SQUARE),
    "flux-2-flex": Model(
        _all(_MULTI, _UPSAMPLING, steps=Field("whole", 1, 50), guidance=Field("number", 1.5, 10)),
        (5, 5),
        20,
        default_size=_SQUARE,
    ),
    "flux-2-klein-4b": Model(_KLEIN, (1.4, 0.1), 2, default_size=_SQUARE),
    "flux-2-klein-9b": Model(_KLEIN, (1.5, 0.2), 3, default_size=_SQUARE),
    "flux-2-klein-9b-preview": Model(_KLEIN, (1.5, 0.2), 3, default_size=_SQUARE),
}
STATES = {"queued": "Pending", "running": "Pending", "done": "Ready", "failed": "Error"}


async def _submit(slug: str, call: Call) -> Answer:
    model, body = MODELS[slug], call.json
    problems = [problem for name, field in model.fields.items() if (problem := _problem(name, field, body))]
    if model.needs_one_of and not any(body.get(name) for name in model.needs_one_of):
        wanted = " or ".join(model.needs_one_of)
        problems.append(_detail("body", "value_error", f"Value error, {wanted} must be given", body))
    if problems:
        raise RefusedError(json_answer({"detail": problems}, 422))
    sources = [data for name in model.fields if (data := _source(model, name, body))]
    width, height = _size(model, body, sources)
    if slug.startswith("flux-2") and width * height > 4 * MEGAPIXEL:
        raise RefusedError(
            json_answer({"detail": [_detail("width", "value_error", "more than 4 megapixels", None)]}, 422)
        )
    inputs = [size_of(data) or (0, 0) for data in sources]
    input_mp = round(sum(one[0] * one[1] for one in inputs) / MEGAPIXEL, 2)
    output_mp = round(width * height / MEGAPIXEL, 2)
    first, more = model.price
    cost = round(first + more * (max(0.0, output_mp - 1) + input_mp), 4)
    prompt = str(body.get("prompt") or "")
    ignored = {"seed", "webhook_url", "webhook_secret"}
    material = sorted((name, body[name]) for name in model.fields if body.get(name) is not None and name not in ignored)
    digest = digest_of(slug, material)
    seed = int.from_bytes(digest[:4]) if body.get("seed") is None else body["seed"]
    form = cast(Format, body.get("output_format") or model.default_format)
    picture = Picture(
        width,
        height,
        f"{prompt} ({slug}, seed {seed})",
        digest_of(digest, seed),
        form,
        sources[0] if sources else None,
    )
    world = call.world
    job = world.jobs.accept(
        world.ids.uuid(),
        "flux",
        slug,
        call.owner,
        call.triggers,
        prompt=prompt,
        seed=seed,
        picture=picture,
        origin=call.origin,
        hook=body.get("webhook_url"),
        secret=body.get("webhook_secret"),
    )
    call.accepted.append(job.id)
    call.spend(cost)
    world.jobs.start(job, model.seconds, partial(_changed, world))
    answer: dict[str, Any] = {"id": job.id, "polling_url": f"{call.base}/v1/get_result?id={job.id}"}
    if job.data["hook"]:
        answer |= {"status": "Pending", "webhook_url": job.data["hook"]}
    if "no-usage" not in call.triggers:
        answer |= {"cost": cost, "input_mp": input_mp, "output_mp": output_mp}
    return json_answer(answer)


async def get_result(call: Call) -> Answer:
    """`GET /v1/get_result?id=`; it wants no key."""
    job_id = call.request.query.get("id")
    if job_id is None:
        missing = {"type": "missing", "loc": ["query", "id"], "msg": "Field required", "input": None}
        raise RefusedError(json_answer({"detail": [missing]}, 422))
    empty: dict[str, Any] = {"result": None, "progress": None, "details": None, "preview": None}
    job = call.world.jobs.find("flux", job_id)
    if job is None:
        return json_answer({"id": job_id, "status": "Task not found", **empty})
    view: dict[str, Any] = {"id": job.id, "status": _status(job), **empty}
    match job.state:
        case "queued" | "running":
            view["progress"] = job.percent / 100
        case "done":
            view["result"] = job.data["result"]
        case "moderated":
            view["details"] = {"Moderation Reasons": ["Test mode"]}
        case _:
            view["details"] = {"error": job.error}
    return json_answer(view)


async def credits(call: Call) -> Answer:
    """`GET /v1/credits`."""
    return json_answer({"credits": call.credits_left(CREDITS_START)})


async def my_finetunes(call: Call) -> Answer:
    """`GET /v1/my_finetunes`."""
    return json_answer({"finetunes": []})


async def finetune_details(call: Call) -> Answer:
    """`GET /v1/finetune_details?finetune_id=`."""
    raise call.refused("not_found", 404, "Finetune not found")


async def delete_finetune(call: Call) -> Answer:
    """`POST /v1/delete_finetune`."""
    raise call.refused("not_found", 404, "Finetune not found")


def _detail(name: str, kind: str, message: str, value: Any) -> dict[str, Any]:
    loc = ["body"] if name == "body" else ["body", name]
    return {"type": kind, "loc": loc, "msg": message, "input": value}


def _problem(name: str, field: Field, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is wrong with a field, as FastAPI says it."""
    value = body.get(name)
    if value is None:
        missing = field.required and not (name in body and name == "prompt")
        return _detail(name, "missing", "Field required", dict(body)) if missing else None
    match field.kind:
        case "whole" | "number":
            return _number_problem(name, field, value)
        case "flag":
            return None if isinstance(value, bool) else _detail(name, "bool_type", "Input should be a boolean", value)
        case _ if not isinstance(value, str):
            return _detail(name, "string_type", "Input should be a valid string", value)
        case "ratio":
            return (
                None if _ratio(value) else _detail(name, "value_error", "Value error, not a ratio 21:9 to 9:21", value)
            )
        case "image" | "reference":
            if field.kind == "reference" and value.startswith(("http://", "https://")):
                return None
            data = None if value.startswith("data:") else from_base64(value)
            if data is None or size_of(data) is None or len(data) > MOST_BYTES:
                return _detail(name, "value_error", "Value error, not a base64 image of at most 20 MB", value[:40])
            return None
        case _:
            if field.choices and value not in field.choices:
                choices = " or ".join(f"'{choice}'" for choice in field.choices)
                return _detail(name, "enum", f"Input should be {choices}", value)
            if field.high is not None and not 1 <= len(value) <= field.high:
                return _detail(name, "url_parsing", "Input should be a valid URL", value)
            if name == "webhook_url" and not value.startswith(("http://", "https://")):
                return _detail(name, "url_parsing", "Input should be a valid URL", value)
            return None


def _number_problem(name: str, field: Field, value: Any) -> dict[str, Any] | None:
    if isinstance(value, bool) or not isinstance(value, int if field.kind == "whole" else int | float):
        kind, word = ("int_type", "integer") if field.kind == "whole" else ("float_type", "number")
        return _detail(name, kind, f"Input should be a valid {word}", value)
    if field.low is not None and value < field.low:
        return _detail(name, "greater_than_equal", f"Input should be greater than or equal to {field.low:g}", value)
    if field.high is not None and value > field.high:
        return _detail(name, "less_than_equal", f"Input should be less than or equal to {field.high:g}", value)
    if field.kind == "whole" and value % field.step:
        return _detail(name, "multiple_of", f"Input should be a multiple of {field.step}", value)
    if field.step == 16 and 0 < value < 64:
        return _detail(name, "greater_than_equal", "Input should be greater than or equal to 64", value)
    return None


def _ratio(value: str) -> float | None:
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", value)
    if match is None or int(match[2]) == 0:
        return None
    ratio = int(match[1]) / int(match[2])
    return ratio if 9 / 21 - 1e-9 <= ratio <= 21 / 9 + 1e-9 else None


def _source(model: Model, name: str, body: Mapping[str, Any]) -> bytes | None:
    if model.fields[name].kind not in {"image", "reference"} or name == "mask":
        return None
    value = body.get(name)
    return from_base64(value) if value and not value.startswith("http") else None


def _size(model: Model, body: Mapping[str, Any], sources: list[bytes]) -> tuple[int, int]:
    given = size_of(sources[0]) if sources else None
    if "top" in model.fields and given is not None:
        sides = [int(body.get(side) or 0) for side in ("left", "right", "top", "bottom")]
        return given[0] + sides[0] + sides[1], given[1] + sides[2] + sides[3]
    if "aspect_ratio" in model.fields:
        default = "16:9" if "raw" in model.fields else None
        ratio = _ratio(body.get("aspect_ratio") or default or "") or (given[0] / given[1] if given else 1.0)
        return fit(ratio, 4 * MEGAPIXEL if "raw" in model.fields else MEGAPIXEL, 32)
    if "width" in model.fields:
        base = given if given is not None and "input_image" in model.fields else model.default_size
        return body.get("width") or base[0], body.get("height") or base[1]
    return given or model.default_size


def _status(job: Job) -> str:
    if job.state == "moderated":
        return "Request Moderated" if job.error == "request" else "Content Moderated"
    return STATES[job.state]


def _changed(world: World, job: Job) -> None:
    if not job.is_final:
        return
    data = job.data
    if job.state == "done":
        picture = cast(Picture, data["picture"])
        name = world.files.add(recipe(picture), picture.format, MIME[picture.format])
        lifetime = -1 if "expire-url" in job.triggers else URL_LIFETIME
        start, end = job.started or job.created, job.finished or job.created
        data["result"] = {
            "sample": world.files.url(data["origin"], name, lifetime),
            "prompt": data["prompt"],
            "seed": data["seed"],
            "start_time": start,
            "end_time": end,
            "duration": end - start,
        }
    if data["hook"]:
        _send_webhook(world, job)


def _send_webhook(world: World, job: Job) -> None:
    stamp = datetime.fromtimestamp(job.finished or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body: dict[str, Any] = {"id": job.id, "status": _status(job), "timestamp": stamp}
    if job.state == "done":
        body["result"] = job.data["result"]
    elif job.state == "moderated":
        body |= {"status": "Error", "error": "content_policy_violation", "message": _status(job)}
    else:
        body |= {"error": "internal_error", "message": job.error}
    raw = msgspec.json.encode(body)
    headers: dict[str, str] = {}
    if job.data["secret"]:
        signature = hmac.new(job.data["secret"].encode(), raw, hashlib.sha256).hexdigest()
        headers["X-BFL-Signature"] = f"sha256={signature}"
    world.callbacks.send(job, job.data["hook"], raw, headers, RETRIES)


def _credential(request: web.Request) -> str:
    return request.headers.get("x-key", "").strip()


def _refuse(call: Call, why: Refusal) -> Answer:
    if why.kind == "unauthorized":
        return _error(403, "Not authenticated")
    if why.kind == "rate_limited":
        headers = {"retry-after": str(call.triggers.integer("rate-limit", 1))}
        return _error(429, "Too many active tasks", headers)
    if why.kind == "not_found":
        return _error(404, "Not Found" if why.message.startswith("Invalid URL") else why.message)
    if why.status == 402:
        return _error(402, "Insufficient credits")
    return _error(why.status, why.message)


def _error(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Answer:
    return json_answer({"detail": detail}, status, headers)


VENDOR = Vendor(
    name="flux",
    routes=(
        *(Route("POST", f"/v1/{slug}", partial(_submit, slug)) for slug in MODELS),
        Route("GET", "/v1/get_result", get_result, public=True),
        Route("GET", "/v1/credits", credits),
        Route("GET", "/v1/my_finetunes", my_finetunes),
        Route("GET", "/v1/finetune_details", finetune_details),
        Route("POST", "/v1/delete_finetune", delete_finetune),
    ),
    credential=_credential,
    credential_headers=("x-key",),
    refuse=_refuse,
    moderates_at_submit=False,
)
