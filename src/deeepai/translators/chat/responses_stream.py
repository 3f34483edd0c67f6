"""OpenAI's stream of a response: read into neutral events, and written from them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from .common import STREAM_CUT, Body, encode, event_data, event_json, named_event, upstream_failure
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
from .responses import NAME, content_part, ended, item, read_failure, read_stop, read_usage, response

_TEXTS = {"response.output_text.delta": False, "response.refusal.delta": True}
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")


class Reader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._open: Text | Thinking | ToolCall | None = None
        self._worded = False
        """Whether the open part has words, or arguments."""
        self._piece: object = None
        """Which piece of the thoughts the last words were of."""
        self._called = False

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        if event_data(event) == b"[DONE]":
            return ()
        data = event_json(event)
        if data is None:
            return ()
        kind: str = data.get("type") or ""
        if kind in _TEXTS:
            return self._text(data, _TEXTS[kind])
        if kind in _THOUGHTS:
            return self._thought(data, kind)
        match kind:
            case "response.function_call_arguments.delta":
                self._worded = True
                return (Delta(data.get("delta") or ""),) if data.get("delta") else ()
            case "response.created":
                made = data.get("response") or {}
                created = int(made.get("created_at") or 0) or None
                return [Start(made.get("id") or "", made.get("model") or "", created=created)]
            case "response.output_item.added":
                return self._added(data.get("item") or {})
            case "response.content_part.done":
                return self._close()
            case "response.output_item.done":
                return self._done(data.get("item") or {})
            case "response.completed" | "response.incomplete":
                made = data.get("response") or {}
                usage = UsageSeen(read_usage(made.get("usage") or {}))
                return [*self._close(), usage, Finish(read_stop(made, self._called)), Done()]
            case "response.failed":
                return [Broken(read_failure((data.get("response") or {}).get("error") or {}))]
            case "error":
                return [Broken(upstream_failure(502, data.get("message") or "", code=data.get("code")))]
            case _:
                return ()

    def _close(self) -> list[Event]:
        if self._open is None:
            return []
        self._open = None
        return [PartEnd()]

    def _turn_to(self, part: Text | Thinking | ToolCall) -> list[Event]:
        closed = self._close()
        self._open = part
        self._worded = False
        self._piece = None
        return [*closed, PartStart(part)]

    def _text(self, data: Body, refusal: bool) -> list[Event]:
        found = [] if isinstance(self._open, Text) else self._turn_to(Text("", refusal=refusal))
        return [*found, Delta(data["delta"])] if data.get("delta") else found

    def _thought(self, data: Body, kind: str) -> list[Event]:
        found = [] if isinstance(self._open, Thinking) else self._turn_to(Thinking(origin=NAME))
        piece = (kind, data.get("summary_index"), data.get("content_index"))
        apart = "\n\n" if self._worded and piece != self._piece else ""
        self._piece = piece
        self._worded = True
        return [*found, Delta(apart + (data.get("delta") or ""))]

    def _added(self, found: Body) -> list[Event]:
        if found.get("type") == "reasoning":
            return self._turn_to(Thinking(origin=NAME))
        if found.get("type") == "function_call":
            self._called = True
            return self._turn_to(ToolCall(found.get("call_id") or "", found.get("name") or "", ""))
        return []

    def _done(self, found: Body) -> list[Event]:
        events: list[Event] = []
        if found.get("type") == "function_call" and isinstance(self._open, ToolCall) and not self._worded:
            events.append(Delta(found.get("arguments") or "{}"))
        if found.get("type") == "reasoning" and isinstance(self._open, Thinking) and found.get("encrypted_content"):
            events.append(Signature(found["encrypted_content"], found.get("id") or ""))
        return events + self._close()


class Writer:
    """Writes the events of one stream, for the model name and the body that the caller gave."""

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._asked = asked
        self._number = 0
        self._response: Body = {}
        self._base = ""
        self._output: list[Body] = []
        self._usage = Tokens()
        self._part: Text | Thinking | ToolCall = Text("")
        self._texts: list[str] = []
        self._item = ""
        self._waits = False
        """A reasoning item whose start waits until there is something in it."""
        self._before = self._after = b""
        self._finish: Finish | None = None
        self._ended = False

    def feed(self, event: Event) -> bytes:
        """Write one event."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Start():
                self._response = response(event.id, self._model, self._asked, event.created or int(time.time()))
                self._base = self._response["id"].removeprefix("resp_")
                return self._say("response.created", response=self._response) + self._say(
                    "response.in_progress", response=self._response
                )
            case PartStart():
                return self._start(event.part)
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
                code = failure.code or "server_error"
                return self._say("error", code=code, message=failure.message, param=None)
        return b""

    def _say(self, kind: str, **fields: object) -> bytes:
        self._number += 1
        return named_event(kind, {"type": kind, "sequence_number": self._number - 1, **fields})

    def _at(self) -> Body:
        return {"item_id": self._item, "output_index": len(self._output)}

    def _added(self, kind: str, place: str) -> bytes:
        """Open the item of the present part, and get its deltas ready."""
        id = f"{self._base}_{len(self._output)}"
        made = item(msgspec.structs.replace(self._part), id, "in_progress")
        if isinstance(self._part, Thinking):
            made |= {"summary": [], "encrypted_content": ""}
        self._item = made["id"]
        where = encode({**self._at(), "delta": ""})[1:-3]
        index = f'"{place}":0,'.encode() if place else b""
        head = f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":'.encode()
        self._before = head
        self._after = b"," + index + where
        return self._say("response.output_item.added", output_index=len(self._output), item=made)

    def _start(self, part: Text | Thinking | ToolCall) -> bytes:
        self._part = part
        self._texts = []
        if isinstance(part, Text):
            kind = "response.refusal.delta" if part.refusal else "response.output_text.delta"
            return self._added(kind, "content_index") + self._say(
                "response.content_part.added", **self._at(), content_index=0, part=content_part(part)
            )
        if isinstance(part, ToolCall):
            return self._added("response.function_call_arguments.delta", "")
        self._waits = True
        return b""

    def _open_thoughts(self) -> bytes:
        self._waits = False
        return self._added("response.reasoning_summary_text.delta", "summary_index")

    def _delta(self, text: str) -> bytes:
        opening = b""
        if isinstance(self._part, Thinking) and not self._texts:
            opening = (self._open_thoughts() if self._waits else b"") + self._say(
                "response.reasoning_summary_part.added",
                **self._at(),
                summary_index=0,
                part={"type": "summary_text", "text": ""},
            )
        self._texts.append(text)
        logprobs = b',"logprobs":[]}\n\n' if isinstance(self._part, Text) and not self._part.refusal else b"}\n\n"
        self._number += 1
        number = str(self._number - 1).encode()
        return opening + self._before + number + self._after + encode(text) + logprobs

    def _stop(self) -> bytes:
        part, text, made = self._part, "".join(self._texts), b""
        if isinstance(part, Text):
            whole = Text(text, part.refusal)
            kind = "refusal" if part.refusal else "output_text"
            fields: Body = {"refusal": text} if part.refusal else {"text": text, "logprobs": []}
            made = self._say(f"response.{kind}.done", **self._at(), content_index=0, **fields)
            made += self._say("response.content_part.done", **self._at(), content_index=0, part=content_part(whole))
        elif isinstance(part, ToolCall):
            text = text or "{}"
            whole = ToolCall(part.id, part.name, text)
            made = self._say("response.function_call_arguments.done", **self._at(), arguments=text)
        else:
            whole = msgspec.structs.replace(part, text=text)
            if self._waits:
                if not part.signature:
                    self._waits = False
                    return b""
                made = self._open_thoughts()
            if text:
                summary = {"type": "summary_text", "text": text}
                made += self._say("response.reasoning_summary_text.done", **self._at(), summary_index=0, text=text)
                made += self._say("response.reasoning_summary_part.done", **self._at(), summary_index=0, part=summary)
        done = item(whole, f"{self._base}_{len(self._output)}")
        made += self._say("response.output_item.done", output_index=len(self._output), item=done)
        self._output.append(done)
        return made

    def end(self) -> bytes:
        """Write the response as it has ended."""
        if self._ended:
            return b""
        if self._finish is None:
            return self.feed(Broken(STREAM_CUT))
        self._ended = True
        whole = ended(self._response, self._finish.stop, self._output, self._usage)
        kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return self._say(kind, response=whole)
