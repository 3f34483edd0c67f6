"""What the speech tests share: files read by PyAV, and errors counted in words and characters."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import av

SPEECH = "kokoro-82m"
BASE = "whisper-base"
TINY = "whisper-tiny.en"


def seconds_of(data: bytes) -> float:
    """Length of a sound file, by decoding all of it."""
    samples, rate = 0, 0
    with av.open(io.BytesIO(data)) as file:
        assert [stream.type for stream in file.streams] == ["audio"]
        for frame in file.decode(audio=0):
            samples, rate = samples + frame.samples, frame.sample_rate
    return samples / rate


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+|\d+", text.lower())


def characters(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c)[0] in "LN"]


def error_rate(said: Sequence[Any], heard: Sequence[Any]) -> float:
    """Levenshtein distance over the length of what was said."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1] / len(said)
