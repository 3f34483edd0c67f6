"""Sound as it travels in a realtime session, and where in it somebody speaks.

Whether a window of sound holds speech Silero VAD judges (MIT; it lies in the package faster-whisper).
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

FormatName = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]

SPOKEN_RATE: Final = 24_000
"""Samples a second that the voice makes."""
_RATES: Final[dict[FormatName, int]] = {"audio/pcm": 24_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
_WIDTHS: Final[dict[FormatName, int]] = {"audio/pcm": 2, "audio/pcmu": 1, "audio/pcma": 1}
_CLIP: Final = 32_635
_BIAS: Final = 0x84

_JUDGED_RATE: Final = 16_000
_WINDOW: Final = 512
_CONTEXT: Final = 64
_STATE: Final = 128
_BEGIN_WINDOWS: Final = 3
"""Speech is what lasts so long; a click does not."""
_HYSTERESIS: Final = 0.15


def bytes_per_second(form: FormatName) -> int:
    """Return how many bytes a second of sound takes."""
    return _RATES[form] * _WIDTHS[form]


def decoded(sound: bytes, form: FormatName) -> Any:
    """Return int16 samples at the format's rate."""
    numpy = importlib.import_module("numpy")
    if form == "audio/pcm":
        return numpy.frombuffer(sound[: len(sound) // 2 * 2], "<i2")
    codes = numpy.frombuffer(sound, numpy.uint8).astype(numpy.int32)
    if form == "audio/pcmu":
        # ITU-T G.711, mu-law: sign, exponent and mantissa, all inverted.
        codes = ~codes & 0xFF
        levels = ((((codes & 0x0F) << 3) + _BIAS) << ((codes >> 4) & 0x07)) - _BIAS
        return numpy.where(codes & 0x80, -levels, levels).astype("<i2")
    codes ^= 0x55
    exponent, mantissa = (codes >> 4) & 0x07, (codes & 0x0F) << 4
    levels = numpy.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << numpy.maximum(exponent - 1, 0))
    return numpy.where(codes & 0x80, levels, -levels).astype("<i2")


def encoded(samples: Any, form: FormatName) -> bytes:
    """Return int16 samples, which are at the format's rate, as bytes."""
    numpy = importlib.import_module("numpy")
    if form == "audio/pcm":
        return samples.astype("<i2").tobytes()
    wide = samples.astype(numpy.int32)
    sign = numpy.where(wide < 0, 0x80, 0)
    if form == "audio/pcmu":
        levels = numpy.minimum(numpy.abs(wide), _CLIP) + _BIAS
        exponent = numpy.floor(numpy.log2(levels)).astype(numpy.int32) - 7
        mantissa = (levels >> (exponent + 3)) & 0x0F
        return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(numpy.uint8).tobytes()
    levels = numpy.minimum(numpy.abs(wide), _CLIP) >> 4
    exponent = numpy.where(levels < 16, 0, numpy.floor(numpy.log2(numpy.maximum(levels, 1))).astype(numpy.int32) - 3)
    mantissa = numpy.where(exponent == 0, levels, levels >> numpy.maximum(exponent - 1, 0)) & 0x0F
    return ((sign ^ 0x80 | (exponent << 4) | mantissa) ^ 0x55).astype(numpy.uint8).tobytes()


class Thinner:
    """Turns the voice's samples into those of a slower format, piece by piece."""

    def __init__(self, form: FormatName) -> None:
        self._form: FormatName = form
        self._step = SPOKEN_RATE // _RATES[form]
        self._rest = b""

    def feed(self, sound: bytes) -> bytes:
        """Take 16-bit samples at 24 kHz; return what the format makes of them."""
        if self._step == 1:
            return sound
        numpy = importlib.import_module("numpy")
        sound = self._rest + sound
        whole = len(sound) // (2 * self._step) * 2 * self._step
        self._rest = sound[whole:]
        # The mean of neighbours is filter enough for a telephone's band.
        thin = numpy.frombuffer(sound[:whole], "<i2").reshape(-1, self._step).mean(axis=1)
        return encoded(thin, self._form)


def wav(samples: Any, form: FormatName) -> bytes:
    """Return a file of int16 samples."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATES[form])
        file.writeframes(samples.astype("<i2").tobytes())
    return held.getvalue()


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody began or ceased to speak; the time in milliseconds since the session began."""

    kind: Literal["started", "stopped"]
    at_ms: int


class Ears:
    """Tells when somebody begins and ceases to speak.

    Parameters
    ----------
    threshold : float
        Probability from which a window counts as speech.
    silence_ms : int
        After so much silence a turn is over.
    begun_ms : int
        Where in the session its first sample lies.
    """

    def __init__(self, form: FormatName, threshold: float, silence_ms: int, begun_ms: int) -> None:
        self._form: FormatName = form
        self._threshold, self._silence_ms, self._begun_ms = threshold, silence_ms, begun_ms
        self._numpy: Any = importlib.import_module("numpy")
        self._judge: Any = None
        self._h: Any = self._numpy.zeros((1, 1, _STATE), "float32")
        self._c: Any = self._h
        self._before: Any = self._numpy.zeros(_CONTEXT, "float32")
        self._odd: Any = self._numpy.zeros(0, "int16")
        self._held: Any = self._numpy.zeros(0, "float32")
        self._windows = self._loud = self._quiet = 0
        self.speaking = False

    def hear(self, samples: Any) -> Sequence[Turn]:
        """Take int16 samples at the format's rate. Takes about a millisecond a second of sound; call it in a thread."""
        self._held = self._numpy.concatenate([self._held, self._judged(samples)])
        turns: list[Turn] = []
        while len(self._held) >= _WINDOW:
            window, self._held = self._held[:_WINDOW], self._held[_WINDOW:]
            if turn := self._step(self._probability(window)):
                turns.append(turn)
        return turns

    def _judged(self, samples: Any) -> Any:
        """Return float32 samples at the rate that the judge wants."""
        numpy = self._numpy
        if _RATES[self._form] < _JUDGED_RATE:
            return numpy.repeat(samples, 2).astype("float32") / 32768
        samples = numpy.concatenate([self._odd, samples])
        whole = len(samples) // 3 * 3
        self._odd = samples[whole:]
        groups = samples[:whole].reshape(-1, 3).astype("float32") / 32768
        return numpy.stack([groups[:, 0], (groups[:, 1] + groups[:, 2]) / 2], axis=1).reshape(-1)

    def _probability(self, window: Any) -> float:
        if self._judge is None:
            self._judge = _judge()
        given = self._numpy.concatenate([self._before, window]).reshape(1, -1)
        said, self._h, self._c = self._judge.run(None, {"input": given, "h": self._h, "c": self._c})
        self._before = window[-_CONTEXT:]
        return float(said.reshape(-1)[0])

    def _step(self, probability: float) -> Turn | None:
        self._windows += 1
        if not self.speaking:
            self._loud = self._loud + 1 if probability >= self._threshold else 0
            if self._loud < _BEGIN_WINDOWS:
                return None
            self.speaking, self._quiet = True, 0
            return Turn("started", self._time(self._windows - self._loud))
        self._quiet = 0 if probability >= self._threshold - _HYSTERESIS else self._quiet + 1
        if self._quiet * _WINDOW * 1000 // _JUDGED_RATE < self._silence_ms:
            return None
        self.speaking, self._loud = False, 0
        return Turn("stopped", self._time(self._windows))

    def _time(self, windows: int) -> int:
        return self._begun_ms + windows * _WINDOW * 1000 // _JUDGED_RATE


def _judge() -> Any:
    """Load Silero VAD; its package need not be imported, which would bring all of Whisper."""
    found = importlib.util.find_spec("faster_whisper")
    assert found is not None
    assert found.origin is not None
    path = next((Path(found.origin).parent / "assets").glob("silero_vad*.onnx"))
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)
