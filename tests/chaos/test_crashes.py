"""What survives `kill -9`, at each of the points where it could hurt."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.operator import rows
from tests.stack import Gateway, Sandbox
from tests.support.receiver import Receiver
from tests.support.until import until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
LIMITS = {"DEEEPAI_SUBMIT_LIMIT": "3", "DEEEPAI_UNKNOWN_LIMIT": "600"}


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    started = Sandbox(speed=20).start()
    yield started
    started.stop()


@pytest.fixture
def fresh(vendors: Sandbox, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "data", vendors, env=LIMITS)
    yield made
    made.stop()


def settled(gateway: Gateway) -> None:
    """Wait until nothing is open, then let the ledger prove itself."""

    def still_open() -> tuple[int, ...]:
        return (
            len(rows(gateway, "SELECT 1 FROM tasks WHERE finished_at IS NULL AND state <> 'waiting'")),
            len(rows(gateway, "SELECT 1 FROM holds")),
            len(rows(gateway, "SELECT 1 FROM leases WHERE expires_at < ?", time.time() * 1000 - 3000)),
        )

    until(lambda: not any(still_open()), still_open)
    proof = gateway.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    twice = rows(
        gateway,
        "SELECT request_id FROM ledger WHERE kind IN ('charge', 'void') GROUP BY request_id HAVING count(*) > 1",
    )
    assert not twice


async def post(gateway: Gateway, path: str, body: object) -> tuple[int, bytes, str] | None:
    """Call; None where the answer did not come whole."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{gateway.url}{path}", json=body, headers={"authorization": f"Bearer {gateway.live}"}
            ) as answer,
        ):
            return answer.status, await answer.read(), answer.headers["x-request-id"]
    except (aiohttp.ClientError, OSError):
        return None


def crash(gateway: Gateway, at: str, path: str, body: object) -> None:
    """Let the gateway die at a point, on the way of one call, then start it again."""
    gateway.start(DEEEPAI_CRASH_AT=at)
    assert asyncio.run(post(gateway, path, body)) is None, f"{at} was not reached"
    gateway.kill()
    gateway.start()


def test_between_hold_and_forward(fresh: Gateway) -> None:
    fresh.env = LIMITS | {"DEEEPAI_UNKNOWN_LIMIT": "4"}
    crash(fresh, "held", "/flux/v1/flux-pro-1.1", {"prompt": "never sent"})
    settled(fresh)
    (task,) = rows(fresh, "SELECT state, cost FROM tasks")
    assert task == {"state": "failed", "cost": 0}
    assert fresh.sandbox is not None
    assert not fresh.sandbox.jobs()


def test_after_the_vendor_accepted(fresh: Gateway, vendors: Sandbox) -> None:
    """Flux has no listing: the vendor's callback, which waits for the gateway here, brings the job back."""
    with vendors.slowly():
        crash(fresh, "accepted", "/flux/v1/flux-pro-1.1", {"prompt": "accepted, then forgotten"})
    settled(fresh)
    (task,) = rows(fresh, "SELECT state, cost, upstream_id FROM tasks")
    assert task["state"] == "succeeded"
    assert task["cost"] == 40_000_000
    assert fresh.sandbox is not None
    assert [job["id"] for job in fresh.sandbox.jobs()] == [task["upstream_id"]]


def test_after_midjourney_accepted(fresh: Gateway) -> None:
    crash(fresh, "accepted", "/mj/submit/imagine", {"prompt": "accepted, then forgotten"})
    settled(fresh)
    (task,) = rows(fresh, "SELECT state, cost FROM tasks")
    assert task["state"] == "succeeded"
    assert task["cost"] > 0


def test_between_charge_and_answer(fresh: Gateway) -> None:
    crash(fresh, "charged", "/v1/chat/completions", CHAT)
    settled(fresh)
    charges = rows(fresh, "SELECT request_id, spent FROM ledger WHERE kind = 'charge'")
    assert len(charges) == 1
    (row,) = rows(fresh, "SELECT cost FROM usage")
    assert row["cost"] == charges[0]["spent"] > 0


def test_in_the_middle_of_a_stream(fresh: Gateway) -> None:
    crash(fresh, "streaming", "/v1/chat/completions", CHAT | {"stream": True})
    settled(fresh)
    (account,) = rows(fresh, "SELECT held, spent FROM accounts")
    assert account["held"] == sum(row["amount"] for row in rows(fresh, "SELECT amount FROM leases"))


