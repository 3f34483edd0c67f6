"""Charges between their commit and the tables: what a node leaves behind is settled once, whatever state it is in."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from deeepai.money import sweeping
from deeepai.money.ledger import Ledger
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from deeepai.storage.ids import now_ms
from tests.money.world import add_account, hold, proved, rows, settle
from tests.support.until import PATIENCE

USD = 1_000_000_000


@pytest.fixture
async def file_db(tmp_path: Path) -> Database:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    await add_account(db, "a", USD, {"t": None})
    return db


def files(db: Database) -> list[Path]:
    assert db.beside is not None
    return sorted(db.beside.glob("*.charges"))


def full(db: Database) -> Path:
    (found,) = [file for file in files(db) if file.stat().st_size]
    return found


async def left_behind(db: Database, *costs: int) -> Ledger:
    """Charge, and die before any of it reaches the tables."""
    ledger = Ledger(db, node="dead")
    for cost in costs:
        await settle(ledger, await hold(ledger, 100), cost)
    assert await spent(db) == 0
    die(ledger)
    return ledger


def die(ledger: Ledger) -> None:
    assert ledger._commits._flusher is not None
    ledger._commits._flusher.cancel()
    assert ledger._commits._journal is not None
    ledger._commits._journal.close(keep=True)


async def spent(db: Database) -> int:
    (row,) = await rows(db, "SELECT spent FROM accounts")
    return row["spent"]


async def test_what_a_node_leaves_behind_is_settled_by_the_next(file_db: Database) -> None:
    await left_behind(file_db, 10, 20, 0)
    assert await Ledger(file_db, node="next").recover() == 3
    assert await spent(file_db) == 30
    assert [row["cost"] for row in await rows(file_db, "SELECT cost FROM usage ORDER BY cost")] == [0, 10, 20]
    assert full_or_none(file_db) == []
    await proved(file_db)
    await file_db.close()


def full_or_none(db: Database) -> list[Path]:
    return [file for file in files(db) if file.stat().st_size]


async def test_a_second_look_changes_nothing(file_db: Database) -> None:
    await left_behind(file_db, 10)
    path = full(file_db)
    data = path.read_bytes()
    await Ledger(file_db, node="next").recover()
    path.write_bytes(data)  # the next one died between its commit and the file's end
    await asyncio.gather(*[Ledger(file_db, node=f"n{n}").recover() for n in range(3)])
    assert await spent(file_db) == 10
    await proved(file_db)
    await file_db.close()


@pytest.mark.parametrize("spoil", ["cut", "bit", "garbage"])
async def test_what_was_not_written_whole_does_not_count(file_db: Database, spoil: str) -> None:
    await left_behind(file_db, 10, 20)
    path = full(file_db)
    data = path.read_bytes()
    if spoil == "cut":
        path.write_bytes(data[:-1])
    elif spoil == "bit":
        path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    else:
        path.write_bytes(data + b"\xff" * 7)
    await Ledger(file_db, node="next").recover()
    assert await spent(file_db) == (30 if spoil == "garbage" else 10)
    await proved(file_db)
    await file_db.close()


async def test_a_living_node_is_left_alone(file_db: Database) -> None:
    ledger = Ledger(file_db, node="alive")
    await settle(ledger, await hold(ledger, 100), 10)
    assert await Ledger(file_db, node="next").recover() == 0
    await ledger.drain()
    assert await spent(file_db) == 10
    assert full_or_none(file_db) == []
    await ledger.close()
    assert files(file_db) == []
    await file_db.close()


async def test_a_leases_expiry_before_the_recovery_charges_all_the_same(file_db: Database) -> None:
    await left_behind(file_db, 60)
    await file_db.write(lambda tx: tx.execute("UPDATE leases SET expires_at = 0"))
    late = Ledger(file_db, node="late")
    await sweeping.end_leases(file_db, now_ms())
    assert await rows(file_db, "SELECT * FROM leases") == []
    await late.recover()
    assert await late.balance("a") == (USD - 60, 0, 60)
    await proved(file_db)
    await file_db.close()


async def test_texts_that_no_encoding_has_are_kept_as_far_as_they_go(file_db: Database) -> None:
    ledger = Ledger(file_db, node="dead")
    await settle(ledger, await hold(ledger, 100), 10, error="cut \ud800 here")
    die(ledger)
    await Ledger(file_db, node="next").recover()
    (row,) = await rows(file_db, "SELECT error FROM usage")
    assert row["error"] == "cut ? here"
    await file_db.close()


async def test_a_full_disk_has_the_caller_wait_for_the_tables(file_db: Database) -> None:
    ledger = Ledger(file_db, node="n")
    await settle(ledger, await hold(ledger, 100), 10)
    await ledger.drain()
    assert ledger._commits._journal is not None
    for file in ledger._commits._journal._files:
        os.dup2(os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC), file)
    settling = asyncio.ensure_future(settle(ledger, await hold(ledger, 100), 20))
    await asyncio.wait((settling,))
    assert await spent(file_db) == 30
    await proved(file_db)
    await file_db.close()


async def test_charges_wait_for_a_database_that_is_taken(file_db: Database, tmp_path: Path) -> None:
    ledger = Ledger(file_db, node="n")
    held = [await hold(ledger, 100) for _ in range(3)]
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for one in held:
        await asyncio.wait_for(settle(ledger, one, 10), PATIENCE)
    draining = asyncio.ensure_future(ledger.drain())
    await asyncio.sleep(0)
    assert await spent(file_db) == 0
    other.execute("ROLLBACK")
    other.close()
    await draining
    assert await spent(file_db) == 30
    assert full_or_none(file_db) == []
    await proved(file_db)
    await file_db.close()


async def test_a_database_that_waits_for_the_disk_has_no_journal(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path}/a.db", synchronous="full")
    await add_account(db, "a", USD, {"t": None})
    ledger = Ledger(db, node="n")
    await settle(ledger, await hold(ledger, 100), 10)
    assert await spent(db) == 10
    assert db.beside is None
    await ledger.close()
    await db.close()
