"""OpenAI's stream of a response: read into neutral events, and written from them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from ...declare import DONE, Failure, Json, Reason, event_data
from .common import (
    STREAM_CUT,
    Body,
    arguments_text,
    data_json,
    encode,
    entries,
    event_type,
    named_event,
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
    Text,
    Thinking,
    Tokens,
    ToolCall,
    UsageSeen,
)
from .responses import (
    NAME,
    SUMMARY,
    content_part,
    ended,
    item,
    read_end,
    read_failure,
    read_usage,
    response,
    tool_forms,
)
from .tools import custom_input

_TEXTS = {
    "response.output_text.delta": ("text", "delta"),
    "response.refusal.delta": ("refusal", "delta"),
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
}
_THOUGHTS = {
    "response.reasoning_summary_text.delta": "delta",
    "response.reasoning_text.delta": "delta",
    "response.reasoning_summary_text.done": "text",
    "response.reasoning_text.done": "text",
}


class _Item:
    """One item of the output: what of it was given."""

    __slots__ = ("called", "done", "kind", "pieces", "texts", "thinking")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.done = False
        self.texts: dict[Json, Lane] = {}
        """By their place in a message."""
        self.called: Lane | None = None
        self.thinking: Lane | None = None
        self.pieces: dict[tuple[str, Json], int] = {}
        """Pieces of thoughts, with their lengths so far."""


class Reader:
    """Reads the events of one stream; what only later events hold whole is given from there."""

    def __init__(self) -> None:
        self._started = False
        self._lanes = Lanes()
        self._items: dict[Json, _Item] = {}
        """By their place in the output, or else their id."""
        self._places: dict[str, Json] = {}
        self._called = False

    def feed(self, event: bytes) -> Sequence[Event]:
        """Take one event."""
        content = event_data(event)
        if content == DONE:
            return ()
        data = data_json(content)
        if data is None:
            return ()
        kind = event_type(data, event)
        out: list[Event] = []
        if kind in _TEXTS:
            self._text(data, *_TEXTS[kind], out)
        elif kind in _THOUGHTS:
            self._thought(data, kind, out)
        else:
            self._other(kind, data, out)
        return out

    @property
    def whole(self) -> bool:
        """Whether nothing but the response itself, which says so, is missing: never."""
        return False

    def close(self) -> Sequence[Event]:
        """A response that has not said that it is complete is not."""
        return ()

    def _other(self, kind: str, data: Body, out: list[Event]) -> None:
        match kind:
            case "response.function_call_arguments.delta":
                item = self._item(data, "function_call")
                if item.called is not None:
                    self._lanes.add(item.called, arguments_text(data.get("delta")), out)
            case "response.function_call_arguments.done":
                self._arguments(self._item(data, "function_call"), data, out)
            case "response.created" | "response.in_progress" | "response.queued":
                self._start(data.get("response") or {}, out)
            case "response.output_item.added":
                self._added(data, data.get("item") or {}, out)
            case "response.content_part.done":
                part = data.get("part") or {}
                self._text({**data, **part}, *_part_text(part), out)
            case "response.output_item.done":
                item = data.get("item") or {}
                self._finish(self._item(data | {"item_id": item.get("id")}, item.get("type") or ""), item, out)
            case "response.completed" | "response.incomplete" | "response.done":
                self._completed(data.get("response") or {}, out)
            case "response.failed" | "response.cancelled":
                out.append(Broken(read_failure((data.get("response") or {}).get("error") or {})))
            case "error":
                error: Body = data["error"] if isinstance(data.get("error"), dict) else data
                code = error.get("code")
                failure = upstream_failure(
                    502, error.get("message") or "", code=code if isinstance(code, str) else None
                )
                out.append(Broken(failure))
            case _:
                pass

    def _start(self, response: Body, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            created = response.get("created_at")
            out.append(Start(response.get("id") or "", response.get("model") or "", created=created))

    def _item(self, data: Body, kind: str) -> _Item:
        """Return the item that an event is about."""
        id, place = data.get("item_id") or "", data.get("output_index")
        if place is None:
            place = self._places.get(id, id)
        if id:
            self._places.setdefault(id, place)
        item = self._items.get(place)
        if item is None:
            item = self._items[place] = _Item(kind)
        return item

    def _added(self, data: Body, entry: Body, out: list[Event]) -> None:
        kind = entry.get("type") or ""
        item = self._item(data | {"item_id": entry.get("id")}, kind)
        item.kind = kind
        if kind == "reasoning" and item.thinking is None:
            item.thinking = self._lanes.open(Thinking(origin=NAME), out)
        elif kind == "function_call" and item.called is None:
            self._call(item, entry, out)

    def _call(self, item: _Item, entry: Body, out: list[Event]) -> Lane:
        self._called = True
        name = entry.get("name") or ""
        made = ToolCall(entry.get("call_id") or entry.get("id") or "", name, "")
        item.called = self._lanes.open(made, out, ready=bool(name))
        return item.called

    def _text(self, data: Body, kind: str, field: str, out: list[Event]) -> None:
        if not kind:
            return
        text = data.get(field) or ""
        item, place = self._item(data, "message"), data.get("content_index") or 0
        lane = item.texts.get(place)
        if lane is None:
            if not text:
                return
            for other in item.texts.values():
                self._lanes.close(other, out)
            lane = item.texts[place] = self._lanes.open(Text("", refusal=kind == "refusal"), out)
        if field == "delta":
            self._lanes.add(lane, text, out)
        else:
            self._lanes.add(lane, text[lane.length :], out)
            self._lanes.close(lane, out)

    def _thought(self, data: Body, kind: str, out: list[Event]) -> None:
        field = _THOUGHTS[kind]
        piece = (kind.rpartition(".")[0], data.get("summary_index", data.get("content_index")))
        self._think(self._item(data, "reasoning"), piece, data.get(field) or "", out, whole=field == "text")

    def _think(self, item: _Item, piece: tuple[str, Json], text: str, out: list[Event], *, whole: bool) -> None:
        given = item.pieces.get(piece, 0)
        if whole:
            text = text[given:]
        if not text:
            return
        if item.thinking is None:
            item.thinking = self._lanes.open(Thinking(origin=NAME), out)
        apart = "\n\n" if item.pieces and piece not in item.pieces else ""
        item.pieces[piece] = given + len(text)
        self._lanes.add(item.thinking, apart + text, out)

    def _arguments(self, item: _Item, data: Body, out: list[Event]) -> None:
        lane = item.called
        if lane is not None:
            self._lanes.add(lane, arguments_text(data.get("arguments"))[lane.length :], out)

    def _finish(self, item: _Item, entry: Body, out: list[Event]) -> None:
        """Give what of an item was not given, and end it."""
        if item.done:
            return
        item.done = True
        match entry.get("type"):
            case "message":
                content = entry.get("content")
                if isinstance(content, str):
                    content = {"type": "output_text", "text": content}
                for place, part in enumerate(entries(content)):
                    kind, field = _part_text(part)
                    text = part.get(field) or "" if kind else ""
                    lane = item.texts.get(place)
                    if lane is None and text:
                        lane = item.texts[place] = self._lanes.open(Text("", refusal=kind == "refusal"), out)
                    if lane is not None:
                        self._lanes.add(lane, text[lane.length :], out)
                        self._lanes.close(lane, out)
            case "function_call":
                lane = item.called or self._call(item, entry, out)
                part = lane.part
                if isinstance(part, ToolCall) and not part.name:
                    part.name = entry.get("name") or ""
                    part.id = entry.get("call_id") or part.id
                self._arguments(item, entry, out)
                self._lanes.add(lane, "" if lane.length else "{}", out)
                self._lanes.close(lane, out)
            case "reasoning":
                self._reasoned(item, entry, out)
            case _:
                pass
        for lane in item.texts.values():
            self._lanes.close(lane, out)

    def _reasoned(self, item: _Item, entry: Body, out: list[Event]) -> None:
        for kind, name in (("response.reasoning_summary_text", "summary"), ("response.reasoning_text", "content")):
            for index, part in enumerate(entries(entry.get(name))):
                self._think(item, (kind, index), part.get("text") or "", out, whole=True)
        signature = entry.get("encrypted_content")
        if signature and item.thinking is None:
            item.thinking = self._lanes.open(Thinking(origin=NAME), out)
        if item.thinking is not None:
            if signature:
                self._lanes.sign(item.thinking, Signature(signature, entry.get("id") or ""), out)
            self._lanes.close(item.thinking, out)

    def _known(self, place: int, entry: Body, number: int) -> _Item | None:
        """Return the item that was begun for an entry: by its id, its place, or its number among those of its kind."""
        kind = entry.get("type") or ""
        by_id = self._places.get(entry.get("id") or "", place)
        alike = [known for known in self._items.values() if known.kind == kind]
        for known in (self._items.get(by_id), self._items.get(place), *alike[number : number + 1]):
            if known is not None and known.kind == kind:
                return known
        return None

    def _completed(self, response: Body, out: list[Event]) -> None:
        self._start(response, out)
        counts: Counter[str] = Counter()
        for place, entry in enumerate(entries(response.get("output"))):
            kind = entry.get("type") or ""
            self._finish(self._known(place, entry, counts[kind]) or _Item(kind), entry, out)
            counts[kind] += 1
        self._lanes.close_all(out)
        out.append(UsageSeen(read_usage(response.get("usage") or {})))
        try:
            out += (Finish(read_end(response, self._called)), Done())
        except Failure as failure:
            out.append(Broken(failure))


def _part_text(part: Body) -> tuple[str, str]:
    """Return what kind of text a part of a message is, and the field that holds it."""
    kind = part.get("type")
    return (
        ("refusal", "refusal")
        if kind == "refusal"
        else ("text", "text")
        if kind in ("output_text", "text")
        else ("", "")
    )


class Writer:
    """Writes the events of one stream, for the model name and the body that the caller gave."""

    def __init__(self, model: str, asked: Body) -> None:
        self._model = model
        self._asked = asked
        self._forms = tool_forms(asked)
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
                return self._fail(event.reason())
        return b""

    def _fail(self, failure: Failure) -> bytes:
        self._ended = True
        code = "rate_limit_exceeded" if failure.kind is Reason.RATE_LIMITED else failure.code or "server_error"
        begun = self._response or response("", self._model, self._asked, int(time.time()))
        error = {"code": code, "message": failure.message}
        return self._say(
            "response.failed",
            response=begun | {"status": "failed", "error": error, "output": self._output, "store": False},
        )

    def _say(self, kind: str, **fields: object) -> bytes:
        self._number += 1
        return named_event(kind, {"type": kind, "sequence_number": self._number - 1, **fields})

    def _is_custom(self) -> bool:
        form = self._forms.get(self._part.name) if isinstance(self._part, ToolCall) else None
        return form is not None and form.custom

    def _at(self) -> Body:
        return {"item_id": self._item, "output_index": len(self._output)}

    def _added(self, kind: str, place: str) -> bytes:
        """Open the item of the present part, and get its deltas ready."""
        id = f"{self._base}_{len(self._output)}"
        made = item(msgspec.structs.replace(self._part), id, self._forms, "in_progress")
        if isinstance(self._part, Thinking) and self._part.origin != SUMMARY:
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
        if self._is_custom():
            # Its text is inside of the arguments: it is given once they are whole.
            return b""
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
            if self._is_custom():
                words = custom_input(text)
                made = self._say("response.custom_tool_call_input.delta", **self._at(), delta=words)
                made += self._say("response.custom_tool_call_input.done", **self._at(), input=words)
            else:
                made = self._say("response.function_call_arguments.done", **self._at(), arguments=text)
        else:
            whole = msgspec.structs.replace(part, text=text or part.text)
            if self._waits:
                if not part.signature:
                    self._waits = False
                    return b""
                made = self._open_thoughts()
            if text:
                summary = {"type": "summary_text", "text": text}
                made += self._say("response.reasoning_summary_text.done", **self._at(), summary_index=0, text=text)
                made += self._say("response.reasoning_summary_part.done", **self._at(), summary_index=0, part=summary)
        done = item(whole, f"{self._base}_{len(self._output)}", self._forms)
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
