"""Pika's formats as their clients speak them: relays' documents, a web client, ComfyUI's nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.pictures import png
from tests.support.receiver import Receiver
from tests.support.until import until

PICTURE = "https://example.com/cat.png"


def ask(gateway: Gateway, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
    head = {"authorization": f"Bearer {gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=30, **more)


def cost(gateway: Gateway, task: str) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", task)
    assert row["hold_id"] is None
    return row["cost"]


# The relays' format ------------------------------------------------------------------------------------------------


def made(gateway: Gateway, **body: Any) -> dict[str, Any]:
    """Submit, and ask the feed until the end, by turns in both ways."""
    begun = ask(gateway, "POST", "/pika/pro/generate", body)
    assert begun.status_code == 200, begun.text
    assert (begun.json()["code"], set(begun.json()["data"])) == (200, {"task_id"})
    task = begun.json()["data"]["task_id"]

    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", f"/pika/feed?task_id={task}").json()["data"]
        assert told == ask(gateway, "POST", "/pika/feed", {"task_id": task}).json()["data"] or told["status"] in "01"
        return told if told["status"] in ("2", "3") else None

    return until(look)


@pytest.mark.operation("pika.generate", "pika.feed", "pika.feed.post")
def test_films_from_words_pictures_and_films(gateway: Gateway) -> None:
    """All values of a feed are texts or null; the caller's key field stays here."""
    done = made(gateway, prompt="a cat for pika", ratio="16:9", model=1.5, sfx=True, key="sk-in-the-body", options={})
    assert (done["status"], done["state"], done["prompt"], done["msg"]) == ("3", "succeeded", "a cat for pika", None)
    assert all(value is None or isinstance(value, str) for value in done.values())
    for number, name in enumerate(("video_url", "poster")):
        assert done[name].startswith(f"{gateway.url}/assets/{done['task_id']}/{number}")
    assert requests.get(done["video_url"], timeout=20).headers["content-type"] == "video/mp4"
    assert cost(gateway, done["task_id"]) == 200_000_000
    sent = asked_of(gateway, "a cat for pika")
    assert sent is not None
    assert (sent["body"]["model"], sent["body"]["sfx"], "key" in sent["body"]) == (1.5, True, False)
    assert made(gateway, prompt="it melts", image=PICTURE, style="Melt", model=2.0)["state"] == "succeeded"
    # A film goes on from the address of its result.
    longer = made(gateway, prompt="on", video=done["video_url"], sfx=False, style="", options={"extend": True})
    assert longer["state"] == "succeeded"
    with_body = ask(gateway, "GET", "/pika/feed", {"task_id": longer["task_id"]})
    assert with_body.json()["data"] == longer


@pytest.mark.operation("pika.generate", "pika.feed")
def test_what_fails_is_free_and_says_why(gateway: Gateway) -> None:
    for trigger in ("fail-midway", "moderated-output"):
        failed = made(gateway, prompt=f"[sandbox:{trigger}] x")
        assert (failed["status"], failed["state"], failed["refund"], failed["video_url"]) == ("2", "error", "1", None)
        assert failed["msg"]
        assert cost(gateway, failed["task_id"]) == 0
    for body, status in (
        ({"ratio": "1:1"}, 400),
        ({"prompt": "x", "model": 7}, 404),
        ({"prompt": "x", "image": "no address"}, 200),
        ({"prompt": "x", "options": {"frameRate": 4}}, 200),
    ):
        refused = ask(gateway, "POST", "/pika/v1/pro/generate", body)
        assert (refused.status_code, refused.json()["code"], refused.json()["data"]) == (status, 400, None)
        assert refused.json()["msg"]
    assert ask(gateway, "GET", "/pika/feed").status_code == 400
    absent = ask(gateway, "POST", "/pika/feed", {"task_id": "2f68dbbf-519d-4f01-9636-e2421b68f379"})
    assert (absent.status_code, absent.json()["code"]) == (404, 400)


@pytest.mark.operation("pika.generate")
def test_a_callback_at_each_change(gateway: Gateway) -> None:
    with Receiver() as receiver:
        body = {"prompt": "call me", "callback_url": receiver.url}
        task = ask(gateway, "POST", "/pika/pro/generate", body).json()["data"]["task_id"]
        until(lambda: any(call.body["status"] == "3" for call in receiver.received))
        received = list(receiver.received)
    last = next(call.body for call in received if call.body["status"] == "3")
    assert (last["task_id"], last["state"]) == (task, "succeeded")
    assert last["video_url"].startswith(f"{gateway.url}/assets/{task}/0")
    assert "code" not in last
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


# The web format ----------------------------------------------------------------------------------------------------


