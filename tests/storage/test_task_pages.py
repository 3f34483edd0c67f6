"""Pages of tasks on both databases, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deeepai.accounts.models import Mode
from deeepai.declare import State
from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate
from deeepai.tasks import store
from deeepai.tasks.store import Stored


@dataclass
class Seen:
    """An account that looks."""

    account_id: str
    mode: Mode = "live"


OPERATIONS = ("openai.videos.create", "openai.videos.remix")


async def add(db: Database, name: str, at: int, operation: str = OPERATIONS[0], account: str = "ann") -> Stored:
    task = Stored(
        id=name,
        operation=operation,
        model="m",
        state=State.SUCCEEDED,
        submitted_at=at,
        protocol="openai",
        account_id=account,
        token_id="t",
        channel_id="c",
        request_id=f"req-{name}",
        price_key="m",
    )
    await db.write(lambda tx: store.insert(tx, task))
    return task


async def page(
    db: Database, after: Stored | None = None, limit: int = 2, *, newest_first: bool = True, account: str = "ann"
) -> Sequence[str]:
    viewer = Seen(account)
    found = await db.read(
        lambda tx: store.page(tx, viewer, OPERATIONS, after=after, newest_first=newest_first, limit=limit)
    )
    return [task.id for task in found]


async def test_pages_follow_each_other(db: Database) -> None:
    await migrate(db)
    tasks = [await add(db, name, at, OPERATIONS[at % 2]) for name, at in (("a", 1), ("c", 2), ("b", 2), ("d", 3))]
    await add(db, "other-operation", 2, "openai.batches.create")
    await add(db, "other-account", 2, account="bob")
    by_name = {task.id: task for task in tasks}
    assert await page(db) == ["d", "c"]
    assert await page(db, by_name["c"]) == ["b", "a"], "of two at one moment neither is lost"
    assert await page(db, by_name["a"]) == []
    assert await page(db, newest_first=False, limit=9) == ["a", "b", "c", "d"]
    assert await page(db, by_name["b"], newest_first=False) == ["c", "d"]
    assert await page(db, account="bob") == ["other-account"]


async def test_what_is_forgotten_is_gone_with_its_files(db: Database) -> None:
    await migrate(db)
    task, other = await add(db, "a", 1), await add(db, "b", 2)
    for owner, number in ((task, 0), (task, 1), (other, 0)):
        await db.write(
            lambda tx, o=owner, n=number: store.add_asset(tx, o, store.Asset(n, f"{o.id}{n}", "video/mp4", 1, None), 1)
        )
    assert sorted(await db.write(lambda tx: store.forget(tx, "a"))) == ["a0", "a1"]
    assert await page(db) == ["b"]
    assert await db.read(lambda tx: store.asset(tx, "a", 0)) is None
    assert await db.read(lambda tx: store.asset(tx, "b", 0)) is not None
