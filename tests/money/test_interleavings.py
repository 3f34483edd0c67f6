"""Any interleaving of two nodes' holds, ends, crashes and clock leaps leaves every balance right."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeepai.money.ledger import Hold, InsufficientFunds, Ledger
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from tests.money.world import Clock, add_account, proved, rows, settle
from tests.servers import new_postgresql

START = 1000
TTL = 30
ACCOUNTS = ("a", "b")
TOKENS = {"a": ("a-free", "a-budget"), "b": ("b-free",)}
BUDGET = 600

nodes = st.integers(0, 1)
amounts = st.integers(0, 400)
picks = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("hold"), nodes, st.sampled_from(["a-free", "a-budget", "b-free"]), amounts),
    st.tuples(st.just("hold"), nodes, st.sampled_from(["a-free", "a-budget", "b-free"]), amounts),
    st.tuples(st.just("settle"), picks, st.integers(0, 450)),
    st.tuples(st.just("settle"), picks, st.integers(0, 450)),
    st.tuples(st.just("cancel"), picks),
    st.tuples(st.just("open"), nodes, st.sampled_from(["a-free", "a-budget", "b-free"]), amounts),
    st.tuples(st.just("charge"), picks, st.integers(0, 450)),
    st.tuples(st.just("void"), picks),
    st.tuples(st.just("grant"), st.sampled_from(ACCOUNTS), st.integers(1, 300), st.integers(0, 3)),
    st.tuples(st.just("maintain"), nodes),
    st.tuples(st.just("crash"), nodes),
    st.tuples(st.just("pass"), st.sampled_from([1, 6, 20, 29, 45])),
    st.tuples(st.just("oversleep"), nodes),
)
# The steps of one round run at once.
scenarios = st.lists(st.lists(steps, min_size=1, max_size=6), min_size=3, max_size=12)


@dataclass
class Call:
    """A request, and what should come of it."""

    request_id: str
    node: int
    token: str
    amount: int
    hold: Hold | None = None
    ledger: Ledger | None = None
    """That gave the hold."""
    cost: int | None = None
    """Of the settlement or charge that counted; None while there is none."""
    asked: list[int] = field(default_factory=list)
    """Costs that were asked for within this round."""
    overdraws: int = 0
    """How far beyond what it holds the call may reach."""

    @property
    def account(self) -> str:
        return self.token[0]


class Scenario:
    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = Clock()
        self.gone: list[Ledger] = []
        """Nodes that crashed while their last group was on its way to the server."""
        self.ledgers = [self.start(node) for node in range(2)]
        self.calls: list[Call] = []
        self.durable: list[Call] = []
        self.numbers = itertools.count()
        self.granted = dict.fromkeys(ACCOUNTS, START)
        self.references: set[tuple[str, int]] = set()

    def start(self, node: int) -> Ledger:
        return Ledger(self.db, node=f"n{node}", lease_ttl=TTL, lease_chunk=150, lease_idle=5, clock=self.clock)

    def new(self, node: int, token: str, amount: int) -> Call:
        return Call(f"r{next(self.numbers)}", node, token, amount)

    async def run(self, rounds: list[list[tuple]]) -> None:  # type: ignore[type-arg]
        for steps in rounds:
            await asyncio.gather(*[getattr(self, "do_" + name)(*args) for name, *args in steps])
            await self.check()
        # All nodes end without a word, and what they held in memory comes back.
        for ledger in self.ledgers + self.gone:
            died(ledger)
        self.clock.now += 1000 * (TTL + 1)
        await self.start(2).maintain()
        await self.check()
        for account in ACCOUNTS:
            left = sum(call.amount for call in self.durable if call.cost is None and call.account == account)
            held = await self.db.read(
                lambda tx, account=account: tx.fetchval("SELECT held FROM accounts WHERE id = $1", account)
            )
            assert held == left
        assert await rows(self.db, "SELECT * FROM leases") == []

    async def do_hold(self, node: int, token: str, amount: int) -> None:
        call = self.new(node, token, amount)
        self.calls.append(call)
        ledger = self.ledgers[node]
        budgeted = token.endswith("budget")
        try:
            call.hold = await ledger.hold(call.request_id, call.account, token, amount, budgeted=budgeted)
        except InsufficientFunds:
            pass
        except asyncio.CancelledError:
            assert self.ledgers[node] is not ledger  # crashed meanwhile
        else:
            lease = call.hold.lease
            assert lease is None or not lease.lost
            call.ledger = ledger
            if self.ledgers[node] is not ledger:  # crashed meanwhile
                call.hold = None

    async def do_settle(self, pick: int, cost: int) -> None:
        held = [call for call in self.calls if call.hold is not None]
        if not held:
            return
        call = held[pick % len(held)]
        hold = call.hold
        assert hold is not None
        if not hold.closed:
            call.asked.append(cost)
            lost = hold.lease is not None and (hold.lease.lost or self.clock.now >= hold.lease.expires_at)
            call.overdraws = cost if lost or hold.lease is None else max(0, cost - hold.amount)
        if hold.closed and call.cost is None and (not call.asked or call.ledger in self.gone):
            return  # cancelled: the request ended otherwise; or its end is on its way, and nobody else knows of it
        before = hold.closed
        await settle(self.ledgers[call.node], hold, cost)
        if not before:
            call.cost = cost

    async def do_cancel(self, pick: int) -> None:
        held = [call for call in self.calls if call.hold is not None and not call.hold.closed]
        if held:
            call = held[pick % len(held)]
            assert call.hold is not None
            self.ledgers[call.node].cancel(call.hold)

    async def do_open(self, node: int, token: str, amount: int) -> None:
        call = self.new(node, token, amount)
        self.durable.append(call)
        ledger = self.ledgers[node]
        try:
            await self.db.write(
                lambda tx: ledger.open(
                    tx,
                    request_id="d" + call.request_id,
                    account_id=call.account,
                    token_id=token,
                    amount=amount,
                    expires_at=1 << 60,
                )
            )
        except InsufficientFunds:
            self.durable.remove(call)

    async def do_charge(self, pick: int, cost: int) -> None:
        await self.end(pick, cost)

    async def do_void(self, pick: int) -> None:
        await self.end(pick, None)

    async def end(self, pick: int, cost: int | None) -> None:
        if not self.durable:
            return
        call = self.durable[pick % len(self.durable)]
        ledger, request_id = self.ledgers[call.node], "d" + call.request_id
        if cost is None:
            done = await self.db.write(lambda tx: ledger.void(tx, request_id))
        else:
            done = await self.db.write(lambda tx: ledger.charge(tx, request_id, cost))
        if done:
            assert call.cost is None
            call.cost = cost or 0
            call.overdraws = max(0, call.cost - call.amount)

    async def do_grant(self, account: str, amount: int, number: int) -> None:
        ledger = self.ledgers[0]
        reference = f"{account}{number}"
        if await self.db.write(lambda tx: ledger.grant(tx, account, amount, kind="redeem", reference=reference)):
            assert (account, number) not in self.references
            self.references.add((account, number))
            self.granted[account] += amount

    async def do_maintain(self, node: int) -> None:
        await self.ledgers[node].maintain()

    async def do_crash(self, node: int) -> None:
        old = self.ledgers[node]
        if self.db.beside is None:
            self.gone.append(old)
        else:
            # What is in a journal is settled before anybody serves again.
            while not died(old):
                await old.drain()
                if self.ledgers[node] is not old:  # crashed meanwhile
                    return
        self.ledgers[node] = self.start(node)
        await self.ledgers[node].recover()
        for call in self.calls:
            if call.node == node and call.hold is not None and call.cost is None and not call.asked:
                call.hold = None

    async def do_oversleep(self, node: int) -> None:
        """Let a node's leases expire, and the other end them."""
        self.clock.now += 1000 * (TTL + 1)
        await self.ledgers[1 - node].maintain()

    async def do_pass(self, seconds: int) -> None:
        self.clock.now += 1000 * seconds

    async def check(self) -> None:
        for ledger in self.ledgers + self.gone:
            await ledger.drain()
        await proved(self.db)
        for call in self.calls:
            call.asked.clear()
        for row in await rows(self.db, "SELECT * FROM accounts"):
            calls = [call for call in [*self.calls, *self.durable] if call.account == row["id"]]
            assert row["spent"] == sum(call.cost or 0 for call in calls)
            assert row["available"] + row["held"] + row["spent"] == self.granted[row["id"]]
            # Only what calls cost beyond their holds, or after their lease was lost, can make an account owe.
            assert row["available"] >= -sum(call.overdraws for call in calls)
        await self.check_memory()
        (budgeted,) = await rows(self.db, "SELECT held, spent FROM tokens WHERE id = 'a-budget'")
        over = sum(call.overdraws for call in [*self.calls, *self.durable] if call.token == "a-budget")
        assert budgeted["held"] + budgeted["spent"] <= BUDGET + over

    async def check_memory(self) -> None:
        """Check that each node knows what is left of its leases, and for whom."""
        left = {row["id"]: row["amount"] for row in await rows(self.db, "SELECT id, amount FROM leases")}
        for node, ledger in enumerate(self.ledgers):
            for purse in ledger._purses.values():
                if (lease := purse.lease) is None:
                    continue
                # A lease that its node overslept may be gone without its knowing.
                if lease.id in left:
                    assert left[lease.id] == lease.free + lease.held
                else:
                    assert self.clock.now >= lease.expires_at
                open_holds = [
                    call.hold.amount
                    for call in self.calls
                    if call.node == node and call.hold and call.hold.lease is lease and not call.hold.closed
                ]
                assert lease.held == sum(open_holds)


