"""Kling as the vendor's own client for ComfyUI asks: its bodies, its patience, and its slips."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.receiver import Receiver
from tests.support.until import until


def picture(side: int = 320) -> str:
    """Bare base64, as the vendor wants it."""
    drawn = io.BytesIO()
    Image.new("RGB", (side, side), "navy").save(drawn, "PNG")
    return base64.b64encode(drawn.getvalue()).decode()


class KlingError(Exception):
    pass


class Client:
    """What the vendor's client does: it wants HTTP 200 and `data`, and polls while a task is under way."""

    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        self._base = f"{gateway.url}/kling"
        self._session = requests.Session()
        self._session.headers["authorization"] = f"Bearer {key or gateway.live}"

    def close(self) -> None:
        self._session.close()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, self._base + path, json=body, timeout=20)
        if answer.status_code != 200 or "data" not in answer.json():
            raise KlingError(answer.status_code, answer.json())
        return answer.json()["data"]

    def submit(self, kind: str, **body: Any) -> str:
        created = self.request("POST", f"/v1/{kind}", body)
        assert created["task_status"] == "submitted"
        return created["task_id"]

    def result(self, kind: str, task: str) -> dict[str, Any]:
        """Poll to the end."""

        def look() -> dict[str, Any] | None:
            told = self.request("GET", f"/v1/{kind}/{task}")
            return None if told["task_status"] in ("submitted", "processing") else told

        return until(look)

    def run(self, kind: str, **body: Any) -> dict[str, Any]:
        return self.result(kind, self.submit(kind, **body))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    opened = Client(gateway)
    yield opened
    opened.close()


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


@pytest.mark.operation("kling.videos.text2video", "kling.tasks.get")
def test_text_to_video(gateway: Gateway, client: Client) -> None:
    """All fields that the client sends; some of them are texts that should be numbers."""
    task = client.submit(
        "videos/text2video",
        model_name="kling-v1",
        prompt="a lighthouse for kling",
        negative_prompt="rain",
        cfg_scale="0.5",
        mode="pro",
        aspect_ratio="16:9",
        duration=10,
        external_task_id="order-17",
        num_videos=1,
    )
    done = client.result("videos/text2video", task)
    assert (done["task_id"], done["task_status"], done["task_info"]) == (
        task,
        "succeed",
        {"external_task_id": "order-17"},
    )
    (film,) = done["task_result"]["videos"]
    assert film["url"].startswith(f"{gateway.url}/assets/{task}/0")
    assert requests.get(film["url"], timeout=10).headers["content-type"] == "video/mp4"
    assert cost(gateway, task) == 980_000_000
    sent = asked_of(gateway, "a lighthouse for kling")
    assert sent is not None
    assert (sent["body"]["cfg_scale"], sent["body"]["duration"]) == (0.5, "10")
    assert "order-17" not in json.dumps(sent["body"])


@pytest.mark.operation("kling.videos.image2video", "kling.videos.multi-image2video", "kling.tasks.get")
def test_videos_from_pictures(gateway: Gateway, client: Client) -> None:
    one = client.submit("videos/image2video/", model="kling-v2-1", image=picture(), prompt="it jumps", duration="5")
    assert client.result("videos/image2video", one)["task_status"] == "succeed"
    assert cost(gateway, one) == 280_000_000
    images = [{"image": picture()}, {"image": picture(400)}]
    several = client.run("videos/multi-image2video", model_name="kling-v1-6", image_list=images, prompt="they meet")
    assert several["task_status"] == "succeed"


@pytest.mark.operation("kling.images.generations", "kling.images.kolors-virtual-try-on", "kling.tasks.get")
def test_pictures(gateway: Gateway, client: Client) -> None:
    task = client.submit("images/generations", prompt="two cats", n="2", aspect_ratio="1:1")
    images = client.result("images/generations", task)["task_result"]["images"]
    assert [image["index"] for image in images] == [0, 1]
    for number, image in enumerate(images):
        assert image["url"].startswith(f"{gateway.url}/assets/{task}/{number}")
        assert Image.open(io.BytesIO(requests.get(image["url"], timeout=10).content)).size == (1024, 1024)
    assert cost(gateway, task) == 7_000_000
    worn = client.submit("images/kolors-virtual-try-on", human_image=picture(), cloth_image=picture())
    # The client asks with two slashes.
    assert client.result("images/kolors-virtual-try-on/", worn)["task_status"] == "succeed"
    assert cost(gateway, worn) == 70_000_000


