"""OpenAI's wire format, as its own client and plain HTTP see it."""

from __future__ import annotations

import base64
import json
import math
import struct
from io import BytesIO
from typing import Any

import aiohttp
import jsonschema
import openai
import pytest
from PIL import Image

from .conftest import get, picture, png, post

HELLO = [{"role": "user", "content": "hello there"}]


async def events(http: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> list[Any]:
    async with http.post(path, json={**body, "stream": True}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        text = await answer.text()
    blocks = [block for block in text.split("\n\n") if block]
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


async def test_chat_says_it_is_a_test_and_counts_four_bytes_a_token(http: aiohttp.ClientSession):
    answer = await post(http, "/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO})
    choice = answer["choices"][0]
    text = choice["message"]["content"]
    assert "test mode" in text
    assert "hello there" in text
    assert choice["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["prompt_tokens"] == 3
    assert usage["completion_tokens"] == -(-len(text) // 4)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0


async def test_the_same_request_gets_the_same_text(http: aiohttp.ClientSession):
    body = {"model": "gpt-4o", "messages": HELLO}
    first, second = [await post(http, "/v1/chat/completions", body) for _ in range(2)]
    other = await post(http, "/v1/chat/completions", {**body, "seed": 4})
    assert first["choices"] == second["choices"] != other["choices"]
    assert first["id"] != second["id"]


async def test_a_stream_carries_the_same_text_and_usage_only_if_asked(http: aiohttp.ClientSession):
    body: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO}
    whole = await post(http, "/v1/chat/completions", body)
    plain = await events(http, "/v1/chat/completions", body)
    assert not any("usage" in chunk for chunk in plain)
    assert (
        "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in plain)
        == (whole["choices"][0]["message"]["content"])
    )
    assert plain[0]["choices"][0]["delta"]["role"] == "assistant"
    assert plain[-1]["choices"][0]["finish_reason"] == "stop"
    assert {chunk["id"] for chunk in plain} == {plain[0]["id"]}
    asked = await events(http, "/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == whole["usage"]
    assert all(chunk["usage"] is None for chunk in asked[:-1])


async def test_limits_and_stop_sequences(http: aiohttp.ClientSession):
    body: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO}
    short = await post(http, "/v1/chat/completions", {**body, "max_completion_tokens": 3})
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] == 3
    stopped = await post(http, "/v1/chat/completions", {**body, "stop": ["mode"]})
    assert stopped["choices"][0]["message"]["content"] == "This is test "
    many = await post(http, "/v1/chat/completions", {**body, "n": 3})
    assert [choice["index"] for choice in many["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in many["choices"]}) == 3


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "minLength": 6}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}, "auto"])
async def test_tools(http: aiohttp.ClientSession, choice: Any):
    text = "[tool] please" if choice == "auto" else "please"
    body = {"model": "gpt-4o", "tools": [TOOL], "tool_choice": choice, "messages": [{"role": "user", "content": text}]}
    answer = await post(http, "/v1/chat/completions", body)
    message = answer["choices"][0]["message"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert message["content"] is None
    call = message["tool_calls"][0]
    jsonschema.validate(json.loads(call["function"]["arguments"]), TOOL["function"]["parameters"])
    chunks = await events(http, "/v1/chat/completions", body)
    parts = [part for chunk in chunks for part in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert parts[0]["id"] == call["id"]
    assert "".join(part["function"]["arguments"] for part in parts) == call["function"]["arguments"]
    history = [*body["messages"], message, {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]
    after = await post(http, "/v1/chat/completions", {**body, "tool_choice": "auto", "messages": history})
    assert "sunny" in after["choices"][0]["message"]["content"]


async def test_tools_are_not_called_unasked(http: aiohttp.ClientSession):
    answer = await post(http, "/v1/chat/completions", {"model": "gpt-4o", "tools": [TOOL], "messages": HELLO})
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_structured_output_satisfies_its_schema(http: aiohttp.ClientSession):
    schema = {
        "type": "object",
        "properties": {
            "steps": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/step"}},
            "mood": {"type": "string", "enum": ["calm", "wild"]},
            "score": {"type": "number", "exclusiveMinimum": 3, "maximum": 9},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "required": ["steps", "mood", "score", "note"],
        "additionalProperties": False,
        "$defs": {
            "step": {
                "type": "object",
                "properties": {"done": {"type": "boolean"}},
                "required": ["done"],
                "additionalProperties": False,
            }
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    body = {"model": "gpt-4o", "messages": HELLO, "response_format": form}
    answer = await post(http, "/v1/chat/completions", body)
    jsonschema.validate(json.loads(answer["choices"][0]["message"]["content"]), schema)


async def test_logprobs_are_one_a_token(http: aiohttp.ClientSession):
    body = {"model": "gpt-4o", "messages": HELLO, "logprobs": True, "top_logprobs": 2}
    answer = await post(http, "/v1/chat/completions", body)
    content = answer["choices"][0]["logprobs"]["content"]
    assert len(content) == answer["usage"]["completion_tokens"]
    assert "".join(one["token"] for one in content) == answer["choices"][0]["message"]["content"]
    assert all(len(one["top_logprobs"]) == 2 for one in content)


async def test_completions(http: aiohttp.ClientSession):
    body: dict[str, Any] = {"model": "gpt-3.5-turbo-instruct", "prompt": ["one", "two"], "n": 2, "logprobs": 1}
    answer = await post(http, "/v1/completions", body)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 64
    assert len(answer["choices"][0]["logprobs"]["tokens"]) == 16
    chunks = await events(http, "/v1/completions", {**body, "stream_options": {"include_usage": True}})
    first = "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1] if chunk["choices"][0]["index"] == 0)
    assert first == answer["choices"][0]["text"]
    assert chunks[-1]["usage"] == answer["usage"]


async def test_embeddings(http: aiohttp.ClientSession):
    body: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["a b c d", [1, 2, 3]]}
    floats = await post(http, "/v1/embeddings", body)
    encoded = await post(http, "/v1/embeddings", {**body, "encoding_format": "base64"})
    assert floats["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    vector = floats["data"][0]["embedding"]
    assert len(vector) == 1536
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-6)
    unpacked = struct.unpack("<1536f", base64.b64decode(encoded["data"][0]["embedding"]))
    assert unpacked == pytest.approx(vector, abs=1e-6)
    assert floats["data"][1]["embedding"] != vector
    short = await post(http, "/v1/embeddings", {**body, "input": "a b c d", "dimensions": 8})
    assert math.isclose(math.hypot(*short["data"][0]["embedding"]), 1, abs_tol=1e-6)
    assert len(short["data"][0]["embedding"]) == 8


async def test_models(http: aiohttp.ClientSession):
    names = {one["id"] for one in (await get(http, "/v1/models"))["data"]}
    assert {"gpt-4o", "text-embedding-3-small", "dall-e-3"} <= names
    assert (await get(http, "/v1/models/gpt-99"))["object"] == "model"
    assert (await get(http, "/v1/models/claude", 404))["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "code"),
    [
        ("/v1/chat/completions", {"model": "gpt-4o"}, 400, "messages", "missing_required_parameter"),
        ("/v1/chat/completions", {"messages": HELLO}, 400, None, None),
        ("/v1/chat/completions", {"model": "llama", "messages": HELLO}, 404, None, "model_not_found"),
        ("/v1/chat/completions", {"model": "dall-e-3", "messages": HELLO}, 404, "model", "model_not_found"),
        ("/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO, "n": 0}, 400, "n", "integer_below_min_value"),
        (
            "/v1/chat/completions",
            {"model": "o3", "messages": HELLO, "max_tokens": 5},
            400,
            "max_tokens",
            "unsupported_parameter",
        ),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": [""]}, 400, "input", "invalid_value"),
        ("/v1/images/generations", {"model": "dall-e-3", "prompt": "x", "n": 2}, 400, "n", "invalid_value"),
        ("/v1/images/generations", {"model": "dall-e-3"}, 400, "prompt", "missing_required_parameter"),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, path: str, body: Any, status: int, param: str, code: str):
    error = (await post(http, path, body, status))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


async def test_a_context_that_is_too_long(http: aiohttp.ClientSession):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "word " * 110_000}]}
    assert (await post(http, "/v1/chat/completions", body, 400))["error"]["code"] == "context_length_exceeded"


async def test_the_vendors_client(base: str):
    async with openai.AsyncOpenAI(base_url=f"{base}/openai/v1", api_key="sk-1", max_retries=0) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
        assert answer.usage is not None
        assert answer._request_id is not None
        vectors = await client.embeddings.create(model="text-embedding-3-large", input="x")
        assert len(vectors.data[0].embedding) == 3072
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.with_options(api_key="sk-invalid").models.list()
        assert caught.value.code == "invalid_api_key"
        assert "sk-invalid" not in str(caught.value)


async def test_images_by_url_and_in_base64(http: aiohttp.ClientSession):
    body = {"model": "dall-e-3", "prompt": "a quiet café 猫", "size": "1792x1024", "quality": "auto"}
    answer = await post(http, "/v1/images/generations", body)
    image = await picture(http, answer["data"][0]["url"])
    assert (image.format, image.size) == ("PNG", (1792, 1024))
    assert "revised_prompt" in answer["data"][0]
    first, second = [
        await post(http, "/v1/images/generations", {**body, "response_format": "b64_json"}) for _ in range(2)
    ]
    assert first["data"][0]["b64_json"] == second["data"][0]["b64_json"]


async def test_gpt_image_answers_base64_and_usage(http: aiohttp.ClientSession):
    body = {"model": "gpt-image-1", "prompt": "a boat", "quality": "low", "output_format": "webp", "n": 2}
    answer = await post(http, "/v1/images/generations", body)
    images = [Image.open(BytesIO(base64.b64decode(one["b64_json"]))) for one in answer["data"]]
    assert [(image.format, image.size) for image in images] == [("WEBP", (1024, 1024))] * 2
    assert answer["data"][0] != answer["data"][1]
    assert answer["usage"]["output_tokens"] == 2 * 272
    async with http.post("/v1/images/generations", json={**body, "n": 1, "stream": True, "partial_images": 2}) as reply:
        lines = (await reply.text()).split("\n")
    kinds = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]


async def test_image_edits(http: aiohttp.ClientSession):
    form = aiohttp.FormData({"prompt": "brighter", "model": "gpt-image-1", "quality": "low", "size": "1024x1536"})
    form.add_field("image[]", png(), filename="a.png", content_type="image/png")
    async with http.post("/v1/images/edits", data=form) as answer:
        body = await answer.json()
        assert answer.status == 200, body
    image = Image.open(BytesIO(base64.b64decode(body["data"][0]["b64_json"])))
    assert image.size == (1024, 1536)
    assert image.convert("RGB").getpixel((1, 1)) == (0, 128, 128)
    assert body["usage"]["input_tokens_details"]["image_tokens"] > 0
