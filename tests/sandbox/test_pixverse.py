"""The sandbox's Pixverse in its three formats: what is made, what is kept, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.support.receiver import Receiver as Hook

from .conftest import get, png, post, until

ROOT = "/openapi/v2"
FILM = {"prompt": "a cat", "model": "v5", "duration": 5, "quality": "540p"}
TEXT = {**FILM, "aspect_ratio": "16:9"}
WEB, RELAY = "/pixverse_web/generate", "/pixverse/v1/pro/generate"


def traced() -> dict[str, str]:
    return {"api-key": "k", "ai-trace-id": str(uuid.uuid4())}


async def ask(http: aiohttp.ClientSession, way: str, body: Any, status: int = 200, **head: str) -> Any:
    return await post(http, f"{ROOT}/video/{way}/generate", body, status, **(traced() | head))


async def ended(http: aiohttp.ClientSession, video: int) -> Any:
    async def look() -> Any:
        async with http.get(f"{ROOT}/video/result/{video}", headers=traced()) as answer:
            return (await answer.json())["Resp"]

    return await until(look, lambda told: told["status"] != 5)


async def upload(http: aiohttp.ClientSession, data: bytes | str, name: str = "image") -> Any:
    form = aiohttp.FormData()
    form.add_field(name, data, **({"filename": "a.png"} if isinstance(data, bytes) else {}))
    kind = name.partition("_")[0].replace("file", "media")
    async with http.post(f"{ROOT}/{kind}/upload", data=form, headers=traced()) as answer:
        return await answer.json()


async def test_films_uploads_and_what_goes_on(http: aiohttp.ClientSession) -> None:
    begun = (await ask(http, "text", TEXT))["Resp"]
    assert begun["credits"] == 45
    first = await ended(http, begun["video_id"])
    assert (first["id"], first["status"], first["outputWidth"]) == (begun["video_id"], 1, 960)
    async with http.get(first["url"]) as film:
        assert (await film.read())[4:8] == b"ftyp"
    image = (await upload(http, png(640, 480)))["Resp"]["img_id"]
    framed = await ended(http, (await ask(http, "img", {**FILM, "img_id": image}))["Resp"]["video_id"])
    assert framed["outputWidth"] > framed["outputHeight"]
    source = {"source_video_id": begun["video_id"]}
    assert (await ended(http, (await ask(http, "extend", FILM | source))["Resp"]["video_id"]))["status"] == 1
    left = (await get_balance(http))["credit_package"]
    assert left < 100_000


async def get_balance(http: aiohttp.ClientSession) -> Any:
    async with http.get(f"{ROOT}/account/balance", headers=traced()) as answer:
        return (await answer.json())["Resp"]


async def test_a_trace_id_makes_nothing_twice(http: aiohttp.ClientSession) -> None:
    head = {"ai-trace-id": str(uuid.uuid4())}
    first, second = [(await ask(http, "text", {**TEXT, "seed": seed}, **head))["Resp"]["video_id"] for seed in (1, 2)]
    assert first == second
    assert (await post(http, f"{ROOT}/video/text/generate", TEXT, **{"api-key": "k"}))["ErrCode"] == 400011


@pytest.mark.parametrize(
    ("way", "body", "code"),
    [
        ("text", FILM, 400011),
        ("text", {**TEXT, "prompt": "x" * 2049}, 400017),
        ("text", {**TEXT, "model": "v9"}, 400017),
        ("text", {**TEXT, "duration": "5"}, 400013),
        ("text", {**TEXT, "duration": 10}, 400017),
        ("text", {**TEXT, "model": "v4", "quality": "1080p", "duration": 8}, 400017),
        ("text", {**TEXT, "motion_mode": "fast", "duration": 8}, 400017),
        ("text", {**TEXT, "motion_mode": "fast", "quality": "1080p"}, 400017),
        ("text", {**TEXT, "template_id": 1, "camera_movement": "zoom_in"}, 400017),
        ("text", {**TEXT, "sound_effect_content": "x", "sound_mode": "default_music"}, 400017),
        ("text", {**TEXT, "seed": 2**31}, 400017),
        ("img", FILM, 400011),
        ("img", {**FILM, "img_id": 17}, 400032),
        ("transition", {**FILM, "first_frame_img": 17}, 400011),
        ("extend", FILM, 400011),
        ("extend", {**FILM, "source_video_id": 17}, 500008),
        ("extend", {**FILM, "source_video_id": 17, "video_media_id": 18}, 400017),
        ("lip_sync", {"video_media_id": 17}, 400011),
        ("lip_sync", {"video_media_id": 17, "lip_sync_tts_speaker_id": "1", "lip_sync_tts_content": "x" * 201}, 400017),
        ("fusion", {**TEXT, "model": "v4.5", "image_references": []}, 400017),
        ("fusion", {**TEXT, "model": "v5"}, 400017),
        ("text", {**TEXT, "prompt": "[sandbox:moderated] x"}, 500063),
    ],
)
async def test_what_the_vendor_refuses(http: aiohttp.ClientSession, way: str, body: Any, code: int) -> None:
    refused = await ask(http, way, body)
    assert (refused["ErrCode"], refused["Resp"]) == (code, None)


async def test_references_are_named_in_the_prompt(http: aiohttp.ClientSession) -> None:
    image = (await upload(http, "https://example.com/cat.png", "image_url"))["Resp"]["img_id"]
    reference = {"type": "subject", "img_id": image, "ref_name": "cat"}
    body = {**TEXT, "model": "v4.5", "prompt": "@cat", "image_references": [reference]}
    assert (await ask(http, "fusion", body))["ErrCode"] == 0
    for wrong in ({"prompt": "cat"}, {"image_references": [reference, reference]}):
        assert (await ask(http, "fusion", body | wrong))["ErrCode"] == 400017


async def test_uploads_that_are_none(http: aiohttp.ClientSession) -> None:
    for data, code in ((b"no picture", 500032), (png(4200, 100), 500030), ("no address", 400011)):
        name = "image" if isinstance(data, bytes) else "image_url"
        assert (await upload(http, data, name))["ErrCode"] == code
    assert (await upload(http, b"a film", "file"))["Resp"]["media_type"] == "video"


async def test_a_signed_callback(http: aiohttp.ClientSession, hook: Hook) -> None:
    begun = await ask(http, "text", {**TEXT, "callback_url": hook.url})
    await until(lambda: _received(hook), bool)
    (call,) = hook.received
    assert (call.body["id"], call.body["status"], call.body["credits"]) == (str(begun["Resp"]["video_id"]), 1, 45)
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in call.body.items()}
    head = call.headers
    signed = f"{head['webhook-timestamp']}\n{head['webhook-nonce']}\n{urlencode(sorted(words.items()))}"
    digest = hmac.new(b"sandbox", signed.encode(), hashlib.sha256).digest()
    assert base64.b64decode(head["webhook-signature"]) == digest


async def _received(hook: Hook) -> int:
    return len(hook.received)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (WEB, {"prompt": "x", "quality": "1080p", "duration": 8}, 400017),
        (WEB, {"prompt": "x", "motion_mode": "performance", "duration": 8}, 400017),
        (WEB, {"prompt": "x", "frame": ["https://a/b.png"]}, 400017),
        (WEB, {"prompt": "x", "img_url": "no address"}, 400017),
        (WEB, {"prompt": "x", "extend": 1, "platform": "web"}, 400011),
        (WEB, {"prompt": "x", "original_video_id": 17}, 400017),
        (WEB, {"prompt": "x", "original_video_id": 17, "extend": 1, "platform": "web"}, 500008),
        (RELAY, {}, 400),
        (RELAY, {"prompt": "x", "ratio": "2:1"}, 400),
        (RELAY, {"prompt": "x", "image": "data:image/png;base64,AAAA"}, 400),
        (RELAY, {"prompt": "x", "last_image": "https://a/b.png"}, 400),
        (RELAY, {"prompt": "x", "lip_sync_tts_content": "hello"}, 400),
    ],
)
async def test_what_the_others_refuse(http: aiohttp.ClientSession, path: str, body: Any, code: int) -> None:
    refused = await post(http, path, body)
    assert code in (refused.get("ErrCode"), refused.get("code"))


async def test_the_feed_in_both_ways(http: aiohttp.ClientSession) -> None:
    task = (await post(http, RELAY, {"prompt": "a cat"}))["data"]["task_id"]
    feed = f"/pixverse/v1/pro/feed?task_id={task}"
    done = await until(lambda: get(http, feed), lambda told: told["data"]["status"] == "3")
    assert done == await post(http, "/pixverse/v1/pro/feed", {"task_id": task})
    assert all(value is None or isinstance(value, str) for value in done["data"].values())
