"""Azure OpenAI's two forms of address, its credentials and sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from deeepai.accounts.models import Channel
from deeepai.gateway.dispatch import serves
from deeepai.upstream import Client, NotSent, Pieces
from deeepai.upstream.transports import client_for, handshake
from tests.gateway.channels import channel
from tests.support.until import PATIENCE

from .clouds import LIMITS, Seen, post, serving

CHAT = {"model": "my gpt", "messages": []}


def azure(url: str, version: str | None = None, **settings: str) -> Channel:
    given = {"transport": "azure", **({"api_version": version} if version else {}), **settings}
    return channel("a", base_url=url, credential="azure-key", settings=given)


VERSION = "2025-04-01-preview"


async def test_azure_by_deployment(client: Client) -> None:
    seen = Seen()
    async with serving(seen) as url:
        to = azure(url, VERSION)
        await post(client, to, "/chat/completions", CHAT, "my gpt", authorization="Bearer azure-key")
        await post(client, to, "/responses", CHAT, "my gpt")
        await post(client, to, "/batches", {"input_file_id": "f"})
        for path in ("/models", "/files?limit=5&api-version=1999-01-01", "/files/file-1/content"):
            await client_for(client, to).ask("GET", url + path, {}, None, LIMITS)
    assert [path for _, path, _, _ in seen.requests] == [
        f"/openai/deployments/my%20gpt/chat/completions?api-version={VERSION}",
        f"/openai/responses?api-version={VERSION}",
        f"/openai/batches?api-version={VERSION}",
        f"/openai/models?api-version={VERSION}",
        f"/openai/files?limit=5&api-version={VERSION}",
        f"/openai/files/file-1/content?api-version={VERSION}",
    ]
    _, _, headers, body = seen.requests[0]
    assert headers["api-key"] == "azure-key"
    assert "authorization" not in headers
    assert json.loads(body) == CHAT


async def test_azure_of_the_newer_form(client: Client) -> None:
    seen = Seen()
    async with serving(seen) as url:
        await post(client, azure(url), "/chat/completions", CHAT, "my gpt")
        await post(client, azure(url, auth="token"), "/videos", {"model": "sora-2"}, "sora-2")
        await client_for(client, azure(url)).ask("GET", f"{url}/batches?limit=5", {}, None, LIMITS)
    assert [path for _, path, _, _ in seen.requests] == [
        "/openai/v1/chat/completions",
        "/openai/v1/videos",
        "/openai/v1/batches?limit=5",
    ]
    assert seen.requests[0][2]["api-key"] == "azure-key"
    assert seen.requests[1][2]["authorization"] == "Bearer azure-key"


async def test_azures_newer_form_may_have_a_version_that_is_a_word(client: Client) -> None:
    seen = Seen()
    async with serving(seen) as url:
        await post(client, azure(url, "preview"), "/chat/completions", CHAT, "my gpt")
    assert [path for _, path, _, _ in seen.requests] == ["/openai/v1/chat/completions?api-version=preview"]


@pytest.mark.parametrize("length", [True, False])
async def test_azure_takes_a_body_in_pieces_as_it_comes(client: Client, length: bool) -> None:
    seen = Seen()
    sent: list[bytes] = []

    async def data() -> AsyncIterator[bytes]:
        for number in range(40):
            sent.append(bytes([number]) * 50_000)
            yield sent[-1]

    async with serving(seen) as url:
        body = Pieces(2_000_000 if length else None, data())
        kind = "multipart/form-data; boundary=b"
        await post(client, azure(url, VERSION), "/audio/transcriptions", body, "whisper", content_type=kind)
    ((_, path, headers, came),) = seen.requests
    assert path == f"/openai/deployments/whisper/audio/transcriptions?api-version={VERSION}"
    assert headers["content-type"] == kind
    assert headers.get("content-length") == ("2000000" if length else None)
    assert came == b"".join(sent)


async def test_a_deployment_must_be_named(client: Client) -> None:
    with pytest.raises(NotSent, match="names no model"):
        await post(client, azure("http://127.0.0.1:9", VERSION), "/embeddings", CHAT)


@pytest.mark.parametrize(
    ("version", "path", "target"),
    [
        (None, "/realtime?model=my%20gpt", "/openai/v1/realtime?model=my%20gpt"),
        (None, "/realtime?intent=transcription", "/openai/v1/realtime?intent=transcription"),
        (VERSION, "/realtime?model=my%20gpt", f"/openai/realtime?deployment=my%20gpt&api-version={VERSION}"),
        (
            VERSION,
            "/realtime?intent=transcription",
            f"/openai/realtime?intent=transcription&deployment=my%20gpt&api-version={VERSION}",
        ),
    ],
)
async def test_azures_sockets(client: Client, version: str | None, path: str, target: str) -> None:
    to = azure("https://r.openai.azure.com", version)
    url, headers = await handshake(client, to, to.base_url + path, {"authorization": "Bearer azure-key"}, "my gpt")
    assert url == f"https://r.openai.azure.com{target}"
    assert headers == {"api-key": "azure-key"}


def test_each_form_has_operations_of_its_own() -> None:
    def takes(operation: str, **settings: Any) -> bool:
        return serves(channel("a", settings={"transport": "azure", **settings}), operation)

    for operation in ("chat.completions", "realtime", "realtime.client_secrets", "files.create", "batches.list"):
        assert takes(operation)
        assert takes(operation, api_version=VERSION)
    assert takes("videos.create")
    assert takes("videos.create", api_version="preview")
    assert not takes("videos.create", api_version=VERSION)
    assert not takes("moderations")
    assert not takes("chat.completions", operations=["embeddings"])


async def test_azure_with_a_token_of_entra(client: Client) -> None:
    forms: list[dict[str, list[str]]] = []
    used: list[str] = []

    async def cloud(request: web.Request) -> web.Response:
        if request.path == "/token":
            forms.append(parse_qs(await request.text()))
            return web.json_response({"access_token": f"token-{len(forms)}", "expires_in": 3600})
        used.append(request.headers["authorization"])
        return web.json_response({})

    async with serving(cloud) as url:
        credential = json.dumps({"tenant_id": "t", "client_id": "c", "client_secret": "s"})
        settings = {"transport": "azure", "auth": "entra", "token_url": f"{url}/token"}
        to = channel("entra", base_url=url, credential=credential, settings=settings)
        await asyncio.gather(*(post(client, to, "/chat/completions", CHAT, "m") for _ in range(5)))
        await post(client, to, "/chat/completions", CHAT, "m")
    assert used == ["Bearer token-1"] * 6
    (form,) = forms
    assert form["client_secret"] == ["s"]
    assert form["scope"] == ["https://cognitiveservices.azure.com/.default"]


async def test_a_token_that_ends_soon_is_renewed_while_it_is_used(client: Client) -> None:
    given = 0
    used: list[str] = []

    async def cloud(request: web.Request) -> web.Response:
        nonlocal given
        if request.path == "/token":
            given += 1
            return web.json_response({"access_token": f"token-{given}", "expires_in": 60 if given == 1 else 3600})
        used.append(request.headers["authorization"])
        return web.json_response({})

    async with serving(cloud) as url:
        settings = {"transport": "azure", "auth": "entra", "token_url": f"{url}/token"}
        credential = json.dumps({"tenant_id": "t", "client_id": "c", "client_secret": "s"})
        to = channel("soon", base_url=url, credential=credential, settings=settings)
        async with asyncio.timeout(PATIENCE):
            while "Bearer token-2" not in used:
                await post(client, to, "/chat/completions", CHAT, "m")
        await post(client, to, "/chat/completions", CHAT, "m")
    assert used[:2] == ["Bearer token-1"] * 2
    assert used[-1] == "Bearer token-2"
    assert given == 2


async def test_a_refused_token_is_told_and_asked_for_again(client: Client) -> None:
    async def cloud(request: web.Request) -> web.Response:
        del request
        return web.json_response({"error": "invalid_client", "error_description": "s3cret"}, status=401)

    async with serving(cloud) as url:
        settings = {"transport": "azure", "auth": "entra", "token_url": f"{url}/token"}
        credential = json.dumps({"tenant_id": "t", "client_id": "c", "client_secret": "s3cret"})
        to = channel("refused", base_url=url, credential=credential, settings=settings)
        for _ in range(2):
            with pytest.raises(NotSent, match="status 401, invalid_client") as caught:
                await post(client, to, "/chat/completions", CHAT, "m")
            assert "s3cret" not in str(caught.value)
