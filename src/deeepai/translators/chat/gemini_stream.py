"""Gemini's stream: read into neutral events, and written from them.

Each event is a whole answer's shape with what is new; calls come whole. There is no end mark: the last event has a
finish reason.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...declare import DONE, Failure, event_data
from .common import STREAM_CUT, Body, data_json, encode, entries, read_stop, seal, upstream_failure
from .gemini import NAME, REASONS, UNSPECIFIED, CallIds, answer_parts, answer_text, read_usage, write_call, write_usage
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


class Reader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._ids: CallIds | None = None
        self._called = False
        self._open: Text | Thinking | None = None
        self._signed = False
        self._finish: Stop | None = None

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        data = event_data(event)
        if data == DONE:
            return ()
        chunk = data_json(data)
        if chunk is None:
            return ()
        if chunk.get("error"):
            error: Body = chunk["error"] if isinstance(chunk["error"], dict) else {"message": str(chunk["error"])}
            code = error.get("code")
            return [Broken(upstream_failure(code if isinstance(code, int) else 502, error.get("message") or ""))]
        found: list[Event] = []
        if self._ids is None:
            id = chunk.get("responseId") or ""
            self._ids = CallIds(id)
            found.append(Start(id, chunk.get("modelVersion") or ""))
        reason = None
        for candidate in entries(chunk.get("candidates"))[:1]:
            for part in answer_parts(candidate):
                self._read(part, self._ids, found)
            reason = candidate.get("finishReason")
        if not chunk.get("candidates") and (chunk.get("promptFeedback") or {}).get("blockReason"):
            reason = "SAFETY"
        if isinstance(chunk.get("usageMetadata"), dict):
            found.append(UsageSeen(read_usage(chunk["usageMetadata"])))
        if reason and reason != UNSPECIFIED:
            try:
                # More may follow: only the stream's end is the end.
                self._finish = read_stop(reason, called=False)
            except Failure as failure:
                found.append(Broken(failure))
        return found

    @property
    def whole(self) -> bool:
        """Whether a finish reason came."""
        return self._finish is not None

    def close(self) -> Sequence[Event]:
        """End what is open, where a finish reason came."""
        if self._finish is None:
            return ()
        stop = Stop.TOOLS if self._called and self._finish is Stop.END else self._finish
        return [*self._close(), Finish(stop), Done()]

    def _close(self) -> Sequence[Event]:
        if self._open is None:
            return ()
        self._open = None
        return (PartEnd(),)

    def _turn_to(self, part: Text | Thinking, found: list[Event]) -> None:
        found += self._close()
        self._open = part
        self._signed = False
        found.append(PartStart(part))

    def _sign(self, signature: str, found: list[Event]) -> None:
        if signature:
            self._signed = True
            found.append(Signature(signature))

    def _read(self, part: Body, ids: CallIds, found: list[Event]) -> None:
        call, signature = part.get("functionCall"), part.get("thoughtSignature") or ""
        if part.get("thought"):
            if not isinstance(self._open, Thinking) or self._signed:
                self._turn_to(Thinking(origin=NAME), found)
            if part.get("text"):
                found.append(Delta(part["text"]))
            self._sign(signature, found)
        elif call:
            if signature:
                if not isinstance(self._open, Thinking) or self._signed:
                    self._turn_to(Thinking(origin=NAME, hidden=True), found)
                self._sign(signature, found)
            found += self._close()
            self._called = True
            made = ToolCall(ids.next(call), call.get("name") or "", "")
            found += (PartStart(made), Delta(encode(call.get("args") or {}).decode()), PartEnd())
        else:
            text = answer_text(part)
            if text:
                if not isinstance(self._open, Text):
                    self._turn_to(Text(""), found)
                found.append(Delta(text))


class Writer:
    """Writes the events of one stream, for the model name that the caller gave."""

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._usage = Tokens()
        self._after = b""
        self._part: Text | Thinking | ToolCall = Text("")
        self._arguments: list[str] = []
        self._worded = False
        """Whether the open thinking part has words that were sent."""
        self._before: Thinking | None = None
        """Thoughts without words that go along with the next call."""
        self._finish: Finish | None = None
        self._ended = False

    def feed(self, event: Event) -> bytes:
        """Write one event."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Start():
                ids = encode({"modelVersion": self._model, "responseId": event.id})
                self._after = b'],"role":"model"},"index":0}],' + ids[1:] + b"\r\n\r\n"
            case PartStart():
                self._part = event.part
                self._arguments = []
                self._worded = False
            case Signature():
                part = self._part
                if not isinstance(part, Thinking):
                    return b""
                self._part = msgspec.structs.replace(part, signature=event.value, id=event.id)
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
                failure = event.reason()
                error = {"code": failure.kind.status, "message": failure.message, "status": "INTERNAL"}
                return b"data: " + encode({"error": error}) + b"\r\n\r\n"
        return b""

    def _chunk(self, part: bytes) -> bytes:
        return b'data: {"candidates":[{"content":{"parts":[' + part + self._after

    def _delta(self, text: str) -> bytes:
        if isinstance(self._part, Text):
            return self._chunk(b'{"text":' + encode(text) + b"}")
        if isinstance(self._part, Thinking):
            self._worded = True
            return self._chunk(b'{"text":' + encode(text) + b',"thought":true}')
        self._arguments.append(text)
        return b""

    def _stop(self) -> bytes:
        part = self._part
        if isinstance(part, ToolCall):
            made = write_call(ToolCall(part.id, part.name, "".join(self._arguments)), self._before)
            self._before = None
            return self._chunk(encode(made))
        if isinstance(part, Thinking):
            if self._worded:
                return self._chunk(encode({"text": "", "thought": True, "thoughtSignature": seal(part)}))
            if part.text or part.signature:
                self._before = part
        return b""

    def end(self) -> bytes:
        """Write the last event, with why the answer ends and the usage."""
        if self._ended:
            return b""
        if self._finish is None:
            return self.feed(Broken(STREAM_CUT))
        self._ended = True
        reason = REASONS[self._finish.stop].encode()
        usage = encode(write_usage(self._usage))
        last = self._after.replace(
            b'"index":0}],', b'"finishReason":"' + reason + b'","index":0}],"usageMetadata":' + usage + b",", 1
        )
        return b'data: {"candidates":[{"content":{"parts":[{"text":""}' + last
