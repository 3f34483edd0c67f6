from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
from pathlib import Path

import asyncpg
import pytest

from deeepai.storage.connect import open_database
from deeepai.storage.database import Database, DatabaseRefused, Tx
from deeepai.storage.leases import lease_rows
from deeepai.storage.migrations import migrate, scripts, statements
from deeepai.storage.postgresql import PostgreSQLDatabase
from deeepai.storage.sqlite import SQLiteDatabase, _translate

INSERT = "INSERT INTO settings (key, value) VALUES ($1, $2)"


async def rows(db: Database) -> dict[str, str]:
    return {row["key"]: row["value"] for row in await db.read(lambda tx: tx.fetch("SELECT * FROM settings"))}


async def test_writes_are_read_back(db: Database) -> None:
    async def work(tx: Tx) -> tuple[int, int]:
        first = await tx.execute(INSERT, "a", "1")
        await tx.executemany(INSERT, [("b", "2"), ("c", "3")])
        return first, await tx.execute("UPDATE settings SET value = $1 WHERE key > $2", "9", "a")

    assert await db.write(work) == (1, 2)
    assert await rows(db) == {"a": "1", "b": "9", "c": "9"}

    async def look(tx: Tx) -> tuple[object, object, object, object]:
        row = await tx.fetchrow("SELECT key, value FROM settings WHERE key = $1", "b")
        assert row is not None
        return (
            (row["key"], row["value"]),
            await tx.fetchrow("SELECT key FROM settings WHERE key = $1", "none"),
            await tx.fetchval("SELECT COUNT(*) FROM settings"),
            await tx.fetchval("SELECT key FROM settings WHERE key = $1", "none"),
        )

    assert await db.read(look) == (("b", "9"), None, 3, None)


async def test_a_unit_that_raises_is_rolled_back_alone(db: Database) -> None:
    async def good(tx: Tx, key: str) -> str:
        await tx.execute(INSERT, key, "")
        return key

    async def bad(tx: Tx, key: str) -> str:
        await tx.execute(INSERT, key, "")
        raise LookupError(key)

    works = [db.write(lambda tx, n=n: (bad if n % 3 == 0 else good)(tx, f"{n:03}")) for n in range(60)]
    results = await asyncio.gather(*works, return_exceptions=True)
    for n, result in enumerate(results):
        if n % 3 == 0:
            assert isinstance(result, LookupError)
        else:
            assert result == f"{n:03}"
    assert sorted(await rows(db)) == [f"{n:03}" for n in range(60) if n % 3]


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError)):
        await db.read(lambda tx: tx.execute(INSERT, "a", "1"))
    assert await rows(db) == {}


async def test_concurrent_increments_are_all_counted(db: Database) -> None:
    await db.write(lambda tx: tx.execute(INSERT, "n", "0"))
    add = "UPDATE settings SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'n'"
    await asyncio.gather(*[db.write(lambda tx: tx.execute(add)) for _ in range(100)])
    assert await rows(db) == {"n": "100"}


async def test_close_finishes_what_is_queued(db_url: str) -> None:
    db = await open_database(db_url)
    pending = [asyncio.ensure_future(db.write(lambda tx, n=n: tx.execute(INSERT, str(n), ""))) for n in range(5)]
    await asyncio.sleep(0)
    await db.close()
    assert await asyncio.gather(*pending) == [1] * 5
    again = await open_database(db_url)
    assert len(await rows(again)) == 5
    await again.close()
    with pytest.raises(Exception, match="clos"):
        await again.write(lambda tx: tx.execute(INSERT, "x", ""))


async def test_each_migration_is_applied_once_even_by_many_starters(db_url: str) -> None:
    async def start() -> Database:
        return await open_database(db_url)

    opened = await asyncio.gather(*[start() for _ in range(4)])
    names = await opened[0].read(lambda tx: tx.fetch("SELECT name FROM migrations ORDER BY name"))
    assert [row["name"] for row in names] == [name for name, _ in scripts() if not name.endswith(".after")]
    assert await migrate(opened[1]) == []
    after = [name for name, _ in scripts() if name.endswith(".after")]
    found = await asyncio.gather(*(migrate(one, after=True) for one in opened))
    assert sorted(name for names in found for name in names) == after
    for db in opened:
        await db.close()


def test_scripts_are_split_at_statements_only() -> None:
    script = "CREATE TABLE a (x TEXT DEFAULT ';'); -- one; two\nINSERT INTO a VALUES ('it''s;'); /* ; */"
    assert [statement.strip()[:6] for statement in statements(script)] == ["CREATE", "-- one"]


