from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deeepai.money.leases import Need, enlarge
from deeepai.money.ledger import BudgetExceeded, InsufficientFunds, Ledger, Settlement, verify
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database, Tx
from deeepai.storage.ids import new_id
from tests.money.world import Clock, add_account, hold, proved, rows, settled, token, usage

USD = 1_000_000_000


async def test_a_charge_and_its_usage_are_committed_when_settle_returns(db: Database) -> None:
    await add_account(db, "a", 10 * USD, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=USD)
    held = await hold(ledger, 300)
    assert await ledger.balance("a") == (9 * USD, USD, 0)
    await settled(ledger, held, 120, basis="vendor", consumed="{}", model="m")
    assert await ledger.balance("a") == (9 * USD, USD - 120, 120)
    assert await token(db) == (0, 120)
    (entry,) = await rows(db, "SELECT * FROM ledger WHERE kind = 'charge'")
    assert (entry["request_id"], entry["available"], entry["held"], entry["spent"]) == (held.request_id, 0, -120, 120)
    (row,) = await rows(db, "SELECT * FROM usage")
    assert (row["cost"], row["basis"], row["model"], row["streamed"]) == (120, "vendor", "m", 0)
    await proved(db)
    await ledger.close()
    assert await ledger.balance("a") == (10 * USD - 120, 0, 120)
    await proved(db)


