"""Tasks of every protocol in one shape: listed, shown, stopped and watched, over real sockets."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox, channels_in_test_mode
from tests.support.http import Got, call, post
from tests.support.until import PATIENCE, until

OTHER = "sk-live-of-another-account-000000001"
TOML = f"""
[[users]]
name = "two"
password = "two-password"
credit = 50

[[tokens]]
name = "other"
key = "{OTHER}"
account = "two"
"""
LATEST = """
SELECT id FROM tasks WHERE mode = 'live' AND account_id = (SELECT account_id FROM tasks WHERE id = ?)
ORDER BY submitted_at DESC, id DESC
"""
SUBMISSIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "flux": ("/flux/v1/flux-dev", {"prompt": "a lighthouse"}),
    "kling": ("/kling/v1/videos/text2video", {"model_name": "kling-v1", "prompt": "a lighthouse"}),
    "cogvideox": ("/cogvideox/v4/videos/generations", {"model": "cogvideox-3", "prompt": "a lighthouse"}),
    "midjourney": ("/mj/submit/imagine", {"prompt": "a lighthouse"}),
    "openai": ("/v1/videos", {"model": "sora-2", "prompt": "a lighthouse", "seconds": "4"}),
    "gemini": ("/v1beta/models/veo-3.0-generate-001:predictLongRunning", {"instances": [{"prompt": "a lighthouse"}]}),
}


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    started = Sandbox().start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def own(vendors: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    toml = channels_in_test_mode(vendors.url) + TOML
    made = Gateway(Path(tmp_path_factory.mktemp("every")), vendors, toml=toml).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


def get(gateway: Gateway, path: str, key: str | None = None) -> Got:
    return call(gateway, "GET", path, key=key or gateway.live)


def submitted(gateway: Gateway, protocol: str, key: str | None = None) -> dict[str, Any]:
    """Submit a job; return its newest task as the list has it."""
    path, body = SUBMISSIONS[protocol]
    answer = post(gateway, path, body, key, {"idempotency-key": f"{protocol} {time.time_ns()}"})
    assert answer.status == 200, answer.body
    listed = get(gateway, f"/v1/tasks?limit=1&protocol={protocol}", key).json["data"]
    assert listed[0]["request_id"] == answer.request_id
    return listed[0]


def ended(gateway: Gateway, task_id: str, key: str | None = None) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        task = get(gateway, f"/v1/tasks/{task_id}", key).json
        return task if task["finished_at"] is not None else None

    return until(look)


@pytest.mark.operation("openai.tasks.list", "openai.tasks.get")
@pytest.mark.parametrize("protocol", SUBMISSIONS)
def test_a_task_of_each_protocol(own: Gateway, protocol: str) -> None:
    begun = submitted(own, protocol)
    assert (begun["object"], begun["protocol"], begun["mode"], begun["cost"]) == ("task", protocol, "live", None)
    assert begun["operation"].startswith(f"{protocol}.")
    done = ended(own, begun["id"])
    assert (done["state"], done["progress"], done["error"]) == ("succeeded", 100, None)
    (row,) = rows(own, "SELECT * FROM tasks WHERE id = ?", begun["id"])
    assert float(done["cost"]) == row["cost"] / 1e9 > 0
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] <= time.time()
    assert (done["model"], done["request_id"]) == (row["model"], row["request_id"])
    assert len(done["files"]) == row["results"] > 0
    for file in done["files"]:
        assert file["url"].startswith(f"{own.url}/assets/{begun['id']}/")
        answer = requests.get(file["url"], timeout=PATIENCE)
        assert answer.headers["content-type"] == file["content_type"]
        assert len(answer.content) == file["bytes"]


@pytest.mark.operation("openai.tasks.list")
def test_pages_and_filters(own: Gateway) -> None:
    first = [submitted(own, protocol)["id"] for protocol in ("flux", "kling", "flux", "cogvideox", "kling")]
    for task in first:
        ended(own, task)

    def pages(query: str, limit: int) -> list[str]:
        found, cursor = [], ""
        while True:
            answer = get(own, f"/v1/tasks?limit={limit}{query}&cursor={cursor}").json
            found += [task["id"] for task in answer["data"]]
            assert answer["has_more"] == (answer["next_cursor"] is not None)
            assert len(answer["data"]) == limit or not answer["has_more"]
            cursor = answer["next_cursor"]
            if not cursor:
                return found

    every = pages("", 2)
    assert every[:5] == first[::-1]
    assert every == pages("", 100) == [row["id"] for row in rows(own, LATEST, every[0])]
    flux = pages("&protocol=flux", 1)
    assert flux[:2] == [first[2], first[0]]
    assert {get(own, f"/v1/tasks/{one}").json["protocol"] for one in flux} == {"flux"}
    assert set(pages("&state=succeeded,failed", 3)) | set(pages("&state=queued,running,cancelled", 3)) == set(every)
    assert pages("&state=waiting", 3) == pages("&mode=test", 3) == []
    assert pages("&mode=live", 100) == every


@pytest.mark.operation("openai.tasks.list", "openai.tasks.get")
def test_nobody_elses_and_no_other_modes(own: Gateway) -> None:
    mine, tested = submitted(own, "kling")["id"], submitted(own, "kling", own.test)["id"]
    for key, task in ((OTHER, mine), (own.test, mine), (own.live, tested), (own.live, "nobody's"), (own.live, "%00")):
        for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events")):
            answer = call(own, method, f"/v1/tasks/{task}{path}", key=key)
            assert (answer.status, answer.json["error"]["code"]) == (404, "task_not_found"), (key, task, path)
    assert get(own, "/v1/tasks", OTHER).json == {"object": "list", "data": [], "has_more": False, "next_cursor": None}
    assert tested in [task["id"] for task in get(own, "/v1/tasks", own.test).json["data"]]
    assert {task["mode"] for task in get(own, "/v1/tasks", own.test).json["data"]} == {"test"}
    assert get(own, f"/v1/tasks/{tested}", own.test).json["mode"] == "test"
    assert call(own, "GET", "/v1/tasks").status == 401


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("state=lost", "state"),
        ("state=succeeded,not_found", "state"),
        ("mode=dead", "mode"),
        ("protocol=nobodys", "protocol"),
        ("protocol=%00", "protocol"),
        ("cursor=!", "cursor"),
        ("cursor=aGVsbG8", "cursor"),
    ],
)
def test_odd_questions(own: Gateway, query: str, param: str) -> None:
    answer = get(own, f"/v1/tasks?{query}")
    assert (answer.status, answer.json["error"]["param"]) == (400, param)


# Stopping ----------------------------------------------------------------------------------------------------------


def cancel(gateway: Gateway, task_id: str) -> Got:
    return post(gateway, f"/v1/tasks/{task_id}/cancel", b"")


@pytest.mark.operation("openai.tasks.cancel")
def test_a_vendor_that_stops_a_task(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "midjourney")
        answer = cancel(own, task["id"])
        assert answer.status == 200, answer.body
        assert answer.json["state"] == "cancelled"
        assert (answer.json["cost"], answer.json["files"]) == ("0", [])
        assert cancel(own, task["id"]).json == answer.json
    (row,) = rows(own, "SELECT cost, hold_id FROM tasks WHERE id = ?", task["id"])
    assert row == {"cost": 0, "hold_id": None}
    assert [row["kind"] for row in ledger(own, task)] == ["hold", "void"]
    # Its own face tells the same.
    shown = get(own, f"/mj/task/{task['id']}/fetch").json
    assert shown["status"] in ("FAILURE", "CANCEL")


def ledger(gateway: Gateway, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    return rows(gateway, "SELECT kind FROM ledger WHERE request_id = ? ORDER BY kind", task["request_id"])


@pytest.mark.operation("openai.tasks.cancel")
def test_a_response_in_the_background_is_stopped(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        begun = post(own, "/v1/responses", {"model": "gpt-4o-mini", "input": "take your time", "background": True})
        assert begun.status == 200, begun.body
        (task,) = get(own, "/v1/tasks?limit=1").json["data"]
        assert (task["operation"], task["request_id"]) == ("openai.responses.create", begun.request_id)
        assert cancel(own, task["id"]).status == 200
    assert ended(own, task["id"])["state"] == "cancelled"


def test_a_vendor_that_does_not(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "kling")
        answer = cancel(own, task["id"])
        assert (answer.status, answer.json["error"]["code"]) == (422, "cancel_unsupported")
    assert ended(own, task["id"])["state"] == "succeeded"
    answer = cancel(own, task["id"])
    assert (answer.status, answer.json["error"]["code"]) == (409, "task_ended")


# Watching ----------------------------------------------------------------------------------------------------------


class Watching:
    """A watcher, and what it was told: each event's id, name and task, and when."""

    def __init__(self, gateway: Gateway, task_id: str, seen: str | None = None) -> None:
        headers = {"authorization": f"Bearer {gateway.live}"} | ({"last-event-id": seen} if seen else {})
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
        self._connection.request("GET", f"/v1/tasks/{task_id}/events", headers=headers)
        self.answer = self._connection.getresponse()
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.pings: list[float] = []

    def close(self) -> None:
        self.answer.close()
        self._connection.close()

    def one(self) -> bool:
        """Read one event or ping; False: the stream has ended."""
        fields: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if not text:
                break
            name, _, value = text.partition(": ")
            fields[name] = value
        if fields.get("") == "ping":
            self.pings.append(time.monotonic())
        elif fields:
            self.events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
        return bool(fields)

    def rest(self) -> None:
        while self.one():
            pass
        self.close()


