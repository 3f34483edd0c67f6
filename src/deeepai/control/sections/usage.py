"""Usage: a row for each request that reached an account, and totals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...accounts.query import Viewer, Where, cursor, place
from ...accounts.units import Moment, Usd, moment, ms, usd
from ...declare import Failure, Reason
from ...storage.database import Row, Tx
from ..routes import Call, Paging, Route

DAY_MS = 86_400_000


class UsageFilter(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which requests."""

    account_id: str | None = None
    token_id: str | None = None
    user_id: str | None = None
    channel_id: str | None = None
    protocol: str | None = None
    operation: str | None = None
    model: str | None = None
    task_id: str | None = None
    request_id: str | None = None
    status: Annotated[int, Meta(ge=0, le=999)] | None = None
    failed: bool | None = None
    since: Moment | None = None
    until: Moment | None = None


Group = Literal["model", "token_id", "user_id", "account_id", "channel_id", "protocol", "operation", "day"]


class TotalsQuery(UsageFilter, kw_only=True, forbid_unknown_fields=True):
    """Which requests, and by what they are added up."""

    by: Group | None = None


class UsageView(msgspec.Struct, kw_only=True):
    """One request."""

    request_id: str
    account_id: str
    token_id: str
    user_id: str | None
    protocol: str
    operation: str
    model: str | None
    upstream_model: str | None
    channel_id: str | None
    task_id: str | None
    status: int
    cost: Usd
    basis: str | None
    consumed: dict[str, Any] | None
    streamed: bool
    attempts: int
    latency_ms: int
    first_byte_ms: int | None
    overhead_us: int | None
    error: str | None
    ip: str | None
    created_at: datetime


class UsageLog(msgspec.Struct, kw_only=True):
    """A page of requests, newest first."""

    data: list[UsageView]
    next: str | None


class Total(msgspec.Struct, kw_only=True):
    """Sums over requests."""

    group: str | None
    requests: int
    failed: int
    cost: Usd


class Totals(msgspec.Struct, kw_only=True):
    """Sums, the dearest first; days in order (UTC)."""

    data: list[Total]


_EQUAL = ("account_id", "token_id", "user_id", "channel_id", "protocol", "operation", "model", "task_id", "status")


def _where(viewer: Viewer, query: UsageFilter) -> Where:
    by = query.by if isinstance(query, TotalsQuery) else None
    if not viewer.admin and (query.channel_id is not None or by == "channel_id"):
        param = "by" if query.channel_id is None else "channel_id"
        raise Failure(Reason.FORBIDDEN, "Only an administrator sees which channel served", param=param)
    where = Where().visible(viewer, user="user_id").equal("request_id", query.request_id)
    for column in _EQUAL:
        where.equal(column, getattr(query, column))
    if query.failed is not None:
        where.add("status >= 400" if query.failed else "status < 400")
    if query.since is not None:
        where.add("created_at >= ?", ms(query.since))
    if query.until is not None:
        where.add("created_at < ?", ms(query.until))
    return where


def _view(row: Row, *, admin: bool) -> UsageView:
    values: dict[str, Any] = {name: row[name] for name in UsageView.__struct_fields__}
    values["cost"] = usd(row["cost"])
    values["consumed"] = None if row["consumed"] is None else msgspec.json.decode(row["consumed"])
    values["streamed"] = row["streamed"] == 1
    values["created_at"] = moment(row["created_at"])
    if not admin:
        # Which upstream served is the operator's own affair.
        values["channel_id"] = values["upstream_model"] = None
        if row["status"] >= 500 and row["attempts"]:
            values["error"] = None
    return UsageView(**values)


async def list_usage(tx: Tx, viewer: Viewer, query: UsageFilter) -> UsageLog:
    """Return requests, newest first."""
    where = _where(viewer, query)
    if query.cursor is not None:
        where.add("(created_at, request_id) < (?, ?)", *place(query.cursor))
    rows = await tx.fetch(
        f"SELECT * FROM usage {where} ORDER BY created_at DESC, request_id DESC LIMIT {query.limit}", *where.args
    )
    after = cursor(rows[-1]["created_at"], rows[-1]["request_id"]) if len(rows) == query.limit else None
    return UsageLog(data=[_view(row, admin=viewer.admin) for row in rows], next=after)


async def totals(tx: Tx, viewer: Viewer, query: TotalsQuery) -> Totals:
    """Return sums."""
    where = _where(viewer, query)
    column = f"created_at / {DAY_MS}" if query.by == "day" else query.by or "1"
    order = "grouped" if query.by == "day" else "cost DESC, requests DESC"
    rows = await tx.fetch(
        f"SELECT {column} AS grouped, COUNT(*) AS requests, CAST(SUM(cost) AS BIGINT) AS cost, "
        f"SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS failed FROM usage {where} "
        + (f"GROUP BY {column} ORDER BY {order} LIMIT {query.limit}" if query.by else ""),
        *where.args,
    )

    def named(row: Row) -> str | None:
        if query.by is None or row["grouped"] is None:
            return None
        return moment(row["grouped"] * DAY_MS).date().isoformat() if query.by == "day" else row["grouped"]

    data = [
        Total(group=named(row), requests=row["requests"], failed=int(row["failed"] or 0), cost=usd(row["cost"] or 0))
        for row in rows
    ]
    return Totals(data=data)


async def _list(call: Call) -> UsageLog:
    return await call.read(lambda tx: list_usage(tx, call.viewer, call.query))


async def _totals(call: Call) -> Totals:
    return await call.read(lambda tx: totals(tx, call.viewer, call.query))


ROUTES = (
    Route(
        method="GET",
        path="/usage",
        summary="List requests, newest first",
        handler=_list,
        role="user",
        query=UsageFilter,
        answer=UsageLog,
    ),
    Route(
        method="GET",
        path="/usage/totals",
        summary="Add requests up",
        handler=_totals,
        role="user",
        query=TotalsQuery,
        answer=Totals,
    ),
)
