"""What need not be kept is forgotten, in the database and in the store; what is owed stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deeepai.declare import Hook, HookMessage, State, Usage
from deeepai.storage import kept_bytes
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from deeepai.storage.ids import now_ms
from deeepai.tasks import outbox, store
from deeepai.tasks.assets import AssetStore
from deeepai.tasks.files import Bounds, FileKeeper, Source, one
from deeepai.tasks.retention import Retention, Terms
from deeepai.tasks.store import Stored
from tests.servers import new_postgresql

DAY = 86_400_000


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url = f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else await new_postgresql()
    opened = await open_database(url)
    yield opened
    await opened.close()


def task(name: str, age: float, mode: Any = "live", **more: Any) -> Stored:
    at = now_ms() - round(age * DAY)
    values: dict[str, Any] = {"finished_at": at, "state": State.SUCCEEDED, "hook": None, **more}
    return Stored(
        id=name, operation="toy.make", model="m", params={}, request={}, facts={}, estimate=Usage(), parent_id=None,
        upstream_id=None, submitted_at=at, protocol="toy", account_id="a", token_id="t", channel_id="c",
        request_id=f"req_{name}", mode=mode, hook_key="k", **values,
    )  # fmt: skip


class Kept:
    """A store with files of tasks in it."""

    def __init__(self, db: Database, folder: Path, quota: Callable[[str], int]) -> None:
        self.db = db
        self.folder = folder / "assets"
        self.assets = AssetStore(str(self.folder))
        self.unkept: list[tuple[str, str]] = []
        bounds = Bounds(1 << 20, quota, folder, None, 0)
        self.files = FileKeeper(db, self.assets, bounds, lambda kind, why: self.unkept.append((kind, why)))
        self.deleted: list[tuple[str, int]] = []
        terms = Terms(30, 90, 0, 3, quota)
        self.retention = Retention(
            db, self.assets, terms, lambda kind, count: self.deleted.append((kind, count)), pause=60
        )

    async def add(self, one_task: Stored, size: int = 100, url: str | None = "https://vendor.example/x") -> str | None:
        await self.db.write(lambda tx: store.insert(tx, one_task))
        source = Source(one(bytes(size)), "image/png", url)
        _, why = await self.files.keep(one_task, 0, source)
        await self.db.write(
            lambda tx: tx.execute(
                "UPDATE assets SET created_at = $2 WHERE task_id = $1", one_task.id, one_task.submitted_at
            )
        )
        return why

    async def names(self, table: str, column: str) -> set[str]:
        return {row[column] for row in await self.db.read(lambda tx: tx.fetch(f"SELECT {column} FROM {table}"))}

    def lying(self) -> set[str]:
        return {file.name.removesuffix("-0.png") for file in self.folder.rglob("*.png")}

    async def used(self, mode: str = "live") -> int:
        return await self.db.read(lambda tx: kept_bytes.used(tx, kept_bytes.Place("a", mode, "files")))


async def test_old_files_and_tasks_go_and_what_is_owed_stays(db: Database, tmp_path: Path) -> None:
    kept = Kept(db, tmp_path, lambda mode: 1 << 20)
    for one_task in (
        task("new", 1),
        task("file-old", 40),
        task("old", 100),
        task("test-old", 4, "test"),
        task("test-new", 2, "test"),
        task("open", 100, finished_at=None, state=State.RUNNING),
        task("held", 100, hold_id="req_held"),
        task("called", 100, hook=Hook("https://caller.example/")),
    ):
        assert await kept.add(one_task) is None
        if one_task.hook is not None:
            await db.write(lambda tx, t=one_task: outbox.enqueue(tx, t, HookMessage({}), now_ms()))
    assert await kept.used() == 600
    await kept.retention.round()
    assert await kept.names("tasks", "id") == {"new", "file-old", "test-new", "open", "held", "called"}
    # The file of a task that holds money no longer tells anybody anything; those that are waited for stay.
    assert kept.lying() == await kept.names("assets", "task_id") == {"new", "test-new", "open", "called"}
    assert await kept.used() == 300
    assert await kept.used("test") == 100
    assert dict(kept.deleted)["tasks"] >= 1


async def test_one_node_does_it_and_not_at_once_again(db: Database, tmp_path: Path) -> None:
    kept = Kept(db, tmp_path, lambda mode: 1 << 20)
    await kept.retention.round()
    await kept.add(task("old", 100))
    await kept.retention.round()
    assert kept.lying() == {"old"}, "the next round is a minute away"
    await db.write(lambda tx: tx.execute("UPDATE chores SET next_at = 0"))
    await kept.retention.round()
    assert kept.lying() == set()


async def test_the_quota_is_exact_and_the_oldest_make_way(db: Database, tmp_path: Path) -> None:
    kept = Kept(db, tmp_path, lambda mode: 250)
    assert await kept.add(task("a", 3)) is None
    assert await kept.add(task("b", 2)) is None
    assert await kept.add(task("c", 1)) == "quota"
    assert await kept.used() == 200
    assert kept.lying() == {"a", "b"}
    # What is nowhere else is kept, and what is older goes.
    assert await kept.add(task("only-here", 0), url=None) is None
    assert kept.unkept == [("files", "quota")]
    await kept.retention.round()
    assert kept.lying() == {"b", "only-here"}
    assert await kept.used() == 200


async def test_an_account_is_purged(db: Database, tmp_path: Path) -> None:
    kept = Kept(db, tmp_path, lambda mode: 1 << 20)
    await kept.add(task("a", 0))
    await kept.add(task("b", 0, "test"))
    await kept.add(task("open", 0, finished_at=None, state=State.RUNNING))
    counts = await kept.retention.purge("a")
    assert counts == {"files": 2, "tasks": 2, "replays": 0, "answers": 0, "usage": 0}
    assert kept.lying() == {"open"}
    assert await kept.used() == 100


async def test_a_store_that_fails_costs_no_room(db: Database, tmp_path: Path) -> None:
    kept = Kept(db, tmp_path, lambda mode: 1 << 20)
    # Where the account's folder should be, there is a file.
    await kept.assets.put("a", io.BytesIO(b""))
    assert await kept.add(task("a", 0)) == "store"
    assert await kept.used() == 0
    assert await kept.names("assets", "task_id") == set()
