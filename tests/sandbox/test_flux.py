"""Black Forest Labs' wire format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import aiohttp
import pytest

from tests.support.receiver import Receiver

from .conftest import get, picture, png, post, until


async def finished(http: aiohttp.ClientSession, url: str) -> Any:
    return await until(lambda: get(http, url), lambda answer: answer["status"] != "Pending")


async def test_submit_and_poll(http: aiohttp.ClientSession, base: str):
    body = {"prompt": "a harbour", "width": 512, "height": 256, "output_format": "png", "seed": 9}
    answer = await post(http, "/v1/flux-pro-1.1", body)
    assert answer["polling_url"].startswith(f"{base}/v1/get_result?id=")
    assert (answer["cost"], answer["output_mp"]) == (4, 0.12)
    result = (await finished(http, answer["polling_url"]))["result"]
    assert (result["prompt"], result["seed"]) == ("a harbour", 9)
    assert result["end_time"] >= result["start_time"]
    image = await picture(http, result["sample"])
    assert (image.format, image.size) == ("PNG", (512, 256))
    again = await post(http, "/flux/v1/flux-pro-1.1", body)
    assert again["polling_url"].startswith(f"{base}/flux/v1/get_result")
    other = (await finished(http, again["polling_url"]))["result"]["sample"]
    async with http.get(other) as one, http.get(result["sample"]) as two:
        assert await one.read() == await two.read()


IMAGE = base64.b64encode(png(320, 256)).decode()


@pytest.mark.parametrize(
    ("slug", "body", "size", "cost"),
    [
        ("flux-pro", {"prompt": "x", "steps": 20}, (1024, 768), 5),
        ("flux-dev", {"image_prompt": IMAGE}, (1024, 768), 2.5),
        ("flux-pro-1.1-ultra", {"prompt": "x", "raw": True}, (2720, 1536), 6),
        ("flux-kontext-pro", {"prompt": "x", "input_image": IMAGE}, (1152, 928), 4),
        ("flux-kontext-max", {"prompt": "x"}, (1024, 1024), 8),
        ("flux-pro-1.0-fill", {"image": IMAGE}, (320, 256), 5),
        ("flux-pro-1.0-expand", {"image": IMAGE, "top": 64}, (320, 320), 5),
        ("flux-pro-1.0-canny", {"prompt": "x", "control_image": IMAGE}, (320, 256), 5),
        ("flux-pro-1.0-depth", {"prompt": "x", "preprocessed_image": IMAGE}, (320, 256), 5),
        ("flux-pro-1.1-ultra-finetuned", {"prompt": "x", "finetune_id": "f"}, (2720, 1536), 7),
        ("flux-pro-1.0-fill-finetuned", {"image": IMAGE, "finetune_id": "f"}, (320, 256), 6),
        ("flux-2-pro", {"prompt": "x", "width": 2048, "height": 1024}, (2048, 1024), 4.5),
        ("flux-2-pro-preview", {"prompt": "x"}, (1024, 1024), 3),
        ("flux-2-max", {"prompt": "x"}, (1024, 1024), 7),
        ("flux-2-flex", {"prompt": "x", "input_image": "https://example.com/a.png"}, (1024, 1024), 5),
        ("flux-2-klein-4b", {"prompt": "x"}, (1024, 1024), 1.4),
        ("flux-2-klein-9b", {"prompt": "x"}, (1024, 1024), 1.5),
        ("flux-2-klein-9b-preview", {"prompt": "x"}, (1024, 1024), 1.5),
    ],
)
async def test_every_model(http: aiohttp.ClientSession, slug: str, body: Any, size: tuple[int, int], cost: float):
    answer = await post(http, f"/v1/{slug}", body)
    assert answer["cost"] == cost
    result = (await finished(http, answer["polling_url"]))["result"]
    assert (await picture(http, result["sample"])).size == size


@pytest.mark.parametrize(
    ("slug", "body", "loc"),
    [
        ("flux-pro-1.1", {"prompt": "x", "width": 100}, ["body", "width"]),
        ("flux-pro-1.1", {"prompt": "x", "width": 257}, ["body", "width"]),
        ("flux-pro-1.1", {"prompt": 4}, ["body", "prompt"]),
        ("flux-pro-1.1", {}, ["body"]),
        ("flux-kontext-pro", {}, ["body", "prompt"]),
        ("flux-kontext-pro", {"prompt": "x", "aspect_ratio": "1:9"}, ["body", "aspect_ratio"]),
        ("flux-dev", {"prompt": "x", "guidance": 9}, ["body", "guidance"]),
        ("flux-pro-1.0-fill", {"prompt": "x", "image": "%%%"}, ["body", "image"]),
        ("flux-2-pro", {"prompt": "x", "safety_tolerance": 6}, ["body", "safety_tolerance"]),
        ("flux-2-pro", {"prompt": "x", "output_format": "gif"}, ["body", "output_format"]),
        ("flux-2-pro", {"prompt": "x", "webhook_url": "ftp://x"}, ["body", "webhook_url"]),
    ],
)
async def test_bad_fields(http: aiohttp.ClientSession, slug: str, body: Any, loc: list[str]):
    detail = (await post(http, f"/v1/{slug}", body, 422))["detail"]
    assert [one["loc"] for one in detail] == [loc]
    assert all({"msg", "type"} <= set(one) for one in detail)


async def test_unknown_things(http: aiohttp.ClientSession, base: str):
    assert (await get(http, "/v1/get_result?id=none"))["status"] == "Task not found"
    assert (await get(http, "/v1/get_result", 422))["detail"][0]["loc"] == ["query", "id"]
    assert await post(http, "/flux/v1/flux-none", {}, 404) == {"detail": "Not Found"}
    async with aiohttp.ClientSession(base) as nobody, nobody.post("/v1/flux-dev", json={"prompt": "x"}) as answer:
        assert (answer.status, await answer.json()) == (403, {"detail": "Not authenticated"})


@pytest.mark.parametrize(
    ("trigger", "status"),
    [("moderated", "Request Moderated"), ("moderated-output", "Content Moderated"), ("fail-midway", "Error")],
)
async def test_how_jobs_end(http: aiohttp.ClientSession, trigger: str, status: str):
    answer = await post(http, "/v1/flux-dev", {"prompt": f"x [sandbox:{trigger}]"})
    end = await finished(http, answer["polling_url"])
    assert (end["status"], end["result"]) == (status, None)


async def test_a_signed_webhook(http: aiohttp.ClientSession, hook: Receiver):
    body = {"prompt": "x", "webhook_url": hook.url, "webhook_secret": "shh"}
    hook.first = [500]
    answer = await post(http, "/v1/flux-dev", body)
    assert (answer["status"], answer["webhook_url"]) == ("Pending", hook.url)

    async def received() -> int:
        return len(hook.received)

    await until(received, lambda count: count == 2)
    first, repeated = hook.received
    raw = first.raw
    assert raw == repeated.raw
    assert first.headers["x-bfl-signature"] == "sha256=" + hmac.new(b"shh", raw, hashlib.sha256).hexdigest()
    told = json.loads(raw)
    assert (told["id"], told["status"]) == (answer["id"], "Ready")
    assert (await picture(http, told["result"]["sample"])).format == "JPEG"


async def test_credits(http: aiohttp.ClientSession):
    own = {"x-key": "flux-credits-test"}
    async with http.get("/v1/credits", headers=own) as answer:
        before = (await answer.json())["credits"]
    await post(http, "/v1/flux-pro-1.1-ultra", {"prompt": "x"}, **own)
    async with http.get("/v1/credits", headers=own) as answer:
        assert before - (await answer.json())["credits"] == pytest.approx(6)
