"""Long jobs, and the callbacks that tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ...accounts.query import Viewer, Where, cursor, place
from ...accounts.units import Usd, moment, moment_or_none, usd
from ...declare import Failure, Reason, State
from ...storage.database import Row, Tx
from ...storage.ids import now_ms
from ..routes import Call, Paging, Route


class TaskQuery(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which tasks."""

    account_id: str | None = None
    protocol: str | None = None
    model: str | None = None
    state: State | None = None


class TaskView(msgspec.Struct, kw_only=True):
    """A long job."""

    id: str
    protocol: str
    operation: str
    account_id: str
    token_id: str
    channel_id: str | None
    """For administrators alone, as all that tells of the upstream."""
    model: str
    mode: str
    state: str
    progress: int | None
    error: str | None
    cost: Usd
    results: int
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TaskDetails(TaskView, kw_only=True):
    """A long job with the vendor's last word."""

    parent_id: str | None
    upstream_id: str | None
    request_id: str
    polls: int
    hook_url: str | None
    snapshot: Any


class Tasks(msgspec.Struct, kw_only=True):
    """A page of tasks, newest first."""

    data: list[TaskView]
    next: str | None


class Attempt(msgspec.Struct, kw_only=True):
    """One try to deliver a callback."""

    attempt: int
    status: int | None
    error: str | None
    duration_ms: int
    created_at: datetime


class Callback(msgspec.Struct, kw_only=True):
    """A callback with its delivery log."""

    id: str
    task_id: str
    event: str | None
    """Of a webhook's; none of a callback that the task's own request asked for."""
    url: str
    state: str
    attempts: int
    next_at: datetime | None
    created_at: datetime
    log: list[Attempt]


class Callbacks(msgspec.Struct, kw_only=True):
    """A task's callbacks, oldest first."""

    data: list[Callback]


class Resent(msgspec.Struct, kw_only=True):
    """How many callbacks go out again."""

    resent: int


def _seen(viewer: Viewer) -> Where:
    where = Where()
    if viewer.admin:
        return where
    # A plain member sees what the own tokens made.
    return where.add(
        "account_id IN (SELECT account_id FROM members WHERE user_id = ? AND role IN ('owner', 'admin')) "
        "OR token_id IN (SELECT t.id FROM tokens t JOIN members m ON m.account_id = t.account_id "
        "AND m.user_id = t.user_id WHERE t.user_id = ?)",
        viewer.user_id,
        viewer.user_id,
    )


def _fields(row: Row, viewer: Viewer) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _PLAIN},
        "channel_id": row["channel_id"] if viewer.admin else None,
        "cost": usd(row["cost"]),
        "submitted_at": moment(row["submitted_at"]),
        "started_at": moment_or_none(row["started_at"]),
        "finished_at": moment_or_none(row["finished_at"]),
    }


_PLAIN = (
    "id",
    "protocol",
    "operation",
    "account_id",
    "token_id",
    "model",
    "mode",
    "state",
    "progress",
    "error",
    "results",
)


async def list_tasks(tx: Tx, viewer: Viewer, query: TaskQuery) -> Tasks:
    """Return tasks, newest first."""
    where = _seen(viewer).equal("account_id", query.account_id).equal("protocol", query.protocol)
    where.equal("model", query.model).equal("state", None if query.state is None else query.state.value)
    if query.cursor is not None:
        where.add("(submitted_at, id) < (?, ?)", *place(query.cursor))
    rows = await tx.fetch(
        f"SELECT * FROM tasks {where} ORDER BY submitted_at DESC, id DESC LIMIT {query.limit}", *where.args
    )
    after = cursor(rows[-1]["submitted_at"], rows[-1]["id"]) if len(rows) == query.limit else None
    return Tasks(data=[TaskView(**_fields(row, viewer)) for row in rows], next=after)


async def _row(tx: Tx, task_id: str, viewer: Viewer) -> Row:
    where = _seen(viewer).add("id = ?", task_id)
    row = await tx.fetchrow(f"SELECT * FROM tasks {where}", *where.args)
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such task")
    return row


