"""What Anthropic's declaration reads out of usage, events and batches; after the vendor's reference."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from deeepai.declare import Answer, Failure, Reason, State, Task, TaskStatus, Usage
from deeepai.gateway.body.request import HttpRequest
from deeepai.protocols.anthropic import anthropic, batches
from deeepai.protocols.anthropic.errors import channel_fault, error, too_long
from deeepai.protocols.anthropic.messages import STREAM, container_made
from deeepai.protocols.anthropic.usage import answer_usage
from tests.protocols.sent import Fixed, answered, facts, sent

HELLO = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
NO_REQUEST: Any = None
"""Where a declaration does not look at it."""


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def used(**usage: Any) -> Usage:
    found = answer_usage(NO_REQUEST, answered({"type": "message", "usage": usage}))
    assert found is not None
    return found


def streamed(*events: bytes) -> Usage:
    assert STREAM.merge is not None
    total: Usage | None = None
    for one in events:
        usage = STREAM.usage(one)
        if usage is not None:
            total = usage if total is None else STREAM.merge(total, usage)
    assert total is not None
    return total


@pytest.mark.parametrize(
    ("written", "last"),
    [
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type": "message_stop"}\n\n', True),
        (b'data: { "type" : "message_stop" }\r\n\r\n', True),
        (b'data: {"type":"content_block_start","content_block":{"input":{"type":"message_stop"}}}\n\n', False),
        (b'data: {"type":"content_block_delta","delta":{"text":"message_stop"}}\n\n', False),
    ],
)
def test_the_last_event_however_it_is_written(written: bytes, last: bool) -> None:
    assert STREAM.is_last(written) is last


def test_counts_are_disjoint() -> None:
    found = used(
        input_tokens=5,
        output_tokens=7,
        cache_read_input_tokens=11,
        cache_creation_input_tokens=30,
        cache_creation={"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        output_tokens_details={"thinking_tokens": 3},
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 9},
        service_tier="standard",
        inference_geo="global",
        speed="standard",
    )
    assert found == Usage(
        input=5, output=7, cached=11, cache_write=10, cache_write_1h=20, reasoning=3, searches=2, basis="vendor"
    )


def test_what_changes_the_price_is_told() -> None:
    found = used(input_tokens=1, output_tokens=1, inference_geo="us", speed="fast")
    assert found.params == {"inference_geo": "us", "speed": "fast"}
    assert used(input_tokens=1, output_tokens=1, inference_geo="not_available").params == {}


def test_condensing_the_conversation_is_counted_too() -> None:
    iterations = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1000},
    ]
    found = used(input_tokens=23_000, output_tokens=1000, iterations=iterations)
    assert (found.input, found.output) == (203_000, 4500)


ADVICE = {"type": "advisor_message", "model": "wise", "input_tokens": 40, "output_tokens": 9}


def test_advice_is_its_model_s() -> None:
    found = used(input_tokens=5, output_tokens=7, iterations=[ADVICE, {"type": "message"}, ADVICE])
    assert (found.input, found.output) == (5, 7)
    assert found.others == {"wise": Usage(input=80, output=18, basis="vendor")}


def test_an_answer_of_another_model_s_is_that_model_s() -> None:
    other = {"type": "fallback_message", "model": "other", "input_tokens": 5, "output_tokens": 7}
    declined = {"type": "message", "model": "m", "input_tokens": 5, "output_tokens": 0}
    expected = Usage(others={"other": Usage(input=5, output=7, basis="vendor")}, basis="vendor")
    assert used(input_tokens=5, output_tokens=7, iterations=[declined, other]) == expected
    end = {"input_tokens": 5, "output_tokens": 7, "iterations": [declined, other]}
    start = event("message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}})
    assert streamed(start, event("message_delta", usage=end)) == expected


async def test_all_models_that_a_request_names_are_told() -> None:
    tools = [{"name": "add", "input_schema": {}}, {"type": "advisor_20260301", "name": "advisor", "model": "wise"}]
    more = {**HELLO, "tools": tools, "fallbacks": [{"model": "other", "speed": "fast"}]}
    batch = {"requests": [{"custom_id": "a", "params": more}]}
    for path, body in (("/v1/messages", more), ("/v1/messages/batches", batch)):
        operation, request = await sent(anthropic, "POST", path, body)
        assert operation.further_models is not None
        assert sorted(operation.further_models(request)) == ["other", "wise"]
    operation, request = await sent(anthropic, "POST", "/v1/messages", {**HELLO, "fallbacks": "default"})
    assert operation.further_models is not None
    assert not operation.further_models(request)


async def test_an_answer_without_usage_is_estimated() -> None:
    _, request = await sent(anthropic, "POST", "/v1/messages", HELLO)
    for body in (b'{"content": []}', b"no json at all", b'{"usage": 3}'):
        found = answer_usage(request, answered(body))
        assert found is not None
        assert found.basis == "estimated"
        assert found.output > 0


def test_a_stream_s_parts_are_not_counted_twice() -> None:
    start = {
        "input_tokens": 5,
        "output_tokens": 1,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 4,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "inference_geo": "us",
    }
    found = streamed(
        event("message_start", message={"usage": start}),
        event("ping"),
        event("content_block_delta", delta={"type": "text_delta", "text": '"usage"'}),
        event("message_delta", usage={"output_tokens": 9}),
        event(
            "message_delta",
            usage={
                "output_tokens": 12,
                "input_tokens": 8,
                "cache_creation_input_tokens": 32,
                "cache_read_input_tokens": 4,
                "server_tool_use": {"web_search_requests": 1},
            },
        ),
    )
    assert found == Usage(
        input=8,
        output=12,
        cached=4,
        cache_write=12,
        cache_write_1h=20,
        searches=1,
        params={"inference_geo": "us"},
        basis="vendor",
    )


def test_ends_and_texts_of_streams() -> None:
    assert STREAM.is_last(event("message_stop"))
    assert STREAM.is_last(b'data: {"type":"message_stop"}\n\n')
    assert not STREAM.is_last(event("content_block_delta", delta={"text": "message_stop"}))
    for delta in ({"text": "ab"}, {"thinking": "ab"}, {"partial_json": "ab"}):
        assert STREAM.text({"type": "content_block_delta", "delta": delta}) == "ab"
    assert STREAM.text({"type": "ping"}) == ""
    said = STREAM.error(Failure(Reason.TIMEOUT, "late"), "req_1").decode()
    assert said.startswith("event: error\ndata: ")
    assert json.loads(said.split("data: ")[1])["error"] == {"type": "timeout_error", "message": "late"}


@pytest.mark.parametrize(
    "value",
    [
        {"container": {"id": "container_1"}},
        {"type": "message_start", "message": {"container": {"id": "container_1"}}},
        {"type": "message_delta", "delta": {"container": {"id": "container_1", "expires_at": "2026"}}},
    ],
)
def test_containers_are_found(value: Any) -> None:
    assert [one.id for one in container_made(NO_REQUEST, value)] == ["container_1"]


def test_no_container() -> None:
    for value in ({"container": None}, {"message": {}}, [], None, {"container": "x"}):
        assert not container_made(NO_REQUEST, value)


def test_errors_say_whether_to_try_again() -> None:
    for reason in Reason:
        reply = error(Failure(reason, "why", param="p"), None, "req_1")
        assert reply.status >= 400
        assert reply.body["error"]["message"] == "p: why"
        assert reply.body["request_id"] == "req_1"
    assert error(Failure(Reason.UNFUNDED, "x"), None, "r").headers["x-should-retry"] == "false"
    assert "x-should-retry" not in error(Failure(Reason.RATE_LIMITED, "x"), None, "r").headers
    assert error(Failure(Reason.UNAVAILABLE, "x"), None, "r").headers["x-should-retry"] == "false"
    assert "x-should-retry" not in error(Failure(Reason.UNAVAILABLE, "x", retry_after=5), None, "r").headers


def test_whose_fault_an_answer_is() -> None:
    low = b'{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}'
    assert channel_fault(Answer(400, {}, low))
    assert channel_fault(Answer(401, {}, b""))
    assert channel_fault(Answer(403, {}, b'{"error":{"type":"permission_error"}}'))
    assert not channel_fault(Answer(400, {}, b'{"error":{"type":"invalid_request_error"}}'))
    assert too_long(Answer(400, {}, b'{"error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}'))
    assert not too_long(Answer(400, {}, b"{}"))


# Batches -------------------------------------------------------------------------------------------------------------


def test_results_are_fetched_from_the_gateway() -> None:
    theirs = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"
    value = {"id": "msgbatch_1", "type": "message_batch", "results_url": theirs}
    assert batches.shown(value, Fixed()) == {
        **value,
        "results_url": "https://gw/v1/messages/batches/msgbatch_1/results",
    }
    told = batches.shown({**value, "results_url": f"{theirs}?beta=true"}, Fixed())
    assert told["results_url"].endswith("/results?beta=true")
    for other in ({"id": "x", "results_url": None}, {"data": []}, [], None):
        assert batches.shown(other, Fixed()) == other


def _task(**snapshot: Any) -> Task:
    name = "anthropic.messages.batches.create"
    return Task("work_1", name, "m", State.RUNNING, upstream_id="msgbatch_1", snapshot=snapshot)


def _told(status: str, **counts: int) -> TaskStatus:
    value = {"type": "message_batch", "processing_status": status, "request_counts": counts}
    return batches.read(answered(value), _task())


def test_the_life_of_a_batch() -> None:
    assert _told("in_progress", processing=1, succeeded=0).state is State.RUNNING
    assert _told("canceling", processing=1, succeeded=0).state is State.RUNNING
    assert _told("ended", succeeded=0, errored=2).state is State.FAILED
    ended = _told("ended", succeeded=1)
    assert ended.state is State.RUNNING, "what it used is still to be told"
    ask = batches.poll(_task(**ended.snapshot))
    assert (ask.path, ask.lines) == ("/v1/messages/batches/msgbatch_1/results", True)
    assert not batches.poll(_task(processing_status="in_progress")).lines
    assert batches.read(answered(b"no json"), _task()).state is State.RUNNING


def test_lines_of_results() -> None:
    good = {"custom_id": "a", "result": {"type": "succeeded", "message": {"usage": {"input_tokens": 3}}}}
    assert batches.line(_task(), json.dumps(good).encode()) == Usage(input=3, share=0.5, basis="vendor")
    for other in (b"", b"no json", b'{"result": {"type": "canceled"}}', b'{"result": {"message": {}}}', b"[]"):
        assert batches.line(_task(), other) is None


async def test_a_batch_is_for_one_model() -> None:
    async def asked(*models: str) -> HttpRequest:
        requests = [{"custom_id": name, "params": {**HELLO, "model": name, "top_k": 5}} for name in models]
        return (await sent(anthropic, "POST", "/v1/messages/batches", {"requests": requests}))[1]

    with pytest.raises(Failure, match="one model"):
        await asked("a", "b")
    request = await asked("a", "a")
    estimate = batches.estimate(request, ())
    assert (estimate.output, estimate.share) == (18, 0.5)
    assert estimate.largest < estimate.input
    assert batches.patch(request, facts()) == {}
    renamed = batches.patch(request, msgspec.structs.replace(facts(), model="b"))["requests"]
    assert [one["params"] for one in renamed] == [{**HELLO, "model": "b", "top_k": 5}] * 2