async def test_a_hold_against_the_lease_needs_no_transaction(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    assert ledger.try_hold("r0", "a", "t", 60, budgeted=False) is None
    first = await hold(ledger, 60)
    assert ledger.try_hold("r1", "a", "t", 41, budgeted=False) is None
    second = ledger.try_hold("r2", "a", "t", 40, budgeted=False)
    assert second is not None
    ledger.cancel(first)
    ledger.cancel(first)
    assert ledger.try_hold("r3", "a", "t", 61, budgeted=False) is None
    assert ledger.try_hold("r4", "a", "t", 60, budgeted=False) is not None
    # What costs nothing passes without funds.
    assert ledger.try_hold("r5", "none", "t", 0, budgeted=False) is not None


async def test_no_cost_voids_in_memory_and_still_writes_usage(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    held = await hold(ledger, 100)
    await settled(ledger, held, 0, error="upstream_error")
    assert ledger.try_hold("again", "a", "t", 100, budgeted=False) is not None
    assert [row["kind"] for row in await rows(db, "SELECT kind FROM ledger ORDER BY kind")] == ["grant", "lease"]
    assert len(await rows(db, "SELECT * FROM usage")) == 1
    await proved(db)


async def test_a_cost_above_the_hold_is_taken_in_full(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    held = await hold(ledger, 60)
    await settled(ledger, held, 130)  # 100 from the lease, 30 from what is available
    assert await ledger.balance("a") == (870, 0, 130)
    held = await hold(ledger, 800)
    await settled(ledger, held, 1000)  # 70 more than there are
    assert await ledger.balance("a") == (-130, 0, 1130)
    with pytest.raises(InsufficientFunds):
        await hold(ledger, 1)
    await proved(db)


async def test_nodes_cannot_overdraw_a_balance_together(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledgers = [Ledger(db, node=f"n{n}", lease_chunk=50) for n in range(2)]
    tries = [hold(ledger, 30) for _ in range(40) for ledger in ledgers]
    results = await asyncio.gather(*tries, return_exceptions=True)
    passed = [result for result in results if not isinstance(result, BaseException)]
    assert 30 <= len(passed) <= 33
    assert all(isinstance(result, InsufficientFunds) for result in results if isinstance(result, BaseException))
    available, held, _ = await ledgers[0].balance("a")
    assert available >= 0
    assert held + available == 1000
    await proved(db)


async def test_a_budget_bounds_a_token_over_all_nodes(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": 100, "free": None})
    ledgers = [Ledger(db, node=f"n{n}", lease_chunk=40) for n in range(2)]
    tries = [hold(ledger, 10, budgeted=True) for _ in range(10) for ledger in ledgers]
    results = await asyncio.gather(*tries, return_exceptions=True)
    passed = [result for result in results if not isinstance(result, BaseException)]
    assert 9 <= len(passed) <= 10
    assert all(isinstance(result, BudgetExceeded) for result in results if isinstance(result, BaseException))
    await asyncio.gather(*[settled(ledgers[0 if n % 2 else 1], held, 10) for n, held in enumerate(passed)])
    held, spent = await token(db)
    assert spent == 10 * len(passed)
    assert held + spent <= 100
    # The account itself has more, for another token.
    assert await hold(ledgers[0], 500, token_id="free")
    await proved(db)


async def test_a_budget_counts_what_was_spent_without_one(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    await settled(ledger, await hold(ledger, 80), 80)
    await db.write(lambda tx: tx.execute("UPDATE tokens SET budget = 100 WHERE id = 't'"))
    with pytest.raises(BudgetExceeded):
        await hold(ledger, 21, budgeted=True)
    await settled(ledger, await hold(ledger, 20, budgeted=True), 20)
    assert await token(db) == (0, 100)
    await proved(db)


async def test_settling_again_changes_nothing(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    held = await hold(ledger, 50)
    await asyncio.gather(*[settled(ledger, held, 40) for _ in range(5)])
    before = await ledger.balance("a")
    assert before[2] == 40
    await settled(ledger, held, 7)
    # Another process that repeats it does not know the hold.
    other = Ledger(db, node="m")
    await other.settle(Settlement(held.request_id, None, 40, usage(held.request_id)))
    assert await ledger.balance("a") == before
    voided = await hold(ledger, 50)
    await settled(ledger, voided, 0)
    await settled(ledger, voided, 50)
    assert await ledger.balance("a") == before
    await proved(db)


async def test_settling_again_in_a_group_harms_no_other(db: Database) -> None:
    await add_account(db, "a", 100_000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=10_000)
    done = [await hold(ledger, 10) for _ in range(3)]
    await asyncio.gather(*[settled(ledger, held, 10) for held in done])
    fresh = [await hold(ledger, 10) for _ in range(20)]
    await asyncio.gather(*[settled(ledger, held, 10) for held in [*fresh, *done, *fresh]])
    assert (await ledger.balance("a"))[2] == 230
    assert len(await rows(db, "SELECT * FROM usage")) == 23
    await proved(db)


async def test_two_nodes_that_settle_one_request_charge_it_once(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledgers = [Ledger(db, node=f"n{n}", lease_chunk=100) for n in range(2)]
    for _ in range(10):
        request_id = new_id()
        holds = [await ledger.hold(request_id, "a", "t", 10, budgeted=False) for ledger in ledgers]
        await asyncio.gather(*[settled(ledger, held, 9) for ledger, held in zip(ledgers, holds, strict=True)])
    assert (await ledgers[0].balance("a"))[2] == 90
    await proved(db)


async def test_a_row_that_no_database_takes_is_mended_and_charged(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=500)
    holds = [await hold(ledger, 10) for _ in range(5)]
    errors = [None, "NUL \0 inside", "a lone \udcff surrogate", None, None]
    await asyncio.gather(*[settled(ledger, held, 10, error=error) for held, error in zip(holds, errors, strict=True)])
    assert (await ledger.balance("a"))[2] == 50
    found = {row["request_id"]: row["error"] for row in await rows(db, "SELECT request_id, error FROM usage")}
    assert [found[held.request_id] for held in holds] == [None, "NUL  inside", "a lone ? surrogate", None, None]
    await proved(db)


async def test_a_settlement_that_cannot_be_does_not_stop_the_others(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=500)
    held = await hold(ledger, 10)
    nobody = Settlement("r", None, 5, usage("r", account_id="nobody"))
    results = await asyncio.gather(settled(ledger, held, 10), ledger.settle(nobody), return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], LookupError)
    assert (await ledger.balance("a"))[2] == 10
    assert len(await rows(db, "SELECT * FROM usage")) == 1
    await proved(db)


async def test_a_caller_that_leaves_does_not_take_its_money_along(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    leaving = asyncio.ensure_future(hold(ledger, 60))
    await asyncio.sleep(0)
    leaving.cancel()
    held = await hold(ledger, 60)
    # The lease that the first one's leaving left behind is known, so nothing of it is stranded.
    assert await ledger.balance("a") == (900, 100, 0)
    settling = asyncio.ensure_future(settled(ledger, held, 60))
    await asyncio.sleep(0)
    settling.cancel()
    await ledger.close()
    assert await ledger.balance("a") == (940, 0, 60)
    await proved(db)


async def test_record_writes_rows_in_passing(db: Database) -> None:
    ledger = Ledger(db, node="n")
    for request_id in ("one", "two", "one"):
        ledger.record(usage(request_id))
    await ledger.close()
    assert len(await rows(db, "SELECT * FROM usage")) == 2


async def test_many_settlements_share_few_commits(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    await add_account(db, "a", USD, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=USD // 4)
    holds = [await hold(ledger, 10) for _ in range(500)]
    before = db._commits  # pyright: ignore
    await asyncio.gather(*[settled(ledger, held, 10) for held in holds])
    assert db._commits - before < 10  # pyright: ignore
    assert (await ledger.balance("a"))[2] == 5000
    await proved(db)
    await db.close()


# Leases


async def test_an_idle_lease_goes_back_and_a_used_one_is_renewed(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": 500})
    clock = Clock()
    ledger = Ledger(db, node="n", lease_chunk=100, lease_ttl=30, lease_idle=5, clock=clock)
    held = await hold(ledger, 40, budgeted=True)
    clock.now += 4000
    await ledger.maintain()
    assert await ledger.balance("a") == (900, 100, 0)
    (lease,) = await rows(db, "SELECT * FROM leases")
    assert lease["expires_at"] == clock.now + 30_000
    clock.now += 4000
    await ledger.maintain()  # what is held stays, the rest goes
    assert await ledger.balance("a") == (960, 40, 0)
    assert await token(db) == (40, 0)
    for _ in range(10):  # a long answer, renewed all along
        clock.now += 10_000
        await ledger.maintain()
    await settled(ledger, held, 40)
    assert await ledger.balance("a") == (960, 0, 40)
    clock.now += 10_000
    await ledger.maintain()
    assert await rows(db, "SELECT * FROM leases") == []
    assert await token(db) == (0, 40)
    await proved(db)


async def test_a_renewal_that_comes_late_shortens_no_lease(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    clock = Clock()
    ledger = Ledger(db, node="n", lease_ttl=30, lease_chunk=100, lease_idle=60, clock=clock)
    await hold(ledger, 60)
    lease = ledger._purses["a", None].lease
    assert lease is not None
    begun = clock.now
    clock.now += 5000
    await ledger.maintain()

    async def late(tx: Tx) -> None:
        terms = {"node": "n", "need": Need(90, 90, 0, 0, 100), "now": begun, "expires_at": begun + 30_000}
        await enlarge(tx, db.dialect, ("a", None), lease, **terms)

    await db.write(late)
    (row,) = await rows(db, "SELECT * FROM leases")
    assert (row["amount"], row["expires_at"]) == (200, begun + 35_000)


async def test_what_a_dead_node_leased_comes_back_at_the_expiry(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": 800})
    clock = Clock()
    dead = Ledger(db, node="dead", lease_chunk=400, lease_ttl=30, clock=clock)
    alive = Ledger(db, node="alive", lease_chunk=100, lease_ttl=30, clock=clock)
    await settled(dead, await hold(dead, 150, budgeted=True), 120)
    await hold(dead, 50, budgeted=True)
    clock.now += 29_000
    await alive.maintain()
    assert (await alive.balance("a"))[1] > 0
    clock.now += 2000
    await alive.maintain()
    assert await alive.balance("a") == (880, 0, 120)
    assert await token(db) == (0, 120)
    await proved(db)


async def test_a_node_that_overslept_its_lease_still_charges_exactly(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": 900})
    clock = Clock()
    sleeper = Ledger(db, node="sleeper", lease_chunk=200, lease_ttl=30, clock=clock)
    other = Ledger(db, node="other", lease_chunk=200, lease_ttl=30, clock=clock)
    holds = [await hold(sleeper, 60, budgeted=True) for _ in range(3)]
    clock.now += 40_000
    await other.maintain()
    assert await other.balance("a") == (1000, 0, 0)
    assert sleeper.try_hold("late", "a", "t", 1, budgeted=True) is None
    await asyncio.gather(*[settled(sleeper, held, 50) for held in holds])
    assert await other.balance("a") == (850, 0, 150)
    assert await token(db) == (0, 150)
    await proved(db)
    # And goes on with a new lease.
    await settled(sleeper, await hold(sleeper, 60, budgeted=True), 10)
    assert (await other.balance("a"))[2] == 160
    await sleeper.maintain()
    await proved(db)


async def test_a_node_that_overslept_unseen_keeps_its_lease(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    clock = Clock()
    ledger = Ledger(db, node="n", lease_chunk=200, lease_ttl=30, clock=clock)
    held = await hold(ledger, 60)
    clock.now += 40_000
    await hold(ledger, 150)
    assert len(await rows(db, "SELECT * FROM leases")) == 1
    await settled(ledger, held, 60)
    await proved(db)


async def test_idle_leases_of_the_same_node_do_not_starve_an_account(db: Database) -> None:
    await add_account(db, "a", 400, {"t": 1000, "u": 1000})
    ledger = Ledger(db, node="n", lease_chunk=100)
    ledger.cancel(await hold(ledger, 90, budgeted=True))
    ledger.cancel(await hold(ledger, 70, token_id="u", budgeted=True))
    assert (await ledger.balance("a"))[0] < 380
    assert await hold(ledger, 400)
    await proved(db)


async def test_release_lets_a_durable_hold_pass(db: Database) -> None:
    await add_account(db, "a", 100, {"t": None})
    ledger = Ledger(db, node="n", lease_chunk=100)
    ledger.cancel(await hold(ledger, 100))

    def open_all() -> object:
        return db.write(
            lambda tx: ledger.open(tx, request_id="r", account_id="a", token_id="t", amount=100, expires_at=1 << 60)
        )

    with pytest.raises(InsufficientFunds):
        await open_all()
    await proved(db)
    assert await ledger.release("a") == 100
    await open_all()
    assert await ledger.balance("a") == (0, 100, 0)
    await proved(db)


# Durable holds and grants


async def open_hold(db: Database, ledger: Ledger, request_id: str, amount: int, **more: object) -> None:
    await db.write(
        lambda tx: ledger.open(
            tx,
            request_id=request_id,
            account_id="a",
            token_id="t",
            amount=amount,
            **{"expires_at": 1 << 60} | more,  # pyright: ignore
        )
    )


async def test_a_durable_hold_ends_once(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": 500})
    ledger = Ledger(db, node="n")
    await open_hold(db, ledger, "charged", 100)
    await open_hold(db, ledger, "voided", 100)
    assert await ledger.balance("a") == (800, 200, 0)
    assert await token(db) == (200, 0)
    assert await db.write(lambda tx: ledger.charge(tx, "charged", 130, usage("charged", task_id="task")))
    assert await db.write(lambda tx: ledger.void(tx, "voided"))
    for request_id in ("charged", "voided", "unknown"):
        assert not await db.write(lambda tx, r=request_id: ledger.charge(tx, r, 5, usage(r)))
        assert not await db.write(lambda tx, r=request_id: ledger.void(tx, r))
    assert await ledger.balance("a") == (870, 0, 130)
    assert await token(db) == (0, 130)
    (row,) = await rows(db, "SELECT * FROM usage")
    assert (row["request_id"], row["cost"], row["task_id"]) == ("charged", 130, "task")
    with pytest.raises(ValueError, match="held before"):
        await open_hold(db, ledger, "voided", 1)
    await proved(db)


async def test_a_charge_completes_the_usage_row_of_its_submission(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n")
    for request_id, row in (("with", usage("with", basis="vendor")), ("without", None)):
        await open_hold(db, ledger, request_id, 100)
        ledger.record(usage(request_id, model="m"))
        await ledger.close()
        assert await db.write(lambda tx, r=request_id, row=row: ledger.charge(tx, r, 70, row))
    found = await rows(db, "SELECT cost, basis, model FROM usage ORDER BY request_id")
    assert [tuple(row.values()) for row in found] == [(70, "vendor", "m"), (70, None, "m")]
    await proved(db)


async def test_racing_ends_of_a_durable_hold_count_once(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n")
    for n in range(5):
        request_id = f"r{n}"
        await open_hold(db, ledger, request_id, 100)
        ends = [db.write(lambda tx, r=request_id: ledger.charge(tx, r, 10)) for _ in range(3)]
        ends += [db.write(lambda tx, r=request_id: ledger.void(tx, r)) for _ in range(3)]
        assert (await asyncio.gather(*ends)).count(True) == 1
    await proved(db)


async def test_refused_durable_holds_leave_nothing(db: Database) -> None:
    await add_account(db, "a", 100, {"t": 50})
    ledger = Ledger(db, node="n")
    with pytest.raises(InsufficientFunds) as caught:
        await open_hold(db, ledger, "r", 101)
    assert not isinstance(caught.value, BudgetExceeded)
    with pytest.raises(BudgetExceeded):
        await open_hold(db, ledger, "r", 51)
    with pytest.raises(InsufficientFunds):
        await db.write(
            lambda tx: ledger.open(tx, request_id="r", account_id="none", token_id=None, amount=1, expires_at=0)
        )
    assert await ledger.balance("a") == (100, 0, 0)
    assert await rows(db, "SELECT * FROM holds") == []
    await open_hold(db, ledger, "r", 50)
    await proved(db)


async def test_a_settlement_may_end_a_durable_hold(db: Database) -> None:
    from deeepai.money.ledger import Hold

    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n")
    for request_id, cost in (("charged", 30), ("voided", 0)):
        await open_hold(db, ledger, request_id, 100)
        held = Hold(request_id, "a", "t", 100, durable=True)
        await settled(ledger, held, cost)
        await settled(ledger, held, cost)
    assert await ledger.balance("a") == (970, 0, 30)
    assert {row["request_id"]: row["cost"] for row in await rows(db, "SELECT * FROM usage")} == {
        "charged": 30,
        "voided": 0,
    }
    await proved(db)


async def test_the_sweeper_voids_expired_holds_but_not_those_of_open_tasks(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    clock = Clock()
    ledger = Ledger(db, node="n", clock=clock)
    sql = (
        "INSERT INTO tasks (id, protocol, operation, account_id, token_id, channel_id, request_id, model, price_key, "
        "price_group, estimate, state, hook_key, mode, submitted_at) "
        "VALUES ($1, '', '', '', '', '', '', '', '', '', '', $2, '', '', 0)"
    )
    await db.write(lambda tx: tx.executemany(sql, [("open", "running"), ("final", "failed")]))
    soon = clock.now + 1000
    await open_hold(db, ledger, "bare", 10, expires_at=soon)
    await open_hold(db, ledger, "running", 10, expires_at=soon, task_id="open")
    await open_hold(db, ledger, "finished", 10, expires_at=soon, task_id="final")
    await open_hold(db, ledger, "later", 10, expires_at=soon + 1)
    await ledger.maintain()
    assert (await ledger.balance("a"))[1] == 40
    clock.now = soon
    await ledger.maintain()
    left = await rows(db, "SELECT request_id FROM holds ORDER BY request_id")
    assert [row["request_id"] for row in left] == ["later", "running"]
    assert await ledger.balance("a") == (980, 20, 0)
    await proved(db)


async def test_a_grant_counts_once(db: Database) -> None:
    await add_account(db, "a", 0, {})
    ledger = Ledger(db, node="n")

    def grant(account_id: str, amount: int, reference: str, kind: str = "grant") -> object:
        return db.write(
            lambda tx: ledger.grant(tx, account_id, amount, kind=kind, reference=reference, note="n")  # pyright: ignore
        )

    results = await asyncio.gather(*[grant("a", 100, "one") for _ in range(4)])
    assert results.count(True) == 1
    assert await grant("a", -30, "one", "adjust")
    assert await ledger.balance("a") == (70, 0, 0)
    with pytest.raises(LookupError):
        await grant("nobody", 5, "two")
    assert await grant("a", 5, "two")
    with pytest.raises(LookupError):
        await ledger.balance("nobody")
    await proved(db)


# The proof


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        ("UPDATE accounts SET available = available + 1", "its ledger says"),
        ("UPDATE accounts SET spent = spent + 1", "its ledger says"),
        ("UPDATE holds SET amount = amount + 1", "open holds and leases add up"),
        ("UPDATE leases SET amount = amount - 1", "open holds and leases add up"),
        ("UPDATE tokens SET held = held + 1", "token t"),
        ("UPDATE tokens SET spent = spent + 1", "token t"),
        ("DELETE FROM holds", "neither ended nor is open"),
        ("UPDATE ledger SET available = available - 1 WHERE kind = 'charge'", "a charge creates -1"),
        ("UPDATE usage SET cost = cost + 1", "but its usage says"),
        (
            "INSERT INTO ledger VALUES ('open', 'void', 'a', 't', 100, -100, 0, NULL, 0)",
            "its hold is open and has ended",
        ),
        (
            "INSERT INTO ledger SELECT request_id, 'void', account_id, token_id, 0, 0, 0, note, created_at "
            "FROM ledger WHERE kind = 'charge'",
            "ended 2 times",
        ),
        ("INSERT INTO ledger VALUES ('x', 'grant', 'ghost', NULL, 1, 0, 0, NULL, 0)", "does not exist"),
        ("UPDATE leases SET amount = -5", "lease"),
    ],
)
async def test_verify_finds_what_is_wrong(tmp_path: Path, tamper: str, fault: str) -> None:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    await add_account(db, "a", 1000, {"t": 900})
    ledger = Ledger(db, node="n", lease_chunk=100)
    await open_hold(db, ledger, "open", 100)
    await settled(ledger, await hold(ledger, 50, budgeted=True), 20)
    report = await verify(db)
    assert report.ok
    assert "all balances proved" in str(report)
    assert (report.accounts, report.available + report.held + report.spent) == (1, 1000)
    await db.write(lambda tx: tx.execute(tamper))
    report = await verify(db)
    assert not report.ok
    assert any(fault in found for found in report.faults), report.faults
    await db.close()


async def test_money_moves_share_the_callers_transaction(db: Database) -> None:
    await add_account(db, "a", 1000, {"t": None})
    ledger = Ledger(db, node="n")
    await open_hold(db, ledger, "r", 100)

    async def work(tx: Tx) -> None:
        await ledger.charge(tx, "r", 100, usage("r"))
        raise RuntimeError("the state change failed")

    with pytest.raises(RuntimeError, match="state change"):
        await db.write(work)
    assert await ledger.balance("a") == (900, 100, 0)
    await proved(db)
