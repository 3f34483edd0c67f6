"""What comes with a good status and is no answer: nobody is charged for it, and the next channel is asked.

And what is one, though not of the kind that was asked for: it is turned into that kind.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from deeepai.declare import event_json, events_of, with_json
from tests.gateway.scripted import ScriptedUpstream
from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.alone import alone
from tests.support.http import Got, post

# What upstreams send ------------------------------------------------------------------------------------------------

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
WAIL: Final = "the engine fell over"


def events(*said: tuple[str, Any]) -> bytes:
    """Return named events, or nameless ones; text stands as it is."""
    return b"".join(
        (f"event: {name}\n" if name else "").encode()
        + f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()
        for name, value in said
    )


def _chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice], **more}


_RESPONSE: Final = {"id": "resp_1", "object": "response", "created_at": 1, "model": "up", "output": [], "error": None}
_OUTPUT: Final = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
}
_RESPONSE_DONE: Final = {
    **_RESPONSE,
    "status": "completed",
    "output": [_OUTPUT],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}
_MESSAGE: Final = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "stop_sequence": None}
_CANDIDATE: Final = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}


@dataclass(frozen=True)
class Format:
    """One of the vendors' formats.

    Attributes
    ----------
    path : tuple of str
        For a whole answer, and for a stream.
    body : mapping
    whole, stream : bytes
        An answer that says hello, for three tokens and two.
    opens : bytes
        How a stream begins that has not said anything yet.
    failed : mapping
        An error event.
    """

    protocol: str
    path: tuple[str, str]
    body: Mapping[str, Any]
    whole: bytes
    stream: bytes
    opens: bytes
    failed: tuple[str, Any]


_SAID: Final = [{"role": "user", "content": "hi"}]
FORMATS: Final = {
    "chat": Format(
        "openai",
        ("/v1/chat/completions",) * 2,
        {"model": "gpt-4o-mini", "messages": _SAID},
        json.dumps(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "up",
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            }
        ).encode(),
        events(
            ("", _chunk({"role": "assistant", "content": ""})),
            ("", _chunk({"content": "hello"})),
            ("", _chunk({}, "stop")),
            ("", {**_chunk({}), "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
            ("", "[DONE]"),
        ),
        events(("", _chunk({"role": "assistant", "content": ""}))),
        ("", {"error": {"message": WAIL, "type": "server_error", "code": 500}}),
    ),
    "responses": Format(
        "openai",
        ("/v1/responses",) * 2,
        {"model": "gpt-4o-mini", "input": "hi"},
        json.dumps(_RESPONSE_DONE).encode(),
        events(
            ("response.created", {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress"}}),
            (
                "response.output_text.delta",
                {
                    "type": "response.output_text.delta",
                    "delta": "hello",
                    "item_id": "msg_1",
                    "output_index": 0,
                    "content_index": 0,
                },
            ),
            ("response.completed", {"type": "response.completed", "response": _RESPONSE_DONE}),
        ),
        events(
            ("response.created", {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress"}}),
            (
                "response.output_item.added",
                {"type": "response.output_item.added", "output_index": 0, "item": {**_OUTPUT, "content": []}},
            ),
            ("", {"type": "keepalive"}),
        ),
        ("error", {"type": "error", "code": "server_error", "message": WAIL, "sequence_number": 1}),
    ),
    "messages": Format(
        "anthropic",
        ("/v1/messages",) * 2,
        {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": _SAID},
        json.dumps(
            {
                **_MESSAGE,
                "content": [{"type": "text", "text": "hello"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 3, "output_tokens": 2},
            }
        ).encode(),
        events(
            (
                "message_start",
                {
                    "type": "message_start",
                    "message": {**_MESSAGE, "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}},
                },
            ),
            (
                "content_block_start",
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            ),
            (
                "content_block_delta",
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
            ),
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            (
                "message_delta",
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 2},
                },
            ),
            ("message_stop", {"type": "message_stop"}),
        ),
        events(
            (
                "message_start",
                {"type": "message_start", "message": {**_MESSAGE, "content": [], "usage": {"input_tokens": 3}}},
            ),
            ("ping", {"type": "ping"}),
            (
                "content_block_start",
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            ),
        ),
        ("error", {"type": "error", "error": {"type": "overloaded_error", "message": WAIL}}),
    ),
    "gemini": Format(
        "gemini",
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        {"contents": [{"parts": [{"text": "hi"}]}]},
        json.dumps(_CANDIDATE).encode(),
        events(("", _CANDIDATE)),
        b": hello\n\n",
        ("", {"error": {"code": 503, "message": WAIL, "status": "UNAVAILABLE"}}),
    ),
}

ALIKE: Final[Mapping[str, tuple[str, bytes]]] = {
    "an-error": (JSON, json.dumps({"error": {"message": WAIL, "code": 500}}).encode()),
    "an-error-as-text": ("text/plain", json.dumps({"error": WAIL}).encode()),
    "a-code-and-words": (JSON, json.dumps({"code": 50000, "msg": WAIL, "data": None}).encode()),
    "a-page": ("text/html; charset=utf-8", b"<html><body>Just a moment</body></html>"),
    "a-page-as-events": (EVENTS, b"<html><body>Just a moment</body></html>"),
    "nothing": (JSON, b""),
    "no-events": (EVENTS, b""),
    "an-empty-object": (JSON, b"{}"),
    "an-empty-array": (JSON, b"[]"),
    "null": (JSON, b"null"),
    "half-of-it": (JSON, b'{"id": "c", "obj'),
    "its-end-alone": (EVENTS, b"data: [DONE]\n\n"),
    "comments": (EVENTS, b": one\n\n: two\n\n"),
    "events-of-something-else": (EVENTS, events(("", {"detail": WAIL}))),
    "events-of-a-code": (EVENTS, events(("", {"code": 1008, "msg": WAIL, "success": False, "choices": None}))),
    "events-of-many-errors": (EVENTS, events(("", {"errors": [{"message": WAIL}]}))),
    "events-of-nothing": (EVENTS, events(("", "null"), ("", "[]"), ("", "{}"), ("", '"ok"'), ("", "1"))),
    "events-that-are-no-json": (EVENTS, events(("", "\0\1?"), ("", '{"choices":[{"mess'))),
}


def odd(format: Format) -> dict[str, tuple[str, bytes]]:
    """What is no answer in a format."""
    failure = events(format.failed)
    return {
        **ALIKE,
        "an-error-event": (EVENTS, failure),
        "cut": (JSON, format.whole[:-9]),
        "an-error-beside-it": (JSON, json.dumps({**json.loads(format.whole), "error": {"message": WAIL}}).encode()),
        "opens-and-fails": (EVENTS, format.opens + failure + b"data: [DONE]\n\n"),
        "an-error-event-as-json": (JSON, failure),
    }


def _alone(event: bytes) -> bytes:
    value = event_json(event)
    return event if value is None else with_json(event, json.dumps(alone(value)).encode())


def fits(format: Format, *, stream: bool = True) -> dict[str, tuple[str, bytes]]:
    """What is one, of whatever kind and under whatever name."""
    framings = {"array": (JSON, b"[" + format.whole + b"]")} if stream and format.protocol == "gemini" else {}
    return {
        **framings,
        "whole": (JSON, format.whole),
        "whole-as-text": ("text/plain; charset=utf-8", format.whole),
        "whole-as-events": (EVENTS, format.whole),
        "stream": (EVENTS, format.stream),
        "stream-as-json": (JSON, format.stream),
        "stream-with-a-mark": (EVENTS, b"\xef\xbb\xbf: go\n\n" + format.stream),
        "stream-with-other-fields": (EVENTS, b": go\n\nretry: 1000\n\ndata:\n\nid: 7\n" + format.stream),
        "whole-alone": (JSON, json.dumps(alone(json.loads(format.whole))).encode()),
        "stream-alone": (EVENTS, b"".join(map(_alone, events_of(format.stream)))),
        "stream-of-other-lines": (EVENTS, format.stream.replace(b"\n", b"\r\n")),
    }


# The gateway --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A caller whose first channel says something, and whose second, where it has one, answers well."""

    format: str
    said: str
    alone: bool
    number: int

    @property
    def key(self) -> str:
        return f"sk-live-odd-{self.number:0>24}"

    @property
    def name(self) -> str:
        return f"odd-{self.number}"


