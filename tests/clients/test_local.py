"""Each vendor's own SDK talks to the models of this machine, whatever format it speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import InternalServerError, NotFoundError, OpenAI

from tests.clients.test_node import run
from tests.operator import usage_row
from tests.stack import Gateway

MODEL = "smollm2-135m-instruct"
ASK = "What is the capital of France? Answer with one word."
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(scope="module")
def local(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is out of the box: no vendor's key, no sandbox, only the engines."""
    started = Gateway(Path(tmp_path_factory.mktemp("local")), flags=("--no-sandbox",)).start()
    yield started
    started.stop()


def paid(gateway: Gateway, request_id: str) -> dict[str, Any]:
    row = usage_row(gateway, request_id)
    assert (row["status"], row["basis"], row["upstream_model"]) == (200, "vendor", MODEL)
    assert row["consumed"].get("input", 0) + row["consumed"].get("cached", 0) > 5
    assert row["consumed"]["output"] > 0
    return row


def test_anthropic(local: Gateway) -> None:
    with Anthropic(base_url=local.url, api_key=local.live, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(
            model=MODEL, max_tokens=30, extra_body={"temperature": 0}, messages=[{"role": "user", "content": ASK}]
        )
        message = raw.parse()
        assert message.content[0].type == "text"
        assert "Paris" in message.content[0].text
        assert paid(local, raw.headers["x-request-id"])["protocol"] == "anthropic"
        with client.messages.stream(
            model=MODEL, max_tokens=30, extra_body={"temperature": 0}, messages=[{"role": "user", "content": ASK}]
        ) as stream:
            assert "".join(stream.text_stream) == message.content[0].text
            assert stream.get_final_message().usage.output_tokens == message.usage.output_tokens
        tools: Any = [{"name": "weather", "description": "Weather of a city", "input_schema": SCHEMA}]
        called = client.messages.create(
            model=MODEL,
            max_tokens=60,
            extra_body={"temperature": 0},
            messages=[{"role": "user", "content": "How is the weather in Paris?"}],
            tools=tools,
            tool_choice={"type": "tool", "name": "weather"},
        )
        (use,) = [block for block in called.content if block.type == "tool_use"]
        assert (use.name, set(use.input)) == ("weather", {"city"})


def test_gemini(local: Gateway) -> None:
    client = genai.Client(api_key=local.live, http_options=types.HttpOptions(base_url=local.url))
    config = types.GenerateContentConfig(temperature=0, max_output_tokens=30)
    answer = client.models.generate_content(model=MODEL, contents=ASK, config=config)
    assert "Paris" in (answer.text or "")
    assert answer.sdk_http_response is not None
    assert answer.sdk_http_response.headers is not None
    assert paid(local, answer.sdk_http_response.headers["x-request-id"])["protocol"] == "gemini"
    chunks = client.models.generate_content_stream(model=MODEL, contents=ASK, config=config)
    assert "".join(chunk.text or "" for chunk in chunks) == answer.text
    form = types.GenerateContentConfig(
        temperature=0, max_output_tokens=40, response_mime_type="application/json", response_json_schema=SCHEMA
    )
    place = client.models.generate_content(model=MODEL, contents="The capital of France, as JSON", config=form)
    assert set(json.loads(place.text or "")) == {"city"}


def test_responses(local: Gateway) -> None:
    with OpenAI(base_url=f"{local.url}/v1", api_key=local.live, max_retries=0) as client:
        raw = client.responses.with_raw_response.create(
            model=MODEL, input=ASK, temperature=0, max_output_tokens=30, store=False
        )
        answer = raw.parse()
        assert "Paris" in answer.output_text
        paid(local, raw.headers["x-request-id"])
        text = ""
        for event in client.responses.create(
            model=MODEL, input=ASK, temperature=0, max_output_tokens=30, store=False, stream=True
        ):
            text += event.delta if event.type == "response.output_text.delta" else ""
        assert text == answer.output_text
        first = client.responses.create(model=MODEL, input=ASK, temperature=0, max_output_tokens=30)
        second = client.responses.create(
            model=MODEL, input="And again?", previous_response_id=first.id, max_output_tokens=5
        )
        assert first.usage is not None
        assert second.usage is not None
        assert second.usage.input_tokens > first.usage.input_tokens + 5
        counted = client.responses.input_tokens.count(model=MODEL, input="And again?", previous_response_id=first.id)
        assert counted.input_tokens > 15


def test_the_ai_sdk_goes_on(local: Gateway) -> None:
    seen = run("ai_openai.mjs", local, MODEL=MODEL, TOOLS="no")
    assert seen["second"]
    assert seen["streamed"]
    assert seen["references"] >= 2
    assert seen["stored"] == seen["chained"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_rerank_and_moderations(local: Gateway, path: str) -> None:
    with OpenAI(base_url=f"{local.url}{path.removesuffix('/rerank')}", api_key=local.live, max_retries=0) as client:
        ranked: Any = client.post(
            "/rerank",
            body={
                "model": "multilingual-e5-small",
                "query": "How tall is the Eiffel Tower?",
                "documents": ["Bread is baked from flour.", "The Eiffel Tower is 330 metres high."],
            },
            cast_to=object,
        )
        assert ranked["results"][0]["index"] == 1
    with OpenAI(base_url=f"{local.url}/v1", api_key=local.live, max_retries=0) as client:
        judged = client.moderations.create(model="local-moderation", input=["I will kill you tonight", "Good morning"])
        assert [result.flagged for result in judged.results] == [True, False]
        assert client.moderations.create(input="Good morning").results[0].flagged is False


def test_pictures_are_refused_with_what_to_do(local: Gateway) -> None:
    with OpenAI(base_url=f"{local.url}/v1", api_key=local.live, max_retries=0) as client:
        with pytest.raises(InternalServerError) as refused:
            client.images.generate(model="dall-e-3", prompt="a cat")
        assert refused.value.status_code == 503
        assert "deeepai channels add" in refused.value.message
        with pytest.raises(NotFoundError):
            client.images.generate(model="no-such-model", prompt="a cat")
