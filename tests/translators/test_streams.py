"""Streams as other servers write them: mixed, repeated, late, cut, without their marks, in JSON that is not strict."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deeepai.declare import Failure, Reason
from deeepai.translators.chat import FORMATS
from deeepai.translators.chat.common import event_data
from deeepai.translators.chat.model import Completion, Stop, Text, Thinking, ToolCall

from .samples import STREAMS, WHOLE
from .world import PAIRS, answer_of, asking, judge_events, payloads, read_stream, run, split, translation, translator

Body = dict[str, Any]
CALLERS = ["responses", "anthropic", "gemini"]


def sse(*events: Body | bytes) -> list[bytes]:
    return [event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


def chunk(delta: Body | None = None, finish: str | None = None, **more: Any) -> Body:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    } | more


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
COUNTED = chunk() | {"choices": [], "usage": USAGE}
DONE = b"data: [DONE]\n\n"


def call(index: Any, id: str = "", name: str = "", arguments: Any = None) -> Body:
    function: Body = {"name": name} if name else {}
    if arguments is not None:
        function["arguments"] = arguments
    made: Body = {"index": index, "function": function}
    return made | ({"id": id, "type": "function"} if id else {})


def calls(*entries: Body) -> Body:
    return chunk({"tool_calls": list(entries)})


def said(read: Completion) -> list[tuple[str, Any]]:
    return [(part.name, json.loads(part.arguments or "{}")) for part in read.parts if isinstance(part, ToolCall)]


def text_of(read: Completion) -> str:
    return "".join(part.text for part in read.parts if isinstance(part, Text))


def heard(source: str, target: str, events: list[bytes]) -> Completion:
    """What a caller reads of a stream, which is held against its vendor's types."""
    shown = run(source, target, events)
    judge_events(source, shown)
    return read_stream(source, shown)


def errors(events: list[bytes]) -> int:
    return sum("error" in data or data.get("type") in ("error", "response.failed") for data in payloads(events))


A, B = ("a", {"x": 1}), ("b", {"y": 2})
FORMS: list[tuple[str, list[Body], list[tuple[str, Any]]]] = [
    ("one after the other", [calls(call(0, "c1", "a", "")), calls(call(0, arguments='{"x":1}')),
                             calls(call(1, "c2", "b", '{"y":2}'))], [A, B]),
    ("one index for both", [calls(call(0, "c1", "a", '{"x":1}')), calls(call(0, "c2", "b", '{"y":2}'))], [A, B]),
    ("one index, no ids", [calls(call(0, "", "a", '{"x":1}')), calls(call(0, "", "b", '{"y":2}'))], [A, B]),
    ("one id for both", [calls(call(0, "c1", "a", '{"x":1}')), calls(call(1, "c1", "b", '{"y":2}'))], [A, B]),
    ("mixed", [calls(call(0, "c1", "a", ""), call(1, "c2", "b", "")), calls(call(1, arguments='{"y"')),
               calls(call(0, arguments='{"x":1}')), calls(call(1, arguments=":2}"))], [A, B]),
    ("mixed by id", [calls(call(None, "c1", "a", '{"x"')), calls(call(None, "c2", "b", '{"y":')),
                     calls(call(None, "c1", "", ":1}")), calls(call(None, "c2", "", "2}"))], [A, B]),
    ("no index", [calls(call(None, "c1", "a", '{"x":1}')), calls(call(None, "c2", "b", '{"y":2}'))], [A, B]),
    ("no index, no id", [calls(call(None, "", "a", '{"x"')), calls(call(None, "", "", ":1}"))], [A]),
    ("an object", [calls(call(0, "c1", "a", {"x": 1}))], [A]),
    ("white space between, nothing after", [calls(call(0, "c1", "a", '{"x":1}')), chunk({"content": "\n"}),
                                            calls(call(0, arguments=""))], [A]),
    ("id and name on every chunk", [calls(call(0, "c1", "a", '{"x"')), calls(call(0, "c1", "a", ":1}"))], [A]),
    ("another id on every chunk", [calls(call(0, "c1", "a", '{"x"')), calls(call(0, "c9", "", ":1}"))], [A]),
    ("a late id", [calls(call(0, "", "a", "")), calls(call(0, "c1", "", '{"x":1}'))], [A]),
    ("a late name", [calls(call(0, "c1", "", "")), calls(call(0, "", "a", '{"x":1}'))], [A]),
    ("a name after the arguments", [calls(call(0, "c1", "", '{"x":1}')), calls(call(0, "", "a"))], [A]),
    ("a name in pieces", [calls(call(0, "c1", "long_", "")), calls(call(0, "", "name", "")),
                          calls(call(0, arguments='{"x":1}'))], [("long_name", {"x": 1})]),
    ("once more at the end", [calls(call(0, "c1", "a", '{"x"')), calls(call(0, arguments=":1}")),
                              calls(call(0, "c1", "a", '{"x":1}'))], [A]),
    ("whole calls at the end", [chunk({"content": "Hi"}),
                                chunk({"tool_calls": [call(0, "c1", "a", '{"x":1}'), call(1, "c2", "b", '{"y":2}')]},
                                      "tool_calls")], [A, B]),
    ("without arguments", [calls(call(0, "c1", "a"))], [("a", {})]),
    ("a message in place of a delta", [chunk() | {"choices": [{"index": 0, "message": {"tool_calls": [
        call(0, "c1", "a", '{"x":1}')]}, "finish_reason": None}]}], [A]),
]  # fmt: skip


