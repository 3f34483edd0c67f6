"""The sandbox's Anthropic, as Anthropic's reference and SDK have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic import Anthropic

from .conftest import post, slowly, until

MODEL = "claude-haiku-4-5"
MESSAGES = "/anthropic/v1/messages"
HEAD = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}
ADD: Any = {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def client(base: str) -> Iterator[Anthropic]:
    with Anthropic(base_url=f"{base}/anthropic", api_key="sk-ant-test", max_retries=0) as made:
        yield made


async def events(http: aiohttp.ClientSession, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with http.post(MESSAGES, json={**body, "stream": True}, headers=HEAD) as answer:
        assert answer.content_type == "text/event-stream"
        raw = (await answer.read()).decode()
    found: list[dict[str, Any]] = []
    for event in raw.split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_the_same_question_has_the_same_answer(http: aiohttp.ClientSession) -> None:
    first, second = [await post(http, MESSAGES, said("hello"), **HEAD) for _ in range(2)]
    assert first["content"] == second["content"]
    assert first["id"] != second["id"]
    assert (await post(http, MESSAGES, said("goodbye"), **HEAD))["content"] != first["content"]


async def test_streams_say_what_the_whole_says(http: aiohttp.ClientSession) -> None:
    body = said("hello", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
    whole = await post(http, MESSAGES, body, **HEAD)
    found = await events(http, body)
    kinds = [event["type"] for event in found]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    texts = {"thinking": "", "text": "", "signature": ""}
    for event in found:
        if event["type"] == "content_block_delta":
            kind = event["delta"]["type"].removesuffix("_delta")
            texts[kind] += event["delta"][kind]
    thinking, text = whole["content"]
    assert texts == {"thinking": thinking["thinking"], "signature": thinking["signature"], "text": text["text"]}
    start, end = found[0]["message"]["usage"], found[-2]["usage"]
    assert start["input_tokens"] == end["input_tokens"] == whole["usage"]["input_tokens"]
    assert end["output_tokens"] == whole["usage"]["output_tokens"]


def test_tools_of_the_caller_s_and_of_the_vendor_s(client: Anthropic) -> None:
    chosen = client.messages.create(**said("x", tools=[ADD], tool_choice={"type": "tool", "name": "add"}))
    (use,) = chosen.content
    assert use.type == "tool_use"
    assert use.input == {"a": use.input["a"]}
    assert client.messages.create(**said("x", tools=[ADD])).content[0].type == "text"
    search: Any = {"type": "web_search_20250305", "name": "web_search"}
    with client.messages.stream(**said("[tool] x", tools=[search])) as stream:
        found = stream.get_final_message()
    assert [block.type for block in found.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert found.usage.server_tool_use is not None
    assert found.usage.server_tool_use.web_search_requests == 1


def test_code_runs_in_containers(client: Anthropic) -> None:
    code: Any = {"type": "code_execution_20250825", "name": "code_execution"}
    made = client.messages.create(**said("[tool] x", tools=[code])).container
    assert made is not None
    again = client.messages.create(**said("x", tools=[code], container=made.id)).container
    assert again is not None
    assert again.id == made.id
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**said("x", tools=[code], container="container_other"))


def test_the_cache_is_told_in_its_parts(client: Anthropic) -> None:
    for ttl, part in (("5m", "ephemeral_5m_input_tokens"), ("1h", "ephemeral_1h_input_tokens")):
        block = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral", "ttl": ttl}}
        usage = client.messages.create(**said("x", system=[block])).usage
        assert usage.cache_creation is not None
        assert getattr(usage.cache_creation, part) == usage.cache_creation_input_tokens
        assert usage.cache_creation_input_tokens
    assert client.messages.create(**said("[sandbox:cached=3] hello there")).usage.cache_read_input_tokens == 3


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("rate-limit", 429, "rate_limit_error"),
        ("fail", 500, "api_error"),
        ("status=529", 529, "overloaded_error"),
        ("moderated", 400, "invalid_request_error"),
    ],
)
async def test_triggers_have_native_errors(http: aiohttp.ClientSession, word: str, status: int, kind: str) -> None:
    found = await post(http, MESSAGES, said(f"[sandbox:{word}]"), status, **HEAD)
    assert found["type"] == "error"
    assert found["error"]["type"] == kind
    assert found["request_id"].startswith("req_")


async def test_failing_midway_ends_in_an_error_event(http: aiohttp.ClientSession) -> None:
    assert (await events(http, said("[sandbox:fail-midway] hello")))[-1]["error"]["type"] == "overloaded_error"


def test_mistakes_are_the_sdk_s_errors(client: Anthropic, base: str) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**said("x"), "model": "gpt-4o"})
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        client.messages.create(model=MODEL, max_tokens=1, messages=[])
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(**{**said("x"), "max_tokens": 0})
    stranger = Anthropic(base_url=f"{base}/anthropic", api_key="invalid", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError):
        stranger.models.list()


async def test_the_version_is_wanted(http: aiohttp.ClientSession) -> None:
    found = await post(http, MESSAGES, said("x"), 400, **{"x-api-key": "sk-ant-test"})
    assert "anthropic-version" in found["error"]["message"]


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0.5},
        {"top_k": 3},
        {"messages": [{"role": "assistant", "content": [{"type": "document", "source": {}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]},
    ],
)
async def test_the_second_version_takes_less(http: aiohttp.ClientSession, more: dict[str, Any]) -> None:
    await post(http, MESSAGES, said("x") | more, **HEAD)
    await post(http, MESSAGES, said("x") | more, 400, **(HEAD | {"anthropic-version": "2026-10-21"}))


def test_counts_and_models(client: Anthropic) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hello there"}])
    assert counted.input_tokens == client.messages.create(**said("hello there")).usage.input_tokens
    names = [model.id for model in client.models.list(limit=2)]
    assert len(names) == len(set(names)) == 3
    assert client.models.retrieve(names[0]).display_name.startswith("Claude")
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("gpt-4o")


# Batches -------------------------------------------------------------------------------------------------------------


def asked(*names: str, **more: Any) -> Any:
    return [{"custom_id": name, "params": {**said(f"this is {name}"), **more}} for name in names]


async def ended(client: Anthropic, name: str) -> Any:
    return await until(lambda: client.messages.batches.retrieve(name), lambda batch: batch.processing_status == "ended")


async def test_the_life_of_a_batch(client: Anthropic, http: aiohttp.ClientSession) -> None:
    batches = client.messages.batches
    async with slowly(http):
        made = batches.create(requests=[*asked("a", "b"), *asked("c", max_tokens=0), *asked("d", stream=True)])
        assert made.processing_status == "in_progress"
        assert made.results_url is None
        for early in (lambda: batches.delete(made.id), lambda: client.get(f"{_path(made.id)}/results", cast_to=object)):
            with pytest.raises((anthropic.BadRequestError, anthropic.NotFoundError)):
                early()
    done = await ended(client, made.id)
    assert done.ended_at > done.created_at
    counts = done.request_counts
    assert (counts.processing, counts.succeeded, counts.errored) == (0, 2, 2)
    results = {one.custom_id: one.result for one in batches.results(made.id)}
    assert [results[name].type for name in "abcd"] == ["succeeded", "succeeded", "errored", "errored"]
    first = results["a"]
    assert first.type == "succeeded"
    assert first.message.content == client.messages.create(**said("this is a")).content
    assert first.message.usage.service_tier == "batch"
    with pytest.raises(anthropic.BadRequestError):
        batches.cancel(made.id)
    assert batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve(made.id)


async def test_a_cancelled_batch_has_no_answers(client: Anthropic, http: aiohttp.ClientSession) -> None:
    async with slowly(http):
        made = client.messages.batches.create(requests=asked("a"))
        assert client.messages.batches.cancel(made.id).processing_status == "canceling"
    done = await ended(client, made.id)
    assert done.request_counts.canceled == 1
    assert done.cancel_initiated_at is not None
    assert [one.result.type for one in client.messages.batches.results(made.id)] == ["canceled"]


def test_lists_show_the_caller_s_own_batches(base: str) -> None:
    with Anthropic(base_url=f"{base}/anthropic", api_key="sk-ant-lists", max_retries=0) as client:
        made = [client.messages.batches.create(requests=asked("a")).id for _ in range(5)][::-1]
        assert [one.id for one in client.messages.batches.list(limit=2)] == made
        assert [one.id for one in client.messages.batches.list(before_id=made[3], limit=2).data] == made[1:3]
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.list(limit=0)


@pytest.mark.parametrize(
    "requests", [[], [{"custom_id": "a"}], [{"custom_id": "", "params": {}}], asked("a", "a"), "x", [3]]
)
def test_bad_batches(client: Anthropic, requests: Any) -> None:
    with pytest.raises(anthropic.BadRequestError):
        client.post("/v1/messages/batches", body={"requests": requests}, cast_to=object)


def _path(name: str) -> str:
    return f"/v1/messages/batches/{name}"
