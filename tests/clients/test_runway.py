"""Runway's tasks as a web client of relays asks for them, and the older format as relays' documents have it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import until

IMAGE = "https://example.com/fox.png"
PLACES = ("/runway", "/runway/v2", "/pro/runway")
GENERATE = ("/runway/v1/pro/generate", "/runway/pro/generate", "/runway/v1/generate", "/runway/generate")
FEEDS = ("/runway/v1/feed", "/runway/feed", "/runway/v1/pro/feed")


def ask(gateway: Gateway, method: str, path: str, body: Any = None) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=20)


def row(gateway: Gateway, task: str) -> dict[str, Any]:
    return rows(gateway, "SELECT * FROM tasks WHERE id = ?", task)[0]


def is_film(url: str) -> bool:
    answer = requests.get(url, timeout=10)
    return answer.headers["content-type"] == "video/mp4" and answer.content[4:8] == b"ftyp"


# Tasks -------------------------------------------------------------------------------------------------------------


def made(gateway: Gateway, kind: str, place: str = PLACES[0], hook: str | None = None, **options: Any) -> str:
    body = {"taskType": kind, "internal": False, "options": options, "asTeamId": 7}
    answer = ask(gateway, "POST", f"{place}/tasks", body | ({"notify_hook": hook} if hook else {}))
    assert answer.status_code == 200, answer.text
    told = answer.json()["task"]
    assert (told["status"], told["artifacts"]) == ("PENDING", [])
    return told["id"]


def done(gateway: Gateway, task: str, place: str = PLACES[0]) -> dict[str, Any]:
    """Poll as the client does: to an address, or to what it shows of a failure."""

    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", f"{place}/tasks/{task}").json()["task"]
        return told if told["status"] in ("SUCCEEDED", "FAILED") else None

    return until(look)


@pytest.mark.operation("runway.tasks", "runway.tasks.get")
@pytest.mark.parametrize("place", PLACES)
def test_a_task_from_words(gateway: Gateway, place: str) -> None:
    words = f"a fox at {place}"
    task = made(gateway, "europa", place, text_prompt=words, seconds=5, seed=17, exploreMode=False, watermark=False)
    told = done(gateway, task, place)
    assert (told["id"], told["status"], told["taskType"]) == (task, "SUCCEEDED", "gen3a")
    (artifact,) = told["artifacts"]
    assert artifact["url"].startswith(f"{gateway.url}/assets/{task}/0")
    assert is_film(artifact["url"])
    assert artifact["metadata"]["duration"] == 5
    known = row(gateway, task)
    assert known["cost"] == 500_000_000
    assert known["upstream_id"] not in json.dumps(told)
    assert gateway.sandbox is not None
    assert gateway.sandbox.url not in json.dumps(told)


@pytest.mark.operation("runway.tasks")
def test_the_slow_queue_and_the_first_model(gateway: Gateway) -> None:
    slow = made(gateway, "europa", text_prompt="slow", seconds=10, exploreMode=True)
    first = made(gateway, "gen2", gen2Options={"mode": "gen2", "text_prompt": "a fox", "motion_score": 22}, seconds=4)
    for task, cost in ((slow, 133_000_000), (first, 200_000_000)):
        assert done(gateway, task)["status"] == "SUCCEEDED"
        assert row(gateway, task)["cost"] == cost


@pytest.mark.operation("runway.uploads", "runway.uploads.complete", "runway.tasks")
def test_an_uploaded_picture(gateway: Gateway) -> None:
    body = {"filename": "f.png", "numberOfParts": 1, "type": "DATASET_PREVIEW"}
    upload = ask(gateway, "POST", "/runway/uploads", body).json()
    put = requests.put(upload["uploadUrls"][0], b"\x89PNG a picture", headers=upload["uploadHeaders"], timeout=10)
    assert put.status_code == 200
    parts = {"parts": [{"PartNumber": 1, "ETag": put.headers["etag"]}]}
    url = ask(gateway, "POST", f"/runway/uploads/{upload['id']}/complete", parts).json()["url"]
    assert requests.get(url, timeout=10).content == b"\x89PNG a picture"
    task = made(gateway, "gen3a_turbo", text_prompt="it runs", seconds=10, init_image=url, image_as_end_frame=False)
    assert done(gateway, task)["status"] == "SUCCEEDED"
    assert row(gateway, task)["cost"] == 500_000_000
    stranger = ask(gateway, "POST", "/runway/uploads/somebody-else-s/complete", parts)
    assert (stranger.status_code, list(stranger.json())) == (404, ["error"])


@pytest.mark.operation("runway.tasks")
def test_extensions(gateway: Gateway) -> None:
    """They go where the film was made, for its owner alone, until it is as long as can be."""
    task = made(gateway, "europa", text_prompt="long", seconds=10)
    told = done(gateway, task)
    first = task
    for _ in range(3):
        more = {"extended_from_task_id": task, "init_video": told["artifacts"][0]["url"]}
        task = made(gateway, "gen3a_turbo", text_prompt="on", seconds=10, **more)
        told = done(gateway, task)
        assert told["options"]["extended_from_task_id"] == more["extended_from_task_id"]
    assert told["artifacts"][0]["metadata"]["duration"] == 40
    options = {"text_prompt": "on", "seconds": 10, "init_video": told["artifacts"][0]["url"]}
    for name, status in ((task, 400), ("3320e8b1-dc89-41b5-ba1e-0452ae8055e0", 404)):
        body = {"taskType": "europa", "options": {**options, "extended_from_task_id": name}}
        refused = ask(gateway, "POST", "/runway/tasks", body)
        assert refused.status_code == status
        assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", refused.headers["x-request-id"])
    channels = rows(gateway, "SELECT DISTINCT channel_id FROM tasks WHERE id IN (?, ?)", first, task)
    assert len(channels) == 1


@pytest.mark.operation("runway.tasks")
def test_a_body_of_the_published_interface(gateway: Gateway) -> None:
    body = {"model": "gen3a_turbo", "promptText": "published", "promptImage": IMAGE, "duration": 5, "ratio": "768:1280"}
    answer = ask(gateway, "POST", "/runway/tasks", body)
    assert answer.status_code == 200, answer.text
    assert done(gateway, answer.json()["task"]["id"])["status"] == "SUCCEEDED"
    sent = asked_of(gateway, "published")
    assert sent is not None
    asked = {"text_prompt": "published", "seconds": 5, "width": 768, "height": 1280, "init_image": IMAGE}
    assert {**sent["body"], "notify_hook": None} == {"taskType": "gen3a_turbo", "options": asked, "notify_hook": None}


@pytest.mark.operation("runway.tasks")
def test_a_task_calls_back(gateway: Gateway) -> None:
    with Receiver() as receiver:
        task = made(gateway, "europa", hook=receiver.url, text_prompt="call me", seconds=5)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["task"]["id"], call.body["task"]["status"]) == (task, "SUCCEEDED")
    assert call.body["task"]["artifacts"][0]["url"].startswith(gateway.url)
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_a_task_that_fails_is_free(gateway: Gateway, trigger: str) -> None:
    task = made(gateway, "europa", text_prompt=f"[sandbox:{trigger}] x", seconds=5)
    told = done(gateway, task)
    assert (told["status"], told["artifacts"]) == ("FAILED", [])
    assert told["progressText"]
    assert row(gateway, task)["cost"] == 0


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "taskType"),
        ({"taskType": "europa"}, "options"),
        ({"taskType": "europa", "options": {"text_prompt": "x"}}, "options.seconds"),
        ({"taskType": "europa", "options": {"text_prompt": 5, "seconds": 5}}, "text_prompt"),
        ({"taskType": "gen3a_turbo", "options": {"text_prompt": "x", "seconds": 5}}, "init_image"),
        ({"taskType": "europa", "options": {"text_prompt": "x", "seconds": 5, "init_image": ""}}, "init_image"),
        ({"taskType": "europa", "options": {"text_prompt": "x", "seconds": 7}}, "seconds"),
    ],
)
def test_errors_of_tasks(gateway: Gateway, body: Any, where: str) -> None:
    """The last three are the vendor's own refusals, which leave nothing."""
    answer = ask(gateway, "POST", "/runway/tasks", body)
    assert (answer.status_code, where in answer.json()["error"]) == (400, True), answer.text
    assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])


