"""The sandbox's Luma: relays' format, at two sets of addresses, and the published API by the vendor's own client."""

from __future__ import annotations

from typing import Any

import aiohttp
import lumaai
import pytest
from lumaai import LumaAI

from tests.support.receiver import Receiver
from tests.support.until import until as patiently

from .conftest import get, post, until

RELAYS, GOAMZ, OWN = "/luma/luma/generations", "/luma_goamz/luma/v1/generations", "/dream_machine/dream-machine/v1"
FRAME: Any = {"type": "image", "url": "https://example.com/fox.png"}


@pytest.fixture
def sdk(base: str) -> LumaAI:
    return LumaAI(auth_token="sk-test", base_url=base + OWN, max_retries=0)


async def done(http: aiohttp.ClientSession, path: str) -> Any:
    return await until(lambda: get(http, path), lambda told: told["state"] in ("completed", "failed"))


def ended(client: LumaAI, name: str | None) -> Any:
    def look() -> Any:
        told = client.generations.get(name or "")
        return told if told.state in ("completed", "failed") else None

    return patiently(look)


@pytest.mark.parametrize("place", [RELAYS, GOAMZ])
async def test_a_film_and_what_lengthens_it(http: aiohttp.ClientSession, place: str):
    made = await post(http, place + "/", {"user_prompt": "a fox", "expand_prompt": True, "duration": "9s"})
    assert (made["state"], made["video"]) == ("pending", None)
    told = await done(http, f"{place}/{made['id']}")
    assert (told["id"], round(told["video_raw"]["duration"])) == (made["id"], 9)
    assert told["video"]["download_url"] in told["video"]["url"]
    longer = await post(http, f"{place}/{made['id']}/extend", {"user_prompt": "on"})
    assert round((await done(http, f"{place}/{longer['id']}"))["video_raw"]["duration"]) == 14
    error = await post(http, f"{place}/{longer['id'][:-1]}/extend", {"user_prompt": "on"}, 404)
    assert error["error"]["code"] == "task_not_found"


async def test_the_address_without_the_mark_may_have_to_be_asked_for(http: aiohttp.ClientSession):
    made = await post(http, RELAYS, {"user_prompt": "[sandbox:never-finish] a fox"})
    waiting = await post(http, f"{RELAYS}/{made['id']}/download_video_url", {}, 400)
    assert waiting["error"]["code"] == "generation_not_completed"
    made = await post(http, RELAYS, {"user_prompt": "a fox"})
    told = await done(http, f"{RELAYS}/{made['id']}")
    assert "download_url" not in told["video"]
    clean = await get(http, f"{RELAYS}/{made['id']}/download_video_url")
    async with http.get(clean["url"]) as answer:
        assert answer.content_type == "video/mp4"


async def test_what_is_uploaded(http: aiohttp.ClientSession):
    kept = await post(http, f"{RELAYS}/file_upload", {"url": "data:image/png;base64,iVBORw0KGgo="})
    async with http.get(kept["public_url"]) as answer:
        assert (await answer.read())[:4] == b"\x89PNG"
    there = await post(http, f"{RELAYS}/file_upload", {"url": FRAME["url"]})
    assert there["public_url"] == FRAME["url"]
    for wrong in ({}, {"url": ""}, {"url": "no picture"}):
        await post(http, f"{RELAYS}/file_upload", wrong, 400)
    used = await get(http, "/luma/luma/subscription/usage")
    assert used["consumed"] + used["available"] == used["capacity"] == 1000


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_prompt": 5},
        {"user_prompt": "x", "model_name": "ray-9"},
        {"user_prompt": "x", "aspect_ratio": "5:1"},
        {"user_prompt": "x", "duration": "7s"},
        {"user_prompt": "x", "resolution": "4k"},
        {"user_prompt": "x", "loop": True, "image_end_url": FRAME["url"]},
        {"user_prompt": "x", "image_url": "no picture"},
        {"user_prompt": "x" * 5001},
    ],
)
async def test_what_relays_refuse(http: aiohttp.ClientSession, body: Any):
    assert (await post(http, RELAYS, body, 400))["error"]["message"]


