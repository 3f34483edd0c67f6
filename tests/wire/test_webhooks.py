"""Webhooks are told of all that becomes of an account's tasks: signed, once, again until they arrive."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox, channels_in_test_mode, run_cli
from tests.support.http import call, post
from tests.support.receiver import Received, Receiver
from tests.support.until import until


@pytest.fixture(scope="module")
def own(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("webhooks"))
    # Commands are told so, too.
    env = {"DEEEPAI_ALLOW_PRIVATE_CALLBACKS": "127.0.0.0/8"}
    made = Gateway(folder, sandbox, env=env, toml=channels_in_test_mode(sandbox.url)).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


class Hook:
    """A webhook of the gateway's first account, made over its control API."""

    def __init__(self, gateway: Gateway, receiver: Receiver, events: Sequence[str] | None = None) -> None:
        self._gateway = gateway
        said = {"name": "admin", "password": gateway.first_start()["admin_password"]}
        self._key: str = call(gateway, "POST", "/api/login", said).json["token"]
        # Of whom the tokens are.
        (account,) = rows(gateway, "SELECT DISTINCT account_id FROM tokens WHERE mode = 'live'")
        new = {"url": receiver.url, "account_id": account["account_id"]} | ({"events": events} if events else {})
        made = self("POST", "", new, status=201)
        self.id: str = made["webhook"]["id"]
        self.secret: str = made["secret"]

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        at = f"/{self.id}{path}" if hasattr(self, "id") else path
        answer = call(self._gateway, method, f"/api/webhooks{at}", body, self._key)
        assert answer.status == status, answer.body
        return answer.json if answer.body else None

    def deliveries(self, query: str = "") -> list[dict[str, Any]]:
        return self("GET", f"/deliveries?{query}")["data"]

    def delete(self) -> None:
        self("DELETE", "", status=204)

    def read(self, message: Received) -> dict[str, Any]:
        """Check a message as its receiver does."""
        return Webhook(self.secret).verify(message.raw, message.headers)


def submitted(gateway: Gateway, prompt: str = "a lighthouse", key: str | None = None) -> dict[str, Any]:
    answer = post(gateway, "/flux/v1/flux-dev", {"prompt": f"{prompt} {time.time_ns()}"}, key)
    assert answer.status == 200, answer.body
    return answer.json


def told(hook: Hook, receiver: Receiver, task_id: str) -> list[dict[str, Any]]:
    """Return what a receiver was told of a task, each thing once."""
    found = {message.headers["webhook-id"]: hook.read(message) for message in receiver.received}
    return [one for one in found.values() if one["data"].get("id") == task_id]


def ended(hook: Hook, receiver: Receiver, task_id: str, event: str) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        all_told = told(hook, receiver, task_id)
        return all_told if any(one["type"] == event for one in all_told) else None

    return until(look)


def test_a_task_from_its_making_to_its_end(own: Gateway) -> None:
    with Receiver() as receiver:
        hook = Hook(own, receiver)
        task = submitted(own)["id"]
        messages = ended(hook, receiver, task, "task.succeeded")
        until(lambda: all(one["state"] == "delivered" for one in hook.deliveries(f"task_id={task}")))
        messages = told(hook, receiver, task)
        assert {one["type"] for one in messages} >= {"task.created", "task.succeeded"}
        assert {one["type"] for one in messages} <= {"task.created", "task.started", "task.succeeded"}
        assert len({one["type"] for one in messages}) == len(messages), "each is told once"
        (last,) = (one for one in messages if one["type"] == "task.succeeded")
        assert last["data"] == call(own, "GET", f"/v1/tasks/{task}", key=own.live).json
        assert last["data"]["files"][0]["url"].startswith(own.url)
        assert last["timestamp"].endswith("Z")
        (first,) = (one for one in messages if one["type"] == "task.created")
        assert (first["data"]["cost"], first["data"]["files"]) == (None, [])
        hook.delete()


