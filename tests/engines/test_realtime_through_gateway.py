"""A spoken question to the gateway as it is out of the box, with the official SDK: heard, answered, spoken, charged."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.operator import rows
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.until import PATIENCE

QUESTION = "What is the capital of France?"
SECOND = 48_000
"""Bytes of a second of sound."""


@pytest.fixture(scope="module")
def local(audio_packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    env = {"DEEEPAI_PACKS": str(audio_packs)}
    made = Gateway(Path(tmp_path_factory.mktemp("voice")), flags=("--no-sandbox",), env=env).start()
    coverage_results.watch(made.url)
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


@pytest.mark.operation("openai.realtime", "openai.audio.speech")
async def test_a_spoken_question_is_answered(local: Gateway) -> None:
    with OpenAI(base_url=f"{local.url}/v1", api_key=local.live, max_retries=0, timeout=None) as client:
        spoken = client.audio.speech.create(model="tts-1", voice="nova", input=QUESTION, response_format="pcm").content
    sound = bytes(SECOND) + spoken + bytes(2 * SECOND)
    said, heard, words = b"", "", ""
    done: dict[str, Any] = {}
    async with (
        AsyncOpenAI(base_url=f"{local.url}/v1", api_key=local.live, max_retries=0) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        listening = {"input": {"transcription": {"model": "whisper-1"}}}
        session = {"type": "realtime", "instructions": "Answer in one short sentence.", "audio": listening}
        await connection.session.update(session=session)  # pyright: ignore[reportArgumentType]
        for start in range(0, len(sound), SECOND // 10):
            await connection.input_audio_buffer.append(
                audio=base64.b64encode(sound[start : start + SECOND // 10]).decode()
            )
        while not done:
            event: Any = (await asyncio.wait_for(connection.recv(), PATIENCE)).to_dict()
            match event["type"]:
                case "conversation.item.input_audio_transcription.completed":
                    heard = event["transcript"]
                case "response.output_audio.delta":
                    said += base64.b64decode(event["delta"])
                case "response.output_audio_transcript.delta":
                    words += event["delta"]
                case "response.done":
                    done = event["response"]
                case _:
                    pass
    assert re.findall(r"[a-z]+", heard.lower()) == re.findall(r"[a-z]+", QUESTION.lower())
    assert "Paris" in words
    assert len(said) > SECOND / 2
    assert done["usage"]["output_token_details"]["audio_tokens"] > 5
    charged = rows(local, "SELECT * FROM usage WHERE operation = 'openai.realtime' AND basis = 'vendor'")
    assert charged
    assert {row["upstream_model"] for row in charged} <= {"local-realtime", "whisper-base"}


@pytest.mark.operation("openai.realtime")
def test_the_beta_is_served(local: Gateway) -> None:
    """The engine speaks today's API alone."""
    base, sockets = f"{local.url}/v1", f"{local.url.replace('http', 'ws')}/v1"
    with (
        OpenAI(base_url=base, websocket_base_url=sockets, api_key=local.live, max_retries=0) as client,
        client.beta.realtime.connect(model="gpt-realtime") as connection,
    ):
        connection.session.update(session={"modalities": ["text"], "temperature": 0.8})
        content: Any = [{"type": "input_text", "text": QUESTION}]
        connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        connection.response.create()
        words, event = "", connection.recv()
        while event.type != "response.done":
            assert event.type != "error", event
            words += event.delta if event.type == "response.text.delta" else ""
            event = connection.recv()
    assert "Paris" in words
