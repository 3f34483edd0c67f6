"""Server-sent events, read leniently: what a stream's text is like decides nothing of what its events mean.

Source: the HTML standard, "Server-sent events".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from .values import Json, lenient_json

BOM: Final = b"\xef\xbb\xbf"
"""May begin a stream."""
BLANK: Final = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")
"""The end of an event."""
COMMENT: Final = b": keep-alive\n\n"
"""Says nothing."""
DONE: Final = b"[DONE]"
"""The data of the last event in OpenAI's formats, and of some streams whose formats have no such mark."""
_STARTS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


def event_data(event: bytes) -> bytes:
    """Return the data of one server-sent event; empty where it has none."""
    at = event.find(b"data:")
    if at < 0:
        return b""
    data = event[at + 5 :].strip()
    if (at == 0 or event[at - 1 : at] == b"\n") and b"\n" not in data and b"\r" not in data:
        return data
    lines = event.removeprefix(BOM).splitlines()
    return b"\n".join([line[5:].strip() for line in lines if line.startswith(b"data:")])


def event_json(event: bytes) -> Json:
    """Return the JSON of an event, though its strings hold what strict readers refuse; None where it is none."""
    return lenient_json(event_data(event))


def event_name(event: bytes) -> str:
    """Return the name that an event has on a line of its own; empty where it has none."""
    return event[6 : event.find(b"\n")].strip().decode("latin-1") if event.startswith(b"event:") else ""


def is_done(event: bytes) -> bool:
    """Tell whether an event is the mark that ends streams."""
    return DONE in event and event_data(event) == DONE


def is_readable(event: bytes) -> bool:
    """Tell whether the data of an event can be read: JSON, or the mark that ends streams."""
    data = event_data(event)
    if data == DONE:
        return True
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return lenient_json(data) is not None
    return True


def events_of(stream: bytes) -> Iterator[bytes]:
    """Yield the events of a whole stream, each with one blank line."""
    for event in BLANK.split(stream.removeprefix(BOM)):
        if event.strip():
            yield event + b"\n\n"


def whole_events(data: bytes) -> list[bytes]:
    """Return the events in some bytes as they stand, each with its blank line; a rest is the last."""
    found: list[bytes] = []
    start = 0
    for blank in BLANK.finditer(data):
        found.append(data[start : blank.end()])
        start = blank.end()
    return [*found, data[start:]] if start < len(data) else found


def with_json(event: bytes, data: bytes) -> bytes:
    """Return an event with other data, in one line."""
    lines = event.splitlines(keepends=True)
    place = next((place for place, line in enumerate(lines) if line.startswith(b"data:")), 0)
    end = lines[place][len(lines[place].rstrip(b"\r\n")) :]
    kept = [line for line in lines[place + 1 :] if not line.startswith(b"data:")]
    return b"".join([*lines[:place], b"data: " + data + end, *kept])


def begins_stream(begun: bytes) -> bool | None:
    """Tell whether what has come begins an event stream, whatever its content type says; None: too little has come."""
    if begun.startswith(b"{"):
        return False
    text = begun[:1024].removeprefix(BOM).lstrip()
    if not text or BOM.startswith(text):
        return None
    if text.startswith(_STARTS):
        return True
    return None if any(start.startswith(text) for start in _STARTS) else False
