"""Google's own Python SDK against the gateway, and what that SDK says nothing of: arrays, Imagen, the start of Veo."""

from __future__ import annotations

import base64
import http.client
import json
import math
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.operator import rows, usage_row
from tests.stack import Gateway
from tests.support.http import call
from tests.support.pictures import opened, png
from tests.support.until import PATIENCE, until

MODEL = "gemini-2.5-flash"
VEO = "veo-3.1-generate-preview"
HELLO = "Say this is a test!"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="The weather in a city",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        )
    ]
)


def connect(gateway: Gateway, key: str | None = None, version: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url, api_version=version)
    return genai.Client(api_key=key or gateway.live, http_options=options)


@pytest.fixture(params=[None, "v1beta"], ids=["default version", "v1beta"])
def client(gateway: Gateway, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    made = connect(gateway, version=request.param)
    yield made
    made.close()


def row_of(gateway: Gateway, answer: Any) -> dict[str, Any]:
    return usage_row(gateway, answer.sdk_http_response.headers["x-request-id"])


def post(
    gateway: Gateway, path: str, body: Any, *, key: str | None = None, bare: bool = False
) -> tuple[int, dict[str, str], Any]:
    """Send a request as no SDK does; return status, headers, and JSON."""
    got = call(gateway, "POST", path, body, headers={} if bare else {"x-goog-api-key": key or gateway.live})
    return got.status, dict(got.headers), got.json


def said(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


# Content -----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("gemini.generateContent")
def test_generate(client: genai.Client, gateway: Gateway) -> None:
    answer = client.models.generate_content(model=MODEL, contents=HELLO)
    assert answer.text
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    told = answer.usage_metadata
    assert told is not None
    row = row_of(gateway, answer)
    assert (row["operation"], row["model"], row["basis"]) == ("gemini.generateContent", MODEL, "vendor")
    assert row["consumed"]["input"] == told.prompt_token_count
    assert row["consumed"]["output"] == told.candidates_token_count
    assert row["cost"] == told.prompt_token_count * 300 + told.candidates_token_count * 2500


@pytest.mark.operation("gemini.generateContent")
def test_thoughts_and_cached_tokens_are_priced(client: genai.Client, gateway: Gateway) -> None:
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    words = "[sandbox:cached=7] [sandbox:reasoning=20] think about what was said before, please"
    answer = client.models.generate_content(model=MODEL, contents=words, config=config)
    assert answer.candidates
    assert answer.candidates[0].content.parts[0].thought
    told = answer.usage_metadata
    consumed = row_of(gateway, answer)["consumed"]
    assert consumed["cached"] == told.cached_content_token_count == 7
    assert consumed["input"] == told.prompt_token_count - 7
    assert consumed["reasoning"] == told.thoughts_token_count == 20
    assert consumed["output"] == told.candidates_token_count + 20


@pytest.mark.operation("gemini.generateContent", "gemini.streamGenerateContent")
@pytest.mark.parametrize(
    ("model", "tier", "rates"),
    [
        ("gemini-2.5-flash", "flex", (150, 1250, 35_000_000)),
        ("gemini-2.5-flash", "standard", (300, 2500, 35_000_000)),
        # A query that is asked twice counts once, and each different one counts.
        ("gemini-3-flash-preview", "priority", (900, 5400, 28_000_000)),
    ],
)
def test_searches_and_tiers_are_priced(
    client: genai.Client, gateway: Gateway, model: str, tier: str, rates: tuple[int, int, int]
) -> None:
    config = types.GenerateContentConfig(
        service_tier=types.ServiceTier(tier), tools=[types.Tool(google_search=types.GoogleSearch())]
    )
    answer = client.models.generate_content(model=model, contents=HELLO, config=config)
    assert answer.candidates
    assert answer.candidates[0].grounding_metadata is not None
    streamed = list(client.models.generate_content_stream(model=model, contents=HELLO, config=config))
    status, headers, _ = post(
        gateway,
        f"/v1beta/models/{model}:streamGenerateContent",
        said(HELLO) | {"service_tier": tier, "tools": {"google_search": {}}},
    )
    assert status == 200
    for row in (row_of(gateway, answer), row_of(gateway, streamed[-1]), usage_row(gateway, headers["x-request-id"])):
        tokens = row["consumed"]["input"] * rates[0] + row["consumed"]["output"] * rates[1]
        assert row["cost"] == tokens + rates[2]


@pytest.mark.operation("gemini.generateContent")
def test_tools(client: genai.Client) -> None:
    forced = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    manual = types.AutomaticFunctionCallingConfig(disable=True)
    config = types.GenerateContentConfig(tools=[WEATHER], tool_config=forced, automatic_function_calling=manual)
    answer = client.models.generate_content(model=MODEL, contents=HELLO, config=config)
    assert answer.function_calls
    assert answer.function_calls[0].name == "get_weather"
    assert set(answer.function_calls[0].args) == {"city"}
    follow_up = client.models.generate_content(
        model=MODEL,
        contents=[
            types.UserContent(HELLO),
            answer.candidates[0].content,
            types.UserContent(types.Part.from_function_response(name="get_weather", response={"sky": "sunny"})),
        ],
        config=types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=manual),
    )
    assert "sunny" in follow_up.text


@pytest.mark.operation("gemini.generateContent")
def test_json_by_a_schema(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json",
        response_schema={
            "type": "OBJECT",
            "properties": {"name": {"type": "STRING"}, "age": {"type": "INTEGER"}},
            "required": ["name", "age"],
        },
    )
    found = json.loads(client.models.generate_content(model=MODEL, contents=HELLO, config=config).text)
    assert isinstance(found["name"], str)
    assert isinstance(found["age"], int)


@pytest.mark.operation("gemini.generateContent")
def test_a_picture_in_and_out(client: genai.Client, gateway: Gateway) -> None:
    picture = types.Part.from_bytes(data=png(32), mime_type="image/png")
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    answer = client.models.generate_content(
        model="gemini-2.5-flash-image", contents=["Draw it larger", picture], config=config
    )
    drawn = [part.inline_data for part in answer.candidates[0].content.parts if part.inline_data]
    assert opened(drawn[0].data).size == (1024, 1024)
    row = row_of(gateway, answer)
    assert row["consumed"]["image_in"] == 258
    assert row["consumed"]["image_out"] == 1290
    assert row["cost"] > 1290 * 30_000


@pytest.mark.operation("gemini.countTokens")
def test_counting_is_free(client: genai.Client, gateway: Gateway) -> None:
    answer = client.models.count_tokens(model=MODEL, contents=HELLO)
    assert answer.total_tokens == 5
    assert row_of(gateway, answer)["cost"] == 0


def test_names_with_slashes_reach_the_vendor(gateway: Gateway) -> None:
    """What is tuned is one name with its prefix; nobody serves it until a channel names it."""
    status, _, body = post(gateway, "/v1beta/tunedModels/mine:generateContent", said(HELLO))
    assert status == 503
    assert "tunedModels/mine" in body["error"]["message"]
    status, _, body = post(gateway, "/v1/models/somebody/model:generateContent", said(HELLO))
    assert (status, body["error"]["status"]) == (404, "NOT_FOUND")
    assert "somebody/model" in body["error"]["message"]


def test_snake_case_and_single_objects_are_taken(gateway: Gateway) -> None:
    body = {
        "contents": {"parts": {"text": HELLO}},
        "system_instruction": {"parts": {"text": "Be brief"}},
        "generation_config": {"max_output_tokens": "3"},
    }
    status, headers, answer = post(gateway, f"/v1beta/models/{MODEL}:generateContent", body)
    assert status == 200, answer
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert usage_row(gateway, headers["x-request-id"])["consumed"]["output"] == 3


# Streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.operation("gemini.streamGenerateContent")
def test_stream(client: genai.Client, gateway: Gateway) -> None:
    whole = client.models.generate_content(model=MODEL, contents=HELLO).text
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=HELLO))
    assert "".join(chunk.text or "" for chunk in chunks) == whole
    assert len(chunks) > 2
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    row = row_of(gateway, chunks[-1])
    assert (row["basis"], row["streamed"]) == ("vendor", 1)
    assert row["consumed"]["output"] == chunks[-1].usage_metadata.candidates_token_count
    assert row["cost"] > 0


