"""Ideogram: the legacy endpoints and version 3, all synchronous; pictures by addresses that expire.

Source: the vendor's OpenAPI document.
"""

from __future__ import annotations

import datetime
import re
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from ..media.draw import MIME, Picture, recipe, size_of
from ..vendor import Answer, Call, Refusal, Route, Vendor, bearer, digest_of, json_answer

LIFETIME = 3600.0
MODELS = ("V_1", "V_1_TURBO", "V_2", "V_2_TURBO", "V_2A", "V_2A_TURBO", "V_3", "AUTO")
LEGACY_RATIOS = ("10_16", "16_10", "9_16", "16_9", "3_2", "2_3", "4_3", "3_4", "1_1", "1_3", "3_1")
RATIOS = ("1x3", "3x1", "1x2", "2x1", "9x16", "16x9", "10x16", "16x10", "2x3", "3x2", "3x4", "4x3", "4x5", "5x4", "1x1")
SPEEDS = {"FLASH": 3.0, "TURBO": 5.0, "BALANCED": 8.0, "DEFAULT": 8.0, "QUALITY": 20.0}
STYLES = ("AUTO", "GENERAL", "REALISTIC", "DESIGN", "RENDER_3D", "ANIME", "FICTION", "CUSTOM", "STYLIZED")
UNSAFE = "Prompt provided failed safety check due to the inclusion of prohibited content."
WORDS = ("a drawn test picture", "soft shapes on a gradient", "large lettering across the middle")


