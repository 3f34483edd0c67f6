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
from typing import Any, Literal

import msgspec

from deeepai.declare import FINAL
from deeepai.money import holds
from deeepai.money.audit import Report, verify
from deeepai.money.commits import Commits
from deeepai.money.entries import (
    UPSERT_USAGE,
    BudgetExceeded,
    InsufficientFunds,
    UsageRow,
    cleaned,
)
from deeepai.money.journal import orphans
from deeepai.money.leases import RENEW, Lease, Purse, PurseKey, end_expired, enlarge, shrink
from deeepai.money.settlements import Hold, Item, Settlement, settle_alone
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

_SWEEP = 500
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
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._db = db
        self._node = node
        self._ttl_ms = round(lease_ttl * 1000)
        self._idle_ms = round(lease_idle * 1000)
        self._chunk = lease_chunk
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
        self, request_id: str, account_id: str, token_id: str | None, amount: int, *, budgeted: bool
    ) -> Hold:
        """Hold, enlarging the lease where that is needed.

        Raises
        ------
        InsufficientFunds, BudgetExceeded
        """
        key = (account_id, token_id if budgeted else None)
        reclaimed = False
        while (hold := self.try_hold(request_id, account_id, token_id, amount, budgeted=budgeted)) is None:
            try:
                # Shielded: the caller may leave, but what the transaction leased must reach the purse.
                await asyncio.shield(self._start(self._refill(key, amount)))
            except BudgetExceeded:
                raise
            except InsufficientFunds:
                if reclaimed or not await self.release(account_id):
                    raise
                reclaimed = True
        return hold

    def cancel(self, hold: Hold) -> None:
        """Void a hold of this node's memory without a usage row; repeating does nothing."""
        if not hold.closed and hold.lease is not None:
            hold.lease.held -= hold.amount
            hold.lease.free += hold.amount
        hold.closed = True

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _refill(self, key: PurseKey, amount: int) -> None:
        purse = self._purses.setdefault(key, Purse())
        purse.users += 1
        try:
            async with purse.lock:
                lease = purse.lease
                now = self._clock()
                if lease is not None and lease.free >= amount and now < lease.expires_at:
                    return  # another waiter was first
                # Budgets are judged by what the tables say was spent.
                if not await self.drain():
                    raise Unwritable("charges wait for the database")
                expires_at = now + self._ttl_ms

                async def work(tx: Tx) -> tuple[str, int]:
                    return await enlarge(
                        *(tx, self._db.dialect, key, lease),
                        node=self._node,
                        amount=amount,
                        chunk=self._chunk,
                        now=now,
                        expires_at=expires_at,
                    )

                lease_id, added = await self._db.write(work)
                if lease is None or lease.id != lease_id:
                    if lease is not None:
                        lease.lost = True
                    lease = purse.lease = Lease(lease_id, key[0], key[1], expires_at, now)
                lease.free += added
                lease.expires_at = max(lease.expires_at, expires_at)
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
        taken = 0
        repeated = False
        if hold is not None:
            repeated = hold.closed
            lease = None if repeated else hold.lease
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
    ) -> None:
        """Hold durably.

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
        )

    async def charge(self, tx: Tx, request_id: str, cost: int, usage_row: UsageRow | None = None) -> bool:
        """End a durable hold by taking what the work cost; False where it was closed before: nothing changes then.

        The usage row is written, or takes its cost, basis, consumption, status and error from `usage_row`.
        """
        return await holds.charge(tx, request_id, cost, usage_row)

    async def void(self, tx: Tx, request_id: str) -> bool:
        """End a durable hold by giving it back; False where it was closed before."""
        return await holds.void(tx, request_id)

    async def grant(
        self,
        tx: Tx,
        account_id: str,
        amount: int,
        *,
        kind: Literal["grant", "redeem", "adjust"],
        reference: str,
        note: str | None = None,
    ) -> bool:
        """Add to an account (or take, where negative); False where that kind and reference were used before.

        Raises
        ------
        LookupError
            No such account.
        """
        return await holds.grant(tx, account_id, amount, kind=kind, reference=reference, note=note)

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
        count = 0
        for orphan in orphans(self._db.beside) if self._db.beside is not None else ():
            for item in orphan.items():
                try:
                    await self._db.write(lambda tx, item=item: settle_alone(tx, item, self._clock()))
                except Unwritable:
                    log.error("charges of a node that died wait for the database")
                    return count
                except LookupError:
                    log.exception("request %s was not settled", item.settlement.request_id)
                count += 1
            orphan.remove()
        return count

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
        await self._sweep_leases()
        await self._sweep_holds()

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

    async def _sweep_leases(self) -> None:
        now = self._clock()
        rows = await self._db.read(
            lambda tx: tx.fetch("SELECT id FROM leases WHERE expires_at <= $1 LIMIT $2", now, _SWEEP)
        )
        for row in rows:
            await self._db.write(lambda tx, lease_id=row["id"]: end_expired(tx, lease_id, now))

    async def _sweep_holds(self) -> None:
        final = ", ".join(f"'{state.value}'" for state in sorted(FINAL))
        rows = await self._db.read(
            lambda tx: tx.fetch(
                "SELECT request_id FROM holds WHERE expires_at <= $1 AND (task_id IS NULL OR NOT EXISTS "
                f"(SELECT 1 FROM tasks WHERE tasks.id = holds.task_id AND tasks.state NOT IN ({final}))) LIMIT $2",
                *(self._clock(), _SWEEP),
            )
        )
        for row in rows:
            await self._db.write(lambda tx, request_id=row["request_id"]: holds.void(tx, request_id))

    async def close(self) -> None:
        """Commit what is queued and return all leases; holds that are still open come back at their lease's expiry."""
        await self._commits.finish()
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        with suppress(Unwritable):
            for purse in list(self._purses.values()):
                await self._return(purse)
        self._commits.close()
