"""Sub-tokens in both databases: what they stand for, how they end, and how their calls are counted."""

from __future__ import annotations

import asyncio

from deeepai.accounts import keys, sub_tokens, tokens
from deeepai.accounts.models import Token
from deeepai.accounts.sub_tokens import NewSubToken
from deeepai.accounts.tokens import NewToken, TokenChanges
from deeepai.declare import Made
from deeepai.storage import object_rows
from deeepai.storage.database import Database, Tx
from deeepai.storage.object_rows import Owner

from .conftest import make_person


async def parent(db: Database) -> tuple[str, str]:
    """Return the id and the key of a token."""
    person = await make_person(db, "ada")
    new = NewToken(name="parent", mode="test", models=["docmee-*"], rpm=7)
    return await db.write(lambda tx: tokens.create(tx, person.account_id, new))


async def made(db: Database, token_id: str, holder: str = "u", most: int | None = None, seconds: int = 60) -> str:
    new = NewSubToken(token_id, "docmee", "sk_", holder, most, seconds)
    return await db.write(lambda tx: sub_tokens.create(tx, new))


async def found(db: Database, key: str) -> Token | None:
    return await db.read(lambda tx: tokens.find(tx, keys.digest(key)))


async def listed(tx: Tx, owner: Owner) -> list[object_rows.Owned]:
    return await object_rows.page(tx, owner, "ppt", after=None, before=None, newest_first=True, limit=9)


async def test_it_stands_for_its_token_as_that_is_then(db: Database) -> None:
    token_id, key = await parent(db)
    sub = await made(db, token_id)
    assert keys.SECRET.search(f"token: {sub}")
    whole, stands = await found(db, key), await found(db, sub)
    assert whole is not None
    assert stands is not None
    assert (whole.sub, whole.holder) == (None, "")
    assert (stands.id, stands.account_id, stands.mode, stands.rpm) == (whole.id, whole.account_id, "test", 7)
    assert (stands.models, stands.holder) == (("docmee-*",), "u")
    assert stands.expires_at is not None
    await db.write(lambda tx: tokens.update(tx, token_id, TokenChanges(status="disabled")))
    stands = await found(db, sub)
    assert stands is not None
    assert not stands.enabled
    await db.write(lambda tx: tokens.delete(tx, token_id))
    assert await found(db, sub) is None


async def test_a_new_one_ends_that_of_the_same_holder_alone(db: Database) -> None:
    token_id, _ = await parent(db)
    first, other, nobody = [await made(db, token_id, holder) for holder in ("u", "v", "")]
    second = await made(db, token_id, "u")
    await made(db, token_id, "")
    assert await found(db, first) is None
    assert [one is not None for one in [await found(db, key) for key in (second, other, nobody)]] == [True] * 3


async def test_no_more_calls_are_counted_than_allowed_however_many_come_at_once(db: Database) -> None:
    token_id, _ = await parent(db)
    stands = await found(db, await made(db, token_id, most=3))
    assert stands is not None
    assert stands.sub is not None
    name = stands.sub.id
    taken = await asyncio.gather(*(db.write(lambda tx: sub_tokens.take(tx, name)) for _ in range(8)))
    assert sum(taken) == 3
    await db.write(lambda tx: sub_tokens.give_back(tx, name))
    assert await db.read(lambda tx: sub_tokens.used(tx, name)) == 2
    assert await db.write(lambda tx: sub_tokens.take(tx, name))
    assert not await db.write(lambda tx: sub_tokens.take(tx, name))


async def test_objects_are_their_holder_s(db: Database) -> None:
    one, other, own = Owner("a", "docmee", "u"), Owner("a", "docmee", "v"), Owner("a", "docmee")
    deck = Made("d", "ppt", facts={"name": "Sea", "subject": "Sea"})
    await db.write(lambda tx: object_rows.add(tx, one, "t", "c", [deck], 1))
    await db.write(lambda tx: object_rows.add(tx, one, "t", "c", [Made("d", "ppt", facts={"name": "Waves"})], 2))
    await db.write(lambda tx: object_rows.add(tx, other, "t", "c", [Made("d", "ppt", facts={"name": "Mine"})], 3))
    for owner in (other, own):
        assert await db.read(lambda tx, o=owner: object_rows.find(tx, o, ["d"])) == {}
        await db.write(lambda tx, o=owner: object_rows.forget(tx, o, ["d"]))

        assert await db.read(lambda tx, o=owner: listed(tx, o)) == []
    kept = (await db.read(lambda tx: object_rows.find(tx, one, ["d"])))["d"]
    assert (kept.facts, kept.created_at) == ({"name": "Waves", "subject": "Sea"}, 1)
