"""Possible debts: what open requests may cost beyond what is held for them, which has a bound for each account."""

from __future__ import annotations

from deeepai.money.entries import Dialect
from deeepai.storage.database import Tx

READ_ACCOUNT: dict[Dialect, str] = {
    "sqlite": "SELECT available FROM accounts WHERE id = $1",
    "postgresql": "SELECT available FROM accounts WHERE id = $1 FOR UPDATE",
}
"""Whoever adds to an account's possible debts reads it so first, and shuts others out until the transaction ends."""

_DEBTS = (
    "SELECT CAST(COALESCE(SUM(debt), 0) AS BIGINT) FROM (SELECT debt FROM leases WHERE account_id = $1 UNION ALL "
    "SELECT debt FROM holds WHERE account_id = $1) x"
)
LESSEN = "UPDATE leases SET debt = debt - $2 WHERE id = $1"


async def debt_for(tx: Tx, account_id: str, wanted: int, bound: int) -> int:
    """Return how much of a possible debt has room under the bound."""
    if wanted <= 0 or bound <= 0:
        return 0
    return max(0, min(wanted, bound - await tx.fetchval(_DEBTS, account_id)))
