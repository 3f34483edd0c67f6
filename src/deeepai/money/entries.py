"""Rows that money leaves behind, and the statements that write many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from deeepai.storage.database import Tx, Value
from deeepai.storage.ids import now_ms

Dialect = Literal["sqlite", "postgresql"]


class InsufficientFunds(Exception):
    """An account has less available than must be held."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"account {account_id} has too little available")
        self.account_id = account_id


class BudgetExceeded(InsufficientFunds):
    """A token's own budget has less room than must be held."""

    def __init__(self, account_id: str, token_id: str) -> None:
        super().__init__(account_id)
        self.args = (f"the budget of token {token_id} has too little room",)
        self.token_id = token_id


class UsageRow(msgspec.Struct, kw_only=True):
    """One request, as the table `usage` keeps it."""

    request_id: str
    account_id: str
    token_id: str
    protocol: str
    operation: str
    status: int
    user_id: str | None = None
    model: str | None = None
    upstream_model: str | None = None
    channel_id: str | None = None
    task_id: str | None = None
    cost: int = 0
    basis: str | None = None
    consumed: str | None = None
    streamed: int = 0
    attempts: int = 1
    latency_ms: int = 0
    first_byte_ms: int | None = None
    overhead_us: int | None = None
    error: str | None = None
    ip: str | None = None
    created_at: int = msgspec.field(default_factory=now_ms)


class Entry(msgspec.Struct):
    """One line of the ledger; the three deltas of a move add up to what came from outside."""

    request_id: str
    kind: str
    account_id: str
    token_id: str | None
    available: int
    held: int
    spent: int
    note: str | None
    created_at: int


class AccountChange(msgspec.Struct):
    """Deltas of one account."""

    id: str
    available: int = 0
    held: int = 0
    spent: int = 0


class TokenChange(msgspec.Struct):
    """Deltas of one token."""

    id: str
    held: int = 0
    spent: int = 0


class LeaseChange(msgspec.Struct):
    """What a lease is to give."""

    id: str
    amount: int = 0


INSERT_ENTRY = (
    "INSERT INTO ledger (request_id, kind, account_id, token_id, available, held, spent, note, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"
)
CHANGE_ACCOUNT = "UPDATE accounts SET available = available + $2, held = held + $3, spent = spent + $4 WHERE id = $1"
CHANGE_TOKEN = "UPDATE tokens SET held = held + $2, spent = spent + $3 WHERE id = $1"
TAKE_LEASE = "UPDATE leases SET amount = amount - $2 WHERE id = $1 AND amount >= $2"


def _insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    width = len(columns)
    values = (", ".join(f"${row * width + n + 1}" for n in range(width)) for row in range(rows))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(f'({row})' for row in values)}"


_USAGE = UsageRow.__struct_fields__
INSERT_USAGE = f"{_insert('usage', _USAGE, 1)} ON CONFLICT DO NOTHING"
UPSERT_USAGE = f"{_insert('usage', _USAGE, 1)} ON CONFLICT (request_id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in ("cost", "basis", "consumed", "task_id", "error", "status")
)


class Bulk(Protocol):
    """Writes of many rows at once, each in as few steps as its database likes best.

    Each returns how many rows were written; fewer than given means that something is amiss with one of them.
    """

    async def usage(self, tx: Tx, rows: Sequence[UsageRow]) -> int:
        """Insert usage rows whose request is new."""
        ...

    async def entries(self, tx: Tx, rows: Sequence[Entry]) -> int:
        """Insert entries whose request and kind are new."""
        ...

    async def accounts(self, tx: Tx, changes: Sequence[AccountChange]) -> int:
        """Change accounts."""
        ...

    async def tokens(self, tx: Tx, changes: Sequence[TokenChange]) -> int:
        """Change tokens."""
        ...

    async def leases(self, tx: Tx, changes: Sequence[LeaseChange]) -> int:
        """Take from leases that have enough left."""
        ...


