"""What OpenAI refuses, the sandbox refuses in the same words; what is near it, but right, is taken."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from .conftest import post

CHAT, RESPONSES = "/openai/v1/chat/completions", "/openai/v1/responses"
HELLO: dict[str, Any] = {"role": "user", "content": "hello"}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
ANSWER: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "4"}
NULL: dict[str, Any] = {"role": "user", "content": None}


def tool(parameters: Any, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def called(*ids: str, **more: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}", **more}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def shown(**image: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa", **image}}


def shaped(schema: Any, name: str = "x") -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


@pytest.mark.parametrize(
    ("more", "message", "param", "code"),
    [
        ({"top_k": 1}, "Unrecognized request argument supplied: top_k", None, None),
        (
            {"temperature": 2.5},
            "Invalid 'temperature': decimal above maximum",
            "temperature",
            "decimal_above_max_value",
        ),
        ({"n": 129}, "Invalid 'n': integer above maximum value.", "n", "integer_above_max_value"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "Invalid 'stop': array too long.", "stop", "array_above_max_length"),
        (
            {"stream_options": {"include_usage": True}},
            "is only allowed when 'stream' is enabled",
            "stream_options",
            None,
        ),
        ({"top_logprobs": 2}, "is only allowed with 'logprobs'", "top_logprobs", None),
        ({"max_tokens": 20_000}, "supports at most 16384 completion tokens", "max_tokens", "invalid_value"),
        ({"reasoning_effort": "low"}, "Unrecognized request argument supplied: reasoning_effort", None, None),
        ({"model": "o3", "temperature": 0.2}, "Only the default (1) value is", "temperature", "unsupported_value"),
        ({"model": "gpt-5", "top_p": 0.2}, "'top_p' is not supported with this", "top_p", "unsupported_parameter"),
        ({"model": "o3", "stop": ["x"]}, "'stop' is not supported with this", "stop", "unsupported_parameter"),
        (
            {"model": "o4-mini", "tools": [tool(EMPTY)], "parallel_tool_calls": False},
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
            "parallel_tool_calls",
            "unsupported_parameter",
        ),
        (
            {"model": "gpt-5.4", "tools": [tool(EMPTY)], "reasoning_effort": "high"},
            "Function tools with reasoning_effort are not supported for gpt-5.4",
            "reasoning_effort",
            None,
        ),
        ({"tool_choice": "auto"}, "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice", None),
        ({"parallel_tool_calls": True}, "is only allowed when 'tools' are specified.", "parallel_tool_calls", None),
        ({"tools": []}, "Invalid 'tools': empty array.", "tools", "empty_array"),
        ({"tools": [tool(EMPTY)] * 129}, "Invalid 'tools': array too long.", "tools", "array_above_max_length"),
        ({"tools": [tool(EMPTY, "a b")]}, "string does not match pattern", "tools[0].function.name", "invalid_value"),
        (
            {"tools": [tool(EMPTY, "f" * 65)]},
            "Expected a string with maximum length 64, but got a string with length 65 instead.",
            "tools[0].function.name",
            "string_above_max_length",
        ),
        (
            {"response_format": {"type": "json_object"}},
            "'messages' must contain the word 'json' in some form",
            "messages",
            None,
        ),
        ({"response_format": {"type": "xml"}}, "Invalid value: 'xml'.", "response_format.type", "invalid_value"),
        ({"response_format": shaped(EMPTY)}, "'additionalProperties' is required", "response_format", None),
        (
            {"response_format": shaped({**closed(a={"type": "string"}), "required": []})},
            "to be an array including every key in properties. Missing 'a'.",
            "response_format",
            None,
        ),
        (
            {"response_format": shaped({"type": "array", "items": {}})},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
            "response_format",
            None,
        ),
        (
            {"response_format": shaped(closed(a={"type": "array", "items": EMPTY}))},
            "In context=('properties', 'a', 'items'), 'additionalProperties' is required",
            "response_format",
            None,
        ),
        (
            {"response_format": shaped(closed(), "a b")},
            "string does not match pattern",
            "response_format.json_schema.name",
            "invalid_value",
        ),
    ],
)
async def test_parameters_of_chat(
    http: aiohttp.ClientSession, more: dict[str, Any], message: str, param: str | None, code: str | None
) -> None:
    error = (await post(http, CHAT, {"model": "gpt-4o", "messages": [HELLO], **more}, 400))["error"]
    assert message in error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"type": "object"}, "In context=(), object schema missing properties."),
        ({"properties": {}}, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
        ({**EMPTY, "anyOf": [EMPTY]}, "and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'const'/'not' at the top level."),
        ({**EMPTY, "required": None}, "None is not of type 'array'."),
        ({**EMPTY, "required": [1]}, "1 is not of type 'string'."),
        ({"type": "object", "properties": []}, "[] is not of type 'object'."),
        (
            {"type": "object", "properties": {"l": {"type": "array"}}},
            "In context=('properties', 'l'), array schema missing items.",
        ),
        ({"type": "object", "properties": {"l": {"type": "text"}}}, "'text' is not valid under any of the given"),
    ],
)
async def test_schemas_of_functions(http: aiohttp.ClientSession, parameters: Any, message: str) -> None:
    chat = {"model": "gpt-4o", "messages": [HELLO], "tools": [tool(parameters)]}
    error = (await post(http, CHAT, chat, 400))["error"]
    assert error["message"].startswith("Invalid schema for function 'f': ")
    assert message in error["message"]
    assert (error["param"], error["code"]) == ("tools[0].function.parameters", "invalid_function_parameters")
    flat = {"type": "function", "name": "f", "parameters": parameters}
    same = (await post(http, RESPONSES, {"model": "gpt-4o", "input": "hello", "tools": [flat]}, 400))["error"]
    assert (same["message"], same["param"]) == (error["message"], "tools[0].parameters")


@pytest.mark.parametrize(
    ("messages", "message", "param"),
    [
        ([], "Invalid 'messages': empty array.", "messages"),
        (
            [{"role": "human", "content": "x"}],
            "Invalid value: 'human'. Supported values are: 'system',",
            "messages[0].role",
        ),
        ([NULL], "Invalid value for 'content': expected a string, got null.", "messages.[0].content"),
        ([{"role": "user", "content": []}], "Invalid 'messages[0].content': empty array.", "messages[0].content"),
        (
            [{"role": "user", "content": [{"type": "video"}]}],
            "Invalid value: 'video'. Supported values are: 'text', 'image_url'",
            "messages[0].content[0]",
        ),
        (
            [{"role": "system", "content": [shown()]}],
            "Image URLs are only allowed for messages with role 'user', but this message with role 'system'",
            "messages[0]",
        ),
        (
            [{"role": "user", "content": [shown(detail="ultra")]}],
            "Invalid value: 'ultra'. Supported values are: 'low', 'high', and 'auto'.",
            "messages[0].content[0].image_url.detail",
        ),
        ([HELLO, ANSWER], "messages with role 'tool' must be a response to a preceeding", "messages.[1].role"),
        (
            [HELLO, called("c1", "c2"), ANSWER, HELLO],
            "The following tool_call_ids did not have response messages: c2",
            "messages.[3].role",
        ),
        ([HELLO, called("c1")], "did not have response messages: c1", "messages.[2].role"),
        ([HELLO, called("c1"), {"role": "system", "content": "x"}, ANSWER], "messages: c1", "messages.[2].role"),
        ([HELLO, called("c1"), ANSWER, ANSWER], "must be a response to a preceeding message", "messages.[3].role"),
        ([HELLO, called("c" * 41)], "maximum length 40", "messages[1].tool_calls[0].id"),
        ([HELLO, called("c1", name="a.b")], "does not match pattern", "messages[1].tool_calls[0].function.name"),
        ([HELLO, called("c1", arguments={})], "an object", "messages[1].tool_calls[0].function.arguments"),
        ([HELLO, {**called(), "content": "x"}], "tool_calls': empty array.", "messages[1].tool_calls"),
    ],
)
async def test_messages_of_chat(
    http: aiohttp.ClientSession, messages: list[dict[str, Any]], message: str, param: str
) -> None:
    error = (await post(http, CHAT, {"model": "gpt-4o", "messages": messages}, 400))["error"]
    assert message in error["message"]
    assert error["param"] == param


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [tool({}), tool(None, "g"), tool({**EMPTY, "required": []}, "h")], "tool_choice": "none"},
        {"tools": [tool({"type": "object", "properties": {"a": {"type": "object"}}})]},
        {"tools": [tool(closed(a={"type": ["string", "null"]}), strict=True)]},
        {"messages": [HELLO, called("c1", "c2"), ANSWER, {**ANSWER, "tool_call_id": "c2"}, HELLO]},
        {"messages": [{"role": "developer", "content": ""}, {"role": "user", "content": [shown(detail="low")]}]},
        {"model": "gpt-5", "temperature": 1, "reasoning_effort": "low"},
        {"model": "gpt-5.1", "temperature": 0.2},
        {"model": "o3", "max_completion_tokens": 64_000},
        {"stream_options": None, "stop": None, "tools": None, "tool_choice": None},
        {"messages": [{"role": "user", "content": "as JSON"}], "response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": EMPTY}}},
    ],
)
async def test_chat_that_is_right_is_taken(http: aiohttp.ClientSession, body: dict[str, Any]) -> None:
    await post(http, CHAT, {"model": "gpt-4o", "messages": [HELLO], **body})


CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "4"}


@pytest.mark.parametrize(
    ("more", "message", "param", "code"),
    [
        ({"max_tokens": 50}, "Unknown parameter: 'max_tokens'.", "max_tokens", "unknown_parameter"),
        ({"max_output_tokens": 15}, "Expected a value >= 16", "max_output_tokens", "integer_below_min_value"),
        ({"model": "gpt-5", "temperature": 0}, "'temperature' is not", "temperature", "unsupported_parameter"),
        ({"reasoning": {"effort": "low"}}, "'reasoning.effort' is not", "reasoning.effort", "unsupported_parameter"),
        ({"tools": [{"type": "retrieval"}]}, "Invalid value: 'retrieval'.", "tools[0].type", "invalid_value"),
        ({"tools": [tool(EMPTY)]}, "Missing required", "tools[0].name", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_object"}}}, "must contain the word 'json' in some form", "input", None),
        (
            {"text": {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": EMPTY}}},
            "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required",
            "text.format.schema",
            "invalid_json_schema",
        ),
        ({"input": [CALL]}, "No tool output found for function call c1.", "input", None),
        ({"input": [OUTPUT]}, "No tool call found for function call output with call_id c1.", "input", None),
        (
            {"input": [{**CALL, "id": "call_1"}, OUTPUT]},
            "Invalid 'input[0].id': 'call_1'. Expected an ID that begins with 'fc'.",
            "input[0].id",
            "invalid_value",
        ),
        (
            {"input": [{**OUTPUT, "call_id": "c" * 65}]},
            "maximum length 64",
            "input[0].call_id",
            "string_above_max_length",
        ),
        ({"input": [{"role": "tool", "content": "x"}]}, "Invalid value: 'tool'.", "input[0]", "invalid_value"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
            "input[0].content[0]",
            "invalid_value",
        ),
    ],
)
async def test_responses(
    http: aiohttp.ClientSession, more: dict[str, Any], message: str, param: str, code: str | None
) -> None:
    error = (await post(http, RESPONSES, {"model": "gpt-4o", "input": "hello", **more}, 400))["error"]
    assert message in error["message"]
    assert (error["param"], error["code"]) == (param, code)


async def test_an_output_may_answer_a_call_of_the_response_before(http: aiohttp.ClientSession) -> None:
    flat = {"type": "function", "name": "f", "parameters": EMPTY}
    first = await post(http, RESPONSES, {"model": "gpt-4o", "input": "[tool]", "tools": [flat]})
    body = {"model": "gpt-4o", "previous_response_id": first["id"]}
    answer = {**OUTPUT, "call_id": first["output"][0]["call_id"]}
    assert (
        "the tool's answer"
        in (await post(http, RESPONSES, {**body, "input": [answer]}))["output"][0]["content"][0]["text"]
    )
    error = (await post(http, RESPONSES, {**body, "input": "never mind"}, 400))["error"]
    assert error["message"].startswith("No tool output found for function call ")
