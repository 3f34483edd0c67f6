"""Worker processes, with an engine that does nothing heavy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from deeepai.engines.openai_wire import WireError
from deeepai.engines.worker import MOST_WAITING, Worker


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    worker = Worker("tests.engines.toy_engine", tmp_path)
    yield worker
    await asyncio.to_thread(worker.close)


async def pieces(worker: Worker, do: str, **fields: Any) -> list[Any]:
    return [piece async for piece in worker.run({"do": do, **fields})]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_pieces_come_in_order_and_bytes_stay_bytes(worker: Worker, tmp_path: Path):
    assert worker.state == "idle"
    assert await pieces(worker, "count", to=1000) == list(range(1000))
    assert worker.state == "ready"
    data = os.urandom(5 << 20)
    assert await pieces(worker, "work", bytes=data) == [{"folder": str(tmp_path), "worked": 2, "bytes": data}]


async def test_what_an_engine_prints_does_not_reach_the_programs_output(
    worker: Worker, capfd: pytest.CaptureFixture[str]
):
    assert await pieces(worker, "print") == [None]
    await asyncio.to_thread(worker.close)
    assert "must not reach" not in capfd.readouterr().out


async def test_jobs_at_the_same_time_get_their_own_pieces(worker: Worker):
    found = await asyncio.gather(*(pieces(worker, "count", to=number) for number in range(8)))
    assert found == [list(range(number)) for number in range(8)]


async def test_leaving_stops_a_job(worker: Worker):
    async with aclosing(worker.run({"do": "tick"})) as ticks:
        pid = await anext(ticks)
        assert await anext(ticks) == pid
    assert (await pieces(worker, "work", bytes=b""))[0]["worked"] == 2


async def test_a_job_that_was_left_while_it_waited_is_never_begun(worker: Worker):
    async with aclosing(worker.run({"do": "tick"})) as ticks:
        await anext(ticks)
        waiting = asyncio.create_task(pieces(worker, "count", to=3))
        await anext(ticks)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert (await pieces(worker, "work", bytes=b""))[0]["worked"] == 2


async def test_refusals_and_failures(worker: Worker):
    with pytest.raises(WireError, match="Not this") as caught:
        await pieces(worker, "refuse")
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "input", "invalid_value")
    with pytest.raises(WireError) as caught:
        await pieces(worker, "fail")
    assert (caught.value.status, caught.value.message) == (500, "The engine failed.")
    assert await pieces(worker, "count", to=2) == [0, 1]


async def test_a_process_that_dies_is_replaced(worker: Worker):
    waiting = [asyncio.create_task(pieces(worker, "exit")) for _ in range(3)]
    for task in waiting:
        with pytest.raises(WireError, match="process ended") as caught:
            await task
        assert caught.value.status == 500
    assert worker.state == "idle"
    assert await pieces(worker, "count", to=2) == [0, 1]


async def test_closing_ends_the_process(worker: Worker):
    async with aclosing(worker.run({"do": "tick"})) as ticks:
        pid = await anext(ticks)
        assert alive(pid)
    await asyncio.to_thread(worker.close)
    assert not alive(pid)
    assert await pieces(worker, "count", to=1) == [0]


async def test_too_many_jobs(worker: Worker):
    async with aclosing(worker.run({"do": "tick"})) as ticks:
        await anext(ticks)
        waiting = [asyncio.create_task(pieces(worker, "count", to=1)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(WireError, match="Too many") as caught:
            await pieces(worker, "count", to=1)
        assert (caught.value.status, caught.value.retry_after) == (429, 2)
    assert await asyncio.gather(*waiting) == [[0]] * MOST_WAITING
