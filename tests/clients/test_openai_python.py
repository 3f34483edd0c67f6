"""OpenAI's own Python SDK against the gateway."""

from __future__ import annotations

import math
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from tests.stack import Gateway

MODEL = "gpt-4o-mini"
HELLO = [{"role": "user", "content": "Say this is a test!"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


@pytest.mark.operation("openai.chat.completions")
def test_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id.startswith("req_")


@pytest.mark.operation("openai.chat.completions")
def test_stream_hides_usage_that_was_not_asked_for(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.operation("openai.chat.completions")
def test_stream_shows_usage_that_was_asked_for(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.operation("openai.chat.completions")
def test_stream_without_upstream_usage_is_counted(client: OpenAI, gateway: Gateway) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "[sandbox:no-usage] count me"}], stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    row = usage(gateway, stream.response.headers["x-request-id"])
    assert row["basis"] == "counted"
    assert 0 < row["consumed"]["output"] <= len(text)
    assert row["cost"] > 0


@pytest.mark.operation("openai.chat.completions")
def test_tools_pass_through(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="required")
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.name == "get_weather"
    follow_up = client.chat.completions.create(
        model=MODEL,
        messages=[
            *HELLO,
            {"role": "assistant", "tool_calls": [calls[0].to_dict()]},
            {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"},
        ],
        tools=[WEATHER],
    )
    assert follow_up.choices[0].message.content


@pytest.mark.operation("openai.completions")
def test_completion(client: OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a time", max_tokens=7)
    assert answer.choices[0].text
    assert answer.usage is not None
    streamed = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once", max_tokens=7, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed)


@pytest.mark.operation("openai.embeddings")
def test_embeddings(client: OpenAI) -> None:
    by_default = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    floats = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")
    assert len(by_default.data) == 2
    for decoded, plain in zip(by_default.data, floats.data, strict=True):
        assert decoded.embedding == pytest.approx(plain.embedding, abs=1e-6)
        assert math.hypot(*plain.embedding) == pytest.approx(1, abs=1e-3)
    short = client.embeddings.create(model="text-embedding-3-small", input="one", dimensions=16)
    assert len(short.data[0].embedding) == 16


@pytest.mark.operation("openai.models.list", "openai.models.get")
def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "flux-pro-1.1" in names
    assert client.models.retrieve("flux-pro-1.1").id == "flux-pro-1.1"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.operation("openai.images.generations")
def test_flux_in_openai_format(client: OpenAI) -> None:
    by_url = client.images.generate(model="flux-pro-1.1", prompt="a lighthouse", n=2, size="512x768")
    assert by_url.data is not None
    assert len({image.url for image in by_url.data}) == 2
    inline = client.images.generate(model="flux-pro-1.1", prompt="a lighthouse", response_format="b64_json")
    assert inline.data is not None
    assert inline.data[0].b64_json
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model="flux-pro-1.1", prompt="[sandbox:moderated] no")
    assert refused.value.code == "content_policy_violation"


def test_errors_map_to_the_sdk_s_classes(client: OpenAI, gateway: Gateway) -> None:
    def ask(words: str, model: str = MODEL) -> None:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": words}])

    with pytest.raises(openai.RateLimitError):
        ask("[sandbox:rate-limit] map")
    with pytest.raises(openai.InternalServerError):
        ask("[sandbox:fail] map")
    with pytest.raises(openai.NotFoundError) as unknown:
        ask("x", model="no-such-model")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as missing:
        client.chat.completions.create(model=MODEL, messages=[])
    assert missing.value.param == "messages"
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_a_cut_stream_ends_in_an_error(client: OpenAI, gateway: Gateway) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "[sandbox:cut-stream=4] x"}], stream=True
    )
    with pytest.raises(openai.APIError) as cut:
        list(stream)
    assert cut.value.code == "upstream_error"
    row = usage(gateway, stream.response.headers["x-request-id"])
    assert row["basis"] == "counted"
    assert row["cost"] > 0


def usage(gateway: Gateway, request_id: str) -> dict[str, object]:
    """The usage row of a request, read as an operator would."""
    from tests.operator import usage_row

    return usage_row(gateway, request_id)
