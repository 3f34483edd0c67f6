"""Rows of objects on both databases: owners, order, and what ends with what."""

from __future__ import annotations

from deeepai.declare import Made
from deeepai.storage import object_rows
from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate
from deeepai.storage.object_rows import Owned, Owner

ANN, BOB = Owner("ann", "openai"), Owner("bob", "openai")


async def add(db: Database, owner: Owner, channel: str, *made: Made, now: int = 1) -> None:
    await db.write(lambda tx: object_rows.add(tx, owner, "token", channel, made, now))


async def find(db: Database, owner: Owner, *ids: str) -> dict[str, Owned]:
    return await db.read(lambda tx: object_rows.find(tx, owner, ids))


async def test_an_object_has_one_owner_and_one_place(db: Database) -> None:
    await migrate(db)
    await add(db, ANN, "near", Made("file-1", "file", facts={"bytes": 3}))
    await add(db, BOB, "near", Made("file-1", "file"))
    assert await find(db, BOB, "file-1") == {}
    # Another upstream may have made one of the same name.
    await add(db, BOB, "far", Made("file-1", "file"))
    assert (await find(db, BOB, "file-1"))["file-1"].channel_id == "far"
    await add(db, ANN, "far", Made("file-1", "file", facts={"bytes": 4}))
    await add(db, ANN, "near", Made("file-1", "file"))
    assert (await find(db, ANN, "file-1"))["file-1"].facts == {"bytes": 3}
    await add(db, ANN, "near", Made("file-1", "file", facts={"bytes": 5}))
    assert (await find(db, ANN, "file-1", "nul\0", "file-2")).keys() == {"file-1"}
    assert (await find(db, ANN, "file-1"))["file-1"].facts == {"bytes": 5}
    assert await find(db, Owner("ann", "anthropic"), "file-1") == {}


async def test_what_ends_takes_its_parts_along(db: Database) -> None:
    await migrate(db)
    parts = [Made(f"msg_{number}", "item", "resp_1") for number in range(300)]
    await add(db, ANN, "near", Made("resp_1", "response"), *parts, Made("resp_2", "response"))
    assert len(await find(db, ANN, *(one.id for one in parts))) == 300
    await db.write(lambda tx: object_rows.forget(tx, BOB, ["resp_1"]))
    await db.write(lambda tx: object_rows.forget(tx, ANN, ["resp_1"]))
    assert (await find(db, ANN, "resp_1", "resp_2", *(one.id for one in parts))).keys() == {"resp_2"}


async def test_pages(db: Database) -> None:
    await migrate(db)
    names = [f"file-{number}" for number in range(9)]
    for number, name in enumerate(names):
        # Three at a time are made in the same millisecond.
        await add(db, ANN, "near", Made(name, "file"), now=number // 3)
    await add(db, ANN, "near", Made("vs_1", "vector_store"))
    found = await find(db, ANN, *names)

    async def page(after: str | None, before: str | None, newest_first: bool, limit: int) -> list[str]:
        rows = await db.read(
            lambda tx: object_rows.page(
                tx,
                ANN,
                "file",
                after=found[after] if after else None,
                before=found[before] if before else None,
                newest_first=newest_first,
                limit=limit,
            )
        )
        return [row.id for row in rows]

    newest = names[::-1]
    assert await page(None, None, True, 20) == newest
    assert await page(None, None, False, 20) == names
    for at in range(8):
        assert await page(newest[at], None, True, 2) == newest[at + 1 : at + 3]
        assert await page(names[at], None, False, 2) == names[at + 1 : at + 3]
        assert await page(None, newest[at + 1], True, 2) == newest[max(0, at - 1) : at + 1]
        assert await page(None, names[at + 1], False, 2) == names[max(0, at - 1) : at + 1]
    assert await page(newest[1], newest[6], True, 20) == newest[2:6]
    assert await page(names[1], names[6], False, 20) == names[2:6]
