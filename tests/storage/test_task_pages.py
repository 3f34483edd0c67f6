"""Pages of tasks on both databases, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deeepai.accounts.models import Mode
from deeepai.declare import State
from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate
from deeepai.tasks import store
from deeepai.tasks.store import Asset, Stored, Wanted


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


async def every(
    db: Database, wanted: Wanted | None = None, before: tuple[int, str] | None = None, mode: Mode = "live"
) -> Sequence[str]:
    found = await db.read(lambda tx: store.of_every_protocol(tx, Seen("ann", mode), wanted or Wanted(), before))
    return [task.id for task in found]


async def test_tasks_of_every_protocol(db: Database) -> None:
    await migrate(db)
    for at, operation in (
        (1, "openai.videos.create"),
        (2, "kling.videos.text2video"),
        (2, "kling_too.videos"),
        (3, "x.y"),
    ):
        await add(db, f"{operation[:9]}-{at}", at, operation)
    await add(db, "bobs", 2, account="bob")
    newest_first = ["x.y-3", "kling_too-2", "kling.vid-2", "openai.vi-1"]
    assert await every(db) == newest_first
    assert await every(db, Wanted(limit=2)) == newest_first[:3], "one more tells that there are more"
    assert await every(db, Wanted(limit=2), (2, "kling_too-2")) == newest_first[2:]
    assert await every(db, Wanted(protocol="kling")) == ["kling.vid-2"], "no pattern"
    assert await every(db, Wanted(states=(State.FAILED, State.SUCCEEDED))) == newest_first
    assert await every(db, Wanted(states=(State.FAILED, State.RUNNING))) == []
    assert await every(db, mode="test") == await every(db, Wanted(mode="test")) == []


async def test_what_changed_and_what_was_made(db: Database) -> None:
    await migrate(db)
    tasks = [await add(db, name, 1) for name in ("a", "b")]
    await db.write(lambda tx: store.update(tx, tasks[1], "state"))
    assert await db.read(lambda tx: store.versions(tx, ["a", "b", "gone"])) == {"a": 0, "b": 1}
    for task, number in ((tasks[1], 1), (tasks[0], 0), (tasks[1], 0)):
        asset = Asset(number, f"{task.id}/{number}", "image/png", 5, None)
        await db.write(lambda tx, task=task, asset=asset: store.add_asset(tx, task, asset, 1))
    rows = await db.read(lambda tx: store.assets(tx, ["a", "b", "gone"]))
    assert [(row["task_id"], row["number"]) for row in rows] == [("a", 0), ("b", 0), ("b", 1)]
    assert await db.read(lambda tx: store.assets(tx, [])) == ()
