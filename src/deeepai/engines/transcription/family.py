"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: Whisper, by faster-whisper in a process of its own.

Streamed, a transcription comes a segment at a time. Speakers are not told apart, so `diarized_json` is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from ..families import require
from ..models.audio_models import WHISPER_BASE_MODEL, WHISPER_TINY_EN_MODEL
from ..models.catalogue import added_models
from ..models.model import Model
from ..multipart import Form, read_form
from ..openai_wire import WireError, answer, refused, unsupported
from ..streaming import EVENTS, StreamedAnswer
from ..worker import Worker
from .languages import LANGUAGES, code_of
from .subtitles import srt, vtt

_FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FOREIGN: Final = ("include", "known_speaker_names", "known_speaker_references")

Result = dict[str, Any]


class ServerVad(msgspec.Struct):
    """When silence cuts the sound; without it, two seconds do."""

    type: Literal["server_vad"]
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=0)] = 200


class TranscriptionFamily:
    """All Whisper models, the operator's own among them, in one worker process; it starts with the first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.models: Sequence[Model] = (
            WHISPER_BASE_MODEL,
            WHISPER_TINY_EN_MODEL,
            *added_models(folder, "transcription"),
        )
        self._worker = Worker("deeepai.engines.transcription.whisper", folder)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.post("/v1/audio/transcriptions", self._transcribe),
            web.post("/v1/audio/translations", self._translate),
        ]

    @property
    def state(self) -> str:
        """`ready` or `idle`."""
        return self._worker.state

    def warm(self) -> None:
        """Do nothing: half a gigabyte that many never use is taken by the first request."""

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        model, wanted = self._read(form, "/v1/audio/transcriptions"), form.choice("response_format", _FORMATS, "json")
        if wanted == "diarized_json":
            raise unsupported("response_format", "this engine cannot tell speakers apart, so it has no diarized_json.")
        for name in form.names():
            if name in _FOREIGN:
                raise unsupported(name, "this engine has neither log probabilities nor speakers.")
        marks = set(form.every("timestamp_granularities"))
        if not marks <= {"word", "segment"}:
            raise refused("Supported values are: word, segment.", "timestamp_granularities", "invalid_value")
        if marks and wanted != "verbose_json":
            message = "Timestamp granularities need 'response_format' to be 'verbose_json'."
            raise refused(message, "timestamp_granularities", "invalid_value")
        job = _job(form, model, "transcribe", _language(form), words="word" in marks)
        if not form.flag("stream"):
            return await self._whole(job, wanted, marks or {"segment"})
        if wanted not in ("json", "text"):
            raise unsupported("stream", f"{wanted} cannot be streamed.")
        return await self._stream(request, job)

    async def _translate(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        model = self._read(form, "/v1/audio/translations")
        wanted = form.choice("response_format", _FORMATS[:-1], "json")
        return await self._whole(_job(form, model, "translate", None, words=False), wanted, {"segment"})

    def _read(self, form: Form, endpoint: str) -> Model:
        name = form.get("model")
        if name is None:
            raise refused("Missing required parameter: 'model'.", "model", "missing_required_parameter")
        model = require([m for m in self.models if endpoint in m.endpoints], name, self._folder)
        if form.file is None:
            raise refused("Missing required parameter: 'file'.", "file", "missing_required_parameter")
        return model

    async def _whole(self, job: Result, wanted: str, marks: set[str]) -> web.Response:
        head, segments, words = Result(), list[Result](), list[Result]()
        async with aclosing(self._worker.run(job)) as pieces:
            async for piece in pieces:
                if "segment" not in piece:
                    head = piece
                    continue
                segments.append(piece["segment"])
                words += piece["words"]
        text = "".join(segment["text"] for segment in segments).strip()
        match wanted:
            case "json":
                return answer({"text": text, "usage": _usage(head["duration"])})
            case "text":
                return web.Response(text=f"{text}\n")
            case "srt":
                return web.Response(text=srt(segments))
            case "vtt":
                return web.Response(text=vtt(segments), content_type="text/vtt")
            case _:
                language = "en" if job["task"] == "translate" else head["language"]
                body: Result = {
                    "task": job["task"],
                    "language": LANGUAGES.get(language, language),
                    "duration": round(head["duration"], 2),
                    "text": text,
                }
                if "segment" in marks:
                    body["segments"] = segments
                if "word" in marks:
                    body["words"] = words
                return answer({**body, "usage": _usage(head["duration"])})

    async def _stream(self, request: web.Request, job: Result) -> web.StreamResponse:
        stream, text, duration = StreamedAnswer(request, EVENTS), "", 0.0
        try:
            async with aclosing(self._worker.run(job)) as pieces:
                async for piece in pieces:
                    if "segment" not in piece:
                        duration = piece["duration"]
                        continue
                    delta = piece["segment"]["text"]
                    delta = delta if text else delta.lstrip()
                    text += delta
                    await stream.send({"type": "transcript.text.delta", "delta": delta})
        except WireError as error:
            return await stream.fail(error)
        await stream.send({"type": "transcript.text.done", "text": text.strip(), "usage": _usage(duration)})
        return await stream.end()


def _job(form: Form, model: Model, task: str, language: str | None, *, words: bool) -> Result:
    """Return what the worker process is asked."""
    assert model.pack is not None
    return {
        "model": str(Path(model.pack.file).parent),
        "file": form.file,
        "task": task,
        "language": language,
        "prompt": form.get("prompt"),
        "temperature": form.number("temperature", 0, 1, 0),
        "words": words,
        "vad": _vad(form),
    }


def _language(form: Form) -> str | None:
    if (language := form.get("language")) is None:
        return None
    if (code := code_of(language)) is None:
        raise refused(f"Language '{language}' is not known: give it in ISO-639-1.", "language", "invalid_value")
    return code


def _vad(form: Form) -> Result | None:
    strategy, fields = form.get("chunking_strategy"), form.object("chunking_strategy")
    if strategy in (None, "auto") and not fields:
        return None
    try:
        if fields:
            vad = msgspec.convert(fields, ServerVad, strict=False)
        else:
            vad = msgspec.json.decode(strategy or "", type=ServerVad)
    except msgspec.DecodeError as error:
        message = f"Invalid value for 'chunking_strategy': expected 'auto' or a server_vad object: {error}."
        raise refused(message, "chunking_strategy", "invalid_value") from None
    return {
        "threshold": vad.threshold,
        "speech_pad_ms": vad.prefix_padding_ms,
        "min_silence_duration_ms": vad.silence_duration_ms,
    }


def _usage(seconds: float) -> Result:
    return {"type": "duration", "seconds": math.ceil(seconds)}
