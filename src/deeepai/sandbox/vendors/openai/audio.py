"""OpenAI's audio: transcriptions, translations, speech.

A sound that this sandbox spoke is transcribed to the words it was asked to speak; any other to a sentence of its own.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...media.sounds import MIME, RATE, sound
from ...media.words import count_of, reply_to, tokens_of
from ...vendor import Answer, Call, Route, Stream, digest_of, json_answer
from .common import invalid

_LISTENERS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe", "sandbox-")
_SPEAKERS = ("tts-1", "gpt-4o-mini-tts", "sandbox-")
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_SUFFIXES = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm", "opus", "aac")
_FAILURE = b'data: {"type":"error","error":{"type":"server_error","code":null,"message":"Failed.","param":null}}\n\n'
_SECONDS_A_WORD = 0.4
_spoken: dict[bytes, str] = {}
"""What was spoken, by the sound's digest; for as long as the sandbox runs."""


def _model(body: Mapping[str, Any], names: tuple[str, ...], default: str | None = None) -> str:
    name = str(body.get("model") or default or "")
    if not name:
        raise invalid("you must provide a model parameter", "model")
    if not name.startswith(names):
        raise invalid(f"Invalid model: {name}", "model", "invalid_model")
    return name


def _heard(call: Call, *, translate: bool) -> Answer | Stream:
    texts, files = call.form.texts, call.form.files
    data = files.get("file")
    if data is None:
        raise invalid("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    name = _model(texts, _LISTENERS)
    form = texts.get("response_format") or "json"
    if form not in _FORMATS or (translate and form == "diarized_json"):
        raise invalid(f"Invalid value: '{form[:30]}'.", "response_format", "invalid_value")
    if name != "whisper-1" and form not in ("json", "text", "diarized_json"):
        raise invalid(f"response_format '{form}' is not compatible with model '{name}'.", "response_format")
    if not data or data[:4] == b"junk":
        raise invalid("Invalid file format. Supported formats: " + ", ".join(_SUFFIXES), "file")
    digest = digest_of(data)
    text = _spoken.get(digest) or reply_to("a sound", digest)
    words = text.split()
    seconds = round(len(words) * _SECONDS_A_WORD, 2)
    if name == "whisper-1":
        usage: dict[str, Any] = {"type": "duration", "seconds": -int(-seconds // 1)}
    else:
        heard, said = round(seconds * 10), count_of(text)
        details = {"text_tokens": 0, "audio_tokens": heard}
        usage = {
            "type": "tokens",
            "input_tokens": heard,
            "input_token_details": details,
            "output_tokens": said,
            "total_tokens": heard + said,
        }
    if "no-usage" in call.triggers:
        usage = {}
    if texts.get("stream") == "true" and name != "whisper-1":
        events = [_event({"type": "transcript.text.delta", "delta": piece}) for piece in tokens_of(text)]
        done = {"type": "transcript.text.done", "text": text, **({"usage": usage} if usage else {})}
        return Stream([*events, _event(done)], _FAILURE)
    return _formed(
        form,
        text,
        words,
        seconds,
        usage,
        translate=translate,
        granular=call.form.values.get("timestamp_granularities", ()),
    )


def _formed(
    form: str,
    text: str,
    words: list[str],
    seconds: float,
    usage: dict[str, Any],
    *,
    translate: bool,
    granular: Sequence[str],
) -> Answer:
    extra = {"usage": usage} if usage else {}
    match form:
        case "text":
            return Answer(body=text.encode() + b"\n", content_type="text/plain; charset=utf-8")
        case "srt":
            line = f"1\n00:00:00,000 --> {_clock(seconds, ',')}\n{text}\n\n"
            return Answer(body=line.encode(), content_type="application/x-subrip")
        case "vtt":
            line = f"WEBVTT\n\n00:00:00.000 --> {_clock(seconds, '.')}\n{text}\n\n"
            return Answer(body=line.encode(), content_type="text/vtt")
        case "verbose_json":
            segment = {
                "id": 0,
                "seek": 0,
                "start": 0.0,
                "end": seconds,
                "text": text,
                "tokens": [50364],
                "temperature": 0.0,
                "avg_logprob": -0.2,
                "compression_ratio": 1.2,
                "no_speech_prob": 0.01,
            }
            whole: dict[str, Any] = {
                "task": "translate" if translate else "transcribe",
                "language": "english",
                "duration": seconds,
                "text": text,
                "segments": [segment],
                **extra,
            }
            if "word" in granular:
                whole["words"] = [
                    {"word": word, "start": round(n * _SECONDS_A_WORD, 2), "end": round((n + 1) * _SECONDS_A_WORD, 2)}
                    for n, word in enumerate(words)
                ]
            return json_answer(whole)
        case "diarized_json":
            one = {"type": "transcript.text.segment", "id": "seg_0", "start": 0.0, "end": seconds, "text": text}
            return json_answer(
                {
                    "task": "transcribe",
                    "duration": seconds,
                    "text": text,
                    "segments": [{**one, "speaker": "A"}],
                    **extra,
                }
            )
        case _:
            return json_answer({"text": text, **extra})


def _clock(seconds: float, point: str) -> str:
    whole, part = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{part:03}"


def _event(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


async def transcriptions(call: Call) -> Answer | Stream:
    """`POST /v1/audio/transcriptions`."""
    answer = _heard(call, translate=False)
    if isinstance(answer, Answer):
        await call.work(1.0)
    return answer


async def translations(call: Call) -> Answer | Stream:
    """`POST /v1/audio/translations`."""
    answer = _heard(call, translate=True)
    await call.work(1.0)
    return answer


async def speech(call: Call) -> Answer | Stream:
    """`POST /v1/audio/speech`."""
    body = call.json
    name = _model(body, _SPEAKERS)
    text = body.get("input")
    if not isinstance(text, str) or not 1 <= len(text) <= 4096:
        raise invalid("Invalid 'input': 1 to 4096 characters are allowed.", "input", "string_above_max_length")
    if not body.get("voice"):
        raise invalid("Missing required parameter: 'voice'.", "voice", "missing_required_parameter")
    form = str(body.get("response_format") or "mp3")
    if form not in MIME:
        raise invalid(f"Invalid value: '{form[:20]}'.", "response_format", "invalid_value")
    speed = body.get("speed", 1)
    if not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
        raise invalid("Invalid 'speed': 0.25 to 4.", "speed", "invalid_value")
    digest = digest_of(name, text, str(body["voice"]))
    seconds = max(0.1, len(text.split()) * _SECONDS_A_WORD / speed)
    data = sound(form, seconds, 160 + digest[0])
    _spoken[digest_of(data)] = text
    if body.get("stream_format") != "sse":
        await call.work(0.5)
        return Answer(body=data, content_type=MIME[form])
    if name.startswith("tts-1"):
        raise invalid("stream_format 'sse' is not supported for this model.", "stream_format", "unsupported_value")
    size = max(1, RATE // 2)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    events = [_event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}) for piece in pieces]
    used = {"input_tokens": count_of(text), "output_tokens": round(seconds * 20)}
    done = {"type": "speech.audio.done", "usage": {**used, "total_tokens": sum(used.values())}}
    return Stream([*events, _event(done)], _FAILURE)


ROUTES = (
    Route("POST", "/v1/audio/transcriptions", transcriptions),
    Route("POST", "/v1/audio/translations", translations),
    Route("POST", "/v1/audio/speech", speech),
)