async def test_a_relay_calls_back_at_the_end(http: aiohttp.ClientSession):
    with Receiver() as receiver:
        made = await post(http, RELAYS, {"user_prompt": "a fox", "notify_hook": receiver.url})
        await done(http, f"{RELAYS}/{made['id']}")
        patiently(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["id"], call.body["state"]) == (made["id"], "completed")


def test_films_by_the_sdk(sdk: LumaAI):
    made = sdk.generations.create(model="ray-2", prompt="a fox", aspect_ratio="9:16")
    assert (made.state, made.generation_type, made.assets) == ("queued", "video", None)
    film = ended(sdk, made.id)
    frames: Any = {"frame0": {"type": "generation", "id": film.id}, "frame1": FRAME}
    longer = ended(sdk, sdk.generations.create(model="ray-2", keyframes=frames).id)
    assert longer.state == "completed"
    larger = ended(sdk, sdk.generations.upscale(str(film.id), resolution="1080p").id)
    assert larger.assets.video
    picture = ended(sdk, sdk.generations.image.create(model="photon-1", prompt="a fox").id)
    assert (picture.generation_type, picture.assets.video) == ("image", None)
    with pytest.raises(lumaai.UnprocessableEntityError):
        sdk.generations.upscale(str(picture.id), resolution="1080p")
    listed = sdk.generations.list(limit=2)
    assert [one.id for one in listed.generations] == [picture.id, larger.id]
    assert listed.has_more
    assert sdk.credits.get().credit_balance < 100_000
    assert sdk.ping.check().message == "pong"
    assert len(sdk.generations.concepts.list()) == 34
    sdk.generations.delete(str(film.id))
    with pytest.raises(lumaai.NotFoundError):
        sdk.generations.get(str(film.id))


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "ray-2"}, 400, "Prompt is required"),
        ({"model": "ray-2", "prompt": "x"}, 400, "minimum length is 3"),
        ({"model": "ray-2", "prompt": "x" * 5001}, 400, "maximum length is 5000"),
        ({"model": "ray-2", "prompt": "abc", "keyframes": {}}, 400, "No keyframes provided"),
        ({"model": "ray-2", "prompt": "abc", "loop": True, "keyframes": {"frame1": FRAME}}, 400, "Loop"),
        ({"prompt": "abc"}, 422, "model"),
        ({"model": "ray-9", "prompt": "abc"}, 422, "ray-flash-2"),
        ({"model": "ray-2", "prompt": "abc", "duration": "6s"}, 422, "duration"),
        ({"model": "ray-2", "prompt": "abc", "concepts": [{"key": "fly"}]}, 422, "concepts"),
        ({"model": "ray-2", "keyframes": {"frame0": {"type": "image", "url": "data:x"}}}, 422, "address"),
        ({"model": "ray-2", "keyframes": {"frame0": {"type": "generation", "id": "theirs"}}}, 404, "theirs"),
    ],
)
async def test_what_the_vendor_refuses(http: aiohttp.ClientSession, body: Any, status: int, words: str):
    told = await post(http, f"{OWN}/generations/video", body, status)
    assert words in str(told["detail"])
    if status == 422:
        (fault,) = told["detail"]
        assert (fault["loc"][0], fault["input"]) == ("body", "")
    older = {"prompt": "abc", "concepts": [{"key": "static"}]}
    assert "not supported" in (await post(http, f"{OWN}/generations", older, 400))["detail"]


async def test_the_vendor_calls_back_at_each_change(http: aiohttp.ClientSession):
    with Receiver() as receiver:
        body = {"model": "ray-2", "prompt": "a fox", "callback_url": receiver.url}
        made = await post(http, f"{OWN}/generations/video", body, 201)
        await done(http, f"{OWN}/generations/{made['id']}")
        patiently(lambda: len(receiver.received) == 2)
        assert [call.body["state"] for call in receiver.received] == ["dreaming", "completed"]
