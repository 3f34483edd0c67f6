"""Realtime in the beta and in today's API: OpenAI's own clients of each, on upstreams that speak only one of them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from openai import OpenAI

from tests.clients.test_node import run
from tests.clients.test_realtime_python import ADD, SILENCE, charges, folded, said, sessions, speech, until_done
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.certificates import certificate

UPSTREAMS = {"ga": "gpt-realtime", "beta": "gpt-4o-realtime-preview"}
"""A model of an upstream of each."""
EVENTS = {
    "ga": [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ],
    "beta": [
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ],
}
TEXT = {"ga": {"type": "realtime", "output_modalities": ["text"]}, "beta": {"modalities": ["text"]}}
HEARD = {
    "ga": {
        "type": "realtime",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "create_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
        },
    },
    "beta": {
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "create_response": True},
        "voice": "ash",
        "temperature": 0.7,
    },
}


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The usual sandbox speaks today's API alone; a second one speaks the beta alone."""
    older = Sandbox(flags=("--realtime", "beta")).start()
    toml = f"""
[[channels]]
name = "older"
protocol = "openai"
base_url = "{older.url}/openai/v1"
credential = "sk-older"
models = ["{UPSTREAMS["beta"]}"]
priority = 10
settings = {{ realtime = "beta" }}
"""
    made = Gateway(tmp_path_factory.mktemp("versions"), sandbox, toml=toml).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()
    older.stop()


@pytest.fixture(params=["ga", "beta"])
def caller(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["ga", "beta"])
def upstream(request: pytest.FixtureRequest) -> str:
    return request.param


def client(gateway: Gateway, key: str) -> OpenAI:
    # The beta's sessions go to wss wherever the API is, unless told otherwise.
    base, sockets = f"{gateway.url}/v1", f"{gateway.url.replace('http', 'ws')}/v1"
    return OpenAI(base_url=base, websocket_base_url=sockets, api_key=key, max_retries=0)


Connect = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def connect(gateway: Gateway, caller: str) -> Iterator[Connect]:
    """How the client of the caller's version opens a session."""
    with client(gateway, gateway.live) as made:
        yield _resource(made, caller).connect


def _resource(made: OpenAI, caller: str) -> Any:
    return made.realtime if caller == "ga" else made.beta.realtime


@pytest.mark.operation("openai.realtime")
def test_text_turns(connect: Connect, gateway: Gateway, caller: str, upstream: str) -> None:
    before = sessions(gateway)
    with connect(model=UPSTREAMS[upstream]) as connection:
        created = connection.recv()
        assert created.type == "session.created"
        assert ("modalities" in created.session.to_dict()) == (caller == "beta")
        assert ("audio" in created.session.to_dict()) == (caller == "ga")
        connection.session.update(session=TEXT[caller])
        (updated,) = until_done(connection, "session.updated")
        assert TEXT[caller].items() <= updated.session.to_dict().items()
        usage = []
        for text in ("Hello", "And again"):
            connection.conversation.item.create(item=said(text))
            connection.response.create()
            events = until_done(connection)
            assert folded(events)[-len(EVENTS[caller]) :] == EVENTS[caller]
            assert len({event.event_id for event in events}) == len(events)
            (item,) = events[-1].response.output
            assert item.content[0].type == ("output_text" if caller == "ga" else "text")
            assert text in item.content[0].text
            usage.append(events[-1].response.usage)
        history = {"type": "message", "role": "assistant", "content": [item.content[0].to_dict()]}
        connection.conversation.item.create(item=history)
        until_done(connection, EVENTS[caller][0])
    for told, row in zip(usage, charges(gateway, before, 2), strict=True):
        cached = told.input_token_details.cached_tokens
        fresh, out = told.input_tokens - cached, told.output_tokens
        prices = (4000, 400, 16_000) if upstream == "ga" else (5000, 2500, 20_000)
        assert row["cost"] == prices[0] * fresh + prices[1] * cached + prices[2] * out
        assert (row["basis"], row["model"]) == ("vendor", UPSTREAMS[upstream])


@pytest.mark.operation("openai.realtime")
def test_a_spoken_turn_with_its_transcription(connect: Connect, gateway: Gateway, caller: str, upstream: str) -> None:
    before = sessions(gateway)
    with connect(model=UPSTREAMS[upstream]) as connection:
        connection.recv()
        connection.session.update(session=HEARD[caller])
        (updated,) = until_done(connection, "session.updated")
        shown = updated.session.to_dict()
        if caller == "ga":
            assert shown["audio"]["output"]["voice"] == "ash"
            assert shown["audio"]["input"]["transcription"] == {"model": "whisper-1"}
        else:
            assert (shown["voice"], shown["input_audio_transcription"]) == ("ash", {"model": "whisper-1"})
        for piece in (speech(0.6), SILENCE):
            connection.input_audio_buffer.append(audio=piece)
        events = until_done(connection)
    audio = "response.output_audio" if caller == "ga" else "response.audio"
    kinds = {event.type for event in events}
    assert {
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.completed",
        f"{audio}_transcript.done",
        f"{audio}.done",
    } <= kinds
    spoken = b"".join(base64.b64decode(event.delta) for event in events if event.type == f"{audio}.delta")
    told = events[-1].response.usage
    assert told.output_token_details.audio_tokens == len(spoken) // 2400
    written, answered = charges(gateway, before, 2)
    assert (written["model"], written["cost"]) == ("whisper-1", 160_000)
    assert (answered["basis"], answered["cost"] > 0) == ("vendor", True)