@pytest.mark.parametrize("source", CALLERS)
@pytest.mark.parametrize(("name", "events", "wanted"), FORMS, ids=[form[0] for form in FORMS])
def test_calls_are_kept_apart(source: str, name: str, events: list[Body], wanted: list[tuple[str, Any]]) -> None:
    read = heard(source, "openai", sse(*events, chunk({}, "tool_calls"), COUNTED, DONE))
    assert said(read) == wanted
    assert read.stop is Stop.TOOLS
    assert len({part.id for part in read.parts if isinstance(part, ToolCall)}) == len(wanted)


def test_text_between_the_arguments_of_a_call_comes_after_it() -> None:
    events = [calls(call(0, "c1", "a", '{"x"')), chunk({"content": "So."}), calls(call(0, arguments=":1}"))]
    read = heard("anthropic", "openai", sse(*events, chunk({}, "stop"), DONE))
    assert (said(read), text_of(read)) == ([A], "So.")


def test_a_call_without_a_name_is_told_as_a_failure() -> None:
    shown = run("anthropic", "openai", sse(calls(call(0, "c1", "", "{}")), chunk({}, "tool_calls"), DONE))
    assert errors(shown) == 1


def test_content_may_be_a_list() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    content = [thought, {"type": "text", "text": "Hello"}]
    read = heard("responses", "openai", sse(chunk({"content": content}), chunk({}, "stop"), DONE))
    assert text_of(read) == "Hello"
    assert [part.text for part in read.parts if isinstance(part, Thinking)] == ["Hm."]
    body = {"id": "c", "choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    whole = json.loads(translator("anthropic", "openai").answer(asking("anthropic"), answer_of(body)))
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    assert whole["content"][1] == {"type": "text", "text": "Hello"}


# Responses -------------------------------------------------------------------------------------------------------

CREATED = {"type": "response.created", "response": {"id": "resp_1", "created_at": 1, "model": "m", "output": []}}


def event(kind: str, place: int | None = None, **more: Any) -> Body:
    return {"type": f"response.{kind}"} | ({} if place is None else {"output_index": place}) | more


def item(number: int, arguments: str) -> Body:
    return {"id": f"fc_{number}", "type": "function_call", "call_id": f"c{number}", "name": "w", "arguments": arguments}


def message(*texts: str) -> Body:
    content = [{"type": "output_text", "text": text} for text in texts]
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": content}


def completed(*output: Body, **more: Any) -> Body:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    body = {"id": "resp_1", "created_at": 1, "status": "completed", "model": "m", "output": list(output)}
    return {"type": "response.completed", "response": body | {"usage": usage} | more}


TWO = [("w", {"a": 1}), ("w", {"b": 2})]
ITEMS: list[tuple[str, list[Body], str, list[tuple[str, Any]]]] = [
    ("mixed arguments", [
        event("output_item.added", 0, item=item(1, "")), event("output_item.added", 1, item=item(2, "")),
        event("function_call_arguments.delta", 1, item_id="fc_2", delta='{"b"'),
        event("function_call_arguments.delta", 0, item_id="fc_1", delta='{"a":1}'),
        event("function_call_arguments.delta", 1, item_id="fc_2", delta=":2}"),
        event("output_item.done", 0, item=item(1, '{"a":1}')), event("output_item.done", 1, item=item(2, '{"b":2}')),
        completed(item(1, '{"a":1}'), item(2, '{"b":2}'))], "", TWO),
    ("by id alone", [
        event("output_item.added", item=item(1, "")), event("output_item.added", item=item(2, "")),
        event("function_call_arguments.delta", item_id="fc_2", delta='{"b":2}'),
        event("function_call_arguments.delta", item_id="fc_1", delta='{"a":1}'), completed()], "", TWO),
    ("a call only when done", [event("output_item.done", 0, item=item(1, '{"a":1}')), completed()], "", TWO[:1]),
    ("a call only at the end", [completed(item(1, '{"a":1}'), item(2, '{"b":2}'))], "", TWO),
    ("the second call only at the end", [
        event("output_item.added", 0, item=item(1, "")), event("output_item.done", 0, item=item(1, '{"a":1}')),
        completed(item(1, '{"a":1}'), item(2, '{"b":2}'))], "", TWO),
    ("arguments only when done", [
        event("output_item.added", 0, item=item(1, "")),
        event("function_call_arguments.done", 0, item_id="fc_1", arguments='{"a":1}'), completed()], "", TWO[:1]),
    ("text only when done", [
        event("output_item.added", 0, item=message()),
        event("output_text.done", 0, item_id="msg_1", content_index=0, text="Hello"), completed()], "Hello", []),
    ("text only in the part", [
        event("content_part.done", 0, item_id="msg_1", content_index=0, part={"type": "output_text", "text": "Hello"}),
        completed(message("Hello"))], "Hello", []),
    ("text only in the item", [event("output_item.done", 0, item=message("Hello")), completed()], "Hello", []),
    ("text only at the end", [completed(message("Hello"))], "Hello", []),
    ("the rest of a text when done", [
        event("output_text.delta", 0, item_id="msg_1", content_index=0, delta="Hel"),
        event("output_text.done", 0, item_id="msg_1", content_index=0, text="Hello"),
        event("output_item.done", 0, item=message("Hello")), completed(message("Hello"))], "Hello", []),
    ("other ids at the end", [
        event("output_text.delta", 0, item_id="x", content_index=0, delta="Hello"),
        completed(message("Hello"))], "Hello", []),
    ("reasoning that the list leaves out", [
        event("output_item.added", 0, item={"type": "reasoning", "id": "rs_1", "summary": []}),
        event("output_text.delta", 1, item_id="msg_9", content_index=0, delta="Hello"),
        completed(message("Hello"))], "Hello", []),
]  # fmt: skip


@pytest.mark.parametrize("source", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize(("name", "events", "text", "wanted"), ITEMS, ids=[form[0] for form in ITEMS])
def test_items_of_a_response_are_given_once(
    source: str, name: str, events: list[Body], text: str, wanted: list[tuple[str, Any]]
) -> None:
    read = heard(source, "responses", sse(CREATED, *events))
    assert (text_of(read), said(read)) == (text, wanted)
    assert read.stop is (Stop.TOOLS if wanted else Stop.END)


def test_thoughts_only_at_the_end_are_given() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "encrypted_content": "gA", "summary": [{"text": "Hm."}]}
    read = heard("openai", "responses", sse(CREATED, completed(reasoning, message("Hello"))))
    assert [part.text for part in read.parts if isinstance(part, Thinking) and part.text] == ["Hm."]
    assert text_of(read) == "Hello"


# Messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["openai", "responses", "gemini"])
def test_blocks_of_a_message_are_kept_apart(source: str) -> None:
    def block(index: int, name: str) -> Body:
        tool = {"type": "tool_use", "id": f"t{index}", "name": name, "input": {}}
        return {"type": "content_block_start", "index": index, "content_block": tool}

    def delta(index: int, text: str) -> Body:
        return {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": "input_json_delta", "partial_json": text},
        }

    start = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}
    events = [start, start, block(0, "a"), block(1, "b"), delta(1, '{"y"'), delta(0, '{"x":1}'), delta(1, ":2}")]
    stops = [{"type": "content_block_stop", "index": index} for index in (1, 0)]
    whole = heard(source, "anthropic", sse(*events, *stops, end, {"type": "message_stop"}))
    assert said(whole) == [A, B]
    assert said(heard(source, "anthropic", sse(*events, end))) == [A, B]
    assert (whole.usage.input, whole.usage.output) == (3, 2)


