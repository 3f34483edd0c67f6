"""Azure, Vertex AI and Bedrock, as the gateway reaches them, against clouds that check signatures and paths."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from deeepai.accounts.models import Channel, Limits
from deeepai.upstream import Client, Cut, NotSent
from deeepai.upstream.transports import through
from tests.gateway.channels import channel

from . import clouds
from .clouds import ACCESS, EVENTS, MESSAGE, REGION, SECRET, serving

LIMITS = Limits()
CHAT = {"model": "my gpt", "messages": []}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.close()


class Seen:
    """Answers `reply` to everything, and remembers what came."""

    def __init__(self, reply: Any = None) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.reply = reply if reply is not None else {"ok": True}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, body))
        return web.json_response(self.reply)


async def post(client: Client, to: Channel, path: str, body: Any, **headers: str) -> Any:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await through(client, to).ask("POST", to.base_url + path, sent, raw, LIMITS)


def test_a_channel_without_a_transport_has_the_client_itself() -> None:
    made = Client.__new__(Client)
    assert through(made, channel("a")) is made


# Azure ---------------------------------------------------------------------------------------------------------------


async def test_azure_by_deployment(client: Client) -> None:
    seen = Seen()
    async with serving(seen) as url:
        to = channel(
            "a", base_url=url, credential="azure-key", settings={"transport": "azure", "api_version": "2024-10-21"}
        )
        await post(client, to, "/chat/completions", CHAT, authorization="Bearer azure-key")
        form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--\r\n'
        await post(client, to, "/audio/transcriptions", form, content_type="multipart/form-data; boundary=b")
        await through(client, to).ask("GET", f"{url}/models", {}, None, LIMITS)
    paths = [path for _, path, _, _ in seen.requests]
    assert paths == [
        "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        "/openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21",
        "/openai/models?api-version=2024-10-21",
    ]
    _, _, headers, body = seen.requests[0]
    assert headers["api-key"] == "azure-key"
    assert "authorization" not in headers
    assert json.loads(body) == CHAT


async def test_azure_of_the_newer_form(client: Client) -> None:
    seen = Seen()
    async with serving(seen) as url:
        to = channel("a", base_url=url, credential="k", settings={"transport": "azure"})
        await post(client, to, "/chat/completions", CHAT)
        token = channel("b", base_url=url, credential="t", settings={"transport": "azure", "auth": "token"})
        await post(client, token, "/chat/completions", CHAT)
    assert [path for _, path, _, _ in seen.requests] == ["/openai/v1/chat/completions"] * 2
    assert seen.requests[0][2]["api-key"] == "k"
    assert seen.requests[1][2]["authorization"] == "Bearer t"


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
        await asyncio.gather(*(post(client, to, "/chat/completions", CHAT) for _ in range(5)))
        await post(client, to, "/chat/completions", CHAT)
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
        async with asyncio.timeout(10):
            while "Bearer token-2" not in used:
                await post(client, to, "/chat/completions", CHAT)
        await post(client, to, "/chat/completions", CHAT)
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
                await post(client, to, "/chat/completions", CHAT)
            assert "s3cret" not in str(caught.value)


# Vertex --------------------------------------------------------------------------------------------------------------


class Vertex(Seen):
    """Gives tokens for assertions that are well signed, and takes no other."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: list[dict[str, Any]] = []
        self.url = ""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            claims = clouds.granted(await request.text(), self.url)
            if claims is None:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.claims.append(claims)
            return web.json_response({"access_token": "ya29.token", "expires_in": 3599})
        if request.headers.get("authorization") != "Bearer ya29.token":
            return web.json_response({"error": {"code": 401}}, status=401)
        return await super().__call__(request)


