"""Takes due rows for one worker, so that no other works on them until the lease lapses."""

from __future__ import annotations

from typing import Literal

from deeepai.storage.database import Row, Tx


async def lease_rows(
    tx: Tx,
    dialect: Literal["sqlite", "postgresql"],
    *,
    table: str,
    key: str,
    due: str,
    now: int,
    until: int,
    limit: int,
    owner: str | None = None,
    only: str = "",
) -> list[Row]:
    """Lease the rows that are due the longest; return them as they are after that, in no particular order.

    Parameters
    ----------
    table, key, due : str
        Names of the table, of its primary key and of the column that says when a row is due (ms; NULL: never).
        The table has a column `leased_until`.
    now, until : int
        Milliseconds since 1970; the lease ends at `until`.
    limit : int
        Rows, at most.
    owner : str, optional
        Kept in `leased_by`, where the table has such a column.
    only : str
        A condition on the rows.
    """
    # Rows that another worker is just leasing are passed over, so that pollers never queue behind each other.
    locking = "FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    mark = "" if owner is None else ", leased_by = $4"
    condition = f"AND ({only})" if only else ""
    return await tx.fetch(
        f"WITH due AS MATERIALIZED (SELECT {key} FROM {table} WHERE {due} <= $1 AND leased_until <= $1 {condition} "
        f"ORDER BY {due} LIMIT $3 {locking}) "
        f"UPDATE {table} SET leased_until = $2{mark} WHERE {key} IN (SELECT {key} FROM due) RETURNING *",
        *((now, until, limit) if owner is None else (now, until, limit, owner)),
    )
