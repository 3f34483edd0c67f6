"""What was counted here, because a vendor told nothing of it, as the callers' formats tell of usage.

So that what a caller is told and what he is charged are the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from ...declare import AnyRequest, Json, Usage, UsageTeller, event_json, is_done, lenient_json, whole_events, with_json
from . import anthropic, gemini, openai, responses
from .common import Body, encode
from .usage import tokens

_Place = Callable[[Body], tuple[Body, str] | None]
"""Where the usage stands in an answer, or in an event: the object that holds it, and its name there."""
_LAST_RESPONSES: Final = frozenset({"response.completed", "response.incomplete", "response.done"})


def _of_chunk(chunk: Body) -> tuple[Body, str] | None:
    return (chunk, "usage") if isinstance(chunk.get("usage"), dict) else None


def _of_response_event(event: Body) -> tuple[Body, str] | None:
    response = event.get("response")
    return (response, "usage") if isinstance(response, dict) and event.get("type") in _LAST_RESPONSES else None


def _of_message_event(event: Body) -> tuple[Body, str] | None:
    return (event, "usage") if event.get("type") == "message_delta" else None


def _of_candidates(event: Body) -> tuple[Body, str] | None:
    return (event, "usageMetadata")


def _put(place: tuple[Body, str], written: Body) -> None:
    holder, name = place
    before = holder.get(name)
    holder[name] = {**(cast("Body", before) if isinstance(before, dict) else {}), **written}


def _teller(
    operation: str, write: Callable[..., Body], name: str, place: _Place, *, chunk: bool = False
) -> UsageTeller:
    tells = re.compile(rb'"%b"\s*:\s*\{|"message_delta"' % name.encode())

    def whole(body: bytes, usage: Usage) -> bytes:
        value = lenient_json(body)
        if not isinstance(value, dict):
            return body
        _put((value, name), write(tokens(usage)))
        return encode(value)

    def events(request: AnyRequest, last: bytes, before: Sequence[bytes], usage: Usage) -> bytes:
        written, parts = write(tokens(usage)), whole_events(last)
        for number in range(len(parts) - 1, -1, -1):
            value = event_json(parts[number])
            found = place(value) if isinstance(value, dict) else None
            if found is not None:
                _put(found, written)
                parts[number] = with_json(parts[number], encode(value))
                return b"".join(parts)
        if chunk and _wants_usage(request):
            at = next((at for at, part in enumerate(parts) if is_done(part)), len(parts))
            parts.insert(at, _chunk(before, written))
        return b"".join(parts)

    return UsageTeller(
        operation=operation, carries=lambda event: tells.search(event) is not None, whole=whole, events=events
    )


def _wants_usage(request: AnyRequest) -> bool:
    body = lenient_json(request.raw)
    options = body.get("stream_options") if isinstance(body, dict) else None
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _chunk(before: Sequence[bytes], usage: Body) -> bytes:
    """Return a chunk of a stream's own with nothing but usage."""
    chunks = (event_json(event) for event in reversed(before))
    known: Json = next((chunk for chunk in chunks if isinstance(chunk, dict) and "choices" in chunk), {})
    return b"data: " + encode({**cast("Body", known), "choices": [], "usage": usage}) + b"\n\n"


TELLERS: Final[Mapping[str, UsageTeller]] = {
    each.operation: each
    for each in (
        _teller("openai.chat.completions", openai.write_usage, "usage", _of_chunk, chunk=True),
        _teller("openai.completions", openai.write_usage, "usage", _of_chunk, chunk=True),
        _teller("openai.responses.create", responses.write_usage, "usage", _of_response_event),
        _teller("anthropic.messages", anthropic.write_usage, "usage", _of_message_event),
        _teller("gemini.generateContent", gemini.write_usage, "usageMetadata", _of_candidates),
        _teller("gemini.streamGenerateContent", gemini.write_usage, "usageMetadata", _of_candidates),
    )
}
"""By the caller's operation."""
