"""The sandbox's Viggle, as the relays' documents have it."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import av
import pytest

from deeepai.sandbox.media.draw import Picture
from deeepai.sandbox.media.video import film

from .conftest import get, png, post, until

BASE = "/viggle/viggle"
DANCE = film(Picture(180, 320, "a dance", b"a dance"), 3.2)


async def upload(http: aiohttp.ClientSession, path: str, data: bytes, status: int = 200) -> Any:
    form = aiohttp.FormData()
    form.add_field("file", data, filename="a.file")
    async with http.post(f"{BASE}/asset/{path}", data=form) as answer:
        assert answer.status == status, await answer.text()
        return (await answer.json())["data"]


async def looked_at(http: aiohttp.ClientSession, task: str) -> Any:
    return (await post(http, f"{BASE}/video-task/by-ids", {"ids": [task]}))["data"][0]


async def result(http: aiohttp.ClientSession, task: str) -> Any:
    return await until(lambda: looked_at(http, task), lambda told: told["status"] in (0, 3))


async def balance(http: aiohttp.ClientSession) -> float:
    return (await get(http, f"{BASE}/credits"))["data"]["balance"]


async def test_a_film_from_the_library(http: aiohttp.ClientSession):
    before = await balance(http)
    picture = await upload(http, "image", png(320, 240))
    video = await upload(http, f"video/{picture['id']}", DANCE)
    assert (video["width"], video["height"]) == (180, 320)
    body = {"imageID": picture["id"], "videoID": video["id"], "templateID": "", "bgMode": 3, "modelInfoID": 2}
    accepted = await post(http, f"{BASE}/video-task", body)
    assert (accepted["code"], accepted["data"]["mqType"]) == (0, 0)
    done = await result(http, accepted["data"]["taskID"])
    assert (done["status"], done["bgMode"], done["watermark"], done["planCredits"]) == (0, 3, 1, 4)
    async with http.get(done["result"]) as answer:
        data = await answer.read()
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (320, 240), "the picture gives the background"
        assert container.streams.audio
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(3.2, abs=0.05)
    assert (await get(http, f"{BASE}/asset/image"))["data"][0] == picture
    assert await balance(http) == before - 4


async def test_it_is_its_key_s_alone(http: aiohttp.ClientSession):
    picture = await upload(http, "image", png(64, 64))
    other = {"authorization": "Bearer another-key"}
    async with http.get(f"{BASE}/asset/image", headers=other) as answer:
        assert (await answer.json())["data"] == []
    body = {"imageID": picture["id"], "templateID": "1"}
    async with http.post(f"{BASE}/video-task", json=body, headers=other) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("video-task", {"imageURL": "https://example.com/a.png", "templateID": "1"}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png"}, 400),
        ("mix/video-task", {"imageURL": "https://example.com/a.png", "templateID": "9"}, 404),
        ("mix/video-task", {"imageURL": "https://example.com/a.png", "templateID": "1", "bgMode": 4}, 400),
        ("move/video-task", {"imageURL": "https://example.com/a.png", "templateID": "1", "modelInfoID": 1}, 400),
        ("multi/video-task", {"templateID": "3"}, 400),
        ("multi/video-task", {"imageIDs": ["nobody-s"], "templateID": "3"}, 404),
        ("video-task/by-ids", {"ids": ["nobody-s"]}, 404),
        ("video-task/by-ids", {}, 400),
        ("video-task/credit/calculate", {"templateID": "9"}, 404),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, path: str, body: Any, status: int):
    async with http.post(f"{BASE}/{path}", json=body) as answer:
        told = await answer.json()
        assert answer.status == status, told
    assert told["code"] == status
    assert told["message"] == told["reason"] == told["error"]["message"] != ""


async def test_files_that_are_none(http: aiohttp.ClientSession):
    await upload(http, "image", b"no picture", 400)
    await upload(http, "video", png(64, 64), 400)
    await upload(http, "video", film(Picture(16, 16, "long", b"long"), 301), 400)
    await upload(http, "video/nobody-s", DANCE, 404)
    async with http.get(f"{BASE}/template2?page=0") as answer:
        assert answer.status == 400


async def test_templates(http: aiohttp.ClientSession):
    every = (await get(http, f"{BASE}/template2"))["data"]
    async with http.get(every[0]["processedURL"]) as answer:
        assert (await answer.read())[4:8] == b"ftyp"
    tags = (await get(http, f"{BASE}/template2/tag"))["data"]
    tagged = [(await get(http, f"{BASE}/template2?tagID={tag['id']}"))["data"] for tag in tags]
    assert sorted(each["id"] for some in tagged for each in some) == [each["id"] for each in every]
    groups = (await get(http, f"{BASE}/multi/template"))["data"]
    assert {len(each["segments"]) for each in groups} == {2, 4}
