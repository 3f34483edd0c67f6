"""Files that only a channel's credential opens: it goes to the vendor's own host, and nowhere that host leads to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deeepai.upstream import Cut
from tests.gateway.channels import channel
from tests.tasks.world import PNG, World, world


class Store:
    """A file server that notes the credentials it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str | None]] = []
        self.leads_to = ""

    async def serve(self, request: web.Request) -> web.Response:
        credential = request.headers.get("authorization")
        self.shown.append((request.path, credential))
        if request.path == "/moved":
            return web.Response(status=302, headers={"location": self.leads_to})
        if request.path == "/secret" and credential != "Bearer k":
            return web.Response(status=403)
        return web.Response(body=PNG, content_type="image/png")

    async def start(self) -> TestServer:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.serve)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        return server


@pytest.fixture
async def a(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def test_a_credential_is_shown_to_the_vendor_only(a: World) -> None:
    vendor, other = Store(), Store()
    ours, theirs = await vendor.start(), await other.start()
    own = channel("own", base_url=str(ours.make_url("/api")))
    vendor.leads_to = str(theirs.make_url("/public"))

    data, kind = await a.life.results.fetch_from(own, str(ours.make_url("/secret")), keyed=True)
    assert (data, kind) == (PNG, "image/png")
    with pytest.raises(Cut):
        await a.life.results.fetch_from(own, str(ours.make_url("/secret")))

    data, _ = await a.life.results.fetch_from(own, str(ours.make_url("/moved")), keyed=True)
    assert data == PNG
    await a.life.results.fetch_from(own, str(theirs.make_url("/named")), keyed=True)
    assert other.shown == [("/public", None), ("/named", None)]
    assert vendor.shown[-1] == ("/moved", "Bearer k")

    await ours.close()
    await theirs.close()


async def test_without_a_credential_none_is_shown(a: World) -> None:
    vendor = Store()
    server = await vendor.start()
    bare = channel("bare", base_url=str(server.make_url("")), credential="")
    await a.life.results.fetch_from(bare, str(server.make_url("/open")), keyed=True)
    assert vendor.shown == [("/open", None)]
    await server.close()