async def get_task(tx: Tx, task_id: str, viewer: Viewer) -> TaskDetails:
    """Return a task that the viewer may see."""
    row = await _row(tx, task_id, viewer)
    return TaskDetails(
        **_fields(row, viewer),
        parent_id=row["parent_id"],
        upstream_id=row["upstream_id"] if viewer.admin else None,
        request_id=row["request_id"],
        polls=row["polls"],
        hook_url=row["hook_url"],
        snapshot=None if row["snapshot"] is None or not viewer.admin else msgspec.json.decode(row["snapshot"]),
    )


async def list_callbacks(tx: Tx, task_id: str, viewer: Viewer) -> Callbacks:
    """Return a task's callbacks with their delivery logs."""
    await _row(tx, task_id, viewer)
    rows = await tx.fetch(
        "SELECT * FROM outbox WHERE task_id = $1 AND webhook_id IS NULL ORDER BY created_at, id", task_id
    )
    log = await logs_of(tx, [row["id"] for row in rows])
    return Callbacks(data=[callback_of(row, log) for row in rows])


async def logs_of(tx: Tx, ids: Sequence[str]) -> Mapping[str, list[Attempt]]:
    """Return the delivery logs of some callbacks."""
    log: dict[str, list[Attempt]] = {}
    if not ids:
        return log
    places = ", ".join(f"${number + 1}" for number in range(len(ids)))
    for row in await tx.fetch(f"SELECT * FROM deliveries WHERE outbox_id IN ({places}) ORDER BY attempt", *ids):
        log.setdefault(row["outbox_id"], []).append(
            Attempt(
                attempt=row["attempt"],
                status=row["status"],
                error=row["error"],
                duration_ms=row["duration_ms"],
                created_at=moment(row["created_at"]),
            )
        )
    return log


def callback_of(row: Row, log: Mapping[str, list[Attempt]]) -> Callback:
    """Return a callback of the outbox with its log."""
    return Callback(
        **{name: row[name] for name in ("id", "task_id", "event", "url", "state", "attempts")},
        next_at=moment_or_none(row["next_at"]),
        created_at=moment(row["created_at"]),
        log=log.get(row["id"], []),
    )


async def resend(tx: Tx, task_id: str, viewer: Viewer) -> int:
    """Have a task's last callback go out again, under its old id; return how many that are.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where the task has none.
    """
    await _row(tx, task_id, viewer)
    sent = await tx.execute(
        "UPDATE outbox SET state = 'pending', next_at = $2, leased_until = 0 WHERE id = "
        "(SELECT id FROM outbox WHERE task_id = $1 AND webhook_id IS NULL ORDER BY created_at DESC, id DESC LIMIT 1)",
        task_id,
        now_ms(),
    )
    if not sent:
        raise Failure(Reason.CONFLICT, "The task has no callback")
    return sent


async def _list(call: Call) -> Tasks:
    return await call.read(lambda tx: list_tasks(tx, call.viewer, call.query))


async def _get(call: Call) -> TaskDetails:
    return await call.read(lambda tx: get_task(tx, call.params["id"], call.viewer))


async def _callbacks(call: Call) -> Callbacks:
    return await call.read(lambda tx: list_callbacks(tx, call.params["id"], call.viewer))


async def _resend(call: Call) -> Resent:
    return Resent(resent=await call.write(lambda tx: resend(tx, call.params["id"], call.viewer)))


ROUTES = (
    Route(
        method="GET",
        path="/tasks",
        summary="List tasks, newest first",
        handler=_list,
        role="user",
        query=TaskQuery,
        answer=Tasks,
    ),
    Route(method="GET", path="/tasks/{id}", summary="Show a task", handler=_get, role="user", answer=TaskDetails),
    Route(
        method="GET",
        path="/tasks/{id}/callbacks",
        summary="List a task's callbacks and their delivery logs",
        handler=_callbacks,
        role="user",
        answer=Callbacks,
    ),
    Route(
        method="POST",
        path="/tasks/{id}/callbacks/resend",
        summary="Send a task's last callback again",
        handler=_resend,
        role="user",
        answer=Resent,
    ),
)
