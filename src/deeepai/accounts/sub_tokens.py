"""Sub-tokens: short-lived keys that stand for a token towards one protocol, each for a holder whom its owner names.

What a token may do, what it costs and who pays is the token's own affair: a sub-token is read together with it, so that
nothing of that is ever stored twice or outlives a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..storage.database import Row, Tx
from ..storage.ids import new_id, now_ms
from . import keys
from .models import SubToken

_SWEPT: Final = 100
"""Expired ones that are deleted when one is made."""
_KEPT_MS: Final = 24 * 3600 * 1000
"""For which an expired one is told from one that never was."""


@dataclass(frozen=True, slots=True)
class NewSubToken:
    """A sub-token to be made.

    Attributes
    ----------
    prefix : str
        How its key begins.
    holder : str
        Whose it is: it ends the holder's former one. Empty: nobody's, and it reaches what the token itself does.
    most : int or None
        Charged calls.
    """

    token_id: str
    protocol: str
    prefix: str
    holder: str
    most: int | None
    seconds: int


async def create(tx: Tx, new: NewSubToken) -> str:
    """Make a sub-token; return its key, which is nowhere to be had after this."""
    key, now = keys.new_session_secret(new.prefix), now_ms()
    await tx.execute(
        "DELETE FROM sub_tokens WHERE id IN (SELECT id FROM sub_tokens WHERE expires_at <= $1 LIMIT $2)",
        *(now - _KEPT_MS, _SWEPT),
    )
    if new.holder:
        # Who has used the former one within the last seconds may be believed that much longer.
        await tx.execute(
            "DELETE FROM sub_tokens WHERE token_id = $1 AND protocol = $2 AND holder = $3",
            *(new.token_id, new.protocol, new.holder),
        )
    await tx.execute(
        "INSERT INTO sub_tokens (id, digest, token_id, protocol, holder, most, expires_at, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(new_id("sub_"), keys.digest(key), new.token_id, new.protocol, new.holder, new.most),
        *(now + new.seconds * 1000, now),
    )
    return key


async def find(tx: Tx, digest: str) -> tuple[SubToken, str] | None:
    """Return the sub-token whose key has that digest, and the digest of its token's key; None where there is none."""
    row = await tx.fetchrow(
        "SELECT s.*, t.digest AS token_digest FROM sub_tokens s JOIN tokens t ON t.id = s.token_id WHERE s.digest = $1",
        digest,
    )
    return None if row is None else (_sub_token(row), row["token_digest"])


def _sub_token(row: Row) -> SubToken:
    return SubToken(row["id"], row["protocol"], row["holder"], row["most"], row["expires_at"])


async def take(tx: Tx, name: str) -> bool:
    """Count a call that will be charged; False where no more of them are allowed."""
    return bool(
        await tx.execute(
            "UPDATE sub_tokens SET used = used + 1 WHERE id = $1 AND (most IS NULL OR used < most)",
            name,
        )
    )


async def give_back(tx: Tx, name: str) -> None:
    """Count a call no more: it was not charged."""
    await tx.execute("UPDATE sub_tokens SET used = used - 1 WHERE id = $1 AND used > 0", name)


async def used(tx: Tx, name: str) -> int:
    """Return how many charged calls were made with a sub-token."""
    return int(await tx.fetchval("SELECT used FROM sub_tokens WHERE id = $1", name) or 0)
