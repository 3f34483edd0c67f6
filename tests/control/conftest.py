from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn

from deeepai.accounts import passwords, people
from deeepai.accounts.directory import Directory
from deeepai.accounts.models import Channel
from deeepai.accounts.people import NewUser
from deeepai.accounts.vault import Vault
from deeepai.control.api import ControlAPI
from deeepai.control.routes import Context
from deeepai.money.ledger import Ledger
from deeepai.money.prices import PriceBook
from deeepai.protocols import PROTOCOLS
from deeepai.safe_fetch import check_url
from deeepai.storage.cache import MemoryCache
from deeepai.storage.connect import open_database
from deeepai.storage.database import Database
from tests.servers import new_postgresql
from tests.support.until import until_async

PASSWORD = "correct horse"


@dataclass
class Reply:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return self.body["error"]["code"]


@dataclass
class API:
    """The control API behind a real socket, and a client of it."""

    url: str
    context: Context
    client: aiohttp.ClientSession
    probed: list[Channel]
    key: str = ""
    users: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> Reply:
        headers = {"authorization": f"Bearer {key or self.key}"} if key or self.key else {}
        headers.update(more.pop("headers", {}))
        if body is not None:
            more["data"] = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        async with self.client.request(method, f"{self.url}/api{path}", headers=headers, **more) as answer:
            raw = await answer.read()
            return Reply(answer.status, json.loads(raw) if raw else None, dict(answer.headers))

    async def login(self, name: str, password: str = PASSWORD) -> str:
        answer = await self("POST", "/login", {"name": name, "password": password})
        assert answer.status == 200, answer
        return answer.body["token"]

    async def make_user(self, name: str, *, admin: bool = False) -> str:
        """Make a user; return a session's key. `users[name]` are the user's id and account."""
        stored = await passwords.hashed(PASSWORD)
        new = NewUser(name=name, role="admin" if admin else "user")
        user_id, account_id = await self.context.database.write(lambda tx: people.create_user(tx, new, stored))
        assert account_id is not None
        self.users[name] = (user_id, account_id)
        return await self.login(name)


@pytest.fixture
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    kind = getattr(request, "param", "sqlite")
    database = await open_database(f"sqlite:///{tmp_path}/a.db" if kind == "sqlite" else await new_postgresql())
    yield database
    await database.close()


@pytest.fixture
async def api(db: Database) -> AsyncIterator[API]:
    """As an administrator named root."""
    vault = Vault(os.urandom(32))
    directory = Directory(db, vault)
    await directory.start()
    probed: list[Channel] = []

    async def probe(channel: Channel) -> tuple[bool, float, str | None]:
        probed.append(channel)
        return False, 12.5, "401"

    context = Context(
        database=db,
        ledger=Ledger(db, node="test"),
        directory=directory,
        vault=vault,
        cache=MemoryCache(),
        protocols=PROTOCOLS,
        prices=PriceBook.shipped(),
        probe=probe,
        check_url=lambda url: check_url(url, ()),
    )
    # A server catches signals only in the main thread's `run`; this one is told.
    server = uvicorn.Server(uvicorn.Config(ControlAPI(context), port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    await until_async(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as client:
        made = API(f"http://127.0.0.1:{port}", context, client, probed)
        made.key = await made.make_user("root", admin=True)
        yield made
    server.should_exit = True
    await serving
    await directory.close()
