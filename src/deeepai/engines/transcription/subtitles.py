"""Segments as SubRip and WebVTT.

Sources: SubRip as OpenAI writes it; W3C WebVTT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def srt(segments: Sequence[dict[str, Any]]) -> str:
    """Return a SubRip file."""
    cues = [
        f"{number}\n{_clock(item['start'], ',')} --> {_clock(item['end'], ',')}\n{item['text'].strip()}\n\n"
        for number, item in enumerate(segments, 1)
    ]
    return "".join(cues)


def vtt(segments: Sequence[dict[str, Any]]) -> str:
    """Return a WebVTT file. In a cue's text `-->` would end it, and `&` and `<` begin a mark."""
    cues = list[str]()
    for item in segments:
        text = item["text"].strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_clock(item['start'], '.')} --> {_clock(item['end'], '.')}\n{text}\n\n")
    return "WEBVTT\n\n" + "".join(cues)
