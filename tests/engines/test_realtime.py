"""Conversations by voice with the official SDK: what is said is heard, answered and spoken."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy
import pytest
from openai import AsyncOpenAI, OpenAI

from deeepai.engines.realtime.family import MOST_SESSIONS
from deeepai.engines.realtime.response import sentences
from deeepai.engines.realtime.settings import SettingsError, checked, defaults, laid
from deeepai.engines.realtime.sound import Ears, decoded, encoded
from tests.support.until import PATIENCE, until_async

MODEL = "local-realtime"
QUESTION = "What is the capital of France?"
BRIEF = "Answer in one short sentence."
STORY = "Tell me a story about a fox and a bear."
SECOND = 48_000

pytestmark = pytest.mark.usefixtures("audio_packs")


@pytest.fixture(scope="session")
def question(client: OpenAI, audio_packs: Path) -> bytes:
    """A second of silence, the question, and two more of silence; 16 bits at 24 kHz."""
    spoken = client.audio.speech.create(model="kokoro-82m", voice="nova", input=QUESTION, response_format="pcm")
    return bytes(SECOND) + spoken.content + bytes(2 * SECOND)


class Talk:
    """A session, and all that came of it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []

    async def say(self, sound: bytes) -> None:
        for start in range(0, len(sound), SECOND // 10):
            piece = base64.b64encode(sound[start : start + SECOND // 10]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            event = (await asyncio.wait_for(self.connection.recv(), PATIENCE)).to_dict()
            self.events.append(event)
            if event["type"] == kind:
                return event

    async def configure(self, **session: Any) -> dict[str, Any]:
        await self.connection.session.update(session={"type": "realtime", **session})
        return (await self.until("session.updated"))["session"]

    async def ask(self, text: str, **response: Any) -> None:
        part = {"type": "input_text", "text": text}
        await self.connection.conversation.item.create(item={"type": "message", "role": "user", "content": [part]})
        await self.connection.response.create(response=response)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def sound(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))


@asynccontextmanager
async def talking(url: str, **options: Any) -> AsyncIterator[Talk]:
    async with (
        AsyncOpenAI(base_url=f"{url}/v1", api_key="not-needed", max_retries=0) as client,
        client.realtime.connect(**({"model": MODEL} | options)) as connection,
    ):
        talk = Talk(connection)
        created = await talk.until("session.created")
        assert created["session"]["model"] == MODEL
        yield talk


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


async def test_a_question_is_heard_answered_and_spoken(engines: str, client: OpenAI, question: bytes):
    async with talking(engines) as talk:
        await talk.configure(audio={"input": {"transcription": {"model": "whisper-1"}}}, instructions=BRIEF)
        await talk.say(question)
        done = (await talk.until("response.done"))["response"]
    began = talk.of("input_audio_buffer.speech_started")[0]
    ended = talk.of("input_audio_buffer.speech_stopped")[0]
    assert 500 <= began["audio_start_ms"] <= 1200
    seconds = (len(question) - 3 * SECOND) / SECOND
    assert 1000 + seconds * 500 < ended["audio_end_ms"] < 1000 + seconds * 1000 + 1500
    heard = talk.of("conversation.item.input_audio_transcription.completed")[0]
    assert words(heard["transcript"]) == words(QUESTION)
    assert heard["item_id"] == began["item_id"] == talk.of("input_audio_buffer.committed")[0]["item_id"]
    assert done["status"] == "completed"
    (item,) = done["output"]
    said = item["content"][0]["transcript"]
    assert "Paris" in said
    assert said == "".join(event["delta"] for event in talk.of("response.output_audio_transcript.delta"))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 24_000, 0, "NONE", ""))
        writer.writeframes(talk.sound)
    again = client.audio.transcriptions.create(model="whisper-base", file=("said.wav", file.getvalue()))
    assert "paris" in words(again.text)
    usage = done["usage"]
    assert usage["output_token_details"]["audio_tokens"] == pytest.approx(len(talk.sound) / SECOND * 20, abs=2)
    assert usage["input_token_details"]["audio_tokens"] > 10
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_the_order_of_a_turn_of_text(engines: str):
    async with talking(engines) as talk:
        await talk.configure(output_modalities=["text"], instructions="Answer in one word.", max_output_tokens=60)
        talk.events.clear()
        await talk.ask(QUESTION)
        done = (await talk.until("response.done"))["response"]
    kinds = list(dict.fromkeys(event["type"] for event in talk.events))
    assert kinds == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    text = "".join(event["delta"] for event in talk.of("response.output_text.delta"))
    assert text == talk.of("response.output_text.done")[0]["text"] == done["output"][0]["content"][0]["text"]
    assert "Paris" in text
    assert done["usage"]["output_token_details"] == {
        "text_tokens": done["usage"]["output_tokens"],
        "audio_tokens": 0,
    }