def test_unknown_kinds_of_task(gateway: Gateway) -> None:
    answer = ask(gateway, "POST", "/runway/tasks", {"taskType": "gen99", "options": {"text_prompt": "x", "seconds": 5}})
    assert (answer.status_code, "gen99" in answer.json()["error"]) == (404, True)


# The older format --------------------------------------------------------------------------------------------------


def generated(gateway: Gateway, path: str = GENERATE[0], seconds: int = 5, **body: Any) -> str:
    answer = ask(gateway, "POST", path, {"options": {"seconds": seconds}, **body})
    told = answer.json()
    assert (answer.status_code, told["code"], told["msg"]) == (200, 200, "成功"), told
    return told["data"]["task_id"]


def fed(gateway: Gateway, task: str, path: str = FEEDS[0]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        told = ask(gateway, "POST", path, {"task_id": task}).json()
        assert told["code"] == 200
        return told["data"] if told["data"]["status"] in ("2", "3") else None

    return until(look)


@pytest.mark.operation("runway_web.generate", "runway_web.feed", "runway_web.feed.get")
@pytest.mark.parametrize("path", GENERATE)
def test_a_film_from_words(gateway: Gateway, path: str) -> None:
    task = generated(gateway, path, prompt="一只小猫", model="gen3", ratio="16:9")
    told = fed(gateway, task)
    assert (told["task_id"], told["status"], told["state"]) == (task, "3", "succeeded")
    assert is_film(told["video_url"])
    for name in ("video_url", "poster", "last_frame"):
        assert told[name].startswith(f"{gateway.url}/assets/{task}/")
    assert row(gateway, task)["cost"] == 500_000_000
    for feed in FEEDS:
        assert ask(gateway, "GET", f"{feed}?task_id={task}").json()["data"] == told
    assert row(gateway, task)["upstream_id"] not in json.dumps(told)


@pytest.mark.operation("runway_web.generate", "runway_web.feed")
def test_a_film_from_a_picture(gateway: Gateway) -> None:
    task = generated(gateway, seconds=10, prompt="it runs", model="gen4", image=IMAGE, last_image=IMAGE, ratio="1:1")
    assert fed(gateway, task)["status"] == "3"
    assert row(gateway, task)["cost"] == 1_200_000_000


@pytest.mark.operation("runway_web.generate")
def test_the_older_format_calls_back(gateway: Gateway) -> None:
    with Receiver() as receiver:
        task = generated(gateway, prompt="call me", ratio="9:16", callback_url=receiver.url)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["task_id"], call.body["status"]) == (task, "3")
    assert call.body["video_url"].startswith(gateway.url)
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


