"""Rows of kept conversations, read and written inside the caller's transaction; every look-up names the owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ..declare import Conversation, Json
from .database import Tx
from .kept_rows import Owner

_OWNED: Final = "account_id = $1 AND protocol = $2 AND mode = $3"
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


async def begin(tx: Tx, owner: Owner, conversation: Conversation, expires_at: int) -> None:
    """Keep a new conversation, with what it begins with."""
    await tx.execute(
        "INSERT INTO kept_conversations (account_id, protocol, mode, id, metadata, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(*_key(owner), conversation.id, _text(conversation.metadata), conversation.created_at, expires_at),
    )
    await add(tx, owner, conversation.id, conversation.items, expires_at)


async def add(tx: Tx, owner: Owner, name: str, added: Sequence[dict[str, Json]], expires_at: int) -> bool:
    """Add items to a conversation, which is kept as long from now on; False where it is not there any more."""
    # The row is this transaction's from here on: others' items get other places.
    changed = await tx.execute(
        f"UPDATE kept_conversations SET expires_at = $5 WHERE {_OWNED} AND id = $4", *_key(owner), name, expires_at
    )
    if not changed:
        return False
    last = await tx.fetchval(
        f"SELECT COALESCE(MAX(place), 0) FROM kept_items WHERE {_OWNED} AND conversation_id = $4", *_key(owner), name
    )
    texts = [(str(item["id"]), _text(item)) for item in added]
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
    sql = f"DELETE FROM kept_items WHERE {_OWNED} AND conversation_id = $4 AND id = $5"
    await tx.execute(sql, *_key(owner), name, item)


async def forget(tx: Tx, owner: Owner, name: str) -> None:
    """Delete a conversation and what was said in it."""
    await tx.execute(f"DELETE FROM kept_items WHERE {_OWNED} AND conversation_id = $4", *_key(owner), name)
    await tx.execute(f"DELETE FROM kept_conversations WHERE {_OWNED} AND id = $4", *_key(owner), name)


async def sweep(tx: Tx, now: int) -> None:
    """Forget what has expired, some of it at once."""
    gone = await tx.fetch(
        f"SELECT account_id, protocol, mode, id FROM kept_conversations WHERE expires_at <= $1 LIMIT {_SWEPT}", now
    )
    for row in gone:
        await forget(tx, Owner(row["account_id"], row["protocol"], row["mode"]), row["id"])


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()
