"""Luma and Runway in one format, done by the vendor of another: what is asked for there, and what it costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from openai import OpenAI

from tests.operator import rows
from tests.stack import Gateway
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
FRAME = "https://example.com/fox.png"


def ask(gateway: Gateway, method: str, path: str, body: Any = None) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=20)


def ended(gateway: Gateway, task: str) -> dict[str, Any]:
    row = until(lambda: next(iter(rows(gateway, "SELECT * FROM tasks WHERE id = ? AND finished_at > 0", task)), None))
    assert row["state"] == "succeeded", row["error"]
    assert row["hold_id"] is None
    return row


def is_film(url: str) -> bool:
    return requests.get(url, timeout=10).content[4:8] == b"ftyp"


def sent(gateway: Gateway, task: str) -> dict[str, Any]:
    """What the vendor was asked, by the id that it gave."""
    assert gateway.sandbox is not None
    upstream = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", task)[0]["upstream_id"]
    return next(entry for entry in gateway.sandbox.requests() if upstream in entry["jobs"])


@pytest.mark.operation("luma.generations", "luma.generations.get", "luma.extend", "luma.download_video_url")
def test_a_relay_s_film_by_the_vendor_s_own_api(gateway: Gateway) -> None:
    """It is extended there, too, for the film is known by that vendor."""
    body = {"user_prompt": "a fox far away", "model_name": "ray-2", "image_url": FRAME, "duration": "9s"}
    task = ask(gateway, "POST", "/luma/generations", {**body, "expand_prompt": True}).json()["id"]
    assert ended(gateway, task)["cost"] == 1_280_000_000
    asked = sent(gateway, task)
    assert (asked["vendor"], asked["body"]["duration"]) == ("dream_machine", "9s")
    assert asked["body"]["keyframes"] == {"frame0": {"type": "image", "url": FRAME}}
    told = ask(gateway, "GET", f"/luma/generations/{task}").json()
    assert (told["id"], told["state"], told["prompt"]) == (task, "completed", "a fox far away")
    assert is_film(told["video"]["download_url"])
    assert told["video"]["url"] == told["video_raw"]["url"] == told["video"]["download_url"]
    clean = ask(gateway, "GET", f"/luma/generations/{task}/download_video_url").json()
    assert clean["url"] == told["video"]["download_url"]
    longer = ask(gateway, "POST", f"/luma/generations/{task}/extend", {"user_prompt": "and on"}).json()["id"]
    assert ended(gateway, longer)["cost"] == 710_000_000
    (known,) = rows(gateway, "SELECT upstream_id FROM tasks WHERE id = ?", task)
    follows = {"frame0": {"type": "generation", "id": known["upstream_id"]}}
    assert sent(gateway, longer)["body"]["keyframes"] == follows


@pytest.mark.operation("dream_machine.generations.video", "dream_machine.generations.get")
def test_the_published_api_s_film_by_a_relay(gateway: Gateway) -> None:
    """Where a channel of the published API has no such model, though a relay has."""
    openly = {"model": "kling-v2-6", "prompt": "a fox by kling", "aspect_ratio": "16:9", "resolution": "720p"}
    task = ask(gateway, "POST", "/dream-machine/v1/generations/video", openly).json()["id"]
    ended(gateway, task)
    told = ask(gateway, "GET", f"/dream-machine/v1/generations/{task}").json()
    assert (told["state"], told["generation_type"]) == ("completed", "video")
    assert is_film(told["assets"]["video"])
    lacking = ask(gateway, "POST", "/dream-machine/v1/generations/video", {**openly, "loop": True})
    assert (lacking.status_code, lacking.json()["detail"][0]["loc"]) == (422, ["body", "loop"])


@pytest.mark.operation("luma_goamz.generations", "luma_goamz.generations.get", "luma_goamz.extend")
def test_the_addresses_of_goamz_by_the_vendor_s_own_api(gateway: Gateway) -> None:
    task = ask(gateway, "POST", "/luma/v1/generations", {"user_prompt": "a fox", "model_name": "ray-flash-2"}).json()[
        "id"
    ]
    assert ended(gateway, task)["cost"] == 240_000_000
    assert sent(gateway, task)["vendor"] == "dream_machine"
    longer = ask(gateway, "POST", f"/luma/v1/generations/{task}/extend", {"user_prompt": "and on"}).json()["id"]
    assert ended(gateway, longer)["cost"] == 240_000_000
    told = ask(gateway, "GET", f"/luma/v1/generations/{longer}").json()
    assert is_film(told["video"]["download_url"])


@pytest.mark.operation("runway_web.generate", "runway_web.feed")
def test_runway_s_older_format_by_the_published_api(gateway: Gateway) -> None:
    body = {"prompt": "a fox", "model": "gen4.5", "ratio": "9:16", "image": FRAME, "options": {"seconds": 5}}
    task = ask(gateway, "POST", "/runway/v1/pro/generate", body).json()["data"]["task_id"]
    assert ended(gateway, task)["cost"] == 600_000_000
    asked = sent(gateway, task)
    assert (asked["vendor"], asked["path"]) == ("runwayml", "/runwayml/v1/image_to_video")
    assert (asked["body"]["promptImage"], asked["body"]["ratio"], asked["body"]["duration"]) == (FRAME, "720:1280", 5)
    told = ask(gateway, "POST", "/runway/v1/feed", {"task_id": task}).json()["data"]
    assert (told["status"], told["state"], is_film(told["video_url"])) == ("3", "succeeded", True)


@pytest.mark.operation("runway.tasks", "runway.tasks.get")
def test_runway_s_tasks_by_the_published_api(gateway: Gateway) -> None:
    options = {"text_prompt": "a fox", "seconds": 10, "init_image": FRAME, "width": 1280, "height": 768, "seed": 7}
    made = ask(gateway, "POST", "/runway/tasks", {"taskType": "gen4_turbo", "options": options}).json()["task"]
    assert ended(gateway, made["id"])["cost"] == 500_000_000
    assert sent(gateway, made["id"])["body"]["seed"] == 7
    told = ask(gateway, "GET", f"/runway/tasks/{made['id']}").json()["task"]
    assert (told["status"], is_film(told["artifacts"][0]["url"])) == ("SUCCEEDED", True)
    published = {"model": "gen3a_turbo", "promptImage": FRAME, "promptText": "x", "ratio": "1280:768", "duration": 5}
    own = ask(gateway, "POST", "/runwayml/v1/image_to_video", published).json()["id"]
    assert sent(gateway, own)["vendor"] == "runwayml"


@pytest.mark.operation("openai.videos.create", "openai.videos.get", "openai.videos.content")
@pytest.mark.parametrize(
    ("model", "vendor", "seconds", "cost"),
    [
        ("gen4.5", "runwayml", "8", 960_000_000),
        ("ray-2", "dream_machine", "8", 1_280_000_000),
        ("ray-v1", "dream_machine", "4", 710_000_000),
        ("europa", "runwayml", "4", 480_000_000),
    ],
)
def test_openai_s_videos(gateway: Gateway, model: str, vendor: str, seconds: Any, cost: int) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as client:
        made = client.videos.create(model=model, prompt="a fox by openai", seconds=seconds, size="1280x720")
        row = ended(gateway, made.id)
        assert sent(gateway, made.id)["vendor"] == vendor
        assert row["cost"] == cost
        assert client.videos.retrieve(made.id).status == "completed"
        assert client.videos.download_content(made.id).read()[4:8] == b"ftyp"


def test_what_cannot_be_told_is_refused_and_leaves_nothing(gateway: Gateway) -> None:
    inline = "data:image/png;base64,iVBO"
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("/luma/generations", {"user_prompt": "x", "model_name": "kling-v2-6", "loop": True}, "'loop'"),
        ("/luma/generations", {"user_prompt": "x", "model_name": "ray-2", "image_url": inline}, "'image_url'"),
        ("/runwayml/v1/text_to_video", {"model": "kling-v2-6", "promptText": "x", "ratio": "1584:672"}, "'ratio'"),
    ]
    for path, body, words in cases:
        answer = ask(gateway, "POST", path, body)
        assert (answer.status_code, words in json.dumps(answer.json())) == (400, True), answer.text
        assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])
