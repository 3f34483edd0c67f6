from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from openai import APIStatusError, BadRequestError, InternalServerError, NotFoundError, OpenAI

from .conftest import CHAT, EMBEDDINGS

HI: Any = [{"role": "user", "content": "Hi"}]


async def post(url: str, path: str, data: bytes, content_type: str = "application/json") -> tuple[int, Any]:
    headers = {"content-type": content_type}
    async with aiohttp.ClientSession() as session, session.post(url + path, data=data, headers=headers) as got:
        return got.status, await got.json()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "param"),
    [
        (b'{"model": ', "application/json", 400, None),
        (b"\xff\xfe", "application/json", 400, None),
        (b"[]", "application/json", 400, None),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "application/json", 400, "model"),
        (b'{"model": "m"}', "application/json", 400, "messages"),
        (b'{"model": "m", "messages": []}', "application/json", 400, "messages"),
        (
            b'{"model": "m", "messages": [{"role": "user", "content": 5}]}',
            "application/json",
            400,
            "messages[0].content",
        ),
        (b"{}", "text/plain", 415, None),
        (b'"' + b"x" * (17 << 20) + b'"', "application/json", 413, None),
    ],
)
async def test_bodies(engines: str, body: bytes, content_type: str, status: int, param: str | None):
    got, answer = await post(engines, "/v1/chat/completions", body, content_type)
    assert got == status
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert answer["error"]["param"] == param


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"messages": [{"role": "user", "content": "hi " * 6000}]}, "context_length_exceeded"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "invalid_value"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "invalid_value",
        ),
        ({"temperature": 3}, "invalid_value"),
        ({"temperature": "hot"}, "invalid_value"),
        ({"n": 17}, "invalid_value"),
        ({"modalities": ["text", "audio"]}, "unsupported_parameter"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_requests(client: OpenAI, fields: dict[str, Any], code: str, stream: bool):
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(**{"model": CHAT, "messages": HI, "stream": stream, **fields})
    assert caught.value.code == code


def test_a_bad_schema_is_the_callers_fault(client: OpenAI):
    schema: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "blah"}}}
    with pytest.raises(BadRequestError, match="blah"):
        client.chat.completions.create(model=CHAT, messages=HI, response_format=schema)


def test_unknown_models(client: OpenAI):
    for call in (
        lambda: client.chat.completions.create(model="gpt-unknown", messages=HI),
        lambda: client.chat.completions.create(model=EMBEDDINGS, messages=HI),
        lambda: client.embeddings.create(model=CHAT, input="a"),
        lambda: client.models.retrieve("gpt-unknown"),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.code == "model_not_found"


async def test_unknown_paths_and_methods(engines: str):
    async with aiohttp.ClientSession() as session:
        for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/v1/embeddings", 405)):
            async with session.request(method, engines + path) as got:
                assert got.status == status
                assert (await got.json())["error"]["type"] == "invalid_request_error"
                assert got.headers["x-request-id"]


def test_models_say_what_they_are(client: OpenAI):
    models = {model.id: model for model in client.models.list()}
    assert {CHAT, EMBEDDINGS, "local-moderation"} <= set(models)
    assert client.models.retrieve(EMBEDDINGS) == models[EMBEDDINGS]
    for model in models.values():
        assert {"description", "license", "provenance", "endpoints", "context_length"} <= set(model.model_extra or {})


def test_without_its_pack_a_model_is_not_listed_and_says_how_to_get_it(bare: str):
    with OpenAI(base_url=f"{bare}/v1", api_key="x", max_retries=0) as client:
        listed = {model.id for model in client.models.list()}
        assert EMBEDDINGS in listed
        assert CHAT not in listed
        with pytest.raises(InternalServerError, match="deeepai engines install smollm2-135m") as caught:
            client.chat.completions.create(model=CHAT, messages=HI)
        assert caught.value.status_code == 503
        with pytest.raises(NotFoundError):
            client.models.retrieve(CHAT)
        with pytest.raises(APIStatusError):
            client.completions.create(model=CHAT, prompt="Hi")
        assert client.embeddings.create(model=EMBEDDINGS, input="still here").data


async def test_health_tells_each_models_state(engines: str, bare: str):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{engines}/healthz") as got:
            states = (await got.json())["models"]
            assert {states[CHAT], states[EMBEDDINGS]} <= {"ready", "loading", "idle"}
        async with session.get(f"{bare}/healthz") as got:
            assert (await got.json())["models"][CHAT] == "missing"
