"""Vidu's formats as their clients speak them: relays' documents, new-api's adaptor, ComfyUI's nodes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.operator import account_secret, asked_of, rows, usage_row
from tests.stack import Gateway
from tests.support.pictures import png
from tests.support.receiver import Receiver
from tests.support.until import until

PICTURE = "https://example.com/cat.png"


def ask(gateway: Gateway, method: str, path: str, body: Any = None, scheme: str = "Bearer") -> requests.Response:
    head = {"authorization": f"{scheme} {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=30)


def web(gateway: Gateway, text: str, image: str = "", **more: Any) -> dict[str, Any]:
    prompts = [{"type": "text", "content": text, "enhance": True}]
    prompts += [{"type": "image", "content": image, "enhance": True}] if image else []
    settings = {"style": "general", "aspect_ratio": "16:9", "duration": 4, "model": "vidu-1", **more}
    body = {"type": "img2video" if image else "text2video", "input": {"prompts": prompts}, "settings": settings}
    answer = ask(gateway, "POST", "/vidu/v1/tasks", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ended(gateway: Gateway, path: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", path).json()
        return told if told["state"] in ("success", "failed") else None

    return until(look)


def cost(gateway: Gateway, task: str) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", task)
    assert row["hold_id"] is None
    return row["cost"]


def states(gateway: Gateway, task: str) -> list[dict[str, Any]]:
    """Follow a task's state to the stream's end."""
    head = {"authorization": f"Bearer {gateway.live}"}
    address = f"{gateway.url}/vidu/v1/tasks/state"
    with requests.get(address, params={"id": task}, headers=head, stream=True, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        return [json.loads(line.removeprefix(b"data: ")) for line in answer.iter_lines() if line]


# The web format ----------------------------------------------------------------------------------------------------


@pytest.mark.operation("vidu.tasks", "vidu.tasks.state", "vidu.tasks.get")
def test_a_picture_becomes_a_film_and_a_larger_one(gateway: Gateway) -> None:
    begun = web(gateway, "a cat for vidu", PICTURE)
    assert (begun["state"], begun["type"], begun["creations"], begun["err_code"]) == ("queueing", "img2video", [], "")
    assert begun["id"].isdigit()
    assert begun["input"]["prompts"][0]["content"] == "a cat for vidu"
    assert begun["settings"]["model"] == "vidu-1"
    assert begun["created_at"].endswith("Z")
    seen = states(gateway, begun["id"])
    assert (seen[-1]["state"], seen[-1]["err_code"]) == ("success", "")
    assert {state["state"] for state in seen[:-1]} <= {"queueing", "processing"}
    assert set(seen[0]) == {"state", "estimated_time_left", "err_code"}
    done = ask(gateway, "GET", f"/vidu/v1/tasks/{begun['id']}").json()
    (creation,) = done["creations"]
    assert (done["state"], creation["task_id"], creation["grade"]) == ("success", begun["id"], "draft")
    for number, name in enumerate(("uri", "cover_uri")):
        assert creation[name].startswith(f"{gateway.url}/assets/{begun['id']}/{number}")
        assert requests.get(creation[name], timeout=20).ok
    assert cost(gateway, begun["id"]) == 200_000_000
    sent = asked_of(gateway, "a cat for vidu")
    assert sent is not None
    assert sent["body"]["input"]["prompts"][1]["content"] == PICTURE

    body = {"type": "upscale", "input": {"creation_id": creation["id"]}, "settings": {"model": "stable", "duration": 4}}
    larger = ask(gateway, "POST", "/vidu/v1/tasks", body).json()
    assert larger["id"] != begun["id"]
    told = ended(gateway, f"/vidu/v1/tasks/{larger['id']}")
    assert (told["state"], told["type"], told["input"]["creation_id"]) == ("success", "upscale", creation["id"])
    assert told["creations"][0]["grade"] == "final"
    places = rows(gateway, "SELECT DISTINCT channel_id FROM tasks WHERE id IN (?, ?)", begun["id"], larger["id"])
    assert len(places) == 1


def test_follow_ups_that_lead_nowhere_cost_nothing(gateway: Gateway) -> None:
    failed = web(gateway, "[sandbox:moderated-output] x")
    told = ended(gateway, f"/vidu/v1/tasks/{failed['id']}")
    assert (told["state"], told["err_code"], told["creations"]) == ("failed", "CreationPolicyViolation", [])
    assert states(gateway, failed["id"]) == [
        {"state": "failed", "estimated_time_left": 0, "err_code": "CreationPolicyViolation"}
    ]
    assert cost(gateway, failed["id"]) == 0
    for creation, status in ((failed["id"], 400), ("2513245678909999", 404), ("", 400)):
        refused = ask(gateway, "POST", "/vidu/v1/tasks", {"type": "upscale", "input": {"creation_id": creation}})
        assert refused.status_code == status, refused.text
        assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
    assert ask(gateway, "GET", "/vidu/v1/tasks/state?id=1").status_code == 404
    assert ask(gateway, "GET", "/vidu/v1/tasks/state").status_code == 400


# The vendor's own --------------------------------------------------------------------------------------------------


@pytest.mark.operation("vidu_ent.text2video", "vidu_ent.img2video", "vidu_ent.tasks.creations")
@pytest.mark.parametrize("place", ["/vidu/ent/v2", "/vidu/v2", "/ent/v2"])
def test_films_by_the_vendor_s_own_format(gateway: Gateway, place: str) -> None:
    """As ComfyUI's nodes and new-api's adaptor ask."""
    body = {"model": "viduq1", "prompt": f"a cat at {place}", "duration": 5, "seed": 7, "resolution": "1080p"}
    begun = ask(gateway, "POST", f"{place}/text2video", {**body, "payload": "order-17"}, "Token").json()
    assert (begun["state"], begun["type"], begun["model"], begun["payload"], begun["credits"]) == (
        *("created", "text2video", "viduq1", "order-17"),
        80,
    )
    done = ended(gateway, f"{place}/tasks/{begun['task_id']}/creations")
    assert (done["id"], done["state"], done["err_code"], done["payload"]) == (
        begun["task_id"],
        "success",
        "",
        "order-17",
    )
    (creation,) = done["creations"]
    names = ("url", "cover_url", "watermarked_url")
    for number, name in enumerate(names):
        assert creation[name].startswith(f"{gateway.url}/assets/{begun['task_id']}/{number}")
    assert requests.get(creation["url"], timeout=20).headers["content-type"] == "video/mp4"
    assert cost(gateway, begun["task_id"]) == 400_000_000
    data = "data:image/png;base64," + base64.b64encode(png(320, 180)).decode()
    image = {"model": "viduq2-turbo", "images": [data], "prompt": "it jumps", "duration": 5, "off_peak": True}
    other = ask(gateway, "POST", f"{place}/img2video", image, "Token").json()
    assert ended(gateway, f"{place}/tasks/{other['task_id']}/creations")["off_peak"] is True
    assert cost(gateway, other["task_id"]) == round(27.5 * 5_000_000)


@pytest.mark.operation(
    *(f"vidu_ent.{name}" for name in ("reference2video", "start-end2video", "upscale", "upscale-new", "extend")),
    *("vidu_ent.tasks.creations", "vidu_ent.tasks.list", "vidu_ent.tasks.cancel"),
)
def test_larger_and_longer_ones(gateway: Gateway) -> None:
    def made(kind: str, **body: Any) -> dict[str, Any]:
        begun = ask(gateway, "POST", f"/ent/v2/{kind}", body)
        assert begun.status_code == 200, begun.text
        done = ended(gateway, f"/ent/v2/tasks/{begun.json()['task_id']}/creations")
        assert done["state"] == "success"
        return done

    pair = [PICTURE, "https://example.com/dog.png"]
    made("reference2video", model="vidu2.0", images=[*pair, PICTURE], prompt="they meet")
    first = made("start-end2video", model="vidu2.0", images=pair)
    assert cost(gateway, first["id"]) == 100_000_000
    creation = first["creations"][0]["id"]
    made("upscale", model="vidu1.0", creation_id=creation)
    large = made("upscale-new", video_creation_id=creation, upscale_resolution="2K")
    assert large["creations"][0]["video"]["resolution"]["height"] >= 360
    longer = made("extend", model="viduq2-turbo", video_creation_id=creation, duration=5, prompt="on and on")
    assert longer["creations"][0]["video"]["duration"] == 9.0
    listed = ask(gateway, "GET", "/ent/v2/tasks?states=success&pager.pagesz=5").json()["tasks"]
    assert [task["id"] for task in listed][:2] == [longer["id"], large["id"]]
    assert ask(gateway, "GET", "/ent/v2/tasks?pager.pagesz=0").status_code == 400

    slow = {"model": "viduq1", "prompt": "[sandbox:never-finish] x", "off_peak": True}
    open_ = ask(gateway, "POST", "/ent/v2/text2video", slow).json()["task_id"]
    assert ask(gateway, "POST", f"/ent/v2/tasks/{open_}/cancel").json() == {}
    told = ended(gateway, f"/ent/v2/tasks/{open_}/creations")
    assert (told["state"], told["err_code"], cost(gateway, open_)) == ("failed", "UserCancelled", 0)
    again = ask(gateway, "POST", f"/ent/v2/tasks/{open_}/cancel")
    assert (again.status_code, again.json()["reason"]) == (409, "Conflict")


@pytest.mark.operation("vidu_ent.text2video")
def test_callbacks_are_signed_as_the_vendor_s(gateway: Gateway) -> None:
    with Receiver() as receiver:
        address = f"{receiver.url}?order=18"
        body = {"model": "viduq1", "prompt": "call me", "callback_url": address}
        task = ask(gateway, "POST", "/ent/v2/text2video", body).json()["task_id"]
        until(lambda: any(call.body["state"] == "success" for call in receiver.received))
        received = list(receiver.received)
    last = next(call for call in received if call.body["state"] == "success")
    assert last.body["id"] == task
    assert last.body["creations"][0]["url"].startswith(f"{gateway.url}/assets/{task}/0")
    head, parts = last.headers, urlsplit(address)
    assert (head["x-hmac-algorithm"], head["x-hmac-access-key"]) == ("hmac-sha256", "vidu")
    signed = [f"{name}:{head[name.lower()]}" for name in head["x-hmac-signed-headers"].split(";")]
    lines = ["POST", parts.path, parts.query, "vidu", head["date"], *signed, ""]
    secret = account_secret(gateway).encode()
    digest = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    assert base64.b64decode(head["x-hmac-signature"]) == digest
    assert address not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


@pytest.mark.parametrize(
    ("kind", "body", "status", "reason"),
    [
        ("text2video", {"model": "viduq1"}, 400, "FieldLacking"),
        ("text2video", {"model": "viduq1", "prompt": "x", "duration": 8}, 400, "FieldInvalid"),
        ("text2video", {"model": "vidu9", "prompt": "x"}, 404, "ModelUnavailable"),
        ("text2video", {"model": "viduq1", "prompt": "[sandbox:moderated] x"}, 400, "TaskPromptPolicyViolation"),
        ("img2video", {"model": "viduq1", "images": [PICTURE, PICTURE]}, 400, "FieldInvalid"),
        ("reference2video", {"model": "viduq1", "images": [PICTURE] * 8, "prompt": "x"}, 400, "FieldInvalid"),
        ("start-end2video", {"model": "viduq1", "images": [PICTURE]}, 400, "FieldInvalid"),
        ("upscale", {"model": "vidu1.0", "creation_id": "833001234567899999"}, 404, "TaskNotFound"),
        ("extend", {"model": "viduq2-pro"}, 400, "FieldInvalid"),
    ],
)
def test_refusals_leave_nothing(gateway: Gateway, kind: str, body: Any, status: int, reason: str) -> None:
    answer = ask(gateway, "POST", f"/ent/v2/{kind}", body)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    found = rows(gateway, "SELECT 1 FROM usage WHERE request_id = ?", answer.headers["x-request-id"])
    if found:
        assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == 0
