"""OpenAI's images, made by Flux's tasks."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from deeepai.declare import Answer, Reason, State, Task
from deeepai.translators import TASK_TRANSLATORS
from tests.protocols.sent import Fixed

from .world import request_of

BY_FLUX = next(each for each in TASK_TRANSLATORS if each.target == "flux.generate")


class Body(msgspec.Struct):
    response_format: str | None = None


def asked(response_format: str | None = None, **more: Any) -> Any:
    request = request_of({"model": "flux-dev", "prompt": "a cat", **more})
    request.body = Body(response_format)
    return request


def test_a_task_is_made_for_each_image() -> None:
    bodies = BY_FLUX.requests(asked(n=2, seed=7, size="1000x500"), "flux-dev")
    common = {"prompt": "a cat", "width": 992, "height": 512}
    assert bodies == [{**common, "seed": 7}, {**common, "seed": 8}]


def test_the_model_decides_how_a_size_is_said() -> None:
    for size in ("1600x900", "16:9"):
        (body,) = BY_FLUX.requests(asked(size=size), "flux-kontext-pro")
        assert body == {"prompt": "a cat", "aspect_ratio": "16:9"}


def test_images_are_links_or_bytes() -> None:
    tasks = [Task(name, "flux.generate", "flux-dev", State.SUCCEEDED, request={"prompt": name}) for name in "ab"]
    links = BY_FLUX.answer(asked(), tasks, Fixed(), ()).body["data"]
    assert links == [{"url": f"https://gw/assets/{name}/0?sig=1", "revised_prompt": name} for name in "ab"]
    request = asked("b64_json")
    assert BY_FLUX.inline(request)
    images = BY_FLUX.answer(request, tasks, Fixed(), [b"1", b"2"]).body["data"]
    assert [base64.b64decode(image["b64_json"]) for image in images] == [b"1", b"2"]
    assert not any("url" in image for image in images)


@pytest.mark.parametrize(
    ("status", "body", "reason", "message"),
    [
        (422, {"detail": [{"loc": ["body", "width"], "msg": "too wide"}]}, Reason.INVALID, "width: too wide"),
        (402, {"detail": "Insufficient credits"}, Reason.UPSTREAM, "Insufficient credits"),
        (429, {"message": "Slow down"}, Reason.RATE_LIMITED, "Slow down"),
        (500, [], Reason.UPSTREAM, "The upstream refused the request"),
    ],
)
def test_refusals_are_read(status: int, body: Any, reason: Reason, message: str) -> None:
    failure = BY_FLUX.error(Answer(status, {}, msgspec.json.encode(body)))
    assert (failure.kind, failure.message) == (reason, message)
