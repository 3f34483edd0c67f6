"""Azure, Vertex AI and Bedrock, as the gateway reaches them, against clouds that check signatures and paths."""

from __future__ import annotations

import base64
import fnmatch
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from deeepai.accounts.models import Channel, Limits
from deeepai.protocols import PROTOCOLS
from deeepai.upstream import Client, Cut, NotSent, Pieces
from deeepai.upstream.transports import TRANSPORTS, client_for, handshake
from tests.gateway.channels import channel

from . import clouds
from .clouds import ACCESS, EVENTS, LIMITS, MESSAGE, REGION, SECRET, Seen, post, serving


def test_a_channel_without_a_transport_has_a_client_of_its_own() -> None:
    made = Client()
    assert client_for(made, channel("a")) is client_for(made, channel("a")) is not client_for(made, channel("b"))


async def test_a_transport_that_writes_the_body_anew_takes_none_in_pieces(client: Client) -> None:
    async def data() -> AsyncIterator[bytes]:
        yield b"{}"

    settings = {"transport": "vertex", "project": "p"}
    vertex = channel("v", base_url="http://127.0.0.1:9", credential="token", settings=settings)
    for to in (vertex, bedrock("http://127.0.0.1:9")):
        with pytest.raises(NotSent, match="JSON only"):
            await post(client, to, "/v1/messages", Pieces(2, data()), "m")


async def test_a_socket_without_a_transport_goes_where_it_went(client: Client) -> None:
    given = ("https://h/v1/realtime?model=m", {"authorization": "Bearer k"})
    assert await handshake(client, channel("a"), *given, "m") == given


def test_transports_offer_only_what_is_declared() -> None:
    for transport in TRANSPORTS.values():
        names = [each.name for name in transport.carries for each in PROTOCOLS[name].operations]
        for settings in ({}, {"api_version": "2024-10-21"}):
            for pattern in transport.operations(settings):
                assert fnmatch.filter(names, pattern), pattern


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
        await client_for(client, to).ask("GET", f"{url}/v1/models", {}, None, LIMITS)
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
        def of(self, channel: str) -> Client:
            return self

        async def send(self, method: str, url: str, headers: Any, body: Any, limits: Limits) -> Any:
            sent.append(url)
            raise NotSent("not here")

    settings = {"transport": "vertex", "project": "p", "location": location}
    to = channel("v", base_url="https://aiplatform.googleapis.com", credential="token", settings=settings)
    with pytest.raises(NotSent, match="not here"):
        await post(Stub(), to, "/v1/messages", {"model": "m"})
    (url,) = sent
    assert url == f"https://{host}/v1/projects/p/locations/{location}/publishers/anthropic/models/m:rawPredict"


def vertex(url: str) -> Channel:
    settings = {"transport": "vertex", "project": "p", "location": "us-central1"}
    return channel("x", base_url=url, credential="token", settings=settings)


PLACE = "/v1/projects/p/locations/us-central1/publishers/google/models"
WORDS = {"content": {"parts": [{"text": "one"}, {"text": "two"}]}, "taskType": "RETRIEVAL_DOCUMENT", "title": "t"}


