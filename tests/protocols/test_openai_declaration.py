"""OpenAI's declaration: work in the background is asked for where it lies, lists say where their items are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deeepai.declare import (
    Accepted,
    Answer,
    AnyRequest,
    Call,
    Facts,
    Json,
    ObjectCall,
    ObjectList,
    Refused,
    State,
    Task,
    is_done,
)
from deeepai.protocols import PROTOCOLS
from deeepai.protocols.openai import chat, responses
from tests.protocols.plain import asked, sent_on

OPENAI = PROTOCOLS["openai"]
OPERATIONS: dict[str, Any] = {operation.name: operation for operation in OPENAI.operations}
NO_REQUEST: AnyRequest = object()  # pyright: ignore[reportAssignmentType]
RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1"}
BACKGROUND = {
    "responses.create": ({"id": "resp_1", "object": "response"}, "/responses/resp_1"),
    "batches.create": ({"id": "batch_1", "object": "batch"}, "/batches/batch_1"),
    "fine_tuning.jobs.create": ({"id": "ftjob-1"}, "/fine_tuning/jobs/ftjob-1"),
    "threads.runs.create": (RUN, "/threads/thread_1/runs/run_1"),
    "threads.runs.create_both": (RUN, "/threads/thread_1/runs/run_1"),
}


def answer(value: Json) -> Answer:
    return Answer(200, {}, msgspec.json.encode(value))


@pytest.mark.parametrize("name", BACKGROUND)
def test_work_is_asked_for_where_its_callers_can_ask_too(name: str) -> None:
    value, path = BACKGROUND[name]
    rules = OPERATIONS[name].objects.background.rules
    accepted = rules.accept(answer(value), NO_REQUEST)
    assert isinstance(accepted, Accepted)
    assert accepted.path == path
    assert accepted.within == (("thread_1",) if value is RUN else ())
    task = Task("work_1", name, "m", State.RUNNING, accepted.upstream_id, facts=dict(accepted.facts))
    assert rules.poll(task).path == path
    assert isinstance(rules.accept(answer({"object": "list"}), NO_REQUEST), Refused)


def test_all_work_in_the_background_is_tried() -> None:
    declared = {
        operation.name
        for operation in OPENAI.operations
        if isinstance(operation, Call) and operation.objects is not None and operation.objects.background is not None
    }
    assert declared == BACKGROUND.keys()


def test_a_lists_items_are_asked_for_where_one_is_got() -> None:
    lists = [operation for operation in OPENAI.operations if isinstance(operation, ObjectList)]
    single = {
        operation.upstream_template
        for operation in OPENAI.operations
        if isinstance(operation, ObjectCall) and operation.method == "GET"
    }
    assert lists
    for operation in lists:
        head, name = operation.listing.item("a/b").rsplit("/", 1)
        assert (head, name) == (operation.upstream_template, "a%2Fb")
        assert any(path.startswith(head + "/{") and path.count("{") == 1 and path.endswith("}") for path in single)


def test_a_channels_settings() -> None:
    assert OPENAI.settings is chat.OpenAISettings
    assert chat.OpenAISettings().stream_usage
    assert not msgspec.convert({"stream_usage": False}, chat.OpenAISettings).stream_usage
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"stream_usages": False}, chat.OpenAISettings)


@pytest.mark.parametrize("value", [None, "[DONE]", [], {"choices": [None]}, {"choices": [{"delta": {"content": 1}}]}])
def test_what_is_no_chunk_adds_no_text(value: Json) -> None:
    assert chat.delta_text(value) == ""
    assert responses.delta_text(value) == ""


def test_the_text_of_a_chunk() -> None:
    calls = [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]
    delta = {"content": "a", "reasoning_content": "b", "tool_calls": calls}
    assert chat.delta_text({"choices": [{"delta": delta}, {"text": "c"}]}) == "abf{}c"


# Streams -----------------------------------------------------------------------------------------------------------


def test_other_options_of_a_stream_go_along() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    facts = Facts(model="m", requested_model="m")
    for options in ({}, {"include_obfuscation": False}, {"include_usage": False, "continuous_usage_stats": True}):
        sent = sent_on(OPERATIONS["chat.completions"], body | {"stream_options": options}, facts)
        assert sent["stream_options"] == options | {"include_usage": True}
    assert sent_on(OPERATIONS["chat.completions"], body, facts)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "event",
    [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"event: x\ndata:  [DONE]\r\n\r\n", b"\xef\xbb\xbfdata: [DONE]\n\n"],
)
def test_an_end_is_known_in_every_framing(event: bytes) -> None:
    assert is_done(event)
    assert not is_done(b'data: {"a":"[DONE]"}\n\n')


def test_a_response_ends_by_its_type_whatever_its_events_are_called() -> None:
    assert responses.ends(b'event: message\ndata: {"type": "response.completed"}\n\n')
    assert responses.ends(b"event: response.failed\ndata: {}\n\n")
    assert not responses.ends(b'event: message\ndata: {"type": "response.created"}\n\n')


def test_data_without_any_is_not_passed_on() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    request: Any = asked(OPERATIONS["chat.completions"], body)
    for event in (b"data:\n\n", b"data: \n\n", b"event: ping\ndata:\n\n"):
        assert any(mark in event for mark in chat.STREAM.scan_for)
        assert chat.hide_usage(request, event) is None
    assert chat.hide_usage(request, b": wait\n\n") == b": wait\n\n"
