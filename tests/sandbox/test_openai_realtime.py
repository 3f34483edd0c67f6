"""Realtime as the sandbox speaks it: in one shape, and what it then refuses of the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from .conftest import sandbox

BETA = {"openai-beta": "realtime=v1"}
GA_SESSION = {"type": "realtime", "output_modalities": ["text"]}
PCM = {"type": "audio/pcm"}


def said(role: str, kind: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]}


@pytest.fixture(scope="module")
def older() -> Iterator[str]:
    with sandbox("--realtime", "beta") as url:
        yield url


@pytest.fixture
async def anybody() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-test"}) as session:
        yield session


async def receive(ws: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    return json.loads((await ws.receive()).data)


async def test_the_beta_is_no_longer_offered(base: str, anybody: aiohttp.ClientSession) -> None:
    async with anybody.ws_connect(f"{base}/v1/realtime?model=gpt-realtime", headers=BETA) as ws:
        event = await receive(ws)
        assert (event["type"], event["error"]["code"]) == ("error", "beta_api_shape_disabled")
        end = await ws.receive()
        assert (end.data, end.extra) == (4000, "invalid_request_error.beta_api_shape_disabled")


@pytest.mark.parametrize("intent", ["", "&intent=transcription"])
@pytest.mark.parametrize("headers", [{}, BETA])
async def test_a_sandbox_of_the_beta_speaks_it_to_everybody(
    older: str, anybody: aiohttp.ClientSession, headers: dict[str, str], intent: str
) -> None:
    async with anybody.ws_connect(f"{older}/v1/realtime?model=gpt-realtime{intent}", headers=headers) as ws:
        event = await receive(ws)
        assert event["type"] == ("transcription_session.created" if intent else "session.created")
        assert event["session"]["input_audio_format"] == "pcm16"


@pytest.mark.parametrize(
    ("beta", "event", "code", "param"),
    [
        (False, {"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
        (
            False,
            {"type": "session.update", "session": {"type": "realtime", "modalities": ["text"]}},
            "unknown_parameter",
            "session.modalities",
        ),
        (
            False,
            {"type": "session.update", "session": {**GA_SESSION, "output_modalities": ["audio", "text"]}},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            False,
            {"type": "session.update", "session": {**GA_SESSION, "audio": {"output": {"format": PCM}}}},
            "missing_required_parameter",
            "session.audio.output.format.rate",
        ),
        (
            False,
            {"type": "session.update", "session": {**GA_SESSION, "audio": {"input": {"voice": "ash"}}}},
            "unknown_parameter",
            "session.audio.input.voice",
        ),
        (False, {"type": "transcription_session.update", "session": {}}, "invalid_value", "type"),
        (
            False,
            {"type": "response.create", "response": {"modalities": ["text"]}},
            "unknown_parameter",
            "response.modalities",
        ),
        (
            False,
            {"type": "conversation.item.create", "item": said("assistant", "text")},
            "invalid_value",
            "item.content[0].type",
        ),
        (True, {"type": "session.update", "session": GA_SESSION}, "unknown_parameter", "session.type"),
        (True, {"type": "session.update", "session": {"audio": {}}}, "unknown_parameter", "session.audio"),
        (
            True,
            {"type": "session.update", "session": {"modalities": ["audio"]}},
            "invalid_value",
            "session.modalities",
        ),
        (
            True,
            {"type": "session.update", "session": {"input_audio_format": PCM}},
            "invalid_value",
            "session.input_audio_format",
        ),
        (
            True,
            {"type": "response.create", "response": {"input": [said("assistant", "output_text")]}},
            "invalid_value",
            "response.input[0].content[0].type",
        ),
    ],
)
async def test_what_is_refused_of_the_other_shape(
    base: str, older: str, anybody: aiohttp.ClientSession, beta: bool, event: Any, code: str, param: str
) -> None:
    async with anybody.ws_connect(f"{older if beta else base}/v1/realtime?model=gpt-realtime") as ws:
        await receive(ws)
        await ws.send_json({**event, "event_id": "mine"})
        error = (await receive(ws))["error"]
        assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
