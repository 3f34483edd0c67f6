"""The sandbox's Google, as Google's reference and SDK have it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from .conftest import get, post, until

KEY = {"x-goog-api-key": "AIza-test"}
MODELS = "/gemini/v1beta/models"
CHAT = f"{MODELS}/gemini-2.5-flash"


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


@pytest.fixture
def client(base: str) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"{base}/gemini", api_version="v1beta")
    made = genai.Client(api_key="AIza-test", http_options=options)
    yield made
    made.close()


async def test_the_same_question_has_the_same_answer(http: aiohttp.ClientSession) -> None:
    first, second = [await post(http, f"{CHAT}:generateContent", said("hello"), **KEY) for _ in range(2)]
    assert first["candidates"] == second["candidates"]
    assert first["responseId"] != second["responseId"]
    usage = first["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    other = await post(http, f"{CHAT}:generateContent", said("goodbye"), **KEY)
    assert other["candidates"] != first["candidates"]


async def test_streams_say_what_the_whole_says(http: aiohttp.ClientSession) -> None:
    whole = await post(http, f"{CHAT}:generateContent", said("hello"), **KEY)
    async with http.post(f"{CHAT}:streamGenerateContent?alt=sse", json=said("hello"), headers=KEY) as answer:
        assert answer.content_type == "text/event-stream"
        raw = (await answer.read()).decode()
    events = [json.loads(event.removeprefix("data: ")) for event in raw.split("\r\n\r\n") if event]
    array = await post(http, f"{CHAT}:streamGenerateContent", said("hello"), **KEY)
    for chunks in (events, array):
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        assert "".join(part["text"] for part in parts) == whole["candidates"][0]["content"]["parts"][0]["text"]
        assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]
        assert [chunk["candidates"][0].get("finishReason") for chunk in chunks][-2:] == [None, "STOP"]
        counts = [chunk["usageMetadata"]["candidatesTokenCount"] for chunk in chunks]
        assert counts == sorted(counts)


async def test_failing_midway_breaks_either_framing(http: aiohttp.ClientSession) -> None:
    body = said("[sandbox:fail-midway] x")
    array = await post(http, f"{CHAT}:streamGenerateContent", body, **KEY)
    assert array[-1]["error"]["status"] == "INTERNAL"
    async with http.post(f"{CHAT}:streamGenerateContent?alt=sse", json=body, headers=KEY) as answer:
        events = [event for event in (await answer.read()).decode().split("\r\n\r\n") if event]
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == 500


def test_the_sdk_s_way_round(client: genai.Client) -> None:
    assert client.models.generate_content(model="gemini-2.5-flash", contents="hello").text
    assert client.models.count_tokens(model="gemini-2.5-flash", contents="12345678").total_tokens == 2
    names = [model.name for model in client.models.list(config={"page_size": 4})]
    assert len(names) == len(set(names)) > 8
    assert client.models.get(model="gemini-2.5-pro").input_token_limit == 1_048_576
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such", contents="hello")
    assert unknown.value.status == "NOT_FOUND"


async def test_thoughts_tools_and_schemas(http: aiohttp.ClientSession) -> None:
    config = {"thinkingConfig": {"include_thoughts": True}}
    thought = await post(http, f"{CHAT}:generateContent", said("x", generation_config=config), **KEY)
    assert thought["candidates"][0]["content"]["parts"][0]["thought"] is True
    assert thought["usageMetadata"]["thoughtsTokenCount"] > 0
    tools = [
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}, {"name": "g"}]}
    ]
    forced = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}
    called = await post(http, f"{CHAT}:generateContent", said("x", tools=tools, toolConfig=forced), **KEY)
    assert called["candidates"][0]["content"]["parts"] == [{"functionCall": {"name": "g", "args": {}}}]
    schema = {"type": "ARRAY", "items": {"type": "STRING", "enum": ["red"]}}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    found = await post(http, f"{CHAT}:generateContent", said("x", generationConfig=config), **KEY)
    assert json.loads(found["candidates"][0]["content"]["parts"][0]["text"]) == ["red"]
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["red", "blue"]}}
    found = await post(http, f"{CHAT}:generateContent", said("x", generationConfig=config), **KEY)
    assert found["candidates"][0]["content"]["parts"][0]["text"] == "red"


async def test_what_is_refused(http: aiohttp.ClientSession) -> None:
    url = f"{CHAT}:generateContent"
    bad: list[dict[str, Any]] = [
        said("x", generationConfig={"temperature": 3}),
        said("x", generationConfig={"maxOutputTokens": 0}),
        said("x", generationConfig={"candidateCount": "many"}),
        said("x", generationConfig={"responseMimeType": "text/html"}),
    ]
    for body in bad:
        error = (await post(http, url, body, 400, **KEY))["error"]
        assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
        assert error["details"][0]["fieldViolations"]
    blocked = await post(http, url, said("[sandbox:moderated] x"), **KEY)
    assert blocked["promptFeedback"]["blockReason"]
    assert "candidates" not in blocked
    cut = await post(http, url, said("[sandbox:moderated-output] x"), **KEY)
    assert cut["candidates"][0]["finishReason"] == "SAFETY"
    limited = (await post(http, url, said("[sandbox:rate-limit=7] x"), 429, **KEY))["error"]
    assert limited["details"][0]["retryDelay"] == "7s"


async def test_keys(base: str) -> None:
    async with aiohttp.ClientSession(base) as http:
        none = (await post(http, f"{CHAT}:generateContent", said("x"), 403))["error"]
        assert none["status"] == "PERMISSION_DENIED"
        wrong = await post(http, f"{CHAT}:generateContent", said("x"), 400, **{"x-goog-api-key": "invalid"})
        assert wrong["error"]["details"][0]["reason"] == "API_KEY_INVALID"
        await post(http, f"{CHAT}:generateContent?key=AIza-in-the-query", said("x"))
        async with http.get("/_sandbox/requests") as answer:
            assert "AIza-in-the-query" not in await answer.text()
        await post(http, f"{CHAT}:generateContent", said("x"), authorization="Bearer ya29")


async def test_embeddings(http: aiohttp.ClientSession) -> None:
    url = f"{MODELS}/gemini-embedding-001"
    content = {"parts": [{"text": "hello"}]}
    long = await post(http, f"{url}:embedContent", {"content": content}, **KEY)
    one = {"model": "models/gemini-embedding-001", "content": content, "outputDimensionality": 4}
    many = await post(http, f"{url}:batchEmbedContents", {"requests": [one, one]}, **KEY)
    assert [found["values"] for found in many["embeddings"]] == [long["embedding"]["values"][:4]] * 2
    await post(http, f"{url}:batchEmbedContents", {"requests": [{**one, "model": "models/other"}]}, 400, **KEY)
    await post(http, f"{CHAT}:embedContent", {"content": content}, 404, **KEY)


async def test_imagen(http: aiohttp.ClientSession) -> None:
    url = f"{MODELS}/imagen-4.0-generate-001:predict"
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1, "aspectRatio": "9:16"}}
    (made,) = (await post(http, url, body, **KEY))["predictions"]
    width, height = Image.open(BytesIO(base64.b64decode(made["bytesBase64Encoded"]))).size
    assert width < height
    for wrong in ({"sampleCount": 5}, {"aspectRatio": "2:1"}, {"imageSize": "9K"}):
        await post(http, url, {**body, "parameters": wrong}, 400, **KEY)


async def test_a_film_s_life(http: aiohttp.ClientSession) -> None:
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"durationSeconds": 4}}
    name = (await post(http, f"{MODELS}/veo-3.0-generate-001:predictLongRunning", body, **KEY))["name"]

    async def ask() -> Any:
        async with http.get(f"/gemini/v1beta/{name}", headers=KEY) as answer:
            return await answer.json()

    done = await until(ask, lambda found: bool(found.get("done")))
    uri = done["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
    async with http.get(uri, headers=KEY) as answer:
        assert answer.status == 200
        assert answer.content_type == "video/mp4"
        assert (await answer.read())[4:8] == b"ftyp"
    # Neither the operation nor its film is there for another key.
    other = {"x-goog-api-key": "AIza-other"}
    for url in (uri, f"/gemini/v1beta/{name}"):
        async with http.get(url, headers=other) as answer:
            assert answer.status == 404
    await get(http, "/gemini/v1beta/models/veo-3.0-generate-001/operations/none", 404)
