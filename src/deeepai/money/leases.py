"""Leases: part of a balance that one node may hold against in memory.

The moves between a balance and a lease are transactions; what happens within a lease costs none. What a node that
died had leased comes back when the lease has expired. Nodes' clocks should agree to well within a lease's life.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from deeepai.money.debts import READ_ACCOUNT, debt_for
from deeepai.money.entries import (
    CHANGE_ACCOUNT,
    CHANGE_TOKEN,
    INSERT_ENTRY,
    TAKE_LEASE,
    BudgetExceeded,
    Dialect,
    InsufficientFunds,
)
from deeepai.storage.database import Tx
from deeepai.storage.ids import new_id

RENEW = "UPDATE leases SET expires_at = CASE WHEN expires_at > $2 THEN expires_at ELSE $2 END WHERE id = $1"
"""Never to an earlier time: of two renewals at once, the one that began first may come last."""

PurseKey = tuple[str, str | None]
"""Account, and token where the token has a budget of its own."""


@dataclass(slots=True, eq=False)
class Lease:
    """A lease as its node knows it. The row's amount is `free + held`, plus charges that are not committed yet.

    What is reserved while the lease is enlarged is part of neither.
    """

    id: str
    account_id: str
    token_id: str | None
    expires_at: int
    used_at: int
    free: int = 0
    held: int = 0
    lost: bool = False
    """The row is gone: the money went back to the balance."""


@dataclass(slots=True, frozen=True)
class Need:
    """What a request is to be held by, 10⁻⁹ USD.

    Attributes
    ----------
    amount, most : int
        What is to be held at least, and what the request may cost: all of it is held where that is there.
    reserved : int
        What the lease has for it already.
    bound : int
        What the possible debts of the account's open requests may add up to.
    chunk : int
        What a lease takes at a time.
    """

    amount: int
    most: int
    reserved: int
    bound: int
    chunk: int


@dataclass(slots=True, eq=False)
class Purse:
    """The lease that serves a purse key now, if any."""

    lease: Lease | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0

    def reserve(self, most: int) -> int:
        """Take up to so much of what is free, so that nobody holds against it meanwhile."""
        if self.lease is None:
            return 0
        reserved = max(0, min(self.lease.free, most))
        self.lease.free -= reserved
        return reserved

    def unreserve(self, reserved: int) -> None:
        """Free what was reserved."""
        if self.lease is not None:
            self.lease.free += reserved

    def enlarged(self, key: PurseKey, lease_id: str, added: int, now: int, expires_at: int) -> Lease:
        """Note what a lease became: the one that is here, or another if that was lost."""
        lease = self.lease
        if lease is None or lease.id != lease_id:
            if lease is not None:
                lease.lost = True
            lease = self.lease = Lease(lease_id, key[0], key[1], expires_at, now)
        lease.free += added
        lease.used_at = now
        lease.expires_at = max(lease.expires_at, expires_at)
        return lease


async def enlarge(
    tx: Tx,
    dialect: Dialect,
    key: PurseKey,
    lease: Lease | None,
    *,
    node: str,
    need: Need,
    now: int,
    expires_at: int,
) -> tuple[str, int, int]:
    """Renew a lease and enlarge it so that a request may be held, or make a new one.

    It takes a chunk, or a quarter of what is there if that is less, so that other nodes find something too; and never
    less than what is asked for.

    Returns
    -------
    id, added, debt : str, int, int
        With this much possible debt, `need.most - debt` is to be held.

    Raises
    ------
    InsufficientFunds, BudgetExceeded
    """
    account_id, token_id = key
    lease_id, known = new_id(), False
    if lease is not None:
        known = await tx.execute(RENEW, lease.id, expires_at) == 1
        if known:
            lease_id = lease.id
    wanted = need.most - need.reserved if known else need.most
    available: int | None = await tx.fetchval(READ_ACCOUNT[dialect], account_id)
    if available is None:
        raise InsufficientFunds(account_id)
    room: int | None = None
    if token_id is not None:
        token = await tx.fetchrow("SELECT budget, spent, held FROM tokens WHERE id = $1", token_id)
        if token is None:
            raise BudgetExceeded(account_id, token_id)
        if token["budget"] is not None:
            room = token["budget"] - token["spent"] - token["held"]
    debt = 0
    if min(available, available if room is None else room) < wanted:
        debt = await debt_for(tx, account_id, need.most - need.amount, need.bound)
    short = max(0, wanted - debt)
    if available < short:
        raise InsufficientFunds(account_id)
    if token_id is not None and room is not None and room < short:
        raise BudgetExceeded(account_id, token_id)
    # What is borrowed against leaves nothing to take in store.
    added = short if debt else max(short, min(need.chunk, available // 4, need.chunk if room is None else room // 4))
    if known:
        await tx.execute(
            "UPDATE leases SET amount = amount + $2, debt = debt + $3 WHERE id = $1", lease_id, added, debt
        )
    else:
        await tx.execute(
            "INSERT INTO leases (id, node, account_id, token_id, amount, debt, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *(lease_id, node, account_id, token_id, added, debt, expires_at),
        )
    if not added:
        return lease_id, 0, debt
    covered = await tx.execute(
        "UPDATE accounts SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2",
        *(account_id, added),
    )
    if not covered:
        raise InsufficientFunds(account_id)
    if token_id is not None:
        within = await tx.execute(
            "UPDATE tokens SET held = held + $2 WHERE id = $1 AND (budget IS NULL OR spent + held + $2 <= budget)",
            *(token_id, added),
        )
        if not within:
            raise BudgetExceeded(account_id, token_id)
    await tx.execute(INSERT_ENTRY, f"{lease_id}:{new_id()}", "lease", account_id, token_id, -added, added, 0, None, now)
    return lease_id, added, debt


async def _give_back(tx: Tx, lease_id: str, key: PurseKey, amount: int, now: int) -> None:
    account_id, token_id = key
    await tx.execute(CHANGE_ACCOUNT, account_id, amount, -amount, 0)
    if token_id is not None:
        await tx.execute(CHANGE_TOKEN, token_id, -amount, 0)
    await tx.execute(
        INSERT_ENTRY, f"{lease_id}:{new_id()}", "return", account_id, token_id, amount, -amount, 0, None, now
    )


async def shrink(tx: Tx, lease: Lease, amount: int, now: int) -> tuple[bool, bool]:
    """Return part of a lease to the balance, and end a lease that has nothing left.

    Returns
    -------
    known, ended : bool, bool
        Whether the lease was still there, and whether this was its end.
    """
    taken = await tx.execute(TAKE_LEASE, lease.id, amount)
    if not taken:
        return False, True
    if amount:
        await _give_back(tx, lease.id, (lease.account_id, lease.token_id), amount, now)
    return True, await tx.execute("DELETE FROM leases WHERE id = $1 AND amount = 0 AND debt = 0", lease.id) == 1


async def end_expired(tx: Tx, lease_id: str, now: int) -> bool:
    """Return all of a lease that has expired; False where it was renewed or ended meanwhile."""
    row = await tx.fetchrow(
        "DELETE FROM leases WHERE id = $1 AND expires_at <= $2 RETURNING account_id, token_id, amount", lease_id, now
    )
    if row is None:
        return False
    if row["amount"]:
        await _give_back(tx, lease_id, (row["account_id"], row["token_id"]), row["amount"], now)
    return True
