"""Addresses that callers supply, and callbacks that are sent twice or lie."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deeepai.declare import Submit
from deeepai.protocols import PROTOCOLS
from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import Got, call
from tests.support.receiver import Receiver
from tests.support.until import until
from tests.wire import people
from tests.wire.shapes import MANNERS, job_id

SUBMITS: dict[str, tuple[str, dict[str, Any], str]] = {
    "flux": ("/flux/v1/flux-dev", {"prompt": "call me"}, "webhook_url"),
    "kling": ("/kling/v1/images/generations", {"prompt": "call me"}, "callback_url"),
    "dream_machine": (
        "/dream-machine/v1/generations/image",
        {"model": "photon-1", "prompt": "call me"},
        "callback_url",
    ),
    "luma": ("/luma/generations", {"prompt": "call me"}, "notify_hook"),
    "luma_goamz": ("/luma/v1/generations", {"prompt": "call me"}, "notify_hook"),
    "runway": (
        "/runway/tasks",
        {"taskType": "europa", "options": {"text_prompt": "call me", "seconds": 5}},
        "notify_hook",
    ),
    "runway_web": ("/runway/v1/pro/generate", {"prompt": "call me", "options": {"seconds": 5}}, "callback_url"),
    "pika": ("/pika/pro/generate", {"prompt": "call me"}, "callback_url"),
    "vidu": (
        "/vidu/v1/tasks",
        {"type": "text2video", "input": {"prompts": [{"type": "text", "content": "call me"}]}},
        "callback_url",
    ),
    "vidu_ent": ("/ent/v2/text2video", {"model": "viduq1", "prompt": "call me"}, "callback_url"),
    "pixverse": ("/pixverse/v1/pro/generate", {"prompt": "call me"}, "callback_url"),
    "pixverse_platform": (
        "/openapi/v2/video/text/generate",
        {"prompt": "call me", "model": "v5", "duration": 5, "quality": "540p", "aspect_ratio": "16:9"},
        "callback_url",
    ),
    "midjourney": ("/mj/submit/imagine", {"prompt": "call me"}, "notifyHook"),
    "viggle": (
        "/viggle/mix/video-task",
        {"imageURL": "https://example.com/call me.png", "templateID": "1"},
        "callback_url",
    ),
    "picwish": (
        "/picwish/api/tasks/visual/segmentation",
        {"image_url": "https://example.com/call me.png"},
        "callback_url",
    ),
    "mewx": (
        "/mewx/api/v1/images/generate",
        {"prompt": "call me --v 1.1", "model": "67", "qr_content": "https://example.com"},
        "callback_url",
    ),
    "suno": ("/suno/v2/generate", {"prompt": "call me"}, "notify_hook"),
    "suno_goamz": ("/suno/v1/music", {"custom_mode": True, "input": {"prompt": "call me"}}, "notify_hook"),
    "suno_tasks": ("/suno/submit/music", {"prompt": "call me"}, "notify_hook"),
}
"""Path, body, and the field for the address."""
CALLING = sorted(
    name
    for name, protocol in PROTOCOLS.items()
    if any(isinstance(each, Submit) and each.job.face.hook for each in protocol.operations)
)

REFUSED = (
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://localhost:{port}/hook",
    "http://LOCALHOST.:{port}/hook",
    "http://inside.localhost:{port}/hook",
    "http://127.0.0.1:{port}/hook",
    "http://127.1:{port}/hook",
    "http://2130706433:{port}/hook",
    "http://127.0.0.1.:{port}/hook",
    "http://[::1]:{port}/hook",
    "http://[::ffff:127.0.0.1]:{port}/hook",
    "http://0.0.0.0:{port}/hook",
    "http://10.1.2.3/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "https://user:word@example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/hook",
    "hook",
)
LATER = ("http://0x7f000001:{port}/hook", "http://0x7f.1:{port}/hook")
"""Names whose danger shows only when they are resolved."""


def submit(gateway: Gateway, protocol: str, key: str, url: str | None = None) -> Got:
    """Submit, with an idempotency key of its own: some formats have equal ones for one."""
    path, body, name = SUBMITS[protocol]
    head = {"idempotency-key": uuid.uuid4().hex}
    return call(gateway, "POST", path, {**body, name: url} if url is not None else body, key, head)


def task_id(got: Got) -> str:
    assert got.status in (200, 201), got.body
    return job_id(got.json)
    data = got.json.get("data")
    return got.json.get("id") or got.json.get("result") or (data if isinstance(data, str) else data["task_id"])


def state(gateway: Gateway, task: str) -> dict[str, Any]:
    return rows(gateway, "SELECT * FROM tasks WHERE id = ?", task)[0]


def ended(gateway: Gateway, task: str) -> dict[str, Any]:
    until(lambda: state(gateway, task)["finished_at"])
    return state(gateway, task)


@pytest.fixture(scope="module")
def inside() -> Iterator[Receiver]:
    """A service that nobody outside may reach."""
    with Receiver() as made:
        yield made


def test_all_that_call_back_are_here() -> None:
    assert set(CALLING) <= set(SUBMITS)


@pytest.mark.parametrize("protocol", CALLING)
@pytest.mark.parametrize("url", REFUSED)
def test_hostile_addresses_are_refused(wire: Gateway, inside: Receiver, protocol: str, url: str) -> None:
    port = inside.url.split(":")[2].split("/")[0]
    before = rows(wire, "SELECT count(*) AS tasks FROM tasks")
    got = submit(wire, protocol, people.VICTIM, url.format(port=port))
    MANNERS[protocol].refuses(got, "bad callback")
    assert rows(wire, "SELECT count(*) AS tasks FROM tasks") == before
    assert not rows(wire, "SELECT 1 FROM holds WHERE account_id = (SELECT id FROM accounts WHERE name = 'victim')")


@pytest.mark.parametrize("url", LATER)
def test_names_of_this_machine_are_not_reached(wire: Gateway, inside: Receiver, url: str) -> None:
    port = inside.url.split(":")[2].split("/")[0]
    task = task_id(submit(wire, "flux", people.OTHER, url.format(port=port)))
    ended(wire, task)
    tried = until(
        lambda: rows(wire, "SELECT d.* FROM deliveries d JOIN outbox o ON o.id = d.outbox_id WHERE o.task_id = ?", task)
    )
    assert all(delivery["status"] is None for delivery in tried)
    assert not inside.received


def test_redirects_are_not_followed(gateway: Gateway) -> None:
    """Not even to an address that may be reached."""
    with Receiver() as target:
        asked: list[str] = []

        class Redirecting(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(self.path)
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response((301, 302, 303, 307, 308)[len(asked) % 5])
                self.send_header("location", target.url)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            hook = f"http://127.0.0.1:{server.server_address[1]}/hook"
            task = task_id(submit(gateway, "flux", gateway.live, hook))
            ended(gateway, task)
            until(lambda: len(asked) >= 3)
        finally:
            server.shutdown()
            server.server_close()
        assert not target.received
        tried = rows(
            gateway, "SELECT d.status FROM deliveries d JOIN outbox o ON o.id = d.outbox_id WHERE o.task_id = ?", task
        )
        assert all(300 < delivery["status"] < 400 for delivery in tried)


@pytest.mark.parametrize("protocol", CALLING)
def test_the_same_submit_twice_makes_two_tasks(wire: Gateway, protocol: str) -> None:
    first, second = (task_id(submit(wire, protocol, people.OTHER)) for _ in range(2))
    assert first != second
    one, two = ended(wire, first), ended(wire, second)
    assert one["upstream_id"] != two["upstream_id"]
    assert one["cost"] == two["cost"] > 0
    charges = rows(
        wire, "SELECT request_id FROM ledger WHERE kind = 'charge' AND request_id IN (?, ?)",
        one["request_id"], two["request_id"],
    )  # fmt: skip
    assert len(charges) == 2


@pytest.mark.parametrize("protocol", CALLING)
def test_a_callback_in_that_comes_again_changes_nothing(wire: Gateway, protocol: str) -> None:
    task = task_id(submit(wire, protocol, people.OTHER))
    before = ended(wire, task)
    entries = rows(wire, "SELECT * FROM ledger WHERE request_id = ?", before["request_id"])
    hook = f"/hooks/{task}/{before['hook_key']}"
    lies = ({"id": before["upstream_id"], "status": "FAILURE"}, {"id": "other", "status": "Ready"}, [], "x", None)
    for lie in lies:
        assert call(wire, "POST", hook, lie).status == 200
    assert call(wire, "POST", hook, b"\xff not json").status == 200
    assert state(wire, task) == before
    assert rows(wire, "SELECT * FROM ledger WHERE request_id = ?", before["request_id"]) == entries


@pytest.mark.parametrize("protocol", CALLING)
def test_a_callback_in_is_not_believed(wire: Gateway, protocol: str) -> None:
    path, body, _ = SUBMITS[protocol]
    submitted = call(wire, "POST", path, {**body, "prompt": "[sandbox:never-finish] wait"}, people.OTHER)
    task = task_id(submitted)
    known = state(wire, task)
    lie = {
        "id": known["upstream_id"],
        "status": "Ready" if protocol == "flux" else "SUCCESS",
        "result": {"sample": "http://127.0.0.1/evil.png"},
        "imageUrl": "http://127.0.0.1/evil.png",
    }
    polls = known["polls"]
    assert call(wire, "POST", f"/hooks/{task}/{known['hook_key']}", lie).status == 200
    until(lambda: state(wire, task)["polls"] > polls)
    now = state(wire, task)
    assert now["finished_at"] is None
    assert now["results"] == 0
    for wrong in (f"/hooks/{task}/wrong", f"/hooks/unknown/{known['hook_key']}", f"/hooks/{task}", "/hooks/a/b/c"):
        assert call(wire, "POST", wrong, lie).status == 404
