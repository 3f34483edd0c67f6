"""Rows of kept answers on both databases: owners, conversations, and what is forgotten when."""

from __future__ import annotations

from typing import Any

from deeepai.storage import kept_rows
from deeepai.storage.database import Database
from deeepai.storage.kept_rows import MOST_TURNS, Link, Owner
from deeepai.storage.migrations import migrate

ANN = Owner("ann", "openai", "live")
OTHERS = (Owner("bob", "openai", "live"), Owner("ann", "openai", "test"), Owner("ann", "anthropic", "live"))
DAY = 86_400_000


async def keep(db: Database, name: str, follows: str | None = None, **more: Any) -> None:
    owner, now, until = more.get("owner", ANN), more.get("now", 1), more.get("until", 10 * DAY)
    texts = {"turn": f'["{name}?"]', "answer": f'{{"said":"{name} \\u0000 中"}}'}
    link = Link(name, follows, sum(map(len, texts.values())))
    await db.write(lambda tx: kept_rows.keep(tx, owner, link, texts, kept_rows.Terms(now, until, 1 << 40)))


async def chain(db: Database, name: str, owner: Owner = ANN, now: int = 1) -> list[Link]:
    return await db.read(lambda tx: kept_rows.chain(tx, owner, name, now))


async def names(db: Database, *ids: str, owner: Owner = ANN, now: int = 1) -> set[str]:
    return set(await db.read(lambda tx: kept_rows.find(tx, owner, ids, now)))


async def test_a_conversation_is_its_owner_s(db: Database) -> None:
    await migrate(db)
    await keep(db, "a")
    await keep(db, "b", "a")
    await keep(db, "c", "b")
    await keep(db, "other", "a")
    assert [(link.id, link.follows) for link in await chain(db, "c")] == [("a", None), ("b", "a"), ("c", "b")]
    found = await db.read(lambda tx: kept_rows.find(tx, ANN, ["c", "nul\0", "none", "a"], 1))
    assert found.keys() == {"a", "c"}
    assert (found["c"].follows, found["c"].turn, found["c"].answer) == ("b", ["c?"], {"said": "c \0 中"})
    sizes = [link.size for link in await chain(db, "b")]
    assert await db.read(lambda tx: kept_rows.size(tx, ANN, ["a", "b", "none"])) == sum(sizes) > 0
    for owner in OTHERS:
        assert await chain(db, "c", owner) == []
        assert await names(db, "a", "b", "c", owner=owner) == set()
        await db.write(lambda tx, owner=owner: kept_rows.forget(tx, owner, "a"))
        # The same name is another's own answer, and no part of the conversation.
        await keep(db, "b", owner=owner)
        assert [link.id for link in await chain(db, "b", owner)] == ["b"]
    assert len(await chain(db, "c")) == 3
    await db.write(lambda tx: kept_rows.forget(tx, ANN, "a"))
    assert [link.follows for link in await chain(db, "c")] == ["a", "b"]


async def test_a_conversation_is_kept_as_long_as_its_last_answer(db: Database) -> None:
    await migrate(db)
    await keep(db, "a", until=2 * DAY)
    await keep(db, "b", "a", until=3 * DAY - 1)
    assert await names(db, "a", "b", now=2 * DAY) == {"b"}
    await keep(db, "c", "b", now=DAY, until=9 * DAY)
    assert await names(db, "a", "b", "c", now=9 * DAY - 1) == {"a", "b", "c"}
    assert await chain(db, "c", now=9 * DAY) == []
    assert await chain(db, "c\0") == []
    await keep(db, "d", until=20 * DAY)
    await db.write(lambda tx: kept_rows.sweep(tx, 9 * DAY))
    assert await names(db, "a", "b", "c", "d") == {"d"}


async def test_what_never_ends_is_cut(db: Database) -> None:
    await migrate(db)
    await keep(db, "round", "round")
    links = await chain(db, "round")
    assert len(links) == MOST_TURNS
    assert links[0].follows == "round"
