"""Midjourney as midjourney-proxy serves it."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest

from tests.support.receiver import Receiver

from .conftest import get, picture, png, post, until

IMAGE = "data:image/png;base64," + base64.b64encode(png(96, 96)).decode()
OTHER = "data:image/png;base64," + base64.b64encode(png(96, 96, "olive")).decode()


async def submit(http: aiohttp.ClientSession, path: str, body: Any, code: int = 1, status: int = 200) -> Any:
    answer = await post(http, f"/mj{path}", body, status)
    assert answer["code"] == code, answer
    return answer["result"]


async def ended(http: aiohttp.ClientSession, task_id: str) -> Any:
    return await until(
        lambda: get(http, f"/mj/task/{task_id}/fetch"), lambda task: task["status"] in {"SUCCESS", "FAILURE", "CANCEL"}
    )


async def made(http: aiohttp.ClientSession, path: str, body: Any) -> Any:
    task = await ended(http, await submit(http, path, body))
    assert task["status"] == "SUCCESS", task
    return task


def find(task: Any, part: str) -> str:
    return next(one["customId"] for one in task["buttons"] if part in one["customId"])


async def test_imagine(http: aiohttp.ClientSession):
    task = await made(http, "/submit/imagine", {"prompt": "a hill 山 --ar 3:2", "state": "order-1", "notifyHook": ""})
    assert len(task["id"]) == 16
    assert task["id"].isdigit()
    assert (task["action"], task["progress"], task["state"]) == ("IMAGINE", "100%", "order-1")
    assert task["submitTime"] <= task["startTime"] <= task["finishTime"]
    assert task["properties"]["finalPrompt"] == "a hill 山 --ar 3:2"
    assert isinstance(task["properties"]["messageId"], str)
    labels = [one["label"] for one in task["buttons"]]
    assert labels == ["U1", "U2", "U3", "U4", "", "V1", "V2", "V3", "V4"]
    image = await picture(http, task["imageUrl"])
    assert image.format == "PNG"
    assert image.width / image.height == pytest.approx(1.5, abs=0.02)
    again = await made(http, "/submit/imagine", {"prompt": "a hill 山 --ar 3:2"})
    async with http.get(task["imageUrl"]) as one, http.get(again["imageUrl"]) as two:
        assert await one.read() == await two.read()


async def test_the_path_of_a_picture(http: aiohttp.ClientSession):
    grid = await made(http, "/submit/imagine", {"prompt": "a mill --v 7"})
    one = await made(http, "/submit/change", {"taskId": grid["id"], "action": "UPSCALE", "index": 2})
    same = await made(http, "/submit/simple-change", {"content": f"{grid['id']} u2"})
    async with http.get(one["imageUrl"]) as first, http.get(same["imageUrl"]) as second:
        assert await first.read() == await second.read()
    assert find(one, "upsample_v7_2x_subtle")
    larger = await made(http, "/submit/action", {"taskId": one["id"], "customId": find(one, "_2x_subtle")})
    assert larger["action"] == "UPSCALE_HD"
    assert (await picture(http, larger["imageUrl"])).width == 2 * (await picture(http, one["imageUrl"])).width
    for part, action in [("low_variation", "VARIATION"), ("Outpaint::50", "ZOOM"), ("pan_left", "PAN")]:
        task = await made(http, "/submit/action", {"taskId": one["id"], "customId": find(one, part)})
        assert task["action"] == action
    bookmark = {"taskId": one["id"], "customId": find(one, "BOOKMARK")}
    assert await submit(http, "/submit/action", bookmark) == one["id"]
    again = await made(http, "/submit/change", {"taskId": grid["id"], "action": "REROLL"})
    assert (again["action"], again["description"]) == ("REROLL", f"/up {grid['id']} R")


@pytest.mark.parametrize(
    ("version", "offered", "missing"),
    [
        ("--v 4", [], ["Inpaint", "Outpaint", "pan_left", "_2x"]),
        ("--v 5.2", ["upsample_v5_4x", "Inpaint", "CustomZoom::"], []),
        ("--v 6", ["upsample_v6_2x_creative"], ["v6r1"]),
        ("", ["upsample_v6r1_2x_subtle", "pan_up"], []),
        ("--v 8", ["Inpaint"], ["Outpaint", "pan_left", "_2x"]),
    ],
)
async def test_buttons_follow_the_version(
    http: aiohttp.ClientSession, version: str, offered: list[str], missing: list[str]
):
    grid = await made(http, "/submit/imagine", {"prompt": f"a reed {version}"})
    task = await made(http, "/submit/action", {"taskId": grid["id"], "customId": find(grid, "upsample::1")})
    ids = " ".join(one["customId"] for one in task["buttons"])
    assert all(part in ids for part in offered)
    assert not any(part in ids for part in missing)


async def test_windows(http: aiohttp.ClientSession):
    grid = await made(http, "/submit/imagine", {"prompt": "a gate"})
    one = await made(http, "/submit/action", {"taskId": grid["id"], "customId": find(grid, "upsample::4")})
    press = {"taskId": one["id"], "customId": find(one, "Inpaint"), "state": "s"}
    answer = await post(http, "/mj/submit/action", press)
    assert (answer["code"], answer["description"]) == (21, "Waiting for window confirm")
    assert answer["properties"]["finalPrompt"] == "a gate"
    waiting = answer["result"]
    assert (await get(http, f"/mj/task/{waiting}/fetch"))["status"] == "MODAL"
    await submit(http, "/submit/modal", {"taskId": waiting}, 4)
    body = {"taskId": waiting, "maskBase64": IMAGE, "prompt": "a red gate"}
    assert await submit(http, "/submit/modal", body) == waiting
    task = await ended(http, waiting)
    assert (task["status"], task["prompt"], task["state"]) == ("SUCCESS", "a red gate", "s")
    zoom = {"taskId": one["id"], "customId": find(one, "CustomZoom")}
    waiting = await submit(http, "/submit/action", zoom, 21)
    await submit(http, "/submit/modal", {"taskId": waiting, "prompt": "a gate --zoom 5"})
    assert "Invalid parameter" in (await ended(http, waiting))["failReason"]
    remix = {"taskId": grid["id"], "customId": find(grid, "variation::1"), "enableRemix": True}
    waiting = await submit(http, "/submit/action", remix, 21)
    await submit(http, "/submit/modal", {"taskId": waiting})
    assert (await ended(http, waiting))["prompt"] == "a gate"


async def test_blend_describe_shorten_swap(http: aiohttp.ClientSession):
    blend = await made(http, "/submit/blend", {"base64Array": [IMAGE, OTHER], "dimensions": "PORTRAIT"})
    assert blend["description"] == f"/blend {blend['id']} 2"
    image = await picture(http, blend["imageUrl"])
    assert image.width / image.height == pytest.approx(2 / 3, abs=0.02)
    described = await made(http, "/submit/describe", {"base64": IMAGE})
    assert described["prompt"].count("--ar 96:96") == 4
    assert described["properties"]["finalPrompt"] == described["prompt"]
    await submit(http, "/submit/action", {"taskId": described["id"], "customId": "MJ::Job::PicReader::1"}, 21)
    every = await submit(http, "/submit/action", {"taskId": described["id"], "customId": "MJ::Job::PicReader::all"})
    assert len(every.split(",")) == 4
    retry = {"taskId": described["id"], "customId": "MJ::Picread::Retry"}
    assert (await made(http, "/submit/action", retry))["action"] == "DESCRIBE"
    short = await made(http, "/submit/shorten", {"prompt": "a very tall tower over water"})
    assert "## Shortened prompts" in short["properties"]["finalPrompt"]
    assert short["imageUrl"] is None
    assert len(short["buttons"]) == 6
    swap = await made(http, "/insight-face/swap", {"sourceBase64": IMAGE, "targetBase64": OTHER})
    assert (swap["action"], swap["properties"]["botType"]) == ("SWAP_FACE", "INSIGHT_FACE")


async def test_video_edits_upload(http: aiohttp.ClientSession):
    video = await made(http, "/submit/video", {"prompt": "a wave", "image": IMAGE, "batchSize": 2})
    assert len(video["videoUrls"]) == 2
    assert getattr(await picture(http, video["videoUrl"]), "n_frames", 1) > 1
    upscale = {"taskId": video["id"], "customId": find(video, "video_virtual_upscale::1")}
    clip = await made(http, "/submit/action", upscale)
    assert find(clip, "animate_high_extend")
    longer = {"action": "extend", "taskId": clip["id"], "index": 0, "prompt": "on", "batchSize": 1}
    assert (await made(http, "/submit/video", longer))["action"] == "VIDEO"
    assert (await made(http, "/submit/edits", {"prompt": "x", "image": IMAGE}))["action"] == "EDIT"
    assert (await made(http, "/submit/retexture", {"prompt": "x", "image": IMAGE}))["action"] == "RETEXTURE"
    urls = await submit(http, "/submit/upload-discord-images", {"base64Array": [IMAGE]})
    assert (await picture(http, urls[0])).size == (96, 96)


async def test_queries(http: aiohttp.ClientSession):
    task = await made(http, "/submit/imagine", {"prompt": "a stone"})
    listed = await post(http, "/mj/task/list-by-condition", {"ids": [int(task["id"]), "0"]})
    assert [one["id"] for one in listed] == [task["id"]]
    assert await post(http, "/mj/task/list-by-ids", {"ids": None}) == []
    assert task["id"] in [one["id"] for one in await get(http, "/mj/task/list")]
    seed = await get(http, f"/mj/task/{task['id']}/image-seed")
    assert (seed["code"], seed["result"].isdigit()) == (1, True)
    assert await get(http, "/mj/task/1/fetch") is None
    assert (await picture(http, f"/mj/image/{task['id']}")).format == "PNG"
    assert (await get(http, f"/mj-fast/mj/task/{task['id']}/fetch"))["id"] == task["id"]


async def test_cancel(http: aiohttp.ClientSession):
    task_id = await submit(http, "/submit/imagine", {"prompt": "x [sandbox:never-finish]"})
    assert task_id in [one["id"] for one in await get(http, "/mj/task/queue")]
    await submit(http, f"/task/{task_id}/cancel", {})
    task = await get(http, f"/mj/task/{task_id}/fetch")
    assert (task["status"], task["failReason"]) == ("CANCEL", "取消任务")
    await submit(http, f"/task/{task_id}/cancel", {}, 4)


@pytest.mark.parametrize(
    ("path", "body", "code", "status"),
    [
        ("/submit/imagine", {"prompt": " "}, 4, 200),
        ("/submit/imagine", {"prompt": "x", "base64Array": ["%"]}, 4, 200),
        ("/submit/imagine", {"prompt": "x [sandbox:moderated]"}, 24, 200),
        ("/submit/imagine", {"prompt": "x [sandbox:queued]"}, 22, 200),
        ("/submit/imagine", {"prompt": "x [sandbox:queue-full]"}, 23, 200),
        ("/submit/imagine", {"prompt": "x [sandbox:no-account]"}, 3, 200),
        ("/submit/change", {"taskId": "1", "action": "PAN"}, 4, 200),
        ("/submit/change", {"taskId": "1", "action": "REROLL"}, 3, 200),
        ("/submit/simple-change", {"content": "1  U1"}, 4, 200),
        ("/submit/action", {"taskId": "1", "customId": "x"}, 3, 404),
        ("/submit/modal", {"taskId": "1"}, 3, 404),
        ("/submit/blend", {"base64Array": [IMAGE]}, 4, 200),
        ("/submit/blend", {"base64Array": [IMAGE, IMAGE], "dimensions": None}, 4, 200),
        ("/submit/describe", {}, 4, 200),
        ("/insight-face/swap", {"sourceBase64": IMAGE, "targetBase64": IMAGE}, 4, 200),
    ],
)
async def test_codes(http: aiohttp.ClientSession, path: str, body: Any, code: int, status: int):
    answer = await post(http, f"/mj{path}", body, status)
    assert answer["code"] == code
    assert isinstance(answer["properties"], dict)


async def test_a_wrong_secret_is_an_empty_401(base: str):
    async with aiohttp.ClientSession(base) as nobody, nobody.get("/mj/task/list") as answer:
        assert (answer.status, await answer.read()) == (401, b"")


async def test_callbacks_follow_every_change(http: aiohttp.ClientSession, hook: Receiver):
    task_id = await submit(http, "/submit/imagine", {"prompt": "x", "notifyHook": hook.url, "state": "mine"})

    async def tasks() -> list[Any]:
        return [message.body for message in hook.received]

    told = await until(tasks, lambda seen: bool(seen) and seen[-1]["status"] == "SUCCESS")
    assert {task["id"] for task in told} == {task_id}
    assert {task["state"] for task in told} == {"mine"}
    assert told[0]["status"] == "SUBMITTED"
    shown = [int(task["progress"].rstrip("%")) for task in told]
    assert shown == sorted(shown)
    assert len(set(shown)) > 4
    running = next(task for task in told if task["imageUrl"] and task["status"] == "IN_PROGRESS")
    assert (await picture(http, running["imageUrl"])).format == "WEBP"
    assert told[-1]["buttons"]
