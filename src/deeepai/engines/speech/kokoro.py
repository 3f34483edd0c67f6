"""Kokoro-82M on onnxruntime: text to sound. Runs in a worker process."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from ..families import THREADS
from ..packs.audio_packs import KOKORO, VOCABULARY_FILE, VOICES, VOICES_FILE
from ..sound import Encoder
from ..worker.process import Refusal
from .mandarin import Mandarin, has_han
from .phonemes import Phonemizer, passages

_STYLE: Final = 256
_STYLES: Final = 510
"""Styles of a voice, one for each number of phonemes that a passage may have."""
_FRAME_SAMPLES: Final = 600
"""Samples of one of the frames, of 25 ms, in which the model reckons."""
_OWN_SPEED: Final = (0.7, 1.3)
"""Beyond these the model garbles its words, so the rest is done by stretching what it has said."""


class Engine:
    """The model; loaded at the first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session: Any = None
        self._numpy: Any = None
        self._vocabulary: dict[str, int] = {}
        self._voices: Any = None
        self._phonemizer = Phonemizer(folder)

    def run(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield `{"audio": bytes, "text": passage}` for each passage, and at last `{"usage": …}`."""
        text, voice, speed = request["text"], request["voice"], request["speed"]
        if has_han(text) and not Mandarin.available():
            raise Refusal("Chinese needs the package misaki, which is not installed here.", "input")
        self._load()
        own = min(max(speed, _OWN_SPEED[0]), _OWN_SPEED[1])
        encoder, read = Encoder(request["format"], speed / own), 0
        for passage in passages(text):
            phonemes = self._phonemizer.phonemes(passage, "gb" if voice[0] == "b" else "us")
            tokens = [self._vocabulary[sign] for sign in phonemes if sign in self._vocabulary]
            sound = b""
            for start in range(0, len(tokens), _STYLES):
                sound += encoder.feed(self._speak(tokens[start : start + _STYLES], voice, own))
            read += len(tokens)
            yield {"audio": sound, "text": passage, "samples": encoder.samples}
        if not read:
            raise Refusal("There is nothing in the input that can be spoken.", "input", "invalid_value")
        yield {"audio": encoder.end(), "text": "", "samples": encoder.samples}
        yield {"usage": {"input_tokens": read, "output_tokens": encoder.samples // _FRAME_SAMPLES}}

    def _load(self) -> None:
        if self._session is not None:
            return
        numpy, native = importlib.import_module("numpy"), importlib.import_module("onnxruntime")
        vocabulary: dict[str, int] = msgspec.json.decode((self._folder / VOCABULARY_FILE).read_bytes())["vocab"]
        voices = numpy.fromfile(self._folder / VOICES_FILE, numpy.float32).reshape(len(VOICES), _STYLES, 1, _STYLE)
        options = native.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Waiting threads would hold the cores that other engines need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(KOKORO.path(self._folder))
        self._session = native.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._numpy, self._vocabulary, self._voices = numpy, vocabulary, voices

    def _speak(self, tokens: list[int], voice: str, speed: float) -> Any:
        numpy = self._numpy
        given = {
            "tokens": numpy.array([[0, *tokens, 0]], numpy.int64),
            "style": self._voices[VOICES.index(voice)][min(len(tokens), _STYLES - 1)],
            "speed": numpy.array([speed], numpy.float32),
        }
        return self._session.run(None, given)[0].reshape(-1)
