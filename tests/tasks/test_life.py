"""What becomes of a job: how its vendor's words move it, and that money follows its state exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deeepai.declare import Accepted, Answer, Hook, State, Task, UpstreamCall, Usage
from deeepai.money.ledger import InsufficientFunds
from deeepai.safe_fetch import Unsafe
from deeepai.storage.ids import now_ms
from deeepai.tasks.hosts import hook_address
from deeepai.tasks.life import MISSES, Timing
from deeepai.tasks.results import FETCH_TRIES
from tests.gateway.channels import channel
from tests.tasks.world import PNG, PRICE, USD, World, found_lost, split, world

HOOK = Hook("http://127.0.0.1:9/hook", "their secret")


@pytest.fixture
async def a(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def test_a_job_from_submission_to_its_end(a: World) -> None:
    task = await a.begun(hook=HOOK)
    assert await a.balance() == (USD - PRICE, PRICE, 0)
    await a.life.accepted(task, Accepted("u1", facts={"place": "eu"}))
    task = await a.task(task.id)
    assert (task.state, task.upstream_id, task.facts) == (State.QUEUED, "u1", {"place": "eu"})

    a.vendor.jobs["u1"] = {"state": "running", "progress": 40}
    task = await a.look(task)
    assert (task.state, task.progress, task.snapshot) == (State.RUNNING, 40, {"state": "running", "progress": 40})
    assert task.started_at is not None
    assert task.finished_at is None
    assert task.next_poll_at is not None
    assert await a.balance() == (USD - PRICE, PRICE, 0)

    a.vendor.files["/files/x.png"] = PNG
    a.vendor.jobs["u1"] = {"state": "succeeded", "urls": [f"{a.vendor.url}/files/x.png"], "images": 2}
    task = await a.look(task)
    assert (task.state, task.progress, task.results, task.cost) == (State.SUCCEEDED, 100, 1, 2 * PRICE)
    assert (task.next_poll_at, task.leased_until, task.hold_id) == (None, 0, None)
    assert await a.balance() == (USD - 2 * PRICE, 0, 2 * PRICE)
    (asset,) = await a.rows("SELECT * FROM assets")
    assert (asset["content_type"], asset["size"], asset["account_id"]) == ("image/png", len(PNG), "a")
    assert await a.life.assets.read(asset["key"]) == PNG
    (row,) = await a.rows("SELECT * FROM usage")
    assert (row["cost"], row["basis"]) == (2 * PRICE, "vendor")
    assert msgspec.json.decode(row["consumed"])["images"] == 2
    (message,) = await a.rows("SELECT * FROM outbox")
    assert msgspec.json.decode(message["body"]) == {"id": task.id, "state": "succeeded"}


async def test_the_end_is_the_end_however_often_it_is_told(a: World) -> None:
    first = await a.accepted()
    second = await a.task(first.id)
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    await asyncio.gather(a.life.look([first]), a.life.look([second]))
    assert await a.balance() == (USD - PRICE, 0, PRICE)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_a_failed_job_costs_nothing(a: World, state: str) -> None:
    task = await a.accepted(hook=HOOK)
    a.vendor.jobs["u1"] = {"state": state, "error": "moderated"}
    task = await a.look(task)
    assert (task.state.value, task.error, task.cost) == (state, "moderated", 0)
    assert await a.balance() == (USD, 0, 0)
    assert len(await a.rows("SELECT * FROM outbox")) == 1


async def test_without_a_word_on_usage_the_estimate_is_charged(a: World) -> None:
    task = await a.accepted()
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    assert (await a.look(task)).cost == PRICE


async def test_test_mode_moves_no_money(a: World) -> None:
    task = await a.accepted(mode="test")
    assert await a.balance() == (USD, 0, 0)
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    task = await a.look(task)
    assert (task.state, task.cost) == (State.SUCCEEDED, 0)
    assert await a.balance() == (USD, 0, 0)


async def test_without_money_nothing_is_stored(a: World) -> None:
    with pytest.raises(InsufficientFunds):
        await a.begun(amount=USD + 1)
    assert await a.rows("SELECT * FROM tasks") == []
    assert await a.rows("SELECT * FROM usage") == []
    assert await a.balance() == (USD, 0, 0)


async def test_a_refused_submission_is_forgotten_and_paid_back(a: World) -> None:
    await a.life.refused(await a.begun())
    assert await a.rows("SELECT * FROM tasks") == []
    assert await a.balance() == (USD, 0, 0)


async def test_a_job_that_waits_for_input_holds_nothing_until_it_has_it(a: World) -> None:
    task = await a.begun()
    await a.life.accepted(task, Accepted("u1", State.WAITING))
    task = await a.task(task.id)
    assert (task.state, task.next_poll_at) == (State.WAITING, None)
    assert await a.balance() == (USD, 0, 0)


@pytest.mark.parametrize("status", [401, 402, 403, 408, 409, 425, 429, 500, 502, 503, 504, 520])
async def test_passing_trouble_changes_nothing_and_slows_the_polling(a: World, status: int) -> None:
    task = await a.accepted()
    a.vendor.jobs["u1"] = {"state": "running", "progress": 10}
    task = await a.look(task)
    a.vendor.jobs["u1"] = status
    for _ in range(MISSES + 2):
        before = now_ms()
        task = await a.look(task)
        assert (task.state, task.progress, task.misses) == (State.RUNNING, 10, 0)
        assert task.next_poll_at is not None
        assert task.next_poll_at - before >= 3 * 10
    assert await a.balance() == (USD - PRICE, PRICE, 0)


@pytest.mark.parametrize("nothing", [404, b""])
async def test_a_job_is_gone_after_three_misses_in_a_row(a: World, nothing: Any) -> None:
    task = await a.accepted()
    for answer, misses in ((nothing, 1), (nothing, 2), ({"state": "running"}, 0), (nothing, 1), (500, 0), (nothing, 1)):
        a.vendor.jobs["u1"] = answer
        task = await a.look(task)
        assert (task.misses, task.finished_at) == (misses, None)
    task = await a.look(await a.look(task))
    assert task.state is State.FAILED
    assert await a.balance() == (USD, 0, 0)


@pytest.mark.parametrize("said", [404, b"", {"state": "failed", "error": "stopped"}, {"state": "cancelled"}])
async def test_what_its_vendor_has_stopped_is_cancelled_whatever_word_it_has_for_that(a: World, said: Any) -> None:
    task = await a.accepted()
    await a.life.stopping(task)
    a.vendor.jobs["u1"] = {"state": "running"}
    task = await a.look(await a.task(task.id))
    assert task.state is State.RUNNING, "not all stop at once"
    a.vendor.jobs["u1"] = said
    task = await a.look(task)
    assert (task.state, task.cost) == (State.CANCELLED, 0)
    assert await a.balance() == (USD, 0, 0)


async def test_a_job_that_was_done_before_it_was_stopped_is_paid(a: World) -> None:
    task = await a.accepted()
    await a.life.stopping(task)
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    assert (await a.look(await a.task(task.id))).state is State.SUCCEEDED
    assert await a.balance() == (USD - PRICE, 0, PRICE)


async def test_an_unreachable_vendor_is_passing_trouble(a: World) -> None:
    task = await a.accepted()
    a.channels["ch_a"] = channel("a", base_url="http://nobody.invalid")
    task = await a.look(task)
    assert (task.state, task.polls) == (State.QUEUED, 1)


async def test_a_job_whose_channel_is_gone_waits_for_it_until_its_time_is_over(a: World) -> None:
    task = await a.accepted()
    kept = a.channels.pop("ch_a")
    task = await a.look(task)
    assert task.state is State.QUEUED
    a.channels["ch_a"] = kept
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    assert (await a.look(task)).state is State.SUCCEEDED


async def test_a_job_that_never_ends_is_given_up(a: World) -> None:
    task = await a.accepted()
    a.vendor.jobs["u1"] = {"state": "running"}
    task = await a.look(await a.set(task, submitted_at=now_ms() - 3_500_000))
    assert task.state is State.RUNNING
    task = await a.look(await a.set(task, submitted_at=now_ms() - 3_700_000))
    assert (task.state, task.error) == (State.FAILED, "timed out")
    assert await a.balance() == (USD, 0, 0)


async def test_an_end_that_is_told_late_still_counts(a: World) -> None:
    task = await a.set(await a.accepted(), submitted_at=now_ms() - 3_700_000)
    a.vendor.jobs["u1"] = {"state": "succeeded"}
    assert (await a.look(task)).state is State.SUCCEEDED


async def test_an_error_answer_may_be_the_jobs_own_end(tmp_path: Path) -> None:
    def ends(answer: Answer) -> bool:
        return b'"error":403' in answer.body.replace(b" ", b"")

    def read(answer: Answer, task: Any) -> Any:
        from deeepai.declare import TaskStatus

        return TaskStatus(State.FAILED, None, error="forbidden content")

    async with world(tmp_path, ends=ends, read=read) as a:
        task = await a.accepted()
        a.vendor.jobs["u1"] = 503
        assert (await a.look(task)).state is State.QUEUED
        a.vendor.jobs["u1"] = 403
        task = await a.look(task)
        assert (task.state, task.error) == (State.FAILED, "forbidden content")


# Results ------------------------------------------------------------------------------------------------------------


async def test_a_result_that_cannot_be_had_is_tried_again_before_the_end_is_told(a: World) -> None:
    task = await a.accepted()
    a.vendor.jobs["u1"] = {"state": "succeeded", "urls": [f"{a.vendor.url}/files/x.png"]}
    task = await a.look(task)
    assert (task.state, task.fetch_tries) == (State.QUEUED, 1)
    a.vendor.files["/files/x.png"] = PNG
    task = await a.look(task)
    assert (task.state, task.results) == (State.SUCCEEDED, 1)
    assert await a.balance() == (USD - PRICE, 0, PRICE)


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("serve", [cut, hang_up])
async def test_a_file_server_that_breaks_off_is_given_up_in_the_end(a: World, serve: Any) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.png"
    task = await a.accepted()
    a.vendor.jobs["u1"] = {"state": "succeeded", "urls": [url]}
    for tries in range(1, FETCH_TRIES):
        task = await a.look(task)
        assert (task.state, task.fetch_tries) == (State.QUEUED, tries)
    task = await a.look(task)
    assert task.state is State.SUCCEEDED
    assert await a.rows("SELECT unkept, source_url FROM assets") == [{"unkept": "unfetched", "source_url": url}]
    server.close()


async def test_a_vendors_file_on_a_private_host_is_not_fetched_unless_it_is_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as a:
        a.vendor.files["/files/x.png"] = PNG
        own = channel("a", base_url=a.vendor.url)
        strict = a.life
        strict._fetch._allowed = ()  # pyright: ignore[reportPrivateUsage]
        data, _ = await strict.results.fetch_from(own, f"{a.vendor.url}/files/x.png")
        assert data == PNG
        with pytest.raises(Unsafe):
            await strict.results.fetch_from(
                channel("b", base_url="http://vendor.example"), f"{a.vendor.url}/files/x.png"
            )


# Lost submissions ---------------------------------------------------------------------------------------------------


async def test_a_lost_submission_is_found_by_its_reference(tmp_path: Path) -> None:
    async with world(
        tmp_path, find_lost=lambda reference: UpstreamCall(f"/lost/{reference}"), found_lost=found_lost
    ) as a:
        task = await a.begun()
        await a.life.lost(task)
        task = await a.look(task)
        assert task.state is State.UNKNOWN
        assert a.vendor.asked == [f"/lost/{task.request_id}"]
        a.vendor.lost = {"id": "u9"}
        task = await a.look(await a.set(task, leased_until=now_ms() + 60_000))
        assert (task.state, task.upstream_id) == (State.QUEUED, "u9")
        assert task.leased_until == 0, "the next look need not wait for the lease's end"
        assert await a.balance() == (USD - PRICE, PRICE, 0)


async def test_a_good_answer_without_an_id_leaves_a_task_to_look_for(tmp_path: Path) -> None:
    async with world(
        tmp_path, find_lost=lambda reference: UpstreamCall(f"/lost/{reference}"), found_lost=found_lost
    ) as a:
        task = await a.begun()
        await a.life.accepted(task, Accepted("", State.UNKNOWN, facts={"place": "eu"}))
        task = await a.task(task.id)
        assert (task.state, task.upstream_id, task.facts) == (State.UNKNOWN, None, {"place": "eu"})
        a.vendor.lost = {"id": "u9"}
        assert (await a.look(task)).upstream_id == "u9"
        assert await a.balance() == (USD - PRICE, PRICE, 0)


async def test_a_submission_that_a_crash_left_is_looked_for_too(tmp_path: Path) -> None:
    async with world(
        tmp_path, find_lost=lambda reference: UpstreamCall(f"/lost/{reference}"), found_lost=found_lost
    ) as a:
        task = await a.begun()
        a.vendor.lost = {"id": "u9"}
        assert (await a.look(task)).upstream_id == "u9"


async def test_a_lost_submission_that_never_turns_up_is_given_up_and_paid_back(tmp_path: Path) -> None:
    async with world(tmp_path, timing=Timing(submit=1, unknown=10)) as a:
        task = await a.begun(hook=HOOK)
        await a.life.lost(task)
        task = await a.look(await a.set(task, submitted_at=now_ms() - 6_000))
        assert (task.state, task.finished_at) == (State.UNKNOWN, None)
        assert await a.balance() == (USD - PRICE, PRICE, 0)
        task = await a.look(await a.set(task, submitted_at=now_ms() - 16_000))
        assert task.state is State.FAILED
        assert await a.balance() == (USD, 0, 0)
        assert len(await a.rows("SELECT * FROM outbox")) == 1
        assert a.vendor.asked == []


async def test_a_callback_may_name_a_lost_submission_but_only_the_vendor_is_believed(a: World) -> None:
    task = await a.begun()
    await a.life.lost(task)
    assert await a.life.hint(task.id, task.hook_key, b'{"job": "stranger", "state": "succeeded"}')
    task = await a.look(task)
    assert (task.state, task.upstream_id) == (State.UNKNOWN, None)
    a.vendor.jobs["u7"] = {"state": "running"}
    assert await a.life.hint(task.id, task.hook_key, b'{"job": "u7"}')
    task = await a.look(task)
    assert (task.state, task.upstream_id) == (State.QUEUED, "u7")


async def test_a_callback_that_overtakes_the_answer_loses_nothing(a: World) -> None:
    task = await a.begun()
    assert await a.life.hint(task.id, task.hook_key, b'{"job": "u1"}')
    await a.life.accepted(task, Accepted("u1"))
    task = await a.task(task.id)
    assert (task.state, task.upstream_id) == (State.QUEUED, "u1")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"1", b"null", b'{"state": "succeeded"}', b"\xff"])
async def test_a_callback_is_only_a_hint_to_look_now(a: World, body: bytes) -> None:
    task = await a.set(await a.accepted(), next_poll_at=now_ms() + 1_000_000)
    assert await a.life.hint(task.id, task.hook_key, body)
    task = await a.task(task.id)
    assert task.state is State.QUEUED
    assert task.next_poll_at is not None
    assert task.next_poll_at <= now_ms()
    assert await a.balance() == (USD - PRICE, PRICE, 0)


@pytest.mark.parametrize("body", [b"[1]", b"1", b"null", b"{", b'"x"'])
async def test_a_callback_with_an_odd_body_does_no_harm_to_a_lost_submission(a: World, body: bytes) -> None:
    task = await a.begun()
    await a.life.lost(task)
    assert await a.life.hint(task.id, task.hook_key, body)
    assert (await a.look(task)).state is State.UNKNOWN


async def test_only_the_right_key_hints(a: World) -> None:
    task = await a.set(await a.accepted(), next_poll_at=now_ms() + 1_000_000)
    for task_id, key in ((task.id, "wrong"), (task.id, ""), (task.id, "é"), ("job_0", task.hook_key)):
        assert not await a.life.hint(task_id, key, b"{}")
    assert (await a.task(task.id)).next_poll_at == task.next_poll_at


# Batches ------------------------------------------------------------------------------------------------------------


async def test_many_jobs_are_asked_for_at_once(tmp_path: Path) -> None:
    async with world(
        tmp_path, batch=lambda tasks: UpstreamCall("/batch", "POST", {"ids": len(tasks)}), split=split
    ) as a:
        tasks = [await a.accepted(f"u{number}") for number in range(3)]
        a.vendor.batch = [{"id": "u0", "state": "succeeded"}, {"id": "u1", "state": "running", "progress": 5}]
        await a.life.look(tasks)
        assert a.vendor.asked == ["/batch"]
        first, second, third = [await a.task(task.id) for task in tasks]
        assert (first.state, second.progress, third.misses) == (State.SUCCEEDED, 5, 1)
        assert await a.balance() == (USD - 3 * PRICE, 2 * PRICE, PRICE)
        a.vendor.batch = 503
        await a.life.look([second, third])
        # Trouble with the batch is no word about any job.
        assert [(await a.task(task.id)).misses for task in tasks] == [0, 0, 0]


# Jobs of many calls -------------------------------------------------------------------------------------------------


def read_line(task: Task, data: bytes) -> Usage | None:
    return Usage(images=int(data), basis="vendor") if data.strip().isdigit() else None


async def test_each_call_of_a_job_is_priced_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path, poll=lambda task: UpstreamCall("/jobs/u1", lines=True), line=read_line) as a:
        task = await a.accepted(amount=9 * PRICE)
        for trouble in (503, 404, 401):
            a.vendor.jobs["u1"] = trouble
            assert not (await a.look(task)).state.final
        a.vendor.jobs["u1"] = b"1\n" * 40_000 + b"not a call\n\n3"
        a.prices["m"] = 2
        ended = await a.look(task)
        assert (ended.state, ended.cost) == (State.SUCCEEDED, 80_006)
        (row,) = await a.rows("SELECT cost, basis, consumed FROM usage")
        assert (row["cost"], row["basis"]) == (80_006, "vendor")
        assert '"images":40003' in row["consumed"]
        assert await a.balance() == (USD - 80_006, 0, 80_006)


async def test_lines_that_break_off_are_read_again(tmp_path: Path) -> None:
    async with world(tmp_path, poll=lambda task: UpstreamCall("/jobs/u1", lines=True), line=read_line) as a:
        task = await a.accepted()
        a.channels["ch_a"] = channel("a", base_url="http://127.0.0.1:9")
        assert not (await a.look(task)).state.final
        a.channels["ch_a"] = channel("a", base_url=a.vendor.url)
        a.vendor.jobs["u1"] = b"2"
        assert (await a.look(task)).cost == 2 * PRICE


# Callbacks to us ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "public", "address"),
    [
        ("https://api.vendor.example", "https://gate.example/", "https://gate.example/hooks/job_1/key"),
        ("https://api.vendor.example", None, None),
        ("http://127.0.0.1:9", "https://gate.example", "http://127.0.0.1:8100/hooks/job_1/key"),
        ("http://localhost:9/x", None, "http://127.0.0.1:8100/hooks/job_1/key"),
    ],
)
async def test_vendors_get_an_address_that_they_can_reach(
    a: World, base_url: str, public: str | None, address: str | None
) -> None:
    task = await a.accepted()
    task.id, task.hook_key = "job_1", "key"
    assert hook_address(task, channel("a", base_url=base_url), public, "http://127.0.0.1:8100") == address


async def test_a_callers_secret_is_not_stored_in_clear(a: World) -> None:
    task = await a.begun(hook=HOOK)
    (row,) = await a.rows("SELECT hook_secret FROM tasks")
    assert row["hook_secret"]
    assert "their secret" not in row["hook_secret"]
    assert task.hook is not None
