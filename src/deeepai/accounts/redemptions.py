"""Redemption codes: money to be handed on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ..declare import Failure, Reason
from ..money.ledger import Ledger
from ..storage.database import Tx, Value
from ..storage.ids import new_id, now_ms
from . import keys
from .people import Name
from .query import Where, insertion
from .units import Moment, Usd, moment, moment_or_none, ms, nano, usd


class Code(msgspec.Struct, kw_only=True):
    """A redemption code, without its secret part."""

    id: str
    hint: str
    name: str
    amount: Usd
    status: Literal["enabled", "disabled", "used"]
    expires_at: datetime | None
    used_by: str | None
    used_at: datetime | None
    created_at: datetime


class NewCodes(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A batch of codes to be made."""

    amount: Usd
    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    name: Name = "code"
    expires_at: Moment | None = None


async def create(tx: Tx, new: NewCodes) -> list[tuple[str, str]]:
    """Make a batch; return id and code of each. The codes are nowhere to be had after this."""
    amount = nano(new.amount)
    if amount == 0:
        raise Failure(Reason.INVALID, "amount must be above 0", param="amount")
    made: list[tuple[str, str]] = []
    for _ in range(new.count):
        code = keys.new_code()
        values: dict[str, Value] = {
            "id": new_id("red_"),
            "digest": keys.digest(code),
            "hint": keys.hint(code),
            "name": new.name,
            "amount": amount,
            "expires_at": None if new.expires_at is None else ms(new.expires_at),
            "created_at": now_ms(),
        }
        await tx.execute(insertion("redemptions", values), *values.values())
        made.append((str(values["id"]), code))
    return made


async def list_codes(tx: Tx, *, status: str | None = None, after: str | None = None, limit: int = 100) -> list[Code]:
    """Return codes by id."""
    where = Where().equal("status", status)
    if after is not None:
        where.add("id > ?", after)
    rows = await tx.fetch(f"SELECT * FROM redemptions {where} ORDER BY id LIMIT {int(limit)}", *where.args)
    return [
        Code(
            id=row["id"],
            hint=row["hint"],
            name=row["name"],
            amount=usd(row["amount"]),
            status=row["status"],
            expires_at=moment_or_none(row["expires_at"]),
            used_by=row["used_by"],
            used_at=moment_or_none(row["used_at"]),
            created_at=moment(row["created_at"]),
        )
        for row in rows
    ]


async def set_status(tx: Tx, code_id: str, status: Literal["enabled", "disabled"]) -> None:
    """Enable or disable a code that is not used yet.

    Raises
    ------
    Failure
        NOT_FOUND, or CONFLICT where it is used.
    """
    if not await tx.execute("UPDATE redemptions SET status = $2 WHERE id = $1 AND status <> 'used'", code_id, status):
        if await tx.fetchval("SELECT 1 FROM redemptions WHERE id = $1", code_id) is None:
            raise Failure(Reason.NOT_FOUND, "There is no such code")
        raise Failure(Reason.CONFLICT, "The code is used already")


async def redeem(tx: Tx, ledger: Ledger, code: str, account_id: str) -> Decimal:
    """Turn a code into money of an account, once; return the amount in USD.

    Raises
    ------
    Failure
        NOT_FOUND for a code that is unknown, disabled or expired alike, CONFLICT for a used one.
    """
    digest, now = keys.digest(code.strip()), now_ms()
    taken = await tx.execute(
        "UPDATE redemptions SET status = 'used', used_by = $2, used_at = $3 "
        "WHERE digest = $1 AND status = 'enabled' AND (expires_at IS NULL OR expires_at > $3)",
        digest,
        account_id,
        now,
    )
    row = await tx.fetchrow("SELECT id, amount, status, hint FROM redemptions WHERE digest = $1", digest)
    if not taken or row is None:
        if row is not None and row["status"] == "used":
            raise Failure(Reason.CONFLICT, "The code is used already", param="code")
        raise Failure(Reason.NOT_FOUND, "There is no such code, or it is no longer valid", param="code")
    granted = await ledger.grant(
        tx, account_id, row["amount"], kind="redeem", reference=f"redeem:{row['id']}", note=row["hint"]
    )
    if not granted:
        raise Failure(Reason.CONFLICT, "The code is used already", param="code")
    return usd(row["amount"])
