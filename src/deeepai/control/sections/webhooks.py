"""Webhooks: who is told of all that becomes of an account's tasks, and what came of telling."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ...accounts.query import Viewer, Where, assignments, cursor, insertion, place
from ...accounts.units import moment
from ...accounts.vault import Vault
from ...declare import Failure, Reason
from ...safe_fetch import Unsafe
from ...storage.database import Row, Tx
from ...storage.ids import new_id, now_ms
from ...tasks import webhooks
from ..routes import Call, Paging, Route, get_own_account
from .tasks import Callback, callback_of, logs_of

MOST: Final = 10
"""Webhooks of an account."""
_SECRET_BYTES: Final = 32
_HOUR_MS: Final = 3_600_000

Event = Literal["task.created", "task.started", "task.succeeded", "task.failed", "task.cancelled"]
Url = Annotated[str, Meta(min_length=1, max_length=2048, description="http or https; no private address")]
Events = Annotated[list[Event], Meta(min_length=1, max_length=len(webhooks.EVENTS))]
Description = Annotated[str, Meta(max_length=200)]
CheckUrl = Callable[[str], object]
"""Raises `Unsafe` for a URL that is not to be called."""


class WebhookQuery(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which webhooks."""

    account_id: str | None = None


class NewWebhook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook to be made."""

    url: Url
    events: Events | None = None
    """By default all."""
    description: Description = ""
    account_id: str | None = None
    """By default the caller's own account."""


class WebhookChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a webhook."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: Events | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    status: Literal["enabled", "disabled"] | msgspec.UnsetType = msgspec.UNSET


class Webhook(msgspec.Struct, kw_only=True):
    """A webhook."""

    id: str
    account_id: str
    url: str
    events: list[str]
    description: str
    status: str
    created_at: datetime
    updated_at: datetime


class Webhooks(msgspec.Struct, kw_only=True):
    """A page of webhooks, oldest first."""

    data: list[Webhook]
    next: str | None


class IssuedWebhook(msgspec.Struct, kw_only=True):
    """A new webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str


class Rotation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a secret is replaced."""

    keep_hours: Annotated[int, Meta(ge=0, le=168)] = 24
    """For which messages are signed with the old one, too."""


class NewSecret(msgspec.Struct, kw_only=True):
    """A webhook's new secret, shown this once."""

    secret: str


class DeliveryQuery(Paging, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries."""

    state: Literal["pending", "delivered", "given_up", "superseded"] | None = None
    event: str | None = None
    task_id: str | None = None


class Deliveries(msgspec.Struct, kw_only=True):
    """A page of a webhook's messages with their delivery logs, newest first."""

    data: list[Callback]
    next: str | None


class Sent(msgspec.Struct, kw_only=True):
    """A message that goes out."""

    id: str


def new_secret() -> str:
    """Make a secret as Standard Webhooks have it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _judged(check: CheckUrl, url: str) -> None:
    try:
        check(url)
    except Unsafe as fault:
        raise Failure(Reason.UNPROCESSABLE, f"The URL cannot be used: {fault}", param="url") from None


def _webhook(row: Row) -> Webhook:
    return Webhook(
        **{name: row[name] for name in ("id", "account_id", "url", "description", "status")},
        events=msgspec.json.decode(row["events"]),
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )


async def _row(tx: Tx, viewer: Viewer, hook_id: str) -> Row:
    where = Where().visible(viewer).add("id = ?", hook_id)
    row = await tx.fetchrow(f"SELECT * FROM webhooks {where}", *where.args) if "\0" not in hook_id else None
    if row is None:
        raise Failure(Reason.NOT_FOUND, "There is no such webhook")
    return row


async def list_webhooks(tx: Tx, viewer: Viewer, query: WebhookQuery) -> Webhooks:
    """Return webhooks of the accounts that the viewer manages."""
    where = Where().visible(viewer).equal("account_id", query.account_id)
    if query.cursor is not None:
        where.add("(created_at, id) > (?, ?)", *place(query.cursor))
    rows = await tx.fetch(f"SELECT * FROM webhooks {where} ORDER BY created_at, id LIMIT {query.limit}", *where.args)
    after = cursor(rows[-1]["created_at"], rows[-1]["id"]) if len(rows) == query.limit else None
    return Webhooks(data=[_webhook(row) for row in rows], next=after)


async def get_webhook(tx: Tx, viewer: Viewer, hook_id: str) -> Webhook:
    """Return a webhook of an account that the viewer manages.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    return _webhook(await _row(tx, viewer, hook_id))


async def create(tx: Tx, vault: Vault, check: CheckUrl, account_id: str, new: NewWebhook) -> IssuedWebhook:
    """Make a webhook of an account.

    Raises
    ------
    Failure
        UNPROCESSABLE, where its URL is not to be called; CONFLICT, where the account has too many.
    """
    _judged(check, new.url)
    if await tx.fetchval("SELECT COUNT(*) FROM webhooks WHERE account_id = $1", account_id) >= MOST:
        raise Failure(Reason.CONFLICT, f"An account has at most {MOST} webhooks")
    hook_id, secret, now = new_id("wh_"), new_secret(), now_ms()
    values: dict[str, Any] = {
        "id": hook_id,
        "account_id": account_id,
        "url": new.url,
        "events": _list(new.events or webhooks.EVENTS),
        "description": new.description,
        "secret": vault.encrypt(secret, webhooks.place(hook_id)),
        "created_at": now,
        "updated_at": now,
    }
    await tx.execute(insertion("webhooks", values), *values.values())
    row = await tx.fetchrow("SELECT * FROM webhooks WHERE id = $1", hook_id)
    return IssuedWebhook(webhook=_webhook(row), secret=secret)


def _list(events: Sequence[str]) -> str:
    return msgspec.json.encode([event for event in webhooks.EVENTS if event in events]).decode()


async def update(tx: Tx, check: CheckUrl, viewer: Viewer, hook_id: str, changes: WebhookChanges) -> Webhook:
    """Change a webhook; what it has not been told goes to its new address, or nowhere where it is disabled.

    Raises
    ------
    Failure
    """
    await _row(tx, viewer, hook_id)
    values: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET
    }
    if "events" in values:
        values["events"] = _list(values["events"])
    if "url" in values:
        _judged(check, values["url"])
        await tx.execute(
            "UPDATE outbox SET url = $2 WHERE webhook_id = $1 AND state = 'pending'", hook_id, values["url"]
        )
    if values.get("status") == "disabled":
        await webhooks.stop(tx, hook_id)
    values["updated_at"] = now_ms()
    await tx.execute(f"UPDATE webhooks SET {assignments(values, 2)} WHERE id = $1", hook_id, *values.values())
    return await get_webhook(tx, viewer, hook_id)


