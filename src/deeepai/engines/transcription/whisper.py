"""Whisper on CTranslate2, through faster-whisper: sound to text. Runs in a worker process."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..families import THREADS
from ..models.audio_models import MOST_SECONDS
from ..sound import HEARD_RATE, SoundError, decode
from ..worker.process import Refusal

_BEAM: Final = 2
_SHORTEST_SECONDS: Final = 0.1
_SIMPLIFIED: Final = "以下是普通话的句子。"
"""Whisper writes Chinese in the characters of the text before it; by itself mostly in traditional ones."""
_WARMER: Final = 0.4
"""Temperature at which a piece is tried once more that came out as repetition or guesswork."""


class Engine:
    """The models, each loaded at its first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, Any] = {}

    def run(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield `{"duration": …, "language": …}`, then a segment at a time."""
        model = self._model(request["model"])
        samples = self._samples(request)
        duration = len(samples) / HEARD_RATE
        language: str | None = request["language"]
        if language not in (None, *model.supported_languages):
            message = f"Language '{language}' is not supported: give one of the model's languages in ISO-639-1."
            raise Refusal(message, "language", "invalid_value")
        options: dict[str, Any] = {
            "task": request["task"],
            "beam_size": _BEAM,
            "best_of": _BEAM,
            "temperature": sorted({request["temperature"], max(request["temperature"], _WARMER)}),
            "word_timestamps": request["words"],
            "vad_filter": True,
            "vad_parameters": request["vad"],
        }

        def begin(language: str | None) -> tuple[Any, Any]:
            prompt = request["prompt"] or (_SIMPLIFIED if language == "zh" else None)
            return model.transcribe(samples, language=language, initial_prompt=prompt, **options)

        segments, info = begin(language)
        if info.language == "zh" and language is None and request["task"] == "transcribe" and not request["prompt"]:
            segments, info = begin("zh")
        yield {"duration": duration, "language": info.language}
        for segment in segments:
            yield _plain(segment)

    def _model(self, path: str) -> Any:
        if path not in self._models:
            native = importlib.import_module("faster_whisper")
            # `int8` halves the memory, and is what this kind of processor is fastest at.
            self._models[path] = native.WhisperModel(
                str(self._folder / path), device="cpu", compute_type="int8", cpu_threads=THREADS, local_files_only=True
            )
        return self._models[path]

    def _samples(self, request: dict[str, Any]) -> Any:
        try:
            samples = decode(request["file"], MOST_SECONDS)
        except SoundError as error:
            raise Refusal(str(error), "file", "invalid_value") from None
        if len(samples) < _SHORTEST_SECONDS * HEARD_RATE:
            message = f"Audio file is too short. Minimum audio length is {_SHORTEST_SECONDS} seconds."
            raise Refusal(message, "file", "audio_too_short")
        return samples


def _plain(segment: Any) -> dict[str, Any]:
    """Return a segment without numpy's numbers."""
    words = [
        {"word": word.word.strip(), "start": round(float(word.start), 2), "end": round(float(word.end), 2)}
        for word in segment.words or ()
    ]
    return {
        "segment": {
            "id": segment.id - 1,
            "seek": segment.seek,
            "start": round(float(segment.start), 2),
            "end": round(float(segment.end), 2),
            "text": segment.text,
            "tokens": list(segment.tokens),
            "temperature": float(segment.temperature or 0),
            "avg_logprob": float(segment.avg_logprob),
            "compression_ratio": float(segment.compression_ratio),
            "no_speech_prob": float(segment.no_speech_prob),
        },
        "words": words,
    }
