"""Jobs: durable, in processes whose time and memory are bounded, fair between accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deeepai.engines.jobs import Job, Jobs, JobState
from deeepai.engines.openai_wire import WireError
from deeepai.engines.turns import ACCOUNT

TOY = "tests.engines.toy_jobs"


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Jobs]:
    jobs = Jobs(folder, folder, **options)
    jobs.start()
    try:
        yield jobs
    finally:
        await jobs.close()


async def submit(jobs: Jobs, do: str, account: str = "", **options: Any) -> Job:
    ACCOUNT.set(account)
    request = {"do": do, **options.pop("request", {})}
    return await jobs.submit(TOY, request, **options)


async def test_a_job_is_done_and_tells_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as jobs:
        job = await submit(jobs, "copy", files={"file": b"bytes"}, facts={"kept": 1})
        told = [piece async for piece in jobs.follow(job)]
        done = jobs.get(job.id)
    assert told == [{"page": 1}]
    assert done is not None
    assert (done.state, done.progress, done.facts) == (JobState.DONE, 100, {"kept": 1})
    assert done.file("copy").read_bytes() == b"bytes"


async def test_a_file_is_moved_in(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"from disk")
    async with opened(tmp_path) as jobs:
        done = await jobs.wait(await submit(jobs, "copy", files={"file": path}))
    assert done.file("copy").read_bytes() == b"from disk"
    assert not path.exists()


@pytest.mark.parametrize(
    ("do", "options", "code"),
    [
        ("refuse", {}, "unreadable"),
        ("fail", {}, "failed"),
        ("die", {}, "crashed"),
        ("until", {"request": {"path": "/never"}, "seconds": 0.3}, "timeout"),
        ("grow", {"request": {"bytes": 400 * 2**20}}, "memory"),
    ],
)
async def test_what_fails_harms_nobody_else(tmp_path: Path, do: str, options: dict[str, Any], code: str) -> None:
    async with opened(tmp_path, slots=2, memory=300 * 2**20) as jobs:
        path = tmp_path / "go"
        other = await submit(jobs, "until", request={"path": str(path)})
        failed = await jobs.wait(await submit(jobs, do, **options))
        assert (failed.state, failed.code) == (JobState.FAILED, code)
        assert failed.message
        path.touch()
        assert (await jobs.wait(other)).state is JobState.DONE
        assert (await jobs.wait(await submit(jobs, "copy", files={"file": b""}))).state is JobState.DONE


async def test_a_job_whose_process_dies_is_tried_once_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as jobs:
        job = await jobs.wait(await submit(jobs, "die-once"))
    assert (job.state, job.attempts) == (JobState.DONE, 2)


async def test_no_job_is_lost_by_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "go"
    async with opened(tmp_path, slots=1) as jobs:
        running = await submit(jobs, "until", request={"path": str(path)})
        waiting = await submit(jobs, "copy", files={"file": b"kept"})
        ended = None
    assert not caplog.records, "nothing begins while all stops"
    path.touch()
    async with opened(tmp_path, slots=1) as jobs:
        for job in (running, waiting):
            held = jobs.get(job.id)
            assert held is not None
            ended = await jobs.wait(held)
            assert ended.state is JobState.DONE
    assert ended is not None
    assert ended.file("copy").read_bytes() == b"kept"


async def test_what_was_cancelled_stops(tmp_path: Path) -> None:
    async with opened(tmp_path, slots=1) as jobs:
        running = await submit(jobs, "until", request={"path": "/never"})
        waiting = await submit(jobs, "copy", files={"file": b""})
        assert jobs.cancel(waiting)
        assert jobs.cancel(running)
        assert (await jobs.wait(running)).state is JobState.CANCELLED
        assert (await jobs.wait(waiting)).state is JobState.CANCELLED
        assert not jobs.cancel(running)
        assert (await jobs.wait(await submit(jobs, "copy", files={"file": b""}))).state is JobState.DONE


async def test_accounts_take_turns(tmp_path: Path) -> None:
    order: list[str] = []
    async with opened(tmp_path, slots=1) as jobs:
        path = tmp_path / "go"
        first = await submit(jobs, "until", request={"path": str(path)})
        many = [await submit(jobs, "copy", "busy", files={"file": b""}) for _ in range(4)]
        one = await submit(jobs, "copy", "quiet", files={"file": b""})
        path.touch()
        for job in (first, *many, one):
            await jobs.wait(job)
        ends = {job.id: held for job in (*many, one) if (held := jobs.get(job.id)) is not None}
        order = [job.account for job in sorted(ends.values(), key=lambda job: job.started)]
    assert order.index("quiet") <= 1


async def test_large_jobs_leave_a_slot_to_small_ones(tmp_path: Path) -> None:
    async with opened(tmp_path, slots=2) as jobs:
        path = tmp_path / "go"
        large = [await submit(jobs, "until", request={"path": str(path)}, large=True) for _ in range(3)]
        small = await jobs.wait(await submit(jobs, "copy", files={"file": b""}))
        assert small.state is JobState.DONE
        path.touch()
        assert [(await jobs.wait(job)).state for job in large] == [JobState.DONE] * 3


async def test_an_account_may_have_so_many_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeepai.engines.jobs.jobs.MOST_WAITING", 2)
    async with opened(tmp_path, slots=1) as jobs:
        for _ in range(3):
            await submit(jobs, "until", "busy", request={"path": "/never"})
        with pytest.raises(WireError, match="Too many jobs"):
            await submit(jobs, "copy", "busy", files={"file": b""})
        await submit(jobs, "copy", "quiet", files={"file": b""})


async def test_nothing_is_taken_where_the_disk_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as jobs:
        monkeypatch.setattr("deeepai.engines.jobs.jobs.LEAST_FREE", 2**60)
        with pytest.raises(WireError, match="disk") as full:
            await submit(jobs, "copy", files={"file": b""})
        assert (full.value.status, full.value.retry_after) == (503, 60)
    assert [entry for entry in (tmp_path / "jobs").iterdir() if entry.is_dir()] == []


async def test_folders_of_no_job_go_and_others_stay(tmp_path: Path) -> None:
    async with opened(tmp_path) as jobs:
        done = await jobs.wait(await submit(jobs, "copy", files={"file": b"kept"}))
    (tmp_path / "jobs" / "cut-off" / "in").mkdir(parents=True)
    async with opened(tmp_path):
        assert not (tmp_path / "jobs" / "cut-off").exists()
        assert done.file("copy").read_bytes() == b"kept"


async def test_who_leaves_stops_following(tmp_path: Path) -> None:
    async with opened(tmp_path) as jobs:
        job = await submit(jobs, "until", request={"path": "/never"})
        waited = await jobs.wait(job, 0.2)
        assert not waited.state.is_final
        async with aclosing(jobs.follow(job)):
            pass


@pytest.fixture(autouse=True)
def the_tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None] | None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return None
