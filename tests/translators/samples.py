"""What each vendor's API takes and answers, by its own documentation: one request, one answer, its stream.

All four answers say the same: thoughts, a word, two calls of a tool.
"""

from __future__ import annotations

import json
from typing import Any

Body = dict[str, Any]

SCHEMA: Body = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Name of the city"}},
    "required": ["city"],
    "additionalProperties": False,
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJeLjz9MK"

REQUESTS: dict[str, Body] = {
    "openai": {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is in this picture, and how is the weather there?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
            {"role": "user", "content": "And in Rome?"},
        ],
        "max_tokens": 300,
        "temperature": 0.5,
        "stop": ["END"],
        "tools": [
            {
                "type": "function",
                "function": {"name": "get_weather", "description": "Current weather", "parameters": SCHEMA},
            }
        ],
        "tool_choice": "auto",
    },
    "responses": {
        "model": "gpt-4o",
        "instructions": "You are a helpful assistant.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is in this picture, and how is the weather there?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
                ],
            },
            {
                "type": "message",
                "id": "msg_0",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
            },
            {
                "type": "function_call",
                "id": "fc_0",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": '{"city":"Paris"}',
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"},
            {"role": "user", "content": "And in Rome?"},
        ],
        "max_output_tokens": 300,
        "temperature": 0.5,
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "Current weather",
                "parameters": SCHEMA,
                "strict": False,
            }
        ],
        "tool_choice": "auto",
    },
    "anthropic": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 300,
        "system": [{"type": "text", "text": "You are a helpful assistant.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is in this picture, and how is the weather there?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "18 degrees"},
                    {"type": "text", "text": "And in Rome?"},
                ],
            },
        ],
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "tools": [{"name": "get_weather", "description": "Current weather", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "You are a helpful assistant."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is in this picture, and how is the weather there?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Let me look."},
                    {"functionCall": {"id": "call_1", "name": "get_weather", "args": {"city": "Paris"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "call_1",
                            "name": "get_weather",
                            "response": {"output": "18 degrees"},
                        }
                    },
                    {"text": "And in Rome?"},
                ],
            },
        ],
        "generationConfig": {"maxOutputTokens": 300, "temperature": 0.5, "stopSequences": ["END"]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "get_weather", "description": "Current weather", "parametersJsonSchema": SCHEMA}
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    },
}

# Whole answers ---------------------------------------------------------------------------------------------------

WHOLE: dict[str, Body] = {
    "openai": {
        "id": "chatcmpl-B9MBs8",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "deepseek-reasoner",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Let me look.",
                    "reasoning_content": "Two cities.",
                    "refusal": None,
                    "annotations": [],
                    "tool_calls": [
                        {
                            "id": "call_a",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                        },
                        {
                            "id": "call_b",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
                        },
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 60,
            "total_tokens": 180,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    },
    "anthropic": {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [
            {"type": "thinking", "thinking": "Two cities.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "toolu_b", "name": "get_weather", "input": {"city": "Rome"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 20,
            "output_tokens": 60,
            "output_tokens_details": {"thinking_tokens": 12},
        },
    },
    "gemini": {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Two cities.", "thought": True},
                        {"text": "Let me look."},
                        {
                            "functionCall": {"name": "get_weather", "args": {"city": "Paris"}},
                            "thoughtSignature": "EjQKMgEMOdbHfake",
                        },
                        {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 120,
            "candidatesTokenCount": 48,
            "totalTokenCount": 180,
            "cachedContentTokenCount": 20,
            "thoughtsTokenCount": 12,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 120}],
        },
        "modelVersion": "gemini-3-pro-preview",
        "responseId": "Il0taoSYJ5Cez7IP",
    },
    "responses": {
        "id": "resp_67ccd2bed1ec8190",
        "object": "response",
        "created_at": 1741569952,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "gpt-5",
        "output": [
            {
                "id": "rs_1",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Two cities."}],
                "encrypted_content": "gAAAAABo",
            },
            {
                "id": "msg_1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}],
            },
            {
                "id": "fc_1",
                "type": "function_call",
                "status": "completed",
                "arguments": '{"city":"Paris"}',
                "call_id": "call_a",
                "name": "get_weather",
            },
            {
                "id": "fc_2",
                "type": "function_call",
                "status": "completed",
                "arguments": '{"city":"Rome"}',
                "call_id": "call_b",
                "name": "get_weather",
            },
        ],
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 0},
            "output_tokens": 60,
            "output_tokens_details": {"reasoning_tokens": 12},
            "total_tokens": 180,
        },
        "metadata": {},
    },
}

# Streams of the same answers -------------------------------------------------------------------------------------


def _chunk(delta: Body, finish: str | None = None) -> Body:
    return {
        "id": "chatcmpl-B9MBs8",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "deepseek-reasoner",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }


