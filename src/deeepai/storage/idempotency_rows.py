"""Rows of idempotency keys, read and written inside the caller's transaction; every look-up names the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .database import Row, Tx

KEEP_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an account's, and the request that has it. `name` is the key's digest."""

    account_id: str
    name: str
    request_id: str


async def claim(tx: Tx, key: Key, digest: str, now: int, lease_ms: int) -> Row | str | None:
    """Take a key for a request.

    Parameters
    ----------
    digest : str
        Of the request.

    Returns
    -------
    Row, str or None
        The row of who has it; the request id under which a request goes on whose gateway went down; or None: the key is
        this request's.
    """
    account_id, name = key.account_id, key.name
    await tx.execute(
        "DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND expires_at < $3", account_id, name, now
    )
    made = await tx.execute(
        "INSERT INTO idempotency (account_id, key, digest, request_id, leased_until, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        *(account_id, name, digest, key.request_id, now + lease_ms, now + KEEP_MS),
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


async def keep(tx: Tx, key: Key, status: int, headers: str, body: str | None) -> None:
    """Store the answer of the request that has a key: headers as JSON, the body in base64; None: it was too large."""
    await tx.execute(
        "UPDATE idempotency SET status = $4, headers = $5, body = $6, leased_until = 0 "
        "WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id, status, headers, body),
    )


async def free(tx: Tx, key: Key) -> None:
    """Let go of a key."""
    await tx.execute(
        "DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id),
    )


async def renew(tx: Tx, key: Key, until: int) -> None:
    """Say that the request which has a key is still under way."""
    await tx.execute(
        "UPDATE idempotency SET leased_until = $4 WHERE account_id = $1 AND key = $2 AND request_id = $3",
        *(key.account_id, key.name, key.request_id, until),
    )


async def sweep(tx: Tx, now: int) -> None:
    """Forget what has expired."""
    await tx.execute("DELETE FROM idempotency WHERE expires_at < $1", now)
