"""OpenAI's images: generations, edits, variations; DALL·E answers URLs or base64, gpt-image base64 and usage."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from ...media.draw import MIME, Format, Picture, recipe, render
from ...media.words import count_of
from ...vendor import Answer, Call, Route, Stream, digest_of, json_answer
from .common import invalid, model_of

URL_LIFETIME = 3600
"""Seconds that a picture's URL works."""
SIZES = {
    "dall-e-2": ("256x256", "512x512", "1024x1024"),
    "dall-e-3": ("1024x1024", "1792x1024", "1024x1792"),
    "gpt-image": ("1024x1024", "1536x1024", "1024x1536"),
}
OUTPUT_TOKENS = {
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208},
}
SECONDS = {"standard": 12.0, "hd": 20.0, "low": 12.0, "medium": 25.0, "high": 45.0}
INPUT_IMAGE_TOKENS = 323
_FAILURE = (
    b'event: error\ndata: {"type":"error","error":{"type":"server_error","code":null,'
    b'"message":"The server had an error while processing your request.","param":null}}\n\n'
)


@dataclass(frozen=True)
class _Order:
    """A checked request for pictures."""

    model: str
    prompt: str
    count: int
    size: str
    quality: str
    format: Format
    as_url: bool
    background: str
    seen: int
    """Pictures given."""
    source: bytes | None

    @property
    def is_gpt(self) -> bool:
        return self.model.startswith(("gpt-image", "chatgpt-image"))

    def picture(self, index: int, quality: int) -> Picture:
        width, _, height = self.size.partition("x")
        digest = digest_of(self.model, self.prompt, self.size, self.quality, self.source, index)
        clear = self.background == "transparent" and self.format != "jpeg"
        return Picture(
            int(width), int(height), self.prompt, digest, self.format, self.source, cutout=clear, quality=quality
        )


async def generations(call: Call) -> Answer | Stream:
    """`POST /v1/images/generations`."""
    return await _answer(call, call.json, None, 0)


async def edits(call: Call) -> Answer | Stream:
    """`POST /v1/images/edits`, multipart, or JSON with `images`."""
    if call.request.content_type == "application/json":
        images = call.json.get("images")
        if not isinstance(images, list) or not 1 <= len(images) <= 16:
            raise invalid("Invalid 'images': 1 to 16 are allowed.", "images", "invalid_value")
        return await _answer(call, {"model": "gpt-image-1.5", **call.json}, None, len(images))
    given = call.form.uploads.get("image", ())
    if not given:
        raise invalid("Missing required parameter: 'image'.", "image", "missing_required_parameter")
    if len(given) > 16:
        raise invalid("Invalid 'image': 1 to 16 are allowed.", "image", "invalid_value")
    return await _answer(call, {"model": "gpt-image-1.5", **call.form.texts}, given[0], len(given))


async def variations(call: Call) -> Answer | Stream:
    """`POST /v1/images/variations`."""
    source = call.form.files.get("image")
    if source is None:
        raise invalid("Missing required parameter: 'image'.", "image", "missing_required_parameter")
    return await _answer(call, {**call.form.texts, "prompt": "a variation"}, source, 1)


def _order(call: Call, body: dict[str, Any], source: bytes | None, seen: int) -> _Order:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    model = model_of(call, "image", body.get("model") or "dall-e-2")
    gpt = model.startswith(("gpt-image", "chatgpt-image"))
    family = "gpt-image" if gpt else "dall-e-2" if model == "dall-e-2" else "dall-e-3"
    longest = {"gpt-image": 32000, "dall-e-3": 4000, "dall-e-2": 1000}[family]
    if len(prompt) > longest:
        raise invalid(
            f"Invalid 'prompt': string too long. Expected at most {longest}.", "prompt", "string_above_max_length"
        )
    count = _whole(body.get("n", 1), "n", 1, 1 if family == "dall-e-3" and model != "sandbox-image" else 10)
    size = str(body.get("size") or ("auto" if gpt else "1024x1024"))
    size = "1024x1024" if gpt and size == "auto" else size
    if size not in SIZES[family] and not (model.startswith("gpt-image-2") and _is_free_size(size)):
        raise invalid(
            f"Invalid value: '{size[:20]}'. Supported values are: {', '.join(SIZES[family])}.", "size", "invalid_value"
        )
    qualities = {
        "gpt-image": ("auto", "low", "medium", "high"),
        "dall-e-3": ("auto", "standard", "hd"),
        "dall-e-2": ("auto", "standard"),
    }
    quality = str(body.get("quality") or "auto")
    if quality not in qualities[family]:
        raise invalid(f"Invalid value: '{quality[:20]}'.", "quality", "invalid_value")
    if quality == "auto":
        quality = "high" if gpt else "standard"
    form = str(body.get("output_format") or "png")
    if form not in {"png", "jpeg", "webp"}:
        raise invalid(f"Invalid value: '{form[:20]}'.", "output_format", "invalid_value")
    delivery = body.get("response_format")
    if gpt and delivery is not None:
        raise invalid("Unknown parameter: 'response_format'.", "response_format", "unknown_parameter")
    if delivery not in {None, "url", "b64_json"}:
        raise invalid("Invalid value for 'response_format'.", "response_format", "invalid_value")
    return _Order(
        model=model,
        prompt=prompt,
        count=count,
        size=size,
        quality=quality,
        format=cast(Format, form) if gpt else "png",
        as_url=not gpt and delivery != "b64_json",
        background=str(body.get("background") or "opaque").replace("auto", "opaque"),
        seen=seen,
        source=source,
    )


