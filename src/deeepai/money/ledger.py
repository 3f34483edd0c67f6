"""The ledger: holds, charges, and the proof that balances follow from its entries.

For each account the ledger's deltas add up to what is available, held and spent, and what is held is the sum of open
holds and of what is left of leases. A request's hold ends once, as a charge or a void.

Short calls hold against a lease in memory, and their charges are committed in groups; over SQLite each is committed by
an append to the node's journal, and reaches the tables with a group a moment later. Long jobs hold durably, within
transactions of their own: `open`, `charge`, `void`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from deeepai.money import holds, sweeping
from deeepai.money.audit import Report, verify
from deeepai.money.commits import Commits
from deeepai.money.debts import LESSEN
from deeepai.money.entries import (
    UPSERT_USAGE,
    BudgetExceeded,
    InsufficientFunds,
    UsageRow,
    cleaned,
)
from deeepai.money.leases import RENEW, Lease, Need, Purse, PurseKey, enlarge, shrink
from deeepai.money.settlements import Hold, Item, Settlement
from deeepai.storage.database import Database, Tx, Unwritable
from deeepai.storage.ids import now_ms

__all__ = [
    "BudgetExceeded",
    "Hold",
    "InsufficientFunds",
    "Ledger",
    "Report",
    "Settlement",
    "UsageRow",
    "verify",
]

log = logging.getLogger(__name__)

_USD = 1_000_000_000


class Ledger:
    """One node's way to the ledger.

    Parameters
    ----------
    db : Database
    node : str
        A name for logs and the table of leases.
    lease_ttl : float
        Seconds; `maintain` must run several times within.
    lease_chunk : int
        What a lease takes at a time, 10⁻⁹ USD.
    lease_idle : float
        Seconds after which an unused lease goes back.
    debt_bound : int
        What an account's open requests may cost beyond what is held for them, all together, 10⁻⁹ USD.
    clock : callable
        Milliseconds since 1970.
    """

    def __init__(
        self,
        db: Database,
        *,
        node: str,
        lease_ttl: float = 30.0,
        lease_chunk: int = _USD,
        lease_idle: float = 5.0,
        debt_bound: int = 0,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._db = db
        self._node = node
        self._ttl_ms = round(lease_ttl * 1000)
        self._idle_ms = round(lease_idle * 1000)
        self._chunk = lease_chunk
        self._bound = debt_bound
        self._clock = clock
        self._purses: dict[PurseKey, Purse] = {}
        self._commits = Commits(db, self._lose, clock)
        self._tasks: set[asyncio.Task[Any]] = set()

    # Holds in memory

    def try_hold(
        self, request_id: str, account_id: str, token_id: str | None, amount: int, *, budgeted: bool
    ) -> Hold | None:
        """Hold against a lease that this node has; None where it must be enlarged first, by `hold`.

        Parameters
        ----------
        amount : int
            10⁻⁹ USD; 0 always passes.
        budgeted : bool
            Whether the token has a budget of its own.
        """
        if amount <= 0:
            return Hold(request_id, account_id, token_id, 0)
        purse = self._purses.get((account_id, token_id if budgeted else None))
        if purse is None:
            return None
        lease = purse.lease
        if lease is None or lease.free < amount:
            return None
        now = self._clock()
        if now >= lease.expires_at:
            return None
        lease.free -= amount
        lease.held += amount
        lease.used_at = now
        return Hold(request_id, account_id, token_id, amount, lease)

    async def hold(
        self,
        request_id: str,
        account_id: str,
        token_id: str | None,
        amount: int,
        *,
        budgeted: bool,
        most: int = 0,
    ) -> Hold:
        """Hold, enlarging the lease where that is needed.

        Parameters
        ----------
        amount, most : int
            What is held at least, and what the request may cost. All of that is held where it is there; else what is
            missing counts to the account's possible debts.

        Raises
        ------
        InsufficientFunds, BudgetExceeded
        """
        key = (account_id, token_id if budgeted else None)
        most = max(amount, most)
        hold = self.try_hold(request_id, account_id, token_id, most, budgeted=budgeted)
        reclaimed = False
        while hold is None:
            try:
                # Shielded: the caller may leave, but what the transaction leased must reach the purse.
                hold = await self._shielded_hold(key, Hold(request_id, account_id, token_id, amount), most)
            except BudgetExceeded:
                raise
            except InsufficientFunds:
                if reclaimed or not await self.release(account_id):
                    raise
                reclaimed = True
        return hold

    async def _shielded_hold(self, key: PurseKey, hold: Hold, most: int) -> Hold:
        holding = self._start(self._refill(key, hold, most))
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:
            # Whichever of the two comes last gives it back.
            self.cancel(holding.result() if holding.done() and not holding.exception() else hold)
            raise

    def cancel(self, hold: Hold) -> None:
        """Void a hold of this node's memory without a usage row; repeating does nothing."""
        if not hold.closed and hold.lease is not None:
            hold.lease.held -= hold.amount
            hold.lease.free += hold.amount
            if hold.debt:
                self._start(self._lessen(hold.lease, hold.debt))
        hold.closed = True

    async def _lessen(self, lease: Lease, debt: int) -> None:
        """Take a possible debt away that became none, or that has reached the balance."""
        try:
            await self.drain()
            await self._db.write(lambda tx: tx.execute(LESSEN, lease.id, debt))
        except Exception:
            log.exception("a possible debt of account %s is kept until its lease ends", lease.account_id)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _refill(self, key: PurseKey, hold: Hold, most: int) -> Hold:
        purse = self._purses.setdefault(key, Purse())
        purse.users += 1
        try:
            async with purse.lock:
                budgeted = key[1] is not None
                earlier = self.try_hold(hold.request_id, key[0], hold.token_id, most, budgeted=budgeted)
                if earlier is not None:  # another waiter has enlarged it
                    if hold.closed:
                        self.cancel(earlier)
                    return earlier
                # Budgets are judged by what the tables say was spent.
                if not await self.drain():
                    raise Unwritable("charges wait for the database")
                now = self._clock()
                times = {"now": now, "expires_at": now + self._ttl_ms}
                reserved = purse.reserve(most)
                need = Need(hold.amount, most, reserved, self._bound, self._chunk)

                async def work(tx: Tx) -> tuple[str, int, int]:
                    return await enlarge(tx, self._db.dialect, key, purse.lease, node=self._node, need=need, **times)

                try:
                    lease_id, added, hold.debt = await self._db.write(work)
                finally:
                    purse.unreserve(reserved)
                hold.lease = lease = purse.enlarged(key, lease_id, added, **times)
                hold.amount = most - hold.debt
                lease.free -= hold.amount
                lease.held += hold.amount
                if hold.closed:
                    hold.closed = False
                    self.cancel(hold)
                return hold
        finally:
            purse.users -= 1

    async def _return(self, purse: Purse) -> int:
        """Return what is free in a purse's lease; return how much that was."""
        async with purse.lock:
            lease = purse.lease
            if lease is None or (lease.free <= 0 and lease.held):
                return 0
            amount = max(lease.free, 0)
            lease.free -= amount  # first, so that nobody holds against it meanwhile
            now = self._clock()
            try:
                known, ended = await self._db.write(lambda tx: shrink(tx, lease, amount, now))
            except BaseException:
                lease.free += amount
                raise
            if ended:
                lease.lost = True
                purse.lease = None
            return amount if known else 0

    async def release(self, account_id: str) -> int:
        """Return what this node has leased of an account and does not use; return how much that was.

        A durable hold that was refused may pass after that.
        """
        own = [purse for key, purse in self._purses.items() if key[0] == account_id]
        return sum([await self._shielded_return(purse) for purse in own])

    async def _shielded_return(self, purse: Purse) -> int:
        purse.users += 1
        try:
            return await asyncio.shield(self._start(self._return(purse)))
        finally:
            purse.users -= 1

    # Settling

    async def settle(self, settlement: Settlement) -> None:
        """Charge or void a hold and write the usage row; all of it is committed when this returns.

        Costs above the hold are taken in full: from the rest of the lease, then from what is available, which may
        fall below zero. Repeating a request id changes nothing.
        """
        hold, cost = settlement.hold, settlement.cost
        if cost < 0:
            raise ValueError("a cost is not negative")
        row = settlement.row
        row.cost = cost
        if hold is not None and hold.durable:
            await self._settle_durable(hold, settlement)
            return
        lease: Lease | None = None
        taken = debt = 0
        repeated = False
        if hold is not None:
            repeated = hold.closed
            lease = None if repeated else hold.lease
            debt = hold.debt
            hold.closed = True
            if lease is not None:
                lease.held -= hold.amount
                lease.free += hold.amount
                if not lease.lost:
                    taken = cost if cost <= lease.free else max(lease.free, 0)
                    lease.free -= taken
        token_id = row.token_id if hold is None else hold.token_id
        item = Item(settlement, token_id, lease, taken, repeated)
        committing = self._commits.add(item, held=hold is not None and not repeated)
        if committing is not None:
            await committing
        if debt and lease is not None:
            await asyncio.shield(self._start(self._lessen(lease, debt)))

    def record(self, row: UsageRow) -> None:
        """Write a usage row without money, with the next group; nobody waits for it."""
        self._commits.record(row)

    async def drain(self) -> bool:
        """Have all that is committed reach the tables, for somebody who wants to look at them.

        Returns
        -------
        bool
            False: the database takes no write, and something waits for it.
        """
        return await self._commits.drain()

    async def _settle_durable(self, hold: Hold, settlement: Settlement) -> None:
        row = settlement.row

        async def work(tx: Tx) -> None:
            if settlement.cost:
                await holds.charge(tx, hold.request_id, settlement.cost, row)
            elif await holds.void(tx, hold.request_id):
                await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(cleaned(row)))

        await self._db.write(work)
        hold.closed = True

    def _lose(self, lease: Lease) -> None:
        lease.lost = True
        purse = self._purses.get((lease.account_id, lease.token_id))
        if purse is not None and purse.lease is lease:
            purse.lease = None

    # Durable holds, within the caller's transaction

    async def open(
        self,
        tx: Tx,
        *,
        request_id: str,
        account_id: str,
        token_id: str | None,
        amount: int,
        expires_at: int,
        task_id: str | None = None,
        most: int = 0,
    ) -> None:
        """Hold durably, as `hold` does.

        Raises
        ------
        InsufficientFunds, BudgetExceeded
            The exception must end the transaction. Call `release`, outside of it, and try once more: this node's idle
            leases may hold what is missing.
        ValueError
            The amount is negative, or the request id was used before.
        """
        await holds.open_hold(
            tx,
            request_id=request_id,
            account_id=account_id,
            token_id=token_id,
            amount=amount,
            expires_at=expires_at,
            task_id=task_id,
            most=most,
            bound=self._bound,
            dialect=self._db.dialect,
        )

    charge = staticmethod(holds.charge)
    void = staticmethod(holds.void)
    grant = staticmethod(holds.grant)

    async def balance(self, account_id: str) -> tuple[int, int, int]:
        """Return what an account has available, held and spent.

        Raises
        ------
        LookupError
            No such account.
        """
        await self.drain()
        row = await self._db.read(
            lambda tx: tx.fetchrow("SELECT available, held, spent FROM accounts WHERE id = $1", account_id)
        )
        if row is None:
            raise LookupError(f"no account {account_id}")
        return row["available"], row["held"], row["spent"]

    # Upkeep

    async def recover(self) -> int:
        """Settle what nodes that died left in their journals; return how many charges that were."""
        return await sweeping.recover(self._db, self._clock)

    async def maintain(self) -> None:
        """One round: return idle leases, renew the others, and end what any node left behind.

        Durable holds of open tasks are left to the tasks' own sweeper.
        """
        now = self._clock()
        for purse in list(self._purses.values()):
            if purse.lease is not None and now - purse.lease.used_at >= self._idle_ms:
                await self._shielded_return(purse)
        for key, purse in list(self._purses.items()):
            if purse.lease is None and not purse.users:
                del self._purses[key]
        await self._renew()
        await self.recover()
        await sweeping.end_leases(self._db, self._clock())
        await sweeping.void_holds(self._db, self._clock())

    async def _renew(self) -> None:
        leases = {purse.lease.id: purse.lease for purse in self._purses.values() if purse.lease is not None}
        if not leases:
            return
        expires_at = self._clock() + self._ttl_ms

        async def renew(tx: Tx) -> set[str]:
            return {lease_id for lease_id in sorted(leases) if await tx.execute(RENEW, lease_id, expires_at)}

        renewed = await self._db.write(renew)
        for lease_id, lease in leases.items():
            if lease_id in renewed:
                lease.expires_at = max(lease.expires_at, expires_at)
            elif not lease.lost:
                self._lose(lease)

    async def close(self) -> None:
        """Commit what is queued and return all leases; holds that are still open come back at their lease's expiry."""
        await self._commits.finish()
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        with suppress(Unwritable):
            for purse in list(self._purses.values()):
                await self._return(purse)
        self._commits.close()
