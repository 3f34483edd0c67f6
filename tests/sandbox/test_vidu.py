"""The sandbox's Vidu in its two formats: what is made, what is told, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.receiver import Receiver as Hook

from .conftest import get, png, post, until

V2, WEB = "/ent/v2", "/vidu/v1/tasks"
URL = "https://example.com/cat.png"
WORDS = {"type": "text", "content": "a cat"}
PICTURE = {"type": "image", "content": URL}


def data(wide: int, high: int) -> str:
    return "data:image/png;base64," + base64.b64encode(png(wide, high)).decode()


async def ended(http: aiohttp.ClientSession, path: str) -> Any:
    return await until(lambda: get(http, path), lambda told: told["state"] in ("success", "failed"))


async def test_a_film_its_state_and_a_larger_one(http: aiohttp.ClientSession) -> None:
    begun = await post(http, WEB, {"type": "img2video", "input": {"prompts": [WORDS, PICTURE]}})
    assert (begun["state"], begun["creations"]) == ("queueing", [])
    async with http.get(f"{WEB}/state?id={begun['id']}") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line.removeprefix(b"data: ")) async for line in answer.content if line.strip()]
    assert events[-1] == {"state": "success", "estimated_time_left": 0, "err_code": ""}
    assert all(event["estimated_time_left"] > 0 for event in events[:-1])
    (creation,) = (await get(http, f"{WEB}/{begun['id']}"))["creations"]
    assert creation["id"] != begun["id"]
    larger = await post(http, WEB, {"type": "upscale", "input": {"creation_id": creation["id"]}})
    assert (await ended(http, f"{WEB}/{larger['id']}"))["creations"][0]["grade"] == "final"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"type": "dance", "input": {"prompts": [WORDS]}}, 400, "FieldInvalid"),
        ({"type": "text2video", "input": {}}, 400, "FieldLacking"),
        ({"type": "text2video", "input": {"prompts": [WORDS, PICTURE]}}, 400, "FieldInvalid"),
        ({"type": "img2video", "input": {"prompts": [WORDS]}}, 400, "FieldInvalid"),
        ({"type": "img2video", "input": {"prompts": [{**PICTURE, "content": "x"}]}}, 400, "FieldInvalid"),
        ({"type": "upscale", "input": {"creation_id": "17"}}, 404, "TaskNotFound"),
        ({"type": "text2video", "input": {"prompts": [WORDS]}, "settings": {"duration": 5}}, 400, "FieldInvalid"),
        ({"type": "text2video", "input": {"prompts": [WORDS]}, "settings": {"model": "x"}}, 404, "ModelUnavailable"),
    ],
)
async def test_what_the_web_format_refuses(http: aiohttp.ClientSession, body: Any, status: int, code: str) -> None:
    assert (await post(http, WEB, body, status))["error"]["code"] == code


async def test_the_vendor_s_own(http: aiohttp.ClientSession) -> None:
    body = {"model": "vidu1.5", "prompt": "a cat", "resolution": "720p", "payload": "mine"}
    begun = await post(http, f"{V2}/text2video", body)
    assert (begun["state"], begun["credits"], begun["payload"]) == ("created", 100, "mine")
    done = await ended(http, f"{V2}/tasks/{begun['task_id']}/creations")
    (creation,) = done["creations"]
    assert (done["id"], done["credits"], creation["video"]["duration"]) == (begun["task_id"], 100, 4)
    assert len({creation["url"], creation["cover_url"], creation["watermarked_url"]}) == 3
    longer = await post(
        http, f"{V2}/extend", {"model": "viduq2-pro", "video_creation_id": creation["id"], "duration": 7}
    )
    again = await ended(http, f"{V2}/tasks/{longer['task_id']}/creations")
    assert again["creations"][0]["video"]["duration"] == 11
    refused = await post(http, f"{V2}/upscale", {"model": "vidu1.0", "creation_id": creation["id"]}, 400)
    assert refused["reason"] == "FieldInvalid", "of 360p alone"
    (newest, *_) = await get(http, f"{V2}/tasks?pager.pagesz=2")
    assert newest["id"] == longer["task_id"]


@pytest.mark.parametrize(
    ("way", "body", "status", "reason"),
    [
        ("text2video", {"model": "viduq1"}, 400, "FieldLacking"),
        ("text2video", {"model": "vidu2.0", "prompt": "x"}, 404, "ModelUnavailable"),
        ("text2video", {"model": "viduq1", "prompt": "x", "duration": 4}, 400, "FieldInvalid"),
        ("text2video", {"model": "viduq1", "prompt": "x", "resolution": "720p"}, 400, "FieldInvalid"),
        ("text2video", {"model": "viduq1", "prompt": "x", "aspect_ratio": "4:3"}, 400, "FieldInvalid"),
        ("text2video", {"model": "vidu1.5", "prompt": "x", "duration": 8, "resolution": "1080p"}, 400, "FieldInvalid"),
        ("text2video", {"model": "viduq2", "prompt": "x", "duration": 11}, 400, "FieldInvalid"),
        ("text2video", {"model": "viduq2", "prompt": "x" * 5001}, 400, "FieldInvalid"),
        ("img2video", {"model": "viduq1", "images": []}, 400, "FieldInvalid"),
        ("img2video", {"model": "viduq1", "images": [data(100, 200)]}, 400, "FieldInvalid"),
        ("img2video", {"model": "viduq1", "images": [data(900, 200)]}, 400, "FieldInvalid"),
        ("reference2video", {"model": "viduq1", "images": [URL] * 8, "prompt": "x"}, 400, "FieldInvalid"),
        ("start-end2video", {"model": "viduq1", "images": [data(300, 300), data(600, 300)]}, 400, "FieldInvalid"),
        ("upscale-new", {}, 400, "FieldLacking"),
        ("extend", {"model": "viduq2-pro", "video_url": URL, "duration": 8}, 400, "FieldInvalid"),
    ],
)
async def test_what_the_vendor_refuses(
    http: aiohttp.ClientSession, way: str, body: Any, status: int, reason: str
) -> None:
    refused = await post(http, f"{V2}/{way}", body, status)
    assert (refused["code"], refused["reason"]) == (status, reason), refused


async def test_signed_callbacks_at_each_change(http: aiohttp.ClientSession, hook: Hook) -> None:
    address = f"{hook.url}?order=17"
    begun = await post(http, f"{V2}/text2video", {"model": "viduq1", "prompt": "x", "callback_url": address})
    seen = await until(lambda: _states(hook), lambda states: "success" in states)
    assert seen == ["processing", "success"]
    call, parts = hook.received[-1], urlsplit(address)
    assert call.body["id"] == begun["task_id"]
    head = call.headers
    names = [f"{name}:{head[name.lower()]}" for name in head["x-hmac-signed-headers"].split(";")]
    lines = ["POST", parts.path, parts.query, "vidu", head["date"], *names, ""]
    digest = hmac.new(b"sandbox", "\n".join(lines).encode(), hashlib.sha256).digest()
    assert base64.b64decode(head["x-hmac-signature"]) == digest


async def _states(hook: Hook) -> list[str]:
    return [call.body["state"] for call in hook.received]


async def test_only_what_is_off_the_peak_is_cancelled(http: aiohttp.ClientSession) -> None:
    body = {"model": "viduq1", "prompt": "[sandbox:never-finish] x"}
    usual = (await post(http, f"{V2}/text2video", body))["task_id"]
    assert (await post(http, f"{V2}/tasks/{usual}/cancel", {}, 409))["reason"] == "Conflict"
    cheap = (await post(http, f"{V2}/text2video", {**body, "off_peak": True}))["task_id"]
    assert await post(http, f"{V2}/tasks/{cheap}/cancel", {}) == {}
    assert (await get(http, f"{V2}/tasks/{cheap}/creations"))["err_code"] == "UserCancelled"
