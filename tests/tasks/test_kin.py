"""Tasks by the names of what they made, and protocols that share their tasks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deeepai.declare import Accepted, Child, JobTranslator, Made, State, Task
from deeepai.storage import object_rows
from deeepai.storage.ids import now_ms
from deeepai.storage.object_rows import Owner
from deeepai.tasks import store
from deeepai.tasks.jobs import JobIndex
from tests.gateway.asgi import protocol
from tests.tasks.world import submit, world

ANN: Any = SimpleNamespace(account_id="a", mode="live")
BOB: Any = SimpleNamespace(account_id="b", mode="live")


async def test_a_task_is_found_by_what_it_made_and_by_parts_of_that(tmp_path: Path) -> None:
    async with world(tmp_path) as a:
        task, other = await a.begun(protocol="songs"), await a.begun(protocol="songs")
        await a.life.accepted(task, Accepted("u1", children=(Child("clip-1", "clip"), Child("clip-2", "clip"))))
        owner, voice = Owner("a", "songs"), Made("voice-1", "persona", "clip-2")
        await a.db.write(lambda tx: object_rows.add(tx, owner, "t", "ch_a", [voice, Made("file", "file")], now_ms()))

        async def found(name: str, viewer: Any = ANN, kin: str = "songs") -> str | None:
            task = await a.db.read(lambda tx: store.find(tx, viewer, kin, name))
            return task and task.id

        for name in (task.id, "clip-1", "clip-2", "voice-1"):
            assert await found(name) == task.id
            assert await found(name, BOB) is None
            assert await found(name, kin="films") is None
        for name in ("clip-3", "file", "clip-1\0"):
            assert await found(name) is None
        names = ["clip-2", other.id, "clip-1", "nobody's", "voice-1"]
        latest = await a.db.read(lambda tx: store.latest(tx, ANN, "songs", names, open_only=False))
        assert [each.id for each in latest] == [task.id, other.id]


@pytest.mark.parametrize(("family", "snapshot"), [("", {"roles": []}), ("one", {"state": "succeeded"})])
def test_what_the_vendor_says_stays_within_the_family(family: str, snapshot: Any) -> None:
    translator = JobTranslator(
        source="one.try",
        target="two.try",
        takes=lambda request: True,
        request=lambda request, model: {},
        error=lambda answer: ValueError(),  # pyright: ignore[reportArgumentType]
        facts=lambda body: {},
    )
    one, two = protocol(submit(), name="one"), protocol(submit(), name="two", family=family)
    rules = JobIndex({"one": one, "two": two}, [translator]).rules("one.try", "two.try")
    answer: Any = SimpleNamespace(json=lambda: {"state": "succeeded"})
    status = rules.read(answer, Task("t", "one.try", "m", State.RUNNING))
    assert (status.state, status.snapshot) == (State.SUCCEEDED, snapshot)
