from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from deeepai.declare import Facts, Failure, Reason, Usage
from deeepai.gateway.body import HttpRequest
from deeepai.gateway.routing import Route
from deeepai.protocols import PROTOCOLS
from deeepai.protocols.openai import realtime
from deeepai.protocols.openai.realtime_meter import RealtimeMeter

PROTOCOL = PROTOCOLS["openai"]
OPERATION = next(operation for operation in PROTOCOL.operations if operation.name == "realtime")
ROUTE = Route(PROTOCOL, OPERATION, {}, "openai.realtime")


def request(query: str = "", **headers: str) -> HttpRequest:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": "GET", "path": "/v1/realtime", "query_string": query.encode(), "headers": named}
    return HttpRequest(scope, ROUTE, {})


def meter(allowed: bool = True) -> RealtimeMeter:
    def allow(model: str) -> None:
        if not allowed:
            raise Failure(Reason.FORBIDDEN, model)

    return RealtimeMeter("ours", "theirs", allow)


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def done(usage: Any, name: str = "r", status: str = "completed") -> str:
    return event("response.done", response={"id": name, "status": status, "usage": usage})


# The handshake -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("model=ours", "/realtime?model=m"),
        ("a=1&model=ours&b=x%20%26%7B", "/realtime?model=m&a=1&b=x%20%26%7B"),
        ("intent=transcription", "/realtime?intent=transcription"),
        ("intent=transcription&model=ours", "/realtime?intent=transcription"),
    ],
)
def test_upstream_path(query: str, path: str) -> None:
    assert realtime.upstream_path(request(query), Facts(model="m", requested_model="ours")) == path


def test_words_among_the_subprotocols() -> None:
    offered = request(sec_websocket_protocol="realtime,openai-insecure-api-key.sk-a.b, openai-beta.realtime-v1")
    assert realtime.handshake_key(offered) == "sk-a.b"
    assert realtime.subprotocol(offered) == "realtime"
    assert realtime.speaks_beta(offered)
    both = Facts(model="m", requested_model="m", settings={"realtime": "both"})
    assert realtime.headers(offered, both) == {"openai-beta": "realtime=v1"}
    plain = request(openai_safety_identifier="me")
    assert (realtime.handshake_key(plain), realtime.subprotocol(plain), realtime.speaks_beta(plain)) == (
        "",
        None,
        False,
    )
    assert realtime.headers(plain, both) == {"openai-safety-identifier": "me", "openai-beta": ""}
    assert realtime.speaks_beta(request(openai_beta="realtime=v1"))


def test_transcription_sessions_need_no_model() -> None:
    assert realtime.session_model(request("intent=transcription")) == "gpt-4o-transcribe"
    with pytest.raises(Failure):
        realtime.session_model(request("intent=other"))
    assert realtime.session_model(request("intent=transcription&model=whisper-1")) == "whisper-1"
    made_for: dict[str, Any] = {"type": "transcription", "audio": {}}
    found = {"a": "1", "intent": "transcription"}
    query = request("model=x&a=1")
    assert realtime.minted_query(query, made_for) == {**found, "model": "gpt-4o-transcribe"}
    made_for["audio"] = {"input": {"transcription": {"model": "whisper-1"}}}
    assert realtime.minted_query(query, made_for) == {**found, "model": "whisper-1"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (event("error", error={"type": "server_error", "code": None}), 500),
        (event("error", error={"type": "insufficient_quota", "code": "insufficient_quota"}), 429),
        (event("error", error={"type": "invalid_request_error", "code": "invalid_api_key"}), 401),
        (event("error"), 400),
        (event("session.created"), None),
        ("no JSON", None),
    ],
)
def test_a_first_event_that_is_a_refusal(text: str, status: int | None) -> None:
    answer = realtime.opening(text)
    assert (answer.status if answer is not None else None) == status
    if answer is not None:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


# What is consumed --------------------------------------------------------------------------------------------------


def test_usage_is_taken_apart() -> None:
    told = {
        "input_tokens": 1000,
        "output_tokens": 300,
        "input_token_details": {
            "text_tokens": 400,
            "audio_tokens": 500,
            "image_tokens": 100,
            "cached_tokens": 350,
            "cached_tokens_details": {"text_tokens": 150, "audio_tokens": 180, "image_tokens": 20},
        },
        "output_token_details": {"text_tokens": 50, "audio_tokens": 250},
    }
    spent = meter().came(done(told))
    assert spent is not None
    assert spent.usage == Usage(
        input=250, cached=170, cached_audio=180, audio_in=320, image_in=80, output=50, audio_out=250, basis="vendor"
    )


@pytest.mark.parametrize(
    "usage", [{"input_tokens": "12", "output_tokens": 3.0}, {"input_tokens": 12, "output_tokens": []}]
)
def test_usage_that_is_odd(usage: Any) -> None:
    spent = meter().came(done(usage))
    assert spent is not None
    assert spent.usage.basis == "vendor"
    assert spent.usage.input == int(usage.get("input_tokens") or 0)


@pytest.mark.parametrize(
    "usage", [None, 3, "much", {}, {"input_tokens": None}, {"input_tokens": [1]}, {"input_token_details": 1}]
)
def test_usage_that_is_none_is_estimated(usage: Any) -> None:
    spent = meter().came(done(usage))
    assert spent is not None
    assert spent.usage.basis == "estimated"


