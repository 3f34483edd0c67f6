"""OpenAI's chat completion chunks: read into neutral events, and written from them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .common import STREAM_CUT, Body, encode, event_data, event_json, no_answer, upstream_failure
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
    Text,
    Thinking,
    Tokens,
    ToolCall,
    UsageSeen,
)
from .openai import NAME, REASONS, answer_id, detail, read_details, read_stop, read_usage, write_usage

DONE = b"data: [DONE]\n\n"


class Reader:
    """Reads the chunks of one stream."""

    def __init__(self) -> None:
        self._id = ""
        self._started = False
        self._open: str | int | None = None
        """What part is open: text, refusal, thinking, or a tool call's index."""
        self._calls: set[int] = set()

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        if event_data(event) == b"[DONE]":
            return [*self._close(), Done()]
        chunk = event_json(event)
        if chunk is None:
            return ()
        if chunk.get("error"):
            error = chunk["error"] if isinstance(chunk["error"], dict) else {"message": str(chunk["error"])}
            code = error.get("code")
            return [
                Broken(upstream_failure(502, error.get("message") or "", code=code if isinstance(code, str) else None))
            ]
        found: list[Event] = []
        if not self._started:
            self._started = True
            self._id = chunk.get("id") or ""
            found.append(Start(self._id, chunk.get("model") or "", created=chunk.get("created")))
        choices = chunk.get("choices")
        if choices:
            choice = choices[0]
            delta = choice.get("delta")
            if delta:
                self._read_delta(delta, found)
            reason = choice.get("finish_reason")
            if reason:
                found += self._close()
                found.append(Finish(read_stop(reason, bool(self._calls))))
        usage = read_usage(chunk.get("usage"))
        if usage is not None:
            found.append(UsageSeen(usage))
        return found

    def _close(self) -> Sequence[Event]:
        if self._open is None:
            return ()
        self._open = None
        return (PartEnd(),)

    def _add(self, kind: str, text: str, found: list[Event]) -> None:
        if self._open != kind:
            found += self._close()
            self._open = kind
            part = Thinking(origin=NAME) if kind == "thinking" else Text("", refusal=kind == "refusal")
            found.append(PartStart(part))
        found.append(Delta(text))

    def _read_details(self, delta: Body, found: list[Event]) -> None:
        for thinking in read_details(delta):
            if self._open != "thinking" or thinking.hidden:
                found += (*self._close(), PartStart(Thinking(origin=NAME, hidden=True)))
            found += (Signature(thinking.signature), PartEnd())
            self._open = None

    def _read_delta(self, delta: Body, found: list[Event]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            self._add("thinking", thought, found)
        if delta.get("reasoning_details"):
            self._read_details(delta, found)
        if delta.get("content"):
            self._add("text", delta["content"], found)
        if delta.get("refusal"):
            self._add("refusal", delta["refusal"], found)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            index: int = call.get("index", place)
            function = call.get("function") or {}
            if self._open != index:
                if index in self._calls:
                    raise no_answer("the arguments of two calls are mixed")
                found += self._close()
                self._open = index
                self._calls.add(index)
                id = call.get("id") or f"call_{self._id}_{index}"
                found.append(PartStart(ToolCall(id, function.get("name") or "", "")))
            if function.get("arguments"):
                found.append(Delta(function["arguments"]))


class Writer:
    """Writes the chunks of one stream.

    Parameters
    ----------
    model : str
        As the caller named it.
    asked : dict
        The caller's body, which says whether usage is wanted.
    """

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._usage_wanted = bool((asked.get("stream_options") or {}).get("include_usage"))
        self._usage = Tokens()
        self._before = b""
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._null_usage() + b"}\n\n"
        self._part: Text | Thinking | ToolCall = Text("")
        self._calls = 0
        self._details = 0
        self._thoughts: list[str] = []
        """Of the open part."""
        self._thought = False
        self._finished = False
        self._ended = False

    def _null_usage(self) -> bytes:
        return b',"usage":null' if self._usage_wanted else b""

    def _delta(self, delta: Body) -> bytes:
        return self._before + encode(delta) + self._after

    def feed(self, event: Event) -> bytes:
        """Write one event."""
        match event:
            case Delta():
                return self._write_delta(event.text)
            case Start():
                head = encode(
                    {
                        "id": answer_id(event.id),
                        "object": "chat.completion.chunk",
                        "created": event.created or int(time.time()),
                        "model": self._model,
                    }
                )
                self._before = b"data: " + head[:-1] + b',"choices":[{"index":0,"delta":'
                return self._delta({"role": "assistant", "content": "", "refusal": None})
            case PartStart():
                return self._start(event.part)
            case Signature():
                part = self._part
                if not isinstance(part, Thinking):
                    return b""
                return self._detail(
                    Thinking(origin=part.origin, signature=event.value, id=event.id, hidden=part.hidden)
                )
            case UsageSeen():
                self._usage = event.usage
            case Finish():
                self._finished = True
                reason = REASONS[event.stop].encode()
                end = b'{},"logprobs":null,"finish_reason":"' + reason + b'"}]' + self._null_usage() + b"}\n\n"
                return self._before + end
            case Done():
                return self.end()
            case Broken():
                self._ended = True
                failure = event.reason()
                error = {"message": failure.message, "type": "upstream_error", "param": None, "code": failure.code}
                return b"data: " + encode({"error": error}) + b"\n\n"
            case PartEnd():
                pass
        return b""

    def _start(self, part: Text | Thinking | ToolCall) -> bytes:
        self._part = part
        if isinstance(part, ToolCall):
            self._calls += 1
            function = {"name": part.name, "arguments": ""}
            call = {"index": self._calls - 1, "id": part.id, "type": "function", "function": function}
            return self._delta({"tool_calls": [call]})
        if isinstance(part, Thinking):
            self._thoughts = []
            if part.hidden and part.signature:
                return self._detail(part)
        return b""

    def _detail(self, thinking: Thinking) -> bytes:
        entry = detail(thinking, "".join(self._thoughts), self._details)
        self._details += 1
        return self._delta({"reasoning_details": [entry]})

    def _write_delta(self, text: str) -> bytes:
        part = self._part
        if isinstance(part, Text):
            return self._delta({"refusal": text} if part.refusal else {"content": text})
        if isinstance(part, Thinking):
            # Thoughts that follow on others are set apart as in a whole answer.
            apart = "\n\n" if self._thought and not self._thoughts else ""
            self._thought = True
            self._thoughts.append(text)
            return self._delta({"reasoning_content": apart + text})
        return self._delta({"tool_calls": [{"index": self._calls - 1, "function": {"arguments": text}}]})

    def end(self) -> bytes:
        """Write the usage, if it is wanted, and the end."""
        if self._ended:
            return b""
        if not self._finished:
            return self.feed(Broken(STREAM_CUT))
        self._ended = True
        if not self._usage_wanted:
            return DONE
        head = self._before[: self._before.rindex(b',"choices":')]
        return head + b',"choices":[],"usage":' + encode(write_usage(self._usage)) + b"}\n\n" + DONE
