"""Addresses that callers choose: nothing private is reached, however it is spelled."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deeepai.safe_fetch import SafeFetch, Unsafe

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
async def strict() -> AsyncIterator[SafeFetch]:
    made = SafeFetch()
    yield made
    await made.close()


@pytest.fixture
async def allowed() -> AsyncIterator[SafeFetch]:
    made = SafeFetch(LOOPBACK)
    yield made
    await made.close()


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1000, content_type="image/png")

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    app = web.Application()
    app.router.add_get("/page", page)
    app.router.add_get("/away", away)
    async with TestServer(app, host="127.0.0.1") as started:
        yield started


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "printer.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fc00::1]",
        "224.0.0.1",
    ],
)
async def test_private_addresses_are_refused(strict: SafeFetch, server: TestServer, host: str) -> None:
    reached = (Unsafe, aiohttp.ClientConnectorDNSError)
    with pytest.raises(reached):
        await strict.request("GET", f"http://{host}:{server.port}/page", limit=10_000, seconds=5)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/", "http:///x", "http://user:word@example.com/", "x"]
)
async def test_odd_urls_are_refused(strict: SafeFetch, url: str) -> None:
    with pytest.raises(Unsafe):
        await strict.request("GET", url, limit=1000, seconds=5)


async def test_a_name_that_resolves_to_a_private_address_is_refused(
    strict: SafeFetch, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, *args: object, **words: object) -> list[object]:
        assert host == "rebound.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Unsafe):
        await strict.request("GET", f"http://rebound.example:{server.port}/page", limit=10_000, seconds=5)


async def test_a_redirect_is_judged_again(server: TestServer) -> None:
    here = SafeFetch([ipaddress.ip_network("127.0.0.1/32")])
    try:
        for target in ("http://127.0.0.2/page", "http://169.254.169.254/", "file:///etc/passwd"):
            with pytest.raises(Unsafe):
                await here.request("GET", str(server.make_url("/away").with_query(to=target)), limit=10_000, seconds=5)
        fine = str(server.make_url("/away").with_query(to=str(server.make_url("/page"))))
        assert (await here.request("GET", fine, limit=10_000, seconds=5)).status == 200
    finally:
        await here.close()


async def test_size_and_type_are_bounded(allowed: SafeFetch, server: TestServer) -> None:
    url = str(server.make_url("/page"))
    fetched = await allowed.request("GET", url, limit=10_000, seconds=5, types=("image/",))
    assert (fetched.status, fetched.content_type, len(fetched.body)) == (200, "image/png", 1000)
    with pytest.raises(Unsafe):
        await allowed.request("GET", url, limit=999, seconds=5)
    with pytest.raises(Unsafe):
        await allowed.request("GET", url, limit=10_000, seconds=5, types=("video/",))