async def test_whoever_speaks_interrupts(engines: str, question: bytes):
    async with talking(engines) as talk:
        detection = {"type": "server_vad", "create_response": False}
        await talk.configure(audio={"input": {"turn_detection": detection}}, max_output_tokens=100)
        await talk.ask(STORY)
        await talk.until("response.output_audio.delta")
        await talk.say(question)
        done = (await talk.until("response.done"))["response"]
        await talk.until("input_audio_buffer.committed")
    assert done["status"] == "cancelled"
    assert done["status_details"]["reason"] == "turn_detected"
    assert done["output"][0]["status"] == "incomplete"


async def test_cancelling(engines: str):
    async with talking(engines) as talk:
        await talk.connection.response.cancel()
        assert (await talk.until("error"))["error"]["code"] == "response_cancel_not_active"
        await talk.ask(STORY, max_output_tokens=100)
        await talk.until("response.output_audio.delta")
        await talk.connection.response.create()
        error = (await talk.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        await talk.connection.response.cancel()
        done = (await talk.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        item = done["output"][0]["id"]
        await talk.connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=0)
        await talk.until("conversation.item.truncated")
        await talk.connection.conversation.item.retrieve(item_id=item)
        assert (await talk.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"] == ""


async def test_a_telephone(engines: str, question: bytes):
    samples = numpy.frombuffer(question, "<i2").reshape(-1, 3).mean(axis=1)
    form = {"type": "audio/pcmu"}
    async with talking(engines) as talk:
        sound = {"input": {"format": form, "transcription": {}}, "output": {"format": form, "voice": "echo"}}
        session = await talk.configure(audio=sound, max_output_tokens=12)
        assert session["audio"]["output"]["format"] == form
        await talk.say(encoded(samples, "audio/pcmu"))
        done = (await talk.until("response.done"))["response"]
    heard = talk.of("conversation.item.input_audio_transcription.completed")[0]
    assert words(heard["transcript"]) == words(QUESTION)
    tokens = done["usage"]["output_token_details"]["audio_tokens"]
    assert len(talk.sound) / 8000 == pytest.approx(tokens / 20, abs=0.2)


async def test_turns_by_hand_and_transcription_alone(engines: str, question: bytes):
    async with talking(engines, extra_query={"intent": "transcription"}) as talk:
        sound = {"input": {"transcription": {"language": "en"}, "turn_detection": None}}
        await talk.connection.session.update(session={"type": "transcription", "audio": sound})
        assert (await talk.until("session.updated"))["session"]["audio"]["input"]["turn_detection"] is None
        await talk.connection.input_audio_buffer.commit()
        assert (await talk.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
        await talk.say(question)
        await talk.connection.input_audio_buffer.commit()
        heard = await talk.until("conversation.item.input_audio_transcription.completed")
        assert words(heard["transcript"]) == words(QUESTION)
        assert heard["usage"]["type"] == "duration"
        await talk.connection.response.create()
        assert "transcription session" in (await talk.until("error"))["error"]["message"]


async def test_functions(engines: str):
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    async with talking(engines) as talk:
        await talk.configure(output_modalities=["text"], tools=[tool], tool_choice="required")
        await talk.ask("What is the weather in Oslo?")
        done = (await talk.until("response.done"))["response"]
        call = next(item for item in done["output"] if item["type"] == "function_call")
        assert (call["name"], call["status"]) == ("get_weather", "completed")
        assert "city" in call["arguments"]
        told = talk.of("response.function_call_arguments.done")[0]
        assert (told["arguments"], told["call_id"]) == (call["arguments"], call["call_id"])
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"celsius": 21}'}
        await talk.connection.conversation.item.create(item=output)
        await talk.connection.response.create(response={"tool_choice": "none"})
        assert (await talk.until("response.done"))["response"]["output"][0]["type"] == "message"


async def test_what_cannot_be_is_refused_and_the_session_goes_on(engines: str):
    async with talking(engines) as talk:
        for event, code, param in (
            ({"type": "no.such.event"}, "invalid_value", "type"),
            ({"type": "input_audio_buffer.append", "audio": "not base64!"}, "invalid_value", "audio"),
            ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
            ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
            (
                {"type": "session.update", "session": {"type": "realtime", "model": "gpt-realtime"}},
                "invalid_value",
                "session.model",
            ),
            (
                {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text", "audio"]}},
                "invalid_value",
                "session.output_modalities",
            ),
            (
                {"type": "session.update", "session": {"type": "realtime", "chat_model": "gpt-5"}},
                "invalid_value",
                "session.chat_model",
            ),
            ({"type": "conversation.item.delete", "item_id": "item_none"}, "invalid_value", "item_id"),
            ({"type": "response.create", "response": {"max_output_tokens": 0}}, "invalid_value", None),
            (
                {
                    "type": "conversation.item.create",
                    "item": {
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}],
                    },
                },
                "invalid_value",
                None,
            ),
        ):
            await talk.connection.send({**event, "event_id": "mine"})
            error = (await talk.until("error"))["error"]
            assert (error["code"], error["event_id"]) == (code, "mine")
            assert param is None or error["param"] == param
        await talk.ask("Hi", output_modalities=["text"], max_output_tokens=4)
        assert (await talk.until("response.done"))["response"]["status"] == "incomplete"
        await talk.ask("Hi", audio={"output": {"voice": "no such voice"}})
        failed = (await talk.until("response.done"))["response"]
        assert failed["status"] == "failed"
        assert "voice" in failed["status_details"]["error"]["message"]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 400),
        ("?model=gpt-realtime", {}, 404),
        (f"?model={MODEL}", {}, 400),
        (f"?model={MODEL}", {"openai-beta": "realtime=v1"}, 400),
    ],
)
async def test_handshakes_that_are_refused(engines: str, query: str, headers: dict[str, str], status: int):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{engines}/v1/realtime{query}", headers=headers) as answer,
    ):
        assert answer.status == status
        assert (await answer.json())["error"]["type"] == "invalid_request_error"


