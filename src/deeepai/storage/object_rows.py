"""Rows of objects, read and written inside the caller's transaction; every look-up names the owner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..declare import Json, Made
from .database import Row, Tx

_AT_ONCE = 200
"""Ids in one statement."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose objects, and of which protocol; `holder` is for whom the account has them (`SubToken`)."""

    account_id: str
    protocol: str
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """One object of the caller's."""

    id: str
    kind: str
    channel_id: str
    facts: Mapping[str, Json]
    created_at: int
    """Milliseconds since 1970."""
    parent_id: str | None = None
    """The object, or task, that it is part of."""


def _owned(row: Row) -> Owned:
    facts: dict[str, Any] = msgspec.json.decode(row["facts"])
    return Owned(row["id"], row["kind"], row["channel_id"], facts, row["created_at"], row["parent_id"])


async def find(tx: Tx, owner: Owner, ids: Sequence[str]) -> dict[str, Owned]:
    """Return those of some objects that are the owner's."""
    # No id holds a NUL, and PostgreSQL takes none.
    wanted = [one for one in dict.fromkeys(ids) if "\0" not in one]
    found: dict[str, Owned] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        places = ", ".join(f"${number + 4}" for number in range(len(some)))
        sql = f"SELECT * FROM objects WHERE account_id = $1 AND protocol = $2 AND holder = $3 AND id IN ({places})"
        for row in await tx.fetch(sql, owner.account_id, owner.protocol, owner.holder, *some):
            found[row["id"]] = _owned(row)
    return found


async def add(tx: Tx, owner: Owner, token_id: str, channel_id: str, made: Iterable[Made], now: int) -> None:
    """Record objects; one that somebody has already stays as it is, but for new facts of the owner's own.

    What facts do not tell anew stays as it was told.
    """
    for one in made:
        facts = msgspec.json.encode(one.facts).decode()
        new = await tx.execute(
            "INSERT INTO objects "
            "(account_id, protocol, holder, id, kind, channel_id, token_id, parent_id, facts, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
            *(owner.account_id, owner.protocol, owner.holder, one.id, one.kind),
            *(channel_id, token_id, one.parent, facts, now),
        )
        if new or not one.facts:
            continue
        known = (await find(tx, owner, [one.id])).get(one.id)
        if known is None or known.channel_id != channel_id:
            continue
        told = {**known.facts, **one.facts}
        if told != known.facts:
            await tx.execute(
                "UPDATE objects SET facts = $4 WHERE account_id = $1 AND protocol = $2 AND id = $3",
                *(owner.account_id, owner.protocol, one.id, msgspec.json.encode(told).decode()),
            )


async def forget(tx: Tx, owner: Owner, ids: Sequence[str]) -> None:
    """Delete objects, and those that end with them."""
    for one in ids:
        await tx.execute(
            "DELETE FROM objects "
            "WHERE account_id = $1 AND protocol = $2 AND holder = $4 AND (id = $3 OR parent_id = $3)",
            *(owner.account_id, owner.protocol, one, owner.holder),
        )


async def page(
    tx: Tx, owner: Owner, kind: str, *, after: Owned | None, before: Owned | None, newest_first: bool, limit: int
) -> list[Owned]:
    """Return a part of the owner's objects of a kind.

    Parameters
    ----------
    after, before : Owned, optional
        Neither is part of it.
    newest_first : bool
        The list's order. With `before` alone, the part that ends there is returned, still in that order.
    """
    backwards = before is not None and after is None
    descending = newest_first != backwards
    wheres = ["account_id = $1", "protocol = $2", "kind = $3", "holder = $4"]
    args = [owner.account_id, owner.protocol, kind, owner.holder]
    numbers: list[Any] = []
    for bound, later in ((after, not newest_first), (before, newest_first)):
        if bound is not None:
            at = len(args) + len(numbers) + 1
            wheres.append(f"(created_at, id) {'>' if later else '<'} (${at}, ${at + 1})")
            numbers += [bound.created_at, bound.id]
    order = "DESC" if descending else "ASC"
    at = len(args) + len(numbers) + 1
    rows = await tx.fetch(
        f"SELECT * FROM objects WHERE {' AND '.join(wheres)} ORDER BY created_at {order}, id {order} LIMIT ${at}",
        *(*args, *numbers, limit),
    )
    found = [_owned(row) for row in rows]
    return found[::-1] if backwards else found
