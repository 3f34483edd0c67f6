"""OpenAI's image generation, served by Flux tasks: one task an image, awaited."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from ..declare import Failure, Json, Links, Reason, Reply, Request, Task, Translator

RATIOS = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
PASSED = (
    "seed",
    "prompt_upsampling",
    "safety_tolerance",
    "output_format",
    "steps",
    "guidance",
    "raw",
    "input_image",
    "image_prompt",
    "image_prompt_strength",
)


def _by_ratio(model: str) -> bool:
    return "ultra" in model or "kontext" in model


def _round(value: int, low: int, high: int, step: int) -> int:
    return min(high, max(low, round(value / step) * step))


def to(request: Request) -> Sequence[Json]:
    """Turn one image request into Flux bodies, one an image."""
    given: dict[str, Any] = msgspec.json.decode(request.raw)
    model: str = given["model"]
    body: dict[str, Any] = {"prompt": given["prompt"]}
    body |= {key: given[key] for key in PASSED if given.get(key) is not None}
    if isinstance(given.get("image"), str):
        body.setdefault("input_image", given["image"])
    size = given.get("size") or "auto"
    if size != "auto":
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
        if match is None:
            raise Failure(Reason.INVALID, "size must be WIDTHxHEIGHT, such as 1024x768", param="size")
        width, height = int(match[1]), int(match[2])
        if _by_ratio(model):
            body["aspect_ratio"] = min(
                RATIOS, key=lambda ratio: abs(int(ratio.split(":")[0]) / int(ratio.split(":")[1]) - width / height)
            )
        elif model.startswith("flux-2"):
            body |= {"width": _round(width, 64, 2048, 16), "height": _round(height, 64, 2048, 16)}
        else:
            body |= {"width": _round(width, 256, 1440, 32), "height": _round(height, 256, 1440, 32)}
    if given.get("aspect_ratio"):
        body["aspect_ratio"] = given["aspect_ratio"]
    seed = body.get("seed")
    count = given.get("n") or 1
    if seed is None or count == 1:
        return [body] * count
    return [body | {"seed": seed + number} for number in range(count)]


def back(request: Request, tasks: Sequence[Task], links: Links) -> Reply:
    """Answer with the images' addresses; the gateway puts the bytes in their place where they were asked for."""
    data = [{"url": links.asset(task), "revised_prompt": task.request["prompt"]} for task in tasks]
    return Reply({"created": int(time.time()), "data": data})


def failed(task: Task) -> Failure:
    """Say why a task brought no image."""
    if task.error and "moderated" in task.error.lower():
        return Failure(Reason.INVALID, "The request was refused by the content filter", code="content_policy_violation")
    return Failure(Reason.UPSTREAM, f"The image could not be made: {task.error or 'unknown error'}")


def inline(request: Request) -> bool:
    """Tell whether the images are wanted inside the answer."""
    return request.body.response_format == "b64_json"


openai_to_flux = Translator(
    source="openai.images.generations",
    target="flux.generate",
    serves=lambda model: model.startswith("flux"),
    to=to,
    back=back,
    failed=failed,
    inline=inline,
)
