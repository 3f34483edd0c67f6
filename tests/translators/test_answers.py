"""Whole answers and streams of every pair, held against the vendors' own types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeepai.declare import Failure, Reason
from deeepai.translators.chat import FORMATS
from deeepai.translators.chat.model import Stop, Text, Thinking, Tokens, ToolCall

from .samples import STREAMS, WHOLE
from .world import (
    PAIRS,
    answer_of,
    asking,
    canonical,
    judge_answer,
    judge_events,
    payloads,
    read_stream,
    run,
    translation,
    translator,
)

USAGE = Tokens(input=120, cached=20, output=60, reasoning=12)


def whole(source: str, target: str, body: Any = None, **asked: Any) -> dict[str, Any]:
    made = translator(source, target).answer(asking(source, **asked), answer_of(body or WHOLE[target]))
    return json.loads(made)


@pytest.mark.parametrize("name", WHOLE)
def test_the_samples_are_what_their_vendor_says(name: str) -> None:
    judge_answer(name, WHOLE[name])
    events = [event for event in STREAMS[name] if b'"ping"' not in event]
    judge_events(name, events)


@pytest.mark.parametrize("name", WHOLE)
def test_a_stream_reads_as_the_whole_answer_does(name: str) -> None:
    read = FORMATS[name].read_answer(WHOLE[name])
    assert canonical(read_stream(name, STREAMS[name])) == canonical(read)
    assert read.usage == USAGE
    assert read.stop is Stop.TOOLS
    assert [part.text for part in read.parts if isinstance(part, Text)] == ["Let me look."]
    assert "Two cities." in [part.text for part in read.parts if isinstance(part, Thinking)]
    calls = [part for part in read.parts if isinstance(part, ToolCall)]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_whole_answers_translate(source: str, target: str) -> None:
    made = whole(source, target)
    judge_answer(source, made)
    assert made.get("model", made.get("modelVersion")) == "asked-model"
    read = FORMATS[source].read_answer(made)
    assert read.usage == USAGE
    assert read.stop is Stop.TOOLS
    assert [part.text for part in read.parts if isinstance(part, Text)] == ["Let me look."]
    before = [part for part in FORMATS[target].read_answer(WHOLE[target]).parts if isinstance(part, ToolCall)]
    after = [part for part in read.parts if isinstance(part, ToolCall)]
    assert [(one.id, one.name, json.loads(one.arguments)) for one in after] == [
        (one.id, one.name, json.loads(one.arguments)) for one in before
    ]
    thoughts = "".join(part.text for part in read.parts if isinstance(part, Thinking))
    assert "Two cities." in thoughts


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_streams_translate_to_the_same_as_whole_answers(source: str, target: str) -> None:
    events = run(source, target, STREAMS[target])
    judge_events(source, events)
    read = FORMATS[source].read_answer(whole(source, target))
    assert canonical(read_stream(source, events)) == canonical(read)


def test_chunks_of_openai_are_its_own() -> None:
    events = payloads(run("openai", "anthropic", STREAMS["anthropic"]))
    deltas = [chunk["choices"][0]["delta"] for chunk in events if chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert {"content": "Let me"} in deltas
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0] == {
        "index": 0,
        "id": "toolu_a",
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    assert calls[1] == {"index": 0, "function": {"arguments": '{"city": "Pa'}}
    assert calls[3]["index"] == 1
    assert deltas[-1] == {}
    assert events[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["total_tokens"] == 180
    assert all(chunk["usage"] is None for chunk in events[:-1])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in events}) == 1


def test_openai_shows_usage_only_where_it_is_asked_for() -> None:
    events = payloads(run("openai", "gemini", STREAMS["gemini"], stream_options=None))
    assert all("usage" not in chunk and chunk["choices"] for chunk in events)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"model": "gemini-2.5-pro"}, "gemini-2.5-pro"),
        ({"owner": "house", "model": "m1"}, "house/m1"),
        ({"tuned": "mine"}, "tunedModels/mine"),
    ],
)
def test_a_model_in_the_path_is_named_again(params: dict[str, str], name: str) -> None:
    request = asking("gemini")
    request.params = params
    made = translator("gemini", "openai").answer(request, answer_of(WHOLE["openai"]))
    assert json.loads(made)["modelVersion"] == name


def test_events_of_anthropic_are_its_own() -> None:
    events = payloads(run("anthropic", "openai", STREAMS["openai"]))
    assert [event["type"] + str(event.get("index", "")) for event in events] == [
        "message_start",
        "content_block_start0",
        *["content_block_delta0"] * 3,
        "content_block_stop0",
        "content_block_start1",
        *["content_block_delta1"] * 2,
        "content_block_stop1",
        "content_block_start2",
        *["content_block_delta2"] * 2,
        "content_block_stop2",
        "content_block_start3",
        "content_block_delta3",
        "content_block_stop3",
        "message_delta",
        "message_stop",
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"]["input_tokens"] == 100
    assert events[-2]["usage"]["cache_read_input_tokens"] == 20
    assert [event["delta"]["type"] for event in events[2:5]] == ["thinking_delta", "thinking_delta", "signature_delta"]


def test_events_of_responses_are_its_own() -> None:
    events = payloads(run("responses", "anthropic", STREAMS["anthropic"]))
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added"),
        *["reasoning_summary_text.delta"] * 2,
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added"),
        *["output_text.delta"] * 2,
        *("output_text.done", "content_part.done", "output_item.done"),
        "output_item.added",
        *["function_call_arguments.delta"] * 2,
        *("function_call_arguments.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.added"] == [0, 1, 2, 3]


def test_gemini_gets_its_calls_whole_and_its_reason_last() -> None:
    events = payloads(run("gemini", "openai", STREAMS["openai"]))
    parts = [part for event in events for part in event["candidates"][0]["content"]["parts"]]
    assert [part["functionCall"]["args"] for part in parts if "functionCall" in part] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]
    assert [event["candidates"][0].get("finishReason") for event in events] == [None] * (len(events) - 1) + ["STOP"]
    assert events[-1]["usageMetadata"]["totalTokenCount"] == 180


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_stream_that_is_cut_ends_in_an_error(source: str, target: str) -> None:
    events = run(source, target, STREAMS[target][:4])
    last = payloads(events)[-1]
    assert last.get("type") in ("error", "response.failed") or "error" in last
    assert b"[DONE]" not in events[-1]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_is_no_event_is_passed_over(source: str, target: str) -> None:
    stream = translation(source, target)
    for event in (b": PING\n\n", b"\n", b"event: x\n\n"):
        assert stream.feed(event) == b""


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_event_of_another_shape_ends_in_an_error(source: str, target: str) -> None:
    shapes = {
        "openai": b'{"choices":[{"delta":{"tool_calls":[7]}}]}',
        "responses": b'{"type":"response.output_item.added","item":7}',
        "anthropic": b'{"type":"content_block_delta","index":0,"delta":7}',
        "gemini": b'{"candidates":[{"content":{"parts":7}}]}',
    }
    stream = translation(source, target)
    for event in STREAMS[target][:4]:
        stream.feed(event)
    assert b"error" in stream.feed(b"data: " + shapes[target] + b"\n\n")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_an_event_that_is_no_json_ends_in_an_error(source: str, target: str) -> None:
    stream = translation(source, target)
    stream.feed(STREAMS[target][0])
    made = stream.feed(b"data: {not json\n\n")
    assert b"error" in made
    assert stream.feed(STREAMS[target][1]) == b""
    assert stream.end() == b""


ERRORS: list[tuple[str, dict[str, Any]]] = [
    ("openai", {"error": {"message": "Too much at once", "type": "server_error", "code": None}}),
    ("anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": "Too much at once"}}),
    ("gemini", {"error": {"code": 503, "message": "Too much at once", "status": "UNAVAILABLE"}}),
    ("responses", {"type": "error", "code": "server_error", "message": "Too much at once", "sequence_number": 4}),
    ("responses", {"type": "response.failed", "response": {"error": {"message": "Too much at once"}}}),
]


@pytest.mark.parametrize(
    ("source", "target", "event"), [(source, *error) for source in WHOLE for error in ERRORS if error[0] != source]
)
def test_an_error_in_mid_stream_is_told(source: str, target: str, event: dict[str, Any]) -> None:
    stream = translation(source, target)
    for each in STREAMS[target][:3]:
        stream.feed(each)
    assert b"Too much at once" in stream.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert stream.end() == b""


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"choices":3,"content":3,"candidates":3,"output":3}'])
def test_an_answer_that_is_none_is_the_upstreams_fault(source: str, target: str, body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        translator(source, target).answer(asking(source), answer_of(body))
    assert caught.value.kind is Reason.UPSTREAM


ENDS: list[tuple[str, dict[str, Any], Stop]] = [
    ("openai", {"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}, Stop.LENGTH),
    ("openai", {"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}, Stop.FILTERED),
    ("anthropic", {"content": [], "stop_reason": "max_tokens"}, Stop.LENGTH),
    ("anthropic", {"content": [], "stop_reason": "refusal"}, Stop.FILTERED),
    ("anthropic", {"content": [], "stop_reason": "model_context_window_exceeded"}, Stop.LENGTH),
    ("gemini", {"candidates": [{"finishReason": "MAX_TOKENS"}]}, Stop.LENGTH),
    ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}, Stop.FILTERED),
    ("gemini", {"candidates": [{"finishReason": "PROHIBITED_CONTENT"}]}, Stop.FILTERED),
    (
        "responses",
        {"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        Stop.LENGTH,
    ),
    (
        "responses",
        {"output": [], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
        Stop.FILTERED,
    ),
]


@pytest.mark.parametrize(
    ("source", "target", "body", "stop"), [(source, *end) for source in WHOLE for end in ENDS if end[0] != source]
)
def test_the_reason_of_an_end_is_kept(source: str, target: str, body: dict[str, Any], stop: Stop) -> None:
    made = whole(source, target, {"id": "x1"} | body)
    judge_answer(source, made)
    assert FORMATS[source].read_answer(made).stop is stop


def test_a_stop_sequence_is_named_to_anthropic_only_where_it_is_known() -> None:
    body = {"id": "msg_1", "content": [{"type": "text", "text": "a"}], "stop_reason": "stop_sequence"}
    made = whole("openai", "anthropic", body | {"stop_sequence": "END"})
    assert made["choices"][0]["finish_reason"] == "stop"


def test_a_response_that_failed_is_a_failure() -> None:
    body = {"output": [], "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}
    with pytest.raises(Failure) as caught:
        whole("openai", "responses", body)
    assert (caught.value.kind, caught.value.message) == (Reason.RATE_LIMITED, "Slow down")


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] in ("anthropic", "gemini")])
def test_thoughts_that_nobody_asked_for_stay_away(source: str, target: str) -> None:
    asked: dict[str, Any] = {"thinking": None} if source == "anthropic" else {"generationConfig": {}}
    made = json.dumps(whole(source, target, **asked))
    assert "Two cities." not in made
    events = run(source, target, STREAMS[target], **asked)
    assert b"Two cities." not in b"".join(events)
    assert b'"thinking_delta"' not in b"".join(events)
    read = FORMATS[source].read_answer(json.loads(made))
    assert canonical(read_stream(source, events)) == canonical(read)


def test_a_refusal_in_words_is_one_everywhere() -> None:
    body = {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}],
    }
    assert whole("anthropic", "openai", body)["stop_reason"] == "refusal"
    assert whole("responses", "openai", body)["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert whole("gemini", "openai", body)["candidates"][0]["content"]["parts"] == [{"text": "No."}]


def test_tokens_written_to_a_cache_are_counted_once() -> None:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 20, "output_tokens": 7}
    body = {"id": "msg_1", "content": [], "stop_reason": "end_turn", "usage": usage}
    shown = whole("openai", "anthropic", body)["usage"]
    assert (shown["prompt_tokens"], shown["completion_tokens"], shown["total_tokens"]) == (55, 7, 62)
    assert shown["prompt_tokens_details"] == {"cached_tokens": 20, "cache_write_tokens": 30, "audio_tokens": 0}
    answer = {"id": "c", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": shown}
    assert whole("anthropic", "openai", answer)["usage"] == usage
    metadata = whole("gemini", "anthropic", body)["usageMetadata"]
    assert (metadata["promptTokenCount"], metadata["cachedContentTokenCount"]) == (55, 20)


def test_thoughts_in_several_pieces_are_set_apart() -> None:
    at = {"item_id": "rs_1", "output_index": 0}
    pieces = [
        {"type": "response.reasoning_summary_text.delta", **at, "summary_index": index, "delta": text}
        for index, text in ((0, "One"), (0, "."), (1, "Two."))
    ]
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    events = [
        {"type": "response.created", "response": WHOLE["responses"] | {"output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *pieces,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": WHOLE["responses"]},
    ]
    shown = payloads(run("openai", "responses", [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]))
    deltas = [chunk["choices"][0]["delta"] for chunk in shown if chunk["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "One.\n\nTwo."


def test_a_picture_of_gemini_is_shown_as_markdown() -> None:
    body = {
        "responseId": "r1",
        "candidates": [
            {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]}, "finishReason": "STOP"}
        ],
    }
    content = whole("openai", "gemini", body)["choices"][0]["message"]["content"]
    assert content == "![image](data:image/png;base64,iVBO)"
