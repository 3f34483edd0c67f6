"""OpenAI's image generation, served by Flux tasks: one task an image, awaited."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from typing import Protocol as Interface

import msgspec

from ..declare import Answer, AnyRequest, Failure, Json, Links, Reason, Reply, Request, Task, TaskTranslator

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


class Asking(Interface):
    """A body that says in which form images are wanted."""

    @property
    def response_format(self) -> str | None: ...  # noqa: D102


def requests(request: AnyRequest, model: str) -> Sequence[Mapping[str, Json]]:
    """Turn one image request into Flux bodies, one an image.

    Raises
    ------
    Failure
        INVALID, for a size that is none.
    """
    asked: dict[str, Any] = msgspec.json.decode(request.raw)
    body: dict[str, Any] = {"prompt": asked["prompt"]}
    body |= {key: asked[key] for key in PASSED if asked.get(key) is not None}
    if isinstance(asked.get("image"), str):
        body.setdefault("input_image", asked["image"])
    size = asked.get("size") or "auto"
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
    if asked.get("aspect_ratio"):
        body["aspect_ratio"] = asked["aspect_ratio"]
    seed = body.get("seed")
    count = asked.get("n") or 1
    if seed is None or count == 1:
        return [body] * count
    return [body | {"seed": seed + number} for number in range(count)]


def answer(request: Request[Asking], tasks: Sequence[Task], links: Links, files: Sequence[bytes]) -> Reply:
    """Answer with the images' addresses, or their bytes where they were asked for."""
    data: list[Json] = [{"revised_prompt": task.request["prompt"]} for task in tasks]
    if inline(request):
        for image, file in zip(data, files, strict=True):
            image["b64_json"] = base64.b64encode(file).decode()
    else:
        for image, task in zip(data, tasks, strict=True):
            image["url"] = links.asset(task)
    return Reply({"created": int(time.time()), "data": data})


def failed(task: Task) -> Failure:
    """Say why a task brought no image."""
    if task.error and "moderated" in task.error.lower():
        return Failure(Reason.INVALID, "The request was refused by the content filter", code="content_policy_violation")
    return Failure(Reason.UPSTREAM, f"The image could not be made: {task.error or 'unknown error'}")


_REASONS: Mapping[int, Reason] = {400: Reason.INVALID, 422: Reason.INVALID, 429: Reason.RATE_LIMITED}


def error(answer: Answer) -> Failure:
    """Say what a refusal says: FastAPI's list of faults, or a sentence."""
    value = answer.json()
    message = "The upstream refused the request"
    if isinstance(value, dict):
        detail = value.get("detail") or value.get("message") or value.get("error")
        if isinstance(detail, str):
            message = detail
        elif isinstance(detail, list) and detail and isinstance(detail[0], dict):
            field = ".".join(str(part) for part in detail[0].get("loc", ())[1:])
            message = f"{field}: {detail[0].get('msg', '')}"
    return Failure(_REASONS.get(answer.status, Reason.UPSTREAM), message)


def inline(request: Request[Asking]) -> bool:
    """Tell whether the images are wanted inside the answer."""
    return request.body.response_format == "b64_json"


openai_to_flux = TaskTranslator(
    source="openai.images.generations",
    target="flux.generate",
    requests=requests,
    answer=answer,
    failed=failed,
    error=error,
    inline=inline,
)
