"""OpenAI's images, served by tasks of any vendor of pictures: one task an image, awaited."""

from __future__ import annotations

import base64
import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from typing import Final
from typing import Protocol as Interface

from ...declare import AnyRequest, Failure, Json, Links, Reason, Reply, Request, Task, TaskTranslator
from .common import Target, body_of, frame, ratio, size, whole
from .model import Picture

SOURCE: Final = "openai.images.generations"
_REFUSED: Final = re.compile("moderat|risk control|content breaks|unsafe content", re.IGNORECASE)
"""How vendors say that a picture was not made for what it would show."""


class Asking(Interface):
    """A body that says in which form images are wanted."""

    @property
    def response_format(self) -> str | None: ...  # noqa: D102


def read(request: AnyRequest) -> Picture:
    """Read what images are wanted; vendors' own fields, which relays take here, go to the vendor that has them."""
    body = body_of(request)
    image, asked = body.get("input_image", body.get("image")), body.get("size", "auto")
    # Some relays take a ratio for a size.
    shape = body.get("aspect_ratio", asked if ":" in str(asked) else None)
    return Picture(
        prompt=body.get("prompt", ""),
        negative_prompt=body.get("negative_prompt", ""),
        image=None if image is None else frame(image, "image"),
        size=None if asked == "auto" or asked == shape else size(asked),
        ratio=None if shape is None else ratio(shape, "aspect_ratio"),
        seed=whole(body["seed"], "seed") if "seed" in body else None,
        count=whole(body.get("n", 1), "n"),
        own=body,
        names={"ratio": "aspect_ratio"},
    )


def answer(request: Request[Asking], tasks: Sequence[Task], links: Links, files: Sequence[bytes]) -> Reply:
    """Answer with the images' addresses, or their bytes where they were asked for."""
    prompt = body_of(request).get("prompt")
    data: list[Json] = [{"revised_prompt": (task.request or {}).get("prompt") or prompt} for task in tasks]
    if inline(request):
        for image, file in zip(data, files, strict=True):
            image["b64_json"] = base64.b64encode(file).decode()
    else:
        for image, task in zip(data, tasks, strict=True):
            image["url"] = links.asset(task)
    return Reply({"created": int(time.time()), "data": data})


def inline(request: Request[Asking]) -> bool:
    """Tell whether the images are wanted inside the answer."""
    return request.body.response_format == "b64_json"


def failed(task: Task) -> Failure:
    """Say why a task brought no image."""
    if task.error and _REFUSED.search(task.error):
        return Failure(Reason.INVALID, "The request was refused by the content filter", code="content_policy_violation")
    return Failure(Reason.UPSTREAM, f"The image could not be made: {task.error or 'unknown error'}")


def served_by(target: Target[Picture]) -> TaskTranslator:
    """Return what has a vendor's tasks serve the images."""

    def requests(request: AnyRequest, model: str) -> list[Mapping[str, Json]]:
        wanted = read(request)
        seeds = [None if wanted.seed is None else wanted.seed + number for number in range(wanted.count)]
        return [target.write(dataclasses.replace(wanted, seed=seed, count=1), model) for seed in seeds]

    return TaskTranslator(
        source=SOURCE,
        target=next(iter(target.operations)),
        requests=requests,
        answer=answer,
        failed=failed,
        error=target.error,
        inline=inline,
        models=target.models,
    )
