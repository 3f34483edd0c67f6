"""What webhooks are to be told, and what is forgotten of it, on both databases."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from deeepai.accounts.query import insertion
from deeepai.accounts.vault import Vault
from deeepai.declare import HookMessage, State
from deeepai.declare.jobs import Hook
from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate
from deeepai.tasks import outbox, store, webhooks
from deeepai.tasks.links import SignedLinks
from deeepai.tasks.store import Asset, Stored

LINKS = SignedLinks("http://gateway.example", b"s" * 32, 3600)
VAULT = Vault(os.urandom(32))


async def add_hook(
    db: Database, name: str, account: str, events: tuple[str, ...] = webhooks.EVENTS, **more: Any
) -> None:
    values: dict[str, Any] = {
        "id": name,
        "account_id": account,
        "url": f"http://{name}.example",
        "events": msgspec.json.encode(events).decode(),
        "secret": VAULT.encrypt(f"whsec_{name}", webhooks.place(name)),
        "created_at": 1,
        "updated_at": 1,
        **more,
    }
    await db.write(lambda tx: tx.execute(insertion("webhooks", values), *values.values()))


async def add_task(db: Database, state: State = State.SUCCEEDED) -> Stored:
    task = Stored(
        id="job_1", operation="flux.x", model="m", state=state, protocol="flux", account_id="ann", request_id="req_1"
    )
    await db.write(lambda tx: store.insert(tx, task))
    await db.write(lambda tx: store.add_asset(tx, task, Asset(0, "a/0", "image/png", 5, None), 1))
    return task


async def messages(db: Database) -> list[Any]:
    return await db.read(lambda tx: tx.fetch("SELECT * FROM outbox ORDER BY webhook_id, event"))


async def test_each_is_told_once_of_what_it_asked_for(db: Database) -> None:
    await migrate(db)
    await add_hook(db, "all", "ann")
    await add_hook(db, "some", "ann", ("task.failed",))
    await add_hook(db, "off", "ann", status="disabled")
    await add_hook(db, "bobs", "bob")
    task = await add_task(db)
    for event in ("task.created", "task.succeeded", "task.created"):
        await db.write(lambda tx, event=event: webhooks.tell(tx, task, event, LINKS, 1_700_000_000_123))
    told = await messages(db)
    assert [(one["webhook_id"], one["event"], one["task_id"]) for one in told] == [
        ("all", "task.created", "job_1"),
        ("all", "task.succeeded", "job_1"),
    ]
    body = msgspec.json.decode(told[1]["body"])
    assert (body["type"], body["timestamp"]) == ("task.succeeded", "2023-11-14T22:13:20.123Z")
    assert body["data"]["files"][0]["url"].startswith("http://gateway.example/assets/job_1/0")


async def test_a_tasks_own_callback_takes_the_place_of_its_own_alone(db: Database) -> None:
    await migrate(db)
    await add_hook(db, "all", "ann")
    task = await add_task(db)
    task.hook = Hook("http://caller.example")
    await db.write(lambda tx: webhooks.tell(tx, task, "task.created", LINKS, 1))
    for now in (1, 2):
        await db.write(lambda tx, now=now: outbox.enqueue(tx, task, HookMessage({"now": now}), now))
    assert sorted((one["webhook_id"] or "", one["state"]) for one in await messages(db)) == [
        ("", "pending"),
        ("", "superseded"),
        ("all", "pending"),
    ]


async def test_what_signs(db: Database) -> None:
    await migrate(db)
    old = VAULT.encrypt("whsec_old", webhooks.place("all"))
    await add_hook(db, "all", "ann", secret_before=old, secret_before_until=100)
    for now, known in ((99, ["whsec_all", "whsec_old"]), (100, ["whsec_all"])):
        assert await db.read(lambda tx, now=now: webhooks.secrets_of(tx, VAULT, "all", now)) == known
    assert await db.read(lambda tx: webhooks.secrets_of(tx, VAULT, "none", 1)) == ()
    strange = Vault(os.urandom(32))
    assert await db.read(lambda tx: webhooks.secrets_of(tx, strange, "all", 1)) == ()


async def test_what_is_about_no_task_is_forgotten_in_the_end(db: Database) -> None:
    await migrate(db)
    await add_hook(db, "all", "ann")
    task = await add_task(db)
    await db.write(lambda tx: webhooks.tell(tx, task, "task.created", LINKS, 1))
    hook = {"id": "all", "url": "http://all.example"}
    for name in ("ping_1", "ping_2"):
        about = (name, "ann", webhooks.PING)
        await db.write(lambda tx, about=about: webhooks.enqueue(tx, hook, about, "{}", 1))
    await db.write(lambda tx: tx.execute("UPDATE outbox SET state = 'delivered' WHERE task_id <> 'ping_2'"))
    assert await db.write(lambda tx: outbox.sweep(tx, 1)) == 0, "not yet"
    assert await db.write(lambda tx: outbox.sweep(tx, 2)) == 1
    assert sorted(one["task_id"] for one in await messages(db)) == ["job_1", "ping_2"], "pending, or of a task"
