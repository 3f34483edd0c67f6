"""Rows of tasks, read and written inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from typing import Protocol as Interface

import msgspec

from ..accounts.models import Mode
from ..accounts.query import Where
from ..declare import Hook, Json, State, Task, Usage
from ..storage import kept_bytes, object_rows
from ..storage.database import Row, Tx, Value


@dataclass(slots=True)
class Stored(Task):
    """A task with the gateway's own bookkeeping."""

    protocol: str = ""
    account_id: str = ""
    token_id: str = ""
    channel_id: str = ""
    request_id: str = ""
    hold_id: str | None = None
    price_key: str = ""
    price_group: str = "default"
    cost: int = 0
    hook_key: str = ""
    hook_secret: str | None = None
    """Encrypted."""
    mode: Mode = "live"
    misses: int = 0
    polls: int = 0
    next_poll_at: int | None = None
    polled_at: int | None = None
    leased_until: int = 0
    version: int = 0
    served_by: str | None = None
    """The operation of another protocol that does it."""
    candidate: str | None = None
    """The upstream id that a callback named, not yet believed."""
    fetch_tries: int = 0
    """Polls at which a result's file could not be had."""
    background_path: str | None = None
    """Where background work is asked for upstream."""
    within: list[str] = field(default_factory=list[str])
    """Objects that background work goes on in."""
    stop_asked_at: int | None = None
    """When its vendor took it upon itself to stop it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a file belongs to: a task, or the call that brought it."""

    id: str
    account_id: str
    protocol: str
    submitted_at: int
    finished_at: int | None = None
    mode: Mode = "live"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of an owner's.

    Attributes
    ----------
    key : str
        In the asset store.
    source : str or None
        Its vendor's address.
    keyed : bool
        Its vendor shows it to its own customer only.
    unkept : str or None
        Why it is not in the store.
    """

    number: int
    key: str
    content_type: str
    size: int
    source: str | None
    keyed: bool = False
    unkept: str | None = None


class Viewer(Interface):
    """Who looks at tasks: an account in one mode. What was made in the other does not exist for it."""

    @property
    def account_id(self) -> str:
        """The account."""
        ...

    @property
    def mode(self) -> Mode:
        """The mode."""
        ...


_DEEPEST = 3
"""Steps from an id to its task: of a part, of what has it, of the task itself."""
_GONE = "RETURNING key, account_id, mode, size, unkept"
_JSON = frozenset({"params", "request", "facts", "snapshot", "estimate", "within"})
_PLAIN = tuple(item.name for item in fields(Stored) if item.name not in _JSON and item.name != "hook")
_COLUMNS = (*_PLAIN, *sorted(_JSON), "hook_url")
_INSERT = f"INSERT INTO tasks ({', '.join(_COLUMNS)}) VALUES ({', '.join(f'${n + 1}' for n in range(len(_COLUMNS)))})"


def _dump(value: Json) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _value(task: Stored, column: str) -> Value:
    if column == "hook_url":
        return task.hook.url if task.hook is not None else None
    value = getattr(task, column)
    return _dump(value) if column in _JSON else value


def from_row(row: Row) -> Stored:
    """Build a task from its row; the hook's secret stays encrypted."""
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    values["state"] = State(values["state"])
    for name in _JSON:
        text = row[name]
        values[name] = None if text is None else msgspec.json.decode(text)
    values["estimate"] = msgspec.convert(values["estimate"], Usage)
    url = row["hook_url"]
    return Stored(**values, hook=Hook(url) if url else None)


async def insert(tx: Tx, task: Stored) -> None:
    """Store a new task."""
    await tx.execute(_INSERT, *(_value(task, column) for column in _COLUMNS))


async def update(tx: Tx, task: Stored, *columns: str) -> bool:
    """Write columns of a task, unless somebody else did since it was read.

    Returns
    -------
    bool
        False: nothing was written, the task must be read again.
    """
    sets = ", ".join(f"{column} = ${n + 3}" for n, column in enumerate(columns))
    sql = f"UPDATE tasks SET {sets}, version = version + 1 WHERE id = $1 AND version = $2"
    changed = await tx.execute(sql, task.id, task.version, *(_value(task, column) for column in columns))
    if changed:
        task.version += 1
    return changed == 1