def _choice(call: Call, fields: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value = fields.get(name)
    if value is not None and value not in allowed:
        raise call.refused("bad_request", 400, f"{name} must be one of {', '.join(allowed)}")
    return value


def _whole(call: Call, fields: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = fields.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise call.refused("bad_request", 400, f"{name} must be a whole number") from None
    if isinstance(value, bool | float) or not low <= number <= high:
        raise call.refused("bad_request", 400, f"{name} must be from {low} to {high}")
    return number


def _prompt(call: Call, fields: dict[str, Any]) -> str:
    value = fields.get("prompt")
    if not isinstance(value, str) or not value:
        raise call.refused("bad_request", 400, "prompt is required")
    return value


def _wrapped(call: Call) -> dict[str, Any]:
    """Return the object under `image_request`: a member of the JSON body, or a part of the form."""
    if not call.request.headers.get("content-type", "").startswith("multipart/"):
        value = call.json.get("image_request")
    else:
        text: str | bytes = call.form.texts.get("image_request") or call.form.files.get("image_request", b"")
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = None
    if not isinstance(value, dict):
        raise call.refused("bad_request", 400, "image_request is required, an object")
    return value


def _file(call: Call, name: str) -> bytes:
    data = call.form.files.get(name)
    if not data or size_of(data) is None:
        raise call.refused("bad_request", 400, f"{name} is required, a JPEG, PNG or WebP picture")
    return data


def _sides(ratio: str, long: int = 1024) -> tuple[int, int]:
    wide, high = (int(number) for number in re.split("[x_]", ratio))
    scale = long / max(wide, high)
    return max(64, round(wide * scale / 64) * 64), max(64, round(high * scale / 64) * 64)


def _resolution(call: Call, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(?:RESOLUTION_)?(\d{3,4})[x_](\d{3,4})", text)
    if match is None:
        raise call.refused("bad_request", 400, "resolution is not a known one")
    return int(match[1]), int(match[2])


async def _pictures(
    call: Call,
    fields: dict[str, Any],
    size: tuple[int, int],
    seconds: float,
    *,
    source: bytes | None = None,
    upscaled: tuple[int, int] | None = None,
) -> Answer:
    count = _whole(call, fields, "num_images", 1, 1, 8)
    seed = fields.get("seed")
    first = _whole(call, fields, "seed", 0, 0, 2147483647) if seed is not None else None
    prompt = str(fields.get("prompt") or "")
    await call.work(seconds)
    items: list[dict[str, Any]] = []
    width, height = upscaled or size
    for number in range(count):
        digest = digest_of(call.fingerprint(), number)
        safe = "moderated-output" not in call.triggers
        item: dict[str, Any] = {
            "prompt": prompt,
            "resolution": f"{size[0]}x{size[1]}",
            "is_image_safe": safe,
            "seed": (first + number) if first is not None else int.from_bytes(digest[:4], "big") >> 1,
            "url": None,
        }
        if upscaled is not None:
            item["upscaled_resolution"] = f"{width}x{height}"
        if fields.get("style_type"):
            item["style_type"] = fields["style_type"]
        if safe:
            picture = Picture(width, height, prompt, digest, source=source)
            name = call.world.files.add(recipe(picture), "png", MIME["png"])
            item["url"] = call.world.files.url(call.origin, name, -1 if "expire-url" in call.triggers else LIFETIME)
        items.append(item)
    return json_answer({"created": datetime.datetime.now(datetime.UTC).isoformat(), "data": items})


def _legacy_size(call: Call, fields: dict[str, Any]) -> tuple[int, int]:
    ratio = _choice(call, fields, "aspect_ratio", tuple(f"ASPECT_{name}" for name in LEGACY_RATIOS))
    resolution = fields.get("resolution")
    if ratio is not None and resolution is not None:
        raise call.refused("bad_request", 400, "aspect_ratio and resolution exclude each other")
    if resolution is not None:
        return _resolution(call, str(resolution))
    return _sides((ratio or "ASPECT_1_1").removeprefix("ASPECT_"))


async def generate(call: Call) -> Answer:
    """POST /generate."""
    fields = _wrapped(call)
    _prompt(call, fields)
    _choice(call, fields, "model", MODELS)
    _choice(call, fields, "style_type", STYLES)
    return await _pictures(call, fields, _legacy_size(call, fields), 8)


async def remix(call: Call) -> Answer:
    """POST /remix."""
    source, fields = _file(call, "image_file"), _wrapped(call)
    _prompt(call, fields)
    _choice(call, fields, "model", MODELS)
    _whole(call, fields, "image_weight", 50, 1, 100)
    return await _pictures(call, fields, _legacy_size(call, fields), 8, source=source)


async def upscale(call: Call) -> Answer:
    """POST /upscale: twice the sides."""
    source, fields = _file(call, "image_file"), _wrapped(call)
    for name in ("resemblance", "detail"):
        _whole(call, fields, name, 50, 1, 100)
    width, height = size_of(source) or (64, 64)
    return await _pictures(
        call, fields, (width, height), 12, source=source, upscaled=(min(2048, width * 2), min(2048, height * 2))
    )


async def describe(call: Call) -> Answer:
    """POST /describe."""
    source = _file(call, "image_file")
    width, height = size_of(source) or (0, 0)
    await call.work(3)
    start = digest_of(source)[0]
    picked = [WORDS[(start + number) % len(WORDS)] for number in range(2)]
    return json_answer({"descriptions": [{"text": f"TEST MODE: {words}, {width}x{height} pixels"} for words in picked]})


async def edit(call: Call) -> Answer:
    """POST /edit: flat form fields."""
    source = _file(call, "image_file")
    _file(call, "mask")
    fields: dict[str, Any] = dict(call.form.texts)
    _prompt(call, fields)
    if _choice(call, fields, "model", MODELS) is None:
        raise call.refused("bad_request", 400, "model is required")
    return await _pictures(call, fields, size_of(source) or (1024, 1024), 8, source=source)


async def reframe(call: Call) -> Answer:
    """POST /reframe."""
    source = _file(call, "image_file")
    fields: dict[str, Any] = dict(call.form.texts)
    if _choice(call, fields, "model", MODELS) is None or not fields.get("resolution"):
        raise call.refused("bad_request", 400, "model and resolution are required")
    return await _pictures(call, fields, _resolution(call, fields["resolution"]), 8, source=source)


async def _version_3(files: tuple[str, ...], call: Call, *, framed: bool = False) -> Answer:
    if call.request.headers.get("content-type", "").startswith("multipart/"):
        fields: dict[str, Any] = dict(call.form.texts)
    else:
        fields = call.json
    sources = [_file(call, name) for name in files]
    if not framed:
        _prompt(call, fields)
    speed = _choice(call, fields, "rendering_speed", tuple(SPEEDS)) or "DEFAULT"
    ratio = _choice(call, fields, "aspect_ratio", RATIOS)
    _choice(call, fields, "style_type", STYLES)
    resolution = fields.get("resolution")
    if framed and not resolution:
        raise call.refused("bad_request", 400, "resolution is required")
    if resolution and ratio:
        raise call.refused("bad_request", 400, "aspect_ratio and resolution exclude each other")
    size = _resolution(call, str(resolution)) if resolution else _sides(ratio or "1x1")
    return await _pictures(call, fields, size, SPEEDS[speed], source=sources[0] if sources else None)


def _credential(request: web.Request) -> str:
    return request.headers.get("api-key", "").strip() or bearer(request)


def _refuse(call: Call, why: Refusal) -> Answer:
    if why.kind == "moderated":
        return json_answer({"error": UNSAFE}, 422)
    # Two of the legacy endpoints say 403 where the others say 401.
    odd = why.kind == "unauthorized" and call.request.path.endswith(("ideogram/remix", "ideogram/upscale"))
    return json_answer({"error": why.message}, 403 if odd else why.status)


VENDOR = Vendor(
    name="ideogram",
    routes=(
        Route("POST", "/generate", generate),
        Route("POST", "/remix", remix),
        Route("POST", "/upscale", upscale),
        Route("POST", "/describe", describe),
        Route("POST", "/edit", edit),
        Route("POST", "/reframe", reframe),
        Route("POST", "/v1/ideogram-v3/generate", partial(_version_3, ())),
        Route("POST", "/v1/ideogram-v3/remix", partial(_version_3, ("image",))),
        Route("POST", "/v1/ideogram-v3/edit", partial(_version_3, ("image", "mask"))),
        Route("POST", "/v1/ideogram-v3/inpaint", partial(_version_3, ("image", "mask"))),
        Route("POST", "/v1/ideogram-v3/reframe", partial(_version_3, ("image",), framed=True)),
        Route("POST", "/v1/ideogram-v3/replace-background", partial(_version_3, ("image",))),
    ),
    credential=_credential,
    credential_headers=("api-key",),
    refuse=_refuse,
)