def test_a_block_that_nobody_began_is_text() -> None:
    start = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    assert text_of(heard("openai", "anthropic", sse(start, delta, end))) == "Hello"


# Ends ------------------------------------------------------------------------------------------------------------

HELLO = chunk({"role": "assistant", "content": "Hello"})


ENDINGS: list[tuple[str, list[Any]]] = [
    ("as OpenAI does", [HELLO, chunk({}, "stop"), COUNTED, DONE]),
    ("without [DONE]", [HELLO, chunk({}, "stop"), COUNTED]),
    ("without usage and [DONE]", [HELLO, chunk({}, "stop")]),
    ("without a reason", [HELLO, COUNTED, DONE]),
    ("with usage alone", [HELLO, COUNTED]),
    ("twice", [HELLO, chunk({}, "stop"), chunk({}, "stop"), COUNTED, DONE, DONE]),
    ("with usage after [DONE]", [HELLO, chunk({}, "stop"), DONE, COUNTED]),
    (
        "with a reason on every chunk",
        [chunk({"content": "Hel"}, "stop"), chunk({"content": "lo"}, "stop"), COUNTED, DONE],
    ),
    ("with text after the reason", [chunk({"content": "Hel"}, "stop"), chunk({"content": "lo"}), COUNTED]),
    ("with a comment last", [HELLO, chunk({}, "stop"), COUNTED, DONE, b": bye\n\n"]),
    ("with Anthropic's word", [HELLO, chunk({}, "end_turn"), COUNTED, DONE]),
]


