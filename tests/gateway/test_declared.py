"""What a declaration can say of jobs, credentials and time, seen through a whole gateway with a toy protocol."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deeepai.accounts.vault import Vault
from deeepai.declare import Callback, Signing
from deeepai.money.ledger import verify
from deeepai.storage.connect import open_database
from deeepai.tasks.secrets import webhook_secret
from deeepai.upstream import credentials
from tests.gateway.toy import JOBS, PRICE, PROMPT, Toy, key, running, toy
from tests.support.receiver import Receiver
from tests.support.until import PATIENCE, until_async


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Toy]:
    async with running(tmp_path, toy()) as made:
        yield made


DONE = {"state": "succeeded", "progress": 100}


# Waiting for the end ------------------------------------------------------------------------------------------------


async def test_a_submission_may_wait_for_the_end(place: Toy) -> None:
    waiting = asyncio.ensure_future(place.ask("POST", "/toy/jobs", {"model": "m", "wait": PATIENCE}))
    await until_async(lambda: place.rows("SELECT 1 FROM tasks WHERE state = 'running'"))
    assert not waiting.done()
    place.vendor.jobs["u1"] = DONE
    status, said = await waiting
    assert (status, said["state"]) == (200, "succeeded")


@pytest.mark.parametrize("wait", [0.0, 0.1])
async def test_one_whose_time_is_over_is_answered_as_submitted(place: Toy, wait: float) -> None:
    status, said = await place.ask("POST", "/toy/jobs", {"model": "m", "wait": wait})
    assert (status, set(said)) == (202, {"id"})
    place.vendor.jobs["u1"] = DONE
    await until_async(lambda: place.state(said["id"]), lambda state: state == "succeeded")


# A state as a stream of events --------------------------------------------------------------------------------------


async def test_a_state_is_told_at_once_on_each_change_and_at_its_end(place: Toy) -> None:
    job = await place.submit()
    async with place.client.get(f"{place.url}/toy/jobs/{job}/events", headers=key("ada")) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        name, first = told(await answer.content.readuntil(b"\n\n"))
        assert (name, first["progress"]) == ("task.updated", None)
        while told(await answer.content.readuntil(b"\n\n"))[1]["state"] != "running":
            pass
        place.vendor.jobs["u1"] = {"state": "running", "progress": 40}
        assert told(await answer.content.readuntil(b"\n\n"))[1]["progress"] == 40
        place.vendor.jobs["u1"] = DONE
        name, last = told(await answer.content.read())
        assert (name, last["progress"]) == ("task.succeeded", 100), "the last, and the stream's end"


def told(event: bytes) -> tuple[str, Any]:
    """Return an event's name and what it says."""
    (_, name), (_, data) = (line.split(": ", 1) for line in event.decode().strip().split("\n")[1:])
    return name, json.loads(data)


async def test_a_job_that_has_ended_is_one_event(place: Toy) -> None:
    place.vendor.jobs["u1"] = DONE
    job = await place.submit()
    await until_async(lambda: place.state(job), lambda state: state == "succeeded")
    async with place.client.get(f"{place.url}/toy/jobs/{job}/events", headers=key("ada")) as answer:
        assert told(await answer.content.read())[0] == "task.succeeded"
    async with place.client.get(f"{place.url}/toy/jobs/{job}/events", headers=key("bob")) as answer:
        assert answer.status == 404


async def test_a_caller_that_leaves_ends_the_stream(place: Toy) -> None:
    job = await place.submit()
    async with place.client.get(f"{place.url}/toy/jobs/{job}/events", headers=key("ada")) as answer:
        await answer.content.readuntil(b"\n\n")
        assert await under_way(place) == 1
        answer.close()
    await until_async(lambda: under_way(place), lambda number: number == 0)
    assert await place.state(job) == "running"