SAID: Final = {name: {**odd(each), **fits(each)} for name, each in FORMATS.items()}
CASES: Final = {
    (name, said, alone): Case(name, said, alone, number)
    for number, (name, said, alone) in enumerate(
        (name, said, alone) for name in FORMATS for said, alone in itertools.product(SAID[name], (False, True))
    )
}
_MODELS: Final = 'model_map = { "gpt-4o-mini" = "up", "claude-sonnet-4-5" = "up", "gemini-2.5-flash" = "up" }'


def config(upstream: ScriptedUpstream) -> str:
    lines = ['[[users]]\nname = "rich"\npassword = "rich-password"\ncredit = 1000\n', "[groups]\ndefault = 1"]
    lines += [f"{case.name} = 1" for case in CASES.values()]
    for case in CASES.values():
        lines += ["[[tokens]]", f'name = "{case.name}"', f'key = "{case.key}"', 'account = "rich"']
        lines += [f'price_group = "{case.name}"']
        said = [f"{case.format}.{case.said}"] + ([] if case.alone else [f"{case.format}.whole"])
        for place, fault in enumerate(said):
            name, version = f"{case.name}-{place}", "/v1" if case.format in ("chat", "responses") else ""
            lines += ["[[channels]]", f'name = "{name}"', f"priority = {9 - place}", 'credential = "sk-upstream-0000"']
            lines += [f'protocol = "{FORMATS[case.format].protocol}"', f'price_groups = ["{case.name}"]', _MODELS]
            lines += [f'base_url = "http://127.0.0.1:{upstream.port}/{fault}/{name}{version}"']
    return "\n".join(lines)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    answers = {f"{name}.{word}": answer for name, said in SAID.items() for word, answer in said.items()}
    scripted = ScriptedUpstream(answers)
    yield scripted
    scripted.stop()


