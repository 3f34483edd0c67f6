"""The models of the speech engines."""

from __future__ import annotations

from typing import Final

from ..packs.audio_packs import KOKORO, VOICES, WHISPER_BASE, WHISPER_TINY_EN
from .model import Model

MOST_SECONDS: Final = 2 * 3600
"""Of sound that one transcription may hold."""
MOST_CHARACTERS: Final = 4096
"""Of text that one request may have spoken, as at OpenAI."""

WHISPER_BASE_MODEL: Final = Model(
    id="whisper-base",
    kind="transcription",
    about="Writes down speech in about 100 languages and translates it into English. Clear speech in the large "
    "languages comes out nearly without errors; noise, accents, names and small languages do not. It does not tell "
    "speakers apart.",
    endpoints=("/v1/audio/transcriptions", "/v1/audio/translations"),
    languages=("mul",),
    context=MOST_SECONDS,
    created=1_663_718_400,
    owned_by="openai",
    licence=WHISPER_BASE.licence,
    provenance=WHISPER_BASE.provenance,
    package="faster_whisper",
    pack=WHISPER_BASE,
    details={"parameters": 74_000_000, "quantization": "int8"},
    extra="audio",
)

WHISPER_TINY_EN_MODEL: Final = Model(
    id="whisper-tiny.en",
    kind="transcription",
    about="Writes down English speech, faster than whisper-base and with more errors. English alone.",
    endpoints=("/v1/audio/transcriptions",),
    languages=("en",),
    context=MOST_SECONDS,
    created=1_663_718_400,
    owned_by="openai",
    licence=WHISPER_TINY_EN.licence,
    provenance=WHISPER_TINY_EN.provenance,
    package="faster_whisper",
    pack=WHISPER_TINY_EN,
    details={"parameters": 39_000_000, "quantization": "int8"},
    extra="audio",
)

KOKORO_SPEECH: Final = Model(
    id="kokoro-82m",
    kind="speech",
    about="Speaks English and Mandarin with natural voices. It cannot follow instructions about tone or mood. English "
    "words that no dictionary has, and words with two readings (read, lead), are sometimes pronounced wrongly.",
    endpoints=("/v1/audio/speech",),
    languages=("en", "zh"),
    context=MOST_CHARACTERS,
    created=1_737_936_000,
    owned_by="hexgrad",
    licence=KOKORO.licence,
    provenance=KOKORO.provenance,
    package="av",
    pack=KOKORO,
    details={"parameters": 82_000_000, "quantization": "int8", "sample_rate": 24_000, "voices": list(VOICES)},
    extra="audio",
)
