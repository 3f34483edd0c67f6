"""Films of Vidu, Pixverse and Pika in other vendors' formats, and films of others in theirs."""

# pyright: reportDeprecated=false
from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests
from openai import OpenAI

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.pictures import png
from tests.support.receiver import Receiver
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def ask(gateway: Gateway, method: str, path: str, body: Any = None) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=30)


def cost(gateway: Gateway, task: str) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", task)
    assert row["hold_id"] is None
    return row["cost"]


def ended(client: OpenAI, video_id: str) -> Any:
    def look() -> Any:
        found = client.videos.retrieve(video_id)
        return found if found.status in ("completed", "failed") else None

    return until(look)


@pytest.mark.operation("openai.videos.create", "openai.videos.get", "openai.videos.content")
@pytest.mark.parametrize(
    ("model", "framed", "seconds", "path", "usd"),
    [
        ("viduq1", False, "4", "/ent/v2/text2video", 0.40),
        ("viduq2-turbo", True, "8", "/ent/v2/img2video", 0.44),
        ("vidu-1", False, "4", "/v1/tasks", 0.20),
        ("pixverse-v5", False, "8", "/openapi/v2/video/text/generate", 1.20),
        ("pixverse-v3", False, "4", "generate", 0.60),
        ("pika-1.0", False, "4", "generate", 0.20),
        ("pika-2.2", False, "12", "/generate/2.2/t2v", 0.40),
        ("pika-2.2", True, "4", "/generate/2.2/i2v", 0.45),
    ],
)
def test_openai_s_sdk(
    client: OpenAI, gateway: Gateway, model: str, framed: bool, seconds: Any, path: str, usd: float
) -> None:
    words = f"a cat by {path} for {usd}"
    frame: Any = {"input_reference": ("a.png", io.BytesIO(png(640, 360)))} if framed else {}
    size: Any = {} if framed else {"size": "1280x720"}
    begun = client.videos.create(model=model, prompt=words, seconds=seconds, **frame, **size)
    done = ended(client, begun.id)
    assert (done.status, done.prompt) == ("completed", words), done.error
    assert client.videos.download_content(begun.id).read()[4:8] == b"ftyp"
    sent = asked_of(gateway, words)
    assert sent is not None
    assert sent["path"].endswith(path)
    assert model not in json.dumps(sent["body"]) or model.startswith("vidu")
    assert cost(gateway, begun.id) == round(usd * 10**9)


def test_what_a_vendor_cannot_be_told_is_refused(client: OpenAI) -> None:
    picture = io.BytesIO(png(640, 360))
    for model in ("vidu-1", "pixverse-v3"):
        picture.seek(0)
        with pytest.raises(openai.BadRequestError) as refused:
            client.videos.create(model=model, prompt="x", input_reference=("a.png", picture))
        assert refused.value.param == "input_reference"
    with pytest.raises(openai.BadRequestError) as long:
        client.videos.create(model="viduq1", prompt="x", seconds="12")
    assert long.value.param == "seconds"
    with pytest.raises(openai.BadRequestError, match="moderation"):
        client.videos.create(model="viduq1", prompt="[sandbox:moderated] x")


@pytest.mark.operation("vidu.tasks", "vidu.tasks.get", "vidu.tasks.state")
def test_vidu_s_web_format_on_kling(gateway: Gateway) -> None:
    prompts = [{"type": "text", "content": "a kite"}]
    settings = {"model": "kling-v2-6", "duration": 5, "aspect_ratio": "9:16"}
    body = {"type": "text2video", "input": {"prompts": prompts}, "settings": settings}
    begun = ask(gateway, "POST", "/vidu/v1/tasks", body).json()
    assert (begun["state"], begun["settings"]) == ("queueing", settings)
    head = {"authorization": f"Bearer {gateway.live}"}
    with requests.get(
        f"{gateway.url}/vidu/v1/tasks/state?id={begun['id']}", headers=head, stream=True, timeout=60
    ) as answer:
        events = [json.loads(line.removeprefix(b"data: ")) for line in answer.iter_lines() if line]
    assert events[-1]["state"] == "success"
    (creation,) = ask(gateway, "GET", f"/vidu/v1/tasks/{begun['id']}").json()["creations"]
    assert (creation["task_id"], creation["uri"].split("?")[0]) == (
        *(begun["id"],),
        f"{gateway.url}/assets/{begun['id']}/0",
    )
    assert cost(gateway, begun["id"]) == 350_000_000


