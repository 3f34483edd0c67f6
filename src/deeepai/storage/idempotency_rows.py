"""Rows of idempotency keys, read and written inside the caller's transaction; every look-up names the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import kept_bytes
from .database import Row, Tx

KEEP_MS: Final = 24 * 3600 * 1000
_SWEPT: Final = 500
"""Rows that are forgotten at once, so that others hardly wait."""
_GONE: Final = "RETURNING account_id, mode, size"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an account's, and the request that has it. `name` is the key's digest."""

    account_id: str
    name: str
    request_id: str
    mode: str


async def claim(tx: Tx, key: Key, digest: str, now: int, lease_ms: int, keep_ms: int = KEEP_MS) -> Row | str | None:
    """Take a key for a request.

    Parameters
    ----------
    digest : str
        Of the request.
    keep_ms : int
        For which the key lives beyond its lease.

    Returns
    -------
    Row, str or None
        The row of who has it; the request id under which a request goes on whose gateway went down; or None: the key is
        this request's.
    """
    account_id, name = key.account_id, key.name
    await _gone(
        tx,
        await tx.fetch(
            f"DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND expires_at < $3 {_GONE}",
            *(account_id, name, now),
        ),
    )
    made = await tx.execute(
        "INSERT INTO idempotency (account_id, key, mode, digest, request_id, leased_until, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        *(account_id, name, key.mode, digest, key.request_id, now + lease_ms, now + lease_ms + keep_ms),
    )
    if made:
        return None
    row = await tx.fetchrow("SELECT * FROM idempotency WHERE account_id = $1 AND key = $2", account_id, name)
    if row is None or row["status"] is not None or row["digest"] != digest or row["leased_until"] > now:
        return row
    # Whoever had it is gone. Its request id is taken over, so that what it charged is not charged again; unless it
    # had failed, which left a record under that id that cost nothing.
    failed = await tx.fetchval("SELECT 1 FROM usage WHERE request_id = $1 AND status >= 400", row["request_id"])
    request_id: str = key.request_id if failed else row["request_id"]
    taken = await tx.execute(
        "UPDATE idempotency SET leased_until = $4, request_id = $5 "
        "WHERE account_id = $1 AND key = $2 AND leased_until = $3",
        *(account_id, name, row["leased_until"], now + lease_ms, request_id),
    )
    return request_id if taken else row


async def keep(tx: Tx, key: Key, answer: tuple[int, str, str | None], most: int) -> bool:
    """Store the answer of the request that has a key; False: its body is more than the account may have kept.

    Parameters
    ----------
    answer : tuple
        Its status; headers as JSON; the body in base64, None where it was too large.
    most : int
        Characters that the bodies of the account's answers may have together.
    """
    status, headers, body = answer
    size = len(body or "")
    fits = not size or await kept_bytes.add(tx, _place(key), size, most)
    if not fits:
        body, size = None, 0
    known = await tx.execute(
        "UPDATE idempotency SET status = $4, headers = $5, body = $6, size = $7, leased_until = 0 "
        "WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id, status, headers, body, size),
    )
    if size and not known:
        await _gone(tx, [{"account_id": key.account_id, "mode": key.mode, "size": size}])
    return fits


def _place(key: Key) -> kept_bytes.Place:
    return kept_bytes.Place(key.account_id, key.mode, "replays")


async def _gone(tx: Tx, rows: list[Row]) -> int:
    await kept_bytes.remove(tx, "replays", [row for row in rows if row["size"]])
    return len(rows)


async def free(tx: Tx, key: Key) -> None:
    """Let go of a key."""
    await tx.execute(
        "DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id),
    )


async def renew(tx: Tx, key: Key, until: int, expires: int | None = None) -> None:
    """Say that the request which has a key is still under way, and how long the key lives, if that changes."""
    await tx.execute(
        "UPDATE idempotency SET leased_until = $4, expires_at = COALESCE(CAST($5 AS BIGINT), expires_at) "
        "WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id, until, expires),
    )


async def settle(tx: Tx, key: Key, expires: int) -> None:
    """Say that the request which has a key was answered, and how long the key lives; the answer is kept elsewhere."""
    await tx.execute(
        "UPDATE idempotency SET status = 200, headers = '[]', leased_until = 0, expires_at = $4 "
        "WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id, expires),
    )


async def leased(tx: Tx, key: Key, now: int) -> str | None:
    """Return the request that has a key and is under way."""
    return await tx.fetchval(
        "SELECT request_id FROM idempotency WHERE account_id = $1 AND key = $2 AND status IS NULL "
        "AND leased_until > $3",
        *(key.account_id, key.name, now),
    )


async def drop(tx: Tx, key: Key) -> None:
    """Forget a key, whoever has it, whose answer is kept elsewhere."""
    await tx.execute("DELETE FROM idempotency WHERE account_id = $1 AND key = $2", key.account_id, key.name)


async def sweep(tx: Tx, now: int) -> int:
    """Forget what has expired, some of it at once, test mode's first; return how many keys that were."""
    rows = await tx.fetch(
        "DELETE FROM idempotency WHERE (account_id, key) IN (SELECT account_id, key FROM idempotency "
        f"WHERE expires_at < $1 ORDER BY mode DESC LIMIT {_SWEPT}) {_GONE}",
        now,
    )
    return await _gone(tx, rows)


async def purge(tx: Tx, account_id: str) -> int:
    """Forget an account's answers, some at once; keys whose requests are under way stay. Return how many that were."""
    rows = await tx.fetch(
        "DELETE FROM idempotency WHERE (account_id, key) IN (SELECT account_id, key FROM idempotency "
        f"WHERE account_id = $1 AND status IS NOT NULL LIMIT {_SWEPT}) {_GONE}",
        account_id,
    )
    return await _gone(tx, rows)
