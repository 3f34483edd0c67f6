"""Keys of the control API: sessions after a login, and users' lasting access keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from ..declare import Failure, Reason
from ..storage.database import Tx, Value
from ..storage.ids import new_id, now_ms
from . import keys
from .query import Viewer, insertion
from .units import moment, moment_or_none

SESSION_MS = 12 * 3600 * 1000


class AccessKey(msgspec.Struct, kw_only=True):
    """A lasting key, without its secret part."""

    id: str
    name: str
    hint: str
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key of the control API belongs to."""

    user_id: str
    name: str
    admin: bool
    session_id: str
    kind: Literal["session", "access"]

    @property
    def viewer(self) -> Viewer:
        """What this one may see."""
        return Viewer(self.user_id, self.admin)


async def create(
    tx: Tx, user_id: str, kind: Literal["session", "access"], *, name: str = "", expires_at: int | None = None
) -> tuple[str, str]:
    """Make a key; return id and key."""
    key = keys.new_session_key() if kind == "session" else keys.new_access_key()
    values: dict[str, Value] = {
        "id": new_id("ses_"),
        "digest": keys.digest(key),
        "hint": keys.hint(key),
        "user_id": user_id,
        "kind": kind,
        "name": name,
        "expires_at": expires_at,
        "created_at": now_ms(),
    }
    await tx.execute("DELETE FROM sessions WHERE expires_at < $1", now_ms())
    await tx.execute(insertion("sessions", values), *values.values())
    return str(values["id"]), key


async def find(tx: Tx, key: str) -> Principal | None:
    """Return who a key belongs to; None where it is unknown, expired, or its user disabled."""
    row = await tx.fetchrow(
        "SELECT s.id, s.kind, u.id AS user_id, u.name, u.role FROM sessions s JOIN users u ON u.id = s.user_id "
        "WHERE s.digest = $1 AND (s.expires_at IS NULL OR s.expires_at > $2) AND u.status = 'enabled'",
        keys.digest(key),
        now_ms(),
    )
    if row is None:
        return None
    return Principal(row["user_id"], row["name"], row["role"] == "admin", row["id"], row["kind"])


async def list_access(tx: Tx, user_id: str) -> list[AccessKey]:
    """Return a user's access keys."""
    rows = await tx.fetch("SELECT * FROM sessions WHERE user_id = $1 AND kind = 'access' ORDER BY id", user_id)
    return [
        AccessKey(
            id=row["id"],
            name=row["name"],
            hint=row["hint"],
            expires_at=moment_or_none(row["expires_at"]),
            created_at=moment(row["created_at"]),
        )
        for row in rows
    ]


async def delete(tx: Tx, session_id: str, user_id: str) -> None:
    """End a key of that user.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    if not await tx.execute("DELETE FROM sessions WHERE id = $1 AND user_id = $2", session_id, user_id):
        raise Failure(Reason.NOT_FOUND, "There is no such key")


_GOOD_MS = 90 * 86_400_000
"""For how long a network counts as one that a user comes from."""


async def note_address(tx: Tx, user_id: str, network: str) -> None:
    """Note from where a user has signed in."""
    now = now_ms()
    await tx.execute("DELETE FROM good_addresses WHERE user_id = $1 AND seen_at < $2", user_id, now - _GOOD_MS)
    await tx.execute(
        "INSERT INTO good_addresses (user_id, network, seen_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (user_id, network) DO UPDATE SET seen_at = excluded.seen_at",
        *(user_id, network, now),
    )


async def signed_in_from(tx: Tx, user_id: str, network: str) -> bool:
    """Tell whether a user has signed in from there."""
    sql = "SELECT 1 FROM good_addresses WHERE user_id = $1 AND network = $2 AND seen_at > $3"
    return await tx.fetchval(sql, user_id, network, now_ms() - _GOOD_MS) is not None