async def load(tx: Tx, viewer: Viewer, task_id: str) -> Stored | None:
    """Return a viewer's task."""
    row = await tx.fetchrow(
        "SELECT * FROM tasks WHERE id = $1 AND account_id = $2 AND mode = $3", task_id, viewer.account_id, viewer.mode
    )
    return from_row(row) if row is not None else None


async def find(tx: Tx, viewer: Viewer, protocol: str, name: str) -> Stored | None:
    """Return a viewer's task of a protocol's family, by its own id, or that of what it made, or of a part of that."""
    owner = object_rows.Owner(viewer.account_id, protocol)
    for _ in range(_DEEPEST):
        # No id holds a NUL, and PostgreSQL takes none.
        if "\0" in name:
            return None
        task = await load(tx, viewer, name)
        if task is not None:
            return task if task.protocol == protocol else None
        made = (await object_rows.find(tx, owner, [name])).get(name)
        if made is None or made.parent_id is None:
            return None
        name = made.parent_id
    return None


async def of_request(tx: Tx, account_id: str, request_id: str) -> Stored | None:
    """Return the task that a request of an account's made."""
    row = await tx.fetchrow("SELECT * FROM tasks WHERE account_id = $1 AND request_id = $2", account_id, request_id)
    return from_row(row) if row is not None else None


async def load_any(tx: Tx, task_id: str) -> Stored | None:
    """Return a task whoever owns it: for the gateway's own work, never for a caller."""
    row = await tx.fetchrow("SELECT * FROM tasks WHERE id = $1", task_id)
    return from_row(row) if row is not None else None


async def by_upstream(tx: Tx, account_id: str, channel_id: str, upstream_id: str) -> Stored | None:
    """Return an account's task by the id that a channel knows it by."""
    row = await tx.fetchrow(
        "SELECT * FROM tasks WHERE channel_id = $1 AND upstream_id = $2 AND account_id = $3 "
        "ORDER BY submitted_at LIMIT 1",
        channel_id,
        upstream_id,
        account_id,
    )
    return from_row(row) if row is not None else None


async def latest(
    tx: Tx, viewer: Viewer, protocol: str, ids: Sequence[str] | None, *, open_only: bool, limit: int = 100
) -> list[Stored]:
    """Return a viewer's tasks of a protocol's family: the latest, or each that some ids name as `find` does."""
    if ids is not None:
        found: dict[str, Stored] = {}
        for name in dict.fromkeys(ids[:limit]):
            task = await find(tx, viewer, protocol, name)
            if task is not None:
                found.setdefault(task.id, task)
        return list(found.values())
    only = "AND finished_at IS NULL" if open_only else ""
    rows = await tx.fetch(
        f"SELECT * FROM tasks WHERE account_id = $1 AND protocol = $2 AND mode = $4 {only} "
        "ORDER BY submitted_at DESC LIMIT $3",
        viewer.account_id,
        protocol,
        limit,
        viewer.mode,
    )
    return [from_row(row) for row in rows]


