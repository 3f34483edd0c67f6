"""The sandbox's MewXAI, as the vendor's pages and its public clients have it."""

from __future__ import annotations

import base64
import io
from typing import Any

import aiohttp
import pytest
import zxingcpp
from PIL import Image

from tests.support.receiver import Receiver

from .conftest import get, picture, post, until

BASE = "/mewx/api/v1"
PHP = {
    "prompt": "一朵花 --v 1.1",
    "negative_prompt": "",
    "qr_content": "https://example.com/q",
    "qr_image": "",
    "model": "67",
    "template_id": "",
    "callback_url": "",
}


async def made(http: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any]:
    accepted = await post(http, f"{BASE}/{path}", body)
    assert accepted["code"] == 0, accepted
    name = accepted["data"]["img_uuid"]
    told = await until(
        lambda: get(http, f"{BASE}/images/detail?img_uuid={name}"), lambda told: told["data"]["status"] != 0
    )
    return told["data"]


def says(shown: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(shown)]


async def left(http: aiohttp.ClientSession) -> int:
    return (await get(http, f"{BASE}/user/count"))["data"]["count"]


@pytest.mark.parametrize(
    ("prompt", "size", "points"),
    [("一朵花 --v 1.1", (1024, 1024), 1), ("x\n--v 3 --iw 0.95 --shape tiny-plus --ar 9:16", (576, 1024), 5)],
)
async def test_a_code_is_in_the_picture(http: aiohttp.ClientSession, prompt: str, size: tuple[int, int], points: int):
    before = await left(http)
    done = await made(http, "images/generate", {**PHP, "prompt": prompt})
    assert (done["status"], done["qr_content"]) == (1, "https://example.com/q")
    shown = await picture(http, done["urls"][0])
    assert (shown.size, says(shown)) == (size, ["https://example.com/q"])
    assert await left(http) == before - points


async def test_a_code_is_read_from_a_picture(http: aiohttp.ClientSession):
    first = await picture(http, (await made(http, "images/generate", PHP))["urls"][0])
    held = io.BytesIO()
    first.save(held, "PNG")
    body = {**PHP, "qr_content": "", "qr_image": base64.b64encode(held.getvalue()).decode(), "template_id": 54}
    done = await made(http, "images/generate", body)
    assert done["qr_content"] == "https://example.com/q"
    assert says(await picture(http, done["urls"][0])) == ["https://example.com/q"]


async def test_a_callback_is_flat(http: aiohttp.ClientSession, hook: Receiver):
    await made(http, "images/generate", {**PHP, "callback_url": hook.url})
    await until(lambda: _all(hook), bool)
    body = hook.received[0].body
    assert set(body) == {"img_uuid", "user_id", "urls", "duration", "status", "qr_content"}


async def _all(hook: Receiver) -> list[Any]:
    return hook.received


async def test_a_failure_costs_nothing(http: aiohttp.ClientSession):
    before = await left(http)
    done = await made(http, "images/generate", {**PHP, "prompt": "[sandbox:fail-midway] x"})
    assert (done["status"], done["urls"], bool(done["msg"])) == (-1, [], True)
    assert await left(http) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("images/generate", {**PHP, "prompt": "x --v 4"}),
        ("images/generate", {**PHP, "prompt": "x --iw 2"}),
        ("images/generate", {**PHP, "model": "1"}),
        ("images/generate", {**PHP, "template_id": 999}),
        ("images/generate", {**PHP, "qr_content": ""}),
        ("images/generate", {**PHP, "qr_content": "", "qr_image": "no picture"}),
        ("images/shadow/generate", {"type": "textart", "template_id": 1}),
        ("images/shadow/generate", {"type": "other", "template_id": 1, "text": "福"}),
        ("images/neuralstyle/generate", {"source_img": "https://example.com/a.jpg", "type": "neuralstyle"}),
        ("mx/images/cute/generate", {"type": "MX-CUTE", "args": {"prompt": "x", "upscaler": 3, "ratio": 1}}),
        (
            "mx/images/cute/generate",
            {"type": "MX-CUTE", "args": {"prompt": "x", "upscaler": 1, "ratio": 1, "extra_model": [{"id": "1"}]}},
        ),
        ("mx/images/computed", {"type": "default", "args": {}}),
    ],
)
async def test_what_is_refused(http: aiohttp.ClientSession, path: str, body: dict[str, Any]):
    """With the HTTP status 200: `code` alone decides."""
    refused = await post(http, f"{BASE}/{path}", body)
    assert refused["code"] == 400
    assert refused["msg"]


@pytest.mark.parametrize("kind", ["qrcode", "textart", "textshadow", "texthidden"])
async def test_lists(http: aiohttp.ClientSession, kind: str):
    templates = (await get(http, f"{BASE}/template/list?type={kind}"))["data"]
    assert all(one["id"] and one["name"] for one in templates)
    assert (await picture(http, templates[0]["preview_img"])).format == "JPEG"
    models = (await get(http, f"{BASE}/model/list?type={kind}"))["data"]
    assert all(one["name"] and one["value"].isdecimal() for one in models)
    assert (await get(http, f"{BASE}/template/list?type=x"))["code"] == 400


async def test_what_pictures_cost(http: aiohttp.ClientSession):
    body = {"type": "default", "args": {"prompt": "x", "ratio": 1, "model": "76", "upscaler": 3, "audit": 1}}
    assert (await post(http, f"{BASE}/mx/images/computed", body))["data"] == {
        "audit": 1,
        "fix_faces": 0,
        "upscaler": 6,
        "allpoint": 7,
    }
    before = await left(http)
    await made(http, "mx/images/generate", body)
    assert await left(http) == before - 7


async def test_a_task_is_its_key_s_alone(http: aiohttp.ClientSession):
    name = (await post(http, f"{BASE}/images/generate", PHP))["data"]["img_uuid"]
    other = {"authorization": "Bearer another-key"}
    async with http.get(f"{BASE}/images/detail?img_uuid={name}", headers=other) as answer:
        assert (await answer.json())["code"] == 404