@pytest.mark.operation("openai.realtime")
def test_tools(connect: Connect, caller: str, upstream: str) -> None:
    with connect(model=UPSTREAMS[upstream]) as connection:
        connection.recv()
        connection.session.update(session={**TEXT[caller], "tools": [ADD], "tool_choice": "auto"})
        connection.conversation.item.create(item=said("[tool] add something"))
        connection.response.create()
        events = until_done(connection)
        (call,) = [event for event in events if event.type == "response.function_call_arguments.done"]
        whole = [event.item for event in events if event.type == "conversation.item.done"]
        assert [item.type for item in whole] == (["message", "function_call"] if caller == "ga" else [])
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "3"}
        connection.conversation.item.create(item=output)
        connection.response.create()
        assert until_done(connection)[-1].response.output[0].type == "message"


@pytest.mark.operation("openai.realtime")
def test_a_fault_names_the_callers_field(connect: Connect, caller: str, upstream: str) -> None:
    name = "output_modalities" if caller == "ga" else "modalities"
    with connect(model=UPSTREAMS[upstream]) as connection:
        connection.recv()
        session = {**TEXT[caller], name: ["video"]}
        connection.send({"type": "session.update", "event_id": "mine", "session": session})
        error = connection.recv().error
        assert (error.code, error.param) == ("invalid_value", f"session.{name}")


@pytest.mark.operation("openai.realtime")
def test_a_session_that_transcribes(connect: Connect, gateway: Gateway, caller: str, upstream: str) -> None:
    before = sessions(gateway)
    with connect(model=UPSTREAMS[upstream], extra_query={"intent": "transcription"}) as connection:
        prefix = "" if caller == "ga" else "transcription_"
        assert connection.recv().type == f"{prefix}session.created"
        if caller == "ga":
            sound = {"input": {"transcription": {"model": "whisper-1"}}}
            connection.session.update(session={"type": "transcription", "audio": sound})
        else:
            connection.transcription_session.update(session={"input_audio_transcription": {"model": "whisper-1"}})
        until_done(connection, f"{prefix}session.updated")
        for piece in (speech(0.6), SILENCE):
            connection.input_audio_buffer.append(audio=piece)
        until_done(connection, "conversation.item.input_audio_transcription.completed")
    (written,) = charges(gateway, before, 1)
    assert written["model"] == "whisper-1"


@pytest.mark.operation("openai.realtime")
def test_a_key_for_one_session(gateway: Gateway, caller: str, upstream: str) -> None:
    model = UPSTREAMS[upstream]
    with client(gateway, gateway.live) as maker:
        if caller == "ga":
            made = maker.realtime.client_secrets.create(session={**TEXT["ga"], "model": model})
            key = made.value
            assert made.session.model == model
        else:
            older = maker.beta.realtime.sessions.create(model=model, modalities=["text"])
            assert older.modalities == ["text"]
            key = older.client_secret.value
    with (
        client(gateway, key) as browser,
        _resource(browser, caller).connect(model=model) as connection,
    ):
        assert connection.recv().type == "session.created"
        (updated,) = until_done(connection, "session.updated")
        assert TEXT[caller].items() <= updated.session.to_dict().items()
        connection.conversation.item.create(item=said("Hello"))
        connection.response.create()
        assert until_done(connection)[-1].response.status == "completed"


@pytest.mark.operation("openai.realtime", "openai.realtime.sessions")
def test_node_in_the_beta(gateway: Gateway, upstream: str) -> None:
    key, made = certificate("127.0.0.1")
    env = {"TLS_KEY": key, "TLS_CERT": made, "NODE_TLS_REJECT_UNAUTHORIZED": "0", "MODEL": UPSTREAMS[upstream]}
    seen = run("realtime_beta.mjs", gateway, **env)
    for way in ("ws", "browser"):
        assert seen[way]["status"] == "completed"
        assert f"by {way}" in seen[way]["text"]
        assert seen[way]["session"]["modalities"] == ["text"]
        assert "conversation.item.created" in seen[way]["types"]
        assert "conversation.item.done" not in seen[way]["types"]
    assert seen["protocol"] == "realtime"
