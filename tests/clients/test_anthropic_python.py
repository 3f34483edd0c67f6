"""Anthropic's own Python SDK against the gateway."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from anthropic._constants import ANTHROPIC_API_VERSION

from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.http import call
from tests.support.until import PATIENCE, until

MODEL = "claude-haiku-4-5"
HELLO: Any = [{"role": "user", "content": "Say this is a test!"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0) as made:
        yield made


@pytest.mark.operation("anthropic.messages")
def test_message(client: Anthropic, gateway: Gateway) -> None:
    answer = client.messages.with_raw_response.create(model=MODEL, max_tokens=200, messages=HELLO, system="Be kind.")
    message = answer.parse()
    assert message.content[0].type == "text"
    assert message.stop_reason == "end_turn"
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["consumed"]["input"] == message.usage.input_tokens
    assert row["consumed"]["output"] == message.usage.output_tokens
    assert row["cost"] == message.usage.input_tokens * 1000 + message.usage.output_tokens * 5000
    assert row["protocol"] == "anthropic"
    assert message._request_id == answer.headers["x-request-id"], "the vendor's own would say nothing to the operator"


@pytest.mark.operation("anthropic.messages")
def test_stream(client: Anthropic, gateway: Gateway) -> None:
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        whole = stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]
    assert whole.content[0].type == "text"
    assert whole.content[0].text == text
    row = usage_row(gateway, request_id)
    assert row["basis"] == "vendor"
    assert row["consumed"] == {
        "input": whole.usage.input_tokens,
        "output": whole.usage.output_tokens,
        "basis": "vendor",
    }


@pytest.mark.operation("anthropic.messages")
def test_tools_and_thinking(client: Anthropic) -> None:
    asked = client.messages.create(
        model=MODEL, max_tokens=2000, messages=HELLO, tools=[WEATHER], tool_choice={"type": "any"}
    )
    (use,) = asked.content
    assert use.type == "tool_use"
    assert asked.stop_reason == "tool_use"
    told = client.messages.create(
        model=MODEL,
        max_tokens=2000,
        messages=[
            *HELLO,
            {"role": "assistant", "content": asked.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]},
        ],
        tools=[WEATHER],
    )
    assert told.content[0].type == "text"
    assert "sunny" in told.content[0].text
    with client.messages.stream(
        model=MODEL, max_tokens=4000, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        kinds = [block.type for block in stream.get_final_message().content]
    assert kinds == ["thinking", "text"]


@pytest.mark.operation("anthropic.messages")
def test_cached_input_has_its_own_price(client: Anthropic, gateway: Gateway) -> None:
    block: Any = {"type": "text", "text": "A long introduction.", "cache_control": {"type": "ephemeral"}}
    wrote = client.messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=HELLO, system=[block])
    usage = wrote.parse().usage
    assert usage.cache_creation_input_tokens
    row = usage_row(gateway, wrote.headers["x-request-id"])
    assert row["consumed"]["cache_write"] == usage.cache_creation_input_tokens
    assert row["cost"] == usage.cache_creation_input_tokens * 1250 + usage.output_tokens * 5000
    words: Any = [{"role": "user", "content": "[sandbox:cached=10] read this from the cache"}]
    read = client.messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=words)
    assert usage_row(gateway, read.headers["x-request-id"])["consumed"]["cached"] == 10


@pytest.mark.operation("anthropic.messages")
def test_what_is_kept_for_an_hour_costs_more(client: Anthropic, gateway: Gateway) -> None:
    keep: Any = {"type": "ephemeral", "ttl": "1h"}
    block: Any = {"type": "text", "text": "A long introduction.", "cache_control": keep}
    wrote = client.messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=HELLO, system=[block])
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO, system=[block]) as stream:
        streamed = stream.get_final_message().usage
        request_id = stream.response.headers["x-request-id"]
    for usage, name in ((wrote.parse().usage, wrote.headers["x-request-id"]), (streamed, request_id)):
        assert usage.cache_creation is not None
        hour = usage.cache_creation.ephemeral_1h_input_tokens
        assert hour > 0
        row = usage_row(gateway, name)
        assert row["consumed"]["cache_write_1h"] == hour
        assert "cache_write" not in row["consumed"]
        assert row["cost"] == hour * 2000 + usage.output_tokens * 5000


@pytest.mark.operation("anthropic.messages")
def test_searches_of_the_web_are_paid_for(client: Anthropic, gateway: Gateway) -> None:
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    words: Any = [{"role": "user", "content": "[tool] look it up"}]
    answer = client.messages.with_raw_response.create(model=MODEL, max_tokens=200, messages=words, tools=tools)
    with client.messages.stream(model=MODEL, max_tokens=200, messages=words, tools=tools) as stream:
        streamed = stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]
    for message, name in ((answer.parse(), answer.headers["x-request-id"]), (streamed, request_id)):
        assert [block.type for block in message.content] == ["server_tool_use", "web_search_tool_result", "text"]
        row = usage_row(gateway, name)
        assert row["consumed"]["searches"] == 1
        tokens = message.usage.input_tokens * 1000 + message.usage.output_tokens * 5000
        assert row["cost"] == tokens + 10_000_000


@pytest.mark.operation("anthropic.messages")
def test_speed_and_place_have_their_price(client: Anthropic, gateway: Gateway) -> None:
    answer = client.messages.with_raw_response.create(
        model="claude-opus-5-5",
        max_tokens=50,
        messages=HELLO,
        extra_body={"speed": "fast", "inference_geo": "us"},
        extra_headers={"anthropic-beta": "fast-mode-2026-02-01"},
    )
    usage = answer.parse().usage
    row = usage_row(gateway, answer.headers["x-request-id"])
    assert row["consumed"]["params"] == {"speed": "fast", "inference_geo": "us"}
    assert row["cost"] == usage.input_tokens * 8800 + usage.output_tokens * 44_000
    (sent,) = [one for one in _asked(gateway) if (one["body"] or {}).get("speed") == "fast"]
    assert sent["headers"]["anthropic-beta"] == "fast-mode-2026-02-01"
    assert sent["headers"]["anthropic-version"] == ANTHROPIC_API_VERSION


@pytest.mark.operation("anthropic.messages")
def test_advice_costs_what_its_model_does(client: Anthropic, gateway: Gateway) -> None:
    tools: Any = [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}]
    answer = client.messages.with_raw_response.create(model=MODEL, max_tokens=50, messages=HELLO, tools=tools)
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO, tools=tools) as stream:
        streamed = stream.get_final_message().usage
        request_id = stream.response.headers["x-request-id"]
    for usage, name in ((answer.parse().usage, answer.headers["x-request-id"]), (streamed, request_id)):
        row = usage_row(gateway, name)
        advice = row["consumed"]["others"]["claude-opus-5"]
        own = usage.input_tokens * 1000 + usage.output_tokens * 5000
        assert row["cost"] == own + advice["input"] * 5000 + 20 * 25_000


@pytest.mark.operation("anthropic.messages")
def test_the_version_is_the_caller_s_or_the_first(gateway: Gateway) -> None:
    body = {"model": MODEL, "max_tokens": 10, "messages": HELLO, "temperature": 0.5, "metadata": {"user_id": "v"}}
    assert call(gateway, "POST", "/v1/messages", body, gateway.live).status == 200
    (sent,) = [one for one in _asked(gateway) if (one["body"] or {}).get("metadata") == {"user_id": "v"}]
    assert sent["headers"]["anthropic-version"] == "2023-06-01"
    refused = call(gateway, "POST", "/v1/messages", body, gateway.live, {"anthropic-version": "2026-10-21"})
    assert refused.status == 400
    assert "temperature" in refused.json["error"]["message"]


@pytest.mark.operation("anthropic.messages.count_tokens")
def test_counting_is_free(client: Anthropic, gateway: Gateway) -> None:
    answer = client.messages.with_raw_response.count_tokens(model=MODEL, messages=HELLO)
    assert answer.parse().input_tokens > 0
    assert usage_row(gateway, answer.headers["x-request-id"])["cost"] == 0


@pytest.mark.operation("anthropic.models.list", "anthropic.models.get")
def test_models(client: Anthropic, gateway: Gateway) -> None:
    names = [model.id for model in client.models.list(limit=5)]
    assert {"claude-sonnet-4-5", "o3"} <= set(names), "pages follow one another"
    assert len(names) == len(set(names)) > 5
    assert client.models.retrieve("flux-pro-1.1").type == "model"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")
    assert gateway.get("/v1/models")["object"] == "list", "OpenAI's clients get theirs"


def test_errors_map_to_the_sdk_s_classes(client: Anthropic, gateway: Gateway) -> None:
    def ask(words: str, model: str = MODEL) -> None:
        client.messages.create(model=model, max_tokens=10, messages=[{"role": "user", "content": words}])

    with pytest.raises(anthropic.RateLimitError):
        ask("[sandbox:rate-limit] map")
    with pytest.raises(anthropic.InternalServerError):
        ask("[sandbox:fail] map")
    with pytest.raises(anthropic.NotFoundError) as unknown:
        ask("x", model="no-such-model")
    assert isinstance(unknown.value.body, dict)
    assert unknown.value.body["error"]["type"] == "not_found_error"
    assert unknown.value.request_id == unknown.value.response.headers["x-request-id"]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=10, messages=[])
    with (
        Anthropic(base_url=gateway.url, api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model=MODEL, max_tokens=10, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError) as lost:
        client.get("/v1/nowhere", cast_to=object)
    assert isinstance(lost.value.body, dict)
    assert lost.value.body["type"] == "error"


def test_a_token_may_come_as_a_bearer(gateway: Gateway) -> None:
    with Anthropic(base_url=gateway.url, auth_token=gateway.live, max_retries=0) as made:
        assert made.messages.create(model=MODEL, max_tokens=10, messages=HELLO).usage.output_tokens


@pytest.mark.operation("anthropic.messages")
def test_a_cut_stream_ends_in_an_error(client: Anthropic, gateway: Gateway) -> None:
    words: Any = [{"role": "user", "content": "[sandbox:cut-stream=8] cut me"}]
    with (
        pytest.raises(anthropic.APIStatusError) as cut,
        client.messages.stream(model=MODEL, max_tokens=200, messages=words) as stream,
    ):
        stream.get_final_message()
    row = usage_row(gateway, cut.value.response.headers["x-request-id"])
    assert row["basis"] == "counted"
    assert row["consumed"]["input"] > 0
    assert row["consumed"]["output"] > 1, "what was streamed is counted, though the vendor had told of one token"


@pytest.mark.operation("anthropic.messages")
def test_who_leaves_midway_pays_for_what_came(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=PATIENCE)
    words = [{"role": "user", "content": "[sandbox:delta-ms=2000] I will leave"}]
    body = {"model": MODEL, "max_tokens": 500, "messages": words, "stream": True}
    head = {"x-api-key": gateway.live, "content-type": "application/json", "anthropic-version": "2023-06-01"}
    connection.request("POST", "/v1/messages", json.dumps(body), head)
    answer = connection.getresponse()
    while b"text_delta" not in answer.readline():
        pass
    request_id = answer.headers["x-request-id"]
    connection.close()
    row = until(lambda: usage_row(gateway, request_id))
    assert row["error"] == "the caller left"
    assert row["cost"] > 0
    assert gateway.sandbox is not None
    until(lambda: any(entry["disconnected"] and "I will leave" in str(entry["body"]) for entry in _asked(gateway)))


def _asked(gateway: Gateway) -> list[dict[str, Any]]:
    assert gateway.sandbox is not None
    return gateway.sandbox.requests()


@pytest.mark.operation("anthropic.messages")
def test_a_price_per_call_counts_here_too(gateway: Gateway) -> None:
    set_price = gateway.cli("prices", "set", "claude-sonnet-5", '{"per_call": "0.02"}')
    assert set_price.returncode == 0, set_price.stderr
    with Anthropic(base_url=gateway.url, api_key=gateway.live, max_retries=0) as client:

        def cost() -> int:
            raw = client.messages.with_raw_response.create(model="claude-sonnet-5", max_tokens=9, messages=HELLO)
            return usage_row(gateway, raw.headers["x-request-id"])["cost"]

        try:
            until(lambda: cost() == 20_000_000)
        finally:
            assert gateway.cli("prices", "remove", "claude-sonnet-5").returncode == 0
