"""The sandbox's Runway: the published API by the vendor's own client, tasks of its web site, and the older format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import runwayml
from runwayml import RunwayML

from tests.support.receiver import Receiver
from tests.support.until import until as patiently

from .conftest import get, post, until

OWN, TASKS, WEB = "/runwayml/v1", "/runway/runway", "/runway_web/runway/v1"
FOX = "https://example.com/fox.png"
VERSION = {"x-runway-version": "2024-11-06"}


@pytest.fixture
def sdk(base: str) -> Iterator[RunwayML]:
    with RunwayML(api_key="sk-test", base_url=f"{base}/runwayml", max_retries=0) as opened:
        yield opened


def ended(client: RunwayML, name: str) -> Any:
    def look() -> Any:
        told = client.tasks.retrieve(name)
        return told if told.status in ("SUCCEEDED", "FAILED", "CANCELLED") else None

    return patiently(look)


def test_films_by_the_sdk(sdk: RunwayML):
    before = sdk.organization.retrieve().credit_balance
    made = sdk.image_to_video.create(model="gen4_turbo", prompt_image=FOX, ratio="1280:720", duration=7)
    film = ended(sdk, made.id)
    assert (film.status, film.cost.credits, len(film.output)) == ("SUCCEEDED", 35, 1)
    assert sdk.organization.retrieve().credit_balance == before - 35
    endless = sdk.text_to_video.create(
        model="gen4.5", prompt_text="[sandbox:never-finish] x", ratio="1280:720", duration=5
    )
    for status in ("CANCELLED", None):
        sdk.tasks.delete(endless.id)
        if status is None:
            with pytest.raises(runwayml.NotFoundError):
                sdk.tasks.retrieve(endless.id)
        else:
            assert sdk.tasks.retrieve(endless.id).status == status
    failed = sdk.text_to_video.create(model="gen4.5", prompt_text="[sandbox:moderated] x", ratio="1280:720", duration=5)
    told = ended(sdk, failed.id)
    assert (told.status, told.failure_code, told.cost.credits) == ("FAILED", "SAFETY.INPUT.TEXT", 0)


async def test_an_upload_must_have_been_sent(http: aiohttp.ClientSession):
    place = await post(http, f"{OWN}/uploads", {"filename": "x.png", "type": "ephemeral"}, **VERSION)
    body = {"model": "gen4_turbo", "promptImage": place["runwayUri"], "ratio": "1280:720", "duration": 5}
    assert place["runwayUri"] in (await post(http, f"{OWN}/image_to_video", body, 400, **VERSION))["error"]
    form = aiohttp.FormData(place["fields"], default_to_multipart=True)
    form.add_field("file", b"a picture", filename="x.png")
    async with http.post(place["uploadUrl"], data=form) as answer:
        assert answer.status == 204
    assert (await post(http, f"{OWN}/image_to_video", body, **VERSION))["id"]
    async with http.post(f"/runwayml/uploads/{'0' * 8}", data=form) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image_to_video", {"model": "gen4_turbo"}),
        ("image_to_video", {"model": "gen9", "promptImage": FOX}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": "http://example.com/x.png"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": "https://10.0.0.1/x.png"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": f"https://example.com/{'x' * 2048}"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": "data:image/png;base64,?"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": [{"uri": FOX, "position": "last"}]}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": FOX, "ratio": "1280:768"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": FOX, "duration": 11}),
        ("image_to_video", {"model": "gen3a_turbo", "promptImage": FOX}),
        ("image_to_video", {"model": "gen4.5", "promptImage": FOX, "promptText": "x", "ratio": "1280:720"}),
        ("image_to_video", {"model": "gen4_turbo", "promptImage": FOX, "audio": True}),
        ("text_to_video", {"model": "gen4_turbo", "promptText": "x", "ratio": "1280:720"}),
        ("text_to_video", {"model": "gen4.5", "promptText": "x" * 1001, "ratio": "1280:720", "duration": 5}),
        ("text_to_video", {"model": "veo3", "promptText": "x", "ratio": "1280:720", "duration": 5}),
        ("text_to_image", {"model": "gen4_image_turbo", "promptText": "x", "ratio": "1920:1080"}),
        ("text_to_image", {"model": "gen4_image", "promptText": "x", "ratio": "1:1"}),
    ],
)
async def test_what_the_vendor_refuses(http: aiohttp.ClientSession, kind: str, body: Any):
    told = await post(http, f"{OWN}/{kind}", body, 400, **VERSION)
    assert told["error"].startswith("Validation of body failed: ")
    assert told["issues"]
    assert "X-Runway-Version" in (await post(http, f"{OWN}/{kind}", body, 400))["error"]


async def test_tasks_and_what_lengthens_them(http: aiohttp.ClientSession):
    with Receiver() as receiver:
        asked = {"text_prompt": "a fox", "seconds": 10}
        body = {"taskType": "europa", "options": asked, "notify_hook": receiver.url}
        made = (await post(http, f"{TASKS}/tasks", body))["task"]
        told = await until(lambda: get(http, f"{TASKS}/tasks/{made['id']}"), lambda one: one["task"]["artifacts"])
        patiently(lambda: receiver.received)
        assert receiver.received[0].body["task"]["id"] == made["id"]
    artifact = told["task"]["artifacts"][0]
    assert (artifact["metadata"]["duration"], artifact["metadata"]["dimensions"]) == (10, [1280, 768])
    more = {**asked, "extended_from_task_id": made["id"], "init_video": artifact["url"]}
    longer = (await post(http, f"{TASKS}/tasks", {"taskType": "gen3a_turbo", "options": more}))["task"]
    told = await until(lambda: get(http, f"{TASKS}/tasks/{longer['id']}"), lambda one: one["task"]["artifacts"])
    assert told["task"]["artifacts"][0]["metadata"]["duration"] == 20


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"text_prompt": "x"},
        {"text_prompt": "x", "seconds": 4},
        {"text_prompt": "x", "seconds": 5, "init_image": ""},
        {"text_prompt": "x", "seconds": 5, "image_as_end_frame": True},
        {"text_prompt": "x", "seconds": 5, "seed": -1},
        {"text_prompt": "x", "seconds": 5, "extended_from_task_id": "theirs"},
    ],
)
async def test_tasks_that_are_refused(http: aiohttp.ClientSession, options: Any):
    status = 404 if "extended_from_task_id" in options else 400
    assert (await post(http, f"{TASKS}/tasks", {"taskType": "europa", "options": options}, status))["error"]
    turbo = {"taskType": "gen3a_turbo", "options": {"text_prompt": "x", "seconds": 5}}
    assert "init_image" in (await post(http, f"{TASKS}/tasks", turbo, 400))["error"]


async def test_parts_of_an_upload(http: aiohttp.ClientSession):
    begun = await post(http, f"{TASKS}/uploads", {"filename": "x.png", "numberOfParts": 1})
    done = f"{TASKS}/uploads/{begun['id']}/complete"
    assert (await post(http, done, {"parts": [{}]}, 404))["error"] == "nothing was uploaded"
    async with http.put(begun["uploadUrls"][0], data=b"a picture") as answer:
        assert (answer.status, answer.headers["etag"]) == (200, '"1"')
    await post(http, done, {"parts": []}, 400)
    url = (await post(http, done, {"parts": [{"PartNumber": 1, "ETag": "1"}]}))["url"]
    async with http.get(url) as answer:
        assert await answer.read() == b"a picture"
    async with http.put(f"{TASKS}/runway/parts/none", data=b"x") as answer:
        assert answer.status == 404


async def test_the_older_format_says_all_in_its_code(http: aiohttp.ClientSession):
    body = {"prompt": "a fox", "ratio": "16:9", "options": {"seconds": 5}}
    made = await post(http, f"{WEB}/pro/generate", body)
    assert (made["code"], list(made["data"])) == (200, ["task_id"])
    asked = {"task_id": made["data"]["task_id"]}
    told = await until(lambda: post(http, f"{WEB}/feed", asked), lambda one: one["data"]["status"] == "3")
    assert (told["data"]["state"], told["data"]["point"]) == ("succeeded", "200")
    assert (await post(http, f"{WEB}/feed", {"task_id": "none"}))["code"] == "task_not_exist"
    for wrong in (
        {"prompt": "x"},
        {**body, "ratio": "1:1"},
        {**body, "style": "anime"},
        {**body, "options": {"seconds": 7}},
        {**body, "last_image": FOX},
        {**body, "options": {"seconds": 5, "motion_vector": {"x": 1}}},
    ):
        refused = await post(http, f"{WEB}/pro/generate", wrong)
        assert (refused["code"], refused["data"]) == (400, None)
    moved = {**body, "model": "gen2", "style": "anime", "options": {"seconds": 5, "motion_vector": {"x": 1.5}}}
    assert (await post(http, f"{WEB}/pro/generate", moved))["code"] == 200
