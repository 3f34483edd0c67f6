"""Streams of other protocols on their way: the translation says whether the answer was whole, and tells of failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from deeepai.gateway.answers.stream import Relay
from deeepai.protocols.anthropic import anthropic
from deeepai.protocols.gemini import gemini
from deeepai.protocols.gemini.content import Array
from deeepai.protocols.openai import openai
from deeepai.upstream import Cut, Stalled
from tests.gateway.asgi import stream
from tests.gateway.test_stream import Caller, FakeResponse, rules
from tests.protocols.plain import asked
from tests.translators.world import translation

BY_NAME = {
    f"{each.name}.{operation.name}": operation for each in (openai, anthropic, gemini) for operation in each.operations
}
CHAT: Any = BY_NAME["openai.chat.completions"]
GEMINI: Any = BY_NAME["gemini.streamGenerateContent"]
MESSAGES: Any = BY_NAME["anthropic.messages"]
NAMES = {id(CHAT): "openai", id(GEMINI): "gemini", id(MESSAGES): "anthropic"}


def data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(content: str, reason: str | None = None) -> bytes:
    return data({"id": "c", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]})


COUNTED = data({"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
DONE = b"data: [DONE]\n\n"
TURN = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
    "contents": [{"parts": [{"text": "Hi"}]}],
}
ANSWER = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


def relayed(
    source: str, chunks: Sequence[bytes | Exception], target: Any = CHAT, *, array: bool = False
) -> tuple[str, Relay]:
    """Send a stream on, translated; what the caller saw, and what is known of it."""

    async def run() -> tuple[str, Relay]:
        caller, response = Caller(), FakeResponse(chunks)
        relay = Relay(caller.x, stream(rules=rules(hidden=False)), response, _charge)  # pyright: ignore
        request: Any = asked(target, TURN)
        relay.translate(target.rules, request, translation(source, NAMES[id(target)]))
        if array:
            relay.reshape(Array())
        await relay.run()
        return caller.body.decode(), relay

    return asyncio.run(run())


async def _charge(relay: Relay) -> None:
    pass


ENDS: dict[str, list[bytes | Exception]] = {
    "its mark": [chunk("Hi"), chunk("", "stop"), COUNTED, DONE],
    "no mark": [chunk("Hi"), chunk("", "stop"), COUNTED],
    "no reason": [chunk("Hi"), COUNTED],
    "a cut after the end": [chunk("Hi"), chunk("", "stop"), COUNTED, Cut("reset")],
    "silence after the end": [chunk("Hi"), chunk("", "stop"), Stalled("nothing came", answered=True)],
}


@pytest.mark.parametrize("chunks", ENDS.values(), ids=ENDS)
def test_a_whole_answer_ends_well_however_its_stream_ends(chunks: list[bytes | Exception]) -> None:
    seen, relay = relayed("anthropic", chunks)
    assert seen.count("event: message_stop") == 1
    assert "error" not in seen
    assert relay.fault is None
    assert relay.ended


BROKEN: dict[str, tuple[list[bytes | Exception], str]] = {
    "closed": ([chunk("Hi")], "the stream ended before its last event"),
    "reset": ([chunk("Hi"), Cut("reset by peer")], "reset by peer"),
    "marked, but not ended": ([chunk("Hi"), DONE], "the stream ended before its last event"),
    "an error": ([chunk("Hi"), data({"error": {"message": "Overloaded"}}), DONE], "Overloaded"),
    "a reason that is no end": ([chunk("Hi", "network_error"), COUNTED, DONE], "network_error"),
    "no JSON": ([chunk("Hi"), b"data: {\n\n", chunk("more"), DONE], "no JSON"),
}


@pytest.mark.parametrize("source", ["anthropic", "responses", "gemini"])
@pytest.mark.parametrize(("chunks", "word"), BROKEN.values(), ids=BROKEN)
def test_a_failure_is_told_once(source: str, chunks: list[bytes | Exception], word: str) -> None:
    seen, relay = relayed(source, chunks)
    errors = "event: response.failed" if source == "responses" else '"error":{'
    assert seen.count(errors) == 1
    assert word in seen
    assert relay.fault is not None


def test_what_follows_on_geminis_last_event_is_no_fault() -> None:
    tail = data({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}})
    for more in ([], [tail], [DONE], [tail, DONE]):
        seen, relay = relayed("openai", [data(ANSWER), *more], GEMINI)
        assert seen.count('"finish_reason":"stop"') == 1
        assert "error" not in seen
        assert relay.fault is None


def test_an_array_is_closed_whatever_comes() -> None:
    for chunks, faulty in (([chunk("Hi", "stop"), DONE], False), ([chunk("Hi")], True), ([chunk("Hi"), DONE], True)):
        seen, relay = relayed("gemini", chunks, array=True)
        assert ("error" in json.loads(seen)[-1]) is faulty
        assert (relay.fault is not None) is faulty


def message(kind: Any, **more: Any) -> bytes:
    return b"event: message_delta\n" + data({"type": kind, **more})


STARTED = data({"type": "message_start", "message": {"id": "m", "model": "up", "usage": {"input_tokens": 3}}})
SAID = data({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}})
ENDING = {"delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}}
STOPPED = data({"type": "message_stop"})
CANDIDATE = {**ANSWER, "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}}


@pytest.mark.parametrize(
    ("target", "chunks"),
    [
        (MESSAGES, [STARTED, SAID, message(None, **ENDING), STOPPED]),
        (MESSAGES, [STARTED, SAID, message("new_kind", **ENDING), STOPPED]),
        (MESSAGES, [STARTED, SAID, message("message_delta", **ENDING), data({"type": "message_delta"}), STOPPED]),
        (GEMINI, [data(CANDIDATE), data({"usageMetadata": 7})]),
        (GEMINI, [data(CANDIDATE), data({"usageMetadata": {"novelty": 1}})]),
        (GEMINI, [data(CANDIDATE), data({"usageMetadata": {"promptTokenCount": 3}})]),
    ],
)
def test_the_caller_is_told_what_is_charged(target: Any, chunks: list[bytes | Exception]) -> None:
    for source, wanted in (
        ("openai", '"prompt_tokens":3,"completion_tokens":2,'),
        ("responses", '"output_tokens":2,'),
    ):
        seen, relay = relayed(source, chunks, target)
        assert relay.usage is not None
        assert (relay.usage.input, relay.usage.output) == (3, 2)
        assert wanted in seen, seen[-600:]


def test_the_name_of_an_event_counts_where_its_data_has_no_type() -> None:
    seen, _ = relayed("openai", [STARTED, SAID, message(None, **ENDING), STOPPED], MESSAGES)
    assert '"finish_reason":"length"' in seen


def test_more_thoughts_than_output_are_none() -> None:
    odd = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 7}}
    last = data({"id": "c", "choices": [], "usage": odd})
    seen, relay = relayed("gemini", [chunk("Hi", "stop"), last, DONE])
    assert '"candidatesTokenCount":2,' in seen
    assert "thoughtsTokenCount" not in seen
    assert relay.usage is not None
    assert relay.usage.output == 2
