"""What Anthropic refuses, the sandbox refuses in the same words; what is near it, but right, is taken."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from .conftest import post

MESSAGES = "/anthropic/v1/messages"
HEAD = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}
HELLO: dict[str, Any] = {"role": "user", "content": "hello"}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
THINKING: dict[str, Any] = {"type": "enabled", "budget_tokens": 1024}
MARK = {"type": "ephemeral"}


def tool(schema: Any, name: str = "f") -> dict[str, Any]:
    return {"name": name, "input_schema": schema}


def used(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": one, "name": "f", "input": {}} for one in ids]}


def result(name: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": "4"}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [*blocks]}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def shaped(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


async def ask(http: aiohttp.ClientSession, more: dict[str, Any], status: int = 200, **headers: str) -> Any:
    body = {"model": "claude-haiku-4-5", "max_tokens": 2000, "messages": [HELLO], **more}
    return await post(http, MESSAGES, body, status, **HEAD, **headers)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"metadata": {"team": "x"}}, "metadata.team: Extra inputs are not permitted"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        (
            {"max_tokens": 64_001},
            "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5",
        ),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"temperature": 0.5, "top_p": 0.5}, "`temperature` and `top_p` cannot both be specified for this model."),
        ({"stop_sequences": ["\n"]}, "stop_sequences: each stop sequence must contain non-whitespace"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
        ({"thinking": THINKING, "max_tokens": 1024}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
        ({"thinking": THINKING, "temperature": 0}, "`temperature` may only be set to 1 when thinking is enabled."),
        ({"thinking": THINKING, "top_k": 5}, "`top_k` must be unset when thinking is enabled."),
        (
            {"thinking": THINKING, "tools": [tool(EMPTY)], "tool_choice": {"type": "any"}},
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            {"thinking": THINKING, "tools": [tool(EMPTY)], "messages": [HELLO, used("t1"), user(result("t1"))]},
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        ),
        (
            {"thinking": THINKING, "messages": [HELLO, {"role": "assistant", "content": "Well"}]},
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.",
        ),
        (shaped(EMPTY), "'additionalProperties' must be explicitly set to false"),
        (
            shaped(closed(n={"type": "integer", "minimum": 1})),
            "For 'integer' type, property 'minimum' is not supported",
        ),
        (
            shaped(closed(n={"type": "number", "maximum": 2, "minimum": 1})),
            "For 'number' type, properties maximum, minimum are not supported",
        ),
        (shaped(closed(l={"type": "array", "items": {}, "minItems": 2})), "'minItems' values other than 0 or 1"),
        (shaped(closed(s={"type": "string", "maxLength": 2})), "For 'string' type, property 'maxLength' is not"),
    ],
)
async def test_parameters(http: aiohttp.ClientSession, more: dict[str, Any], message: str) -> None:
    error = (await ask(http, more, 400))["error"]
    assert error["type"] == "invalid_request_error"
    assert message in error["message"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ([tool({})], "tools.0.custom.input_schema.type: Field required"),
        ([{"name": "f"}], "tools.0.custom.input_schema: Field required"),
        ([tool({"type": "array"})], "tools.0.custom.input_schema.type: Input should be 'object'"),
        ([tool({**EMPTY, "anyOf": [EMPTY]})], "input_schema does not support oneOf, allOf, or anyOf at the top level"),
        ([tool({**EMPTY, "required": None})], "tools.0.custom.input_schema: JSON schema is invalid."),
        ([tool({"type": "object", "properties": {"filter[id]": {}}})], "Property keys should match pattern"),
        ([tool(EMPTY, "a.b")], "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
        ([tool(EMPTY, "f" * 129)], "tools.0.custom.name: String should have at most 128 characters"),
        ([tool(EMPTY), tool(EMPTY)], "tools: Tool names must be unique."),
        ([{"type": "retrieval", "name": "r"}], "tools.0: Input tag 'retrieval' found using 'type' does not match"),
        ([{**tool(EMPTY, f"f{one}"), "cache_control": MARK} for one in range(5)], "A maximum of 4 blocks with"),
    ],
)
async def test_tools(http: aiohttp.ClientSession, declared: list[dict[str, Any]], message: str) -> None:
    assert message in (await ask(http, {"tools": declared}, 400))["error"]["message"]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "messages: at least one message is required"),
        ([{"role": "system", "content": "x"}, HELLO], 'messages: Unexpected role "system".'),
        ([{"role": "tool", "content": "x"}], "messages.0.role: Input should be 'user' or 'assistant'"),
        ([{"role": "user", "content": ""}], "messages.0: all messages must have non-empty content except"),
        ([{"role": "user", "content": " \n"}], "messages: text content blocks must contain non-whitespace text"),
        ([user(text("x"), text(""))], "messages: text content blocks must be non-empty"),
        ([user({"type": "input_text", "text": "x"})], "messages.0.content.0: Input tag 'input_text' found"),
        ([user(text("x", detail="low"))], "messages.0.content.0.text.detail: Extra inputs are not permitted"),
        (
            [user({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "aaaa"}})],
            "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
        ),
        ([HELLO, used("a:1"), user(result("a:1"))], "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
        ([HELLO, used("t1"), HELLO], "messages.1: `tool_use` ids were found without `tool_result` blocks"),
        ([HELLO, used("t1", "t2"), user(result("t1"))], "blocks immediately after: t2."),
        ([HELLO, used("t1"), user(text("so"), result("t1"))], "without `tool_result` blocks immediately after: t1."),
        ([HELLO, used("t1")], "without `tool_result` blocks immediately after: t1."),
        ([user(result("t9"))], "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t9."),
        ([HELLO, used("t1"), user(result("t1"), result("t1"))], "each tool_use must have a single result."),
        ([HELLO, used("t1", "t1"), user(result("t1"))], "`tool_use` ids must be unique"),
        (
            [HELLO, {"role": "assistant", "content": "a "}],
            "messages: final assistant content cannot end with trailing whitespace",
        ),
    ],
)
async def test_messages(http: aiohttp.ClientSession, messages: list[dict[str, Any]], message: str) -> None:
    assert message in (await ask(http, {"messages": messages}, 400))["error"]["message"]


async def test_newer_models_take_no_beginning_of_an_answer(http: aiohttp.ClientSession) -> None:
    begun = {"messages": [HELLO, {"role": "assistant", "content": "a"}]}
    await ask(http, begun)
    error = (await ask(http, {**begun, "model": "claude-opus-4-6"}, 400))["error"]
    assert error["message"].startswith("This model does not support assistant message prefill.")


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [tool({"type": "object"}), {"type": "web_search_20250305", "name": "web_search"}]},
        {"messages": [HELLO, used("t1", "t2"), user(result("t1")), user(result("t2"), text("so"))]},
        {"messages": [user(text(" "), text("x"))], "system": " "},
        {"messages": [HELLO, {"role": "system", "content": "be brief"}, HELLO], "model": "claude-opus-4-8"},
        {
            "thinking": THINKING,
            "messages": [HELLO, used("t1"), user(result("t1")), {"role": "assistant", "content": "4"}, HELLO],
        },
        {
            "thinking": {"type": "adaptive"},
            "model": "claude-opus-4-6",
            "messages": [HELLO, used("t1"), user(result("t1"))],
        },
        {"model": "claude-3-5-haiku-20241022", "temperature": 0.5, "top_p": 0.5},
        shaped(closed(l={"type": "array", "items": {"type": "string"}, "minItems": 1})),
    ],
)
async def test_what_is_right_is_taken(http: aiohttp.ClientSession, more: dict[str, Any]) -> None:
    await ask(http, more)


async def test_a_budget_may_be_larger_where_thoughts_are_interleaved(http: aiohttp.ClientSession) -> None:
    more = {"thinking": {"type": "enabled", "budget_tokens": 4000}}
    await ask(http, more, 400)
    await ask(http, more, **{"anthropic-beta": "interleaved-thinking-2025-05-14"})
