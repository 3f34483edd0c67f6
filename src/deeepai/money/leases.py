"""Leases: part of a balance that one node may hold against in memory.

The moves between a balance and a lease are transactions; what happens within a lease costs none. What a node that
died had leased comes back when the lease has expired. Nodes' clocks should agree to well within a lease's life.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

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

_READ_ACCOUNT: dict[Dialect, str] = {
    "sqlite": "SELECT available FROM accounts WHERE id = $1",
    "postgresql": "SELECT available FROM accounts WHERE id = $1 FOR UPDATE",
}

RENEW = "UPDATE leases SET expires_at = CASE WHEN expires_at > $2 THEN expires_at ELSE $2 END WHERE id = $1"
"""Never to an earlier time: of two renewals at once, the one that began first may come last."""

PurseKey = tuple[str, str | None]
"""Account, and token where the token has a budget of its own."""


@dataclass(slots=True, eq=False)
class Lease:
    """A lease as its node knows it. The row's amount is `free + held`, plus charges that are not committed yet."""

    id: str
    account_id: str
    token_id: str | None
    expires_at: int
    used_at: int
    free: int = 0
    held: int = 0
    lost: bool = False
    """The row is gone: the money went back to the balance."""


@dataclass(slots=True, eq=False)
class Purse:
    """The lease that serves a purse key now, if any."""

    lease: Lease | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


async def enlarge(
    tx: Tx,
    dialect: Dialect,
    key: PurseKey,
    lease: Lease | None,
    *,
    node: str,
    amount: int,
    chunk: int,
    now: int,
    expires_at: int,
) -> tuple[str, int]:
    """Renew a lease and enlarge it so that `amount` is free in it, or make a new one.

    It takes a chunk, or a quarter of what is there if that is less, so that other nodes find something too; and never
    less than what is asked for.

    Returns
    -------
    id, added : str, int

    Raises
    ------
    InsufficientFunds, BudgetExceeded
    """
    account_id, token_id = key
    lease_id, short = new_id(), amount
    known = False
    if lease is not None:
        known = await tx.execute(RENEW, lease.id, expires_at) == 1
        if known:
            lease_id, short = lease.id, amount - lease.free
            if short <= 0:
                return lease_id, 0
    available: int | None = await tx.fetchval(_READ_ACCOUNT[dialect], account_id)
    if available is None or available < short:
        raise InsufficientFunds(account_id)
    added = max(short, min(chunk, available // 4))
    if token_id is not None:
        token = await tx.fetchrow("SELECT budget, spent, held FROM tokens WHERE id = $1", token_id)
        if token is None:
            raise BudgetExceeded(account_id, token_id)
        if token["budget"] is not None:
            room: int = token["budget"] - token["spent"] - token["held"]
            if room < short:
                raise BudgetExceeded(account_id, token_id)
            added = max(short, min(added, room // 4))
    if known:
        await tx.execute("UPDATE leases SET amount = amount + $2 WHERE id = $1", lease_id, added)
    else:
        await tx.execute(
            "INSERT INTO leases (id, node, account_id, token_id, amount, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
            *(lease_id, node, account_id, token_id, added, expires_at),
        )
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
    return lease_id, added


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
    return True, await tx.execute("DELETE FROM leases WHERE id = $1 AND amount = 0", lease.id) == 1


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