async def test_vertex(client: Client) -> None:
    seen = Vertex()
    async with serving(seen) as url:
        seen.url = url
        settings = {"transport": "vertex", "project": "my-project", "location": "europe-west4"}
        to = channel("v", base_url=url, credential=clouds.service_account(url), settings=settings)
        gemini = {"contents": [{"parts": [{"text": "hi"}]}]}
        claude = {"model": "claude-haiku-4-5@20251001", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
        for path, body in (
            ("/v1beta/models/gemini-2.5-flash:generateContent", gemini),
            ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", gemini),
            ("/v1/messages", claude),
            ("/v1/messages", {**claude, "stream": True}),
            ("/v1/messages/count_tokens", claude),
        ):
            answer = await post(
                client, to, path, body, x_goog_api_key="{", anthropic_version="2023-06-01", anthropic_beta="b"
            )
            assert answer.status == 200, answer
        await through(client, to).ask("GET", f"{url}/v1/models", {}, None, LIMITS)
        with pytest.raises(NotSent, match="does not carry"):
            await post(client, to, "/v1/files", {})
    place = "/v1/projects/my-project/locations/europe-west4"
    assert [path for _, path, _, _ in seen.requests] == [
        f"{place}/publishers/google/models/gemini-2.5-flash:generateContent",
        f"{place}/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        f"{place}/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
        f"{place}/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict",
        f"{place}/publishers/anthropic/models/count-tokens:rawPredict",
        place,
    ]
    bodies = [json.loads(body) for _, _, _, body in seen.requests[:5]]
    rest = {name: value for name, value in claude.items() if name != "model"}
    assert bodies[0] == bodies[1] == gemini
    assert bodies[2] == {**rest, "anthropic_version": "vertex-2023-10-16"}
    assert bodies[3] == {**rest, "stream": True, "anthropic_version": "vertex-2023-10-16"}
    assert bodies[4]["model"] == claude["model"]
    for _, _, headers, _ in seen.requests:
        assert headers.keys().isdisjoint({"x-goog-api-key", "x-api-key", "anthropic-version"})
    assert seen.requests[2][2]["anthropic-beta"] == "b"
    (claims,) = seen.claims
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert claims["iss"] == "gateway@project.iam.gserviceaccount.com"


async def test_vertex_takes_no_other_credential_for_a_key(client: Client) -> None:
    to = channel("w", base_url="http://127.0.0.1:9", credential='{"type": "authorized_user"}')
    settings = {"transport": "vertex", "project": "p"}
    for credential in ('{"type": "authorized_user"}', '{"client_email":"a","private_key":"b","token_uri":"http://h"}'):
        to = channel("w", base_url="http://127.0.0.1:9", credential=credential, settings=settings)
        with pytest.raises(NotSent, match="service account"):
            await post(client, to, "/v1/messages", {"model": "m"})


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
async def test_vertex_has_a_host_for_each_location(location: str, host: str) -> None:
    sent: list[str] = []

    class Stub(Client):
        async def send(self, method: str, url: str, *_: Any) -> Any:
            sent.append(url)
            raise NotSent("not here")

    settings = {"transport": "vertex", "project": "p", "location": location}
    to = channel("v", base_url="https://aiplatform.googleapis.com", credential="token", settings=settings)
    with pytest.raises(NotSent, match="not here"):
        await post(Stub(), to, "/v1/messages", {"model": "m"})
    (url,) = sent
    assert url == f"https://{host}/v1/projects/p/locations/{location}/publishers/anthropic/models/m:rawPredict"


# Bedrock -------------------------------------------------------------------------------------------------------------

MODEL = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
ASKED = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Grüße"}]}


class Bedrock(Seen):
    """Takes well signed requests only; streams what it is given."""

    def __init__(self, stream: bytes = b"", piece: int = 7) -> None:
        super().__init__(MESSAGE)
        self.stream, self.piece = stream, piece

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if not clouds.well_signed(request, await request.read()):
            headers = {"x-amzn-errortype": "InvalidSignatureException:http://internal.amazon.com/"}
            return web.json_response({"message": "The signature is wrong"}, status=403, headers=headers)
        answer = await super().__call__(request)
        if request.path.endswith("/invoke-with-response-stream"):
            return await clouds.poured(request, self.stream, self.piece, "application/vnd.amazon.eventstream")
        return answer


def bedrock(url: str, credential: str = f"{ACCESS}:{SECRET}") -> Channel:
    return channel("b", base_url=url, credential=credential, settings={"transport": "bedrock", "region": REGION})


async def streamed(client: Client, to: Channel) -> list[tuple[str, Any]]:
    raw = json.dumps({**ASKED, "stream": True}).encode()
    response = await through(client, to).send(
        "POST", f"{to.base_url}/v1/messages", {"content-type": "application/json"}, raw, LIMITS
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    pieces: list[bytes] = []
    while data := await response.next():
        pieces.append(data)
    response.release()
    found: list[tuple[str, Any]] = []
    for event in b"".join(pieces).decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_bedrock_signs_and_asks(client: Client) -> None:
    seen = Bedrock()
    async with serving(seen) as url:
        answer = await post(
            client,
            bedrock(url),
            "/v1/messages",
            ASKED,
            anthropic_version="2023-06-01",
            anthropic_beta="a, b",
            x_api_key="k",
        )
        assert answer.json() == MESSAGE
        probed = await through(client, bedrock(url)).ask("GET", f"{url}/v1/models", {}, None, LIMITS)
        assert probed.status == 200
    (_, path, headers, body), (_, listed, _, _) = seen.requests
    assert path == "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"
    assert listed == "/foundation-models"
    assert headers.keys().isdisjoint({"x-api-key", "anthropic-version", "anthropic-beta"})
    assert json.loads(body) == {
        "max_tokens": 9,
        "messages": ASKED["messages"],
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["a", "b"],
    }


@pytest.mark.parametrize("credential", [f"{ACCESS}:wrong", f"OTHER:{SECRET}", "an-api-key"])
async def test_bedrock_with_a_wrong_key_is_the_vendors_401(client: Client, credential: str) -> None:
    async with serving(Bedrock()) as url:
        answer = await post(client, bedrock(url, credential), "/v1/messages", ASKED)
    assert answer.status == 401
    assert answer.json() == {
        "type": "error",
        "error": {"type": "authentication_error", "message": "The signature is wrong"},
    }


async def test_bedrock_by_api_key(client: Client) -> None:
    seen = Seen(MESSAGE)
    async with serving(seen) as url:
        await post(client, bedrock(url, "bedrock-api-key-1"), "/v1/messages", ASKED)
    assert seen.requests[0][2]["authorization"] == "Bearer bedrock-api-key-1"


@pytest.mark.parametrize("piece", [1, 7, 1000, 10**6])
async def test_bedrock_streams_the_vendors_own_events(client: Client, piece: int) -> None:
    async with serving(Bedrock(b"".join(map(clouds.chunk, EVENTS)), piece)) as url:
        found = await streamed(client, bedrock(url))
    assert found[:-1] == [(event["type"], event) for event in EVENTS[:-1]]
    assert found[-1] == ("message_stop", {"type": "message_stop"})


async def test_bedrock_says_an_error_within_the_stream(client: Client) -> None:
    stream = clouds.chunk(EVENTS[0]) + clouds.exception("throttlingException", "Too many tokens")
    async with serving(Bedrock(stream)) as url:
        found = await streamed(client, bedrock(url))
    assert found[-1] == (
        "error",
        {"type": "error", "error": {"type": "rate_limit_error", "message": "Too many tokens"}},
    )


async def test_a_damaged_frame_is_a_cut(client: Client) -> None:
    stream = bytearray(clouds.chunk(EVENTS[0]) + clouds.chunk(EVENTS[1]))
    stream[-20] ^= 1
    async with serving(Bedrock(bytes(stream), 10**6)) as url:
        with pytest.raises(Cut, match="damaged"):
            await streamed(client, bedrock(url))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "ThrottlingException", "rate_limit_error"),
        (400, "ValidationException", "invalid_request_error"),
        (403, "AccessDeniedException", "permission_error"),
        (503, "ServiceUnavailableException", "overloaded_error"),
        (500, "", "api_error"),
    ],
)
async def test_bedrocks_errors_are_the_vendors(client: Client, status: int, code: str, kind: str) -> None:
    async def cloud(request: web.Request) -> web.Response:
        del request
        headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/"} if code else {}
        return web.json_response({"message": "No"}, status=status, headers=headers)

    async with serving(cloud) as url:
        answer = await post(client, bedrock(url), "/v1/messages", ASKED)
    assert answer.status == status
    assert answer.json() == {"type": "error", "error": {"type": kind, "message": "No"}}


async def test_bedrock_carries_messages_only(client: Client) -> None:
    with pytest.raises(NotSent, match="does not carry"):
        await post(client, bedrock("http://127.0.0.1:9"), "/v1/messages/count_tokens", ASKED)
