"""What calls cost, to the last 10⁻⁹ USD; and what costs nothing."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from deeepai.declare import Call, Submit
from tests.operator import rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call
from tests.support.until import PATIENCE, until
from tests.wire import people
from tests.wire.calls import ALL, Good
from tests.wire.shapes import MANNERS

MODEL = "gpt-4o-mini"
INPUT, CACHED, OUTPUT = 150, 75, 600
"""10⁻⁹ USD a token of gpt-4o-mini."""
CHAT = "/v1/chat/completions"
PAID = tuple(good for good in ALL if isinstance(good.operation, Call | Submit) and good.operation.paid and not good.ids)


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def post(gateway: Gateway, path: str, body: Any, key: str = people.OTHER) -> Got:
    return call(gateway, "POST", path, body, key)


def usage(gateway: Gateway, got: Got) -> dict[str, Any]:
    return usage_row(gateway, got.request_id)


def wallet(gateway: Gateway, name: str = "other") -> dict[str, int]:
    (found,) = rows(gateway, "SELECT available + held AS own, spent FROM accounts WHERE name = ?", name)
    return found


def entries(gateway: Gateway, request_id: str) -> list[str]:
    return sorted(row["kind"] for row in rows(gateway, "SELECT kind FROM ledger WHERE request_id = ?", request_id))


def finished(gateway: Gateway, got: Got) -> dict[str, Any]:
    """Return the row of a task, once it has ended."""
    assert got.status == 200, got.body
    task = got.json["id"]
    return until(lambda: next(iter(rows(gateway, "SELECT * FROM tasks WHERE id = ? AND finished_at > 0", task)), None))


# Prices ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_tokens(wire: Gateway, stream: bool) -> None:
    text = "[sandbox:tokens=40][sandbox:cached=8][sandbox:reasoning=5] " + "word " * 60
    more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    before = wallet(wire)
    got = post(wire, CHAT, chat(text, **more))
    assert got.status == 200, got.body
    told = json.loads(got.body.split(b"\n\n")[-3].removeprefix(b"data: "))["usage"] if stream else got.json["usage"]
    assert told["prompt_tokens_details"]["cached_tokens"] == 8
    assert told["completion_tokens"] == 45
    row = usage(wire, got)
    expected = (told["prompt_tokens"] - 8) * INPUT + 8 * CACHED + 45 * OUTPUT
    assert row["cost"] == expected
    assert row["basis"] == "vendor"
    assert row["consumed"]["reasoning"] == 5
    assert entries(wire, got.request_id) == ["charge"]
    after = wallet(wire)
    assert after["spent"] - before["spent"] == expected
    assert before["own"] - after["own"] == expected


@pytest.mark.parametrize(
    ("path", "body", "cost", "basis"),
    [
        ("/v1/images/generations", {"model": "dall-e-3", "prompt": "x", "size": "1024x1024"}, 40_000_000, "counted"),
        (
            "/v1/images/generations",
            {"model": "dall-e-3", "prompt": "x", "size": "1792x1024", "quality": "hd"},
            120_000_000,
            "counted",
        ),
        ("/ideogram/generate", {"image_request": {"prompt": "x", "num_images": 3}}, 3 * 80_000_000, "counted"),
        ("/ideogram/v1/ideogram-v3/generate", {"prompt": "x", "rendering_speed": "TURBO"}, 30_000_000, "counted"),
    ],
)
def test_images(wire: Gateway, path: str, body: dict[str, Any], cost: int, basis: str) -> None:
    got = post(wire, path, body)
    assert got.status == 200, got.body
    row = usage(wire, got)
    assert (row["cost"], row["basis"]) == (cost, basis)


def test_tokens_of_images(wire: Gateway) -> None:
    got = post(wire, "/v1/images/generations", {"model": "gpt-image-1", "prompt": "a lake", "quality": "low"})
    told = got.json["usage"]
    row = usage(wire, got)
    assert row["basis"] == "vendor"
    assert row["cost"] == told["input_tokens"] * 5_000 + told["output_tokens"] * 40_000


def test_embeddings(wire: Gateway) -> None:
    got = post(wire, "/v1/embeddings", {"model": "text-embedding-3-small", "input": "x" * 4000})
    assert usage(wire, got)["cost"] == got.json["usage"]["prompt_tokens"] * 20


@pytest.mark.parametrize(
    ("model", "body", "cost"),
    [
        ("flux-pro-1.1", {}, 40_000_000),
        ("flux-dev", {}, 25_000_000),
        ("flux-kontext-max", {}, 80_000_000),
        ("flux-2-pro", {"width": 2048, "height": 1024}, 45_000_000),
    ],
)
def test_tasks_cost_what_the_vendor_says(wire: Gateway, model: str, body: dict[str, Any], cost: int) -> None:
    got = post(wire, f"/flux/v1/{model}", {"prompt": "price me", **body})
    assert got.json["cost"] * 10_000_000 == cost
    task = finished(wire, got)
    assert task["cost"] == cost
    row = usage(wire, got)
    assert (row["cost"], row["basis"], row["task_id"]) == (cost, "vendor", task["id"])
    assert entries(wire, got.request_id) == ["charge", "hold"]


def test_a_task_whose_vendor_says_no_price(wire: Gateway) -> None:
    got = post(wire, "/flux/v1/flux-dev", {"prompt": "[sandbox:no-usage] price me"})
    assert "cost" not in got.json
    task = finished(wire, got)
    assert task["cost"] == 25_000_000
    assert usage(wire, got)["basis"] == "call"


def test_a_translated_call_is_charged_once_an_image(wire: Gateway) -> None:
    before = wallet(wire)["spent"]
    got = post(wire, "/v1/images/generations", {"model": "flux-dev", "prompt": "x", "n": 2, "size": "512x512"})
    assert got.status == 200, got.body
    assert len(got.json["data"]) == 2
    assert wallet(wire)["spent"] - before == 2 * 25_000_000
    charged = rows(wire, "SELECT cost FROM usage WHERE request_id LIKE ?", f"{got.request_id}-%")
    assert [row["cost"] for row in charged] == [25_000_000] * 2


def test_a_price_group_multiplies(wire: Gateway) -> None:
    got = post(wire, "/v1/images/generations", {"model": "dall-e-3", "prompt": "x"}, people.CHEAP)
    assert usage(wire, got)["cost"] == 20_000_000
    task = finished(wire, post(wire, "/flux/v1/flux-dev", {"prompt": "cheap"}, people.CHEAP))
    assert task["cost"] == 12_500_000


# What is free ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("[sandbox:status=500] x")),
        (CHAT, chat("[sandbox:moderated] x")),
        (CHAT, chat("[sandbox:rate-limit=1] x")),
        (CHAT, chat("x", temperature="hot")),
        ("/v1/images/generations", {"model": "dall-e-3", "prompt": "[sandbox:moderated] x"}),
        ("/v1/images/generations", {"model": "flux-dev", "prompt": "[sandbox:moderated] x"}),
        ("/v1/images/generations", {"model": "flux-dev", "prompt": "[sandbox:moderated-output] x"}),
        ("/flux/v1/flux-dev", {"prompt": "[sandbox:status=503] x"}),
        ("/ideogram/generate", {"image_request": {"prompt": "[sandbox:moderated] x"}}),
        ("/ideogram/generate", {"image_request": {"prompt": "[sandbox:moderated-output] x"}}),
    ],
)
def test_failures_are_free(wire: Gateway, path: str, body: dict[str, Any]) -> None:
    before = wallet(wire)
    got = post(wire, path, body)
    if path.startswith("/ideogram") and got.status == 200:
        assert not got.json["data"][0]["is_image_safe"]
    else:
        assert got.status >= 400, got.body
    assert wallet(wire) == before
    assert not rows(wire, "SELECT 1 FROM ledger WHERE request_id LIKE ? AND kind = 'charge'", f"{got.request_id}%")
    for row in rows(wire, "SELECT cost FROM usage WHERE request_id LIKE ?", f"{got.request_id}%"):
        assert row["cost"] == 0
    rests(wire, got)


def rests(gateway: Gateway, got: Got) -> None:
    """Let a channel that was made to fail recover, so that the tests after this one find it well."""
    if got.status in (429, 500, 503):
        ok = chat("wake up")
        until(lambda: post(gateway, CHAT, ok).status == 200)


@pytest.mark.parametrize("trigger", ["moderated", "moderated-output", "fail-midway"])
def test_failed_tasks_are_free(wire: Gateway, trigger: str) -> None:
    before = wallet(wire)
    got = post(wire, "/flux/v1/flux-dev", {"prompt": f"[sandbox:{trigger}] x"})
    task = finished(wire, got)
    assert (task["state"], task["cost"]) == ("failed", 0)
    assert entries(wire, got.request_id) == ["hold", "void"]
    assert wallet(wire) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("x")),
        (CHAT, chat("x", stream=True)),
        ("/v1/images/generations", {"model": "dall-e-3", "prompt": "x"}),
        ("/flux/v1/flux-dev", {"prompt": "x"}),
    ],
)
def test_test_mode_is_free(wire: Gateway, path: str, body: dict[str, Any]) -> None:
    before = wallet(wire)
    got = post(wire, path, body, people.TESTER)
    assert got.status == 200, got.body
    if path.startswith("/flux"):
        assert finished(wire, got)["cost"] == 0
    assert usage(wire, got)["cost"] == 0
    assert wallet(wire) == before
    assert not entries(wire, got.request_id)


# Who may not pay ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", [good for good in PAID if not good.objects], ids=lambda good: good.name)
def test_no_money(wire: Gateway, good: Good) -> None:
    """A hold on an empty account is refused in the protocol's own shape, and leaves no task behind."""
    got = call(wire, good.method, good.path, good.body, people.POOR, good.head)
    MANNERS[good.protocol.name].refuses(got, "unfunded")
    (poor,) = rows(wire, "SELECT id, available, held, spent FROM accounts WHERE name = 'poor'")
    assert (poor["available"], poor["held"], poor["spent"]) == (0, 0, 0)
    assert not rows(wire, "SELECT 1 FROM tasks WHERE account_id = ?", poor["id"])
    assert not rows(wire, "SELECT 1 FROM ledger WHERE account_id = ?", poor["id"])


