"""OpenAI's own Python SDK against the gateway: Realtime sessions."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.operator import rows
from tests.stack import Gateway
from tests.support.until import until

MODEL = "gpt-realtime"
ADD = {
    "type": "function",
    "name": "add",
    "description": "Adds",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
}
TEXT_TURN = [
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
]


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def speech(seconds: float) -> str:
    count = int(24_000 * seconds)
    tone = array("h", [int(9000 * math.sin(2 * math.pi * 220 * index / 24_000)) for index in range(count)])
    return base64.b64encode(tone.tobytes()).decode()


SILENCE = base64.b64encode(bytes(2 * 24_000)).decode()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as made:
        yield made


def until_done(connection: Any, last: str = "response.done") -> list[Any]:
    seen: list[Any] = []
    while not seen or seen[-1].type != last:
        seen.append(connection.recv())
        assert seen[-1].type != "error", seen[-1]
    return seen


def folded(events: list[Any]) -> list[str]:
    kinds: list[str] = []
    for event in events:
        if not kinds or kinds[-1] != event.type:
            kinds.append(event.type)
    return kinds


def sessions(gateway: Gateway) -> set[str]:
    return {
        row["request_id"] for row in rows(gateway, "SELECT request_id FROM usage WHERE operation = 'openai.realtime'")
    }


def charges(gateway: Gateway, before: set[str], count: int) -> list[dict[str, Any]]:
    """The charges of the one session since, oldest first; the session's own row is there, too."""

    def look() -> list[dict[str, Any]] | None:
        found = rows(gateway, "SELECT * FROM usage WHERE operation = 'openai.realtime' ORDER BY created_at, request_id")
        new = [row for row in found if row["request_id"] not in before]
        ended = [row for row in new if "-" not in row["request_id"]]
        return [row for row in new if "-" in row["request_id"]] if ended else None

    found = until(look)
    assert len(found) == count, found
    for row in found:
        entries = rows(gateway, "SELECT * FROM ledger WHERE request_id = ?", row["request_id"])
        assert [(entry["kind"], entry["spent"]) for entry in entries] == [("charge", row["cost"])]
        assert row["cost"] > 0
    return found


@pytest.mark.operation("openai.realtime")
def test_text_turns(client: OpenAI, gateway: Gateway) -> None:
    before = sessions(gateway)
    with client.realtime.connect(model=MODEL) as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        (updated,) = until_done(connection, "session.updated")
        assert updated.session.output_modalities == ["text"]
        usage = []
        for text in ("Hello", "And again"):
            connection.conversation.item.create(item=said(text))
            connection.response.create()
            events = until_done(connection)
            start = [event.type for event in events].index("conversation.item.added")
            assert folded(events[start:]) == TEXT_TURN
            assert text in "".join(event.delta for event in events if event.type == "response.output_text.delta")
            usage.append(events[-1].response.usage)
    for told, row in zip(usage, charges(gateway, before, 2), strict=True):
        cached = told.input_token_details.cached_tokens
        fresh, out = told.input_tokens - cached, told.output_tokens
        assert row["cost"] == 4000 * fresh + 400 * cached + 16_000 * out
        assert row["basis"] == "vendor"
        assert row["model"] == MODEL


@pytest.mark.operation("openai.realtime")
def test_a_spoken_turn_with_its_transcription(client: OpenAI, gateway: Gateway) -> None:
    before = sessions(gateway)
    with client.realtime.connect(model=MODEL) as connection:
        connection.recv()
        sound = {"input": {"transcription": {"model": "whisper-1"}}}
        connection.session.update(session={"type": "realtime", "audio": sound})
        until_done(connection, "session.updated")
        for piece in (speech(0.6), SILENCE):
            connection.input_audio_buffer.append(audio=piece)
        events = until_done(connection)
    kinds = folded(events)
    heard = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    assert kinds[:3] == heard
    assert "conversation.item.input_audio_transcription.completed" in kinds
    spoken = b"".join(base64.b64decode(event.delta) for event in events if event.type == "response.output_audio.delta")
    told = events[-1].response.usage
    assert told.output_token_details.audio_tokens == len(spoken) // 48_000 * 20 + len(spoken) % 48_000 * 20 // 48_000
    assert told.input_token_details.audio_tokens == 16
    written, answered = charges(gateway, before, 2)
    assert (written["model"], written["cost"]) == ("whisper-1", 160_000)
    texts = told.input_token_details.text_tokens, told.output_token_details.text_tokens
    sounds = told.input_token_details.audio_tokens, told.output_token_details.audio_tokens
    assert answered["cost"] == 4000 * texts[0] + 16_000 * texts[1] + 32_000 * sounds[0] + 64_000 * sounds[1]


@pytest.mark.operation("openai.realtime")
async def test_tools_asynchronously(gateway: Gateway) -> None:
    async with (
        AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.live, max_retries=0) as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [ADD], "tool_choice": "auto"}
        await connection.session.update(session=session)
        await connection.conversation.item.create(item=said("[tool] add something"))
        await connection.response.create()
        call = None
        async for event in connection:
            if event.type == "response.function_call_arguments.done":
                call = event
            elif event.type == "response.done":
                break
        assert call is not None
        assert call.name == "add"
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "3"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                assert event.response.output[0].type == "message"
                break


@pytest.mark.operation("openai.realtime", "openai.realtime.client_secrets")
def test_a_key_for_one_session(client: OpenAI, gateway: Gateway) -> None:
    made = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "model": MODEL, "output_modalities": ["text"], "instructions": "Be brief."},
    )
    assert made.value.startswith("ek_")
    assert made.session.model == MODEL
    before = sessions(gateway)
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key=made.value, max_retries=0) as browser,
        browser.realtime.connect(model=MODEL) as connection,
    ):
        assert connection.recv().type == "session.created"
        updated = connection.recv()
        assert updated.type == "session.updated"
        assert updated.session.instructions == "Be brief."
        connection.conversation.item.create(item=said("Hello"))
        connection.response.create()
        assert until_done(connection)[-1].response.status == "completed"
    (row,) = charges(gateway, before, 1)
    assert (
        row["account_id"]
        == rows(gateway, "SELECT account_id FROM tokens WHERE id = ?", row["token_id"])[0]["account_id"]
    )
