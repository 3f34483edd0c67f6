"""Rows of kept conversations on both databases: owners, the order of items, and what is forgotten when."""

from __future__ import annotations

import asyncio

import pytest

from deeepai.declare import Conversation, Json
from deeepai.storage import conversation_rows as talks
from deeepai.storage import kept_bytes
from deeepai.storage.database import Database
from deeepai.storage.kept_rows import Owner, Terms
from deeepai.storage.migrations import migrate

ANN = Owner("ann", "openai", "live")
MOST = 100_000
OTHERS = (Owner("bob", "openai", "live"), Owner("ann", "openai", "test"), Owner("ann", "anthropic", "live"))


def item(name: str) -> dict[str, Json]:
    return {"id": name, "content": f"{name} \0 中"}


async def begin(db: Database, name: str, *items: str, owner: Owner = ANN, until: int = 10) -> None:
    made = Conversation(id=name, metadata={"a": "b"}, created_at=1, items=[item(each) for each in items])
    await db.write(lambda tx: talks.begin(tx, owner, made, Terms(1, until, MOST)))


async def add(db: Database, name: str, *items: str, owner: Owner = ANN, until: int = 10) -> bool:
    return await db.write(lambda tx: talks.add(tx, owner, name, [item(each) for each in items], Terms(1, until, MOST)))


async def said(db: Database, name: str, owner: Owner = ANN) -> list[Json]:
    found = await db.read(lambda tx: talks.items(tx, owner, name))
    return [each["id"] for each in found]


async def there(db: Database, name: str, now: int = 1, owner: Owner = ANN) -> Conversation | None:
    return await db.read(lambda tx: talks.find(tx, owner, name, now))


async def test_items_follow_one_another_however_many_come_at_once(db: Database) -> None:
    await migrate(db)
    await begin(db, "t", "i1", "i2")
    assert all(await asyncio.gather(*(add(db, "t", f"a{number}", f"b{number}") for number in range(9))))
    found = await said(db, "t")
    assert found[:2] == ["i1", "i2"]
    pairs = list(zip(found[2::2], found[3::2], strict=True))
    assert sorted(pairs) == [(f"a{number}", f"b{number}") for number in range(9)]
    await db.write(lambda tx: talks.remove(tx, ANN, "t", "i1"))
    assert await add(db, "t", "last")
    found = await said(db, "t")
    assert (found[0], found[-1], len(found)) == ("i2", "last", 20)
    assert await db.read(lambda tx: talks.size(tx, ANN, "t")) > 20


async def test_a_conversation_is_its_owner_s(db: Database) -> None:
    await migrate(db)
    await begin(db, "t", "i1")
    await db.write(lambda tx: talks.describe(tx, ANN, "t", {"c": "d"}))
    for owner in OTHERS:
        assert await there(db, "t", owner=owner) is None
        assert await said(db, "t", owner) == []
        assert not await add(db, "t", "x", owner=owner)
        await db.write(lambda tx, owner=owner: talks.remove(tx, owner, "t", "i1"))
        await db.write(lambda tx, owner=owner: talks.forget(tx, owner, "t"))
    known = await there(db, "t")
    assert known is not None
    assert (known.metadata, await said(db, "t")) == ({"c": "d"}, ["i1"])
    assert await there(db, "nul\0") is None
    await db.write(lambda tx: talks.forget(tx, ANN, "t"))
    assert (await there(db, "t"), await said(db, "t"), await add(db, "t", "x")) == (None, [], False)


async def test_a_conversation_is_kept_as_long_from_its_last_turn(db: Database) -> None:
    await migrate(db)
    await begin(db, "old", "i1", until=5)
    await begin(db, "used", "i1", until=5)
    await add(db, "used", "i2", until=9)
    assert await there(db, "old", 5) is None
    await db.write(lambda tx: talks.sweep(tx, 5))
    assert await said(db, "old") == []
    assert (await said(db, "used"), await there(db, "used", 5) is not None) == (["i1", "i2"], True)


async def test_an_account_has_so_much_of_conversations_and_no_more(db: Database) -> None:
    await migrate(db)
    place = kept_bytes.Place("ann", "live", "answers")
    await begin(db, "t", "i1", "i2")
    size = await db.read(lambda tx: kept_bytes.used(tx, place))
    assert size == await db.read(lambda tx: talks.size(tx, ANN, "t"))
    with pytest.raises(kept_bytes.Full):
        await db.write(lambda tx: talks.add(tx, ANN, "t", [item("i3")], Terms(1, 10, size)))
    assert await said(db, "t") == ["i1", "i2"]
    await db.write(lambda tx: talks.remove(tx, ANN, "t", "i1"))
    assert await db.write(lambda tx: talks.add(tx, ANN, "t", [item("i3")], Terms(1, 10, size)))
    assert await db.write(lambda tx: talks.purge(tx, "ann")) == 1
    assert await db.read(lambda tx: kept_bytes.used(tx, place)) == 0