async def delete(tx: Tx, viewer: Viewer, hook_id: str) -> None:
    """Delete a webhook, its messages and their logs.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    await _row(tx, viewer, hook_id)
    await tx.execute("DELETE FROM deliveries WHERE outbox_id IN (SELECT id FROM outbox WHERE webhook_id = $1)", hook_id)
    await tx.execute("DELETE FROM outbox WHERE webhook_id = $1", hook_id)
    await tx.execute("DELETE FROM webhooks WHERE id = $1", hook_id)


async def rotate(tx: Tx, vault: Vault, viewer: Viewer, hook_id: str, keep_hours: int) -> NewSecret:
    """Give a webhook a new secret; messages are signed with the old one, too, for a while.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    row, secret, now = await _row(tx, viewer, hook_id), new_secret(), now_ms()
    await tx.execute(
        "UPDATE webhooks SET secret = $2, secret_before = $3, secret_before_until = $4, updated_at = $5 WHERE id = $1",
        *(hook_id, vault.encrypt(secret, webhooks.place(hook_id)), row["secret"], now + keep_hours * _HOUR_MS, now),
    )
    return NewSecret(secret=secret)


async def ping(tx: Tx, viewer: Viewer, hook_id: str) -> Sent:
    """Send a webhook a message that tells of nothing.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where it is disabled.
    """
    row, now = await _row(tx, viewer, hook_id), now_ms()
    if row["status"] != "enabled":
        raise Failure(Reason.CONFLICT, "The webhook is disabled")
    body = webhooks.message(webhooks.PING, {"webhook_id": hook_id}, now)
    about = (new_id("ping_"), row["account_id"], webhooks.PING)
    return Sent(id=await webhooks.enqueue(tx, row, about, body, now))


async def list_deliveries(tx: Tx, viewer: Viewer, hook_id: str, query: DeliveryQuery) -> Deliveries:
    """Return a webhook's messages with their delivery logs.

    Raises
    ------
    Failure
        NOT_FOUND.
    """
    await _row(tx, viewer, hook_id)
    where = Where().add("webhook_id = ?", hook_id).equal("state", query.state)
    where.equal("event", query.event).equal("task_id", query.task_id)
    if query.cursor is not None:
        where.add("(created_at, id) < (?, ?)", *place(query.cursor))
    rows = await tx.fetch(
        f"SELECT * FROM outbox {where} ORDER BY created_at DESC, id DESC LIMIT {query.limit}", *where.args
    )
    after = cursor(rows[-1]["created_at"], rows[-1]["id"]) if len(rows) == query.limit else None
    log = await logs_of(tx, [row["id"] for row in rows])
    return Deliveries(data=[callback_of(row, log) for row in rows], next=after)