@pytest.mark.operation("gemini.streamGenerateContent")
def test_stream_of_two_candidates_ends_at_its_close(client: genai.Client, gateway: Gateway) -> None:
    config = types.GenerateContentConfig(candidate_count=2)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=HELLO, config=config))
    ended = [chunk.candidates[0].index for chunk in chunks if chunk.candidates[0].finish_reason]
    assert [index or 0 for index in ended] == [0, 1]
    assert row_of(gateway, chunks[-1])["consumed"]["output"] == chunks[-1].usage_metadata.candidates_token_count


@pytest.mark.operation("gemini.streamGenerateContent")
def test_stream_without_upstream_usage_is_counted(client: genai.Client, gateway: Gateway) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="[sandbox:no-usage] count me"))
    text = "".join(chunk.text or "" for chunk in chunks)
    row = row_of(gateway, chunks[-1])
    assert row["basis"] == "counted"
    assert 0 < row["consumed"]["output"] <= len(text)


@pytest.mark.operation("gemini.streamGenerateContent")
def test_array(gateway: Gateway) -> None:
    """Without `alt=sse` a stream is one JSON array, which arrives piece by piece."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    head = {"content-type": "application/json"}
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?key={gateway.live}"
    connection.request("POST", path, json.dumps(said(f"[sandbox:delta-ms=20] {HELLO}")), head)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("content-type", "").startswith("application/json")
    pieces: list[bytes] = []
    while piece := answer.read1(65536):
        pieces.append(piece)
    assert len(pieces) > 2
    assert b"".join(pieces).startswith(b'[{"candidates"')
    found = json.loads(b"".join(pieces))
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    row = usage_row(gateway, answer.getheader("x-request-id", ""))
    assert row["consumed"]["output"] == found[-1]["usageMetadata"]["candidatesTokenCount"]


@pytest.mark.parametrize("query", ["", "?alt=sse"])
def test_a_cut_stream_ends_in_an_error(gateway: Gateway, query: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    head = {"content-type": "application/json", "authorization": f"Bearer {gateway.live}"}
    path = f"/v1/models/{MODEL}:streamGenerateContent{query}"
    connection.request("POST", path, json.dumps(said(f"[sandbox:cut-stream=4] {HELLO}")), head)
    answer = connection.getresponse()
    data = answer.read()
    if query:
        events = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]
    else:
        events = json.loads(data)
    assert len(events) == 5
    assert events[-1]["error"]["status"] == "UNAVAILABLE"
    assert isinstance(events[-1]["error"]["code"], int)
    row = usage_row(gateway, answer.getheader("x-request-id", ""))
    assert row["consumed"]["output"] == events[-2]["usageMetadata"]["candidatesTokenCount"]
    assert row["cost"] > 0
    assert row["error"]


def test_a_stream_that_fails_midway_is_no_whole_answer(client: genai.Client) -> None:
    with pytest.raises(errors.APIError):
        list(client.models.generate_content_stream(model=MODEL, contents=f"[sandbox:fail-midway] {HELLO}"))


def test_who_leaves_midway_pays_for_what_was_made(gateway: Gateway) -> None:
    body = json.dumps(said("[sandbox:delta-ms=50] [sandbox:tokens=400] a long one, left early")).encode()
    head = (
        f"POST /v1beta/models/{MODEL}:streamGenerateContent?alt=sse HTTP/1.1\r\nhost: x\r\nx-goog-api-key: "
        f"{gateway.live}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as raw:
        raw.sendall(head.encode() + body)
        got = b""
        while got.count(b"data: ") < 3:
            got += raw.recv(65536)
    request_id = next(line for line in got.split(b"\r\n") if line.lower().startswith(b"x-request-id: "))[14:].decode()
    row = usage_row(gateway, request_id)
    assert row["error"] == "the caller left"
    assert row["basis"] == "vendor"
    assert 0 < row["consumed"]["output"] < 400
    assert row["cost"] > 0


# Embeddings --------------------------------------------------------------------------------------------------------


@pytest.mark.operation("gemini.batchEmbedContents")
def test_embeddings(client: genai.Client, gateway: Gateway) -> None:
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert [len(found.values) for found in answer.embeddings] == [3072, 3072]
    assert math.hypot(*answer.embeddings[0].values) == pytest.approx(1, abs=1e-3)
    config = types.EmbedContentConfig(output_dimensionality=16)
    short = client.models.embed_content(model="gemini-embedding-001", contents="one", config=config)
    assert len(short.embeddings[0].values) == 16
    assert row_of(gateway, answer)["cost"] > 0


@pytest.mark.operation("gemini.embedContent")
def test_one_embedding(gateway: Gateway) -> None:
    body = {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 8}
    status, headers, answer = post(gateway, "/v1beta/models/gemini-embedding-001:embedContent", body)
    assert status == 200
    assert len(answer["embedding"]["values"]) == 8
    assert usage_row(gateway, headers["x-request-id"])["basis"] == "estimated"


# Pictures and films ------------------------------------------------------------------------------------------------


@pytest.mark.operation("gemini.predict")
def test_imagen(gateway: Gateway) -> None:
    """As `google-genai` 1.75 says it; later ones say nothing of Imagen."""
    body = {
        "instances": [{"prompt": "a lighthouse"}],
        "parameters": {"sampleCount": 2, "aspectRatio": "16:9", "outputOptions": {"mimeType": "image/png"}},
    }
    status, headers, answer = post(gateway, "/v1beta/models/imagen-4.0-generate-001:predict", body)
    assert status == 200
    pictures = [base64.b64decode(one["bytesBase64Encoded"]) for one in answer["predictions"]]
    assert len(set(pictures)) == 2
    width, height = opened(pictures[0]).size
    assert width > height
    row = usage_row(gateway, headers["x-request-id"])
    assert row["consumed"]["images"] == 2
    assert row["cost"] == 2 * 40_000_000


def test_pictures_that_are_held_back_cost_nothing(gateway: Gateway) -> None:
    body = {
        "instances": [{"prompt": "[sandbox:moderated-output] no"}],
        "parameters": {"sampleCount": 1, "includeRaiReason": True},
    }
    status, headers, answer = post(gateway, "/v1beta/models/imagen-4.0-generate-001:predict", body)
    assert status == 200
    assert "raiFilteredReason" in answer["predictions"][0]
    assert usage_row(gateway, headers["x-request-id"])["cost"] == 0


def film(gateway: Gateway, prompt: str, **parameters: Any) -> types.GenerateVideosOperation:
    body = {"instances": [{"prompt": prompt}], "parameters": parameters}
    status, _, answer = post(gateway, f"/v1beta/models/{VEO}:predictLongRunning", body)
    assert status == 200, answer
    assert answer["name"].startswith(f"models/{VEO}/operations/")
    return types.GenerateVideosOperation(name=answer["name"])


def ended(client: genai.Client, operation: types.GenerateVideosOperation) -> types.GenerateVideosOperation:
    return until(lambda: found if (found := client.operations.get(operation)).done else None)


@pytest.mark.operation("gemini.predictLongRunning", "gemini.operations.get", "gemini.files.download")
def test_veo(client: genai.Client, gateway: Gateway, tmp_path: Path) -> None:
    operation = film(gateway, "a lighthouse at night", durationSeconds=4, sampleCount=2, resolution="720p")
    done = ended(client, operation)
    assert done.name == operation.name
    films = [made.video for made in done.response.generated_videos]
    assert all(one.uri.startswith(f"{gateway.url}/v1beta/files/") for one in films)
    data = client.files.download(file=films[1])
    assert data[4:8] == b"ftyp"
    client.files.download(file=films[0], destination=str(tmp_path / "film.mp4"))
    assert (tmp_path / "film.mp4").read_bytes() != data
    (task,) = rows(gateway, "SELECT * FROM tasks WHERE id = ?", operation.name.rsplit("/", 1)[-1])
    assert task["cost"] == 2 * 4 * 400_000_000
    assert task["state"] == "succeeded"


@pytest.mark.operation("gemini.operations.get")
def test_an_operation_is_known_by_its_short_name_too(client: genai.Client, gateway: Gateway) -> None:
    operation = film(gateway, "a short name")
    ended(client, operation)
    short = gateway.get(f"/v1beta/operations/{operation.name.rsplit('/', 1)[-1]}")
    assert short["name"] == operation.name
    uri = short["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
    path = uri.removeprefix(gateway.url).partition("?")[0]
    for query, status in ((f"?alt=media&key={gateway.live}", 200), ("?alt=media", 401), ("?key=sk-wrong", 401)):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
        connection.request("GET", path + query)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == status, query
        assert (data[4:8] == b"ftyp") == (status == 200)


@pytest.mark.operation("gemini.predictLongRunning")
@pytest.mark.parametrize("trigger", ["fail-midway", "moderated"])
def test_films_that_come_to_nothing_cost_nothing(client: genai.Client, gateway: Gateway, trigger: str) -> None:
    done = ended(client, film(gateway, f"[sandbox:{trigger}] no"))
    if trigger == "moderated":
        assert done.response.rai_media_filtered_count == 1
        assert not done.response.generated_videos
    else:
        assert done.error["code"] == 13
    (task,) = rows(gateway, "SELECT * FROM tasks WHERE id = ?", done.name.rsplit("/", 1)[-1])
    assert (task["state"], task["cost"]) == ("failed", 0)


# Models ------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("gemini.models.list", "gemini.models.get")
def test_models(client: genai.Client) -> None:
    names = {model.name for model in client.models.list(config={"page_size": 3})}
    assert {f"models/{MODEL}", f"models/{VEO}"} <= names
    found = client.models.get(model=MODEL)
    assert found.name == f"models/{MODEL}"
    assert "generateContent" in found.supported_actions
    with pytest.raises(errors.ClientError) as unknown:
        client.models.get(model="no-such-model")
    assert unknown.value.code == 404


# Errors and keys ---------------------------------------------------------------------------------------------------


def test_errors_map_to_the_sdk_s_classes(client: genai.Client, gateway: Gateway) -> None:
    for words, kind, code, status in (
        ("[sandbox:rate-limit] map", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("[sandbox:fail] map", errors.ServerError, 500, "INTERNAL"),
        ("[sandbox:status=503] map", errors.ServerError, 503, "UNAVAILABLE"),
    ):
        with pytest.raises(kind) as refused:
            client.models.generate_content(model=MODEL, contents=words)
        assert (refused.value.code, refused.value.status) == (code, status)
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such-model", contents=HELLO)
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    config = types.GenerateContentConfig(temperature=9)
    with pytest.raises(errors.ClientError) as bad:
        client.models.generate_content(model=MODEL, contents=HELLO, config=config)
    assert (bad.value.code, bad.value.status) == (400, "INVALID_ARGUMENT")
    unknown_caller = connect(gateway, key="sk-wrong")
    with pytest.raises(errors.ClientError) as stranger:
        unknown_caller.models.generate_content(model=MODEL, contents=HELLO)
    assert (stranger.value.code, stranger.value.status) == (401, "UNAUTHENTICATED")


def test_a_key_in_the_query_stays_here(gateway: Gateway) -> None:
    """It opens the door, and neither goes upstream nor into the log."""
    assert gateway.sandbox is not None
    log = gateway.data / "serve.log"
    logged = log.stat().st_size
    path = f"/v1beta/models/{MODEL}:generateContent?key={gateway.live}&alt=json"
    status, headers, _ = post(gateway, path, said("a key in the query"), bare=True)
    assert status == 200
    assert usage_row(gateway, headers["x-request-id"])["cost"] > 0
    sent = [one for one in gateway.sandbox.requests() if "a key in the query" in json.dumps(one["body"])]
    assert len(sent) == 1
    assert sent[0]["query"] == {}
    assert gateway.live not in json.dumps(sent)
    refused, _, _ = post(gateway, path.replace(MODEL, "no-such-model"), said("x"), bare=True)
    assert refused == 404
    assert gateway.live.encode() not in log.read_bytes()[logged:]