async def test_lease_rows_gives_each_row_to_one_worker(db: Database) -> None:
    columns = "id, task_id, account_id, url, body, state, next_at, created_at"
    insert = f"INSERT INTO outbox ({columns}) VALUES ($1, 't', 'a', 'u', '', 'pending', $2, 0)"
    await db.write(lambda tx: tx.executemany(insert, [(f"{n:02}", n) for n in range(20)]))

    def lease(now: int, until: int, limit: int) -> object:
        return db.write(
            lambda tx: lease_rows(
                tx, db.dialect, table="outbox", key="id", due="next_at", now=now, until=until, limit=limit
            )
        )

    first = await asyncio.gather(*[lease(9, 100, 3) for _ in range(4)])
    taken = [row["id"] for found in first for row in found]
    # Workers that meet may find less than there is, but never the same row.
    assert len(taken) == len(set(taken))
    while found := await lease(9, 100, 3):
        taken += [row["id"] for row in found]
    assert sorted(taken) == [f"{n:02}" for n in range(10)]
    again = await lease(100, 200, 50)
    assert len(again) == 20
    assert {row["leased_until"] for row in again} == {200}


async def test_lease_rows_names_the_owner_and_takes_the_longest_due(db: Database) -> None:
    sql = (
        "INSERT INTO tasks (id, protocol, operation, account_id, token_id, channel_id, request_id, model, price_key, "
        "price_group, estimate, state, hook_key, mode, submitted_at, next_poll_at) "
        "VALUES ($1, '', '', '', '', '', '', '', '', '', '', '', '', '', 0, $2)"
    )
    await db.write(lambda tx: tx.executemany(sql, [("late", 9), ("first", 1), ("never", None), ("second", 2)]))
    leased = await db.write(
        lambda tx: lease_rows(
            *(tx, db.dialect), table="tasks", key="id", due="next_poll_at", now=10, until=20, limit=2, owner="n1"
        )
    )
    assert {row["id"]: row["leased_by"] for row in leased} == {"first": "n1", "second": "n1"}


# SQLite alone


def test_parameters_are_translated_outside_of_strings() -> None:
    assert _translate("SELECT $1, '$2', 'it''s $3', $10") == "SELECT ?1, '$2', 'it''s $3', ?10"


async def test_work_that_suspends_is_refused(tmp_path: Path) -> None:
    db = await SQLiteDatabase.open(tmp_path / "a.db")

    async def work(tx: Tx) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="something other than its transaction"):
        await db.write(work)
    assert await db.read(lambda tx: tx.fetchval("SELECT 1")) == 1
    await db.close()


async def test_writers_share_commits(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    assert isinstance(db, SQLiteDatabase)
    before = db._commits
    await asyncio.gather(*[db.write(lambda tx, n=n: tx.execute(INSERT, str(n), "")) for n in range(200)])
    assert db._commits - before < 100
    await db.close()


async def test_the_log_is_gone_after_the_last_close(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    await db.write(lambda tx: tx.execute(INSERT, "a", "1"))
    await db.close()
    assert os.listdir(tmp_path) == ["a.db"]


def _add(url: str, count: int) -> None:
    async def main() -> None:
        db = await open_database(url)
        add = "UPDATE settings SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'n'"
        for _ in range(count):
            await db.write(lambda tx: tx.execute(add))
        await db.close()

    asyncio.run(main())


async def test_processes_share_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    db = await open_database(url)
    await db.write(lambda tx: tx.execute(INSERT, "n", "0"))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_add, args=(url, 100)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
    assert await rows(db) == {"n": "200"}
    await db.close()


# PostgreSQL alone


async def test_a_deadlock_is_tried_again(postgresql_url: str) -> None:
    db = await open_database(postgresql_url)
    await db.write(lambda tx: tx.executemany(INSERT, [("a", "0"), ("b", "0")]))
    await db.write(lambda tx: tx.execute("SET deadlock_timeout = '20ms'"))
    locked = {"a": asyncio.Event(), "b": asyncio.Event()}
    tries = 0

    async def work(tx: Tx, one: str, other: str) -> None:
        nonlocal tries
        tries += 1
        add = "UPDATE settings SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = $1"
        await tx.execute("SET LOCAL deadlock_timeout = '20ms'")
        await tx.execute(add, one)
        locked[one].set()
        await locked[other].wait()
        await tx.execute(add, other)

    await asyncio.gather(db.write(lambda tx: work(tx, "a", "b")), db.write(lambda tx: work(tx, "b", "a")))
    assert tries > 2
    assert await rows(db) == {"a": "2", "b": "2"}
    await db.close()


async def test_a_lost_connection_is_told_and_replaced(postgresql_url: str) -> None:
    db = await PostgreSQLDatabase.open(postgresql_url)
    with pytest.raises(ConnectionError):
        await db.write(lambda tx: tx.fetch("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await db.read(lambda tx: tx.fetchval("SELECT 1")) == 1
    await db.close()


@pytest.mark.parametrize("url", ["mysql://user:hunter2@host/db", "sqlite://x", ""])
async def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(DatabaseRefused, match="sqlite:///") as caught:
        await open_database(url)
    assert "hunter2" not in str(caught.value)