def _call(index: int, id: str | None, arguments: str) -> Body:
    call: Body = {"index": index, "function": {"arguments": arguments}}
    if id:
        call |= {"id": id, "type": "function"}
        call["function"]["name"] = "get_weather"
    return {"tool_calls": [call]}


def _data(item: Body) -> bytes:
    return b"data: " + json.dumps(item).encode() + b"\n\n"


def _named(item: Body) -> bytes:
    return b"event: " + item["type"].encode() + b"\n" + _data(item)


def _openai() -> list[bytes]:
    chunks = [
        _chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
        _chunk({"reasoning_content": "Two "}),
        _chunk({"reasoning_content": "cities."}),
        _chunk({"content": "Let me"}),
        _chunk({"content": " look."}),
        _chunk(_call(0, "call_a", "")),
        _chunk(_call(0, None, '{"city": ')),
        _chunk(_call(0, None, '"Paris"}')),
        _chunk(_call(1, "call_b", "")),
        _chunk(_call(1, None, '{"city": "Rome"}')),
        _chunk({}, "tool_calls"),
        _chunk({}) | {"choices": [], "usage": WHOLE["openai"]["usage"]},
    ]
    return [*(_data(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _anthropic() -> list[bytes]:
    whole = WHOLE["anthropic"]
    start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}

    def block(index: int, content: Body, *deltas: Body) -> list[Body]:
        return [
            {"type": "content_block_start", "index": index, "content_block": content},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    def more(text: str) -> Body:
        return {"type": "input_json_delta", "partial_json": text}

    events: list[Body] = [
        {"type": "message_start", "message": start},
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Two "},
            {"type": "thinking_delta", "thinking": "cities."},
            {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},
        ),
        {"type": "ping"},
        *block(
            1,
            {"type": "text", "text": ""},
            {"type": "text_delta", "text": "Let me"},
            {"type": "text_delta", "text": " look."},
        ),
        *block(
            2,
            {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {}},
            more(""),
            more('{"city": "Pa'),
            more('ris"}'),
        ),
        *block(
            3,
            {"type": "tool_use", "id": "toolu_b", "name": "get_weather", "input": {}},
            more('{"city": "Rome"}'),
        ),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 60, "output_tokens_details": {"thinking_tokens": 12}},
        },
        {"type": "message_stop"},
    ]
    return [_named(event) for event in events]


def _gemini() -> list[bytes]:
    whole = WHOLE["gemini"]
    parts = whole["candidates"][0]["content"]["parts"]

    def chunk(*parts: Body, **more: Any) -> Body:
        return {
            "candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0} | more],
            "usageMetadata": {"promptTokenCount": 120, "totalTokenCount": 120},
            "modelVersion": whole["modelVersion"],
            "responseId": whole["responseId"],
        }

    chunks = [
        chunk({"text": "Two ", "thought": True}),
        chunk({"text": "cities.", "thought": True}),
        chunk({"text": "Let me"}),
        chunk({"text": " look."}),
        chunk(parts[2], parts[3]),
        chunk({"text": ""}, finishReason="STOP") | {"usageMetadata": whole["usageMetadata"]},
    ]
    return [b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in chunks]


def _responses() -> list[bytes]:
    whole = WHOLE["responses"]
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    events: list[Body] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(whole["output"]):
        at = {"item_id": item["id"], "output_index": place}
        empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
        events.append({"type": "response.output_item.added", "output_index": place, "item": item | empty[item["type"]]})
        if item["type"] == "reasoning":
            part = {"type": "summary_text", "text": "Two cities."}
            at["summary_index"] = 0
            events += [
                {"type": "response.reasoning_summary_part.added", **at, "part": part | {"text": ""}},
                {"type": "response.reasoning_summary_text.delta", **at, "delta": "Two "},
                {"type": "response.reasoning_summary_text.delta", **at, "delta": "cities."},
                {"type": "response.reasoning_summary_text.done", **at, "text": "Two cities."},
                {"type": "response.reasoning_summary_part.done", **at, "part": part},
            ]
        elif item["type"] == "message":
            part = item["content"][0]
            at["content_index"] = 0
            events += [
                {"type": "response.content_part.added", **at, "part": part | {"text": ""}},
                {"type": "response.output_text.delta", **at, "delta": "Let me", "logprobs": []},
                {"type": "response.output_text.delta", **at, "delta": " look.", "logprobs": []},
                {"type": "response.output_text.done", **at, "text": "Let me look.", "logprobs": []},
                {"type": "response.content_part.done", **at, "part": part},
            ]
        else:
            half = len(item["arguments"]) // 2
            for piece in (item["arguments"][:half], item["arguments"][half:]):
                events.append({"type": "response.function_call_arguments.delta", **at, "delta": piece})
            events.append({"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [_named({**event, "sequence_number": number}) for number, event in enumerate(events)]


STREAMS: dict[str, list[bytes]] = {
    "openai": _openai(),
    "anthropic": _anthropic(),
    "gemini": _gemini(),
    "responses": _responses(),
}
