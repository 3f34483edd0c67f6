"""What an account's webhooks are told: every event of its tasks, in one shape, signed by the Standard Webhooks.

A message is stored with the change that it tells of, once for each webhook, and delivered by the outbox.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from ..accounts.vault import Vault, VaultError
from ..declare import Json, State
from ..storage.database import Row, Tx
from ..storage.ids import new_id
from . import shown, store
from .links import SignedLinks
from .store import Stored

log = structlog.get_logger()

CREATED: Final = "task.created"
STARTED: Final = "task.started"
ENDS: Final = {
    State.SUCCEEDED: "task.succeeded",
    State.FAILED: "task.failed",
    State.CANCELLED: "task.cancelled",
}
EVENTS: Final = (CREATED, STARTED, *ENDS.values())
PING: Final = "webhook.ping"


async def tell(tx: Tx, task: Stored, event: str, links: SignedLinks, now: int) -> None:
    """Store what the webhooks of a task's account are to be told of an event, each once."""
    hooks = [
        row
        for row in await tx.fetch(
            "SELECT id, url, events FROM webhooks WHERE account_id = $1 AND status = 'enabled'", task.account_id
        )
        if event in msgspec.json.decode(row["events"])
    ]
    if hooks:
        files = await store.assets(tx, [task.id]) if task.state.final else ()
        body = message(event, shown.shown(task, files, links), now)
        for hook in hooks:
            await enqueue(tx, hook, (task.id, task.account_id, event), body, now)


def message(event: str, data: Json, now: int) -> str:
    """Return a message's body."""
    at = datetime.datetime.fromtimestamp(now / 1000, datetime.UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"type": event, "timestamp": at.replace("+00:00", "Z"), "data": data}).decode()


async def enqueue(tx: Tx, hook: Row, about: tuple[str, str, str], body: str, now: int) -> str:
    """Store a message for a webhook; return its id.

    Parameters
    ----------
    about : tuple
        A task's id, whose it is, and the event: of each there is one message.
    """
    name = new_id("msg_")
    await tx.execute(
        "INSERT INTO outbox (id, task_id, account_id, event, webhook_id, url, body, state, next_at, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8) ON CONFLICT DO NOTHING",
        *(name, *about, hook["id"], hook["url"], body, now),
    )
    return name


def place(hook_id: str) -> str:
    """Return for which place a webhook's secret is encrypted."""
    return f"webhook:{hook_id}"


async def secrets_of(tx: Tx, vault: Vault, hook_id: str, now: int) -> Sequence[str]:
    """Return what a webhook's messages are signed with, the newest first; nothing where there is none any more."""
    row = await tx.fetchrow("SELECT secret, secret_before, secret_before_until FROM webhooks WHERE id = $1", hook_id)
    if row is None:
        return ()
    kept = [row["secret"]]
    if row["secret_before"] is not None and row["secret_before_until"] > now:
        kept.append(row["secret_before"])
    try:
        return [vault.decrypt(secret, place(hook_id)) for secret in kept]
    except VaultError as fault:
        log.error("webhook.unreadable", webhook=hook_id, error=str(fault))
        return ()


async def stop(tx: Tx, hook_id: str) -> None:
    """Let what a webhook has not been told be."""
    await tx.execute(
        "UPDATE outbox SET state = 'superseded', next_at = NULL WHERE webhook_id = $1 AND state = 'pending'", hook_id
    )


async def gone(tx: Tx, hook_id: str, now: int) -> None:
    """Disable a webhook whose receiver says that it is gone for good."""
    log.warning("webhook.gone", webhook=hook_id)
    await tx.execute("UPDATE webhooks SET status = 'disabled', updated_at = $2 WHERE id = $1", hook_id, now)
    await stop(tx, hook_id)