@pytest.mark.operation("pika_web.generate", "pika_web.feed")
@pytest.mark.parametrize("place", ["/pika", "/pro/pika"])
def test_films_by_a_web_client(gateway: Gateway, place: str) -> None:
    """As chatgpt-web-midjourney-proxy asks."""
    body = {"promptText": f"a plane at {place}", "model": "2.0", "pikaffect": "", "options": {"aspectRatio": 1}}
    task = ask(gateway, "POST", f"{place}/generate", body).json()["id"]

    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", f"{place}/feed/{task}").json()
        assert (told["id"], len(told["videos"])) == (task, 1)
        return told if told["videos"][0]["status"] in ("finished", "error") else None

    done = until(look)
    (video,) = done["videos"]
    assert (done["promptText"], video["id"], video["status"], video["progress"]) == (
        *(f"a plane at {place}", task),
        *("finished", 100),
    )
    assert video["resultUrl"].startswith(f"{gateway.url}/assets/{task}/0")
    assert requests.get(video["resultUrl"], timeout=20).ok
    assert cost(gateway, task) == 200_000_000
    assert ask(gateway, "GET", f"/pika/feed/?id={task}").json() == done


@pytest.mark.operation("pika_web.generate", "pika_web.feed")
def test_what_a_web_client_reads_of_errors(gateway: Gateway) -> None:
    failed = ask(gateway, "POST", "/pika/generate", {"promptText": "[sandbox:fail-midway] x"}).json()["id"]

    def look() -> dict[str, Any] | None:
        (told,) = ask(gateway, "GET", f"/pika/feed/{failed}").json()["videos"]
        return told if told["status"] == "error" else None

    video = until(look)
    assert (video["resultUrl"], bool(video["error"]), cost(gateway, failed)) == ("", True, 0)
    words: dict[str, Any] = {"promptText": "x"}
    for body, status in (({**words, "image": ""}, 400), ({"model": "1.5"}, 400), ({**words, "model": "9"}, 404)):
        refused = ask(gateway, "POST", "/pika/generate", body)
        assert refused.status_code == status
        assert refused.json()["error"]["message"]


# The vendor's own --------------------------------------------------------------------------------------------------

FORMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "2.2/i2v": ({"promptText": "it jumps", "resolution": "720p", "duration": 5}, ["image"]),
    "2.2/pikaframes": ({"promptText": "it turns"}, ["keyFrames", "keyFrames"]),
    "2.2/pikascenes": ({"ingredientsMode": "creative", "promptText": "they meet"}, ["images", "images"]),
    "pikaffects": ({"pikaffect": "Cake-ify"}, ["image"]),
    "pikaswaps": ({"promptText": "a hat", "modifyRegionRoi": "the head"}, ["video", "image"]),
    "pikadditions": ({"promptText": "a dog"}, ["video", "image"]),
}


def ended(gateway: Gateway, task: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", f"/pika/api/videos/{task}").json()
        return told if told["status"] in ("finished", "failed") else None

    return until(look)


@pytest.mark.operation("pika_api.t2v", "pika_api.videos")
@pytest.mark.parametrize("sent_as", ["data", "files"])
def test_words_come_as_either_sort_of_form(gateway: Gateway, sent_as: str) -> None:
    fields = {"promptText": f"a cat in {sent_as}", "resolution": "720p", "duration": "5", "aspectRatio": "1.0"}
    body: dict[str, Any] = {name: (None, value) for name, value in fields.items()} if sent_as == "files" else fields
    answer = ask(gateway, "POST", "/pika/api/generate/2.2/t2v", **{sent_as: body})
    assert answer.status_code == 200, answer.text
    done = ended(gateway, answer.json()["video_id"])
    assert (done["status"], done["progress"]) == ("finished", 100)
    assert done["url"].startswith(f"{gateway.url}/assets/{done['id']}/0")
    assert cost(gateway, done["id"]) == 200_000_000


@pytest.mark.operation(*(f"pika_api.{path.rpartition('/')[2]}" for path in FORMS), "pika_api.videos")
def test_files_come_in_forms(gateway: Gateway) -> None:
    picture = png(640, 360)
    for path, (fields, names) in FORMS.items():
        files = [(name, (f"{name}.png", picture, "image/png")) for name in names]
        answer = ask(gateway, "POST", f"/proxy/pika/generate/{path}", data=fields, files=files)
        assert answer.status_code == 200, answer.text
        done = ended(gateway, answer.json()["video_id"])
        assert done["status"] == "finished"
        assert requests.get(done["url"], timeout=20).headers["content-type"] == "video/mp4"
        others = [("other", ("other.png", picture, "image/png"))]
        short = ask(gateway, "POST", f"/pika/api/generate/{path}", data=fields, files=others)
        assert short.status_code == 400
        assert names[0] in short.json()["message"]