def test_a_token_s_budget(wire: Gateway) -> None:
    """It is never overdrawn: not by one dear call, not by many cheap ones."""
    got = post(wire, "/flux/v1/flux-dev", {"prompt": "too dear"}, people.BUDGETED)
    MANNERS["flux"].refuses(got, "unfunded")
    assert "budget" in got.json["detail"]
    costs: list[int] = []
    while True:
        got = post(wire, CHAT, chat("[sandbox:tokens=900] x", max_tokens=900), people.BUDGETED)
        if got.status != 200:
            break
        costs.append(usage(wire, got)["cost"])
    MANNERS["openai"].refuses(got, "unfunded")
    assert got.json["error"]["code"] == "insufficient_quota"
    assert got.headers["x-should-retry"] == "false"
    assert len(costs) >= 2
    (token,) = rows(wire, "SELECT budget, spent FROM tokens WHERE name = 'budgeted'")
    assert token["spent"] == sum(costs) <= token["budget"] == people.BUDGET


def test_a_token_s_models(wire: Gateway) -> None:
    assert post(wire, CHAT, chat("x"), people.NARROW).status == 200
    got = post(wire, CHAT, {**chat("x"), "model": "gpt-4o"}, people.NARROW)
    assert got.status == 403
    MANNERS["openai"].check(got)
    listed = call(wire, "GET", "/v1/models", key=people.NARROW).json["data"]
    assert {model["id"] for model in listed} <= {MODEL}