def test_a_response_is_found_wherever_its_type_stands() -> None:
    usage = {"input_tokens": 5, "output_tokens": 0}
    response = {"id": "r", "metadata": {"x": "response.audio.delta", "y": "response.created"}, "usage": usage}
    for text in (
        json.dumps({"response": response, "event_id": "e", "type": "response.done"}, indent=2),
        json.dumps({"type": "response.done", "usage": "odd", "delta": 1, "session": [], "response": response}),
    ):
        spent = meter().came(text)
        assert spent is not None
        assert spent.usage.input == 5


def test_words_in_texts_are_no_marks() -> None:
    following = meter()
    text = 'say "response.done" and {"type":"response.done"}'
    assert following.came(event("response.output_text.delta", response_id="r", delta=text)) is None
    assert following.came(event("conversation.item.added", item={"type": "response.done"})) is None
    spent = following.left()
    assert spent is not None
    assert (spent.text, spent.usage.basis) == (text, "counted")
    assert following.left() is None


@pytest.mark.parametrize(
    ("session", "seconds"),
    [
        ({}, 1.0),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}, 1.0),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, 6.0),
        ({"output_audio_format": "g711_alaw"}, 6.0),
        ({"audio": "odd"}, 1.0),
    ],
)
def test_sound_is_measured_by_its_format(session: Any, seconds: float) -> None:
    following = meter()
    following.came(event("session.created", session=session))
    following.came(event("response.created", response={"id": "r"}))
    assert following.busy
    sound = base64.b64encode(bytes(48_000)).decode()
    for kind in ("response.output_audio.delta", "response.audio.delta"):
        following.came(json.dumps({"delta": sound, "type": kind, "response_id": "r"}))
    spent = following.came(done(None))
    assert spent is not None
    assert spent.usage.audio_out == round(2 * seconds * 20)
    assert not following.busy


def test_what_the_caller_says_counts_until_the_next_charge() -> None:
    following = meter()
    second = base64.b64encode(bytes(48_000)).decode()
    part = {"type": "input_audio", "audio": second}
    said = {"type": "input_text", "text": "Hello"}
    following.sent(event("session.update", session={"instructions": "Be brief."}))
    following.sent(event("input_audio_buffer.append", audio=second))
    following.sent(event("conversation.item.create", item={"type": "message", "content": [part, said, 1]}))
    following.sent(event("conversation.item.create", item={"type": "function_call_output", "output": "3"}))
    following.sent(event("response.create", response={"instructions": "Now."}))
    spent = following.came(done(None))
    assert spent is not None
    assert (spent.usage.audio_in, spent.prompt) == (20, "Be brief.\nHello\n3\nNow.")
    spent = following.came(done(None))
    assert spent is not None
    assert (spent.usage.audio_in, spent.prompt) == (0, "")


def test_responses_that_came_to_nothing_cost_nothing() -> None:
    following = meter()
    for status in ("failed", "cancelled"):
        following.came(event("response.created", response={"id": "r"}))
        assert following.came(done(None, status=status)) is None
        assert not following.busy


def test_transcriptions_are_priced_by_their_model() -> None:
    following = meter()
    following.sent(event("session.update", session={"audio": {"input": {"transcription": {"model": "whisper-1"}}}}))
    kind = "conversation.item.input_audio_transcription.completed"
    spent = following.came(event(kind, usage={"type": "duration", "seconds": 2.5}))
    assert spent is not None
    assert (spent.key, spent.usage.seconds) == ("whisper-1", 2.5)
    details = {"text_tokens": 3, "audio_tokens": 10}
    spent = following.came(event(kind, usage={"input_tokens": 13, "output_tokens": 4, "input_token_details": details}))
    assert spent is not None
    assert (spent.usage.input, spent.usage.audio_in, spent.usage.output) == (3, 10, 4)
    assert following.came(event(kind, transcript="x")) is None


def test_the_model_stays() -> None:
    following = meter()
    renamed = following.sent(event("session.update", session={"model": "ours", "x": [1.5]}))
    assert json.loads(renamed) == {"type": "session.update", "session": {"model": "theirs", "x": [1.5]}}
    for model in ("theirs", "another", 1):
        with pytest.raises(Failure) as fault:
            following.sent(event("session.update", session={"model": model}))
        assert fault.value.param == "session.model"
    hidden = '{"type":"session.\\u0075pdate","session":{"model":"another"}}'
    with pytest.raises(Failure):
        following.sent(hidden)
    speech = {"input_audio_transcription": {"model": "whisper-1"}}
    with pytest.raises(Failure):
        meter(allowed=False).sent(event("session.update", session=speech))


def test_events_of_the_caller_pass_untouched() -> None:
    for text in (
        '{ "type": "any", "n": 1.0 }',
        '{"type":"session.update","session":null}',
        '{"type":"response.create"}',
    ):
        assert meter().sent(text) is text


def test_the_error_names_the_event() -> None:
    failure = Failure(Reason.INVALID, "no", param="type")
    made = msgspec.json.decode(realtime.error_event(failure, "req_1", '{"event_id":"mine"}'))
    assert (made["type"], made["event_id"], made["error"]["event_id"]) == ("error", "evt_req_1", "mine")
    assert msgspec.json.decode(realtime.error_event(failure, "req_1", "{"))["error"]["event_id"] is None