@pytest.mark.parametrize("source", CALLERS)
@pytest.mark.parametrize(("name", "events"), ENDINGS, ids=[form[0] for form in ENDINGS])
def test_an_end_is_written_however_the_server_ends(source: str, name: str, events: list[Any]) -> None:
    read = heard(source, "openai", sse(*events))
    assert (text_of(read), read.stop) == ("Hello", Stop.END)


@pytest.mark.parametrize("source", CALLERS)
@pytest.mark.parametrize(
    "events", [[HELLO], [chunk({"role": "assistant", "content": ""}, usage=USAGE), HELLO], [COUNTED, HELLO]]
)
def test_a_stream_without_an_end_is_cut(source: str, events: list[Any]) -> None:
    stream = translation(source, "openai")
    shown = b"".join(stream.feed(each) for each in sse(*events))
    assert not stream.whole
    shown += stream.fail(Failure(Reason.UPSTREAM, "The upstream broke off: reset"))
    assert errors(split(shown)) == 1
    assert b"The upstream broke off: reset" in shown
    assert stream.fail(Failure(Reason.UPSTREAM, "Again")) == stream.end() == b""


def gemini(*texts: str, reason: str | None = None, usage: bool = True) -> Body:
    candidate: Body = {"content": {"parts": [{"text": text} for text in texts], "role": "model"}, "index": 0}
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    body: Body = {"candidates": [candidate | ({"finishReason": reason} if reason else {})], "responseId": "r"}
    return body | ({"usageMetadata": counts} if usage else {})


TAIL = {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5}, "modelVersion": "g", "responseId": "r"}