@pytest.mark.operation("vidu_ent.start-end2video", "vidu_ent.tasks.creations")
def test_vidu_s_own_format_on_cogvideox(gateway: Gateway) -> None:
    frames = ["https://example.com/a.png", "https://example.com/b.png"]
    body = {"model": "cogvideox-3", "images": frames, "prompt": "on", "duration": 5, "payload": "order-19"}
    begun = ask(gateway, "POST", "/ent/v2/start-end2video", body).json()
    path = f"/ent/v2/tasks/{begun['task_id']}/creations"
    done = until(lambda: told if (told := ask(gateway, "GET", path).json())["state"] == "success" else None)
    assert (done["payload"], len(done["creations"])) == ("order-19", 1)
    assert cost(gateway, begun["task_id"]) == 200_000_000


@pytest.mark.operation("pixverse.generate", "pixverse_web.generate")
def test_pixverse_s_formats_on_others_call_back_in_their_own(gateway: Gateway) -> None:
    with Receiver() as receiver:
        relay = {"prompt": "a boat", "model": "viduq1", "ratio": "16:9", "callback_url": receiver.url}
        # The prefix is of names that the vendor has; others stay as they are.
        refused = ask(gateway, "POST", "/pixverse/v1/pro/generate", relay)
        assert refused.status_code == 404
        relay["model"] = "v5"
        task = ask(gateway, "POST", "/pixverse/v1/pro/generate", relay).json()["data"]["task_id"]
        until(lambda: any(call.body["status"] == "3" for call in receiver.received))
        last = next(call.body for call in receiver.received if call.body["status"] == "3")
    assert (last["task_id"], last["state"], last["prompt"]) == (task, "succeeded", "a boat")
    assert last["video_url"].startswith(f"{gateway.url}/assets/{task}/0")
    (row,) = rows(gateway, "SELECT served_by FROM tasks WHERE id = ?", task)
    assert row["served_by"] == "pixverse_platform.video.text"
    assert cost(gateway, task) == 450_000_000
    web = ask(gateway, "POST", "/pixverse/generate", {"prompt": "a boat", "model": "v5", "quality": "720p"}).json()
    path = f"/pixverse/feed/{web['Resp']['video_id']}"
    until(lambda: ask(gateway, "GET", path).json()["Resp"]["video_status"] == 1)
    assert cost(gateway, str(web["Resp"]["video_id"])) == 600_000_000


@pytest.mark.operation("pika.generate", "pika_web.generate")
def test_pika_s_formats_on_each_other(gateway: Gateway) -> None:
    task = ask(gateway, "POST", "/pika/pro/generate", {"prompt": "a hat", "model": 2.2, "ratio": "1:1"}).json()
    name = task["data"]["task_id"]
    path = f"/pika/feed?task_id={name}"
    until(lambda: ask(gateway, "GET", path).json()["data"]["state"] == "succeeded")
    (row,) = rows(gateway, "SELECT served_by FROM tasks WHERE id = ?", name)
    assert row["served_by"] == "pika_api.t2v"
    web = ask(gateway, "POST", "/pika/generate", {"promptText": "a hat", "model": "2.2"}).json()["id"]
    until(lambda: ask(gateway, "GET", f"/pika/feed/{web}").json()["videos"][0]["status"] == "finished")
    alone = ask(gateway, "POST", "/pika/generate", {"promptText": "x", "model": "2.2", "pikaffect": "Melt"})
    assert (alone.status_code, alone.json()["error"]["param"]) == (400, "pikaffect")
