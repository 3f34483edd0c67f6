"""What Realtime refuses of sessions, responses and items, in today's shape and in the beta's, and in which words.

The names are those of OpenAI's OpenAPI document 2.3.0; what is said of others: openai/openai-python#2638 (the beta) and
public logs of today's API, which name `session.modalities`, `session.type` and `format.rate`. Modalities:
openai/openai-agents-python#1771 (today's), BerriAI/litellm#14887 (the beta). Parts of items: public logs of today's API
("Value must be 'output_text'").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COMMON = ("instructions", "tools", "tool_choice", "prompt")
_SESSION = (*_COMMON, "model", "include", "tracing", "truncation")
_GA = ("output_modalities", "audio", "parallel_tool_calls", "reasoning", "max_output_tokens")
_BETA = ("modalities", "voice", "output_audio_format", "temperature")
_RESPONSE = (*_COMMON, "conversation", "metadata", "input", "max_output_tokens")
_BETA_INPUT = ("input_audio_format", "input_audio_transcription", "input_audio_noise_reduction", "turn_detection")
_KNOWN: Mapping[bool, Mapping[str, frozenset[str]]] = {
    False: {
        "session": frozenset((*_SESSION, *_GA, "type")),
        "session.audio": frozenset(("input", "output")),
        "session.audio.input": frozenset(("format", "transcription", "noise_reduction", "turn_detection")),
        "session.audio.output": frozenset(("format", "voice", "speed")),
        "response": frozenset((*_RESPONSE, *_GA)),
        "response.audio": frozenset(("output",)),
        "response.audio.output": frozenset(("format", "voice")),
    },
    True: {
        "session": frozenset((*_SESSION, *_BETA, *_BETA_INPUT, "speed", "max_response_output_tokens", "client_secret")),
        "response": frozenset((*_RESPONSE, *_BETA, "max_response_output_tokens")),
    },
}
"""Names at a path, of the beta and not."""
_MODALITIES = {False: (["text"], ["audio"]), True: (["text"], ["audio", "text"])}
_FORMATS = ("pcm16", "g711_ulaw", "g711_alaw")
_PARTS = {
    False: {
        "assistant": ("output_text", "output_audio"),
        "user": ("input_text", "input_audio", "input_image"),
        "system": ("input_text",),
    },
    True: {"assistant": ("text", "audio"), "user": ("input_text", "input_audio"), "system": ("input_text",)},
}


class Fault(Exception):
    """What is at fault with an event."""

    def __init__(self, message: str, code: str, param: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def _missing(param: str) -> Fault:
    return Fault(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def _check_names(given: Mapping[str, Any], path: str, *, beta: bool) -> None:
    known = _KNOWN[beta].get(path)
    if known is None:
        return
    for name, value in given.items():
        param = f"{path}.{name}"
        if name not in known:
            raise Fault(f"Unknown parameter: '{param}'.", "unknown_parameter", param)
        if isinstance(value, dict):
            _check_names(value, param, beta=beta)


def _check_spoken(given: Mapping[str, Any], path: str, *, beta: bool) -> None:
    """Check what sessions and responses both have."""
    _check_names(given, path, beta=beta)
    name = "modalities" if beta else "output_modalities"
    modalities = given.get(name, ["text"])
    if sorted(modalities) not in _MODALITIES[beta]:
        supported = " and ".join(map(str, _MODALITIES[beta]))
        text = f"Invalid modalities: {modalities}. Supported combinations are: {supported}."
        raise Fault(text, "invalid_value", f"{path}.{name}")
    for way in ("input", "output"):
        if beta:
            param, format = f"{path}.{way}_audio_format", given.get(f"{way}_audio_format", _FORMATS[0])
            if format not in _FORMATS:
                raise Fault(f"Invalid value: '{format}'.", "invalid_value", param)
        else:
            format = ((given.get("audio") or {}).get(way) or {}).get("format") or {}
            if format.get("type") == "audio/pcm" and "rate" not in format:
                raise _missing(f"{path}.audio.{way}.format.rate")


def check_session(given: Mapping[str, Any], *, beta: bool) -> None:
    """Check the session of an update.

    Raises
    ------
    Fault
    """
    if not beta and "type" not in given:
        raise _missing("session.type")
    _check_spoken(given, "session", beta=beta)


def check_response(given: Mapping[str, Any], *, beta: bool) -> None:
    """Check what is asked of a response.

    Raises
    ------
    Fault
    """
    _check_spoken(given, "response", beta=beta)
    for index, item in enumerate(given.get("input") or ()):
        check_item(item, f"response.input[{index}]", beta=beta)


def check_item(given: Mapping[str, Any], path: str, *, beta: bool) -> None:
    """Check the parts of an item.

    Raises
    ------
    Fault
    """
    allowed = _PARTS[beta].get(given.get("role", ""), ())
    for index, part in enumerate(given.get("content") or ()):
        if allowed and part["type"] not in allowed:
            text = f"Invalid value: '{part['type']}'. Value must be '{allowed[0]}'."
            raise Fault(text, "invalid_value", f"{path}.content[{index}].type")
