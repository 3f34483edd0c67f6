"""The tables' history: ordered `.sql` files, each applied once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources

from deeepai.storage.database import Database, Tx
from deeepai.storage.ids import now_ms

_LOCK = 0x6465_6565  # any number that all gateways share


def scripts() -> list[tuple[str, str]]:
    """Return name and text of every migration, oldest first."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    return sorted((file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)


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


async def migrate(database: Database) -> list[str]:
    """Bring the tables up to date; return the names of the migrations that were applied.

    Safe to call from many processes at once: each migration runs in a transaction of its own that shuts the others out.
    """

    async def prepare(tx: Tx) -> set[str]:
        if database.dialect == "postgresql":
            await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
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

    applied = await database.write(prepare)
    pending = [(name, script) for name, script in scripts() if name not in applied]
    return [name for name, script in pending if await database.write(apply(name, script))]