def test_in_the_middle_of_a_callback(fresh: Gateway) -> None:
    with Receiver() as receiver:
        fresh.start(DEEEPAI_CRASH_AT="called_back")
        body = {"prompt": "call me", "webhook_url": receiver.url, "webhook_secret": "s3cret"}
        assert asyncio.run(post(fresh, "/flux/v1/flux-dev", body)) is not None
        until(lambda: receiver.received)
        fresh.kill()
        first = len(receiver.received)
        fresh.start()
        until(lambda: len(receiver.received) > first)
        until(lambda: rows(fresh, "SELECT 1 FROM outbox WHERE state = 'delivered'"))
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1
    assert len({message.raw for message in receiver.received}) == 1
    settled(fresh)


def test_under_load(tmp_path: Path) -> None:
    """Kill at random moments under mixed load; every answer that arrived whole has its one charge."""
    vendors = Sandbox(speed=2).start()
    fresh = Gateway(tmp_path / "data", vendors, env=LIMITS | {"DEEEPAI_UNKNOWN_LIMIT": "40"})
    try:
        load(fresh, vendors)
    finally:
        fresh.stop()
        vendors.stop()


def load(fresh: Gateway, vendors: Sandbox, seed: int = 1) -> None:
    chance = random.Random(seed)
    answered: list[tuple[str, str]] = []
    fresh.start()
    with Receiver() as receiver:
        for _ in range(2):
            stop = threading.Event()
            load = threading.Thread(target=lambda s=stop: asyncio.run(_load(fresh, receiver, answered, s)))
            load.start()
            before = len(answered)
            until(lambda b=before: len(answered) > b + 40, lambda: len(answered))
            time.sleep(chance.uniform(0, 0.3))  # a random moment is the point here
            fresh.kill()
            # The vendors' callbacks are tried a few times only, and wait for the gateway here.
            with vendors.slowly():
                stop.set()
                load.join()
                fresh.start()
        settled(fresh)
        ended = {row["id"]: row for row in rows(fresh, "SELECT id, state FROM tasks WHERE hook_url IS NOT NULL")}
        until(lambda: not pending(fresh), lambda: pending(fresh))
    charged = Counter(row["request_id"] for row in rows(fresh, "SELECT request_id FROM ledger WHERE kind = 'charge'"))
    for kind, request_id in answered:
        if kind == "call":
            assert charged[request_id] == 1
    told = Counter(message.body["id"] for message in receiver.received)
    for task_id in ended:
        assert told[task_id] >= 1
    by_task: dict[str, set[str]] = {}
    for message in receiver.received:
        by_task.setdefault(message.body["id"], set()).add(message.headers["webhook-id"])
    assert all(len(ids) == 1 for ids in by_task.values())
    assert fresh.sandbox is not None
    known = {row["upstream_id"] for row in rows(fresh, "SELECT upstream_id FROM tasks")}
    assert {job["id"] for job in fresh.sandbox.jobs()} <= known


def pending(gateway: Gateway) -> int:
    """Return how many callbacks are still to be sent."""
    return len(rows(gateway, "SELECT 1 FROM outbox WHERE state = 'pending'"))


async def _load(gateway: Gateway, receiver: Receiver, answered: list[tuple[str, str]], stop: threading.Event) -> None:
    async def caller(number: int) -> None:
        while not stop.is_set():
            if number % 4 == 0:
                body = {"prompt": f"load {number}", "webhook_url": receiver.url}
                done = await post(gateway, "/flux/v1/flux-dev", body)
                kind = "task"
            else:
                done = await post(gateway, "/v1/chat/completions", CHAT | {"stream": number % 4 == 1})
                kind = "call"
            if done is None:
                await asyncio.sleep(0.02)
                continue
            status, body_, request_id = done
            if status == 200 and (kind == "task" or _whole(body_)):
                answered.append((kind, request_id))

    await asyncio.gather(*(caller(number) for number in range(12)))


def _whole(body: bytes) -> bool:
    if body.startswith(b"data:"):
        return bool(re.search(rb"data: \[DONE\]\s*$", body))
    return "choices" in json.loads(body)
