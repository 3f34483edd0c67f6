"""Rows of kept conversations, read and written inside the caller's transaction; every look-up names the owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..declare import Conversation, Json
from . import kept_bytes
from .database import Row, Tx
from .kept_rows import Owner, Terms

_OWNED: Final = "account_id = $1 AND protocol = $2 AND mode = $3"
_GONE: Final = "RETURNING account_id, mode, size"
_SWEPT: Final = 100
"""Conversations that are forgotten at once, so that others hardly wait."""


def _key(owner: Owner) -> tuple[str, str, str]:
    return owner.account_id, owner.protocol, owner.mode


async def find(tx: Tx, owner: Owner, name: str, now: int) -> Conversation | None:
    """Return a conversation without its items; None where it is not kept."""
    # No id holds a NUL, and PostgreSQL takes none.
    row = (
        None
        if "\0" in name
        else await tx.fetchrow(
            f"SELECT * FROM kept_conversations WHERE {_OWNED} AND id = $4 AND expires_at > $5", *_key(owner), name, now
        )
    )
    if row is None:
        return None
    return Conversation(id=row["id"], metadata=msgspec.json.decode(row["metadata"]), created_at=row["created_at"])


async def size(tx: Tx, owner: Owner, name: str) -> int:
    """Return the characters of a conversation's items."""
    sql = f"SELECT COALESCE(SUM(size), 0) FROM kept_items WHERE {_OWNED} AND conversation_id = $4"
    return int(await tx.fetchval(sql, *_key(owner), name))


async def items(tx: Tx, owner: Owner, name: str) -> list[dict[str, Json]]:
    """Return a conversation's items, the oldest first."""
    sql = f"SELECT item FROM kept_items WHERE {_OWNED} AND conversation_id = $4 ORDER BY place"
    return [msgspec.json.decode(row["item"]) for row in await tx.fetch(sql, *_key(owner), name)]


async def begin(tx: Tx, owner: Owner, conversation: Conversation, terms: Terms) -> None:
    """Keep a new conversation, with what it begins with.

    Raises
    ------
    Full
    """
    await tx.execute(
        "INSERT INTO kept_conversations (account_id, protocol, mode, id, metadata, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(*_key(owner), conversation.id, _text(conversation.metadata), conversation.created_at, terms.expires_at),
    )
    await add(tx, owner, conversation.id, conversation.items, terms)


async def add(tx: Tx, owner: Owner, name: str, added: Sequence[dict[str, Json]], terms: Terms) -> bool:
    """Add items to a conversation, which is kept as long from now on; False where it is not there any more.

    Raises
    ------
    Full
        They are more than the account may have kept.
    """
    # The row is this transaction's from here on: others' items get other places.
    changed = await tx.execute(
        f"UPDATE kept_conversations SET expires_at = $5 WHERE {_OWNED} AND id = $4",
        *_key(owner),
        name,
        terms.expires_at,
    )
    if not changed:
        return False
    last = await tx.fetchval(
        f"SELECT COALESCE(MAX(place), 0) FROM kept_items WHERE {_OWNED} AND conversation_id = $4", *_key(owner), name
    )
    texts = [(str(item["id"]), _text(item)) for item in added]
    place, total = kept_bytes.Place(owner.account_id, owner.mode, "answers"), sum(len(text) for _, text in texts)
    if not await kept_bytes.add(tx, place, total, terms.most, len(texts)):
        raise kept_bytes.Full
    await tx.executemany(
        "INSERT INTO kept_items (account_id, protocol, mode, conversation_id, place, id, item, size) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(*_key(owner), name, last + at, id, text, len(text)) for at, (id, text) in enumerate(texts, 1)],
    )
    return True


async def describe(tx: Tx, owner: Owner, name: str, metadata: Json) -> None:
    """Give a conversation other metadata."""
    sql = f"UPDATE kept_conversations SET metadata = $5 WHERE {_OWNED} AND id = $4"
    await tx.execute(sql, *_key(owner), name, _text(metadata))


async def remove(tx: Tx, owner: Owner, name: str, item: str) -> None:
    """Delete an item."""
    sql = f"DELETE FROM kept_items WHERE {_OWNED} AND conversation_id = $4 AND id = $5 {_GONE}"
    await kept_bytes.remove(tx, "answers", await tx.fetch(sql, *_key(owner), name, item))


async def forget(tx: Tx, owner: Owner, name: str) -> None:
    """Delete a conversation and what was said in it."""
    sql = f"DELETE FROM kept_items WHERE {_OWNED} AND conversation_id = $4 {_GONE}"
    await kept_bytes.remove(tx, "answers", await tx.fetch(sql, *_key(owner), name))
    await tx.execute(f"DELETE FROM kept_conversations WHERE {_OWNED} AND id = $4", *_key(owner), name)


async def sweep(tx: Tx, now: int) -> int:
    """Forget what has expired, some of it at once, test mode's first; return how many conversations that were."""
    return await _forget_all(tx, await _some(tx, "expires_at <= $1 ORDER BY mode DESC", now))


async def purge(tx: Tx, account_id: str) -> int:
    """Forget an account's conversations, some at once; return how many that were."""
    return await _forget_all(tx, await _some(tx, "account_id = $1", account_id))


async def _some(tx: Tx, which: str, value: int | str) -> list[Row]:
    sql = f"SELECT account_id, protocol, mode, id FROM kept_conversations WHERE {which} LIMIT {_SWEPT}"
    return await tx.fetch(sql, value)


async def _forget_all(tx: Tx, rows: Sequence[Row]) -> int:
    for row in rows:
        await forget(tx, Owner(row["account_id"], row["protocol"], row["mode"]), row["id"])
    return len(rows)


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()
