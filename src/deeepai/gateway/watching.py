"""Who watches tasks is told of their changes: one look for all of them, however many watch however many tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final

import structlog

from ..declare import Json
from ..storage.database import Database, StorageFault, Tx
from ..tasks import store
from ..tasks.store import Stored

log = structlog.get_logger()

_AT_ONCE: Final = 500
"""Tasks that one query names."""


def _visible(task: Stored) -> tuple[Json, ...]:
    return task.state, task.progress, task.error


class _Watched:
    """A task that somebody watches."""

    def __init__(self) -> None:
        self.watchers = 0
        self.task: Stored | None = None
        self.gone = False
        self.changed = asyncio.Event()

    def tell(self, task: Stored | None) -> None:
        """Note how a task stands now; None: there is none any more."""
        self.gone = task is None
        self.task = task or self.task
        self.changed.set()
        self.changed = asyncio.Event()


class TaskWatch:
    """Looks for changes of watched tasks, as long as there are any.

    Parameters
    ----------
    pause : float
        Seconds between two looks.
    """

    def __init__(self, db: Database, pause: float = 0.25) -> None:
        self._db = db
        self._pause = pause
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, task: Stored, quiet: float) -> AsyncGenerator[Stored | None]:
        """Yield a task each time it has changed, and None whenever it has not for so many seconds.

        Ends with the task's end, or where it was deleted.
        """
        watched = self._watched.setdefault(task.id, _Watched())
        watched.watchers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            until = time.monotonic() + quiet
            while not (task.state.final or watched.gone):
                found, changed = watched.task, watched.changed
                if found is not None and found.version > task.version:
                    before, task = task, found
                    if _visible(task) != _visible(before):
                        yield task
                        until = time.monotonic() + quiet
                    continue
                try:
                    async with asyncio.timeout(until - time.monotonic()):
                        await changed.wait()
                except TimeoutError:
                    yield None
                    until = time.monotonic() + quiet
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                del self._watched[task.id]

    async def _look(self) -> None:
        while self._watched:
            try:
                ids = list(self._watched)
                for start in range(0, len(ids), _AT_ONCE):
                    await self._compare(ids[start : start + _AT_ONCE])
            except StorageFault:
                pass  # the poller says so
            except Exception:
                log.exception("watch.failed")
            await asyncio.sleep(self._pause)
        self._looking = None

    async def _compare(self, ids: Sequence[str]) -> None:
        known = {task_id: watched.task for task_id in ids if (watched := self._watched.get(task_id)) is not None}

        async def work(tx: Tx) -> dict[str, Stored | None]:
            versions = await store.versions(tx, list(known))
            changed: dict[str, Stored | None] = {}
            for task_id, task in known.items():
                if task is None or versions.get(task_id) != task.version:
                    changed[task_id] = await store.load_any(tx, task_id)
            return changed

        for task_id, task in (await self._db.read(work)).items():
            with suppress(KeyError):
                self._watched[task_id].tell(task)