async def resend(tx: Tx, viewer: Viewer, hook_id: str, delivery_id: str) -> Sent:
    """Have a message go out again, under its old id, to where its webhook is now.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where the webhook is disabled.
    """
    row = await _row(tx, viewer, hook_id)
    if row["status"] != "enabled":
        raise Failure(Reason.CONFLICT, "The webhook is disabled")
    sent = await tx.execute(
        "UPDATE outbox SET state = 'pending', next_at = $3, leased_until = 0, url = $4 "
        "WHERE id = $1 AND webhook_id = $2",
        *(delivery_id, hook_id, now_ms(), row["url"]),
    )
    if not sent:
        raise Failure(Reason.NOT_FOUND, "There is no such delivery")
    return Sent(id=delivery_id)


# Operations ----------------------------------------------------------------------------------------------------------


async def _list_all(call: Call) -> Webhooks:
    return await call.read(lambda tx: list_webhooks(tx, call.viewer, call.query))


async def _create(call: Call) -> IssuedWebhook:
    body: NewWebhook = call.body
    context = call.context

    async def work(tx: Tx) -> IssuedWebhook:
        account_id = await get_own_account(tx, call.viewer, body.account_id)
        where = Where().visible(call.viewer, "id").add("id = ?", account_id)
        if not await tx.fetchval(f"SELECT 1 FROM accounts {where}", *where.args):
            raise Failure(Reason.FORBIDDEN, "Only owners and administrators of an account make its webhooks")
        return await create(tx, context.vault, context.check_url, account_id, body)

    return await call.write(work)


async def _get(call: Call) -> Webhook:
    return await call.read(lambda tx: get_webhook(tx, call.viewer, call.params["id"]))


async def _update(call: Call) -> Webhook:
    check = call.context.check_url
    return await call.write(lambda tx: update(tx, check, call.viewer, call.params["id"], call.body))


async def _delete(call: Call) -> None:
    await call.write(lambda tx: delete(tx, call.viewer, call.params["id"]))


async def _rotate(call: Call) -> NewSecret:
    body: Rotation = call.body
    vault = call.context.vault
    return await call.write(lambda tx: rotate(tx, vault, call.viewer, call.params["id"], body.keep_hours))


async def _ping(call: Call) -> Sent:
    return await call.write(lambda tx: ping(tx, call.viewer, call.params["id"]))


async def _deliveries(call: Call) -> Deliveries:
    return await call.read(lambda tx: list_deliveries(tx, call.viewer, call.params["id"], call.query))


async def _resend(call: Call) -> Sent:
    return await call.write(lambda tx: resend(tx, call.viewer, call.params["id"], call.params["delivery_id"]))


ROUTES = (
    Route(
        method="GET",
        path="/webhooks",
        summary="List webhooks",
        handler=_list_all,
        role="user",
        query=WebhookQuery,
        answer=Webhooks,
    ),
    Route(
        method="POST",
        path="/webhooks",
        summary="Make a webhook that is told of an account's tasks; the answer shows its secret, this once",
        handler=_create,
        role="user",
        body=NewWebhook,
        answer=IssuedWebhook,
        status=201,
    ),
    Route(method="GET", path="/webhooks/{id}", summary="Show a webhook", handler=_get, role="user", answer=Webhook),
    Route(
        method="PATCH",
        path="/webhooks/{id}",
        summary="Change a webhook",
        handler=_update,
        role="user",
        body=WebhookChanges,
        answer=Webhook,
    ),
    Route(method="DELETE", path="/webhooks/{id}", summary="Delete a webhook", handler=_delete, role="user"),
    Route(
        method="POST",
        path="/webhooks/{id}/rotate",
        summary="Give a webhook a new secret; the answer shows it, this once",
        handler=_rotate,
        role="user",
        body=Rotation,
        answer=NewSecret,
    ),
    Route(
        method="POST",
        path="/webhooks/{id}/ping",
        summary="Send a webhook a test message",
        handler=_ping,
        role="user",
        answer=Sent,
    ),
    Route(
        method="GET",
        path="/webhooks/{id}/deliveries",
        summary="List a webhook's messages and their delivery logs, newest first",
        handler=_deliveries,
        role="user",
        query=DeliveryQuery,
        answer=Deliveries,
    ),
    Route(
        method="POST",
        path="/webhooks/{id}/deliveries/{delivery_id}/resend",
        summary="Send a webhook's message again",
        handler=_resend,
        role="user",
        answer=Sent,
    ),
)
