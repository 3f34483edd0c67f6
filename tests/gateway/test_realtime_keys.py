"""Short-lived keys for Realtime sessions, and the sandbox as the upstream of such sessions."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.gateway.realtime import (
    MODEL,
    NARROW,
    RICH,
    ended,
    ends,
    open_session,
    receive,
    receive_until,
    refused,
    request_id,
    say,
)
from tests.gateway.vendor_socket import VendorSocket
from tests.operator import rows
from tests.stack import Gateway
from tests.support.http import call
from tests.support.until import until


@pytest.fixture
def gateway(voice: Gateway) -> Gateway:
    return voice


# Keys for single sessions ------------------------------------------------------------------------------------------


def post(gateway: Gateway, path: str, body: Any, key: str = RICH) -> tuple[int, Any]:
    got = call(gateway, "POST", f"/v1/realtime/{path}", body, key)
    return got.status, got.json


FLAT = {"modalities": ["audio", "text"], "voice": "ash", "input_audio_format": "g711_ulaw", "unknown": 1}
PRESENT = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"voice": "ash"}},
    "unknown": 1,
}


@pytest.mark.operation("openai.realtime", "openai.realtime.sessions", "openai.realtime.client_secrets")
@pytest.mark.parametrize(("word", "expected"), [("older", PRESENT), ("aged", FLAT)])
def test_the_upstream_is_told_in_its_own_words_what_a_key_was_made_for(
    gateway: Gateway, vendor: VendorSocket, word: str, expected: Any
) -> None:
    model = MODEL + word
    status, older = post(gateway, "sessions", {**FLAT, "model": model})
    assert status == 200
    assert FLAT.items() <= older.items()
    assert 50 < older["client_secret"]["expires_at"] - time.time() <= 60
    status, made = post(gateway, "client_secrets", {"session": {**PRESENT, "model": model}})
    assert status == 200
    for key in (older["client_secret"]["value"], made["value"]):
        offered = ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]
        for of_caller in ({"key": key}, {"key": "", "subprotocols": offered}):
            with open_session(gateway, word, **of_caller) as session:
                assert receive(session)["type"] == "session.created"
                (told,) = until(lambda: vendor.of(word)[-1].events)
            assert told == {"type": "session.update", "session": expected}


def test_a_key_for_what_the_upstream_does_not_know(gateway: Gateway) -> None:
    sound = {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}
    status, made = post(gateway, "client_secrets", {"session": {"model": MODEL + "aged", "audio": sound}})
    assert status == 200
    status, error, _ = refused(gateway, "aged", made["value"])
    assert (status, error["param"]) == (400, "session.audio.input.format")


@pytest.mark.operation("openai.realtime.transcription_sessions")
def test_a_key_for_a_transcription_made_in_the_older_way(gateway: Gateway) -> None:
    status, made = post(gateway, "transcription_sessions", {"input_audio_transcription": {"model": "whisper-1"}})
    assert (status, made["object"]) == (200, "realtime.transcription_session")


@pytest.mark.parametrize(("model", "status"), [("whisper-1", 200), ("gpt-4o-transcribe", 403)])
def test_a_transcription_goes_by_the_model_that_it_names(gateway: Gateway, model: str, status: int) -> None:
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": model}}}}
    got = call(gateway, "POST", "/v1/realtime/client_secrets", {"session": session}, NARROW)
    assert got.status == status, got.body
    if status == 200:
        url = f"{gateway.url.replace('http', 'ws')}/v1/realtime"
        with connect(url, additional_headers={"authorization": f"Bearer {got.json['value']}"}) as opened:
            assert receive(opened)["type"] == "session.created"


def test_a_key_opens_what_it_was_made_for(gateway: Gateway, vendor: VendorSocket) -> None:
    session = {"type": "realtime", "model": MODEL + "made"}
    status, made = post(gateway, "client_secrets", {"session": session, "expires_after": {"seconds": 600}})
    assert (status, made["session"]["model"]) == (200, MODEL + "made")
    key = made["value"]
    status, error, _ = refused(gateway, "other", key)
    assert (status, error["param"]) == (403, "model")
    url = f"{gateway.url.replace('http', 'ws')}/v1/realtime"
    with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as opened:
        receive(opened)
    assert vendor.of("made")[-1].path.endswith(f"?model={MODEL}made")
    assert call(gateway, "GET", "/v1/models", key=key).status == 401
    stored = rows(gateway, "SELECT * FROM client_secrets")
    assert key not in json.dumps(stored)
    with sqlite3.connect(gateway.data / "deeepai.db") as database:
        database.execute("UPDATE client_secrets SET expires_at = 1")
    database.close()
    assert refused(gateway, "made", key)[0] == 401
    post(gateway, "client_secrets", {"session": session})
    assert len(rows(gateway, "SELECT * FROM client_secrets")) == 1


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "param"),
    [
        ("client_secrets", {}, RICH, 400, "session.model"),
        ("client_secrets", {"session": {"type": "other", "model": MODEL}}, RICH, 400, "session.type"),
        (
            "client_secrets",
            {"session": {"model": MODEL}, "expires_after": {"seconds": 9}},
            RICH,
            400,
            "expires_after.seconds",
        ),
        ("client_secrets", {"session": {"model": "no-such-model"}}, RICH, 404, "model"),
        ("client_secrets", {"session": {"model": "gpt-realtime"}}, NARROW, 403, "model"),
        ("sessions", {"modalities": ["text"]}, RICH, 400, "model"),
        ("calls", {}, RICH, 501, None),
        ("nothing", {}, RICH, 404, None),
    ],
)
def test_keys_that_are_not_made(
    gateway: Gateway, path: str, body: Any, key: str, status: int, param: str | None
) -> None:
    got, answer = post(gateway, path, body, key)
    assert (got, answer["error"]["param"]) == (status, param)


# The sandbox -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "status"), [("fail", 500), ("rate-limit", 429)])
def test_triggers_in_the_query(gateway: Gateway, word: str, status: int) -> None:
    url = f"{gateway.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime&note=[sandbox:{word}]"
    with pytest.raises(InvalidStatus) as fault:
        connect(url, additional_headers={"authorization": f"Bearer {RICH}"})
    assert fault.value.response.status_code == status


def test_triggers_in_what_is_said(gateway: Gateway) -> None:
    url = f"{gateway.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"

    def ask(session: ClientConnection, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        say(session, "conversation.item.create", item=item)
        say(session, "response.create", response={"output_modalities": ["text"]})

    def open_one() -> ClientConnection:
        return until(lambda: _tried(url))

    with open_one() as session:
        ask(session, "[sandbox:fail]")
        done = receive_until(session, "response.done")[-1]["response"]
        assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "server_error")
        ask(session, "[sandbox:delta-ms=100] a long one")
        receive_until(session, "response.output_text.delta")
        say(session, "response.cancel")
        done = receive_until(session, "response.done")[-1]["response"]
        assert (done["status"], done["usage"]["output_tokens"] > 0) == ("cancelled", True)
        ask(session, "[sandbox:no-usage]")
        receive_until(session, "response.done")
        ask(session, "[sandbox:cut-stream=3]")
        assert receive_until(session, "error")[-1]["error"]["code"] == "upstream_error"
        assert ends(session)[0] == 1011
    _, charged = ended(gateway, request_id(session))
    assert [row["basis"] for row in charged] == ["vendor", "vendor", "estimated", "counted"]


def _tried(url: str) -> ClientConnection | None:
    try:
        return connect(url, additional_headers={"authorization": f"Bearer {RICH}"})
    except InvalidStatus:
        return None
