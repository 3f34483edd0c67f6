"""Speech, judged by what an ear understands: Whisper writes it down again."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import wave
from typing import Any

import av
import pytest
import requests
from openai import APIStatusError, BadRequestError, InternalServerError, NotFoundError, OpenAI

from deeepai.engines.openai_wire import WireError
from deeepai.engines.speech.english.numerals import words_of
from deeepai.engines.speech.phonemes import passages
from deeepai.engines.speech.voices import voice_of

from .listening import BASE, SPEECH, TINY, characters, error_rate, seconds_of, words

pytestmark = pytest.mark.usefixtures("audio_packs")

GREETING = "Hello there."
LONG = "Wait a moment. " * 250


def say(client: OpenAI, text: str, **fields: Any) -> bytes:
    given: Any = {"model": SPEECH, "voice": "nova", "response_format": "wav", **fields}
    return client.audio.speech.create(input=text, **given).read()


def hear(client: OpenAI, sound: bytes, model: str = BASE, **fields: Any) -> str:
    return client.audio.transcriptions.create(file=("speech.wav", sound), model=model, **fields).text


@pytest.mark.parametrize(
    ("text", "voice", "speed"),
    [
        ("I would like to read this book in the garden.", "af_heart", 1.0),
        ("The engineer answered strange questions into the microphone.", "fable", 1.4),
    ],
)
def test_english_is_understood(client: OpenAI, text: str, voice: str, speed: float):
    heard = hear(client, say(client, text, voice=voice, speed=speed), TINY)
    assert error_rate(words(text), words(heard)) <= 0.1, heard


def test_mandarin_is_understood_under_any_voice(client: OpenAI):
    text = "今天天气很好，我们去公园散步吧。"
    heard = hear(client, say(client, text, voice="alloy"))
    assert error_rate(characters(text), characters(heard)) <= 0.1, heard


def test_numbers_and_unknown_words_are_understood(client: OpenAI):
    heard = hear(client, say(client, "The webhook cost $12.50 on May 21st."), TINY).lower()
    assert "12.50" in heard or "twelve dollars" in heard
    assert "may 21" in heard
    assert "hook" in heard


@pytest.fixture(scope="module")
def greeting(client: OpenAI) -> bytes:
    return say(client, GREETING, response_format="pcm")


@pytest.mark.parametrize(
    ("form", "codec", "content_type"),
    [
        ("mp3", "mp3", "audio/mpeg"),
        ("opus", "opus", "audio/ogg"),
        ("aac", "aac", "audio/aac"),
        ("flac", "flac", "audio/flac"),
        ("wav", "pcm_s16le", "audio/wav"),
    ],
)
def test_formats(client: OpenAI, greeting: bytes, form: Any, codec: str, content_type: str):
    # What OpenAI sends without a format is mp3.
    fields: Any = {"response_format": form} if form != "mp3" else {}
    answer = client.audio.speech.with_raw_response.create(model=SPEECH, voice="nova", input=GREETING, **fields)
    data = answer.http_response.read()
    assert answer.headers["content-type"].partition(";")[0] == content_type
    with av.open(io.BytesIO(data)) as file:
        assert file.streams.audio[0].codec_context.name.removesuffix("float") == codec
        assert file.streams.audio[0].codec_context.layout.nb_channels == 1
    seconds = len(greeting) / 48_000
    assert 0.4 < seconds < 3
    # Codecs fill their last frame, and begin with some milliseconds of nothing.
    assert abs(seconds_of(data) - seconds) < 0.15
    if form == "wav":
        # Its head was written before its length was known; programs that trust it still read to the end.
        with wave.open(io.BytesIO(data)) as plain:
            assert plain.getparams()[:3] == (1, 2, 24_000)
            assert plain.readframes(10**9) == greeting


def test_speed(client: OpenAI, greeting: bytes):
    for speed in (0.25, 4.0):
        made = say(client, GREETING, response_format="pcm", speed=speed)
        assert len(made) * speed == pytest.approx(len(greeting), rel=0.2)


def test_voices_differ_and_each_is_the_same_each_time(client: OpenAI, greeting: bytes):
    made = say(client, GREETING, response_format="pcm", voice={"id": "af_nova"}, instructions="Whisper.")
    assert made == greeting
    assert say(client, GREETING, response_format="pcm", voice="am_adam") != greeting


def test_every_voice_of_openai_has_one_for_each_language():
    names = "alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar"
    for name in names.split():
        assert voice_of(name, "Hello")[0] in "ab"
        assert voice_of(name, "你好 API")[0] == "z"
    assert voice_of("am_adam", "你好")[:2] == "zm"
    assert voice_of("zm_yunxi", "Hello") == "zm_yunxi"
    with pytest.raises(WireError, match="'siri'"):
        voice_of("siri", "Hello")


def events_of(answer: requests.Response) -> list[dict[str, Any]]:
    lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith(b"data: ") for line in lines)
    return [json.loads(line[6:]) for line in lines]


def test_events(engines: str, greeting: bytes):
    text = f"{GREETING} The second sentence is a little longer."
    body = {"model": SPEECH, "voice": "nova", "input": text, "stream_format": "sse", "response_format": "pcm"}
    answer = requests.post(f"{engines}/v1/audio/speech", json=body, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_of(answer)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert len(deltas) >= 2
    sounds = [base64.b64decode(event["audio"]) for event in deltas]
    assert sounds[0] == greeting
    usage = done["usage"]
    assert done == {"type": "speech.audio.done", "usage": usage}
    # A token of sound is a frame of the model, 25 ms.
    assert usage["output_tokens"] == sum(map(len, sounds)) // 2 // 600
    assert 30 < usage["input_tokens"] < 80
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_sound_comes_before_all_is_spoken_and_leaving_stops_the_rest(client: OpenAI):
    given: Any = {"model": SPEECH, "voice": "nova", "input": LONG, "response_format": "pcm"}
    begun = time.monotonic()
    with client.audio.speech.with_streaming_response.create(**given) as answer:
        first = next(answer.iter_bytes())
        waited = time.monotonic() - begun
    assert first
    # Some minutes of speech would take far longer than this; now the engine is free for others.
    say(client, GREETING)
    assert time.monotonic() - begun < 4 * waited + 15


def test_requests_wait_for_one_another(client: OpenAI, greeting: bytes):
    made = list[bytes]()
    threads = [
        threading.Thread(target=lambda: made.append(say(client, GREETING, response_format="pcm"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [greeting] * 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n"}, "input"),
        ({"input": "x" * 4097}, "input"),
        ({"input": "…!?"}, "input"),
        ({"input": "Доброе утро, как дела?"}, "input"),
        ({"input": "おはようございます"}, "input"),
        ({"voice": "siri"}, "voice"),
        ({"voice": None}, "voice"),
        ({"voice": {}}, "voice.id"),
        ({"speed": 0.2}, "speed"),
        ({"speed": 4.1}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"response_format": "ogg"}, "response_format"),
        ({"stream_format": "websocket"}, "stream_format"),
    ],
)
def test_refusals(engines: str, fields: dict[str, Any], param: str):
    body = {"model": SPEECH, "voice": "nova", "input": GREETING, **fields}
    answer = requests.post(f"{engines}/v1/audio/speech", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_other_models_do_not_speak(client: OpenAI):
    for model in (BASE, "tts-1"):
        with pytest.raises(NotFoundError) as caught:
            say(client, GREETING, model=model)
        assert caught.value.code == "model_not_found"
    with pytest.raises(BadRequestError):
        client.audio.speech.create(model=SPEECH, voice="nova", input="")


def test_without_its_pack(bare: str):
    with OpenAI(base_url=f"{bare}/v1", api_key="x", max_retries=0) as client:
        assert SPEECH not in {model.id for model in client.models.list()}
        with pytest.raises(InternalServerError, match="deeepai engines install kokoro-82m") as caught:
            say(client, GREETING)
        assert caught.value.status_code == 503
        with pytest.raises(APIStatusError):
            client.models.retrieve(SPEECH)


def test_the_card_lists_the_voices(client: OpenAI):
    card = client.models.retrieve(SPEECH).model_extra or {}
    assert {"af_heart", "bm_fable", "zf_xiaoxiao"} <= set(card["voices"])
    assert card["license"] == "Apache-2.0 AND MIT"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$12.50", "twelve dollars and fifty cents"),
        ("$1", "one dollar"),
        ("£3.01", "three pounds and one penny"),
        ("€2.5 million", "two point five million euros"),
        ("3:05", "three oh five"),
        ("7:00", "seven o'clock"),
        ("the 21st", "the twenty first"),
        ("in 1984", "in nineteen eighty four"),
        ("in 1906", "in nineteen oh six"),
        ("in 2005", "in two thousand five"),
        ("in 2026", "in twenty twenty six"),
        ("the 1990s", "the nineteen nineties"),
        ("1,234", "one thousand two hundred thirty four"),
        ("2000000", "two million"),
        ("the 3rd and 40th", "the third and fortieth"),
        ("8th 112th 100th", "eighth one hundred twelfth one hundredth"),
        ("1234567890123456", "one two three four five six seven eight nine zero one two three four five six"),
        ("-7.25", "minus seven point two five"),
        ("007", "zero zero seven"),
        ("15%", "fifteen percent"),
        ("Mr. Smith", "Mister Smith"),
        ("H2O", "H two O"),
        ("café", "cafe"),
    ],
)
def test_numerals(written: str, said: str):
    assert " ".join(words_of(written).split()) == said


def test_passages_lose_nothing_and_stay_short():
    for text in (LONG, "word " * 800, "没有标点" * 300, "句子很短。" * 100, "a" * 3000, "One. Two! Three?\nFour"):
        made = list(passages(text))
        assert "".join("".join(made).split()) == "".join(text.split())
        assert max(map(len, made)) <= 290
    assert list(passages("... !!! \n")) == []
