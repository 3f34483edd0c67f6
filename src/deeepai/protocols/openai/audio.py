"""Audio: transcriptions, translations, speech."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ...declare import (
    COMMENT,
    Answer,
    AnswerShape,
    AnyRequest,
    Call,
    Facts,
    Failure,
    Json,
    Part,
    Reason,
    Request,
    Stream,
    StreamRules,
    Text,
    Usage,
    event_data,
)
from ..common import body_model
from ..common.events import DATALESS, FAILURES, event_failure, unless, with_data
from ..common.usage import Amount, Count, Reader, within
from .common import ModelName, member, model_patch, wants_stream
from .errors import error_object
from .sounds import longest, seconds_of

MOST_INPUT = 4096
"""Characters that are spoken at once."""
_LISTENER = "whisper-1"


class TranscriptionBody(msgspec.Struct, omit_defaults=True):
    """Fields of a transcription; the sound is the form's `file`."""

    model: ModelName | None = None
    language: str | None = None
    prompt: str | None = None
    response_format: Annotated[str, Meta(pattern="^(json|text|srt|verbose_json|vtt|diarized_json)$")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    stream: bool | None = None


class TranslationBody(msgspec.Struct, omit_defaults=True):
    """Fields of a translation into English; the sound is the form's `file`."""

    model: ModelName | None = None
    prompt: str | None = None
    response_format: Annotated[str, Meta(pattern="^(json|text|srt|verbose_json|vtt)$")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None


class SpeechBody(msgspec.Struct, omit_defaults=True):
    """Body of a request to speak."""

    model: ModelName
    input: Annotated[str, Meta(min_length=1, max_length=MOST_INPUT)]
    voice: str | dict[str, Any]
    response_format: Annotated[str, Meta(pattern="^(mp3|opus|aac|flac|wav|pcm)$")] | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None = None
    stream_format: Annotated[str, Meta(pattern="^(audio|sse)$")] | None = None
    instructions: str | None = None


# Listening ---------------------------------------------------------------------------------------------------------


def listener(request: Request[TranscriptionBody | TranslationBody]) -> str:
    """Return the model that listens."""
    return request.body.model or _LISTENER


def listener_patch(request: Request[TranscriptionBody | TranslationBody], facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does; each wants one named."""
    return {"model": facts.model} if facts.model != request.body.model else {}


def _sound(request: AnyRequest) -> Part | None:
    return next((part for part in request.parts if part.name == "file" and part.filename is not None), None)


def check_sound(request: AnyRequest) -> None:
    """Refuse a form without a sound."""
    if _sound(request) is None:
        raise Failure(Reason.INVALID, "Missing required parameter: 'file'", param="file", code="missing")


def heard_estimate(request: AnyRequest) -> Usage:
    """Estimate a transcription by the sound's length."""
    sound = _sound(request)
    return Usage(calls=1, seconds=seconds_of(sound) if sound is not None else 0.0, basis="estimated")


class _Details(msgspec.Struct):
    audio_tokens: Count = None


class HeardUsage(msgspec.Struct):
    """Usage of a transcription: tokens or seconds."""

    seconds: Amount = None
    input_tokens: Count = None
    output_tokens: Count = None
    input_token_details: _Details | None = None


class Heard(msgspec.Struct):
    """What of a transcription is metered."""

    usage: HeardUsage | None = None
    duration: Amount = None


_TRANSCRIPT: Final = Reader(Heard)


def _read(data: bytes) -> Usage | None:
    heard = _TRANSCRIPT.read(data)
    usage = heard.usage
    if usage is not None and (usage.input_tokens or usage.output_tokens):
        heard_tokens, details = usage.input_tokens or 0, usage.input_token_details
        (audio,) = within(heard_tokens, details.audio_tokens if details is not None else heard_tokens)
        return Usage(input=heard_tokens - audio, audio_in=audio, output=usage.output_tokens or 0, basis="vendor")
    seconds = usage.seconds if usage is not None and usage.seconds is not None else heard.duration
    return Usage(calls=1, seconds=seconds, basis="vendor") if seconds is not None else None


def heard_usage(request: AnyRequest, answer: Answer) -> Usage | None:
    """Read how long the sound was or what tokens it took; subtitles and plain text do not say."""
    told, sound = _read(answer.body), _sound(request)
    if told is None or (told.seconds and sound is not None and told.seconds > longest(sound)):
        return heard_estimate(request)
    return told


def heard_last(event: bytes) -> bool:
    """Tell whether an event ends a transcription."""
    return b'"transcript.text.done"' in event


def heard_event(event: bytes) -> Usage | None:
    """Read the usage that the last event carries."""
    return _read(event_data(event)) if heard_last(event) else None


def delta(event: Json) -> str:
    """Return the text that an event adds."""
    text = member(event, "delta")
    return text if isinstance(text, str) else ""


def stream_error(failure: Failure, request_id: str) -> bytes:
    """Return the event that tells of a failure in mid-stream."""
    return b"data: " + msgspec.json.encode({"type": "error", "error": error_object(failure)}) + b"\n\n"


LISTENING: Final[StreamRules[TranscriptionBody]] = StreamRules(
    wanted=wants_stream,
    usage=heard_event,
    visible=with_data,
    text=delta,
    prompt=lambda request: request.body.prompt or "",
    is_last=heard_last,
    error=stream_error,
    scan_for=(b'"transcript.text.done"', *FAILURES, *DATALESS),
    only_opens=unless("transcript."),
    failure=event_failure,
    usage_without_report=heard_estimate,
    keep_alive=COMMENT,
)


# Speaking ----------------------------------------------------------------------------------------------------------


def spoken(request: Request[SpeechBody]) -> Usage:
    """Count the characters to speak."""
    body = request.body
    instructions = len(body.instructions or "")
    return Usage(
        calls=1, characters=len(body.input), input=(len(body.input) + instructions) // 4 + 1, basis="estimated"
    )


def spoken_usage(request: Request[SpeechBody], answer: Answer) -> Usage | None:
    """Count what was spoken: a sound tells of no tokens."""
    return Usage(calls=1, characters=len(request.body.input), basis="counted")


class _SpokenTokens(msgspec.Struct):
    input_tokens: Count = None
    output_tokens: Count = None


class _Spoken(msgspec.Struct):
    usage: _SpokenTokens | None = None


_SPOKEN: Final = Reader(_Spoken)


def spoken_event(event: bytes) -> Usage | None:
    """Read the usage that the last event carries."""
    if b'"speech.audio.done"' not in event:
        return None
    usage = _SPOKEN.read(event_data(event)).usage
    if usage is None or not (usage.input_tokens or usage.output_tokens):
        return None
    return Usage(calls=1, input=usage.input_tokens or 0, audio_out=usage.output_tokens or 0, basis="vendor")


SPEAKING: Final[StreamRules[SpeechBody]] = StreamRules(
    wanted=lambda request: request.body.stream_format == "sse",
    usage=spoken_event,
    visible=with_data,
    text=lambda event: "",
    prompt=lambda request: request.body.input,
    is_last=lambda event: b'"speech.audio.done"' in event,
    error=stream_error,
    scan_for=(b'"speech.audio.done"', *FAILURES, *DATALESS),
    only_opens=unless("speech."),
    failure=event_failure,
    usage_without_report=spoken,
    keep_alive=COMMENT,
)

UNHEARD = (
    "No channel of this gateway hears or speaks. Add one with `deeepai channels add`, or let this machine do it: "
    "`make audio`, or `pip install 'deeepai[audio]'` and `deeepai engines install whisper-base`, or `kokoro-82m`"
)
_HEARD = {"text": "…", "usage": {"type": "duration", "seconds": 9}}
_KINDS = ("application/json", "text/plain", "text/event-stream")

_WORDS: Final = AnswerShape(
    fields=("text", "segments"), media=("text/plain", "text/vtt", "text/srt", "application/x-subrip"), blank=True
)
_SOUND: Final = AnswerShape(media=("audio/", "application/octet-stream", "binary/", "video/"))
_HEARING_MODELS: Final = ("whisper-*", "*-transcribe*")

OPERATIONS = (
    Stream(
        name="audio.transcriptions",
        shape=_WORDS,
        models=_HEARING_MODELS,
        method="POST",
        path="/v1/audio/transcriptions",
        upstream_template="/audio/transcriptions",
        rules=LISTENING,
        rows=(9,),
        summary=Text("Transcribe a sound", "创建转录"),
        body=TranscriptionBody,
        media="multipart",
        files={"file": True},
        check=check_sound,
        example={"model": "whisper-1", "response_format": "json"},
        example_answer=_HEARD,
        answers=_KINDS,
        model=listener,
        estimate=heard_estimate,
        usage=heard_usage,
        patch=listener_patch,
        unserved=UNHEARD,
        replay=True,
    ),
    Call(
        name="audio.translations",
        shape=_WORDS,
        models=_HEARING_MODELS,
        method="POST",
        path="/v1/audio/translations",
        upstream_template="/audio/translations",
        rows=(10,),
        summary=Text("Translate a sound into English", "创建翻译"),
        body=TranslationBody,
        media="multipart",
        files={"file": True},
        check=check_sound,
        example={"model": "whisper-1"},
        example_answer=_HEARD,
        answers=_KINDS,
        model=listener,
        estimate=heard_estimate,
        usage=heard_usage,
        patch=listener_patch,
        unserved=UNHEARD,
        replay=True,
    ),
    Stream(
        name="audio.speech",
        shape=_SOUND,
        models=("tts-*", "*-tts*", "kokoro*"),
        method="POST",
        path="/v1/audio/speech",
        upstream_template="/audio/speech",
        rules=SPEAKING,
        rows=(11,),
        summary=Text("Speak a text", "TTS文本转语音"),
        body=SpeechBody,
        example={"model": "tts-1", "input": "The quick brown fox jumped over the lazy dog.", "voice": "alloy"},
        answers=("audio/mpeg", "text/event-stream"),
        model=body_model,
        estimate=spoken,
        usage=spoken_usage,
        patch=model_patch,
        unserved=UNHEARD,
        passthrough=True,
    ),
)