@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_task_that_fails(own: Gateway, mode: str) -> None:
    with Receiver() as receiver:
        hook = Hook(own, receiver)
        task = submitted(own, "[sandbox:fail-midway]", getattr(own, mode))["id"]
        (last,) = (one for one in ended(hook, receiver, task, "task.failed") if one["type"] == "task.failed")
        assert (last["data"]["mode"], last["data"]["cost"]) == (mode, "0")
        assert last["data"]["error"]["message"]
        hook.delete()


@pytest.mark.operation("openai.tasks.cancel")
def test_a_task_that_is_cancelled(own: Gateway) -> None:
    with Receiver() as receiver:
        hook = Hook(own, receiver, ["task.cancelled"])
        begun = post(own, "/mj/submit/imagine", {"prompt": "[sandbox:never-finish] a lighthouse"}).json
        assert post(own, f"/v1/tasks/{begun['result']}/cancel", b"").json["state"] == "cancelled"
        (only,) = ended(hook, receiver, begun["result"], "task.cancelled")
        assert only["data"]["state"] == "cancelled"
        hook.delete()


def test_a_refused_submission_is_no_task(own: Gateway) -> None:
    with Receiver() as receiver:
        hook = Hook(own, receiver)
        assert post(own, "/flux/v1/flux-dev", {"prompt": "[sandbox:moderated] x [sandbox:fail]"}).status >= 400
        sent = hook("POST", "/ping")
        until(lambda: receiver.received)
        assert [message.headers["webhook-id"] for message in receiver.received] == [sent["id"]]
        assert hook.read(receiver.received[0])["type"] == "webhook.ping"
        hook.delete()


def test_only_what_was_asked_for_and_only_while_enabled(own: Gateway) -> None:
    with Receiver() as receiver, Receiver() as all_of_it:
        hook, other = Hook(own, receiver, ["task.failed"]), Hook(own, all_of_it)
        good, bad = submitted(own)["id"], submitted(own, "[sandbox:fail-midway]")["id"]
        ended(other, all_of_it, good, "task.succeeded")
        ended(other, all_of_it, bad, "task.failed")
        assert [one["type"] for one in ended(hook, receiver, bad, "task.failed")] == ["task.failed"]
        assert told(hook, receiver, good) == []
        hook("PATCH", "", {"status": "disabled"})
        late = submitted(own, "[sandbox:fail-midway]")["id"]
        ended(other, all_of_it, late, "task.failed")
        assert hook.deliveries(f"task_id={late}") == []
        hook.delete()
        other.delete()


def test_it_is_sent_until_it_arrives_and_again_when_asked(own: Gateway) -> None:
    with Receiver(first=[500, 503]) as receiver:
        hook = Hook(own, receiver, ["task.succeeded"])
        task = submitted(own)["id"]
        delivered = until(lambda: hook.deliveries("state=delivered"))
        assert [attempt["status"] for attempt in delivered[0]["log"]] == [500, 503, 200]
        assert (delivered[0]["attempts"], delivered[0]["task_id"]) == (3, task)
        assert {message.headers["webhook-id"] for message in receiver.received} == {delivered[0]["id"]}
        assert len({message.raw for message in receiver.received}) == 1
        hook("POST", f"/deliveries/{delivered[0]['id']}/resend")
        until(lambda: len(receiver.received) == 4)
        assert receiver.received[3].headers["webhook-id"] == delivered[0]["id"]
        hook.read(receiver.received[3])
        hook("POST", "/deliveries/msg_nobodys/resend", status=404)
        hook.delete()


def test_a_rotated_secret(own: Gateway) -> None:
    with Receiver() as receiver:
        hook = Hook(own, receiver)
        new = hook("POST", "/rotate", {})["secret"]
        hook("POST", "/ping")
        until(lambda: receiver.received)
        message = receiver.received[0]
        for secret in (hook.secret, new):
            assert Webhook(secret).verify(message.raw, message.headers)["type"] == "webhook.ping"
        last = hook("POST", "/rotate", {"keep_hours": 0})["secret"]
        hook("POST", "/ping")
        until(lambda: len(receiver.received) == 2)
        message = receiver.received[1]
        assert Webhook(last).verify(message.raw, message.headers)
        for secret in (hook.secret, new):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(message.raw, message.headers)
        hook.delete()