class _SQLiteBulk:
    """Each step of SQLite gives up Python's lock and must win it back, so rows go in by many to a step."""

    _SIZES = (64, 32, 16, 8, 4, 2, 1)

    def __init__(self) -> None:
        self._usage = self._inserts("usage", _USAGE)
        self._entries = self._inserts("ledger", Entry.__struct_fields__)

    def _inserts(self, table: str, columns: tuple[str, ...]) -> dict[int, str]:
        return {size: f"{_insert(table, columns, size)} ON CONFLICT DO NOTHING" for size in self._SIZES}

    async def _many(self, tx: Tx, inserts: dict[int, str], rows: Sequence[msgspec.Struct]) -> int:
        if len(rows) == 1:
            return await tx.execute(inserts[1], *msgspec.structs.astuple(rows[0]))
        written = start = 0
        for size in self._SIZES:
            while len(rows) - start >= size:
                values: list[Value] = []
                for row in rows[start : start + size]:
                    values += msgspec.structs.astuple(row)
                written += await tx.execute(inserts[size], *values)
                start += size
        return written

    async def usage(self, tx: Tx, rows: Sequence[UsageRow]) -> int:
        return await self._many(tx, self._usage, rows)

    async def entries(self, tx: Tx, rows: Sequence[Entry]) -> int:
        return await self._many(tx, self._entries, rows)

    async def accounts(self, tx: Tx, changes: Sequence[AccountChange]) -> int:
        return sum([await tx.execute(CHANGE_ACCOUNT, c.id, c.available, c.held, c.spent) for c in changes])

    async def tokens(self, tx: Tx, changes: Sequence[TokenChange]) -> int:
        return sum([await tx.execute(CHANGE_TOKEN, c.id, c.held, c.spent) for c in changes])

    async def leases(self, tx: Tx, changes: Sequence[LeaseChange]) -> int:
        return sum([await tx.execute(TAKE_LEASE, c.id, c.amount) for c in changes])


class _PostgreSQLBulk:
    """Each step is a round trip to the server, so rows go in all at once, as JSON."""

    _USAGE = (
        f"INSERT INTO usage ({', '.join(_USAGE)}) SELECT {', '.join(_USAGE)} "
        "FROM json_populate_recordset(CAST(NULL AS usage), CAST($1 AS json)) ON CONFLICT DO NOTHING"
    )
    _ENTRIES = (
        f"INSERT INTO ledger ({', '.join(Entry.__struct_fields__)}) SELECT {', '.join(Entry.__struct_fields__)} "
        "FROM json_populate_recordset(CAST(NULL AS ledger), CAST($1 AS json)) ON CONFLICT DO NOTHING"
    )
    # Rows are locked in one order, so that nodes that charge the same accounts do not deadlock.
    _LOCK = (
        "SELECT a.id FROM accounts a JOIN json_to_recordset(CAST($1 AS json)) AS d(id text) ON a.id = d.id "
        "ORDER BY a.id FOR UPDATE OF a"
    )
    _ACCOUNTS = (
        "UPDATE accounts SET available = accounts.available + d.available, held = accounts.held + d.held, "
        "spent = accounts.spent + d.spent FROM json_to_recordset(CAST($1 AS json)) "
        "AS d(id text, available bigint, held bigint, spent bigint) WHERE accounts.id = d.id"
    )
    _TOKENS = (
        "UPDATE tokens SET held = tokens.held + d.held, spent = tokens.spent + d.spent "
        "FROM json_to_recordset(CAST($1 AS json)) AS d(id text, held bigint, spent bigint) WHERE tokens.id = d.id"
    )
    _LEASES = (
        "UPDATE leases SET amount = leases.amount - d.amount FROM json_to_recordset(CAST($1 AS json)) "
        "AS d(id text, amount bigint) WHERE leases.id = d.id AND leases.amount >= d.amount"
    )

    @staticmethod
    def _json(rows: Sequence[msgspec.Struct]) -> str:
        return msgspec.json.encode(rows).decode()

    async def usage(self, tx: Tx, rows: Sequence[UsageRow]) -> int:
        return await tx.execute(self._USAGE, self._json(rows))

    async def entries(self, tx: Tx, rows: Sequence[Entry]) -> int:
        return await tx.execute(self._ENTRIES, self._json(rows))

    async def accounts(self, tx: Tx, changes: Sequence[AccountChange]) -> int:
        if len(changes) == 1:
            c = changes[0]
            return await tx.execute(CHANGE_ACCOUNT, c.id, c.available, c.held, c.spent)
        text = self._json(changes)
        await tx.fetch(self._LOCK, text)
        return await tx.execute(self._ACCOUNTS, text)

    async def tokens(self, tx: Tx, changes: Sequence[TokenChange]) -> int:
        return await tx.execute(self._TOKENS, self._json(changes))

    async def leases(self, tx: Tx, changes: Sequence[LeaseChange]) -> int:
        return await tx.execute(self._LEASES, self._json(changes))


BULK: dict[Dialect, Bulk] = {"sqlite": _SQLiteBulk(), "postgresql": _PostgreSQLBulk()}


async def spent_within(tx: Tx, account_id: str, token_id: str, since: int, until: int) -> int:
    """Return what a token spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""
    found = await tx.fetchval(
        "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) FROM usage "
        "WHERE account_id = $1 AND token_id = $2 AND created_at >= $3 AND created_at < $4",
        *(account_id, token_id, since, until),
    )
    return int(found)


def cleaned(row: UsageRow) -> UsageRow:
    """Return a row whose texts every database takes: no NUL, no lone surrogates (both have come from upstreams)."""
    values = msgspec.structs.asdict(row)
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = value.replace("\0", "").encode("utf-8", "replace").decode()
    return UsageRow(**values)
