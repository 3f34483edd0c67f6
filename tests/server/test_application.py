"""The whole application over a real socket: who answers below `/api`, and what does not keep it from starting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deeepai.accounts import channels
from deeepai.accounts.channels import NewChannel
from deeepai.accounts.vault import Vault
from deeepai.declare import Local, Reply, Text, View
from deeepai.protocols import PROTOCOLS
from deeepai.settings import Settings
from deeepai.storage.connect import open_database
from deeepai.storage.database import Tx
from tests.gateway.asgi import protocol
from tests.gateway.toy import serving
from tests.support.ports import reserve_port


async def thing(view: View[Any]) -> Reply:
    return Reply({"from": "toy", "path": view.request.path, "id": view.request.params.get("id")})


def local(name: str, path: str) -> Local[Any]:
    return Local(
        name=name, method="GET", path=path, summary=Text("A thing", "物"), media="none", answer=thing, open=True
    )


TOY = protocol(
    local("thing", "/api/v1/thing"),
    local("one", "/api/v1/things/{id}"),
    local("tasks", "/api/tasks/visual/{id}"),
    own_paths=("/api/owned/",),
)


def running(settings: Settings) -> AbstractAsyncContextManager[str]:
    return serving(settings, {**PROTOCOLS, "toy": TOY})


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with running(Settings.load({}, data=str(tmp_path), port=reserve_port())) as address:
        yield address


async def ask(url: str, method: str = "GET") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.request(method, url) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_vendors_paths_below_api_are_the_data_planes(url: str) -> None:
    for path, number in (("/api/v1/thing", None), ("/api/v1/things/7", "7"), ("/api/tasks/visual/8", "8")):
        assert await ask(url + path) == (200, {"from": "toy", "path": path, "id": number})
    # The error has the protocol's shape.
    status, body = await ask(f"{url}/api/v1/thing", "DELETE")
    assert (status, body["why"]) == (405, "method_not_allowed")
    status, body = await ask(f"{url}/api/owned/nothing")
    assert (status, body["why"]) == (404, "not_found")


async def test_the_control_planes_own_paths_stay_its_own(url: str) -> None:
    for path in ("/api/me", "/api/tasks", "/api/tokens"):
        status, body = await ask(url + path)
        assert (status, body["error"]["code"]) == (401, "invalid_api_key"), path
    status, body = await ask(f"{url}/api/tokens", "PUT")
    assert (status, body["error"]["code"]) == (405, "method_not_allowed")
    for path in ("/api/nothing", "/api/v1/other", "/api/"):
        assert await ask(url + path) == (
            404,
            {"error": {"code": "not_found", "message": "There is no such operation", "param": None}},
        )


async def test_pages_and_vendors_paths_beside_them(url: str) -> None:
    async with aiohttp.ClientSession() as client:
        for path, status in (("/healthz", 200), ("/openapi.json", 200), ("/static/none.js", 404), ("/v1/models", 401)):
            async with client.get(url + path) as answer:
                assert answer.status == status, path


async def test_a_stored_setting_that_nobody_knows_stops_no_start(tmp_path: Path) -> None:
    settings = Settings.load({}, data=str(tmp_path), port=reserve_port())
    vault = Vault.open(settings.secret_path)

    async def store(tx: Tx) -> None:
        new = NewChannel(name="old", protocol="openai", base_url="https://example.com")
        await channels.create(tx, vault, new)
        await tx.execute("UPDATE channels SET settings = $1", '{"rennme": {}, "whole": "long", "transport": "gone"}')

    database = await open_database(settings.database_url)
    await database.write(store)
    await database.close()
    async with running(settings) as url, aiohttp.ClientSession() as client, client.get(f"{url}/readyz") as answer:
        assert answer.status == 200
