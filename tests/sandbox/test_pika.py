"""The sandbox's Pika in its three formats: what is made, and what is refused."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from .conftest import get, png, post, until

RELAY, WEB, API = "/pika/pro/generate", "/pika_web/generate", "/pika_api/generate"
URL = "https://example.com/cat.png"


@pytest.mark.parametrize(
    "more",
    [{}, {"image": URL, "style": "Melt"}, {"video": URL, "options": {"extend": True}}, {"model": 2.0, "sfx": True}],
)
async def test_films_of_relays(http: aiohttp.ClientSession, more: dict[str, Any]) -> None:
    task = (await post(http, RELAY, {"prompt": "a cat", **more}))["data"]["task_id"]
    feed = f"/pika/feed?task_id={task}"
    done = await until(lambda: get(http, feed), lambda told: told["data"]["status"] == "3")
    assert done["data"]["video_url"]
    assert done == await post(http, "/pika/feed", {"task_id": task})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (RELAY, {}, 200),
        (RELAY, {"prompt": "x", "ratio": "3:4"}, 200),
        (RELAY, {"prompt": "x", "model": 3}, 200),
        (RELAY, {"prompt": "x", "image": URL, "video": URL}, 200),
        (RELAY, {"prompt": "x", "options": {"extend": True}}, 200),
        (RELAY, {"prompt": "x", "options": {"parameters": {"motion": 5}}}, 200),
        (WEB, {}, 400),
        (WEB, {"promptText": "x", "image": ""}, 400),
        (WEB, {"promptText": "x", "image": URL, "options": {"aspectRatio": 1}}, 400),
        (WEB, {"promptText": "x", "pikaffect": "Fly"}, 400),
        (WEB, {"promptText": "x", "model": "3.0"}, 404),
        (f"{API}/2.2/t2v", {"promptText": "x"}, 400),
    ],
)
async def test_what_is_refused(http: aiohttp.ClientSession, path: str, body: Any, status: int) -> None:
    refused = await post(http, path, body, status)
    assert refused.get("code", "error") not in (200, 0)
    assert "task_id" not in (refused.get("data") or {})


async def form(
    http: aiohttp.ClientSession, path: str, texts: dict[str, str], *files: tuple[str, bytes]
) -> tuple[int, Any]:
    sent = aiohttp.FormData(default_to_multipart=bool(files))
    for name, text in texts.items():
        sent.add_field(name, text)
    for name, data in files:
        sent.add_field(name, data, filename=f"{name}.png")
    async with http.post(f"{API}/{path}", data=sent) as answer:
        return answer.status, await answer.json()


WORDS, FILE = {"promptText": "a cat"}, png(320, 240)


@pytest.mark.parametrize(
    ("path", "texts", "files", "status"),
    [
        ("2.2/t2v", {**WORDS, "aspectRatio": "1.5", "resolution": "720p"}, [], 200),
        ("2.2/t2v", {**WORDS, "aspectRatio": "3"}, [], 400),
        ("2.2/t2v", {"seed": "1"}, [], 400),
        ("2.2/i2v", WORDS, [("image", FILE)], 200),
        ("2.2/i2v", WORDS, [("image", b"no picture")], 400),
        ("2.2/i2v", {**WORDS, "duration": "7"}, [("image", FILE)], 400),
        ("2.2/pikaframes", {**WORDS, "duration": "7"}, [("keyFrames", FILE)] * 2, 200),
        ("2.2/pikaframes", WORDS, [("keyFrames", FILE)], 400),
        ("2.2/pikascenes", {"ingredientsMode": "creative"}, [("images", FILE)] * 6, 400),
        ("2.2/pikascenes", {}, [("images", FILE)], 400),
        ("pikaffects", {"pikaffect": "Tear"}, [("image", FILE)], 200),
        ("pikaffects", {"pikaffect": "Fly"}, [("image", FILE)], 400),
        ("pikaswaps", {}, [("image", FILE)], 400),
        ("pikadditions", {}, [("video", b"a film"), ("image", FILE)], 200),
    ],
)
async def test_forms(http: aiohttp.ClientSession, path: str, texts: Any, files: Any, status: int) -> None:
    got, said = await form(http, path, texts, *files)
    assert got == status, said
    if status == 200:
        look = f"/pika_api/videos/{said['video_id']}"
        done = await until(lambda: get(http, look), lambda told: told["status"] in ("finished", "failed"))
        assert (done["status"], done["progress"], bool(done["url"])) == ("finished", 100, True)
