"""The beta's Realtime and today's turned into each other, without a socket."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.declare import Facts, Failure, SessionTranslation
from deeepai.protocols.openai import realtime
from deeepai.protocols.openai.realtime_beta import BetaCaller, GACaller, session_update, translation

from .test_openai_realtime import event, request

DETECTION = {"type": "server_vad", "threshold": 0.5, "create_response": False}
TOOL = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
BETA: dict[str, Any] = {
    "modalities": ["audio", "text"],
    "instructions": "Be brief.",
    "voice": "ash",
    "speed": 1.5,
    "input_audio_format": "pcm16",
    "output_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1", "language": "en"},
    "input_audio_noise_reduction": {"type": "near_field"},
    "turn_detection": None,
    "tools": [TOOL],
    "tool_choice": {"type": "function", "name": "add"},
    "max_response_output_tokens": "inf",
    "prompt": {"id": "pmpt_1"},
    "tracing": "auto",
    "new": {"audio": 1},
}
GA: dict[str, Any] = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "whisper-1", "language": "en"},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": None,
        },
        "output": {"voice": "ash", "speed": 1.5, "format": {"type": "audio/pcmu"}},
    },
    "tools": [TOOL],
    "tool_choice": {"type": "function", "name": "add"},
    "max_output_tokens": "inf",
    "prompt": {"id": "pmpt_1"},
    "tracing": "auto",
    "new": {"audio": 1},
}


def sent(caller: SessionTranslation, kind: str, **fields: Any) -> dict[str, Any]:
    return json.loads(caller.sent(event(kind, **fields)))


def came(caller: SessionTranslation, kind: str, **fields: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in caller.came(event(kind, **fields))]


def updated(caller: SessionTranslation, session: Any, kind: str = "session.update") -> dict[str, Any]:
    return sent(caller, kind, session=session)


# Which of them is spoken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "of_beta", "of_ga"),
    [
        ({}, "ga", "ga"),
        ({"realtime": "ga"}, "ga", "ga"),
        ({"realtime": "beta"}, "beta", "beta"),
        ({"realtime": "both"}, "beta", "ga"),
        ({"transport": "azure", "api_version": "2025-04-01-preview"}, "beta", "beta"),
        ({"transport": "azure", "api_version": "preview"}, "ga", "ga"),
        ({"transport": "azure", "api_version": "2025-04-01-preview", "realtime": "ga"}, "ga", "ga"),
    ],
)
def test_what_a_channel_speaks(settings: dict[str, Any], of_beta: str, of_ga: str) -> None:
    facts = Facts(model="m", requested_model="m", settings=settings)
    for caller, header, upstream in (
        ("beta", "other=1, realtime=v1", of_beta),
        ("ga", "other=1", of_ga),
    ):
        handshake = request(openai_beta=header)
        words = "other=1,realtime=v1" if upstream == "beta" else "other=1"
        assert realtime.headers(handshake, facts) == {"openai-beta": words}
        between = realtime.session_translation(handshake, facts)
        expected = type(None) if caller == upstream else BetaCaller if caller == "beta" else GACaller
        assert type(between) is expected


# Sessions ----------------------------------------------------------------------------------------------------------


def test_every_field_of_a_session() -> None:
    assert updated(BetaCaller(False), BETA) == {"type": "session.update", "session": GA}
    flat = updated(GACaller(False), GA)["session"]
    assert flat == BETA
    assert came(BetaCaller(False), "session.updated", event_id="e", session=GA) == [
        {"type": "session.updated", "event_id": "e", "session": BETA}
    ]
    assert came(GACaller(False), "session.created", session=BETA) == [{"type": "session.created", "session": GA}]


def test_what_only_one_of_them_can_say() -> None:
    assert updated(BetaCaller(False), {"temperature": 0.7, "client_secret": {}})["session"] == {"type": "realtime"}
    only = {"type": "realtime", "reasoning": {"effort": "low"}, "parallel_tool_calls": False, "audio": {"input": {}}}
    assert updated(GACaller(False), only) == {"type": "session.update", "session": {}}
    for format in ({"type": "audio/pcm", "rate": 16000}, {"type": "audio/opus"}):
        for kind, name, way in (("session.update", "session", "input"), ("response.create", "response", "output")):
            with pytest.raises(Failure) as fault:
                sent(GACaller(False), kind, **{name: {"audio": {way: {"format": format}}}})
            assert fault.value.param == f"{name}.audio.{way}.format"
    # What an upstream tells is told on, as far as there are words.
    told = {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}}
    (shown,) = came(BetaCaller(False), "session.updated", session=told)
    assert shown["session"] == {"output_audio_format": {"type": "audio/pcm", "rate": 16000}}


@pytest.mark.parametrize("modalities", [["text"], "text", ["video"], None, []])
def test_modalities_that_are_the_same(modalities: Any) -> None:
    assert updated(BetaCaller(False), {"modalities": modalities})["session"]["output_modalities"] == modalities
    assert updated(GACaller(False), {"output_modalities": modalities})["session"]["modalities"] == modalities


def test_a_session_that_transcribes() -> None:
    flat = {"input_audio_transcription": {"model": "whisper-1"}, "include": ["x"]}
    present = {"type": "transcription", "include": ["x"], "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    for caller, kind in (
        (BetaCaller(True), "transcription_session.update"),
        (BetaCaller(False), "transcription_session.update"),
        (BetaCaller(True), "session.update"),
    ):
        assert updated(caller, flat, kind) == {"type": "session.update", "session": present}
    for transcribes in (True, False):
        told = {"type": "transcription_session.update", "session": flat}
        assert updated(GACaller(transcribes), present) == told
        (shown,) = came(BetaCaller(transcribes), "session.created", session=present)
        assert shown == {"type": "transcription_session.created", "session": flat}
        (shown,) = came(GACaller(transcribes), "transcription_session.updated", session=flat)
        assert shown == {"type": "session.updated", "session": present}
    assert json.loads(session_update(present, beta=True))["type"] == "transcription_session.update"


values = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.lists(st.integers()))
others = st.dictionaries(st.from_regex("x_[a-z]{1,5}", fullmatch=True), values, max_size=2)
formats = st.sampled_from([None, "pcm16", "g711_ulaw", "g711_alaw"])
flat_sessions = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.one_of(values, others)
            for name in set(BETA) - {"modalities", "input_audio_format", "output_audio_format"}
        },
        "modalities": st.sampled_from([["text"], ["audio", "text"]]),
        "input_audio_format": formats,
        "output_audio_format": formats,
    },
)


@given(flat_sessions, others, st.booleans())
def test_nothing_is_lost_on_the_way_and_back(flat: dict[str, Any], other: dict[str, Any], transcribes: bool) -> None:
    session = {**flat, **other}
    there = updated(BetaCaller(transcribes), session)
    assert not set(there["session"]) & (set(BETA) - set(GA))
    back = updated(GACaller(transcribes), there["session"])
    assert back["session"] == session
    again = updated(BetaCaller(transcribes), back["session"], back["type"])
    assert again == there
    # The server's word for it says the same.
    (shown,) = came(BetaCaller(transcribes), "session.updated", session=there["session"])
    assert shown["session"] == session


@given(st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner)), st.data())
def test_oddities_go_through(odd: Any, data: st.DataObject) -> None:
    """Whatever a field holds, events come of it, or a refusal."""
    name = data.draw(st.sampled_from(["session", "item", "response", "part", "error", "event_id", "previous_item_id"]))
    inner = data.draw(st.sampled_from([*BETA, *GA, "content", "output", "input", "param", "id", "status", ""]))
    kind = data.draw(st.sampled_from(["session.update", "conversation.item.created", "response.done", "error", "new"]))
    whole = {"type": kind, name: {inner: odd} if inner else odd}
    for caller in (BetaCaller(False), GACaller(False)):
        with suppress(Failure):
            assert isinstance(json.loads(caller.sent(json.dumps(whole))), dict)
        for text in caller.came(json.dumps(whole)):
            assert isinstance(json.loads(text), dict)


# Events ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{ "type": "input_audio_buffer.append", "audio": "AAAA" }',
        '{"type": "response.cancel",  "response_id": "r"}',
        '{"type":"rate_limits.updated","rate_limits":[{"name":"requests"}]}',
        '{"type":"conversation.item.input_audio_transcription.completed","usage":{"seconds":1.50}}',
        '{"type":"response.function_call_arguments.delta","delta":"\\"item\\""}',
        '{"item": {"type": "message"',
        '{"type": ["session.update"], "session": {"voice": "ash"}}',
        '["session"]',
        '{"type":"session.update","session":' + "[" * 100_000,
    ],
)
def test_what_needs_no_turning_is_left(text: str) -> None:
    for caller in (BetaCaller(False), GACaller(False)):
        assert caller.sent(text) is text
        assert list(caller.came(text)) == [text]


@pytest.mark.parametrize("name", ["text", "audio", "audio_transcript"])
@pytest.mark.parametrize("end", ["delta", "done"])
def test_names_of_events(name: str, end: str) -> None:
    flat, present = f"response.{name}.{end}", f"response.output_{name}.{end}"
    fields = {"event_id": "e", "item_id": "i", "delta": '"response.text.delta" \ud83d', "logprob": 12345678901234567890}
    assert came(BetaCaller(False), present, **fields) == [{"type": flat, **fields}]
    assert came(GACaller(False), flat, **fields) == [{"type": present, **fields}]


def test_items_and_their_parts() -> None:
    said = [{"type": "input_text", "text": "Hi"}, {"type": "input_audio", "audio": "AA"}, {"type": 1}, "odd"]
    beta = [{"type": "text", "text": "Hello"}, {"type": "audio", "transcript": "Hello"}, *said]
    present = [{"type": "output_text", "text": "Hello"}, {"type": "output_audio", "transcript": "Hello"}, *said]
    old, new = ({"id": "i", "type": "message", "content": content} for content in (beta, present))
    assert sent(BetaCaller(False), "conversation.item.create", item=old, event_id="mine") == {
        "type": "conversation.item.create",
        "item": new,
        "event_id": "mine",
    }
    assert sent(GACaller(False), "conversation.item.create", item=new)["item"] == old
    for kind in ("conversation.item.retrieved", "response.output_item.added"):
        assert came(BetaCaller(False), kind, item=new) == [{"type": kind, "item": old}]
        assert came(GACaller(False), kind, item=old) == [{"type": kind, "item": new}]
    # Here the names are the same in both; servers that say it as in items are understood.
    for kind in ("response.content_part.added", "response.content_part.done"):
        plain, part = {"type": "audio", "transcript": ""}, {"type": "output_audio", "transcript": ""}
        assert came(GACaller(False), kind, part=plain) == [{"type": kind, "part": plain}]
        assert came(BetaCaller(False), kind, part=plain) == [{"type": kind, "part": plain}]
        assert came(BetaCaller(False), kind, part=part) == [{"type": kind, "part": plain}]


def test_responses() -> None:
    content = [{"type": "text", "text": "Hello"}]
    items = [{"type": "item_reference", "id": "i"}, {"type": "message", "role": "assistant", "content": content}]
    flat = {
        "modalities": ["audio", "text"],
        "voice": "ash",
        "output_audio_format": "pcm16",
        "max_output_tokens": 100,
        "conversation": "none",
        "metadata": {"voice": "v"},
        "input": items,
    }
    present = {
        "output_modalities": ["audio"],
        "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcm", "rate": 24000}}},
        "max_output_tokens": 100,
        "conversation": "none",
        "metadata": {"voice": "v"},
        "input": [items[0], {**items[1], "content": [{"type": "output_text", "text": "Hello"}]}],
    }
    assert sent(BetaCaller(False), "response.create", response={**flat, "temperature": 1})["response"] == present
    assert sent(GACaller(False), "response.create", response=present)["response"] == flat
    by_sdk = {"max_response_output_tokens": 7}
    assert sent(BetaCaller(False), "response.create", response=by_sdk)["response"] == {"max_output_tokens": 7}
    usage = {"input_tokens": 3, "output_token_details": {"audio_tokens": 1}}
    told = {"id": "r", "status": "completed", "usage": usage}
    old, new = {**told, **flat, "output": items}, {**told, **present, "output": present["input"]}
    assert came(BetaCaller(False), "response.done", response=new)[0]["response"] == old
    assert came(GACaller(False), "response.done", response={**old, "temperature": 1})[0]["response"] == new


def test_that_an_item_is_whole_is_an_event_of_today() -> None:
    caller, fields = GACaller(False), {"event_id": "e", "previous_item_id": "before"}
    heard = {"id": "i", "type": "message", "role": "user", "status": "completed"}
    assert came(caller, "conversation.item.created", **fields, item=heard) == [
        {"type": "conversation.item.added", **fields, "item": heard},
        {"type": "conversation.item.done", **fields, "event_id": "e_done", "item": heard},
    ]
    begun, ended = {"id": "a", "status": "in_progress"}, {"id": "a", "status": "incomplete"}
    assert len(came(caller, "response.output_item.added", item=begun)) == 1
    assert len(came(caller, "conversation.item.created", **fields, item=begun)) == 1
    out, whole = came(caller, "response.output_item.done", event_id="f", item=ended)
    assert out == {"type": "response.output_item.done", "event_id": "f", "item": ended}
    assert whole == {"type": "conversation.item.done", **fields, "event_id": "f_done", "item": ended}
    # Of a response outside the conversation, nothing was added to it.
    assert len(came(caller, "response.output_item.done", item=ended)) == 1
    assert came(BetaCaller(False), "conversation.item.done", **fields, item=heard) == []
    assert came(BetaCaller(False), "conversation.item.added", **fields, item=heard) == [
        {"type": "conversation.item.created", **fields, "item": heard}
    ]


@pytest.mark.parametrize(
    ("beta", "present"),
    [
        ("session.modalities", "session.output_modalities"),
        ("session.turn_detection.threshold", "session.audio.input.turn_detection.threshold"),
        ("session.modalities[0]", "session.output_modalities[0]"),
        ("session.voices", "session.voices"),
        ("response.voice", "response.audio.output.voice"),
        ("item.content[0].type", "item.content[0].type"),
        (None, None),
    ],
)
def test_the_field_at_fault_is_called_as_the_caller_calls_it(beta: Any, present: Any) -> None:
    (shown,) = came(BetaCaller(False), "error", error={"param": present, "event_id": "mine"})
    assert shown["error"] == {"param": beta, "event_id": "mine"}
    (shown,) = came(GACaller(False), "error", error={"param": beta, "message": "m"})
    assert shown["error"] == {"param": present, "message": "m"}


def test_both_sides_alike_need_nothing() -> None:
    for beta in (True, False):
        assert translation(caller_beta=beta, upstream_beta=beta, transcribes=False) is None