async def test_without_its_packs(bare: str):
    async with aiohttp.ClientSession() as session, session.get(f"{bare}/v1/realtime?model={MODEL}") as answer:
        assert answer.status == 503
        assert "deeepai engines install" in (await answer.json())["error"]["message"]


def test_telephone_codes():
    assert list(decoded(b"\x00\x80\xff\x7f", "audio/pcmu")) == [-32124, 32124, 0, 0]
    assert list(decoded(b"\xd5\x55\xaa\x2a", "audio/pcma")) == [8, -8, 32256, -32256]
    samples = numpy.arange(-32_768, 32_768, 7)
    for form in ("audio/pcmu", "audio/pcma"):
        again = decoded(encoded(samples, form), form).astype(int)
        assert (abs(again - samples) <= numpy.maximum(abs(samples) / 16, 16)).all()


def test_settings_change_in_part():
    begun = defaults(MODEL, transcribes=False)
    changed = laid(begun, {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}})
    assert begun["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    settings = checked(changed, "session")
    assert settings.audio.input.turn_detection is not None
    assert settings.audio.input.turn_detection.silence_ms == 1200
    assert settings.audio.output.voice_name == "alloy"
    with pytest.raises(SettingsError) as caught:
        checked(laid(begun, {"audio": {"output": {"speed": 9}}}), "session")
    assert caught.value.param == "session.audio.output.speed"


def test_sentences_are_cut_as_they_come():
    assert sentences("One. Two") == (["One."], " Two")
    assert sentences("It is 3.5 now") == ([], "It is 3.5 now")
    assert sentences("你好。我很好") == (["你好。"], "我很好")
    assert sentences('He said "go!" Then') == (['He said "go!"'], " Then")


def test_clicks_and_hum_are_not_speech():
    ears = Ears("audio/pcm", 0.5, 500, 0)
    time = numpy.arange(5 * 24_000) / 24_000
    sound = 3000 * numpy.sin(2 * numpy.pi * 100 * time)
    sound[::12_000] = 30_000
    assert list(ears.hear(sound.astype("<i2"))) == []


async def test_sessions_are_few_and_those_that_end_make_room(engines: str):
    url = f"{engines}/v1/realtime?model={MODEL}"
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(url) for _ in range(MOST_SESSIONS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url)
        assert caught.value.status == 429
        # One leaves in the middle of an answer.
        part = {"type": "input_text", "text": STORY}
        item = {"type": "message", "role": "user", "content": [part]}
        await sockets[0].send_json({"type": "conversation.item.create", "item": item})
        await sockets[0].send_json({"type": "response.create"})
        while (await sockets[0].receive_json())["type"] != "response.created":
            pass
        for socket in sockets:
            await socket.close()

        async def taken() -> bool:
            try:
                async with session.ws_connect(url) as socket:
                    return (await socket.receive_json())["type"] == "session.created"
            except aiohttp.WSServerHandshakeError:
                return False

        await until_async(taken)
