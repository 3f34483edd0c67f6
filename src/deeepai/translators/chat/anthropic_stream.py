"""Anthropic's stream of messages: read into neutral events, and written from them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...declare import DONE, Failure, Json, Usage, event_data
from ...protocols.anthropic.usage import event_usage, merge
from .anthropic import NAME, REASONS, answer_id, prompt_tokens, write_block, write_usage
from .common import (
    STREAM_CUT,
    Body,
    arguments_text,
    data_json,
    encode,
    event_type,
    named_event,
    read_stop,
    seal,
    upstream_failure,
)
from .lanes import Lane, Lanes
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
from .usage import tokens

_STATUS = {
    "invalid_request_error": 400,
    "rate_limit_error": 429,
    "request_too_large": 413,
    "timeout_error": 504,
}


class Reader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._started = False
        self._lanes = Lanes()
        self._blocks: dict[Json, Lane | None] = {}
        """By index, those that are open; None where they are of no kind that others know."""
        self._inputs: dict[Json, Json] = {}
        """Arguments that came whole with the start of a call, by index."""
        self._called = False
        self._finish: Finish | None = None

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        content = event_data(event)
        if content == DONE:
            return self.close()
        data = data_json(content)
        if data is None:
            return ()
        match event_type(data, event):
            case "content_block_delta":
                return self._delta(data.get("index"), data.get("delta") or {})
            case "message_start":
                return self._message_start(data.get("message") or {}, event)
            case "content_block_start":
                return self._start(data.get("index"), data.get("content_block") or {})
            case "content_block_stop":
                out: list[Event] = []
                self._stop(data.get("index"), out)
                return out
            case "message_delta":
                return self._message_delta(data, event)
            case "message_stop":
                if self._finish is None:
                    self._finish = Finish(read_stop(None, self._called))
                return self.close()
            case "error":
                error = data.get("error") or {}
                status = _STATUS.get(error.get("type") or "", 502)
                return [Broken(upstream_failure(status, error.get("message") or ""))]
            case _ if data.get("error"):
                error = data["error"] if isinstance(data["error"], dict) else {"message": str(data["error"])}
                return [Broken(upstream_failure(502, error.get("message") or ""))]
            case _:
                return ()

    @property
    def whole(self) -> bool:
        """Whether a stop reason came."""
        return self._finish is not None

    def close(self) -> Sequence[Event]:
        """End what is open, where a stop reason came."""
        if self._finish is None:
            return ()
        out: list[Event] = []
        for index in list(self._blocks):
            self._stop(index, out)
        return [*out, self._finish, Done()]

    def _learn(self, event: bytes) -> Tokens | None:
        """Return all that was told of usage with this event, read as what is charged."""
        told = event_usage(event)
        if told is not None:
            self._usage = told if self._usage is None else merge(self._usage, told)
        return None if self._usage is None else tokens(self._usage)

    def _message_start(self, message: Body, event: bytes) -> list[Event]:
        usage = self._learn(event)
        if self._started:
            return []
        self._started = True
        return [Start(message.get("id") or "", message.get("model") or "", usage)]

    def _start(self, index: Json, block: Body) -> list[Event]:
        out: list[Event] = []
        self._stop(index, out)
        kind, input = block.get("type"), None
        if kind == "text":
            lane = self._lanes.open(Text(""), out)
            self._lanes.add(lane, block.get("text") or "", out)
        elif kind == "thinking":
            lane = self._lanes.open(Thinking(origin=NAME), out)
            self._lanes.add(lane, block.get("thinking") or "", out)
        elif kind == "redacted_thinking":
            lane = self._lanes.open(Thinking(origin=NAME, signature=block.get("data") or "", hidden=True), out)
        elif kind == "tool_use":
            self._called = True
            input = block.get("input")
            lane = self._lanes.open(ToolCall(block.get("id") or "", block.get("name") or "", ""), out)
        else:
            self._blocks[index] = None
            return out
        self._blocks[index] = lane
        if input:
            self._inputs[index] = input
        return out

    def _delta(self, index: Json, delta: Body) -> Sequence[Event]:
        kind = delta.get("type")
        lane = self._blocks.get(index)
        out: list[Event] = []
        if lane is None:
            if index in self._blocks or kind not in ("text_delta", "thinking_delta"):
                return ()
            # Some servers leave out that a block starts.
            begun = {"type": "text" if kind == "text_delta" else "thinking"}
            out += self._start(index, begun)
            lane = self._blocks[index]
            assert lane is not None
        match kind:
            case "text_delta":
                self._lanes.add(lane, delta.get("text") or "", out)
            case "input_json_delta":
                self._lanes.add(lane, arguments_text(delta.get("partial_json")), out)
            case "thinking_delta":
                self._lanes.add(lane, delta.get("thinking") or "", out)
            case "signature_delta" if isinstance(lane.part, Thinking):
                self._lanes.sign(lane, Signature(delta.get("signature") or ""), out)
            case _:
                pass
        return out

    def _stop(self, index: Json, out: list[Event]) -> None:
        lane = self._blocks.pop(index, None)
        if lane is None:
            return
        input = self._inputs.pop(index, None)
        if input and not lane.length:
            self._lanes.add(lane, arguments_text(input), out)
        self._lanes.close(lane, out)

    def _message_delta(self, data: Body, event: bytes) -> list[Event]:
        usage = self._learn(event)
        out: list[Event] = [UsageSeen(usage)] if usage is not None else []
        delta = data.get("delta") or {}
        reason = delta.get("stop_reason")
        if reason:
            try:
                self._finish = Finish(read_stop(reason, self._called), delta.get("stop_sequence"))
            except Failure as failure:
                out.append(Broken(failure))
        return out


class Writer:
    """Writes the events of one stream, for the model name that the caller gave."""

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._asked = asked
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
            # Clients show it until the last event counts.
            "usage": write_usage(event.usage or Tokens(input=prompt_tokens(self._asked))),
        }
        self._usage = event.usage or Tokens()
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
