"""Stability AI, v1: SDXL and SD 1.6, engines, account."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Any

from ...media.draw import Picture, render, size_of
from ...vendor import Answer, Call, Refusal, Route, digest_of, json_answer

CREDITS_START = 100_000.0
"""What every key has at first."""
STYLES = (
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)
ENGINES: Mapping[str, str] = {
    "stable-diffusion-xl-1024-v1-0": "Stable Diffusion XL v1.0",
    "stable-diffusion-v1-6": "Stable Diffusion v1.6",
    "stable-diffusion-xl-beta-v2-2-2": "Stable Diffusion XL Beta",
}
SDXL_SIZES = frozenset(
    {
        (1024, 1024),
        (1152, 896),
        (896, 1152),
        (1216, 832),
        (832, 1216),
        (1344, 768),
        (768, 1344),
        (1536, 640),
        (640, 1536),
    }
)
PRESETS = ("FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST")
SAMPLERS = (
    "DDIM",
    "DDPM",
    "K_DPMPP_2M",
    "K_DPMPP_2S_ANCESTRAL",
    "K_DPM_2",
    "K_DPM_2_ANCESTRAL",
    "K_EULER",
    "K_EULER_ANCESTRAL",
    "K_HEUN",
    "K_LMS",
)
RANGES: Mapping[str, tuple[float, float]] = {
    "cfg_scale": (0, 35),
    "samples": (1, 10),
    "seed": (0, 4294967295),
    "steps": (10, 50),
    "image_strength": (0, 1),
    "step_schedule_start": (0, 1),
    "step_schedule_end": (0, 1),
}
WHOLE = frozenset({"samples", "seed", "steps"})
CHOICES: Mapping[str, tuple[str, ...]] = {
    "clip_guidance_preset": PRESETS,
    "sampler": SAMPLERS,
    "style_preset": STYLES,
    "init_image_mode": ("IMAGE_STRENGTH", "STEP_SCHEDULE"),
    "mask_source": ("MASK_IMAGE_WHITE", "MASK_IMAGE_BLACK", "INIT_IMAGE_ALPHA"),
}


def id_answer(
    call: Call,
    status: int,
    name: str,
    *,
    errors: list[str] | None = None,
    message: str | None = None,
    identity: str | None = None,
) -> Answer:
    """Return an error: v2beta lists `errors`, v1 has one `message`."""
    body: dict[str, Any] = {"id": identity or call.world.ids.hex(32), "name": name}
    return json_answer(body | ({"errors": errors} if message is None else {"message": message}), status)


def refuse(call: Call, why: Refusal) -> Answer:
    """Put a refusal in the shape of v1."""
    if why.kind == "moderated":
        return id_answer(call, 400, "invalid_prompts", message="One or more prompts contains filtered words.")
    names = {"rate_limited": "rate_limit_exceeded", "too_large": "payload_too_large"}
    text = "missing authorization header" if why.kind == "unauthorized" else why.message
    answer = id_answer(call, why.status, names.get(why.kind, why.kind), message=text)
    if why.kind != "rate_limited":
        return answer
    return Answer(429, answer.body, headers={"retry-after": str(call.triggers.integer("rate-limit", 60))})


async def text_to_image(call: Call) -> Answer:
    """`POST /v1/generation/{engine_id}/text-to-image`."""
    _engine(call)
    body = call.json
    prompts = body.get("text_prompts")
    if not isinstance(prompts, list) or not prompts:
        raise call.refused("bad_request", 400, "text_prompts: is required")
    texts = [prompt.get("text") if isinstance(prompt, dict) else None for prompt in prompts]
    width, height = body.get("width"), body.get("height")
    side = 1024 if "xl-1024" in call.params["engine_id"] else 512
    return await _generate(
        call, texts, body, (side if width is None else width, side if height is None else height), None
    )


async def image_to_image(call: Call) -> Answer:
    """`POST /v1/generation/{engine_id}/image-to-image`."""
    return await _from_image(call)


async def masking(call: Call) -> Answer:
    """`POST /v1/generation/{engine_id}/image-to-image/masking`."""
    texts, files = call.form.texts, call.form.files
    if not texts.get("mask_source"):
        raise call.refused("bad_request", 400, "mask_source: is required")
    if texts["mask_source"] != "INIT_IMAGE_ALPHA" and not files.get("mask_image"):
        raise call.refused("bad_request", 400, "mask_image: is required")
    return await _from_image(call)


async def engines(call: Call) -> Answer:
    """`GET /v1/engines/list`."""
    return json_answer(
        [
            {"id": key, "name": name, "description": f"{name} (test mode)", "type": "PICTURE"}
            for key, name in ENGINES.items()
        ]
    )


async def account(call: Call) -> Answer:
    """`GET /v1/user/account`."""
    organization = {"id": "org-sandbox", "name": "Sandbox", "role": "MEMBER", "is_default": True}
    return json_answer({"id": f"user-{call.owner}", "email": "test@example.com", "organizations": [organization]})


async def balance(call: Call) -> Answer:
    """`GET /v1/user/balance`."""
    return json_answer({"credits": call.credits_left(CREDITS_START)})


def _engine(call: Call) -> None:
    engine = call.params["engine_id"]
    if engine not in ENGINES:
        raise call.refused("not_found", 404, f"The specified engine (ID {engine}) was not found.")


async def _from_image(call: Call) -> Answer:
    _engine(call)
    texts, source = call.form.texts, call.form.files.get("init_image")
    size = size_of(source) if source else None
    if size is None:
        raise call.refused("bad_request", 400, "init_image: is required")
    prompts = [value for key, value in texts.items() if re.fullmatch(r"text_prompts\[\d+\]\[text\]", key)]
    if not prompts:
        raise call.refused("bad_request", 400, "text_prompts: is required")
    options: dict[str, Any] = {key: value for key, value in texts.items() if value}
    for name in RANGES:
        if name in options:
            try:
                options[name] = int(options[name]) if name in WHOLE else float(options[name])
            except ValueError:
                raise call.refused("bad_request", 400, f"{name}: must be a number") from None
    return await _generate(call, prompts, options, size, source)


async def _generate(
    call: Call, texts: list[Any], options: Mapping[str, Any], size: tuple[Any, Any], source: bytes | None
) -> Answer:
    accept = call.request.headers.get("accept", "application/json").split(";")[0].strip().lower()
    if accept not in {"application/json", "image/png", "*/*"}:
        raise call.refused("bad_request", 400, "accept: must be application/json or image/png")
    _check(call, texts, options, size if source is None else None)
    samples, steps, engine = options.get("samples") or 1, options.get("steps") or 30, call.params["engine_id"]
    wanted = sorted((key, repr(value)) for key, value in options.items() if key != "seed")
    digest = digest_of(engine, texts, size, wanted, source)
    seed = options.get("seed") or int.from_bytes(digest[:4])
    await call.work(5)
    call.spend(samples * 0.9 * max(1, steps / 30))
    flagged = "moderated-output" in call.triggers
    reason = "CONTENT_FILTERED" if flagged else "SUCCESS"
    blur = min(size) / 16 if flagged else 0
    text = " / ".join(texts)
    pictures: list[tuple[int, bytes]] = []
    for number in range(1 if accept == "image/png" else samples):
        own = (seed + number) % 2**32
        picture = Picture(*size, f"{text} (seed {own})", digest_of(digest, own), "png", source, blur=blur)
        pictures.append((own, await asyncio.to_thread(render, picture)))
    if accept == "image/png":
        return Answer(200, pictures[0][1], "image/png", {"Finish-Reason": reason, "Seed": str(pictures[0][0])})
    artifacts = [
        {"base64": base64.b64encode(data).decode(), "finishReason": reason, "seed": own} for own, data in pictures
    ]
    return json_answer({"artifacts": artifacts})


def _check(call: Call, texts: list[Any], options: Mapping[str, Any], size: tuple[Any, Any] | None) -> None:
    def bad(message: str) -> Exception:
        return call.refused("bad_request", 400, message)

    for index, text in enumerate(texts):
        if not isinstance(text, str) or not 1 <= len(text) <= 2000:
            raise bad(f"text_prompts[{index}].text: must be 1 to 2000 characters")
    for name, (low, high) in RANGES.items():
        value = options.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if name in WHOLE else int | float):
            raise bad(f"{name}: must be {'an integer' if name in WHOLE else 'a number'}")
        if not low <= value <= high:
            raise bad(f"{name}: must be between {low:g} and {high:g}")
    for name, allowed in CHOICES.items():
        if options.get(name) is not None and options[name] not in allowed:
            raise bad(f"{name}: must be one of {', '.join(allowed)}")
    if size is None:
        return
    for name, value in zip(("width", "height"), size, strict=True):
        if not isinstance(value, int) or value % 64 or not 128 <= value <= 2048:
            raise bad(f"{name}: must be a multiple of 64")
    engine = call.params["engine_id"]
    if "xl-1024" in engine and size not in SDXL_SIZES:
        raise bad("height and width: must be one of the sizes that SDXL v1.0 allows")
    if "v1-6" in engine and not all(320 <= side <= 1536 for side in size):
        raise bad("height and width: must be between 320 and 1536")


ROUTES = (
    Route("POST", "/v1/generation/{engine_id}/text-to-image", text_to_image),
    Route("POST", "/v1/generation/{engine_id}/image-to-image", image_to_image),
    Route("POST", "/v1/generation/{engine_id}/image-to-image/masking", masking),
    Route("GET", "/v1/engines/list", engines),
    Route("GET", "/v1/user/account", account),
    Route("GET", "/v1/user/balance", balance),
)