@contextmanager
def watching(gateway: Gateway, task_id: str, seen: str | None = None) -> Generator[Watching]:
    watcher = Watching(gateway, task_id, seen)
    try:
        yield watcher
    finally:
        watcher.close()


@pytest.mark.operation("openai.tasks.events")
def test_watched_to_its_end(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "kling")
        watcher = Watching(own, task["id"])
        assert watcher.answer.status == 200
        assert watcher.answer.headers["content-type"] == "text/event-stream"
        assert watcher.answer.headers["x-accel-buffering"] == "no"
        assert watcher.one()
        assert watcher.events[0][1:] == ("task.updated", get(own, f"/v1/tasks/{task['id']}").json)
    watcher.rest()
    ids = [number for number, _, _ in watcher.events]
    assert ids == sorted(set(ids))
    assert [name for _, name, _ in watcher.events[:-1]] == ["task.updated"] * (len(ids) - 1)
    _, name, last = watcher.events[-1]
    assert (name, last) == ("task.succeeded", get(own, f"/v1/tasks/{task['id']}").json)
    assert last["files"]
    # Who has had the end, is told to come no more; who has not, is told it.
    with watching(own, task["id"], str(ids[-1])) as again:
        assert (again.answer.status, again.answer.read()) == (204, b"")
    for seen in (str(ids[0]), "no number", None):
        late = Watching(own, task["id"], seen)
        late.rest()
        assert late.events == watcher.events[-1:]


