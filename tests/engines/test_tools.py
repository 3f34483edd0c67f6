from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import BadRequestError, OpenAI

from deeepai.engines.text.tools import ToolReader

from .conftest import CHAT

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_required(client: OpenAI):
    for text, name, arguments in (
        ("What is the weather in Paris?", "get_weather", {"city": "Paris"}),
        ("What is 12 plus 30?", "add", {"a": 12, "b": 30}),
    ):
        got = client.chat.completions.create(
            model=CHAT, messages=said(text), tools=[WEATHER, ADD], tool_choice="required"
        )
        choice = got.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        (call,) = choice.message.tool_calls or []
        assert call.type == "function"
        assert call.id.startswith("call_")
        assert (call.function.name, json.loads(call.function.arguments)) == (name, arguments)


def test_named_in_a_stream(client: OpenAI):
    choice: Any = {"type": "function", "function": {"name": "add"}}
    chunks = list(
        client.chat.completions.create(
            model=CHAT, messages=said("Add 5 and 7"), tools=[WEATHER, ADD], tool_choice=choice, stream=True
        )
    )
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].id
    assert calls[0].function is not None
    assert calls[0].function.name == "add"
    assert all(call.id is None for call in calls[1:])
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert json.loads(arguments) == {"a": 5, "b": 7}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_none_answers_in_words(client: OpenAI):
    got = client.chat.completions.create(
        model=CHAT, messages=said("Say this is a test!"), tools=[WEATHER], tool_choice="none"
    )
    assert got.choices[0].message.tool_calls is None
    assert "test" in (got.choices[0].message.content or "")


def test_after_a_result_auto_answers_in_words(client: OpenAI):
    call: Any = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
    }
    messages = [
        *said("What is the weather in Rome?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees, sunny"},
    ]
    got = client.chat.completions.create(model=CHAT, messages=messages, tools=[WEATHER], max_tokens=40)
    assert got.choices[0].message.tool_calls is None
    assert got.choices[0].message.content


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": "required"},
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "unknown"}}},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        {"functions": [WEATHER["function"]]},
    ],
)
def test_refusals(client: OpenAI, fields: dict[str, Any]):
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model=CHAT, messages=said("Hi"), **fields)


def read(pieces: list[str]) -> tuple[str, str, str]:
    """Name, arguments and words, put together from the deltas."""
    reader, name, arguments, words = ToolReader(), "", "", ""
    for piece in pieces:
        for delta in reader.feed(piece):
            words += delta.get("content", "")
            for call in delta.get("tool_calls", ()):
                name += call["function"].get("name", "")
                arguments += call["function"]["arguments"]
    return name, arguments, words


def split(text: str, at: list[int]) -> list[str]:
    cuts = [0, *sorted({cut % (len(text) + 1) for cut in at}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(cuts)]


JSON = st.recursive(st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner), max_leaves=5)


@given(st.text(min_size=1), st.dictionaries(st.text(), JSON), st.booleans(), st.lists(st.integers(0, 500)))
def test_calls_survive_any_cut(name: str, arguments: dict[str, Any], ascii_only: bool, at: list[int]):
    text = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=ascii_only, indent=1)
    got, raw, words = read(split(text, at))
    assert (got, json.loads(raw), words) == (name, arguments, "")


@given(st.text(), st.booleans(), st.lists(st.integers(0, 500)))
def test_replies_survive_any_cut(reply: str, ascii_only: bool, at: list[int]):
    text = json.dumps({"reply": reply}, ensure_ascii=ascii_only)
    assert read(split(text, at)) == ("", "", reply)
