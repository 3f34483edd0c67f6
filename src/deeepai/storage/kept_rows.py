"""Rows of kept answers, read and written inside the caller's transaction; every look-up names the owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ..declare import Json, KeptAnswer
from . import kept_bytes
from .database import Row, Tx, Value

MOST_TURNS: Final = 2000
"""Of one conversation."""
_AT_ONCE: Final = 200
"""Ids in one statement."""
_SWEPT: Final = 500
"""Rows that are forgotten at once, so that others hardly wait."""
_DAY_MS: Final = 86_400_000
_GONE: Final = "RETURNING account_id, mode, size"
_OWNED: Final = "account_id = $1 AND protocol = $2 AND mode = $3"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose answers: an account's, of one protocol, and of its live or its test tokens."""

    account_id: str
    protocol: str
    mode: str


@dataclass(frozen=True, slots=True)
class Link:
    """A kept answer's place in its conversation."""

    id: str
    follows: str | None
    size: int
    """Characters."""


async def chain(tx: Tx, owner: Owner, name: str, now: int) -> list[Link]:
    """Return the answers of a conversation up to one of them, the oldest first; empty where that is not kept.

    Where an older one is gone, or there are too many, the first follows another still.
    """
    if not _portions([name]):
        return []
    rows = await tx.fetch(
        "WITH RECURSIVE chain (id, follows_id, size, depth) AS ("
        f"SELECT id, follows_id, size, 1 FROM kept_answers WHERE {_OWNED} AND id = $4 AND expires_at > $5 "
        "UNION ALL SELECT one.id, one.follows_id, one.size, chain.depth + 1 "
        "FROM kept_answers AS one JOIN chain ON one.id = chain.follows_id "
        "WHERE one.account_id = $1 AND one.protocol = $2 AND one.mode = $3 AND one.expires_at > $5 "
        f"AND chain.depth < {MOST_TURNS}) "
        "SELECT id, follows_id, size FROM chain ORDER BY depth DESC",
        *(owner.account_id, owner.protocol, owner.mode, name, now),
    )
    return [Link(row["id"], row["follows_id"], row["size"]) for row in rows]


async def size(tx: Tx, owner: Owner, ids: Sequence[str]) -> int:
    """Return the characters of some answers, kept or expired."""
    total = 0
    for some in _portions(ids):
        sql = f"SELECT COALESCE(SUM(size), 0) FROM kept_answers WHERE {_OWNED} AND id IN ({_places(some)})"
        total += int(await tx.fetchval(sql, owner.account_id, owner.protocol, owner.mode, *some))
    return total


async def find(tx: Tx, owner: Owner, ids: Sequence[str], now: int) -> dict[str, KeptAnswer]:
    """Return those of some answers that are kept, by id."""
    found: dict[str, KeptAnswer] = {}
    for some in _portions(ids):
        places = _places(some, after=4)
        rows = await tx.fetch(
            f"SELECT * FROM kept_answers WHERE {_OWNED} AND expires_at > $4 AND id IN ({places})",
            *(owner.account_id, owner.protocol, owner.mode, now, *some),
        )
        for row in rows:
            turn: list[Json] = msgspec.json.decode(row["turn"])
            found[row["id"]] = KeptAnswer(
                id=row["id"], follows=row["follows_id"], turn=turn, answer=msgspec.json.decode(row["answer"])
            )
    return found


@dataclass(frozen=True, slots=True)
class Terms:
    """How something is kept: since when, until when (ms since 1970), and among how many characters of its account."""

    now: int
    expires_at: int
    most: int


async def keep(tx: Tx, owner: Owner, link: Link, texts: Mapping[str, str], terms: Terms) -> None:
    """Keep an answer, and as long those that it goes on from.

    Parameters
    ----------
    texts : mapping
        `turn` and `answer`, as JSON.

    Raises
    ------
    Full
        It is more than the account may have kept.
    """
    now, expires_at = terms.now, terms.expires_at
    if not await kept_bytes.add(tx, kept_bytes.Place(owner.account_id, owner.mode, "answers"), link.size, terms.most):
        raise kept_bytes.Full
    new = await tx.execute(
        "INSERT INTO kept_answers "
        "(account_id, protocol, mode, id, follows_id, turn, answer, size, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        *(owner.account_id, owner.protocol, owner.mode, link.id, link.follows),
        *(texts["turn"], texts["answer"], link.size, now, expires_at),
    )
    if not new:
        await _gone(tx, [{"account_id": owner.account_id, "mode": owner.mode, "size": link.size}])
    before = [] if link.follows is None else await chain(tx, owner, link.follows, now)
    for some in _portions([each.id for each in before]):
        await tx.execute(
            "UPDATE kept_answers SET expires_at = $4 "
            f"WHERE {_OWNED} AND expires_at < $5 AND id IN ({_places(some, after=5)})",
            # A day's difference is not worth a write.
            *(owner.account_id, owner.protocol, owner.mode, expires_at, expires_at - _DAY_MS, *some),
        )


async def forget(tx: Tx, owner: Owner, name: str) -> None:
    """Delete an answer."""
    rows = await tx.fetch(
        f"DELETE FROM kept_answers WHERE {_OWNED} AND id = $4 {_GONE}",
        *(owner.account_id, owner.protocol, owner.mode, name),
    )
    await _gone(tx, rows)


async def sweep(tx: Tx, now: int) -> int:
    """Forget what has expired, some of it at once, test mode's first; return how many answers that were."""
    return await _sweep(tx, "expires_at <= $1 ORDER BY mode DESC", now)


async def purge(tx: Tx, account_id: str) -> int:
    """Forget an account's answers, some at once; return how many that were."""
    return await _sweep(tx, "account_id = $1", account_id)


async def _sweep(tx: Tx, which: str, value: Value) -> int:
    rows = await tx.fetch(
        "DELETE FROM kept_answers WHERE (account_id, protocol, mode, id) IN "
        f"(SELECT account_id, protocol, mode, id FROM kept_answers WHERE {which} LIMIT {_SWEPT}) {_GONE}",
        value,
    )
    return await _gone(tx, rows)


async def _gone(tx: Tx, rows: Sequence[Row]) -> int:
    return await kept_bytes.remove(tx, "answers", rows)


def _portions(ids: Sequence[str]) -> list[Sequence[str]]:
    # No id holds a NUL, and PostgreSQL takes none.
    wanted = [one for one in dict.fromkeys(ids) if "\0" not in one]
    return [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]


def _places(some: Sequence[str], after: int = 3) -> str:
    return ", ".join(f"${number + after + 1}" for number in range(len(some)))
