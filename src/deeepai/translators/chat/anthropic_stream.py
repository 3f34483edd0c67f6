"""Anthropic's stream of messages: read into neutral events, and written from them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .anthropic import NAME, REASONS, STOPS, answer_id, read_usage, write_block, write_usage
from .common import STREAM_CUT, Body, encode, event_json, named_event, seal, upstream_failure
from .model import (
    Broken,
    Delta,
    Done,
    Event,
    Finish,
    PartEnd,
    PartStart,
    Signature,
    Start,
    Stop,
    Text,
    Thinking,
    Tokens,
    ToolCall,
    UsageSeen,
)

_STATUS = {
    "invalid_request_error": 400,
    "rate_limit_error": 429,
    "request_too_large": 413,
    "timeout_error": 504,
}


class Reader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._usage: Body = {}
        self._open = self._thinking = False
        self._input: object = None
        """Arguments that came whole with the start of a call."""

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        data = event_json(event)
        if data is None:
            return ()
        match data.get("type"):
            case "content_block_delta":
                return self._delta(data.get("delta") or {})
            case "message_start":
                message = data.get("message") or {}
                self._usage = dict(message.get("usage") or {})
                return [Start(message.get("id") or "", message.get("model") or "", read_usage(self._usage))]
            case "content_block_start":
                return self._start(data.get("content_block") or {})
            case "content_block_stop":
                return self._stop()
            case "message_delta":
                return self._message_delta(data)
            case "message_stop":
                return [Done()]
            case "error":
                error = data.get("error") or {}
                status = _STATUS.get(error.get("type") or "", 502)
                return [Broken(upstream_failure(status, error.get("message") or ""))]
            case _:
                return ()

    def _start(self, block: Body) -> list[Event]:
        kind = block.get("type")
        self._input = None
        self._open = True
        self._thinking = kind == "thinking"
        if kind == "text":
            return [PartStart(Text("")), *_more(block.get("text"))]
        if kind == "thinking":
            return [PartStart(Thinking(origin=NAME)), *_more(block.get("thinking"))]
        if kind == "redacted_thinking":
            return [PartStart(Thinking(origin=NAME, signature=block.get("data") or "", hidden=True))]
        if kind == "tool_use":
            self._input = block.get("input")
            return [PartStart(ToolCall(block.get("id") or "", block.get("name") or "", ""))]
        self._open = False
        return []

    def _delta(self, delta: Body) -> Sequence[Event]:
        if not self._open:
            return ()
        match delta.get("type"):
            case "text_delta":
                return _more(delta.get("text"))
            case "input_json_delta":
                self._input = None
                return _more(delta.get("partial_json"))
            case "thinking_delta":
                return _more(delta.get("thinking"))
            case "signature_delta" if self._thinking:
                return (Signature(delta.get("signature") or ""),)
            case _:
                return ()

    def _stop(self) -> list[Event]:
        if not self._open:
            return []
        self._open = False
        return [*(_more(encode(self._input).decode()) if self._input else ()), PartEnd()]

    def _message_delta(self, data: Body) -> list[Event]:
        usage = data.get("usage") or {}
        self._usage |= {key: value for key, value in usage.items() if value is not None}
        found: list[Event] = [UsageSeen(read_usage(self._usage))]
        delta = data.get("delta") or {}
        if delta.get("stop_reason"):
            found.append(Finish(STOPS.get(delta["stop_reason"], Stop.END), delta.get("stop_sequence")))
        return found


def _more(text: str | None) -> Sequence[Event]:
    return (Delta(text),) if text else ()


class Writer:
    """Writes the events of one stream, for the model name that the caller gave."""

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._usage = Tokens()
        self._index = -1
        self._part: Text | Thinking | ToolCall = Text("")
        self._before = self._after = b""
        self._held = False
        """A thinking part whose start waits, as only its end tells whether there are words in it."""
        self._signature: Signature | None = None
        self._finish: Finish | None = None
        self._refused = False
        self._ended = False

    def feed(self, event: Event) -> bytes:
        """Write one event."""
        match event:
            case Delta():
                opening = self._open_thinking() if self._held else b""
                return opening + self._before + encode(event.text) + self._after
            case Start():
                self._usage = event.usage or Tokens()
                return self._message_start(event)
            case PartStart():
                return self._start(event.part)
            case Signature():
                self._signature = event
            case PartEnd():
                return self._stop()
            case UsageSeen():
                self._usage = event.usage
            case Finish():
                self._finish = event
            case Done():
                return self.end()
            case Broken():
                self._ended = True
                error = {"type": "api_error", "message": event.reason().message}
                return named_event("error", {"type": "error", "error": error})
        return b""

    def _message_start(self, event: Start) -> bytes:
        message = {
            "id": answer_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage),
        }
        return named_event("message_start", {"type": "message_start", "message": message})

    def _block_start(self, block: Body, delta: bytes) -> bytes:
        self._index += 1
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{' % self._index
        self._before = head + delta
        self._after = b"}}\n\n"
        return named_event(
            "content_block_start", {"type": "content_block_start", "index": self._index, "content_block": block}
        )

    def _start(self, part: Text | Thinking | ToolCall) -> bytes:
        self._part = part
        if isinstance(part, Text):
            self._refused |= part.refusal
            return self._block_start({"type": "text", "text": ""}, b'"type":"text_delta","text":')
        if isinstance(part, ToolCall):
            block = write_block(part)
            return self._block_start(block, b'"type":"input_json_delta","partial_json":')
        self._held = True
        self._signature = None
        return b""

    def _open_thinking(self) -> bytes:
        self._held = False
        block = {"type": "thinking", "thinking": "", "signature": ""}
        return self._block_start(block, b'"type":"thinking_delta","thinking":')

    def _stop(self) -> bytes:
        part, made = self._part, b""
        if isinstance(part, Thinking):
            signature = self._signature
            if signature is not None:
                part = msgspec.structs.replace(part, signature=signature.value, id=signature.id)
            if self._held:
                self._held = False
                if not part.signature and not part.text:
                    return b""
                made = self._block_start(write_block(part), b"")
            else:
                delta = {"type": "signature_delta", "signature": seal(part)}
                made = named_event(
                    "content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta}
                )
        return made + named_event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def end(self) -> bytes:
        """Write why the answer ends, the usage, and the end."""
        if self._ended:
            return b""
        finish = self._finish
        if finish is None:
            return self.feed(Broken(STREAM_CUT))
        self._ended = True
        reason = REASONS[Stop.FILTERED if self._refused else finish.stop]
        sequence = finish.sequence if finish.stop is Stop.SEQUENCE else None
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        made = {"type": "message_delta", "delta": delta, "usage": write_usage(self._usage)}
        return named_event("message_delta", made) + named_event("message_stop", {"type": "message_stop"})
