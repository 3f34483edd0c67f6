"""What happened: usage, tasks, the ledger's proof, coverage."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, get_args

import typer

from ..control.coverage import markdown as coverage_page
from ..control.coverage import rows as coverage_rows
from ..control.sections import tasks as task_store
from ..control.sections import usage as usage_store
from ..control.sections.tasks import TaskQuery
from ..control.sections.usage import Group, TotalsQuery, UsageFilter
from ..declare import State
from ..money.audit import verify
from .common import DataOption, JsonOption, LimitOption, parse_moment, print_json, run, show, struct
from .people import EVERYTHING

usage = typer.Typer(help="Requests and what they cost.", no_args_is_help=True)
tasks = typer.Typer(help="Long jobs.", no_args_is_help=True)
ledger = typer.Typer(help="The ledger.", no_args_is_help=True)

SinceOption = Annotated[str | None, typer.Option(help="Date, or date and time (UTC)")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(usage, name="usage")
    app.add_typer(tasks, name="tasks")
    app.add_typer(ledger, name="ledger")
    app.command()(coverage)


@usage.command("list")
def list_usage(
    account: Annotated[str | None, typer.Option(help="Id")] = None,
    token: Annotated[str | None, typer.Option(help="Id")] = None,
    model: str | None = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed")] = False,
    since: SinceOption = None,
    until: SinceOption = None,
    limit: LimitOption = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List requests, newest first."""
    query = UsageFilter(
        account_id=account,
        token_id=token,
        model=model,
        failed=failed or None,
        since=parse_moment(since) if since else None,
        until=parse_moment(until) if until else None,
        limit=limit,
    )
    found = run(data, lambda store: store.read(lambda tx: usage_store.list_usage(tx, EVERYTHING, query)))
    columns = ("created_at", "request_id", "operation", "model", "status", "cost", "basis", "latency_ms", "error")
    show(found.data, columns, as_json=as_json)


@usage.command("totals")
def total_usage(
    by: Annotated[str | None, typer.Option(help=", ".join(get_args(Group)))] = "model",
    since: SinceOption = None,
    until: SinceOption = None,
    limit: LimitOption = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add requests up."""
    if by not in get_args(Group):
        raise typer.BadParameter(f"--by takes one of {', '.join(get_args(Group))}")
    since_ms = parse_moment(since) if since else None
    until_ms = parse_moment(until) if until else None
    query = struct(TotalsQuery, {"by": by, "since": since_ms, "until": until_ms, "limit": limit})
    found = run(data, lambda store: store.read(lambda tx: usage_store.totals(tx, EVERYTHING, query)))
    show(found.data, ("group", "requests", "failed", "cost"), as_json=as_json)


@tasks.command("list")
def list_tasks(
    state: Annotated[str | None, typer.Option(help=", ".join(State))] = None,
    protocol: str | None = None,
    limit: LimitOption = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, newest first."""
    query = struct(TaskQuery, {"state": state, "protocol": protocol, "limit": limit})
    found = run(data, lambda store: store.read(lambda tx: task_store.list_tasks(tx, EVERYTHING, query)))
    columns = ("id", "operation", "model", "mode", "state", "progress", "cost", "submitted_at", "error")
    show(found.data, columns, as_json=as_json)


@tasks.command("show")
def show_task(task: str, data: DataOption = None) -> None:
    """Show a task and its callbacks, as JSON."""
    found = run(data, lambda store: store.read(lambda tx: task_store.get_task(tx, task, EVERYTHING)))
    sent = run(data, lambda store: store.read(lambda tx: task_store.list_callbacks(tx, task, EVERYTHING)))
    print_json({"task": found, "callbacks": sent.data})


@tasks.command("resend")
def resend(task: str, data: DataOption = None) -> None:
    """Send a task's last callback again."""
    run(data, lambda store: store.write(lambda tx: task_store.resend(tx, task, EVERYTHING)))


@ledger.command("verify")
def verify_ledger(data: DataOption = None) -> None:
    """Prove that all balances follow from the ledger; status 1 where one does not."""
    report = run(data, lambda store: verify(store.database))
    print(report)
    if not report.ok:
        for fault in report.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(1)


def coverage(
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation")] = False,
) -> None:
    """Show how much of the interface tree is declared, and how much the last test run proved."""
    if as_markdown:
        print(coverage_page(), end="")
        return
    rows = coverage_rows()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['row']:>3}  {row['status']:<8}  {row['tree']}  {', '.join(row['operations'])}")
    counts = Counter(row["status"] for row in rows)
    print(", ".join(f"{count} {status}" for status, count in counts.most_common()))