@pytest.fixture(scope="module")
def place(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("odd"))
    (folder / "deeepai.toml").write_text(config(upstream))
    gateway = Gateway(folder).start()
    yield gateway
    gateway.stop()


def ask(gateway: Gateway, case: Case, *, stream: bool) -> Got:
    format = FORMATS[case.format]
    body = dict(format.body)
    if stream and case.format != "gemini":
        body["stream"] = True
    return post(gateway, format.path[stream], body, case.key)


WAYS: Final = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@WAYS
@pytest.mark.parametrize("format", FORMATS)
def test_no_answer_is_charged_and_the_next_channel_is_asked(place: Gateway, format: str, stream: bool) -> None:
    for said in odd(FORMATS[format]):
        got = ask(place, CASES[format, said, False], stream=stream)
        row = usage_row(place, got.request_id)
        words = f"{said}: {got.status} {got.body[:300]!r} {row['error']}"
        assert (got.status, row["status"], row["attempts"]) == (200, 200, 2), words
        assert b"hello" in got.body, words
        assert WAIL.encode() not in got.body, words
        assert (row["consumed"]["input"], row["consumed"]["output"]) == (3, 2), words


@WAYS
@pytest.mark.parametrize("format", FORMATS)
def test_where_nobody_else_is_there_the_caller_hears_an_error(place: Gateway, format: str, stream: bool) -> None:
    for said in odd(FORMATS[format]):
        got = ask(place, CASES[format, said, True], stream=stream)
        row = usage_row(place, got.request_id)
        words = f"{said}: {got.status} {got.body[:300]!r} {row['error']}"
        assert got.status == 502, words
        assert got.headers["content-type"].startswith(JSON), words
        assert got.json["error"]["message"], words
        assert (row["cost"], row["status"]) == (0, 502), words
        assert row["error"], words


@WAYS
@pytest.mark.parametrize("format", FORMATS)
def test_an_answer_of_the_other_kind_is_turned_into_what_was_asked_for(
    place: Gateway, format: str, stream: bool
) -> None:
    for said in fits(FORMATS[format], stream=stream):
        got = ask(place, CASES[format, said, True], stream=stream)
        row = usage_row(place, got.request_id)
        words = f"{said}: {got.status} {got.body[:400]!r} {row['error']}"
        assert (got.status, row["error"]) == (200, None), words
        assert b"hello" in got.body, words
        assert (row["consumed"]["input"], row["consumed"]["output"]) == (3, 2), words
        assert row["cost"] > 0, words
        if stream:
            assert got.headers["content-type"].startswith(EVENTS), words
            # OpenAI's clients fail on an event without data, Google's on any line that is none: see `findings/`.
            for event in re.split(rb"\r?\n\r?\n", got.body.removeprefix(b"\xef\xbb\xbf").strip()):
                lines = [line for line in event.splitlines() if line[:1] != b":"] if format != "gemini" else [event]
                assert not lines or any(len(line) > 6 and line[:5] == b"data:" for line in lines), words
        else:
            assert got.json, words


def test_an_array_of_answers_is_a_stream_of_geminis_and_what_its_callers_may_ask_for(place: Gateway) -> None:
    plain = FORMATS["gemini"].path[1].partition("?")[0]
    for said in ("whole", "stream", "array"):
        case = CASES["gemini", said, True]
        got = post(place, plain, FORMATS["gemini"].body, case.key)
        answer = got.json[0]
        assert answer["candidates"][0]["content"]["parts"][0]["text"] == "hello"
        assert b"hello" in ask(place, case, stream=True).body
