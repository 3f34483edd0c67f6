from __future__ import annotations

from deeepai.money.ledger import Ledger, verify
from deeepai.money.retention import forget_usage
from deeepai.storage.database import Database
from deeepai.storage.ids import first_id, new_id, now_ms
from tests.money.world import add_account, hold, settled

DAY = 86_400_000


async def kept(db: Database) -> list[int]:
    rows = await db.read(lambda tx: tx.fetch("SELECT latency_ms FROM usage ORDER BY latency_ms"))
    return [row["latency_ms"] for row in rows]


async def test_what_is_old_is_forgotten_and_balances_are_still_proved(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    now = now_ms()
    for age in range(6):
        await settled(ledger, await hold(ledger, 10), 10, latency_ms=age)
    for age in range(6):
        at, name = now - age * DAY, f"{first_id(now - age * DAY, 'req_')}-{age}"
        await db.write(
            lambda tx, at=at, name=name, age=age: tx.execute(
                "UPDATE usage SET created_at = $1, request_id = $2 WHERE latency_ms = $3", at, name, age
            )
        )
    before = now - 3 * DAY + 1
    assert await forget_usage(db, before, most=2) == 2
    assert await kept(db) == [0, 1, 2, 3]
    assert await forget_usage(db, before, most=2) == 1
    assert await forget_usage(db, before, most=2) == 0
    assert await kept(db) == [0, 1, 2]
    await ledger.close()
    report = await verify(db)
    assert report.ok, report.faults


def test_the_first_id_of_a_time() -> None:
    before = first_id(now_ms(), "req_")
    made = new_id("req_")
    assert len(made) == len(before)
    assert before <= made < first_id(now_ms() + 1, "req_")