def test_who_says_that_it_is_gone_is_told_no_more(own: Gateway) -> None:
    with Receiver(status=410) as receiver:
        hook = Hook(own, receiver)
        hook("POST", "/ping")
        until(lambda: hook("GET", "")["status"] == "disabled")
        (only,) = hook.deliveries()
        assert only["log"][0]["status"] == 410
        assert only["next_at"] is None
        hook.delete()


def test_a_tasks_own_callback_is_told_beside(own: Gateway) -> None:
    """Neither takes the other's place, and each is signed with its own secret."""
    with Receiver() as receiver, Receiver() as callback:
        hook = Hook(own, receiver)
        body = {"prompt": f"call me {time.time_ns()}", "webhook_url": callback.url, "webhook_secret": "s3cret"}
        task = post(own, "/flux/v1/flux-dev", body).json["id"]
        ended(hook, receiver, task, "task.succeeded")
        until(lambda: callback.received)
        assert task in str(callback.received[-1].body)
        with pytest.raises(WebhookVerificationError):
            hook.read(callback.received[-1])
        hook.delete()


def test_from_the_command_line(own: Gateway) -> None:
    (account,) = rows(own, "SELECT a.name FROM accounts a JOIN tokens t ON t.account_id = a.id WHERE t.mode = 'live'")

    def run(*words: str) -> str:
        done = run_cli(own, "webhooks", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with Receiver() as receiver:
        made = json.loads(run("add", account["name"], receiver.url, "--events", "task.failed,task.created"))
        hook_id, secret = made["webhook"]["id"], made["secret"]
        sent = run("ping", hook_id).strip()
        until(lambda: receiver.received)
        assert receiver.received[0].headers["webhook-id"] == sent
        Webhook(secret).verify(receiver.received[0].raw, receiver.received[0].headers)
        until(lambda: "delivered" in run("deliveries", hook_id))
        run("resend", hook_id, sent)
        until(lambda: len(receiver.received) == 2)
        assert run("rotate", hook_id).startswith("whsec_")
        changed = json.loads(run("set", hook_id, "--description", "mine", "--disable"))
        assert (changed["status"], changed["description"], changed["events"]) == (
            "disabled",
            "mine",
            ["task.created", "task.failed"],
        )
        assert hook_id in run("list")
        assert secret not in run("list", "--json")
        run("delete", hook_id)
        assert hook_id not in run("list")
    refused = run_cli(own, "webhooks", "add", account["name"], "http://10.0.0.1/")
    assert (refused.returncode, "url" in refused.stderr) == (1, True)


def test_a_private_address_is_never_called(sandbox: Sandbox, tmp_path: Path) -> None:
    made = Gateway(tmp_path, sandbox, env={"DEEEPAI_ALLOW_PRIVATE_CALLBACKS": ""}).start()
    try:
        with Receiver() as receiver:
            port = receiver.url.split(":")[2].split("/")[0]
            for url in (receiver.url, "http://[::1]/", "http://2130706433/", "ftp://example.com/"):
                with pytest.raises(AssertionError, match="url"):
                    receiver_at(made, url)
            # A name whose danger shows only when it is resolved.
            hook = receiver_at(made, f"http://0x7f000001:{port}/hook")
            hook("POST", "/ping")
            log = until(lambda: [attempt for one in hook.deliveries() for attempt in one["log"]])
            assert log[0]["status"] is None
            assert log[0]["error"]
            assert not receiver.received
    finally:
        made.stop()


def receiver_at(gateway: Gateway, url: str) -> Hook:
    class At(Receiver):
        @property
        def url(self) -> str:
            return url

    return Hook(gateway, At())
