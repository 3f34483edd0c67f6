"""What nodes left behind: journals of those that died, leases and holds that have expired."""

from __future__ import annotations

import logging
from collections.abc import Callable

from deeepai.declare import FINAL
from deeepai.money import holds
from deeepai.money.journal import orphans
from deeepai.money.leases import end_expired
from deeepai.money.settlements import settle_alone
from deeepai.storage.database import Database, Unwritable

log = logging.getLogger(__name__)

_SWEEP = 500


async def recover(db: Database, clock: Callable[[], int]) -> int:
    """Settle what nodes that died left in their journals; return how many charges that were."""
    count = 0
    for orphan in orphans(db.beside) if db.beside is not None else ():
        for item in orphan.items():
            try:
                await db.write(lambda tx, item=item: settle_alone(tx, item, clock()))
            except Unwritable:
                log.error("charges of a node that died wait for the database")
                return count
            except LookupError:
                log.exception("request %s was not settled", item.settlement.request_id)
            count += 1
        orphan.remove()
    return count


async def end_leases(db: Database, now: int) -> None:
    """Return what leases that have expired hold."""
    rows = await db.read(lambda tx: tx.fetch("SELECT id FROM leases WHERE expires_at <= $1 LIMIT $2", now, _SWEEP))
    for row in rows:
        await db.write(lambda tx, lease_id=row["id"]: end_expired(tx, lease_id, now))


async def void_holds(db: Database, now: int) -> None:
    """Void holds that have expired; those of open tasks are left to the tasks' own sweeper."""
    final = ", ".join(f"'{state.value}'" for state in sorted(FINAL))
    rows = await db.read(
        lambda tx: tx.fetch(
            "SELECT request_id FROM holds WHERE expires_at <= $1 AND (task_id IS NULL OR NOT EXISTS "
            f"(SELECT 1 FROM tasks WHERE tasks.id = holds.task_id AND tasks.state NOT IN ({final}))) LIMIT $2",
            *(now, _SWEEP),
        )
    )
    for row in rows:
        await db.write(lambda tx, request_id=row["request_id"]: holds.void(tx, request_id))