def test_a_film_that_fails_is_free(gateway: Gateway) -> None:
    task = generated(gateway, prompt="[sandbox:fail-midway] x")
    told = fed(gateway, task)
    assert (told["status"], told["state"], told["refund"], told["video_url"]) == ("2", "error", "1", None)
    assert told["msg"]
    assert row(gateway, task)["cost"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prompt": "x"}, 400, 400),
        ({"options": {"seconds": 5}}, 400, 400),
        ({"prompt": "x", "options": {"seconds": "long"}}, 400, 400),
        ({"prompt": "x", "model": "no-such-model", "options": {"seconds": 5}}, 404, 404),
        ({"prompt": "x", "options": {"seconds": 7}}, 200, 400),
        ({"prompt": "x", "ratio": "1:1", "options": {"seconds": 5}}, 200, 400),
    ],
)
def test_errors_of_the_older_format(gateway: Gateway, body: Any, status: int, code: int) -> None:
    """The last two are the vendor's own refusals, which come with a good status and leave nothing."""
    answer = ask(gateway, "POST", GENERATE[0], body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["data"] is None
    assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])


def test_unknown_films(gateway: Gateway) -> None:
    absent = ask(gateway, "POST", FEEDS[0], {"task_id": "0ab3bfe2-be23-4635-8c35-890fb2c1732d"})
    assert (absent.status_code, absent.json()["code"]) == (404, "task_not_exist")
    nameless = ask(gateway, "GET", FEEDS[0])
    assert (nameless.status_code, nameless.json()["code"]) == (400, 400)
