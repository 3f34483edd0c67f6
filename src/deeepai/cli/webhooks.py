"""Webhooks: who is told of an account's tasks."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

import typer
from yarl import URL

from ..control.sections import webhooks as hooks
from ..control.sections.webhooks import DeliveryQuery, NewWebhook, WebhookChanges, WebhookQuery
from ..safe_fetch import check_url
from ..tasks.webhooks import EVENTS
from .common import DataOption, JsonOption, LimitOption, Store, print_json, run, show, split, struct
from .people import EVERYTHING, AccountArgument, find_account

webhooks = typer.Typer(help="Who is told of an account's tasks.", no_args_is_help=True)

EventsOption = Annotated[str | None, typer.Option(help=f"Some of {', '.join(EVENTS)}, divided by commas")]
_COLUMNS = ("id", "account_id", "url", "events", "status", "description")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(webhooks, name="webhooks")


def _check(store: Store, url: str) -> URL:
    return check_url(url, [ipaddress.ip_network(item) for item in store.settings.allow_private_callbacks])


@webhooks.command("list")
def list_webhooks(limit: LimitOption = 100, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List webhooks, oldest first."""
    query = WebhookQuery(limit=limit)
    found = run(data, lambda store: store.read(lambda tx: hooks.list_webhooks(tx, EVERYTHING, query)))
    show(found.data, _COLUMNS, as_json=as_json)


@webhooks.command("add")
def add(
    account: AccountArgument,
    url: str,
    events: EventsOption = None,
    description: str = "",
    data: DataOption = None,
) -> None:
    """Make a webhook; print it with its secret, which is shown this once."""
    values: dict[str, Any] = {"url": url, "description": description}
    new = struct(NewWebhook, values | ({"events": split(events)} if events else {}))

    async def work(store: Store) -> Any:
        account_id = await store.read(lambda tx: find_account(tx, account))
        return await store.write(
            lambda tx: hooks.create(tx, store.vault, lambda url: _check(store, url), account_id, new)
        )

    print_json(run(data, work))


@webhooks.command("set")
def change(
    webhook: str,
    url: str | None = None,
    events: EventsOption = None,
    description: str | None = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    data: DataOption = None,
) -> None:
    """Change a webhook."""
    status = None if enabled is None else "enabled" if enabled else "disabled"
    said = {"url": url, "events": split(events), "description": description, "status": status}
    changes = struct(WebhookChanges, {name: value for name, value in said.items() if value is not None})

    async def work(store: Store) -> Any:
        return await store.write(
            lambda tx: hooks.update(tx, lambda url: _check(store, url), EVERYTHING, webhook, changes)
        )

    print_json(run(data, work))


@webhooks.command("delete")
def delete(webhook: str, data: DataOption = None) -> None:
    """Delete a webhook, its messages and their logs."""
    run(data, lambda store: store.write(lambda tx: hooks.delete(tx, EVERYTHING, webhook)))


@webhooks.command("rotate")
def rotate(
    webhook: str,
    keep_hours: Annotated[int, typer.Option(min=0, max=168, help="For which the old secret signs, too")] = 24,
    data: DataOption = None,
) -> None:
    """Give a webhook a new secret, which is printed this once."""
    made = run(
        data, lambda store: store.write(lambda tx: hooks.rotate(tx, store.vault, EVERYTHING, webhook, keep_hours))
    )
    print(made.secret)


@webhooks.command("ping")
def ping(webhook: str, data: DataOption = None) -> None:
    """Send a webhook a test message; print its id."""
    print(run(data, lambda store: store.write(lambda tx: hooks.ping(tx, EVERYTHING, webhook))).id)


@webhooks.command("deliveries")
def list_deliveries(
    webhook: str,
    state: Annotated[str | None, typer.Option(help="pending, delivered, given_up or superseded")] = None,
    limit: LimitOption = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a webhook's messages, newest first."""
    query = struct(DeliveryQuery, {"limit": limit} | ({"state": state} if state else {}))
    found = run(data, lambda store: store.read(lambda tx: hooks.list_deliveries(tx, EVERYTHING, webhook, query)))
    show(found.data, ("id", "event", "task_id", "state", "attempts", "next_at", "created_at"), as_json=as_json)


@webhooks.command("resend")
def resend(webhook: str, delivery: str, data: DataOption = None) -> None:
    """Send a webhook's message again."""
    run(data, lambda store: store.write(lambda tx: hooks.resend(tx, EVERYTHING, webhook, delivery)))
