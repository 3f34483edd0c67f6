from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from deeepai.accounts.models import Channel, Limits
from deeepai.control.probe import probe
from deeepai.protocols import PROTOCOLS
from deeepai.upstream import Client
from tests.stack import Sandbox
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE

KEY = "vendor-secret-0123456789"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


def channel(protocol: str, base_url: str, credential: str | None = KEY) -> Channel:
    return Channel(
        id="chn_1",
        name="one",
        protocol=protocol,
        base_url=base_url,
        credential=credential,
        models=None,
        model_map={},
        mode="live",
        price_groups=None,
        priority=0,
        weight=1,
        concurrency=None,
        rpm=None,
        enabled=True,
        limits=Limits(connect=PATIENCE, first_byte=PATIENCE),
        settings={},
        source="api",
    )


@asynccontextmanager
async def upstream(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An upstream that answers everything with the same bytes; with none it hangs up."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


def said(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body.encode())}\r\nconnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
async def test_each_protocols_probe_is_answered_well_by_its_stand_in(
    sandbox: Sandbox, client: Client, name: str
) -> None:
    path = urlsplit(PROTOCOLS[name].base_url).path.rstrip("/")
    ok, ms, error = await probe(client, PROTOCOLS[name], channel(name, f"{sandbox.url}/{name}{path}", "sk-any-key"))
    assert (ok, error) == (True, None)
    assert ms > 0


async def test_a_probe_sends_the_credential_as_the_protocol_does(client: Client) -> None:
    async with upstream(said("200 OK", "{}")) as (url, seen):
        assert (await probe(client, PROTOCOLS["flux"], channel("flux", url)))[0]
        assert (await probe(client, PROTOCOLS["openai"], channel("openai", f"{url}/v1/")))[0]
    assert seen[0].startswith(b"GET /v1/credits ")
    assert f"x-key: {KEY}".encode() in seen[0]
    assert seen[1].startswith(b"GET /v1/models ")
    assert f"authorization: Bearer {KEY}".encode() in seen[1].replace(b"Authorization", b"authorization")


@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "500 Internal Server Error"])
async def test_a_bad_answer_is_told_without_the_credential(client: Client, status: str) -> None:
    body = '{"error": "Incorrect key: ' + KEY + '", "again": "Bearer ' + KEY + '"}' + " " * 600 + KEY * 400
    async with upstream(said(status, body)) as (url, _):
        ok, _, error = await probe(client, PROTOCOLS["openai"], channel("openai", url))
    assert not ok
    assert error is not None
    assert status[:3] in error
    assert KEY[:10] not in error
    assert len(error) <= 201


async def test_nobody_there(client: Client) -> None:
    ok, _, error = await probe(client, PROTOCOLS["openai"], channel("openai", f"http://127.0.0.1:{reserve_port()}"))
    assert not ok
    assert error is not None
    assert "no connection" in error


async def test_a_connection_that_ends_without_an_answer(client: Client) -> None:
    async with upstream(b"") as (url, _):
        ok, _, error = await probe(client, PROTOCOLS["openai"], channel("openai", url))
    assert not ok
    assert error


async def test_without_a_probe_the_address_and_the_credential_are_judged(client: Client) -> None:
    plain = replace(PROTOCOLS["openai"], probe=None)
    for status, good in (("404 Not Found", True), ("401 Unauthorized", False), ("502 Bad Gateway", False)):
        async with upstream(said(status, "")) as (url, _):
            assert (await probe(client, plain, channel("openai", url)))[0] is good, status
