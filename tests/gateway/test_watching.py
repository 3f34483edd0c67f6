"""Who watches tasks: one look for all, whoever watches whatever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from deeepai.declare import State
from deeepai.gateway.watching import TaskWatch
from deeepai.storage.connect import open_database
from deeepai.storage.database import DatabaseUnavailable
from deeepai.storage.migrations import migrate
from deeepai.tasks import store
from deeepai.tasks.store import Stored

PAUSE = 0.02


class Counted:
    """A database that counts what is read, and may be away."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self.reads = 0
        self.away = False

    async def read(self, work: Any) -> Any:
        self.reads += 1
        if self.away:
            raise DatabaseUnavailable
        return await self._db.read(work)


def task(name: str) -> Stored:
    return Stored(
        id=name, operation="kling.x", model="m", state=State.QUEUED, protocol="kling", account_id="a", request_id=name
    )


async def seen(watch: TaskWatch, known: Stored, quiet: float = 30.0) -> list[Stored | None]:
    return [each async for each in watch.follow(known, quiet)]


async def changed(db: Any, known: Stored, **values: Any) -> Stored:
    found = replace(known, **values)
    assert await db.write(lambda tx: store.update(tx, found, *values))
    return found


async def test_many_watchers_cost_one_look(tmp_path: Path) -> None:
    db: Any = await open_database(f"sqlite:///{tmp_path}/a.db")
    try:
        await migrate(db)
        known = task("a")
        await db.write(lambda tx: store.insert(tx, known))
        counted: Any = Counted(db)
        watch = TaskWatch(counted, PAUSE)
        watchers = [asyncio.create_task(seen(watch, replace(known))) for _ in range(200)]
        await asyncio.sleep(20 * PAUSE)
        assert 2 <= counted.reads <= 21, "a look for each watcher"
        running = await changed(db, known, state=State.RUNNING, progress=10)
        polled = await changed(db, running, polls=1)
        await asyncio.sleep(5 * PAUSE)
        counted.away = True
        await asyncio.sleep(5 * PAUSE)
        counted.away = False
        await changed(db, polled, state=State.SUCCEEDED)
        for told in await asyncio.gather(*watchers):
            assert [each.state for each in told if each] == [State.RUNNING, State.SUCCEEDED]
        before = counted.reads
        await asyncio.sleep(5 * PAUSE)
        assert counted.reads <= before + 1, "nobody watches any more"
    finally:
        await db.close()


async def test_silence_is_told_though_polls_go_on(tmp_path: Path) -> None:
    db: Any = await open_database(f"sqlite:///{tmp_path}/a.db")
    try:
        await migrate(db)
        known = task("a")
        await db.write(lambda tx: store.insert(tx, known))
        watcher = asyncio.create_task(seen(TaskWatch(db, PAUSE), replace(known), 10 * PAUSE))
        now = known
        for number in range(30):
            now = await changed(db, now, polls=number)
            await asyncio.sleep(PAUSE)
        await db.write(lambda tx: store.forget(tx, "a"))
        told = await watcher
        assert len(told) >= 2
        assert set(told) == {None}, "a task that is gone ends it"
    finally:
        await db.close()
