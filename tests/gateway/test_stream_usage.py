"""What a stream is charged by, however it comes in pieces, and what is counted where its vendor does not tell."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.declare import Stream, Usage
from deeepai.gateway import settlement
from deeepai.gateway.answers.stream import Relay
from deeepai.gateway.exchange import Exchange
from deeepai.gateway.routing import Route
from deeepai.protocols.anthropic import anthropic
from deeepai.protocols.gemini import gemini
from deeepai.protocols.openai import openai
from deeepai.translators.chat.anthropic_stream import Reader
from deeepai.translators.chat.model import Tokens, UsageSeen
from deeepai.translators.chat.usage import tokens
from tests.gateway.test_stream import FakeResponse
from tests.protocols.plain import operation
from tests.protocols.sent import facts, sent
from tests.protocols.usage_samples import (
    CHAT,
    FORMATS,
    GEMINI,
    MESSAGES,
    OUTSIDE,
    RESPONSES,
    asking,
    charged,
    cost,
    whole,
)

# Streams -----------------------------------------------------------------------------------------------------------


def named(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events)


def claude(start: Any, end: Any, text: str = "x") -> bytes:
    return named(
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
        {"type": "message_stop"},
    )


def chunks(*payloads: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in payloads) + b"data: [DONE]\n\n"


def said(text: str, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text}}]}


def relayed(protocol: Any, path: str, body: Mapping[str, Any], data: bytes, cuts: Sequence[int] = ()) -> Usage:
    """Return what a stream is charged by, that comes in pieces."""

    async def run() -> Usage:
        declared, request = await sent(protocol, "POST", path, body)
        rules = declared.rules
        total: list[Usage] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        async def send(message: Any) -> None:
            del message

        async def charge(relay: Relay) -> None:
            usage = relay.usage
            broken = rules.merge is not None and not relay.ended
            if broken or settlement.untold(usage, request, rules):
                usage = settlement.of_stream(usage, request, rules, relay.events, broken=broken)
            assert usage is not None
            total.append(usage)

        x = Exchange("req_1", Route(protocol, declared, {}, declared.name), request, receive, send)
        places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        pieces = [data[start:end] for start, end in itertools.pairwise(places) if start < end]
        await Relay(x, declared, FakeResponse(pieces), charge).run()  # pyright: ignore[reportArgumentType]
        return total[0]

    return asyncio.run(run())


def of_claude(start: Any, end: Any, text: str = "x", cuts: Sequence[int] = ()) -> Usage:
    return relayed(anthropic, "/v1/messages", {**MESSAGES.body, "stream": True}, claude(start, end, text), cuts)


def of_chat(*payloads: Any, cuts: Sequence[int] = (), **more: Any) -> Usage:
    return relayed(openai, "/v1/chat/completions", {**CHAT.body, "stream": True, **more}, chunks(*payloads), cuts)


SPLIT = {"input_tokens": 100, "cache_read_input_tokens": 2900}


@pytest.mark.parametrize(
    ("start", "end", "price"),
    [
        ({"input_tokens": 3000, "output_tokens": 1}, {**SPLIT, "output_tokens": 7}, 425_000),
        ({**SPLIT, "output_tokens": 1}, {"output_tokens": 7}, 425_000),
        ({**SPLIT, "output_tokens": 1}, {"input_tokens": None, "output_tokens": 7}, 425_000),
        ({**SPLIT, "output_tokens": 1}, {"input_tokens": 100, "output_tokens": 7}, 425_000),
        (
            {**SPLIT, "output_tokens": 1},
            {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7},
            425_000,
        ),
        ({"input_tokens": 3000}, {"input_tokens": 0, "cache_read_input_tokens": 3000, "output_tokens": 7}, 335_000),
        (
            {"input_tokens": 112.2, "output_tokens": 0, "cache_read_input_tokens": 900},
            {"output_tokens": 10},
            252_000,
        ),
        (
            {"input_tokens": 0, "output_tokens": 0},
            {"input_tokens": 112.2, "output_tokens": 10, "cache_read_input_tokens": 900},
            252_000,
        ),
    ],
)
def test_what_a_message_s_later_event_names_replaces(start: Any, end: Any, price: int) -> None:
    found = of_claude(start, end)
    assert type(found) is Usage
    assert (cost(MESSAGES, found), found.basis) == (price, "vendor")


@pytest.mark.parametrize("start", [{"input_tokens": 3000, "output_tokens": 1}, {**SPLIT, "output_tokens": 1}])
@pytest.mark.parametrize("end", [{**SPLIT, "output_tokens": "7"}, {"input_tokens": None, "output_tokens": 7.0}])
def test_what_a_translated_stream_tells_is_what_is_charged(start: Any, end: Any) -> None:
    reader, told = Reader(), Tokens()
    for event in claude(start, end).split(b"\n\n")[:-1]:
        for seen in reader.feed(event + b"\n\n"):
            told = seen.usage if isinstance(seen, UsageSeen) else told
    assert told == tokens(of_claude(start, end))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_streams_in_pieces(cuts: list[int]) -> None:
    assert cost(MESSAGES, of_claude({"input_tokens": 3000}, {**SPLIT, "output_tokens": "7"}, cuts=cuts)) == 425_000
    found = of_chat(said("x"), said("\ud83d"), {"choices": [], "usage": OUTSIDE}, cuts=cuts)
    assert (found.input, found.cached, found.output) == (9992, 128, 4308)
    done = {"type": "response.completed", "response": RESPONSES.around({**RESPONSES.usage, "input_tokens": 150.0})}
    asked = {**RESPONSES.body, "stream": True}
    assert relayed(openai, "/v1/responses", asked, named(done), cuts) == whole(RESPONSES, RESPONSES.usage)
    path = GEMINI.path.replace("generateContent", "streamGenerateContent")
    events = b"".join(
        b"data: " + json.dumps(each).encode() + b"\r\n\r\n"
        for each in (
            {"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": {"promptTokenCount": 160}},
            GEMINI.around({**GEMINI.usage, "promptTokenCount": "150"}),
        )
    )
    assert relayed(gemini, path, GEMINI.body, events, cuts) == whole(GEMINI, GEMINI.usage)


def test_a_later_chunk_s_usage_replaces_downwards_and_by_sides() -> None:
    more, less = {"prompt_tokens": 900, "completion_tokens": 500}, {"prompt_tokens": 300, "completion_tokens": 20}
    found = of_chat(said("x") | {"usage": more}, {"choices": [], "usage": less})
    assert (found.input, found.output) == (300, 20)
    halves = of_chat(said("x") | {"usage": {"prompt_tokens": 300}}, {"choices": [], "usage": {"completion_tokens": 20}})
    assert (halves.input, halves.output, halves.basis) == (300, 20, "vendor")
    silent = {"prompt_tokens": 0, "completion_tokens": 0}
    assert of_chat(said("x") | {"usage": less}, {"choices": [], "usage": silent}).output == 20


TEXT = "one two three four five six seven eight nine ten"


def test_zero_is_counted_beside_a_prompt_or_text() -> None:
    found = of_chat(said(TEXT), {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 3}})
    assert (found.input > 30, found.output, found.basis) == (True, 3, "counted")
    found = of_chat(said(TEXT), {"choices": [], "usage": {"prompt_tokens": 300, "completion_tokens": 0}})
    assert (found.input, found.output, found.basis) == (300, 10, "counted")
    found = of_chat(said(""), {"choices": [], "usage": {"prompt_tokens": 300, "completion_tokens": 0}})
    assert (found.input, found.output, found.basis) == (300, 0, "vendor")
    found = of_claude({"input_tokens": 300, "output_tokens": 1}, {"output_tokens": 0}, TEXT)
    assert (found.input, found.output, found.basis) == (300, 10, "counted")
    found = charged(GEMINI, {"promptTokenCount": 0, "candidatesTokenCount": 12})
    assert (found.input > 30, found.output, found.basis) == (True, 12, "counted")


def test_usage_of_one_answer_of_several() -> None:
    both = (said(TEXT), said(TEXT, 1))
    of_one, of_all = ({"prompt_tokens": 300, "completion_tokens": tokens} for tokens in (10, 21))
    found = of_chat(*both, {"choices": [], "usage": of_one}, n=2)
    assert (found.input, found.output, found.basis) == (300, 20, "counted")
    early = of_chat(both[0], {"choices": [], "usage": of_one}, both[1], {"choices": [], "usage": of_one}, n=2)
    assert early.output == 20
    assert of_chat(*both, {"choices": [], "usage": of_all}, n=2).output == 21
    assert of_chat(both[0], {"choices": [], "usage": of_one}).basis == "vendor"


# Counting ----------------------------------------------------------------------------------------------------------

CALLED: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "chat": (
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"asked": 1}'}}]},
                {"role": "tool", "content": "given"},
            ],
            "tools": [{"type": "function", "function": {"name": "described"}}],
        },
        {"choices": [{"message": {"reasoning": "thought", "tool_calls": [{"function": {"name": "called"}}]}}]},
    ),
    "responses": (
        {
            "input": [
                {"type": "function_call", "name": "f", "arguments": '{"asked": 1}'},
                {"type": "function_call_output", "output": "given"},
            ],
            "tools": [{"type": "function", "name": "described"}],
        },
        {
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thought"}]},
                {"type": "function_call", "name": "called", "arguments": "{}"},
            ]
        },
    ),
    "messages": (
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"asked": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "given"}]}]},
            ],
            "tools": [{"name": "described", "input_schema": {}}],
        },
        {"content": [{"type": "thinking", "thinking": "thought"}, {"type": "tool_use", "name": "called", "input": {}}]},
    ),
    "gemini": (
        {
            "contents": [
                {"parts": [{"functionCall": {"name": "f", "args": {"asked": 1}}}]},
                {"parts": [{"functionResponse": {"name": "f", "response": {"result": "given"}}}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "described"}]}],
        },
        {
            "candidates": [
                {"content": {"parts": [{"text": "thought", "thought": True}, {"functionCall": {"name": "called"}}]}}
            ]
        },
    ),
}


@pytest.mark.parametrize("name", CALLED)
def test_tools_calls_and_reasoning_are_counted(name: str) -> None:
    format, (asked, answer) = FORMATS[name], CALLED[name]
    declared, request = asyncio.run(sent(format.protocol, "POST", format.path, {**format.body, **asked}))
    rules = declared.rules if isinstance(declared, Stream) else declared.counting
    prompt, text = rules.prompt(request), rules.text(answer)
    assert all(word in prompt for word in ("asked", "given", "described"))
    assert all(word in text for word in ("thought", "called"))


def test_other_stream_options_stay() -> None:
    declared = operation(openai, "chat.completions")
    for options, wanted in (
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
        ({"include_usage": False, "x": [1]}, {"x": [1], "include_usage": True}),
        (None, {"include_usage": True}),
    ):
        request = asking(CHAT, stream=True, stream_options=options)
        assert declared.patch(request, facts())["stream_options"] == wanted
    assert "stream_options" not in declared.patch(
        asking(CHAT, stream=True, stream_options={"include_usage": True}), facts()
    )