async def page(
    tx: Tx, viewer: Viewer, operations: Sequence[str], *, after: Task | None, newest_first: bool, limit: int
) -> list[Stored]:
    """Return a viewer's tasks of some operations in the order of their submission, those after one of them."""
    names = ", ".join(f"${n + 6}" for n in range(len(operations)))
    sign, order = ("<", "DESC") if newest_first else (">", "ASC")
    rows = await tx.fetch(
        "SELECT * FROM tasks WHERE account_id = $1 AND mode = $5 AND (CAST($2 AS BIGINT) IS NULL OR (submitted_at, id) "
        f"{sign} (CAST($2 AS BIGINT), CAST($3 AS TEXT))) AND operation IN ({names}) "
        f"ORDER BY submitted_at {order}, id {order} LIMIT $4",
        viewer.account_id,
        None if after is None else after.submitted_at,
        None if after is None else after.id,
        limit,
        viewer.mode,
        *operations,
    )
    return [from_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks of all protocols are wanted, and how many at once."""

    protocol: str | None = None
    states: Sequence[State] = ()
    mode: Mode | None = None
    limit: int = 20


async def of_every_protocol(
    tx: Tx, viewer: Viewer, wanted: Wanted, before: tuple[int, *tuple[str, ...]] | None
) -> list[Stored]:
    """Return a viewer's tasks, newest first, those before a place in the list; one more than wanted, if there is."""
    if wanted.mode not in (None, viewer.mode):
        return []
    where = Where().equal("account_id", viewer.account_id).equal("mode", viewer.mode)
    if wanted.protocol is not None:
        prefix = f"{wanted.protocol}."
        where.add(f"substr(operation, 1, {len(prefix)}) = ?", prefix)
    if wanted.states:
        where.add(f"state IN ({', '.join('?' * len(wanted.states))})", *(state.value for state in wanted.states))
    if before is not None:
        where.add("(submitted_at, id) < (?, ?)", *before)
    rows = await tx.fetch(
        f"SELECT * FROM tasks {where} ORDER BY submitted_at DESC, id DESC LIMIT {wanted.limit + 1}", *where.args
    )
    return [from_row(row) for row in rows]


async def versions(tx: Tx, ids: Sequence[str]) -> Mapping[str, int]:
    """Return the versions of those of some tasks that there are."""
    rows = await tx.fetch(f"SELECT id, version FROM tasks WHERE id IN ({_places(ids)})", *ids)
    return {row["id"]: row["version"] for row in rows}


async def assets(tx: Tx, ids: Sequence[str]) -> Sequence[Row]:
    """Return the rows of some tasks' files, in their order."""
    if not ids:
        return ()
    return await tx.fetch(f"SELECT * FROM assets WHERE task_id IN ({_places(ids)}) ORDER BY task_id, number", *ids)


def _places(values: Sequence[str]) -> str:
    return ", ".join(f"${number + 1}" for number in range(len(values)))


async def forget(tx: Tx, task_id: str) -> list[str]:
    """Delete a task and the rows of its files; return the keys of those."""
    rows = await tx.fetch(f"DELETE FROM assets WHERE task_id = $1 {_GONE}", task_id)
    await tx.execute(
        "DELETE FROM deliveries WHERE outbox_id IN (SELECT id FROM outbox WHERE task_id = $1 AND state <> 'pending')",
        task_id,
    )
    await tx.execute("DELETE FROM outbox WHERE task_id = $1 AND state <> 'pending'", task_id)
    await tx.execute("DELETE FROM tasks WHERE id = $1", task_id)
    return await _count_out(tx, rows)


async def _count_out(tx: Tx, rows: Sequence[Row]) -> list[str]:
    kept = [row for row in rows if row["unkept"] is None]
    await kept_bytes.remove(tx, "files", kept)
    return [row["key"] for row in kept]


async def drop_asset(tx: Tx, owner_id: str, number: int) -> bool:
    """Delete a file's row, without counting it out; False where there is none."""
    return await tx.execute("DELETE FROM assets WHERE task_id = $1 AND number = $2", owner_id, number) == 1


async def forget_assets(tx: Tx, keys: Sequence[tuple[str, int]]) -> int:
    """Delete the rows of some files, by owner and number; return how many files that were."""
    count = 0
    for owner_id, number in keys:
        rows = await tx.fetch(f"DELETE FROM assets WHERE task_id = $1 AND number = $2 {_GONE}", owner_id, number)
        count += len(await _count_out(tx, rows))
    return count


async def add_asset(tx: Tx, task: Stored | Owner, asset: Asset, now: int) -> bool:
    """Record where a result's bytes lie; False where that is recorded already: nothing changes then."""
    new = await tx.execute(
        "INSERT INTO assets "
        "(task_id, number, account_id, mode, key, content_type, size, source_url, keyed, unkept, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        *(task.id, asset.number, task.account_id, task.mode, asset.key, asset.content_type, asset.size),
        *(asset.source, int(asset.keyed), asset.unkept, now),
    )
    return new == 1


async def asset(tx: Tx, owner_id: str, number: int, viewer: Viewer | None = None) -> Row | None:
    """Return a file's row; of a task or call of the viewer's account and mode only, where one is named."""
    if viewer is None:
        return await tx.fetchrow("SELECT * FROM assets WHERE task_id = $1 AND number = $2", owner_id, number)
    return await tx.fetchrow(
        "SELECT * FROM assets WHERE task_id = $1 AND number = $2 AND account_id = $3 AND mode = $4",
        owner_id,
        number,
        viewer.account_id,
        viewer.mode,
    )
