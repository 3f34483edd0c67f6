"""Proves that balances follow from the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from deeepai.storage.database import Database, Tx

_FAULTS = 100
"""Of one sort, at most, so that a broken database does not flood a terminal."""


@dataclass(slots=True)
class Report:
    """What `verify` found. Totals are 10⁻⁹ USD."""

    accounts: int = 0
    entries: int = 0
    available: int = 0
    held: int = 0
    spent: int = 0
    faults: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether every balance is proved."""
        return not self.faults

    def __str__(self) -> str:
        """One line for people."""
        dollars = ", ".join(
            f"{name} {amount / 1e9:.6f}"
            for name, amount in (("available", self.available), ("held", self.held), ("spent", self.spent))
        )
        found = "all balances proved" if self.ok else f"{len(self.faults)} faults"
        return f"{self.accounts} accounts, {self.entries} entries: {dollars} USD; {found}"


def _sum(column: str, table: str, by: str, where: str = "true") -> str:
    return f"SELECT {by} AS id, CAST(SUM({column}) AS BIGINT) AS total FROM {table} WHERE {where} GROUP BY {by}"


_LEDGER = (
    "SELECT account_id AS id, CAST(SUM(available) AS BIGINT) AS available, CAST(SUM(held) AS BIGINT) AS held, "
    "CAST(SUM(spent) AS BIGINT) AS spent FROM ledger GROUP BY account_id"
)
_HOLDS_AND_LEASES = (
    "(SELECT account_id, token_id, amount FROM holds UNION ALL SELECT account_id, token_id, amount FROM leases) x"
)
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "account {id}: {a} available, {b} held, {c} spent, but its ledger says {d}, {e}, {f}",
        "SELECT a.id, a.available AS a, a.held AS b, a.spent AS c, COALESCE(l.available, 0) AS d, "
        "COALESCE(l.held, 0) AS e, COALESCE(l.spent, 0) AS f "
        f"FROM accounts a LEFT JOIN ({_LEDGER}) l ON l.id = a.id "
        "WHERE a.available <> COALESCE(l.available, 0) OR a.held <> COALESCE(l.held, 0) "
        "OR a.spent <> COALESCE(l.spent, 0)",
    ),
    (
        "account {id}: {a} held, but its open holds and leases add up to {b}",
        "SELECT a.id, a.held AS a, COALESCE(x.total, 0) AS b FROM accounts a "
        f"LEFT JOIN ({_sum('amount', _HOLDS_AND_LEASES, 'account_id')}) x ON x.id = a.id "
        "WHERE a.held <> COALESCE(x.total, 0)",
    ),
    (
        "token {id}: {a} held, but its open holds and leases add up to {b}",
        "SELECT t.id, t.held AS a, COALESCE(x.total, 0) AS b FROM tokens t "
        f"LEFT JOIN ({_sum('amount', _HOLDS_AND_LEASES, 'token_id', 'token_id IS NOT NULL')}) x ON x.id = t.id "
        "WHERE t.held <> COALESCE(x.total, 0)",
    ),
    (
        "token {id}: {a} spent, but its ledger says {b}",
        "SELECT t.id, t.spent AS a, COALESCE(l.total, 0) AS b FROM tokens t "
        f"LEFT JOIN ({_sum('spent', 'ledger', 'token_id', 'token_id IS NOT NULL')}) l ON l.id = t.id "
        "WHERE t.spent <> COALESCE(l.total, 0)",
    ),
    (
        "request {id} ended {a} times",
        "SELECT request_id AS id, COUNT(*) AS a FROM ledger WHERE kind IN ('charge', 'void') "
        "GROUP BY request_id HAVING COUNT(*) > 1",
    ),
    (
        "request {id}: its hold neither ended nor is open",
        "SELECT h.request_id AS id FROM ledger h WHERE h.kind = 'hold' "
        "AND NOT EXISTS (SELECT 1 FROM holds o WHERE o.request_id = h.request_id) AND NOT EXISTS "
        "(SELECT 1 FROM ledger e WHERE e.request_id = h.request_id AND e.kind IN ('charge', 'void'))",
    ),
    (
        "request {id}: its hold is open and has ended",
        "SELECT o.request_id AS id FROM holds o WHERE EXISTS "
        "(SELECT 1 FROM ledger e WHERE e.request_id = o.request_id AND e.kind IN ('charge', 'void'))",
    ),
    (
        "request {id}: a {a} creates {b}",
        "SELECT request_id AS id, kind AS a, available + held + spent AS b FROM ledger "
        "WHERE kind NOT IN ('grant', 'redeem', 'adjust') AND available + held + spent <> 0",
    ),
    (
        "request {id}: charged {a}, but its usage says {b}",
        "SELECT l.request_id AS id, l.spent AS a, u.cost AS b FROM ledger l JOIN usage u "
        "ON u.request_id = l.request_id WHERE l.kind = 'charge' AND l.spent <> u.cost",
    ),
    ("lease {id}: {a} left", "SELECT id, amount AS a FROM leases WHERE amount < 0"),
    ("lease {id}: a possible debt of {a}", "SELECT id, debt AS a FROM leases WHERE debt < 0"),
    (
        "ledger: entries of an account {id} that does not exist",
        "SELECT DISTINCT account_id AS id FROM ledger WHERE account_id NOT IN (SELECT id FROM accounts)",
    ),
)


async def verify(db: Database) -> Report:
    """Check every balance against the ledger, the open holds and the leases, on one snapshot."""

    async def work(tx: Tx) -> Report:
        totals = await tx.fetchrow(
            "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(available), 0) AS BIGINT) AS a, "
            "CAST(COALESCE(SUM(held), 0) AS BIGINT) AS h, CAST(COALESCE(SUM(spent), 0) AS BIGINT) AS s FROM accounts"
        )
        entries = await tx.fetchval("SELECT COUNT(*) FROM ledger")
        report = Report(entries=entries)
        if totals is not None:
            report.accounts, report.available = totals["n"], totals["a"]
            report.held, report.spent = totals["h"], totals["s"]
        for words, sql in _CHECKS:
            for row in await tx.fetch(f"{sql} LIMIT {_FAULTS}"):
                report.faults.append(words.format(**dict(row)))
        return report

    return await db.read(work)
