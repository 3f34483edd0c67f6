"""Forgets what need not be kept any longer: in small steps, test mode's first, one node at a time.

What is owed stays: tasks that have not ended or hold money, and whatever callbacks tell of that have not arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..money.retention import forget_usage
from ..storage import conversation_rows, idempotency_rows, kept_rows
from ..storage.database import Database, Row, Tx, Work
from ..storage.ids import now_ms
from ..storage.leases import lease_rows
from . import outbox, store
from .assets import AssetStore

_AT_ONCE: Final = 100
_DAY_MS: Final = 86_400_000
_LEASE_MS: Final = 600_000
_MESSAGE_DAYS: Final = 30
"""For which what was sent is kept that is about no task, or about one that is gone."""
_FREE: Final = (
    "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = assets.task_id AND tasks.finished_at IS NULL) "
    "AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.task_id = assets.task_id AND outbox.state = 'pending')"
)
"""Of files: nothing waits for them."""
_ENDED: Final = (
    "finished_at IS NOT NULL AND hold_id IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.task_id = tasks.id) "
    "AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.task_id = tasks.id AND outbox.state = 'pending')"
)
"""Of tasks: nothing is owed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things are kept, in days, 0 for ever; and how many bytes of files of each account, by mode."""

    files: float
    tasks: float
    usage: float
    test: float
    quota: Callable[[str], int]


class Retention:
    """Forgets.

    Parameters
    ----------
    deleted : callable
        Told of the kind of what was deleted, and how many.
    pause : float
        Seconds between two rounds, whichever node does them.
    """

    def __init__(
        self,
        db: Database,
        assets: AssetStore,
        terms: Terms,
        deleted: Callable[[str, int], None],
        *,
        pause: float,
    ) -> None:
        self._db = db
        self._assets = assets
        self._terms = terms
        self._deleted = deleted
        self._pause_ms = round(pause * 1000)

    async def round(self) -> None:
        """Do a round, unless another node has it or it is too soon."""
        if not await self._db.write(self._lease):
            return
        try:
            await self._sweep()
        finally:
            await self._db.write(
                lambda tx: tx.execute("UPDATE chores SET next_at = $1, leased_until = 0", now_ms() + self._pause_ms)
            )

    async def _lease(self, tx: Tx) -> list[Row]:
        now = now_ms()
        return await lease_rows(
            tx, self._db.dialect, table="chores", key="name", due="next_at", now=now, until=now + _LEASE_MS, limit=1
        )

    async def _sweep(self) -> None:
        now, terms = now_ms(), self._terms
        for mode in ("test", "live"):
            await self._old_files(mode, _before(now, terms.files, terms.test, mode))
            await self._files_above(mode)
            await self._old_tasks(mode, _before(now, terms.tasks, terms.test, mode))
        while await self._db.write(lambda tx: outbox.sweep(tx, now - _MESSAGE_DAYS * _DAY_MS)):
            pass
        await self._all("replays", lambda tx: idempotency_rows.sweep(tx, now))
        await self._all("answers", lambda tx: kept_rows.sweep(tx, now))
        await self._all("answers", lambda tx: conversation_rows.sweep(tx, now))
        if terms.usage:
            while gone := await forget_usage(self._db, now - round(terms.usage * _DAY_MS)):
                self._deleted("usage", gone)

    async def _all(self, kind: str, step: Work[int]) -> None:
        while gone := await self._db.write(step):
            self._deleted(kind, gone)

    async def _old_files(self, mode: str, before: int) -> None:
        sql = (
            f"SELECT task_id, number, key, size FROM assets WHERE created_at < $1 AND mode = $2 AND {_FREE} "
            f"ORDER BY created_at LIMIT {_AT_ONCE}"
        )
        while rows := await self._db.read(lambda tx: tx.fetch(sql, before, mode)):
            await self._forget_files(rows)

    async def _files_above(self, mode: str) -> None:
        """Delete the oldest files of accounts that have more than they may."""
        most = self._terms.quota(mode)
        sql = "SELECT account_id, bytes FROM kept WHERE kind = 'files' AND mode = $1 AND bytes > $2"
        for account in await self._db.read(lambda tx: tx.fetch(sql, mode, most)):
            await self._trim(account["account_id"], mode, account["bytes"] - most)

    async def _trim(self, account_id: str, mode: str, above: int) -> None:
        sql = (
            f"SELECT task_id, number, key, size FROM assets WHERE account_id = $1 AND mode = $2 AND unkept IS NULL "
            f"AND {_FREE} ORDER BY created_at LIMIT {_AT_ONCE}"
        )
        while above > 0 and (rows := await self._db.read(lambda tx: tx.fetch(sql, account_id, mode))):
            chosen: list[Row] = []
            for row in rows:
                if above > 0:
                    chosen.append(row)
                    above -= row["size"]
            await self._forget_files(chosen)

    async def _forget_files(self, rows: Sequence[Row]) -> None:
        # First the bytes: a file without a row would stay there for ever.
        for row in rows:
            if row["key"]:
                await self._assets.delete(row["key"])
        names = [(row["task_id"], row["number"]) for row in rows]
        self._deleted("files", await self._db.write(lambda tx: store.forget_assets(tx, names)))
        await asyncio.sleep(0)

    async def _old_tasks(self, mode: str, before: int) -> None:
        sql = f"SELECT id FROM tasks WHERE finished_at < $1 AND mode = $2 AND {_ENDED} LIMIT {_AT_ONCE}"
        while rows := await self._db.read(lambda tx: tx.fetch(sql, before, mode)):
            await self._forget_tasks([row["id"] for row in rows])

    async def _forget_tasks(self, names: Sequence[str]) -> None:
        sql = "SELECT task_id, number, key, size FROM assets WHERE task_id = $1"
        for name in names:
            files = await self._db.read(lambda tx, name=name: tx.fetch(sql, name))
            if files:
                await self._forget_files(files)
            await self._db.write(lambda tx, name=name: store.forget(tx, name))
        self._deleted("tasks", len(names))

    async def purge(self, account_id: str) -> dict[str, int]:
        """Forget all that is kept of an account and is not owed; the ledger stays. Return how many of each kind."""
        counts: dict[str, int] = dict.fromkeys(("files", "tasks", "replays", "answers", "usage"), 0)
        files = f"SELECT task_id, number, key, size FROM assets WHERE account_id = $1 AND {_FREE} LIMIT {_AT_ONCE}"
        while rows := await self._db.read(lambda tx: tx.fetch(files, account_id)):
            await self._forget_files(rows)
            counts["files"] += len(rows)
        tasks = f"SELECT id FROM tasks WHERE account_id = $1 AND {_ENDED} LIMIT {_AT_ONCE}"
        while rows := await self._db.read(lambda tx: tx.fetch(tasks, account_id)):
            await self._forget_tasks([row["id"] for row in rows])
            counts["tasks"] += len(rows)
        while gone := await self._db.write(lambda tx: idempotency_rows.purge(tx, account_id)):
            counts["replays"] += gone
        for purge in (kept_rows.purge, conversation_rows.purge):
            while gone := await self._db.write(lambda tx, purge=purge: purge(tx, account_id)):
                counts["answers"] += gone
        usage = (
            "DELETE FROM usage WHERE request_id IN (SELECT request_id FROM usage WHERE account_id = $1 "
            "AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.request_id = usage.request_id "
            f"OR tasks.hold_id = usage.request_id) LIMIT {_AT_ONCE * 10})"
        )
        while gone := await self._db.write(lambda tx: tx.execute(usage, account_id)):
            counts["usage"] += gone
        return counts


def _before(now: int, days: float, test: float, mode: str) -> int:
    """Return the time before which things are old; ms since 1970."""
    if mode == "test":
        days = min(days or test, test)
    return now - round(days * _DAY_MS) if days else 0