def _whole(value: Any, name: str, low: int, high: int) -> int:
    # A multipart form has its numbers as text.
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise invalid(f"Invalid '{name}': expected an integer between {low} and {high}.", name, "invalid_value")
    return number


def _is_free_size(size: str) -> bool:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    if match is None:
        return False
    width, height = int(match[1]), int(match[2])
    return width % 16 == 0 and height % 16 == 0 and 1 / 3 <= width / height <= 3


async def _answer(call: Call, body: dict[str, Any], source: bytes | None, seen: int) -> Answer | Stream:
    order = _order(call, body, source, seen)
    partials = _whole(body.get("partial_images") or 0, "partial_images", 0, 3)
    compression = _whole(body.get("output_compression", 100), "output_compression", 0, 100)
    quality = 85 * compression // 100
    stream = order.is_gpt and body.get("stream") in {True, "true"}
    seconds = SECONDS[order.quality]
    if not stream:
        await call.work(seconds)
    created = int(call.world.clock.wall())
    pictures = [order.picture(index, quality) for index in range(order.count)]
    usage = _usage(order)
    if stream:
        return await _stream(call, order, pictures, partials, usage, created, seconds)
    data: list[dict[str, Any]] = []
    for picture in pictures:
        one: dict[str, Any] = {}
        if order.as_url:
            name = call.world.files.add(recipe(picture), order.format, MIME[order.format])
            lifetime = -1 if "expire-url" in call.triggers else URL_LIFETIME
            one["url"] = call.world.files.url(call.origin, name, lifetime)
        else:
            one["b64_json"] = base64.b64encode(await asyncio.to_thread(render, picture)).decode()
        if order.model == "dall-e-3":
            one["revised_prompt"] = f"A picture in test mode: {order.prompt}"
        data.append(one)
    answer: dict[str, Any] = {"created": created, "data": data}
    if order.is_gpt:
        answer |= _facts(order)
        if "no-usage" not in call.triggers:
            answer["usage"] = usage
    return json_answer(answer)


def _facts(order: _Order) -> dict[str, Any]:
    return {
        "background": order.background,
        "output_format": order.format,
        "size": order.size,
        "quality": order.quality,
    }


def _usage(order: _Order) -> dict[str, Any]:
    if not order.is_gpt:
        return {}
    width, _, height = order.size.partition("x")
    table = OUTPUT_TOKENS[order.quality]
    each = table.get(order.size, table["1024x1024"] * int(width) * int(height) // 1024**2)
    text, images, out = count_of(order.prompt), INPUT_IMAGE_TOKENS * order.seen, each * order.count
    return {
        "total_tokens": text + images + out,
        "input_tokens": text + images,
        "output_tokens": out,
        "input_tokens_details": {"text_tokens": text, "image_tokens": images},
        "output_tokens_details": {"image_tokens": out, "text_tokens": 0},
    }


async def _stream(
    call: Call,
    order: _Order,
    pictures: list[Picture],
    partials: int,
    usage: dict[str, Any],
    created: int,
    seconds: float,
) -> Stream:
    verb = "image_edit" if order.seen else "image_generation"
    events: list[bytes] = []

    async def add(kind: str, picture: Picture, extra: dict[str, Any]) -> None:
        image = base64.b64encode(await asyncio.to_thread(render, picture)).decode()
        event = {"type": f"{verb}.{kind}", "b64_json": image, "created_at": created, **_facts(order), **extra}
        events.append(f"event: {verb}.{kind}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n")

    for picture in pictures:
        for index in range(partials):
            await add("partial_image", replace(picture, blur=24 >> index), {"partial_image_index": index})
        await add("completed", picture, {} if "no-usage" in call.triggers else {"usage": usage})
    pause = seconds / (len(events) + 1)
    return Stream(events, _FAILURE, delay=pause, interval=pause)


ROUTES = (
    Route("POST", "/v1/images/generations", generations),
    Route("POST", "/v1/images/edits", edits),
    Route("POST", "/v1/images/variations", variations),
)
