"""Rows of short-lived keys, each for sessions of one operation, read and written inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .database import Tx

_SWEPT: Final = 100
"""Expired keys that are deleted when one is made."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A key. Times are ms since 1970; `session` is JSON."""

    digest: str
    token_digest: str
    operation: str
    model: str
    session: str
    expires_at: int
    created_at: int


async def add(tx: Tx, row: SecretRow) -> None:
    """Store a key, and forget some that have expired."""
    await tx.execute(
        "DELETE FROM client_secrets WHERE digest IN "
        "(SELECT digest FROM client_secrets WHERE expires_at <= $1 LIMIT $2)",
        *(row.created_at, _SWEPT),
    )
    await tx.execute(
        "INSERT INTO client_secrets (digest, token_digest, operation, model, session, expires_at, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(row.digest, row.token_digest, row.operation, row.model, row.session, row.expires_at, row.created_at),
    )


async def find(tx: Tx, digest: str, operation: str, now: int) -> tuple[str, str] | None:
    """Return the token's digest and the session of a key; None where there is none, or it has expired."""
    row = await tx.fetchrow(
        "SELECT token_digest, session FROM client_secrets WHERE digest = $1 AND operation = $2 AND expires_at > $3",
        *(digest, operation, now),
    )
    return None if row is None else (row["token_digest"], row["session"])
