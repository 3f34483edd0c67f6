from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from deeepai.accounts import people
from deeepai.accounts.people import NewUser
from deeepai.accounts.vault import Vault
from deeepai.money.ledger import Ledger
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from tests.servers import new_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else await new_postgresql()
    database = await open_database(url)
    yield database
    await database.close()


@pytest.fixture
def vault() -> Vault:
    return Vault(os.urandom(32))


@dataclass
class Person:
    user_id: str
    account_id: str


@pytest.fixture
async def ann(db: Database) -> Person:
    return await make_person(db, "ann")


async def make_person(db: Database, name: str) -> Person:
    made = await db.write(lambda tx: people.create_user(tx, NewUser(name=name), "scrypt$"))
    assert made[1] is not None
    return Person(made[0], made[1])


async def grant(db: Database, account_id: str, usd: Decimal) -> None:
    ledger = Ledger(db, node="test")
    await db.write(
        lambda tx: ledger.grant(tx, account_id, int(usd * 10**9), kind="grant", reference=f"test:{account_id}")
    )
