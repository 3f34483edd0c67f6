"""The items of a realtime conversation, and how a chat model is shown them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..openai_wire import new_id
from .settings import Settings


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: Literal["input_text", "input_audio", "output_text", "output_audio"]
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return it without its sound, as events have it."""
        if self.type in ("input_text", "output_text"):
            return {"type": self.type, "text": self.text or ""}
        return {"type": self.type, "transcript": self.transcript}

    def announced(self) -> dict[str, Any]:
        """Return it as `response.content_part.…` has it, where its type is called otherwise than in an item."""
        return {**self.shown(), "type": self.type.removeprefix("output_")}


class Message(msgspec.Struct, tag="message"):
    """What somebody said."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[list[Part], Meta(min_length=1)]
    id: str | None = None


class Called(msgspec.Struct, tag="function_call"):
    """A call that the model made."""

    name: str
    arguments: str
    call_id: str = ""
    id: str | None = None


class Returned(msgspec.Struct, tag="function_call_output"):
    """What the client answers to a call."""

    call_id: str
    output: str
    id: str | None = None


Given = Message | Called | Returned


@dataclass(slots=True)
class Item:
    """One item of the conversation.

    Attributes
    ----------
    fresh_ms : int
        Sound of it that no response has been charged with.
    spoken_ms : int
        Sound of it that was spoken, of the client's truncation left over.
    """

    id: str
    what: Given
    status: str = "completed"
    fresh_ms: int = 0
    spoken_ms: int = 0

    def shown(self) -> dict[str, Any]:
        """Return the object that events have."""
        common = {"id": self.id, "object": "realtime.item", "status": self.status}
        what = self.what
        if isinstance(what, Message):
            content = [part.shown() for part in what.content]
            return {**common, "type": "message", "role": what.role, "content": content}
        if isinstance(what, Called):
            call = {"call_id": what.call_id, "name": what.name, "arguments": what.arguments}
            return {**common, "type": "function_call", **call}
        return {**common, "type": "function_call_output", "call_id": what.call_id, "output": what.output}


def item_of(given: Any) -> Item:
    """Read the item of a client's event.

    Raises
    ------
    ValueError
        It cannot be read, or holds what this engine does not take, such as pictures.
    """
    what = msgspec.convert(given, Given)
    if isinstance(what, Called) and not what.call_id:
        what.call_id = new_id("call_")
    return Item((what.id or new_id("item_"))[:64], what)


def sound_of(part: Part) -> bytes:
    """Return the sound that a client put into an item."""
    try:
        return base64.b64decode(part.audio or "", validate=True)
    except binascii.Error:
        raise ValueError("audio is not base64") from None


def chat_messages(items: Iterable[Item], instructions: str) -> list[dict[str, Any]]:
    """Return the conversation as a chat completion's messages."""
    messages: list[dict[str, Any]] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    for item in items:
        what = item.what
        if isinstance(what, Message):
            text = " ".join(part.text or part.transcript or "" for part in what.content).strip()
            if text:
                messages.append({"role": what.role, "content": text})
        elif isinstance(what, Called):
            call = {"id": what.call_id, "type": "function"}
            call |= {"function": {"name": what.name, "arguments": what.arguments}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        else:
            messages.append({"role": "tool", "tool_call_id": what.call_id, "content": what.output})
    return messages


def chat_request(settings: Settings, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the body of the chat completion that answers."""
    body: dict[str, Any] = {"model": settings.chat_model, "messages": messages}
    if settings.max_output_tokens != "inf":
        body["max_completion_tokens"] = settings.max_output_tokens
    if settings.tools:
        choice = settings.tool_choice
        named = choice if isinstance(choice, str) else {"type": "function", "function": {"name": choice.name}}
        body |= {"tools": [tool.for_chat() for tool in settings.tools], "tool_choice": named}
    return body


def usage_of(chat: Mapping[str, Any], heard_ms: int, spoken_ms: int) -> dict[str, Any]:
    """Return a response's usage.

    Text in tokens of the chat model; sound, as at OpenAI, a token for each 100 ms heard and each 50 ms spoken, and what
    was heard counts once, in the response that follows it.
    """
    text_in, text_out = chat.get("prompt_tokens", 0), chat.get("completion_tokens", 0)
    cached = (chat.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    sound_in, sound_out = -(-heard_ms // 100), -(-spoken_ms // 50)
    return {
        "total_tokens": text_in + sound_in + text_out + sound_out,
        "input_tokens": text_in + sound_in,
        "output_tokens": text_out + sound_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": sound_in,
            "image_tokens": 0,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": sound_out},
    }
