"""Agents that demand a call at each step come to an end: each tool has its turn."""

from __future__ import annotations

from typing import Any

import aiohttp

from deeepai.sandbox.tools import next_tool

from .conftest import post

EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
NAMES = ("look", "answer")


def test_each_tool_has_its_turn_and_the_last_one_stays() -> None:
    assert next_tool(NAMES, ()) == "look"
    assert next_tool(NAMES, {"look"}) == "answer"
    assert next_tool(NAMES, set(NAMES)) == "answer"


async def test_chat(http: aiohttp.ClientSession) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": EMPTY}} for name in NAMES]
    body: dict[str, Any] = {"model": "gpt-4o", "tools": tools, "messages": [{"role": "user", "content": "x"}]}
    for name in NAMES:
        answer = await post(http, "/openai/v1/chat/completions", {**body, "tool_choice": "required"})
        message = answer["choices"][0]["message"]
        (call,) = message["tool_calls"]
        assert call["function"]["name"] == name
        body["messages"] += [message, {"role": "tool", "tool_call_id": call["id"], "content": "4"}]
    only = {"mode": "required", "tools": [{"type": "function", "function": {"name": "answer"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": only}
    body["messages"].append({"role": "user", "content": "again"})
    answer = await post(http, "/openai/v1/chat/completions", {**body, "tool_choice": choice})
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "answer"


async def test_responses(http: aiohttp.ClientSession) -> None:
    tools = [{"type": "function", "name": name, "parameters": EMPTY} for name in NAMES]
    body: dict[str, Any] = {"model": "gpt-4o", "tools": tools, "input": [{"role": "user", "content": "x"}]}
    for name in NAMES:
        answer = await post(http, "/openai/v1/responses", {**body, "tool_choice": "required"})
        (call,) = answer["output"]
        assert call["name"] == name
        body["input"] += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": "4"}]
    wanted = {"type": "function", "name": "look"}
    assert (await post(http, "/openai/v1/responses", {**body, "tool_choice": wanted}))["output"][0]["name"] == "look"
    await post(http, "/openai/v1/responses", {**body, "tool_choice": {"type": "function", "name": "other"}}, 400)


async def test_messages(http: aiohttp.ClientSession) -> None:
    tools = [{"name": name, "input_schema": EMPTY} for name in NAMES]
    body: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        "max_tokens": 99,
        "tools": tools,
        "tool_choice": {"type": "any"},
    }
    body["messages"] = [{"role": "user", "content": "x"}]
    head = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}
    for name in NAMES:
        content = (await post(http, "/anthropic/v1/messages", body, **head))["content"]
        assert content[0]["name"] == name
        result = {"type": "tool_result", "tool_use_id": content[0]["id"], "content": "4"}
        body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]


async def test_content(http: aiohttp.ClientSession) -> None:
    body: dict[str, Any] = {
        "tools": [{"functionDeclarations": [{"name": name} for name in NAMES]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
    }
    path = "/gemini/v1beta/models/gemini-2.5-flash:generateContent"
    for name in NAMES:
        content = (await post(http, path, body, **{"x-goog-api-key": "gm-test"}))["candidates"][0]["content"]
        assert content["parts"][0]["functionCall"]["name"] == name
        response = {"functionResponse": {"name": name, "response": {"x": 4}}}
        body["contents"] += [content, {"role": "user", "parts": [response]}]