TAILS: list[tuple[str, list[Any]]] = [
    ("as Google does", [gemini("Hel"), gemini("lo", reason="STOP")]),
    ("with [DONE]", [gemini("Hel"), gemini("lo", reason="STOP"), DONE]),
    ("with usage after the reason", [gemini("Hel"), gemini("lo", reason="STOP", usage=False), TAIL]),
    ("with a reason on every event", [gemini("Hel", reason="STOP"), gemini("lo", reason="STOP"), b": bye\n\n", DONE]),
]


@pytest.mark.parametrize("source", ["openai", "responses", "anthropic"])
@pytest.mark.parametrize(("name", "events"), TAILS, ids=[form[0] for form in TAILS])
def test_what_follows_on_geminis_end_is_no_fault(source: str, name: str, events: list[Any]) -> None:
    read = heard(source, "gemini", sse(*events))
    assert (text_of(read), read.stop) == ("Hello", Stop.END)
    assert (read.usage.input, read.usage.output) == (10, 5)


FAILED = [
    *[("gemini", reason) for reason in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER", "NEW_REASON")],
    *[("openai", reason) for reason in ("network_error", "insufficient_system_resource", "error", "abort")],
    ("anthropic", "new_reason"),
    ("responses", "new_reason"),
]


def ending(target: str, reason: str) -> tuple[Body, list[bytes]]:
    """A whole answer and a stream that end with a reason."""
    if target == "openai":
        choice = {"message": {"content": "half"}, "finish_reason": reason}
        return {"id": "c", "choices": [choice]}, sse(HELLO, chunk({}, reason), COUNTED, DONE)
    if target == "gemini":
        return gemini("half", reason=reason), sse(gemini("Hel"), gemini("lo", reason=reason))
    if target == "anthropic":
        body = {"id": "m", "content": [{"type": "text", "text": "half"}], "stop_reason": reason}
        start = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
        end = {"type": "message_delta", "delta": {"stop_reason": reason}}
        return body, sse(start, end, {"type": "message_stop"})
    response = completed(message("half"), status="incomplete", incomplete_details={"reason": reason})
    return response["response"], sse(CREATED, response)


@pytest.mark.parametrize(("target", "reason"), FAILED)
def test_a_reason_that_is_no_end_is_a_failure(target: str, reason: str) -> None:
    body, events = ending(target, reason)
    for source in WHOLE:
        if source == target:
            continue
        with pytest.raises(Failure) as caught:
            translator(source, target).answer(asking(source), answer_of(body))
        assert (caught.value.kind, caught.value.message) == (Reason.UPSTREAM, f"The model stopped: {reason}")
        shown = run(source, target, events)
        assert errors(shown) == 1
        assert f"The model stopped: {reason}" in shown[-1].decode()


@pytest.mark.parametrize("reason", ["sensitive", "content_filter", "content_filter: RECITATION", "SAFETY"])
def test_what_a_filter_stops_is_filtered(reason: str) -> None:
    body, events = ending("openai", reason)
    made = json.loads(translator("anthropic", "openai").answer(asking("anthropic"), answer_of(body)))
    assert made["stop_reason"] == "refusal"
    assert heard("gemini", "openai", events).stop is Stop.FILTERED


# Framing and JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", CALLERS)
def test_every_framing_of_the_standard_is_read(source: str) -> None:
    data = json.dumps(HELLO)
    pretty = json.dumps(HELLO, indent=1).replace("\n", "\ndata: ")
    for first in (
        f"data:{data}\n\n",
        f"\ufeffdata: {data}\n\n",
        f"id: 1\nevent: message\ndata: {data}\n\n",
        f": hi\r\nretry: 9\r\ndata: {data}\r\n\r\n",
        f"data: {data}\rid: 1\r\r",
        f"data: {pretty}\n\n",
    ):
        events = [first.encode(), *sse(chunk({}, "stop"), COUNTED), b"event: done\ndata: [DONE]\n\n"]
        assert text_of(heard(source, "openai", events)) == "Hello"


def test_data_is_what_stands_in_data_lines() -> None:
    assert event_data(b"\xef\xbb\xbfdata: a\ndata: b\nid: 1\n\n") == b"a\nb"
    assert event_data(b": data: x\n\n") == b""


@pytest.mark.parametrize("source", CALLERS)
def test_json_that_lenient_readers_take(source: str) -> None:
    def raw(text: bytes) -> bytes:
        return sse(chunk({"content": "@"}))[0].replace(b"@", text)

    end = sse(chunk({}, "stop"), DONE)
    for pieces, wanted in (
        ([rb"Hi ", rb"\ud83d", rb"\ude00 there"], "Hi \U0001f600 there"),
        ([rb"\ud83d\ude00", rb"\uD83D", rb"x"], "\U0001f600\ufffdx"),
        ([rb"Hi ", rb"\ud83d"], "Hi \ufffd"),
        ([b"Hi\tthere"], "Hi\tthere"),
        ([b"Hi ", b"\xe4\xbd", b"\xa0 ok"], "Hi \ufffd\ufffd ok"),
    ):
        assert text_of(heard(source, "openai", [*map(raw, pieces), *end])) == wanted
    body = b'{"id":"c","choices":[{"message":{"content":"a\\ud83d\tb"},"finish_reason":"stop"}]}'
    made = json.loads(translator(source, "openai").answer(asking(source), answer_of(body)))
    assert text_of(FORMATS[source].read_answer(made)) == "a\ufffd\tb"


# What callers see ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["openai", "responses", "gemini"])
def test_a_message_begins_with_an_estimate_of_its_input(target: str) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40000}}
    asked = [{"role": "user", "content": [{"type": "text", "text": "word " * 400}, picture]}]
    events = payloads(run("anthropic", target, STREAMS[target], messages=asked))
    assert 400 < events[0]["message"]["usage"]["input_tokens"] < 700
    assert events[-2]["usage"]["input_tokens"] == 100


