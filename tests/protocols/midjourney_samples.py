"""Midjourney's requests and tasks, for the tests of its declaration."""

from __future__ import annotations

from typing import Any

from deeepai.declare import State, Task, Usage
from deeepai.gateway.body.request import HttpRequest
from deeepai.money.prices import PriceBook
from deeepai.protocols.midjourney import midjourney
from deeepai.protocols.midjourney.jobs import JOB
from tests.protocols.sent import Fixed, facts, sent

RULES, FACE = JOB.rules, JOB.face
HASH = "26d56b92-4ed6-45e2-8561-563797923135"
OURS, THEIRS = "1741531578038412", "1741531599999001"
PARENT, THEIR_PARENT = "1741531500000111", "1741531500000222"
PNG = "data:image/png;base64,aGk="
BODIES: dict[str, dict[str, Any]] = {
    "imagine": {"prompt": "Cat --ar 1:1"},
    "change": {"taskId": PARENT, "action": "UPSCALE", "index": 2},
    "simple-change": {"content": f"{PARENT} U2"},
    "action": {"taskId": PARENT, "customId": f"MJ::JOB::upsample::2::{HASH}"},
    "modal": {"taskId": OURS},
    "blend": {"base64Array": [PNG, PNG]},
    "describe": {"base64": PNG},
    "shorten": {"prompt": "a"},
    "edits": {"prompt": "a", "image": PNG},
    "retexture": {"prompt": "a", "image": PNG},
    "video": {"prompt": "a"},
    "upload-discord-images": {"base64Array": [PNG]},
}


async def submit(name: str, prefix: str = "", **changes: Any) -> tuple[Any, HttpRequest]:
    return await sent(midjourney, "POST", f"{prefix}/mj/submit/{name}", {**BODIES[name], **changes})


def origin(state: State = State.SUCCEEDED, action: str = "IMAGINE", **more: Any) -> Task:
    given: dict[str, Any] = {"snapshot": {"action": action}, "upstream_id": THEIR_PARENT} | more
    return Task(id=PARENT, operation="midjourney.imagine", model="mj_imagine", state=state, **given)


def task(state: State = State.QUEUED, **more: Any) -> Task:
    given: dict[str, Any] = {
        "request": {"prompt": "cat", "state": "order-17", "action": "IMAGINE", "mode": None, "by_path": False},
        "upstream_id": THEIRS,
        "submitted_at": 1741531578038,
    } | more
    return Task(id=OURS, operation="midjourney.imagine", model="mj_imagine", state=state, **given)


def patched(found: tuple[Any, HttpRequest], **about: Any) -> dict[str, Any]:
    operation, request = found
    return operation.patch(request, facts(**about))


def placed(found: tuple[Any, HttpRequest], **about: Any) -> str:
    operation, request = found
    return operation.upstream_path(request, facts(**about))


def cost(key: str, usage: Usage) -> float:
    found = PriceBook.shipped().cost(key, usage, 1)
    assert found is not None
    return found / 1e9


def shown(found: Task) -> dict[str, Any]:
    body = FACE.render(found, Fixed()).body
    assert isinstance(body, dict)
    return body
