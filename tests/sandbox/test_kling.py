"""The sandbox's Kling: requests as the vendor's client for ComfyUI makes them, answers as its document has them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt
import pytest

from tests.support.pictures import png
from tests.support.receiver import Receiver as Hook

from .conftest import get, picture, post, sandbox, until

V1 = "/kling/v1"
TEXT, PICTURE, IMAGES = f"{V1}/videos/text2video", f"{V1}/videos/image2video", f"{V1}/images/generations"
EXTEND, SPEECH, EFFECTS = f"{V1}/videos/video-extend", f"{V1}/videos/lip-sync", f"{V1}/videos/effects"
TRY_ON, MULTI = f"{V1}/images/kolors-virtual-try-on", f"{V1}/videos/multi-image2video"
IMAGE = base64.b64encode(png(400, 300)).decode()
BY_URL = {"video_url": "https://example.com/a.mp4"}
SMALL = base64.b64encode(png(200, 150)).decode()
URL = "https://example.com/a"
SECRET = "a secret that nobody has but a test"


def signed(account: str, **claims: Any) -> str:
    now = int(time.time())
    payload = {"iss": account, "exp": now + 1800, "nbf": now - 5} | claims
    payload = {name: value for name, value in payload.items() if value is not None}
    return "Bearer " + jwt.encode(payload, SECRET, headers={"alg": "HS256", "typ": "JWT"})


async def create(http: aiohttp.ClientSession, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    answer = await post(http, path, body, status, **headers)
    assert answer["request_id"]
    if status != 200:
        assert "data" not in answer
        return answer["code"]
    assert answer["code"] == 0
    return answer["data"]


async def ended(http: aiohttp.ClientSession, path: str, task: str) -> Any:
    ask = f"{path}/{task}"
    answer = await until(lambda: get(http, ask), lambda one: one["data"]["task_status"] in ("succeed", "failed"))
    return answer["data"]


async def film(http: aiohttp.ClientSession, **more: Any) -> Any:
    task = await create(http, TEXT, {"prompt": "a harbour", **more})
    return (await ended(http, TEXT, task["task_id"]))["task_result"]["videos"][0]


async def test_a_film_from_text(http: aiohttp.ClientSession):
    own = f"order-{uuid.uuid4()}"
    body = {"prompt": "a harbour", "mode": "pro", "duration": 10, "cfg_scale": "0.5", "aspect_ratio": "9:16"}
    body |= {"external_task_id": own, "watermark_info": {"enabled": "true"}, "imagination": 3}
    task = await create(http, f"{TEXT}/", body)
    assert (task["task_status"], task["task_info"]) == ("submitted", {"external_task_id": own})
    assert (len(task["task_id"]), task["task_id"].isdigit(), task["created_at"] > 10**12) == (18, True, True)
    view = await ended(http, TEXT, own)
    assert (view["task_id"], view["task_status"], view["task_status_msg"]) == (task["task_id"], "succeed", "")
    assert (view["final_unit_deduction"], view["updated_at"] >= view["created_at"]) == ("7", True)
    (made,) = view["task_result"]["videos"]
    assert (made["duration"], made["watermark_url"]) == ("10", made["url"])
    async with http.get(made["url"]) as answer:
        assert (answer.status, answer.content_type, (await answer.read())[4:8]) == (200, "video/mp4", b"ftyp")
    assert await create(http, TEXT, body, 400) == 1201


@pytest.mark.parametrize(
    ("path", "body", "units"),
    [
        (PICTURE, {"image": IMAGE, "image_tail": "https://example.com/last.png", "mode": "std"}, "1"),
        (PICTURE, {"image": IMAGE, "model_name": "kling-v2-6", "sound": "on", "voice_list": [{"voice_id": "v"}]}, "5"),
        (MULTI, {"prompt": "x", "image_list": [{"image": IMAGE}, {"image": "https://example.com/a.png"}]}, "2"),
        (EFFECTS, {"effect_scene": "squish", "input": {"image": IMAGE, "duration": "5"}}, "2"),
        (EFFECTS, {"effect_scene": "hug", "input": {"images": [IMAGE, IMAGE], "duration": "10", "mode": "pro"}}, "7"),
        (
            SPEECH,
            {"input": {"video_url": "https://example.com/a.mp4", "mode": "text2video", "text": "x", "voice_id": "v"}},
            "0.7",
        ),
    ],
)
async def test_further_films(http: aiohttp.ClientSession, path: str, body: Any, units: str):
    task = await create(http, path, body)
    view = await ended(http, path, task["task_id"])
    assert (view["task_status"], view["final_unit_deduction"]) == ("succeed", units)
    assert view["task_result"]["videos"][0]["id"].isdigit()


async def test_pictures(http: aiohttp.ClientSession):
    body = {"prompt": "x", "n": "2", "aspect_ratio": "1:1", "resolution": "2k", "model_name": "kling-v2"}
    task = await create(http, IMAGES, body)
    view = await ended(http, IMAGES, task["task_id"])
    images = view["task_result"]["images"]
    assert ([one["index"] for one in images], view["final_unit_deduction"]) == ([0, 1], "0.2")
    assert (await picture(http, images[1]["url"])).size == (2048, 2048)


async def test_a_garment_tried_on(http: aiohttp.ClientSession):
    task = await create(http, TRY_ON, {"human_image": IMAGE, "cloth_image": IMAGE})
    # The vendor's client asks with two slashes.
    assert (await ended(http, f"{TRY_ON}/", task["task_id"]))["task_status"] == "succeed"


async def test_extensions_and_speech_of_own_films(http: aiohttp.ClientSession):
    first = await film(http)
    task = await create(http, EXTEND, {"video_id": first["id"], "prompt": "further"})
    parent = {name: first[name] for name in ("id", "url", "duration")}
    assert task["task_info"]["parent_video"] == parent
    view = await ended(http, EXTEND, task["task_id"])
    longer = view["task_result"]["videos"][0]
    assert (longer["duration"], view["task_info"]["parent_video"]) == ("10", parent)
    again = await create(http, EXTEND, {"video_id": longer["id"]})
    assert (await ended(http, EXTEND, again["task_id"]))["task_result"]["videos"][0]["duration"] == "15"
    said = {
        "video_id": longer["id"],
        "mode": "audio2video",
        "audio_type": "url",
        "audio_url": "https://example.com/a.mp3",
    }
    spoken = await ended(http, SPEECH, (await create(http, SPEECH, {"input": said}))["task_id"])
    assert spoken["task_result"]["videos"][0]["duration"] == "10"


async def test_ids_of_others_are_unknown(http: aiohttp.ClientSession):
    mine = await film(http)
    stranger = {"authorization": "Bearer sk-somebody-else"}
    said = {"video_id": mine["id"], "mode": "text2video", "text": "x", "voice_id": "v"}
    for path, body in ((EXTEND, {"video_id": mine["id"]}), (SPEECH, {"input": said})):
        assert await create(http, path, body, 404, **stranger) == 1203
        assert await create(http, path, json.loads(json.dumps(body).replace(mine["id"], "1" * 18)), 404) == 1203
    task = await create(http, TEXT, {"prompt": "x"})
    for path, headers in ((TEXT, stranger), (PICTURE, {}), (IMAGES, {})):
        async with http.get(f"{path}/{task['task_id']}", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 1203)


async def test_films_that_are_not_extended(http: aiohttp.ClientSession):
    newer = await film(http, model_name="kling-v2-6")
    assert await create(http, EXTEND, {"video_id": newer["id"]}, 400) == 1201
    task = await create(http, MULTI, {"prompt": "x", "image_list": [{"image": IMAGE}]})
    other = (await ended(http, MULTI, task["task_id"]))["task_result"]["videos"][0]
    assert await create(http, EXTEND, {"video_id": other["id"]}, 400) == 1201


def test_a_film_is_kept_for_thirty_days_and_grows_to_three_minutes():
    async def run(url: str) -> None:
        headers = {"authorization": "Bearer sk-test"}
        async with aiohttp.ClientSession(url, headers=headers) as http:
            first = made = await film(http, duration="10")
            while float(made["duration"]) < 180:
                task = await create(http, EXTEND, {"video_id": made["id"]})
                await post(http, "/_sandbox/clock", {"advance": 400})
                view = (await get(http, f"{EXTEND}/{task['task_id']}"))["data"]
                made = view["task_result"]["videos"][0]
            assert await create(http, EXTEND, {"video_id": made["id"]}, 400) == 1201
            await post(http, "/_sandbox/clock", {"advance": 30 * 86400})
            assert await create(http, EXTEND, {"video_id": first["id"]}, 400) == 1201
            async with http.get(first["url"]) as answer:
                assert answer.status == 403

    with sandbox("--speed", "400") as url:
        asyncio.run(run(url))


CAMERA = {"type": "simple", "config": {"zoom": 5}}
SHOTS = [{"index": 1, "prompt": "a", "duration": "2"}, {"index": 2, "prompt": "b", "duration": "3"}]
MASK = {"mask": IMAGE, "trajectories": [{"x": 1, "y": 1}, {"x": 9, "y": 9}]}


def multi(shots: Any, **more: Any) -> Mapping[str, Any]:
    return {"model_name": "kling-v3", "multi_shot": True, "shot_type": "customize", "multi_prompt": shots, **more}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TEXT, {"prompt": "x", "image": "", "camera_control": CAMERA}),
        (TEXT, {"prompt": "x", "camera_control": {"type": "down_back"}}),
        (TEXT, {"prompt": "x", "model_name": "kling-v3", "duration": "15", "sound": "on"}),
        (TEXT, {"prompt": "x", "input": 5, "images": 1, "image_list": "none of this operation's fields"}),
        (TEXT, multi(SHOTS)),
        (TEXT, multi([{**shot, "duration": "5"} for shot in SHOTS], duration="10")),
        (PICTURE, {"image": IMAGE, "model_name": "kling-v1-5", "mode": "pro", "camera_control": CAMERA}),
        (PICTURE, {"image": IMAGE, "dynamic_masks": [MASK]}),
        (IMAGES, {"prompt": "x", "image": IMAGE, "image_reference": "face", "model_name": "kling-v1-5"}),
    ],
)
async def test_what_is_taken(http: aiohttp.ClientSession, path: str, body: Any):
    assert (await create(http, path, body))["task_status"] == "submitted"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (TEXT, {}, 400, 1201),
        (TEXT, {"prompt": "x" * 2501}, 400, 1201),
        (TEXT, {"prompt": ["x"]}, 400, 1201),
        (TEXT, {"prompt": "x", "model_name": "kling-v9"}, 404, 1203),
        (TEXT, {"prompt": "x", "model_name": "kling-v1-5"}, 404, 1203),
        (TEXT, {"prompt": "x", "mode": "fast"}, 400, 1201),
        (TEXT, {"prompt": "x", "duration": "7"}, 400, 1201),
        (TEXT, {"prompt": "x", "duration": "16", "model_name": "kling-v3"}, 400, 1201),
        (TEXT, {"prompt": "x", "cfg_scale": 2}, 400, 1201),
        (TEXT, {"prompt": "x", "cfg_scale": "much"}, 400, 1201),
        (TEXT, {"prompt": "x", "sound": "on"}, 400, 1201),
        (TEXT, {"prompt": "x", "aspect_ratio": "3:2"}, 400, 1201),
        (TEXT, {"prompt": "x", "camera_control": {"type": "simple", "config": {"zoom": 5, "pan": 1}}}, 400, 1201),
        (TEXT, {"prompt": "x", "camera_control": {"type": "simple", "config": {"zoom": 11}}}, 400, 1201),
        (TEXT, {"prompt": "x", "camera_control": {"type": "down_back", "config": {"zoom": 1}}}, 400, 1201),
        (TEXT, {"prompt": "x", "camera_control": {"config": {"zoom": 1}}}, 400, 1201),
        (TEXT, {"prompt": "x", "mode": "pro", "camera_control": CAMERA}, 400, 1201),
        (TEXT, multi([]), 400, 1201),
        (TEXT, multi(SHOTS, duration="10"), 400, 1201),
        (TEXT, multi([{**SHOTS[1], "prompt": "x" * 513}], duration="3"), 400, 1201),
        (TEXT, {"prompt": "x", "multi_shot": True}, 400, 1201),
        (PICTURE, {"prompt": "x"}, 400, 1201),
        (PICTURE, {"image": f"data:image/png;base64,{IMAGE}"}, 400, 1201),
        (PICTURE, {"image": SMALL}, 400, 1201),
        (PICTURE, {"image": base64.b64encode(png(1000, 300)).decode()}, 400, 1201),
        (PICTURE, {"image": "%"}, 400, 1201),
        (PICTURE, {"image": IMAGE, "image_tail": IMAGE, "static_mask": IMAGE}, 400, 1201),
        (PICTURE, {"image": IMAGE, "dynamic_masks": [MASK] * 7}, 400, 1201),
        (PICTURE, {"image": IMAGE, "dynamic_masks": [{**MASK, "trajectories": [{"x": 1, "y": 1}]}]}, 400, 1201),
        (PICTURE, {"image": IMAGE, "dynamic_masks": [MASK], "model_name": "kling-v1-6"}, 400, 1201),
        (PICTURE, {"image": IMAGE, "voice_list": [{"voice_id": "v"}]}, 400, 1201),
        (PICTURE, {"image": IMAGE, "voice_list": [{"voice_id": "v"}], "element_list": [{"element_id": 1}]}, 400, 1201),
        (IMAGES, {"n": 1}, 400, 1201),
        (IMAGES, {"prompt": "x", "n": 10}, 400, 1201),
        (IMAGES, {"prompt": "x", "image": IMAGE, "negative_prompt": "y"}, 400, 1201),
        (IMAGES, {"prompt": "x", "image_reference": "face"}, 400, 1201),
        (IMAGES, {"prompt": "x", "image": IMAGE, "model_name": "kling-v1-5"}, 400, 1201),
        (MULTI, {"prompt": "x", "image_list": []}, 400, 1201),
        (MULTI, {"prompt": "x", "image_list": [{"image": IMAGE}] * 5}, 400, 1201),
        (MULTI, {"image_list": [{"image": IMAGE}]}, 400, 1201),
        (EXTEND, {"prompt": "x"}, 400, 1201),
        (SPEECH, {}, 400, 1201),
        (SPEECH, {"input": {"mode": "text2video", "text": "x", "voice_id": "v"}}, 400, 1201),
        (SPEECH, {"input": {"mode": "text2video", "text": "x", "video_url": "u"}}, 400, 1201),
        (SPEECH, {"input": {"mode": "audio2video", "video_url": "u"}}, 400, 1201),
        (
            SPEECH,
            {"input": {"mode": "audio2video", "audio_type": "file", "audio_url": URL, **BY_URL}},
            400,
            1201,
        ),
        (SPEECH, {"input": {"mode": "text2video", "text": "x" * 121, "voice_id": "v", "video_url": "u"}}, 400, 1201),
        (EFFECTS, {"effect_scene": "nothing", "input": {"image": IMAGE, "duration": "5"}}, 400, 1201),
        (EFFECTS, {"effect_scene": "squish", "input": {"images": [IMAGE, IMAGE]}}, 400, 1201),
        (EFFECTS, {"effect_scene": "squish", "input": {"image": IMAGE, "duration": "10"}}, 400, 1201),
        (EFFECTS, {"effect_scene": "hug", "input": {"image": IMAGE, "duration": "5"}}, 400, 1201),
        (EFFECTS, {"effect_scene": "hug", "input": {"images": [IMAGE], "duration": "5"}}, 400, 1201),
        (TRY_ON, {"cloth_image": IMAGE}, 400, 1201),
        (TRY_ON, {"human_image": IMAGE, "model_name": "kolors"}, 404, 1203),
        (f"{V1}/videos/nothing", {}, 404, 1202),
        (TEXT, [], 400, 1200),
        (TEXT, {"prompt": "[sandbox:moderated] x"}, 400, 1301),
        (TEXT, {"prompt": "[sandbox:rate-limit=7] x"}, 429, 1303),
        (TEXT, {"prompt": "[sandbox:fail] x"}, 500, 5000),
        (TEXT, {"prompt": "[sandbox:status=503] x"}, 503, 5001),
        (TEXT, {"prompt": "[sandbox:status=504] x"}, 504, 5002),
    ],
)
async def test_what_is_refused(http: aiohttp.ClientSession, path: str, body: Any, status: int, code: int):
    assert await create(http, path, body, status) == code


@pytest.mark.parametrize("trigger", ["moderated-output", "fail-midway"])
async def test_a_failure_is_an_answer_of_200(http: aiohttp.ClientSession, trigger: str):
    task = await create(http, TEXT, {"prompt": f"x [sandbox:{trigger}]"})
    view = await ended(http, TEXT, task["task_id"])
    assert view["task_status"] == "failed"
    assert view["task_status_msg"]
    assert "task_result" not in view
    assert "final_unit_deduction" not in view


async def test_a_callback_at_each_change(http: aiohttp.ClientSession, hook: Hook):
    task = await create(http, IMAGES, {"prompt": "x", "callback_url": hook.url, "external_task_id": str(uuid.uuid4())})

    async def received() -> int:
        return len(hook.received)

    await until(received, lambda count: count == 2)
    first, last = (call.body for call in hook.received)
    assert (first["task_status"], last["task_status"]) == ("processing", "succeed")
    assert "task_result" not in first
    assert last == (await get(http, f"{IMAGES}/{task['task_id']}"))["data"]


async def test_the_list(http: aiohttp.ClientSession):
    key = f"Bearer sk-{uuid.uuid4()}"
    ids = [(await create(http, TEXT, {"prompt": "x"}, authorization=key))["task_id"] for _ in range(3)]
    await create(http, IMAGES, {"prompt": "x"}, authorization=key)
    for query, wanted in (("", ids[::-1]), ("?pageNum=2&pageSize=2", ids[:1]), ("?pageNum=9", [])):
        async with http.get(TEXT + query, headers={"authorization": key}) as answer:
            assert [task["task_id"] for task in (await answer.json())["data"]] == wanted
    for query in ("pageNum=0", "pageNum=x", "pageSize=501"):
        assert (await get(http, f"{TEXT}?{query}", 400))["code"] == 1201


async def test_units_are_taken_for_what_succeeds(http: aiohttp.ClientSession):
    async def left(key: str) -> float:
        query = f"start_time=1&end_time={int(time.time() * 1000)}"
        async with http.get(f"/kling/account/costs?{query}", headers={"authorization": key}) as answer:
            return (await answer.json())["data"]["resource_pack_subscribe_infos"][0]["remaining_quantity"]

    account = f"ak-{uuid.uuid4()}"
    before = await left(signed(account))
    for prompt in ("x", "x [sandbox:fail-midway]"):
        task = await create(http, TEXT, {"prompt": prompt}, authorization=signed(account))
        path = f"{TEXT}/{task['task_id']}"

        async def over(path: str = path) -> bool:
            # Each request has a token of its own; the account is the same.
            async with http.get(path, headers={"authorization": signed(account, nbf=0)}) as answer:
                return (await answer.json())["data"]["task_status"] in ("succeed", "failed")

        await until(over, bool)
    assert before - await left(signed(account)) == 1
    assert (await get(http, "/kling/account/costs", 400))["code"] == 1201


@pytest.mark.parametrize(
    ("key", "code"), [("", 1001), ("Bearer ", 1001), ("Bearer invalid", 1000), ("Bearer a.b.c", 1002)]
)
async def test_keys_that_are_refused(http: aiohttp.ClientSession, key: str, code: int):
    assert await create(http, TEXT, {"prompt": "x"}, 401, authorization=key) == code


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"exp": 1}, 1004), ({"nbf": 9_999_999_999}, 1003), ({"exp": "soon"}, 1002), ({"iss": None}, 1002)],
)
async def test_tokens_that_are_refused(http: aiohttp.ClientSession, claims: dict[str, Any], code: int):
    assert await create(http, TEXT, {"prompt": "x"}, 401, authorization=signed("ak", **claims)) == code
    assert await create(http, TEXT, {"prompt": "x"}, 401, authorization=signed("ak")[:-6]) == 1002


async def test_keys_that_are_taken(http: aiohttp.ClientSession):
    for key in (signed("ak"), "Bearer sk-plain", "sk-raw"):
        assert (await create(http, TEXT, {"prompt": "x"}, authorization=key))["task_status"] == "submitted"