# Who leaves --------------------------------------------------------------------------------------------------------


def leave(gateway: Gateway, path: str, body: Any, until_bytes: int) -> None:
    """Send a request, read so many bytes of the answer's body, and reset the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    headers = {"content-type": "application/json", "authorization": f"Bearer {people.OTHER}"}
    connection.request("POST", path, json.dumps(body).encode(), headers)
    if until_bytes:
        answer = connection.getresponse()
        got = 0
        while got < until_bytes:
            got += len(answer.read1(until_bytes - got))
    assert connection.sock is not None or until_bytes
    sock: socket.socket = connection.sock or answer.fp.raw._sock  # type: ignore[union-attr]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    if until_bytes:
        answer.close()
    connection.close()


def seen(sandbox: Sandbox, mark: str) -> Callable[[], dict[str, Any] | None]:
    return lambda: next((entry for entry in sandbox.requests() if mark in str(entry["body"])), None)


def row_of(gateway: Gateway, operation: str, after: int) -> dict[str, Any]:
    """Return the one new usage row of an operation."""
    found = until(lambda: rows(gateway, "SELECT * FROM usage WHERE operation = ? AND rowid > ?", operation, after))
    assert len(found) == 1
    return found[0] | {"consumed": json.loads(found[0]["consumed"])}


def last_row(gateway: Gateway) -> int:
    return rows(gateway, "SELECT max(rowid) AS n FROM usage")[0]["n"] or 0


def test_leaving_a_stream_cancels_it_and_pays_what_came(wire: Gateway, sandbox: Sandbox) -> None:
    after = last_row(wire)
    body = chat("[sandbox:tokens=2000][sandbox:delta-ms=5] leaves early", stream=True)
    leave(wire, CHAT, body, 4000)
    row = row_of(wire, "openai.chat.completions", after)
    assert row["basis"] == "counted"
    assert 0 < row["consumed"]["output"] < 1500
    assert row["cost"] == row["consumed"]["input"] * INPUT + row["consumed"]["output"] * OUTPUT
    assert row["error"] == "the caller left"
    entry = until(lambda: (found := seen(sandbox, "leaves early")()) and found["disconnected"] and found)
    assert entry["outcome"] == "disconnected"
    assert entry["events_sent"] < 2000


def test_leaving_before_the_first_byte_cancels_and_pays_the_prompt(wire: Gateway, sandbox: Sandbox) -> None:
    after = last_row(wire)
    leave_early = chat("[sandbox:never-finish] leaves at once", stream=True)
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=PATIENCE)
    headers = {"content-type": "application/json", "authorization": f"Bearer {people.OTHER}"}
    connection.request("POST", CHAT, json.dumps(leave_early).encode(), headers)
    until(seen(sandbox, "leaves at once"))
    connection.close()
    row = row_of(wire, "openai.chat.completions", after)
    assert row["consumed"].get("output", 0) == 0
    assert row["cost"] == row["consumed"]["input"] * INPUT > 0
    until(lambda: (found := seen(sandbox, "leaves at once")()) and found["disconnected"])


def test_leaving_an_image_drains_it_and_pays_it_whole(wire: Gateway, sandbox: Sandbox) -> None:
    after = last_row(wire)
    body = {"model": "dall-e-3", "prompt": "[sandbox:slow=0.4] left alone"}
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=PATIENCE)
    headers = {"content-type": "application/json", "authorization": f"Bearer {people.OTHER}"}
    connection.request("POST", "/v1/images/generations", json.dumps(body).encode(), headers)
    until(seen(sandbox, "left alone"))
    connection.close()
    row = row_of(wire, "openai.images.generations", after)
    assert (row["status"], row["cost"]) == (200, 40_000_000)
    entry = seen(sandbox, "left alone")()
    assert entry is not None
    assert (entry["outcome"], entry["disconnected"]) == ("answered", False)


def test_leaving_a_submission_does_not_lose_the_task(wire: Gateway, sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=PATIENCE)
    headers = {"content-type": "application/json", "authorization": f"Bearer {people.OTHER}"}
    body = {"prompt": "[sandbox:slow=0.3] submitted and left"}
    connection.request("POST", "/flux/v1/flux-dev", json.dumps(body).encode(), headers)
    until(seen(sandbox, "submitted and left"))
    connection.close()
    look = "SELECT state, cost FROM tasks WHERE request LIKE '%submitted and left%' AND finished_at IS NOT NULL"
    (task,) = until(lambda: rows(wire, look))
    assert task == {"state": "succeeded", "cost": 25_000_000}


# In the end --------------------------------------------------------------------------------------------------------


def test_what_has_no_price_is_refused_unless_it_is_one_s_own(wire: Gateway, sandbox: Sandbox) -> None:
    def add(name: str, *more: str) -> None:
        base_url = f"{sandbox.url}/openai/v1"
        serves = ("--models", "house-model", "--map", "house-model=gpt-4o-mini")
        said = wire.cli("channels", "add", name, *more, *serves, "--base-url", base_url, "--key", "k")
        assert said.returncode == 0, said.stderr

    def ask() -> Got:
        return post(wire, CHAT, {**chat("Say this is a test!"), "model": "house-model"})

    add("own", "--preset", "vllm")
    try:
        got = until(lambda: found if (found := ask()).status == 200 else None)
        row = usage(wire, got)
        assert (row["cost"], row["basis"]) == (0, "vendor")
        assert entries(wire, got.request_id) == []
        # Whoever else serves it may want money.
        add("hired", "openai")
        refused = until(lambda: found if (found := ask()).status != 200 else None)
        assert refused.status == 503
        assert refused.json["error"]["code"] == "model_price_error"
    finally:
        for name in ("own", "hired"):
            wire.cli("channels", "remove", name)


def test_the_ledger_proves_itself(wire: Gateway) -> None:
    proof = wire.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "all balances proved" in proof.stdout
    (sums,) = rows(
        wire,
        "SELECT (SELECT coalesce(sum(cost), 0) FROM usage) AS usage, (SELECT sum(spent) FROM accounts) AS spent",
    )
    assert sums["usage"] == sums["spent"]
