"""Durable money moves, each within the caller's own transaction.

Rows are always changed in this order: holds and leases, accounts, tokens.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from deeepai.money.debts import READ_ACCOUNT, debt_for
from deeepai.money.entries import (
    CHANGE_ACCOUNT,
    CHANGE_TOKEN,
    INSERT_ENTRY,
    UPSERT_USAGE,
    BudgetExceeded,
    Dialect,
    InsufficientFunds,
    UsageRow,
    cleaned,
)
from deeepai.storage.database import Row, Tx
from deeepai.storage.ids import now_ms


async def open_hold(
    tx: Tx,
    *,
    request_id: str,
    account_id: str,
    token_id: str | None,
    amount: int,
    expires_at: int,
    task_id: str | None = None,
    most: int = 0,
    bound: int = 0,
    dialect: Dialect = "sqlite",
) -> None:
    """Hold an amount; where the work may cost more, all of that, or what the bound on possible debts leaves of it.

    Raises
    ------
    InsufficientFunds, BudgetExceeded
        Nothing is held; the exception must end the transaction.
    ValueError
        The amount is negative, or the request id was used before.
    """
    if amount < 0:
        raise ValueError("a hold is not negative")
    debt = 0
    if most > amount:
        available = await tx.fetchval(READ_ACCOUNT[dialect], account_id)
        room = None
        if token_id is not None:
            room = await tx.fetchval("SELECT budget - spent - held FROM tokens WHERE id = $1", token_id)
        if min(available or 0, most if room is None else room) < most:
            debt = await debt_for(tx, account_id, most - amount, bound)
        amount = most - debt
    entered = await tx.execute(
        INSERT_ENTRY, request_id, "hold", account_id, token_id, -amount, amount, 0, None, now_ms()
    )
    if not entered:
        raise ValueError(f"request {request_id} was held before")
    await tx.execute(
        "INSERT INTO holds (request_id, account_id, token_id, amount, debt, task_id, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(request_id, account_id, token_id, amount, debt, task_id, expires_at),
    )
    covered = await tx.execute(
        "UPDATE accounts SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2",
        *(account_id, amount),
    )
    if not covered:
        raise InsufficientFunds(account_id)
    if token_id is not None:
        within = await tx.execute(
            "UPDATE tokens SET held = held + $2 WHERE id = $1 AND (budget IS NULL OR spent + held + $2 <= budget)",
            *(token_id, amount),
        )
        if not within:
            raise BudgetExceeded(account_id, token_id)


async def _close_hold(tx: Tx, kind: Literal["charge", "void"], request_id: str, cost: int) -> Row | None:
    hold = await tx.fetchrow(
        "DELETE FROM holds WHERE request_id = $1 RETURNING account_id, token_id, amount", request_id
    )
    if hold is None:
        return None
    account_id, token_id, amount = hold["account_id"], hold["token_id"], hold["amount"]
    await tx.execute(INSERT_ENTRY, request_id, kind, account_id, token_id, amount - cost, -amount, cost, None, now_ms())
    await tx.execute(CHANGE_ACCOUNT, account_id, amount - cost, -amount, cost)
    if token_id is not None:
        await tx.execute(CHANGE_TOKEN, token_id, -amount, cost)
    return hold


async def charge(tx: Tx, request_id: str, cost: int, usage_row: UsageRow | None = None) -> bool:
    """End a hold by taking what the work cost, in full even where that is more than was held.

    Returns
    -------
    bool
        False where the hold was closed before: nothing changes then.
    """
    if cost < 0:
        raise ValueError("a cost is not negative")
    if await _close_hold(tx, "charge", request_id, cost) is None:
        return False
    if usage_row is None:
        await tx.execute("UPDATE usage SET cost = $2 WHERE request_id = $1", request_id, cost)
    else:
        row = cleaned(usage_row)
        row.cost = cost
        await tx.execute(UPSERT_USAGE, *msgspec.structs.astuple(row))
    return True


async def void(tx: Tx, request_id: str) -> bool:
    """End a hold by giving all of it back; False where it was closed before."""
    return await _close_hold(tx, "void", request_id, 0) is not None


async def grant(
    tx: Tx,
    account_id: str,
    amount: int,
    *,
    kind: Literal["grant", "redeem", "adjust"],
    reference: str,
    note: str | None = None,
) -> bool:
    """Add to what an account has available (or take from it), once for each kind and reference.

    Returns
    -------
    bool
        False where that reference was used before: nothing changes then.

    Raises
    ------
    LookupError
        No such account; the exception must end the transaction.
    """
    if not await tx.execute(INSERT_ENTRY, reference, kind, account_id, None, amount, 0, 0, note, now_ms()):
        return False
    if not await tx.execute(CHANGE_ACCOUNT, account_id, amount, 0, 0):
        raise LookupError(f"no account {account_id}")
    return True