@pytest.mark.parametrize("source", CALLERS)
def test_an_answer_has_an_id_of_its_own(source: str) -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    events = sse(first, HELLO, chunk({}, "stop"), DONE)
    name = heard(source, "openai", events).id
    # Callers go on from a response by its id: what an upstream calls its answer need not be the only one of the name.
    assert re.fullmatch(r"resp_[0-9a-f]{48}", name) if source == "responses" else name.endswith("1")
    nameless = sse(*[json.loads(event_data(each)) | {"id": ""} for each in events[1:3]], DONE)
    shown = payloads(run(source, "openai", nameless))[0]
    ids = {"responses": shown.get("response", {}).get("id"), "anthropic": shown.get("message", {}).get("id")}
    assert ids.get(source) not in ("msg_", "resp_")


@pytest.mark.parametrize("target", ["openai", "anthropic", "gemini"])
def test_a_response_that_breaks_off_has_failed(target: str) -> None:
    events = payloads(run("responses", target, STREAMS[target][:4]))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"]["message"] == "The upstream's answer ended before it was complete"
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_nothing_of_foreign_events_reaches_the_caller(source: str, target: str) -> None:
    odd = [b": OPENROUTER PROCESSING\n\n", b"event: ping\n\n", b"data:\n\n", b"id: 4\n\n", b"retry: 100\n\n"]
    mixed = [each for event in STREAMS[target] for each in (*odd, event)]
    plain = [event for event in STREAMS[target] if b'"ping"' not in event]
    shown = run(source, target, mixed)
    judge_events(source, shown)
    assert len(shown) == len(run(source, target, plain))


@pytest.mark.parametrize("source", CALLERS)
def test_thoughts_beside_the_output_are_told_with_it(source: str) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 2809}}
    usage = {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428} | details
    events = sse(HELLO, chunk({}, "stop"), chunk() | {"choices": [], "usage": usage}, DONE)
    read = heard(source, "openai", events)
    assert (read.usage.input, read.usage.output, read.usage.reasoning) == (10120, 4308, 2809)
    inside = events[:2] + sse(chunk() | {"choices": [], "usage": usage | {"total_tokens": 11619}}, DONE)
    assert heard(source, "openai", inside).usage.output == 1499