def died(ledger: Ledger) -> bool:
    """End a node between a charge and its group, if that is where it is; its journal stays as it is."""
    journal, flusher, linger = ledger._commits._journal, ledger._commits._flusher, ledger._commits._linger
    waiting = any(item.future is not None for item in ledger._commits._items)
    if flusher is not None and (waiting or linger is None or linger.done()):
        return False
    if flusher is not None:
        flusher.cancel()
    if journal is not None:
        journal.close(keep=True)
    return True


async def fresh(db: Database) -> None:
    for table in ("ledger", "usage", "holds", "leases", "tokens", "accounts"):
        await db.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))
    for account in ACCOUNTS:
        tokens = {token: BUDGET if token.endswith("budget") else None for token in TOKENS[account]}
        await add_account(db, account, START, tokens)


@pytest.mark.parametrize(("back_end", "examples"), [("sqlite", 200), ("postgresql", 30)])
def test_every_balance_is_right_after_every_round(back_end: str, examples: int) -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        url = f"sqlite:///{folder}/a.db" if back_end == "sqlite" else runner.run(new_postgresql())
        db = runner.run(open_database(url))

        async def one(rounds: list[list[tuple]]) -> None:  # type: ignore[type-arg]
            await fresh(db)
            await Scenario(db).run(rounds)

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(scenarios)
        def run(rounds: list[list[tuple]]) -> None:  # type: ignore[type-arg]
            runner.run(one(rounds))

        try:
            run()
        finally:
            runner.run(db.close())