@pytest.mark.operation("kling.videos.video-extend", "kling.videos.lip-sync", "kling.videos.effects", "kling.tasks.get")
def test_follow_ups(gateway: Gateway, client: Client) -> None:
    """They name the vendor's own video, go where it was made, and are for its owner alone."""
    first = client.run("videos/text2video", prompt="a talking cat")
    video = first["task_result"]["videos"][0]["id"]
    longer = client.run("videos/video-extend", video_id=video, prompt="it walks away")
    assert longer["task_info"]["parent_video"]["id"] == video
    again = longer["task_result"]["videos"][0]["id"]
    assert again != video
    assert client.run("videos/video-extend", video_id=again)["task_status"] == "succeed"
    speech = {"mode": "text2video", "text": "Hello", "voice_id": "girlfriend_1_speech02", "voice_language": "en"}
    spoken = client.run("videos/lip-sync", input={"video_id": video, **speech})
    assert spoken["task_status"] == "succeed"
    effect = {"model_name": "kling-v1-6", "image": picture(), "duration": "5"}
    assert client.run("videos/effects", effect_scene="squish", input=effect)["task_status"] == "succeed"
    channels = rows(
        gateway, "SELECT DISTINCT channel_id FROM tasks WHERE id IN (?, ?)", first["task_id"], longer["task_id"]
    )
    assert len(channels) == 1
    assert "files" not in json.dumps(longer)
    with pytest.raises(KlingError) as nobody_s:
        client.submit("videos/video-extend", video_id="831922345799999999")
    assert (nobody_s.value.args[0], nobody_s.value.args[1]["code"]) == (404, 1203)


@pytest.mark.operation("kling.tasks.list", "kling.account.costs")
def test_the_caller_s_own(client: Client) -> None:
    tasks = [client.submit("videos/text2video", prompt=f"listed {number}") for number in range(3)]
    for task in tasks:
        client.result("videos/text2video", task)
    newest = client.request("GET", "/v1/videos/text2video?pageNum=1&pageSize=2")
    assert [item["task_id"] for item in newest] == [tasks[2], tasks[1]]
    assert client.request("GET", "/v1/videos/text2video?pageNum=2&pageSize=2")[0]["task_id"] == tasks[0]
    (pack,) = client.request("GET", "/account/costs?start_time=0&end_time=1")["resource_pack_subscribe_infos"]
    assert 0 < pack["remaining_quantity"] < pack["total_quantity"]


@pytest.mark.operation("kling.images.generations")
def test_callbacks(gateway: Gateway, client: Client) -> None:
    """One at each change, without the envelope; the last tells the result."""
    with Receiver() as receiver:
        task = client.submit(
            "images/generations", prompt="call me", callback_url=receiver.url, external_task_id="order-18"
        )
        until(lambda: any(call.body["task_status"] == "succeed" for call in receiver.received))
        received = list(receiver.received)
    last = next(call.body for call in received if call.body["task_status"] == "succeed")
    assert last["task_id"] == task
    assert last["task_info"] == {"external_task_id": "order-18"}
    assert last["task_result"]["images"][0]["url"].startswith(f"{gateway.url}/assets/{task}/0")
    assert all("code" not in call.body for call in received)
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, client: Client, trigger: str) -> None:
    failed = client.run("images/generations", prompt=f"[sandbox:{trigger}] x")
    assert (failed["task_status"], "task_result" in failed) == ("failed", False)
    assert failed["task_status_msg"]
    assert cost(gateway, failed["task_id"]) == 0


def test_errors(gateway: Gateway, client: Client) -> None:
    for path, body, status, code in (
        ("/v1/videos/text2video", {"prompt": ""}, 400, 1201),
        ("/v1/videos/text2video", {"prompt": "x", "mode": "fast"}, 400, 1201),
        ("/v1/videos/text2video", {"prompt": "x", "model_name": "no-such-model"}, 404, 1203),
        ("/v1/videos/of-tomorrow", {"prompt": "x"}, 404, 1203),
    ):
        with pytest.raises(KlingError) as fault:
            client.request("POST", path, body)
        assert (fault.value.args[0], fault.value.args[1]["code"]) == (status, code), fault.value
    stranger = Client(gateway, "sk-wrong")
    with pytest.raises(KlingError) as unknown:
        stranger.request("GET", "/v1/videos/text2video/170000000000000017")
    assert (unknown.value.args[0], unknown.value.args[1]["code"]) == (401, 1002)
    stranger.close()


def test_the_vendor_s_refusal_leaves_nothing(gateway: Gateway) -> None:
    answer = requests.post(
        f"{gateway.url}/kling/v1/images/generations",
        headers={"authorization": f"Bearer {gateway.live}"},
        json={"prompt": "x", "image": picture(), "image_reference": "face", "negative_prompt": "rain"},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == 0
