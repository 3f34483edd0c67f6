"""Transcription and translation, of speech that the speech engine made."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
import requests
from openai import APIStatusError, InternalServerError, NotFoundError, OpenAI

from deeepai.engines.packs.custom_models import add
from deeepai.engines.transcription.languages import code_of
from deeepai.engines.transcription.subtitles import srt, vtt

from .conftest import program
from .listening import BASE, SPEECH, TINY, characters, error_rate, words

pytestmark = pytest.mark.usefixtures("audio_packs")

ENGLISH = "Shall we walk to the station together?"
CHINESE = "今天天气很好，我们去公园散步吧。"


def spoken(client: OpenAI, text: str) -> bytes:
    return client.audio.speech.create(model=SPEECH, voice="nova", input=text, response_format="wav").read()


@pytest.fixture(scope="module")
def english(client: OpenAI) -> bytes:
    return spoken(client, ENGLISH)


@pytest.fixture(scope="module")
def chinese(client: OpenAI) -> bytes:
    return spoken(client, CHINESE)


def samples_of(sound: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(io.BytesIO(sound)) as file:
        return np.frombuffer(file.readframes(10**9), np.int16)


def seconds_of(sound: bytes) -> float:
    return len(samples_of(sound)) / 24_000


def post(engines: str, sound: bytes | None, task: str = "transcriptions", **fields: Any) -> requests.Response:
    files = {} if sound is None else {"file": ("speech.wav", sound)}
    data = {"model": TINY, **fields}
    # With no file at all requests would not make a multipart form.
    parts: Any = [(name, (None, value)) for name, value in data.items()] + list(files.items())
    return requests.post(f"{engines}/v1/audio/{task}", files=parts)


def test_json(client: OpenAI, english: bytes):
    got = client.audio.transcriptions.create(file=("speech.wav", english), model=TINY)
    assert error_rate(words(ENGLISH), words(got.text)) <= 0.1, got.text
    usage: Any = got.usage
    assert usage.to_dict() == {"type": "duration", "seconds": math.ceil(seconds_of(english))}


def test_verbose_json(client: OpenAI, english: bytes):
    got = client.audio.transcriptions.create(
        file=("speech.wav", english),
        model=TINY,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="Ann asks Bob.",
        temperature=0.1,
    )
    length = seconds_of(english)
    assert got.language == "english"
    assert float(got.duration) == pytest.approx(length, abs=0.02)
    assert got.segments
    assert got.words
    assert "".join(segment.text for segment in got.segments).strip() == got.text
    assert [word.word for word in got.words] == got.text.split()
    times = [time for word in got.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < 1
    assert times[-1] == pytest.approx(length, abs=1)
    assert got.segments[0].avg_logprob < 0
    assert got.segments[0].tokens
    assert (got.model_extra or {})["task"] == "transcribe"


def test_only_the_marks_that_were_asked_for(engines: str, english: bytes):
    plain = post(engines, english, response_format="verbose_json").json()
    assert "segments" in plain
    assert "words" not in plain
    only_words = post(engines, english, response_format="verbose_json", **{"timestamp_granularities[]": "word"}).json()
    assert "words" in only_words
    assert "segments" not in only_words


@pytest.mark.parametrize(("form", "mark"), [("srt", ","), ("vtt", r"\.")])
def test_subtitles(client: OpenAI, english: bytes, form: Any, mark: str):
    got: Any = client.audio.transcriptions.create(file=("speech.wav", english), model=TINY, response_format=form)
    clock = rf"(\d\d):(\d\d):(\d\d){mark}(\d\d\d)"
    head, number = ("WEBVTT\n\n", "") if form == "vtt" else ("", r"\d+\n")
    assert re.fullmatch(rf"{head}({number}{clock} --> {clock}\n.+\n\n)+", got)
    said = re.sub(rf"WEBVTT|{clock} --> {clock}|^\d+$", "", got, flags=re.MULTILINE)
    assert error_rate(words(ENGLISH), words(said)) <= 0.1


def test_subtitles_of_many_segments():
    segments = [
        {"start": 0.0, "end": 1.5, "text": " Tom & Jerry <3"},
        {"start": 3661.999, "end": 3662.0006, "text": "a --> b"},
    ]
    assert srt(segments) == (
        "1\n00:00:00,000 --> 00:00:01,500\nTom & Jerry <3\n\n2\n01:01:01,999 --> 01:01:02,001\na --> b\n\n"
    )
    assert vtt(segments) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nTom &amp; Jerry &lt;3\n\n"
        "01:01:01.999 --> 01:01:02.001\na --&gt; b\n\n"
    )


def test_text(client: OpenAI, english: bytes):
    got: Any = client.audio.transcriptions.create(file=("speech.wav", english), model=TINY, response_format="text")
    assert isinstance(got, str)
    assert got.endswith("\n")
    assert error_rate(words(ENGLISH), words(got)) <= 0.1


@pytest.mark.parametrize("language", [None, "zh"])
def test_chinese_comes_in_simplified_characters(client: OpenAI, chinese: bytes, language: str | None):
    fields: Any = {"language": language} if language else {}
    got = client.audio.transcriptions.create(file=("speech.wav", chinese), model=BASE, **fields)
    assert error_rate(characters(CHINESE), characters(got.text)) <= 0.1, got.text


def test_translation(client: OpenAI, chinese: bytes):
    got: Any = client.audio.translations.create(
        file=("speech.wav", chinese), model=BASE, response_format="verbose_json"
    )
    assert {"weather", "park"} <= set(words(got.text)), got.text
    assert got.language == "english"
    assert got.segments


def test_stream(client: OpenAI, english: bytes):
    # Whisper hears 30 seconds at a time; what is said later comes later.
    samples, silence = samples_of(english), np.zeros(24_000 * 30, np.int16)
    longer = wav(np.concatenate([samples, silence, samples]))
    vad: Any = {"type": "server_vad", "prefix_padding_ms": 15_000}
    stream = client.audio.transcriptions.create(
        file=("speech.wav", longer), model=TINY, stream=True, chunking_strategy=vad
    )
    *deltas, done = list(stream)
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert len(deltas) >= 2
    final: Any = done
    assert final.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta").strip() == final.text
    assert error_rate(words(ENGLISH) * 2, words(final.text)) <= 0.1
    assert final.to_dict()["usage"] == {"type": "duration", "seconds": math.ceil(seconds_of(longer))}


def wav(samples: np.ndarray[Any, np.dtype[np.int16]]) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(samples.tobytes())
    return held.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp3", "libmp3lame", 24_000), ("webm", "libopus", 48_000), ("mp4", "aac", 44_100), ("flac", "flac", 16_000)],
)
def test_containers(client: OpenAI, english: bytes, container: str, codec: str, rate: int):
    held = io.BytesIO()
    with av.open(held, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(samples_of(english).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 24_000
        stream.codec_context.open()
        resampler = av.AudioResampler(
            stream.codec_context.format, "stereo", rate, frame_size=stream.codec_context.frame_size or 4096
        )
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    got = client.audio.transcriptions.create(file=(f"speech.{container}", held.getvalue()), model=TINY)
    assert error_rate(words(ENGLISH), words(got.text)) <= 0.1, got.text


def test_silence_says_nothing(engines: str):
    got = post(engines, wav(np.zeros(48_000, np.int16)), response_format="verbose_json").json()
    assert (got["text"], got["segments"], got["duration"]) == ("", [], 2)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda sound: b"",
        lambda sound: b"This is no sound. " * 50,
        lambda sound: PLAYLIST,
        lambda sound: b"RIFF\x00",
        lambda sound: sound[:44],
        lambda sound: sound[: 44 + 480],
    ],
    ids=["empty", "text", "playlist", "head", "no samples", "too short"],
)
def test_what_is_no_sound(engines: str, english: bytes, make: Callable[[bytes], bytes]):
    got = post(engines, make(english))
    assert got.status_code == 400
    error = got.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "file")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"model": ""}, 400, "model"),
        ({"model": "whisper-1"}, 404, "model"),
        ({"model": SPEECH}, 404, "model"),
        ({"response_format": "yaml"}, 400, "response_format"),
        ({"response_format": "diarized_json"}, 400, "response_format"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities"),
        ({"response_format": "verbose_json", "timestamp_granularities[]": "line"}, 400, "timestamp_granularities"),
        ({"temperature": "1.5"}, 400, "temperature"),
        ({"temperature": "warm"}, 400, "temperature"),
        ({"language": "klingon"}, 400, "language"),
        ({"language": "zh"}, 400, "language"),
        ({"include[]": "logprobs"}, 400, "include"),
        ({"known_speaker_names[]": "Ann"}, 400, "known_speaker_names"),
        ({"chunking_strategy": "sometimes"}, 400, "chunking_strategy"),
        ({"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "2"}, 400, "chunking_strategy"),
        ({"stream": "maybe"}, 400, "stream"),
        ({"stream": "true", "response_format": "srt"}, 400, "stream"),
    ],
)
def test_refusals(engines: str, english: bytes, fields: dict[str, str], status: int, param: str):
    got = post(engines, english, **fields)
    assert got.status_code == status, got.text
    assert got.json()["error"]["param"] == param


def test_what_is_allowed(engines: str, english: bytes):
    vad = json.dumps({"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 900})
    for fields in ({"language": "English", "chunking_strategy": "auto"}, {"chunking_strategy": vad}):
        assert "station" in post(engines, english, **fields).json()["text"]


def test_languages_by_code_and_name():
    assert [code_of(name) for name in ("en", "zh-CN", "pt_BR", "Haitian Creole", "klingon")] == [
        "en",
        "zh",
        "pt",
        "ht",
        None,
    ]


def test_bodies(engines: str, english: bytes):
    url = f"{engines}/v1/audio/transcriptions"
    assert post(engines, None).json()["error"]["param"] == "file"
    assert requests.post(url, json={"model": TINY}).status_code == 415
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\nnonsense", b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\nabc'):
        assert requests.post(url, data=body, headers=headers).status_code == 400
    headers["content-type"] = "multipart/form-data"
    assert requests.post(url, data=b"--x--", headers=headers).status_code == 400
    got = post(engines, english + b"\0" * (26 << 20))
    assert got.status_code == 413
    assert got.json()["error"]["code"] == "file_too_large"


def test_the_english_model_does_not_translate(client: OpenAI, english: bytes):
    with pytest.raises(NotFoundError):
        client.audio.translations.create(file=("speech.wav", english), model=TINY)


def test_without_its_pack(bare: str, english: bytes):
    with OpenAI(base_url=f"{bare}/v1", api_key="x", max_retries=0) as client:
        assert not {BASE, TINY} & {model.id for model in client.models.list()}
        for name in (BASE, TINY):
            with pytest.raises(InternalServerError, match=f"deeepai engines install {name}") as caught:
                client.audio.transcriptions.create(file=("speech.wav", english), model=name)
            assert caught.value.status_code == 503
        with pytest.raises(APIStatusError):
            client.audio.translations.create(file=("speech.wav", english), model=BASE)


async def test_the_program_answers_others_meanwhile(engines: str, english: bytes):
    form = aiohttp.FormData({"model": TINY})
    form.add_field("file", english, filename="speech.wav")
    async with aiohttp.ClientSession(engines) as session:

        async def transcribe() -> str:
            async with session.post("/v1/audio/transcriptions", data=form) as answer:
                return (await answer.json())["text"]

        work = asyncio.create_task(transcribe())
        asked = 0
        while not work.done():
            async with session.get("/healthz") as answer:
                assert answer.status == 200
                asked += 1
            await asyncio.sleep(0)
        assert "station" in await work
        assert asked > 2


def test_a_model_that_the_operator_added(audio_packs: Path, tmp_path: Path, english: bytes):
    add("mine", "transcription", file=audio_packs / "whisper-tiny.en", folder=tmp_path)
    with program(tmp_path) as url, OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        assert client.models.retrieve("mine").owned_by == "operator"
        got = client.audio.transcriptions.create(file=("speech.wav", english), model="mine")
        assert error_rate(words(ENGLISH), words(got.text)) <= 0.1, got.text
