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
from typing import Any

import msgspec

from deeepai.money import holds, sweeping
from deeepai.money.audit import Report, verify
from deeepai.money.debts import LESSEN
from deeepai.money.entries import (
    BULK,
    INSERT_USAGE,
    UPSERT_USAGE,
    BudgetExceeded,
    InsufficientFunds,
    UsageRow,
    cleaned,
)
from deeepai.money.journal import Journal
from deeepai.money.leases import RENEW, Lease, Need, Purse, PurseKey, enlarge, shrink
from deeepai.money.settlements import Contended, Hold, Item, Settlement, group, settle_alone
from deeepai.storage.database import Database, Tx
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

_GROUP = 1024
_LINGER_SECONDS = 0.1
"""For how long charges that are in the journal wait for others: seldom enough that few requests meet the commit."""
_RETRY_SECONDS = (0.05, 0.2, 0.8, 2.0)
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
        self._bulk = BULK[db.dialect]
        self._purses: dict[PurseKey, Purse] = {}
        self._items: list[Item] = []
        self._rows: list[UsageRow] = []
        self._flusher: asyncio.Task[None] | None = None
        self._journal: Journal | None = None
        self._linger: asyncio.Future[None] | None = None
        self._closing = False
        self._unsettled = False
        """The end came before the database took all that is in the journal."""
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
                await self.drain()
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
        hold = settlement.hold
        debt = 0 if hold is None or hold.closed else hold.debt
        await self._settle(settlement)
        if debt and hold is not None and hold.lease is not None:
            await asyncio.shield(self._start(self._lessen(hold.lease, debt)))

    async def _settle(self, settlement: Settlement) -> None:
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
        # What nobody held for is looked at first: there may be no such account.
        if hold is not None and not repeated and self._committed(item):
            self._items.append(item)
            if self._flusher is None:
                self._flush_soon()
            elif len(self._items) >= _GROUP:
                self._hurry()
                await asyncio.sleep(0)
            return
        item.future = asyncio.get_running_loop().create_future()
        self._items.append(item)
        if self._flusher is None:
            self._flusher = self._start(self._flush())
        await item.future

    def _committed(self, item: Item) -> bool:
        if self._journal is None and self._db.beside is not None:
            self._journal = Journal(self._db.beside)
        return self._journal is not None and self._journal.append(item)

    def record(self, row: UsageRow) -> None:
        """Write a usage row without money, with the next group; nobody waits for it."""
        self._rows.append(row)
        if self._flusher is not None:
            return
        if self._journal is None:
            self._flusher = self._start(self._flush())
        else:
            self._flush_soon()

    async def _settle_durable(self, hold: Hold, settlement: Settlement) -> None:
        row = settlement.row

        async def work(tx: Tx) -> None:
            if settlement.cost:
                await holds.charge(tx, hold.request_id, settlement.cost, row)
            elif await holds.void(tx, hold.request_id):
                await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(cleaned(row)))

        await self._db.write(work)
        hold.closed = True

    def _flush_soon(self) -> None:
        loop = asyncio.get_running_loop()
        self._linger = loop.create_future()
        loop.call_later(_LINGER_SECONDS, _end, self._linger)
        self._flusher = self._start(self._flush_after(self._linger))

    async def _flush_after(self, linger: asyncio.Future[None]) -> None:
        await linger
        await self._flush()

    def _hurry(self) -> None:
        if self._linger is not None:
            _end(self._linger)

    async def drain(self) -> None:
        """Have all that is committed reach the tables, for somebody who wants to look at them."""
        self._hurry()
        if self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def _flush(self) -> None:
        journal = self._journal
        try:
            while self._items or self._rows:
                # Groups end with the journal's file, so that it can be cleared.
                ended = None if journal is None else journal.turn()
                items, self._items = self._items, []
                rows, self._rows = self._rows, []
                try:
                    for at in range(0, max(len(items), len(rows)), _GROUP):
                        await self._commit(items[at : at + _GROUP], rows[at : at + _GROUP])
                except BaseException:
                    self._items = items + self._items
                    raise
                if journal is not None and ended is not None and not self._unsettled:
                    journal.clear(ended)
        finally:
            self._flusher = None

    async def _commit(self, items: list[Item], rows: list[UsageRow]) -> None:
        if self._commit_now(items, rows):
            return
        try:
            await self._db.write(group(items, rows, self._bulk, self._clock()))
        except Exception:
            # Whatever it was, each is judged alone, and no poor row keeps others from their commit.
            await self._one_by_one(items, rows)
        else:
            _tell(items)

    def _commit_now(self, items: list[Item], rows: list[UsageRow]) -> bool:
        """Commit a group on this thread; where that fails or would wait, nothing has changed."""
        try:
            if self._db.write_now(group(items, rows, self._bulk, self._clock())) is None:
                return False
        except Exception:
            return False
        _tell(items)
        return True

    async def _one_by_one(self, items: list[Item], rows: list[UsageRow]) -> None:
        for item in items:
            try:
                await self._settle_alone(item)
            except Exception as error:
                log.exception("request %s was not settled", item.settlement.request_id)
                if item.future is None:
                    self._unsettled |= not isinstance(error, LookupError)
                    continue
                self._reopen(item)
                if not item.future.done():
                    item.future.set_exception(error)
            else:
                _tell([item])
        for row in rows:
            try:
                values = msgspec.structs.astuple(cleaned(row))
                await self._db.write(lambda tx, values=values: tx.execute(INSERT_USAGE, *values))
            except Exception:
                log.exception("usage of request %s was not recorded", row.request_id)

    def _reopen(self, item: Item) -> None:
        hold = item.settlement.hold
        if hold is None or item.repeated:
            return
        if item.lease is not None:
            item.lease.held += hold.amount
            item.lease.free += item.taken - hold.amount
        hold.closed = False

    async def _settle_alone(self, item: Item) -> None:
        """Settle one request, doing nothing where it was settled before; a connection that is cut is tried again."""
        pauses = iter(_RETRY_SECONDS)
        while True:
            try:
                known = await self._db.write(lambda tx: settle_alone(tx, item, self._clock()))
            except Exception as fault:
                # What is in the journal is charged already: it is tried until the database takes it, or the end comes.
                lasting = item.future is None and not isinstance(fault, LookupError) and not self._closing
                passing = isinstance(fault, OSError | Contended)
                pause = next(pauses, _RETRY_SECONDS[-1] if lasting else None)
                if pause is None or not (passing or lasting):
                    raise
                await asyncio.sleep(pause)
            else:
                if not known and item.lease is not None:
                    self._lose(item.lease)
                return

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
        self._closing = True
        self._hurry()
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        for purse in list(self._purses.values()):
            await self._return(purse)
        if self._journal is not None:
            self._journal.close(keep=self._unsettled)
            self._journal = None


def _end(linger: asyncio.Future[None]) -> None:
    if not linger.done():
        linger.set_result(None)


def _tell(items: list[Item]) -> None:
    for item in items:
        if item.future is not None and not item.future.done():
            item.future.set_result(None)
