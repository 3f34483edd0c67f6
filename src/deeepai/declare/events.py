"""Server-sent events, read leniently: what a stream's text is like decides nothing of what its events mean.

Source: the HTML standard, "Server-sent events".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from .values import Json

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
    data = event_data(event)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def is_done(event: bytes) -> bool:
    """Tell whether an event is the mark that ends streams."""
    return DONE in event and event_data(event) == DONE


def events_of(stream: bytes) -> Iterator[bytes]:
    """Yield the events of a whole stream, each with one blank line."""
    for event in BLANK.split(stream.removeprefix(BOM)):
        if event.strip():
            yield event + b"\n\n"


def begins_stream(begun: bytes) -> bool | None:
    """Tell whether what has come begins an event stream, whatever its content type says; None: too little has come."""
    text = begun[:1024].removeprefix(BOM).lstrip()
    if not text or BOM.startswith(text):
        return None
    if text.startswith(_STARTS):
        return True
    return None if any(start.startswith(text) for start in _STARTS) else False
