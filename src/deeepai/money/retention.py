"""Old usage rows: an operator may have them forgotten. The ledger, which proves balances, is kept whole."""

from __future__ import annotations

from deeepai.storage.database import Database
from deeepai.storage.ids import first_id

MOST = 2000
"""Rows forgotten at once, so that charges hardly wait."""


async def forget_usage(db: Database, before: int, *, most: int = MOST) -> int:
    """Delete usage rows of before a time (ms since 1970), `most` at most; return how many that were."""
    # Ids sort by time, so that this walks no more than it deletes.
    sql = (
        "DELETE FROM usage WHERE request_id IN "
        f"(SELECT request_id FROM usage WHERE request_id < $1 AND created_at < $2 ORDER BY request_id LIMIT {most})"
    )
    return await db.write(lambda tx: tx.execute(sql, first_id(before, "req_"), before))