@pytest.mark.operation("openai.tasks.events")
def test_what_was_seen_is_not_told_again(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "midjourney")
        with watching(own, task["id"]) as first:
            first.one()
            seen = first.events[0][0]
        # Nobody asks the vendor meanwhile.
        later = Watching(own, task["id"], str(seen + 1000))
        assert later.one()
        assert not later.events
        cancel(own, task["id"])
    later.rest()
    assert [name for _, name, _ in later.events] == ["task.cancelled"]


@pytest.mark.operation("openai.tasks.events")
def test_many_watch_one(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "flux")
        before = vendors.newest()
        watchers = [Watching(own, task["id"]) for _ in range(40)]
        for watcher in watchers:
            watcher.one()
        started = datetime.now(UTC)
        threads = [threading.Thread(target=watcher.rest) for watcher in watchers]
        for thread in threads:
            thread.start()
        time.sleep(2)
        asked = [one for one in vendors.since(before) if one["vendor"] == "flux"]
        assert len(asked) <= 3, f"{len(asked)} questions since {started}: each watcher asks for itself"
    for thread in threads:
        thread.join(PATIENCE)
    assert {watcher.events[-1][1] for watcher in watchers} == {"task.succeeded"}
    assert len({str(watcher.events[-1]) for watcher in watchers}) == 1


@pytest.mark.operation("openai.tasks.events")
def test_who_hears_nothing_is_told_so(own: Gateway, vendors: Sandbox) -> None:
    with vendors.slowly():
        task = submitted(own, "midjourney")
        with watching(own, task["id"]) as watcher:
            begun = time.monotonic()
            while len(watcher.pings) < 1:
                assert watcher.one()
            assert watcher.pings[0] - begun < 15
        cancel(own, task["id"])


def test_a_task_that_is_deleted_ends_its_stream(own: Gateway) -> None:
    task = submitted(own, "openai")
    ended(own, task["id"])
    assert call(own, "DELETE", f"/v1/videos/{task['id']}", key=own.live).status == 200
    assert get(own, f"/v1/tasks/{task['id']}/events").status == 404


def test_head_has_no_events(own: Gateway) -> None:
    task = submitted(own, "flux")
    assert call(own, "HEAD", f"/v1/tasks/{task['id']}", key=own.live).status == 200
    assert call(own, "HEAD", f"/v1/tasks/{task['id']}/events", key=own.live).status == 405
