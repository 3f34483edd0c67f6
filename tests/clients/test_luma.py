"""Luma as relays serve it, as their web client asks: it polls until the film without the mark is there."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from tests.operator import asked_of, rows, usage_row
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.receiver import Receiver
from tests.support.until import until

LINES = ("", "/pro", "/vip")


def data_url() -> str:
    drawn = io.BytesIO()
    Image.new("RGB", (640, 360), "navy").save(drawn, "PNG")
    return f"data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}"


def ask(gateway: Gateway, method: str, path: str, body: Any = None, key: str | None = None) -> requests.Response:
    head = {"authorization": f"Bearer {key or gateway.live}"}
    return requests.request(method, gateway.url + path, headers=head, json=body, timeout=20)


def submitted(gateway: Gateway, path: str, **body: Any) -> str:
    answer = ask(gateway, "POST", path, body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["state"] == "pending"
    return told["id"]


def finished(gateway: Gateway, path: str) -> dict[str, Any]:
    """Poll as the web client does: it stops at an address without the mark, or where all is lost."""

    def look() -> dict[str, Any] | None:
        told = ask(gateway, "GET", path).json()
        done = told["state"] == "failed" or (told["state"] == "completed" and told["video"]["download_url"])
        return told if done else None

    return until(look)


def cost(gateway: Gateway, task: str) -> int:
    return rows(gateway, "SELECT cost FROM tasks WHERE id = ?", task)[0]["cost"]


def film(url: str) -> bytes:
    answer = requests.get(url, timeout=10)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content[4:8] == b"ftyp"
    return answer.content


@pytest.mark.operation("luma.generations", "luma.generations.get")
@pytest.mark.parametrize("line", LINES)
def test_generate_and_wait(gateway: Gateway, line: str) -> None:
    """With a slash at the end, as the web client posts."""
    words = f"a fox on the line {line or 'free'}"
    task = submitted(gateway, f"{line}/luma/generations/", user_prompt=words, expand_prompt=True, aspect_ratio="16:9")
    done = finished(gateway, f"{line}/luma/generations/{task}")
    assert (done["id"], done["state"], done["prompt"]) == (task, "completed", words)
    for name in ("url", "download_url"):
        assert done["video"][name].startswith(f"{gateway.url}/assets/{task}/")
        film(done["video"][name])
    assert done["thumbnail"]["url"].startswith(gateway.url)
    assert cost(gateway, task) == (500_000_000 if line else 400_000_000)
    (row,) = rows(gateway, "SELECT model, upstream_id FROM tasks WHERE id = ?", task)
    assert row["model"] == ("ray-v1-pro" if line else "ray-v1")
    assert row["upstream_id"] not in json.dumps(done)
    sent = asked_of(gateway, words)
    assert sent is not None
    assert sent["body"]["model_name"] == "ray-v1"
    assert sandbox_url(gateway) not in json.dumps(done)


def sandbox_url(gateway: Gateway) -> str:
    assert gateway.sandbox is not None
    return gateway.sandbox.url


@pytest.mark.operation("luma.generations", "luma.download_video_url", "luma.download_video_url.post")
def test_the_film_without_the_mark_where_it_is_not_told_at_once(gateway: Gateway) -> None:
    """Without `expand_prompt` the stand-in tells of it only where it is asked for that."""
    task = submitted(gateway, "/luma/generations", user_prompt="a marked fox", model_name="ray-v2", duration="9s")
    early = ask(gateway, "GET", f"/luma/generations/{task}/download_video_url")
    assert (early.status_code, early.json()["error"]["code"]) == (400, "generation_not_completed")
    done = finished(gateway, f"/luma/generations/{task}")
    assert cost(gateway, task) == 1_280_000_000
    for method in ("GET", "POST"):
        clean = ask(gateway, method, f"/luma/generations/{task}/download_video_url").json()
        assert list(clean) == ["url"]
        assert film(clean["url"]) == film(done["video"]["download_url"])
    assert done["video"]["url"] != done["video"]["download_url"]
    assert gateway.sandbox is not None
    asked = [entry["path"] for entry in gateway.sandbox.requests() if entry["path"].endswith("/download_video_url")]
    assert asked


@pytest.mark.operation("luma.extend", "luma.generations.get")
def test_extend(gateway: Gateway) -> None:
    """An extension goes where the film is, for its owner alone, until it is as long as can be."""
    first = submitted(gateway, "/luma/generations", prompt="a C body on this path", expand_prompt=True)
    unready = ask(gateway, "POST", f"/luma/generations/{first}/extend", {"user_prompt": "on"})
    assert (unready.status_code, unready.json()["error"]["code"]) == (400, "generation_not_completed")
    finished(gateway, f"/luma/generations/{first}")
    film_id, lengths = first, []
    for _ in range(5):
        film_id = submitted(gateway, f"/luma/generations/{film_id}/extend", user_prompt="on", expand_prompt=True)
        done = finished(gateway, f"/luma/generations/{film_id}")
        assert cost(gateway, film_id) == 400_000_000
        lengths.append(round(done["video_raw"]["duration"]))
    assert lengths == [10, 15, 20, 25, 30]
    refused = ask(gateway, "POST", f"/luma/generations/{film_id}/extend", {"user_prompt": "on"})
    assert refused.status_code == 400
    assert usage_row(gateway, refused.headers["x-request-id"])["cost"] == 0
    channels = rows(gateway, "SELECT DISTINCT channel_id FROM tasks WHERE id IN (?, ?)", first, film_id)
    assert len(channels) == 1
    nobody_s = ask(gateway, "POST", "/luma/generations/45e3d6dd-8d93-4f4a-9c4b-3a5b3f3c9f01/extend", {})
    assert (nobody_s.status_code, nobody_s.json()["error"]["code"]) == (404, "task_not_found")
    failed = submitted(gateway, "/luma/generations", user_prompt="[sandbox:fail-midway] x")
    assert finished(gateway, f"/luma/generations/{failed}")["failure_reason"]
    on = ask(gateway, "POST", f"/luma/generations/{failed}/extend", {"user_prompt": "on"})
    assert (on.status_code, on.json()["error"]["code"]) == (400, "generation_not_completed")


@pytest.mark.operation("luma.file_upload", "luma.generations")
def test_a_picture_is_uploaded_and_filmed(gateway: Gateway) -> None:
    uploaded = ask(gateway, "POST", "/luma/generations/file_upload", {"url": data_url()}).json()
    assert set(uploaded) == {"id", "presigned_url", "public_url"}
    body = {"image_url": uploaded["public_url"], "image_end_url": data_url(), "expand_prompt": True}
    task = submitted(gateway, "/luma/generations", user_prompt="", **body)
    assert finished(gateway, f"/luma/generations/{task}")["state"] == "completed"


@pytest.mark.operation("luma.generations.list", "luma.tasks", "luma.subscription.usage", "luma.users.me")
def test_the_caller_s_own(gateway: Gateway) -> None:
    tasks = [submitted(gateway, "/luma/generations", user_prompt=f"listed {number}") for number in range(2)]
    for task in tasks:
        finished(gateway, f"/luma/generations/{task}")
    newest = ask(gateway, "GET", "/luma/generations/?limit=1&offset=1").json()
    assert [item["id"] for item in newest] == tasks[:1]
    told = ask(gateway, "POST", "/luma/tasks", {"ids": [*tasks, "nobody's"]}).json()
    assert (told["code"], [item["task_id"] for item in told["data"]]) == ("success", tasks)
    assert {item["status"] for item in told["data"]} == {"SUCCESS"}
    assert told["data"][0]["data"]["state"] == "completed"
    used = ask(gateway, "GET", "/luma/subscription/usage").json()
    assert used["consumed"] > 0
    assert used["capacity"] == pytest.approx(used["consumed"] + used["available"])
    assert ask(gateway, "GET", "/luma/users/me").json()["name"]


@pytest.mark.operation("luma.generations")
def test_callbacks(gateway: Gateway) -> None:
    with Receiver() as receiver:
        task = submitted(gateway, "/luma/generations", user_prompt="call me", notify_hook=receiver.url)
        until(lambda: receiver.received)
        (call,) = receiver.received
    assert (call.body["id"], call.body["state"]) == (task, "completed")
    assert call.body["video"]["download_url"].startswith(f"{gateway.url}/assets/{task}/")
    assert receiver.url not in json.dumps(gateway.sandbox.requests() if gateway.sandbox else [])


@pytest.mark.parametrize("trigger", ["fail-midway", "moderated-output"])
def test_what_fails_is_free(gateway: Gateway, trigger: str) -> None:
    task = submitted(gateway, "/luma/generations", user_prompt=f"[sandbox:{trigger}] x")
    failed = finished(gateway, f"/luma/generations/{task}")
    assert (failed["state"], failed["video"]) == ("failed", None)
    assert failed["failure_reason"]
    assert cost(gateway, task) == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ({"user_prompt": "x", "duration": "7s"}, 400, "invalid_request"),
        ({"user_prompt": "x", "resolution": "8k"}, 400, "invalid_request"),
        ({"user_prompt": 5}, 400, "invalid_request"),
        ({"user_prompt": "x", "model_name": "no-such-model"}, 404, "model_not_found"),
        ({"user_prompt": "x", "aspect_ratio": "5:1"}, 400, "invalid_request"),
    ],
)
def test_errors(gateway: Gateway, body: Any, status: int, code: str) -> None:
    """The last is the vendor's own refusal, which leaves nothing."""
    answer = ask(gateway, "POST", "/luma/generations", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert not rows(gateway, "SELECT 1 FROM tasks WHERE request_id = ?", answer.headers["x-request-id"])


@pytest.mark.operation("luma_goamz.generations", "luma_goamz.generations.get", "luma_goamz.task", "luma_goamz.extend")
@pytest.mark.parametrize(
    ("place", "price"),
    [("/luma/v1", 400_000_000), ("/vip/luma/v1", 500_000_000), ("/pro/luma/V1", 500_000_000)],
)
def test_the_addresses_of_goamz(gateway: Gateway, place: str, price: int) -> None:
    """The free line and the paid one, by the addresses that the site system appends."""
    body = {"aspect_ratio": "9:16", "expand_prompt": True, "image_url": "https://example.com/fox.png", "loop": False}
    task = submitted(gateway, f"{place}/generations", user_prompt=f"a fox at {place}", **body)
    done = finished(gateway, f"{place}/generations/{task}")
    assert done["id"] == task
    film(done["video"]["download_url"])
    assert cost(gateway, task) == price
    assert ask(gateway, "GET", f"{place}/task/{task}").json() == done
    assert ask(gateway, "GET", f"{place}/task?id={task}").json() == done
    assert ask(gateway, "GET", f"{place}/task").json()["error"]["type"] == "invalid_request"
    longer = submitted(gateway, f"{place}/generations/{task}/extend", user_prompt="on", expand_prompt=True)
    assert finished(gateway, f"{place}/generations/{longer}")["state"] == "completed"
    # The other addresses know it, too.
    assert ask(gateway, "GET", f"/luma/generations/{task}").json() == done
    clean = ask(gateway, "GET", f"/luma/generations/{longer}/download_video_url").json()
    film(clean["url"])
    longest = submitted(gateway, f"/luma/generations/{longer}/extend", user_prompt="on", expand_prompt=True)
    assert finished(gateway, f"{place}/generations/{longest}")["state"] == "completed"


# Lines -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a group of channels for each line, and one token for the free line alone."""
    channels = "".join(
        f'[[channels]]\nname = "{name}"\nprotocol = "luma"\npriority = 5\nmodels = {json.dumps(models)}\n'
        f'base_url = "{sandbox.url}/luma"\ncredential = "sk-upstream-{name}-000000000000"\n\n'
        for name, models in (("paid", ["ray-*-pro"]), ("free", ["ray-v1", "ray-v2"]))
    )
    made = Gateway(Path(tmp_path_factory.mktemp("lines")), sandbox, toml=channels).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


@pytest.mark.operation("luma.generations", "luma.extend")
def test_lines_are_groups_of_channels(lines: Gateway) -> None:
    def place(task: str) -> str:
        sql = "SELECT c.name FROM tasks t JOIN channels c ON c.id = t.channel_id WHERE t.id = ?"
        return rows(lines, sql, task)[0]["name"]

    made = {line: submitted(lines, f"{line}/luma/generations", user_prompt="x", expand_prompt=True) for line in LINES}
    assert [place(task) for task in made.values()] == ["free", "paid", "paid"]
    for line, task in made.items():
        finished(lines, f"{line}/luma/generations/{task}")
    # What lengthens a film goes where that was made, and is of its line, whichever the path.
    longer = submitted(lines, f"/luma/generations/{made['/pro']}/extend", user_prompt="on", expand_prompt=True)
    finished(lines, f"/luma/generations/{longer}")
    assert (place(longer), cost(lines, longer)) == ("paid", 500_000_000)
