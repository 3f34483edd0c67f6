"""OpenAI's chat completion chunks: read into neutral events, and written from them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...declare import DONE as MARK
from ...declare import Failure, Json, event_data
from .common import STREAM_CUT, Body, arguments_text, data_json, encode, entries, no_answer, read_stop, upstream_failure
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
from .openai import (
    NAME,
    REASONS,
    answer_id,
    content_texts,
    detail,
    read_details,
    read_usage,
    tool_forms,
    write_call,
    write_usage,
)

DONE = b"data: [DONE]\n\n"


class Reader:
    """Reads the chunks of one stream, in all the ways that servers of this format write them."""

    def __init__(self) -> None:
        self._id = ""
        self._started = False
        self._lanes = Lanes()
        self._plain: Lane | None = None
        """The text, refusal or thoughts that the last delta was of."""
        self._kind = ""
        self._calls: list[Lane] = []
        self._by_index: dict[Json, Lane] = {}
        self._space = ""
        """White space between calls, which is text only if text follows."""
        self._said = 0
        """How many pieces came."""
        self._finish: Stop | None = None
        self._counted = False
        """Usage came, and no piece with it or after it: the server had come to its end."""

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        data = event_data(event)
        if data == MARK:
            return self.close()
        chunk = data_json(data)
        if chunk is None:
            return ()
        if chunk.get("error") or chunk.get("object") == "error" or chunk.get("type") == "error":
            return [Broken(_failure(chunk))]
        out: list[Event] = []
        choices = entries(chunk.get("choices"))
        if not self._started and (choices or chunk.get("id")):
            self._started = True
            self._id = chunk.get("id") or ""
            out.append(Start(self._id, chunk.get("model") or "", created=chunk.get("created")))
        usage, before = read_usage(chunk.get("usage")), self._said
        if choices:
            choice = choices[0]
            delta = choice.get("delta") or (None if self._said else choice.get("message"))
            if delta:
                self._read_delta(delta, out)
            reason = choice.get("finish_reason")
            if reason:
                try:
                    # More may follow: the end is told once the stream has ended.
                    self._finish = read_stop(reason, called=False)
                except Failure as failure:
                    return [*out, Broken(failure)]
        if self._said != before:
            self._counted = False
        elif usage is not None:
            self._counted = True
        if usage is not None:
            out.append(UsageSeen(usage))
        return out

    @property
    def whole(self) -> bool:
        """Whether a reason came, or the usage after all words."""
        return self._finish is not None or (self._counted and self._said > 0)

    def close(self) -> Sequence[Event]:
        """End what is open, where a reason or the usage tells that the answer is whole."""
        if not self.whole:
            return ()
        out: list[Event] = []
        if any(not lane.closed and not named(lane) for lane in self._calls):
            raise no_answer("a call has no name")
        self._lanes.close_all(out)
        stop = self._finish or Stop.END
        return [*out, Finish(Stop.TOOLS if self._calls and stop is Stop.END else stop), Done()]

    def _add(self, kind: str, text: str, out: list[Event]) -> None:
        lane = self._plain
        if lane is None or self._kind != kind:
            if lane is None and kind == "text" and self._calls and text.isspace():
                self._space += text
                return
            text, self._space = self._space + text if kind == "text" else text, ""
            self._turn_from(out)
            part = Thinking(origin=NAME) if kind == "thinking" else Text("", refusal=kind == "refusal")
            lane = self._plain = self._lanes.open(part, out)
            self._kind = kind
        self._lanes.add(lane, text, out)

    def _turn_from(self, out: list[Event]) -> None:
        """End the plain part, and the calls that are whole, before another part begins."""
        if self._plain is not None:
            self._lanes.close(self._plain, out)
            self._plain = None
        for lane in self._lanes.open_calls():
            if named(lane) and lane.whole():
                self._lanes.close(lane, out)

    def _read_details(self, delta: Body, out: list[Event]) -> None:
        for thinking in read_details(delta):
            lane = self._plain
            if lane is None or self._kind != "thinking" or thinking.hidden:
                self._turn_from(out)
                lane = self._lanes.open(Thinking(origin=NAME, hidden=True), out)
            self._lanes.sign(lane, Signature(thinking.signature), out)
            self._lanes.close(lane, out)
            self._plain = None

    def _read_delta(self, delta: Body, out: list[Event]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought and isinstance(thought, str):
            self._said += 1
            self._add("thinking", thought, out)
        if delta.get("reasoning_details"):
            self._read_details(delta, out)
        content = delta.get("content")
        if content:
            self._said += 1
            if isinstance(content, str):
                self._add("text", content, out)
            else:
                for kind, text in content_texts(content):
                    self._add(kind, text, out)
        if delta.get("refusal"):
            self._said += 1
            self._add("refusal", delta["refusal"], out)
        calls = delta.get("tool_calls")
        if calls:
            self._said += 1
            for call in entries(calls):
                self._call(call, call.get("function") or {}, out)
        elif delta.get("function_call"):
            self._said += 1
            self._call({"index": 0}, delta["function_call"], out)

    def _call(self, call: Body, function: Body, out: list[Event]) -> None:
        index, id, name = call.get("index"), call.get("id") or "", function.get("name") or ""
        text = arguments_text(function.get("arguments"))
        lane = self._lane(index, id, name, text)
        if lane is None:
            self._turn_from(out)
            if not id or any(call_of(other).id == id for other in self._calls):
                id = f"call_{self._id}_{len(self._calls)}"
            lane = self._lanes.open(ToolCall(id, "", ""), out, ready=False, key=index)
            self._calls.append(lane)
        self._by_index[index] = lane
        begun = call_of(lane)
        if not lane.started:
            if id:
                begun.id = id
            # Names may come late, in pieces, or again and again.
            begun.name = name if name.startswith(begun.name) else begun.name + name if name else begun.name
        if text and text[0] == "{" and lane.pieces and lane.whole():
            # Some say the whole call once more at the end.
            return
        self._lanes.add(lane, text, out)
        if not lane.ready and begun.name and lane.pieces:
            lane.ready = True
            self._lanes.advance(out)

    def _lane(self, index: Json, id: str, name: str, text: str) -> Lane | None:
        """Return the call that a delta goes on with; None where it begins another."""
        if id:
            for lane in self._calls:
                if call_of(lane).id == id and (index is None or lane.key is None or lane.key == index):
                    return lane
        last = self._by_index.get(index)
        if index is None and last is None and self._calls:
            last = self._calls[-1]
        if last is None:
            return None
        if not id:
            if not name or not call_of(last).name:
                return last
            # A name again, once the arguments are whole, is another call at the same place.
            return None if text and last.whole() and text != "".join(last.pieces) else last
        if not last.started and call_of(last).id.startswith(f"call_{self._id}_"):
            return last
        # Some servers make up an id for every delta.
        return last if not name and last.pieces and not last.whole() else None


def call_of(lane: Lane) -> ToolCall:
    """Return the call that a lane is of."""
    assert isinstance(lane.part, ToolCall)
    return lane.part


def named(lane: Lane) -> bool:
    """Tell whether the call's name is known."""
    return bool(call_of(lane).name)


def _failure(chunk: Body) -> Failure:
    error = chunk.get("error") or chunk
    if not isinstance(error, dict):
        error = {"message": str(error)}
    code = error.get("code")
    return upstream_failure(502, str(error.get("message") or ""), code=code if isinstance(code, str) else None)


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
        self._forms = tool_forms(asked)
        self._custom: list[str] | None = None
        """The arguments of an open call of a custom tool, whose text is given whole."""
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
                if self._custom is not None and isinstance(self._part, ToolCall):
                    self._part.arguments, self._custom = "".join(self._custom), None
                    return self._delta(
                        {"tool_calls": [{"index": self._calls - 1, **write_call(self._part, self._forms)}]}
                    )
        return b""

    def _start(self, part: Text | Thinking | ToolCall) -> bytes:
        self._part = part
        if isinstance(part, ToolCall):
            self._calls += 1
            if part.name in self._forms:
                self._custom = []
                return b""
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
        if self._custom is not None:
            self._custom.append(text)
            return b""
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
