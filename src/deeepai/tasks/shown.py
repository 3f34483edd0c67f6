"""A task as the gateway itself tells of it: in one shape, whatever its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..accounts.units import usd
from ..declare import Json
from ..storage.database import Row
from .links import SignedLinks
from .store import Stored


def shown(task: Stored, files: Sequence[Row], links: SignedLinks) -> dict[str, Json]:
    """Return a task; `files` are the rows of its assets. Times are seconds since 1970, costs US dollars as text."""
    return {
        "id": task.id,
        "object": "task",
        "protocol": protocol_of(task),
        "operation": task.operation,
        "model": task.model,
        "mode": task.mode,
        "state": task.state.value,
        "progress": task.progress,
        "files": [
            {
                "url": links.asset(task, row["number"]),
                "content_type": row["content_type"],
                "bytes": row["size"] if row["unkept"] is None else None,
            }
            for row in files
        ],
        "cost": usd(task.cost) if task.state.final else None,
        "error": {"message": task.error} if task.error is not None else None,
        "created_at": task.submitted_at // 1000,
        "started_at": _seconds(task.started_at),
        "finished_at": _seconds(task.finished_at),
        "request_id": task.request_id,
        "request": task.request,
        "parent_id": task.parent_id,
    }


def protocol_of(task: Stored) -> str:
    """Return the protocol in which a task was asked for."""
    return task.operation.partition(".")[0]


def by_owner(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    """Return rows of assets by the tasks that they are of."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["task_id"], []).append(row)
    return found


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000
