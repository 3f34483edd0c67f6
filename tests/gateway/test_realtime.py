"""Realtime sessions through a gateway, against upstreams that do what vendors should not, too."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.gateway.realtime import (
    BOUND,
    CONFIG,
    FAULTS,
    HIDDEN,
    MODEL,
    NARROW,
    RICH,
    SCARCE,
    SCARCE_TOO,
    channel,
    ended,
    ends,
    open_session,
    receive,
    receive_until,
    refused,
    request_id,
    say,
)
from tests.gateway.vendor_socket import COST, VendorSocket
from tests.operator import rows
from tests.stack import Gateway
from tests.support.until import PATIENCE, until
from tests.wire import people


@pytest.fixture
def gateway(voice: Gateway) -> Gateway:
    return voice


# Before the upgrade ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("", 401, "invalid_api_key"),
        ("sk-live-nobody-knows-this-one-0000", 401, "invalid_api_key"),
        ("ek_nobodyknowsthisone000000000000", 401, "invalid_api_key"),
        (people.EXPIRED, 401, "expired_api_key"),
        (people.DISABLED, 401, "invalid_api_key"),
        (people.NARROW, 403, "access_denied"),
        (HIDDEN, 403, "access_denied"),
        (people.POOR, 403, "insufficient_quota"),
    ],
)
def test_callers_that_may_not(gateway: Gateway, vendor: VendorSocket, key: str, status: int, code: str) -> None:
    got, error, _ = refused(gateway, "closed", key)
    assert (got, error["code"]) == (status, code)
    assert not vendor.of("closed")


def test_requests_that_cannot_be(gateway: Gateway) -> None:
    address = gateway.url.replace("http", "ws")
    for path, status, param in (
        ("/v1/realtime", 400, "model"),
        ("/v1/realtime?model=", 400, "model"),
        (f"/v1/realtime?model={MODEL}x&call_id=rtc_1", 400, "call_id"),
        ("/v1/realtime?model=no-such-model", 404, "model"),
        ("/v1/embeddings", 426, None),
        ("/v1/models", 426, None),
        ("/v1/nothing", 426, None),
        ("/healthz", 426, None),
    ):
        with pytest.raises(InvalidStatus) as fault:
            connect(address + path, additional_headers={"authorization": f"Bearer {RICH}"})
        error = json.loads(fault.value.response.body)["error"]
        assert (fault.value.response.status_code, error["param"]) == (status, param), path


def test_what_the_upstream_refuses_is_said_as_it_says_it(gateway: Gateway, vendor: VendorSocket) -> None:
    status, error, _ = refused(gateway, "refused")
    assert (status, error["code"]) == (400, "invalid_model")
    status, error, _ = refused(gateway, "opens-wrong")
    assert (status, error["code"]) == (400, "invalid_model")
    assert len(vendor.of("opens-wrong")) == 1


def test_limits_hold_for_the_whole_session(gateway: Gateway) -> None:
    with open_session(gateway, "bound", BOUND) as session:
        receive(session)
        status, error, headers = refused(gateway, "bound", BOUND)
        assert (status, error["code"], headers["retry-after"]) == (429, "rate_limit_exceeded", "1")
    until(lambda: not _refusal(gateway, "bound", BOUND))
    until(lambda: "requests a minute" in _refusal(gateway, "bound", BOUND))


def _refusal(gateway: Gateway, word: str, key: str) -> str:
    """Return what is said where a session is refused."""
    try:
        with open_session(gateway, word, key):
            return ""
    except InvalidStatus as fault:
        return json.loads(fault.response.body)["error"]["message"]


# Which upstream ----------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.realtime")
@pytest.mark.parametrize("word", ["failover", *FAULTS])
def test_another_channel_takes_what_one_does_not(gateway: Gateway, vendor: VendorSocket, word: str) -> None:
    with open_session(gateway, word) as session:
        assert receive(session)["type"] == "session.created"
        say(session, "echo", n=1)
        assert receive(session) == {"type": "echo", "n": 1}
    assert vendor.of(word)[-1].path.startswith("/second/" if word != "failover" else "/")
    assert not vendor.of("redirected")
    assert vendor.of(word)[-1].headers["authorization"].startswith("Bearer sk-upstream-")
    row, charged = ended(gateway, request_id(session))
    assert (row["status"], row["attempts"] > 1, charged) == (101, True, [])


def test_an_upstream_that_waits_to_be_spoken_to(gateway: Gateway) -> None:
    with open_session(gateway, "mute") as session:
        say(session, "echo")
        assert receive(session)["type"] == "echo"


def test_names(gateway: Gateway, vendor: VendorSocket) -> None:
    with open_session(gateway, "our-voice", query="&extra=%7Ba%7D%20b") as session:
        receive(session)
        say(session, "session.update", session={"type": "realtime", "model": "our-voice"})
        say(session, "session.update", event_id="mine", session={"type": "realtime", "model": "gpt-realtime"})
        error = receive(session)
        assert error["error"]["param"] == "session.model"
        assert error["error"]["event_id"] == "mine"
        say(session, "echo")
        receive(session)
    seen = vendor.of("extra")[-1]
    assert seen.path.endswith("/v1/realtime?model=real&extra=%7Ba%7D%20b")
    assert [event.get("session", {}).get("model") for event in seen.events] == ["real", None]
    row, _ = ended(gateway, request_id(session))
    assert (row["model"], row["upstream_model"]) == ("our-voice", "real")


@pytest.mark.operation("openai.realtime")
def test_keys_among_the_subprotocols(gateway: Gateway, vendor: VendorSocket) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{RICH}"]
    with open_session(gateway, "browser", "", subprotocols=offered) as session:
        assert session.subprotocol == "realtime"
        receive(session)
    assert RICH not in json.dumps(vendor.of("browser")[-1].headers)
    with open_session(gateway, "plain") as session:
        assert session.subprotocol is None
        receive(session)
    assert "openai-beta" not in vendor.of("plain")[-1].headers


# Events ------------------------------------------------------------------------------------------------------------


def test_events_pass_as_they_are(gateway: Gateway, vendor: VendorSocket) -> None:
    with open_session(gateway, "verbatim") as session:
        receive(session)
        for text in (
            '{ "type" : "echo",  "n": 1.50, "ü": "\\u00fc \\ud83d\\ude00" }',
            '{"type":"echo","big":"%s"}' % ("x" * 2**20),
        ):
            session.send(text)
            assert receive(session) == json.loads(text)


def test_events_that_are_none(gateway: Gateway, vendor: VendorSocket) -> None:
    with open_session(gateway, "spoilt") as session:
        receive(session)
        for text in ("", "{", "[]", '{"type": 1}', '{"type":"session.update","session":' + "[" * 100_000, "null"):
            session.send(text)
            error = receive(session)
            assert error["type"] == "error"
            assert error["error"]["type"] == "invalid_request_error"
        transcription = {"transcription": {"model": "gpt-4o-transcribe"}}
        say(session, "echo")
        assert receive(session)["type"] == "echo"
    assert [event["type"] for event in vendor.of("spoilt")[-1].events] == ["echo"]
    with open_session(gateway, "narrow", NARROW) as session:
        receive(session)
        say(session, "session.update", session={"type": "realtime", "audio": {"input": transcription}})
        assert receive(session)["error"]["code"] == "access_denied"
        session.send(b"bytes")
        assert ends(session) == (1003, "events are text")


def test_a_slow_reader_is_waited_for(gateway: Gateway, vendor: VendorSocket) -> None:
    with open_session(gateway, "flood", max_queue=1, close_timeout=0.5) as session:
        receive(session)
        seen = vendor.of("flood")[-1]
        last = -1
        # Until the upstream can send no more.
        while last != seen.sent:
            last = seen.sent
            time.sleep(0.3)
        # The kernel's buffers of two connections hold up to some 10 MB each.
        assert seen.sent * 65_000 < 32 * 2**20
        numbers = [receive(session)["number"] for _ in range(last + 200)]
        assert numbers == list(range(1, last + 201))


def as_beta(key: str) -> dict[str, Any]:
    """How a caller of the beta says who it is, and what it speaks."""
    return {"key": "", "subprotocols": ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]}


BETA = as_beta(RICH)


@pytest.mark.parametrize(("word", "speaks"), [("current", "ga"), ("aged", "beta"), ("both", None)])
@pytest.mark.parametrize("caller", ["ga", "beta"])
def test_the_upstream_is_asked_as_it_speaks(
    gateway: Gateway, vendor: VendorSocket, caller: str, word: str, speaks: str | None
) -> None:
    spoken = speaks or caller
    flat, present = {"voice": "ash"}, {"type": "realtime", "audio": {"output": {"voice": "ash"}}}
    text = json.dumps({"type": "session.update", "session": flat if caller == "beta" else present}, indent=1)
    with open_session(gateway, word, **(BETA if caller == "beta" else {})) as session:
        receive(session)
        session.send(text)
        say(session, "response.create")
        kinds = {event["type"] for event in receive_until(session, "response.done")}
    seen = vendor.of(word)[-1]
    assert seen.headers.get("openai-beta") == ("realtime=v1" if spoken == "beta" else None)
    assert seen.events[0]["session"] == (flat if spoken == "beta" else present)
    assert ("response.audio.delta" in kinds, "response.output_audio.delta" in kinds) == (
        caller == "beta",
        caller == "ga",
    )
    # What needs no turning passes as it is.
    assert (text in seen.texts) == (spoken == caller)
    _, (row,) = ended(gateway, request_id(session))
    assert (row["cost"], row["basis"]) == (COST, "vendor")


@pytest.mark.parametrize("word", ["half-turned", "aged-half"])
def test_what_came_of_a_turned_session_is_charged(gateway: Gateway, word: str) -> None:
    session = open_session(gateway, word, **({} if word.startswith("aged") else BETA))
    receive(session)
    say(session, "response.create")
    for _ in range(7):
        receive(session)
    session.close()
    _, (charged,) = ended(gateway, request_id(session))
    assert (charged["basis"], charged["cost"]) == ("counted", 20 * 64_000 + 2 * 16_000)


def test_no_shape_hides_a_model_from_the_other(gateway: Gateway, vendor: VendorSocket) -> None:
    """A token restricted to one model for transcription cannot name another beside it, in other words."""
    allowed, other = {"model": "whisper-1"}, {"model": "gpt-4o-transcribe"}
    both = {"input_audio_transcription": other, "audio": {"input": {"transcription": allowed}}}
    for word in ("hides", "aged-hides", "both"):
        for caller in ({"key": NARROW}, as_beta(NARROW)):
            with open_session(gateway, word, **caller) as session:
                receive(session)
                say(session, "session.update", session=both)
                say(session, "echo")
                receive_until(session, "echo")
            assert "gpt-4o-transcribe" not in "".join(vendor.of(word)[-1].texts)


def test_a_format_that_the_upstream_does_not_know(gateway: Gateway, vendor: VendorSocket) -> None:
    with open_session(gateway, "aged-format") as session:
        receive(session)
        format = {"type": "audio/pcm", "rate": 16000}
        say(
            session,
            "session.update",
            event_id="mine",
            session={"type": "realtime", "audio": {"input": {"format": format}}},
        )
        error = receive(session)
        assert (error["type"], error["error"]["param"]) == ("error", "session.audio.input.format")
        assert error["error"]["event_id"] == "mine"
        say(session, "echo")
        assert receive(session)["type"] == "echo"
    assert [event["type"] for event in vendor.of("aged-format")[-1].events] == ["echo"]


# Money -------------------------------------------------------------------------------------------------------------


@pytest.mark.operation("openai.realtime")
def test_each_response_is_charged_once(gateway: Gateway) -> None:
    with open_session(gateway, "paid") as session:
        receive(session)
        request = request_id(session)
        for number in (1, 2):
            say(session, "response.create")
            receive_until(session, "response.done")
            # It is committed when the caller sees it.
            (row,) = rows(gateway, "SELECT * FROM usage WHERE request_id = ?", f"{request}-{number}")
            assert (row["cost"], row["basis"], row["status"]) == (COST, "vendor", 200)
    _, charged = ended(gateway, request)
    assert len(charged) == 2


def test_a_vendor_that_tells_nothing(gateway: Gateway) -> None:
    with open_session(gateway, "untold") as session:
        receive(session)
        sound = base64.b64encode(bytes(96_000)).decode()
        say(session, "input_audio_buffer.append", audio=sound)
        say(
            session,
            "conversation.item.create",
            item={"type": "message", "content": [{"type": "input_text", "text": "Hi"}]},
        )
        say(session, "response.create")
        receive_until(session, "response.done")
    _, (row,) = ended(gateway, request_id(session))
    consumed = json.loads(row["consumed"])
    assert row["basis"] == "estimated"
    assert (consumed["audio_in"], consumed["audio_out"], consumed["input"], consumed["output"]) == (20, 20, 1, 2)
    assert row["cost"] == 20 * 32_000 + 20 * 64_000 + 4000 + 2 * 16_000


@pytest.mark.parametrize("how", ["closes", "vanishes"])
def test_a_caller_that_leaves_pays_for_what_came(gateway: Gateway, vendor: VendorSocket, how: str) -> None:
    session = open_session(gateway, f"half-{how}")
    receive(session)
    say(session, "response.create")
    for _ in range(7):
        receive(session)
    if how == "closes":
        session.close()
    else:
        session.socket.shutdown(socket.SHUT_RDWR)
    row, (charged,) = ended(gateway, request_id(session))
    assert (charged["basis"], row["error"]) == ("counted", "the caller left")
    assert charged["cost"] == 20 * 64_000 + 2 * 16_000
    seen = vendor.of(f"half-{how}")[-1]
    assert until(lambda: seen.closed)[0] == 1000
    assert seen.events[-1]["type"] == "response.cancel"


def test_a_caller_that_leaves_pays_what_the_vendor_tells(gateway: Gateway) -> None:
    session = open_session(gateway, "half-obeys")
    receive(session)
    say(session, "response.create")
    receive_until(session, "response.output_audio.delta")
    session.close()
    _, (charged,) = ended(gateway, request_id(session))
    assert (charged["basis"], charged["cost"]) == ("vendor", COST)


@pytest.mark.parametrize("caller", [{}, BETA], ids=["ga", "beta"])
def test_an_upstream_that_breaks_off(gateway: Gateway, caller: dict[str, Any]) -> None:
    with open_session(gateway, "half-cuts", **caller) as session:
        receive(session)
        say(session, "response.create")
        seen = receive_until(session, "error")
        assert seen[-1]["error"]["type"] == "upstream_error"
        assert re.fullmatch(r"evt_req_\w+", seen[-1]["event_id"])
        assert ends(session)[0] == 1011
    row, (charged,) = ended(gateway, request_id(session))
    assert charged["basis"] == "counted"
    assert "1006" in row["error"]


@pytest.mark.parametrize("code", [1000, 1001, 1013, 4000])
def test_an_upstream_that_closes(gateway: Gateway, code: int) -> None:
    with open_session(gateway, "closing") as session:
        receive(session)
        say(session, "close", code=code)
        assert ends(session) == (code, "asked to")


@pytest.mark.parametrize(
    ("account", "caller"),
    [("scarce", {"key": SCARCE}), ("scarce-too", as_beta(SCARCE_TOO))],
    ids=["ga", "beta"],
)
def test_a_balance_that_is_spent(gateway: Gateway, vendor: VendorSocket, account: str, caller: dict[str, Any]) -> None:
    with open_session(gateway, "spends", **caller) as session:
        receive(session)
        say(session, "response.create")
        seen = receive_until(session, "error")
        assert seen[-2]["type"] == "response.done"
        assert seen[-1]["error"]["code"] == "insufficient_quota"
        assert ends(session) == (1008, "insufficient_quota")
    _, (charged,) = ended(gateway, request_id(session))
    assert charged["cost"] == COST
    (found,) = rows(gateway, "SELECT available, held, spent FROM accounts WHERE name = ?", account)
    assert found["spent"] == COST
    assert until(lambda: vendor.of("spends")[-1].closed)[0] == 1000
    assert refused(gateway, "spends", **caller)[1]["code"] == "insufficient_quota"


@pytest.mark.parametrize("key", [people.TESTER])
def test_test_mode_is_free(gateway: Gateway, key: str) -> None:
    url = f"{gateway.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime"
    with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as session:
        receive(session)
        say(session, "response.create", response={"output_modalities": ["text"]})
        receive_until(session, "response.done")
    _, (row,) = ended(gateway, request_id(session))
    assert (row["cost"], row["basis"]) == (0, "vendor")


def test_a_key_that_is_revoked_ends_its_session(gateway: Gateway) -> None:
    made = gateway.cli("tokens", "add", "short", "--account", "rich")
    (token,) = rows(gateway, "SELECT id FROM tokens WHERE name = 'short'")
    key = next(word for word in made.stdout.split() if word.startswith("sk-"))
    with open_session(gateway, "revoked", key) as session:
        receive(session)
        say(session, "response.create")
        receive_until(session, "response.done")
        assert gateway.cli("tokens", "disable", token["id"]).returncode == 0

        def ended_now() -> bool:
            say(session, "response.create")
            receive_until(session, "response.done")
            try:
                return json.loads(session.recv(timeout=0.3))["error"]["code"] == "invalid_api_key"
            except TimeoutError:
                return False

        until(ended_now)
        assert ends(session) == (1008, "invalid_api_key")


def test_nothing_is_lost_in_a_crash(gateway: Gateway, vendor: VendorSocket, tmp_path: Path) -> None:
    toml = channel("first", vendor.port, 20, f'models = ["{MODEL}*"]') + CONFIG
    own = Gateway(tmp_path / "crash", gateway.sandbox, toml=toml).start()
    try:
        with open_session(own, "crash") as session:
            receive(session)
            say(session, "response.create")
            receive_until(session, "response.done")
            own.kill()
        own.start()

        def settled() -> bool:
            (found,) = rows(own, "SELECT available, held, spent FROM accounts WHERE name = 'rich'")
            return (found["held"], found["spent"]) == (0, COST)

        until(settled)
        assert len(rows(own, "SELECT * FROM ledger WHERE kind = 'charge'")) == 1
        with open_session(own, "stopped") as session:
            receive(session)
            say(session, "echo")
            receive(session)
            assert own.process is not None
            own.process.terminate()
            assert ends(session)[0] == 1012
            own.process.wait(PATIENCE)
    finally:
        own.stop()
    assert rows(own, "SELECT sum(held) AS held FROM accounts") == [{"held": 0}]


# Time --------------------------------------------------------------------------------------------------------------


def test_silence_and_length(gateway: Gateway, vendor: VendorSocket, tmp_path: Path) -> None:
    toml = channel("first", vendor.port, 20, f'models = ["{MODEL}*"]') + CONFIG
    own = Gateway(tmp_path / "brief", gateway.sandbox, toml=toml).start(DEEEPAI_SESSION_IDLE="1")
    try:
        before = time.monotonic()
        with open_session(own, "silence") as session:
            receive(session)
            assert receive(session)["error"]["code"] == "session_idle"
            assert ends(session) == (1001, "session_idle")
        assert time.monotonic() - before >= 1
        own.stop()
        own.start(DEEEPAI_SESSION_LIMIT="2")
        before = time.monotonic()
        with open_session(own, "length") as session:
            event = receive(session)
            while event["type"] != "error":
                try:
                    say(session, "echo")
                except ConnectionClosed:
                    pass  # what it said before is still to be read
                event = receive(session)
            assert event["error"]["code"] == "session_expired"
            assert ends(session) == (1001, "session_expired")
        assert time.monotonic() - before >= 2
    finally:
        own.stop()
