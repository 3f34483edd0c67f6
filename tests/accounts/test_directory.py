from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from deeepai.accounts import catalogue, channels, keys, tokens
from deeepai.accounts.channels import NewChannel
from deeepai.accounts.directory import MISS, Directory, Snapshot
from deeepai.accounts.models import Token
from deeepai.accounts.tokens import NewToken, TokenChanges
from deeepai.accounts.vault import Vault
from deeepai.storage.cache import Cache, MemoryCache
from deeepai.storage.database import Database
from tests.support.until import until_async

from .conftest import Person


@asynccontextmanager
async def running(db: Database, vault: Vault, cache: Cache | None = None, **kind: float) -> AsyncIterator[Directory]:
    directory = Directory(db, vault, cache, **kind)  # pyright: ignore
    await directory.start()
    try:
        yield directory
    finally:
        await directory.close()


async def test_tokens_are_remembered(db: Database, vault: Vault, ann: Person) -> None:
    _, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken()))
    async with running(db, vault, poll=60) as directory:
        digest = keys.digest(key)
        assert directory.peek(digest) is MISS
        found = await directory.token(digest)
        assert isinstance(found, Token)
        assert directory.peek(digest) is found
        assert await directory.token(keys.digest("guess")) is None
        assert directory.peek(keys.digest("guess")) is None


async def test_a_token_is_believed_for_a_moment_only(db: Database, vault: Vault, ann: Person) -> None:
    token_id, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken()))
    async with running(db, vault, poll=60, ttl=0.05) as directory:
        assert (await directory.token(keys.digest(key))) is not None
        # As if the store were changed behind everybody's back.
        await db.write(lambda tx: tx.execute("UPDATE tokens SET status = 'disabled' WHERE id = $1", token_id))
        await until_async(lambda: directory.peek(keys.digest(key)) is MISS)
        found = await directory.token(keys.digest(key))
        assert found is not None
        assert not found.enabled


async def test_guesses_push_no_token_out(db: Database, vault: Vault, ann: Person) -> None:
    _, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken()))
    async with running(db, vault, poll=60, size=10) as directory:
        await directory.token(keys.digest(key))
        for number in range(30):
            await directory.token(keys.digest(str(number)))
        assert isinstance(directory.peek(keys.digest(key)), Token)


async def test_a_change_elsewhere_is_seen_at_the_next_poll(db: Database, vault: Vault, ann: Person) -> None:
    token_id, key = await db.write(lambda tx: tokens.create(tx, ann.account_id, NewToken()))
    async with running(db, vault, poll=0.02) as directory:
        await directory.token(keys.digest(key))
        await db.write(lambda tx: tokens.update(tx, token_id, TokenChanges(status="disabled")))
        await until_async(lambda: directory.peek(keys.digest(key)) is MISS)
        found = await directory.token(keys.digest(key))
        assert found is not None
        assert not found.enabled


async def test_a_change_is_announced_to_the_other_gateways(db: Database, vault: Vault) -> None:
    cache = MemoryCache()
    async with running(db, vault, cache, poll=60) as one, running(db, vault, cache, poll=60) as other:
        await db.write(lambda tx: catalogue.set_alias(tx, "a", "b"))

        async def announced() -> bool:
            await one.announce()
            return other.snapshot.aliases == {"a": "b"}

        # The other's subscription may stand a moment after its start.
        await until_async(announced)


async def test_the_snapshot_holds_the_whole_configuration(db: Database, vault: Vault) -> None:
    async with running(db, vault, poll=60) as directory:
        seen: list[Snapshot] = []
        directory.on_change(seen.append)
        assert directory.snapshot.price_groups == {"default": Decimal(1)}
        new = NewChannel(name="c", protocol="openai", base_url="http://h", credential="k", priority=-1)
        top = NewChannel(name="d", protocol="openai", base_url="http://h", priority=5, status="disabled")
        await db.write(lambda tx: channels.create(tx, vault, new))
        await db.write(lambda tx: channels.create(tx, vault, top))
        await db.write(lambda tx: catalogue.set_alias(tx, "a", "b"))
        await db.write(lambda tx: catalogue.set_alias(tx, "f", "g", source="builtin"))
        await db.write(lambda tx: catalogue.set_group(tx, "vip", "0.5"))
        await db.write(lambda tx: catalogue.set_price(tx, "m", {"per_call": "1"}))
        assert await directory.refresh()
        assert not await directory.refresh()
        snapshot = directory.snapshot
        assert [(channel.name, channel.enabled) for channel in snapshot.channels] == [("d", False), ("c", True)]
        assert (snapshot.aliases, snapshot.fallbacks) == ({"a": "b"}, {"f": "g"})
        assert snapshot.price_groups == {"default": Decimal(1), "vip": Decimal("0.5")}
        assert snapshot.prices == {"m": {"per_call": "1"}}
        assert [each.version for each in seen] == [0, snapshot.version]
