"""What a realtime session can be told: its settings in OpenAI's present shape, their defaults and their checks.

Source: OpenAI's OpenAPI document 2.3.0.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from .sound import FormatName

SPEECH: Final = "kokoro-82m"
TRANSCRIPTION: Final = "whisper-base"
CHAT: Final = "smollm2-135m-instruct"

_PATH: Final = re.compile(r" - at `\$\.?(.*)`$")
_EAGERNESS: Final = {"low": 1200, "medium": 800, "high": 500, "auto": 800}
"""Milliseconds of silence: where OpenAI's model judges whether a sentence is complete, this engine waits."""


class SettingsError(ValueError):
    """A setting that cannot be; `param` names it."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class Format(msgspec.Struct):
    """How sound travels: 16-bit samples at 24 kHz, or a telephone's at 8 kHz."""

    type: FormatName
    rate: Literal[24000] | None = None


class Transcription(msgspec.Struct):
    """How the client wants to be told what was heard."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class Detection(msgspec.Struct):
    """When a turn ends."""

    type: Literal["server_vad", "semantic_vad"]
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=5000)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=100, le=10_000)] = 500
    create_response: bool = True
    interrupt_response: bool = True
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"

    @property
    def silence_ms(self) -> int:
        """After how much silence a turn is over."""
        return _EAGERNESS[self.eagerness] if self.type == "semantic_vad" else self.silence_duration_ms


class Input(msgspec.Struct):
    """Sound in."""

    format: Format
    transcription: Transcription | None = None
    turn_detection: Detection | None = None


class VoiceId(msgspec.Struct):
    """A voice in its wrapper."""

    id: str


class Output(msgspec.Struct):
    """Sound out."""

    format: Format
    voice: str | VoiceId = "alloy"
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] = 1.0

    @property
    def voice_name(self) -> str:
        """Its name, wrapped or not."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class Audio(msgspec.Struct):
    """Sound in and out."""

    input: Input
    output: Output


class FunctionTool(msgspec.Struct):
    """A function that the model may call."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None

    def for_chat(self) -> dict[str, Any]:
        """Return it in the shape of a chat completion."""
        fields = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": {k: v for k, v in fields.items() if v is not None}}


class NamedTool(msgspec.Struct):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class Settings(msgspec.Struct):
    """Of a session, or of one response; fields that are not listed are kept, and change nothing."""

    type: Literal["realtime", "transcription"]
    audio: Audio
    model: str
    chat_model: str = CHAT
    output_modalities: Annotated[list[Literal["text", "audio"]], Meta(min_length=1, max_length=1)] = msgspec.field(
        default_factory=lambda: ["audio"]
    )
    instructions: str = ""
    tools: list[FunctionTool] = []
    tool_choice: Literal["auto", "none", "required"] | NamedTool = "auto"
    max_output_tokens: Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"] = "inf"

    @property
    def speaks(self) -> bool:
        """Tell whether answers are spoken."""
        return self.output_modalities == ["audio"]


def defaults(model: str, *, transcribes: bool) -> dict[str, Any]:
    """Return the settings that a session begins with."""
    sound = {"type": "audio/pcm", "rate": 24_000}
    detection = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }
    heard: dict[str, Any] = {"format": sound, "transcription": None, "turn_detection": detection}
    return {
        "type": "transcription" if transcribes else "realtime",
        "model": model,
        "chat_model": CHAT,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "audio": {"input": heard, "output": {"format": dict(sound), "voice": "alloy", "speed": 1.0}},
    }


def laid(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with some of them changed, none of the given objects."""
    found = copy.deepcopy(dict(under))
    for name, value in over.items():
        found[name] = (
            laid(held, value) if isinstance(value, dict) and (held := _same(found.get(name), value)) else value
        )
    return found


def _same(held: Any, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is held, where what is given is not of another kind: a new format takes nothing from the former."""
    if not isinstance(held, dict):
        return None
    known: dict[str, Any] = held
    return known if given.get("type", known.get("type")) == known.get("type") else None


def checked(settings: Mapping[str, Any], name: str) -> Settings:
    """Return settings in their types.

    Parameters
    ----------
    name : str
        What the client calls them, for the error.

    Raises
    ------
    SettingsError
    """
    try:
        return msgspec.convert(settings, Settings)
    except msgspec.ValidationError as error:
        message = str(error)
        found = _PATH.search(message)
        path = f"{name}.{found.group(1)}" if found and found.group(1) else name
        raise SettingsError(f"Invalid value for '{path}': {_PATH.sub('', message)}.", path) from None
