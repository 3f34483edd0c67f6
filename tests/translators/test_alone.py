"""What a format repeats and a server sends alone: an object in the place of a list, a text in the place of blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.declare import Failure, event_json, whole_events
from deeepai.translators.chat import FORMATS
from tests.support.alone import alone

from .samples import STREAMS, WHOLE
from .test_streams import DONE, chunk, sse, text_of
from .test_streams import said as calls_of
from .world import (
    PAIRS,
    answer_of,
    asking,
    canonical,
    judge_answer,
    judge_events,
    read_stream,
    run,
    translation,
    translator,
)


def answered(source: str, target: str, body: Any) -> Any:
    judged = json.loads(translator(source, target).answer(asking(source), answer_of(body), None))
    judge_answer(source, judged)
    return FORMATS[source].read_answer(judged)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_object_alone_is_a_list_of_one(source: str, target: str) -> None:
    whole = answered(source, target, WHOLE[target])
    lone = answered(source, target, alone(WHOLE[target]))
    assert canonical(lone) == canonical(whole)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_and_so_it_is_in_streams(source: str, target: str) -> None:
    sent: list[bytes] = []
    for event in STREAMS[target]:
        data = event_json(event)
        sent.append(event if data is None else b"data: " + json.dumps(alone(data)).encode() + b"\n\n")
    whole, lone = (run(source, target, events) for events in (STREAMS[target], sent))
    judge_events(source, lone)
    read, other = read_stream(source, whole), read_stream(source, lone)
    assert [type(part) for part in other.parts] == [type(part) for part in read.parts]
    assert (text_of(other), other.stop, other.usage) == (text_of(read), read.stop, read.usage)


TEXTS: dict[str, Any] = {
    "anthropic": {"content": "Hello", "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 2}},
    "responses": {"output": {"type": "message", "content": "Hello"}, "status": "completed"},
    "gemini": {"candidates": {"content": {"parts": "Hello"}, "finishReason": "STOP"}},
    "openai": {"choices": {"message": {"content": {"type": "text", "text": "Hello"}}, "finish_reason": "stop"}},
}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_text_alone_is_what_was_said(source: str, target: str) -> None:
    assert text_of(answered(source, target, TEXTS[target])) == "Hello"


@pytest.mark.parametrize("source", ["responses", "anthropic", "gemini"])
def test_a_call_alone_in_a_delta_and_deltas_of_nothing(source: str) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "find", "arguments": {"city": "Rome"}}}
    nothing = {"id": "c", "choices": [{"index": 0, "delta": None, "finish_reason": None}]}
    said = {"id": "c", "choices": {"index": 0, "delta": {"tool_calls": call}, "finish_reason": None}}
    read = read_stream(source, run(source, "openai", sse(nothing, said, chunk({}, "tool_calls"), DONE)))
    assert calls_of(read) == [("find", {"city": "Rome"})]


ODD = [7, "x", True, [7], [[]], ["x"]]
PLACES: dict[str, Any] = {
    "openai": lambda odd: [{"choices": odd}, {"choices": [{"message": odd}]}],
    "anthropic": lambda odd: [{"content": [odd]}],
    "gemini": lambda odd: [{"candidates": odd}, {"candidates": [{"content": {"parts": [odd]}}]}],
    "responses": lambda odd: [{"output": odd}, {"output": [{"type": "message", "content": [odd]}]}],
}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_is_neither_is_no_answer(source: str, target: str) -> None:
    for body in (body for odd in ODD for body in PLACES[target](odd)):
        with pytest.raises(Failure, match="could not be read"):
            translator(source, target).answer(asking(source), answer_of(body), None)
        stream = translation(source, target)
        made = b"".join(stream.feed(event) for event in sse(body)) + stream.end()
        assert whole_events(made)
        assert not stream.whole
