"""A vendor of jobs on a real socket, and all that looks after its jobs: database, ledger, life, poller, outbox."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from deeepai.accounts.models import Channel
from deeepai.accounts.vault import Vault
from deeepai.declare import (
    Accepted,
    Answer,
    Hook,
    HookMessage,
    Job,
    JobFace,
    JobRules,
    Protocol,
    Refused,
    Reply,
    Result,
    State,
    Submit,
    Task,
    TaskStatus,
    UpstreamCall,
    Usage,
)
from deeepai.money.ledger import Ledger, UsageRow, verify
from deeepai.safe_fetch import SafeFetch
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from deeepai.storage.ids import new_id, now_ms
from deeepai.tasks import store
from deeepai.tasks.assets import AssetStore
from deeepai.tasks.files import Bounds, FileKeeper
from deeepai.tasks.life import TaskLife, Timing
from deeepai.tasks.links import SignedLinks
from deeepai.tasks.outbox import Outbox
from deeepai.tasks.poller import Poller
from deeepai.tasks.secrets import webhook_secret
from deeepai.tasks.store import Stored
from deeepai.upstream import Client
from tests.gateway.asgi import NAME, protocol
from tests.gateway.channels import channel
from tests.money.world import add_account

USD = 10**9
PRICE = 1000
MASTER = b"m" * 32
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def accept(answer: Answer, request: Any) -> Accepted | Refused:
    found = answer.json()
    if answer.status == 200 and isinstance(found, dict):
        return Accepted(found["id"], State(found.get("state", "queued")))
    return Refused(retry_elsewhere=answer.status >= 500 or answer.status == 429)


def read(answer: Answer, task: Task) -> TaskStatus:
    found = answer.json()
    usage = Usage(images=found["images"], basis="vendor") if "images" in found else None
    results = tuple(Result(url=url) for url in found.get("urls", ()))
    return TaskStatus(State(found["state"]), found, found.get("progress"), results, found.get("error"), usage)


def split(answer: Answer) -> dict[str, Answer]:
    import msgspec

    return {item["id"]: Answer(200, {}, msgspec.json.encode(item)) for item in answer.json()}


def found_lost(answer: Answer, reference: str) -> str | None:
    return answer.json().get("id")


FACE = ("new_id", "submitted", "render", "keep", "hook", "hook_message", "hook_each_change")


def job(**more: Any) -> Job[Any]:
    given: dict[str, Any] = {
        "new_id": lambda: new_id("job_"),
        "accept": accept,
        "submitted": lambda task, links: Reply({"id": task.id}),
        "poll": lambda task: UpstreamCall(f"/jobs/{task.upstream_id}"),
        "read": read,
        "render": lambda task, links: Reply({"state": task.state.value}),
        "hook_message": lambda task, links: HookMessage({"id": task.id, "state": task.state.value}, {"x-own": "1"}),
        "hook_in": lambda body: body.get("job") if isinstance(body, dict) else None,
        "interval": 0.01,
        "fresh": 0.0,
        "timeout": 3600.0,
        **more,
    }
    face = {name: given.pop(name) for name in FACE if name in given}
    return Job(rules=JobRules(**given), face=JobFace(**face))


def submit(**more: Any) -> Submit[Any]:
    return Submit(name="try", method="POST", path="/try", summary=NAME, job=job(**more))


class Vendor:
    """Answers `/jobs/{id}` with what a test put there: JSON, a status, or something to await; notes what was asked."""

    def __init__(self) -> None:
        self.jobs: dict[str, Any] = {}
        self.batch: Any = 404
        self.lost: Any = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def __aenter__(self) -> Vendor:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        self.url = str(self._server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *args: object) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(path)
        if path.startswith("/files/"):
            data = self.files.get(path)
            return web.Response(body=data, content_type="image/png") if data is not None else web.Response(status=404)
        if path == "/batch":
            found = self.batch
        elif path.startswith("/lost/"):
            found = self.lost
        else:
            found = self.jobs.get(path.removeprefix("/jobs/"), 404)
        if callable(found):
            found = await found()
        if isinstance(found, list) and path != "/batch":
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, int):
            return web.json_response({"error": found}, status=found)
        if isinstance(found, bytes):
            return web.Response(body=found)
        return web.json_response(found)


@dataclass
class World:
    """All that is needed for jobs."""

    db: Database
    ledger: Ledger
    life: TaskLife
    poller: Poller
    outbox: Outbox
    vendor: Vendor
    client: Client
    fetch: SafeFetch
    channels: dict[str, Channel]
    protocols: dict[str, Protocol]
    prices: dict[str, int] = field(default_factory=dict)

    async def begun(self, *, amount: int = PRICE, hook: Hook | None = None, **more: Any) -> Stored:
        """Store a task as a submission does, before anything is sent."""
        request_id = new_id("req_")
        given: dict[str, Any] = {
            "id": new_id("job_"),
            "operation": "toy.try",
            "model": "m",
            "state": State.SUBMITTING,
            "hook": hook,
            "submitted_at": now_ms(),
            "protocol": "toy",
            "account_id": "a",
            "token_id": "t",
            "channel_id": "ch_a",
            "request_id": request_id,
            "hold_id": request_id,
            "price_key": "m",
            "estimate": Usage(images=1),
            **more,
        }
        task = Stored(**given)
        row = UsageRow(
            request_id=request_id, account_id="a", token_id="t", protocol="toy", operation="toy.try", status=0
        )
        await self.life.begin(task, amount, row)
        return task

    async def accepted(self, upstream_id: str = "u1", **more: Any) -> Stored:
        """Store a task that the vendor took."""
        task = await self.begun(**more)
        await self.life.accepted(task, Accepted(upstream_id))
        return await self.task(task.id)

    async def task(self, task_id: str) -> Stored:
        found = await self.db.read(lambda tx: store.load_any(tx, task_id))
        assert found is not None
        return found

    async def look(self, task: Stored) -> Stored:
        """Poll a task once; return it as it is then."""
        await self.life.look([await self.task(task.id)])
        return await self.task(task.id)

    async def set(self, task: Stored, **columns: int) -> Stored:
        sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
        await self.db.write(lambda tx: tx.execute(f"UPDATE tasks SET {sets} WHERE id = $1", task.id, *columns.values()))
        return await self.task(task.id)

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.read(lambda tx: tx.fetch(sql, *args))]

    async def balance(self) -> tuple[int, int, int]:
        """Available, held and spent, after the ledger was proved."""
        report = await verify(self.db)
        assert report.ok, report.faults
        return await self.ledger.balance("a")


@asynccontextmanager
async def world(folder: Path, *, timing: Timing | None = None, **more: Any) -> AsyncIterator[World]:
    """Build a world; `more` are the toy protocol's task rules."""
    db = await open_database(f"sqlite:///{folder}/a.db")
    await add_account(db, "a", USD, {"t": None})
    ledger, vault = Ledger(db, node="n"), Vault(os.urandom(32))
    client = Client()
    fetch = SafeFetch([ipaddress.ip_network("127.0.0.0/8")])
    protocols = {"toy": protocol(submit(**more))}
    prices = {"m": PRICE}
    async with Vendor() as vendor:
        channels = {"ch_a": channel("a", base_url=vendor.url), "ch_b": channel("b", base_url=vendor.url)}
        assets = AssetStore(str(folder / "assets"))
        bounds = Bounds(1 << 30, lambda mode: 1 << 30, folder, None, 0)
        life = TaskLife(
            db=db,
            ledger=ledger,
            protocols=protocols,
            client=client,
            assets=assets,
            files=FileKeeper(db, assets, bounds, lambda kind, why: None),
            fetch=fetch,
            vault=vault,
            links=SignedLinks("http://gateway.example", b"s" * 32, 3600),
            timing=timing or Timing(submit=5, unknown=60, lease=60),
            channel=lambda channel_id: channels.get(channel_id),
            price=lambda key, usage, group: prices[key] * usage.images if key in prices else None,
        )
        outbox = Outbox(db, fetch, lambda account: webhook_secret(MASTER, account), vault, scale=0.0)
        poller = Poller(life, outbox, node="n", tick=0.01)
        try:
            yield World(db, ledger, life, poller, outbox, vendor, client, fetch, channels, protocols, prices)
        finally:
            await poller.stop()
            await ledger.close()
            await client.close()
            await fetch.close()
            await db.close()
