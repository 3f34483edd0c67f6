"""The tables' history: ordered `.sql` files, each applied once.

`NNNN_x.before.sql` is applied by the first new program that starts, and leaves the release before it working: it only
adds. `NNNN_x.after.sql` takes away what only that release needed, once none of its programs runs: `deeepai db migrate
--after`, or the start itself where no other node can be. A plain `NNNN_x.sql` is applied like the former, without the
promise: programs that do not know it stay off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources

from deeepai.storage.database import Database, DatabaseRefused, Tx
from deeepai.storage.ids import now_ms

_LOCK = 0x6465_6565  # any number that all gateways share


_AFTER, _BEFORE = ".after", ".before"


def scripts() -> list[tuple[str, str]]:
    """Return name and text of every migration, oldest first."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    return sorted((file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)


async def applied(database: Database) -> set[str]:
    """Return the names of what was applied, changing nothing."""
    where = "pg_tables WHERE tablename" if database.dialect == "postgresql" else "sqlite_master WHERE name"

    async def work(tx: Tx) -> set[str]:
        if not await tx.fetchval(f"SELECT 1 FROM {where} = 'migrations'"):
            return set()
        return {row["name"] for row in await tx.fetch("SELECT name FROM migrations")}

    return await database.read(work)


async def missing(tx: Tx) -> list[str]:
    """Return what this program needs and was not applied."""
    names = {row["name"] for row in await tx.fetch("SELECT name FROM migrations")}
    return [name for name in _needed() if name not in names]


@cache
def _needed() -> tuple[str, ...]:
    return tuple(name for name, _ in scripts() if not name.endswith(_AFTER))


def refuse_newer(names: set[str], *, running: bool = False) -> None:
    """Keep an older program off a newer database.

    Parameters
    ----------
    names : set of str
        What was applied.
    running : bool
        Whether this program served before the newer one came: then only what came after that one's start counts.

    Raises
    ------
    DatabaseRefused
    """
    unknown = sorted(names - {name for name, _ in scripts()})
    bad = [name for name in unknown if (name.endswith(_AFTER) if running else not name.endswith(_BEFORE))]
    if bad:
        raise DatabaseRefused(f"the database is of a newer release than this program ({bad[-1]}): start that release")


async def lock(tx: Tx, dialect: str) -> None:
    """Shut out others that bring tables or content up to date, until the transaction ends."""
    if dialect == "postgresql":
        await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


def statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a statement, not those in strings and comments.

    What comes after the last of them is dropped.
    """
    statement = ""
    for piece in script.split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


async def migrate(database: Database, *, after: bool = False) -> list[str]:
    """Bring the tables up to date; return the names of the migrations that were applied.

    Safe to call from many processes at once: each migration runs in a transaction of its own that shuts the others out.

    Parameters
    ----------
    after : bool
        Also what no program of the release before may be running for.
    """

    async def prepare(tx: Tx) -> set[str]:
        await lock(tx, database.dialect)
        await tx.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)")
        return {row["name"] for row in await tx.fetch("SELECT name FROM migrations")}

    def apply(name: str, script: str):
        async def work(tx: Tx) -> bool:
            if name in await prepare(tx):
                return False
            for statement in statements(script):
                await tx.execute(statement)
            await tx.execute("INSERT INTO migrations (name, applied_at) VALUES ($1, $2)", name, now_ms())
            return True

        return work

    known = await applied(database)
    wanted = [(name, script) for name, script in scripts() if name not in known]
    pending = [(name, script) for name, script in wanted if not name.endswith(_AFTER)]
    # In the end, when all that they rest on is there.
    pending += [(name, script) for name, script in wanted if after and name.endswith(_AFTER)]
    if pending:
        await database.write(prepare)
    return [name for name, script in pending if await database.write(apply(name, script))]