async def test_vertex_embeds_by_contents(client: Client) -> None:
    answer = {"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 3}}
    seen = Seen(answer)
    async with serving(seen) as url:
        body = {"model": "models/gemini-embedding-001", **WORDS, "outputDimensionality": 8}
        one = await post(client, vertex(url), "/v1beta/models/gemini-embedding-001:embedContent", body)
        many = {"requests": [body, {"content": {"parts": [{"text": "three"}]}}]}
        await post(client, vertex(url), "/v1beta/models/gemini-embedding-001:batchEmbedContents", many)
    assert one.json() == answer
    (_, first, _, asked), (_, second, _, asked_many) = seen.requests
    assert first == f"{PLACE}/gemini-embedding-001:embedContent"
    assert second == f"{PLACE}/gemini-embedding-001:batchEmbedContents"
    config = {"taskType": "RETRIEVAL_DOCUMENT", "title": "t", "outputDimensionality": 8}
    whole = {"content": WORDS["content"], "embedContentConfig": config}
    assert json.loads(asked) == whole
    assert json.loads(asked_many) == {"requests": [whole, {"content": {"parts": [{"text": "three"}]}}]}


async def test_vertex_embeds_by_predictions(client: Client) -> None:
    seen = Seen(
        {
            "predictions": [
                {"embeddings": {"values": [0.25, -1.0], "statistics": {"token_count": 3, "truncated": False}}},
                {"embeddings": {"values": [1.0, 2.0], "statistics": {"token_count": 4, "truncated": False}}},
            ]
        }
    )
    model = "/v1beta/models/text-embedding-005"
    async with serving(seen) as url:
        one = await post(client, vertex(url), f"{model}:embedContent", WORDS | {"output_dimensionality": 2})
        many = await post(client, vertex(url), f"{model}:batchEmbedContents", {"requests": [WORDS, WORDS]})
        seen.reply = {"error": "odd"}
        with pytest.raises(Cut, match="cannot be read"):
            await post(client, vertex(url), f"{model}:embedContent", WORDS)
    used = {"promptTokenCount": 7, "totalTokenCount": 7}
    assert one.json() == {"embedding": {"values": [0.25, -1.0]}, "usageMetadata": used}
    assert many.json() == {"embeddings": [{"values": [0.25, -1.0]}, {"values": [1.0, 2.0]}], "usageMetadata": used}
    instance = {"content": "one\ntwo", "task_type": "RETRIEVAL_DOCUMENT", "title": "t"}
    assert [path for _, path, _, _ in seen.requests] == [f"{PLACE}/text-embedding-005:predict"] * 3
    assert json.loads(seen.requests[0][3]) == {"instances": [instance], "parameters": {"outputDimensionality": 2}}
    assert json.loads(seen.requests[1][3]) == {"instances": [instance, instance]}


async def test_vertex_counts_a_whole_request(client: Client) -> None:
    seen = Seen({"totalTokens": 3})
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    method = "/v1beta/models/gemini-2.5-flash:countTokens"
    async with serving(seen) as url:
        whole = {
            "model": "models/gemini-2.5-flash",
            "contents": contents,
            "system_instruction": {},
            "safetySettings": [],
        }
        await post(client, vertex(url), method, {"generateContentRequest": whole})
        await post(client, vertex(url), method, {"contents": contents})
    bodies = [json.loads(body) for _, _, _, body in seen.requests]
    assert bodies == [{"contents": contents, "systemInstruction": {}}, {"contents": contents}]


async def test_vertex_makes_pictures_and_films(client: Client) -> None:
    name = "projects/p/locations/us-central1/publishers/google/models/veo-3.1-generate-001/operations/1-2"
    seen = Seen({"name": name})
    picture = {"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}
    async with serving(seen) as url:
        to, parameters = vertex(url), {"sampleCount": 1}
        drawn = {"instances": [{"prompt": "a cat"}], "parameters": {**parameters, "storageUri": "gs://theirs"}}
        await post(client, to, "/v1beta/models/imagen-4.0-generate-001:predict", drawn)
        instance = {
            "prompt": "a cat",
            "image": {"inlineData": {"data": "aGk=", "mimeType": "image/png"}},
            "lastFrame": picture,
            "video": {"encodedVideo": "aGk="},
            "referenceImages": [{"image": picture, "referenceType": "asset"}, 5],
        }
        film = {"instances": [instance], "parameters": parameters}
        await post(client, to, "/v1beta/models/veo-3.1-generate-001:predictLongRunning", film)
        running = await client_for(client, to).ask("GET", f"{url}/v1beta/{name}", {}, None, LIMITS)
        assert running.json() == {"name": name}
        videos = [{"bytesBase64Encoded": "aGk=", "mimeType": "video/mp4"}, {"gcsUri": "gs://b/o"}]
        seen.reply = {"name": name, "done": True, "response": {"raiMediaFilteredCount": 1, "videos": videos}}
        done = await client_for(client, to).ask("GET", f"{url}/v1beta/{name}", {}, None, LIMITS)
    assert done.json()["response"]["generateVideoResponse"] == {
        "raiMediaFilteredCount": 1,
        "generatedSamples": [
            {"video": {"encodedVideo": "aGk=", "encoding": "video/mp4"}},
            {"video": {"uri": "gs://b/o"}},
        ],
    }
    assert [(method, path) for method, path, _, _ in seen.requests] == [
        ("POST", f"{PLACE}/imagen-4.0-generate-001:predict"),
        ("POST", f"{PLACE}/veo-3.1-generate-001:predictLongRunning"),
        *[("POST", f"{PLACE}/veo-3.1-generate-001:fetchPredictOperation")] * 2,
    ]
    bodies = [json.loads(body) for _, _, _, body in seen.requests]
    # No bucket of whoever runs the gateway is written to.
    assert bodies[0] == {"instances": [{"prompt": "a cat"}], "parameters": parameters}
    assert bodies[1]["instances"] == [
        {
            "prompt": "a cat",
            "image": picture,
            "lastFrame": picture,
            "video": {"bytesBase64Encoded": "aGk=", "mimeType": "video/mp4"},
            "referenceImages": [{"image": picture, "referenceType": "asset"}, 5],
        }
    ]
    assert bodies[2] == {"operationName": name}


async def test_vertex_asks_for_operations_of_its_own_only(client: Client) -> None:
    to = vertex("http://127.0.0.1:9")
    with pytest.raises(NotSent, match="no such operation"):
        await client_for(client, to).ask("GET", f"{to.base_url}/v1beta/projects/p/operations/x", {}, None, LIMITS)


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
    response = await client_for(client, to).send(
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
        probed = await client_for(client, bedrock(url)).ask("GET", f"{url}/v1/models", {}, None, LIMITS)
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


async def test_bedrock_counts_tokens(client: Client) -> None:
    seen = Bedrock()
    seen.reply = {"inputTokens": 12}
    async with serving(seen) as url:
        answer = await post(client, bedrock(url), "/v1/messages/count_tokens", ASKED, MODEL)
        assert answer.json() == {"input_tokens": 12}
        del seen.reply["inputTokens"]
        with pytest.raises(Cut, match="cannot be read"):
            await post(client, bedrock(url), "/v1/messages/count_tokens", ASKED, MODEL)
    _, path, _, body = seen.requests[1]
    # By the model itself: regions are for calls.
    assert path == "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens"
    inner = json.loads(base64.b64decode(json.loads(body)["input"]["invokeModel"]["body"]))
    assert inner == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": ASKED["messages"],
    }


async def test_bedrock_carries_no_batches(client: Client) -> None:
    with pytest.raises(NotSent, match="does not carry"):
        await post(client, bedrock("http://127.0.0.1:9"), "/v1/messages/batches", ASKED)
