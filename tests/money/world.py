"""Accounts, tokens and usage rows to try the ledger on."""

from __future__ import annotations

from typing import Any

from deeepai.money.ledger import Hold, Ledger, Settlement, UsageRow, verify
from deeepai.storage.database import Database, Tx
from deeepai.storage.ids import new_id


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


async def add_account(db: Database, account_id: str, amount: int, tokens: dict[str, int | None]) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO accounts (id, kind, name, created_at) VALUES ($1, 'person', $2, 0)", account_id, account_id
        )
        for token_id, budget in tokens.items():
            await tx.execute(
                "INSERT INTO tokens (id, account_id, name, digest, hint, mode, budget, created_at) "
                "VALUES ($1, $2, 't', $3, 'h', 'live', $4, 0)",
                *(token_id, account_id, token_id, budget),
            )
        if amount:
            await Ledger(db, node="setup").grant(
                tx, account_id, amount, kind="grant", reference=f"start of {account_id}"
            )

    await db.write(work)


def usage(request_id: str, account_id: str = "a", token_id: str = "t", **more: Any) -> UsageRow:
    return UsageRow(
        request_id=request_id,
        account_id=account_id,
        token_id=token_id,
        protocol="openai",
        operation="chat",
        status=200,
        **more,
    )


async def hold(
    ledger: Ledger, amount: int, *, account_id: str = "a", token_id: str = "t", budgeted: bool = False
) -> Hold:
    return await ledger.hold(new_id(), account_id, token_id, amount, budgeted=budgeted)


async def settle(ledger: Ledger, held: Hold, cost: int, **more: Any) -> None:
    row = usage(held.request_id, held.account_id, held.token_id or "t", **more)
    await ledger.settle(Settlement(held.request_id, held, cost, row))


async def settled(ledger: Ledger, held: Hold, cost: int, **more: Any) -> None:
    """Settle, and have it reach the tables."""
    await settle(ledger, held, cost, **more)
    await ledger.drain()


async def proved(db: Database) -> None:
    report = await verify(db)
    assert report.ok, report.faults


async def rows(db: Database, sql: str, *args: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.read(lambda tx: tx.fetch(sql, *args))]


async def token(db: Database, token_id: str = "t") -> tuple[int, int]:
    """Return what a token has held and spent."""
    row = await db.read(lambda tx: tx.fetchrow("SELECT held, spent FROM tokens WHERE id = $1", token_id))
    assert row is not None
    return row["held"], row["spent"]