async def under_way(place: Toy) -> float:
    async with place.client.get(f"{place.url}/metrics") as answer:
        found = re.search(r"^deeepai_requests_open (\S+)", await answer.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


# Computed credentials -----------------------------------------------------------------------------------------------


class Clock:
    """The clock that computed credentials go by."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


async def test_a_computed_credential_is_kept_until_shortly_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, signed = Clock(), []

    def sign(credential: str, now: int) -> dict[str, str]:
        signed.append((credential, now))
        return {"authorization": f"Signed {len(signed)}"}

    monkeypatch.setattr(credentials, "time", clock)
    async with running(tmp_path, toy(signing=Signing(sign, 1800.0))) as place:
        shown = []
        for later in (0, 1, 1738, 1, 0):
            clock.now += later
            assert (await place.ask("POST", "/toy/prompt", {"model": "own"}))[0] == 200
            shown.append(place.vendor.asked[-1][2]["authorization"])
    assert shown == ["Signed 1", "Signed 1", "Signed 1", "Signed 2", "Signed 2"], "anew a minute before its end"
    assert signed == [("secret", 1_800_000_000), ("secret", 1_800_001_740)]


# Children -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", ["at the submission", "at the end"])
async def test_what_a_job_made_is_its_owners_and_its_follow_ups_go_where_it_was_made(place: Toy, known: str) -> None:
    songs = {"songs": ["song-1", "song-2"]}
    place.vendor.accepts = {"id": "u1", **(songs if known == "at the submission" else {})}
    place.vendor.jobs["u1"] = DONE if known == "at the submission" else {**DONE, **songs}
    job = await place.submit(model="own")
    if known == "at the end":
        await until_async(lambda: place.state(job), lambda state: state == "succeeded")
    assert (await place.ask("GET", "/toy/jobs/song-2"))[1]["id"] == job
    assert (await place.ask("GET", "/toy/jobs/song-2", who="bob"))[0] == 404
    assert (await place.ask("GET", "/toy/jobs/song-3"))[0] == 404

    place.vendor.accepts = {"id": "u2"}
    await place.submit(after="song-2")
    place.vendor.accepts = {"id": "u3"}
    await place.submit()
    assert (await place.ask("POST", "/toy/jobs", {"model": "m", "after": "song-2"}, "bob"))[0] == 404
    made_at = [channel for channel, _, _ in place.vendor.asked]
    assert made_at == ["low", "low", "high"], "the model alone would go to the channel of the higher priority"
    parents = place.rows("SELECT parent_id FROM tasks ORDER BY submitted_at, id")
    assert sorted(row["parent_id"] or "" for row in parents) == ["", "", job]


# Uploads ------------------------------------------------------------------------------------------------------------


async def test_a_submission_goes_where_what_it_uses_was_uploaded(place: Toy) -> None:
    async def answer() -> dict[str, str]:
        return {"id": f"up-{len(place.vendor.asked)}"}

    place.vendor.answer = answer
    status, said = await place.ask("POST", "/toy/uploads", {})
    assert (status, said["id"]) == (200, "up-1")
    await place.submit(uses="up-1")
    assert [channel for channel, _, _ in place.vendor.asked] == ["high", "high"]
    # The model is served elsewhere, where nobody knows the upload.
    assert (await place.ask("POST", "/toy/jobs", {"model": "own", "uses": "up-1"}))[0] == 404
    job = await place.submit(model="own")
    status, said = await place.ask("POST", "/toy/jobs", {"model": "m", "uses": "up-1", "after": job})
    assert (status, said["why"]) == (400, "invalid_request")
    for body, who in (({"uses": "up-1"}, "bob"), ({"uses": "up-2"}, "ada")):
        assert (await place.ask("POST", "/toy/jobs", {"model": "m", **body}, who))[0] == 404
    assert len(place.vendor.asked) == 3
    assert len(place.rows("SELECT 1 FROM tasks")) == 2


# Callbacks ----------------------------------------------------------------------------------------------------------


async def test_a_vendor_s_own_signature_stands_in_the_place_of_the_usual_one(tmp_path: Path) -> None:
    def sign(callback: Callback) -> dict[str, str]:
        key = callback.secret.encode()
        return {"webhook-signature": hmac.new(key, callback.body, "sha256").hexdigest(), "x-url": callback.url}

    with Receiver(first=[500]) as receiver:
        async with running(tmp_path, toy(sign=sign)) as place:
            place.vendor.jobs["u1"] = DONE
            job = await place.submit(hook=receiver.url)
            await until_async(lambda: len(receiver.received) == 2)
            (account,) = place.rows("SELECT id FROM accounts WHERE name = 'ada'")
        vault = Vault.open(tmp_path / "secret.key")
    secret = webhook_secret(vault.derive("webhooks"), account["id"]).encode()
    for call in receiver.received:
        assert call.body == {"id": job}
        assert call.headers["webhook-signature"] == hmac.new(secret, call.raw, "sha256").hexdigest()
        assert (call.headers["x-url"], call.headers["webhook-id"][:4]) == (receiver.url, "msg_")


# Parts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "cost"), [([True, True], PRICE), ([True, False], PRICE // 2), ([False, True, False, False], PRICE // 4)]
)
async def test_parts_that_fail_are_not_charged(place: Toy, parts: list[bool], cost: int) -> None:
    place.vendor.jobs["u1"] = {**DONE, "parts": parts}
    job = await place.submit()
    await until_async(lambda: place.state(job), lambda state: state == "succeeded")
    (task,) = place.rows("SELECT cost, request_id FROM tasks")
    entries = place.rows("SELECT kind, spent FROM ledger WHERE request_id = ?", task["request_id"])
    assert [(entry["kind"], entry["spent"]) for entry in entries if entry["kind"] == "charge"] == [("charge", cost)]
    (row,) = place.rows("SELECT cost FROM usage WHERE request_id = ?", task["request_id"])
    assert (task["cost"], row["cost"]) == (cost, cost)
    database = await open_database(f"sqlite:///{place.data / 'deeepai.db'}")
    try:
        report = await verify(database)
    finally:
        await database.close()
    assert report.ok, report.faults


# An id that comes later ---------------------------------------------------------------------------------------------


async def test_a_good_answer_without_an_id_is_looked_for(place: Toy) -> None:
    place.vendor.accepts = {"id": ""}
    job = await place.submit()
    (task,) = place.rows("SELECT upstream_id, state, hold_id FROM tasks")
    assert (task["upstream_id"], task["state"]) == (None, "unknown")
    assert task["hold_id"] is not None
    place.vendor.jobs["u9"] = DONE
    place.vendor.lost = "u9"
    await until_async(lambda: place.state(job), lambda state: state == "succeeded")
    (task,) = place.rows("SELECT upstream_id, cost FROM tasks")
    assert (task["upstream_id"], task["cost"]) == ("u9", PRICE)


# The time that a vendor promises ------------------------------------------------------------------------------------


async def test_an_upstream_that_takes_longer_than_is_promised_is_given_up(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def never() -> Any:
        await over.wait()

    hasty = replace(PROMPT, name="hasty", path="/toy/hasty", timeout=0.2)
    async with running(tmp_path, toy(operations=(*JOBS, PROMPT, hasty))) as place:
        place.vendor.answer = never
        try:
            # The channel's own limit is longer than a test may last.
            assert (await place.ask("POST", "/toy/hasty", {"model": "own"}))[0] == 504
        finally:
            over.set()
        place.vendor.answer = None
        assert (await place.ask("POST", "/toy/hasty", {"model": "own"}))[0] == 200
