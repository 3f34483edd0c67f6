"""Server-sent events, read leniently: what a stream's text is like decides nothing of what its events mean."""

from __future__ import annotations

import json

import msgspec

from ...declare import Json


def event_data(event: bytes) -> bytes:
    """Return the data of one server-sent event."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event[5:].strip()
    return b"\n".join([line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")])


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


def event_failure(event: bytes) -> Json:
    """Return what an event tells of a failure: it has an error, or is one; None, where it tells of none."""
    if b'"error"' not in event and b"event: error" not in event:
        return None
    value = event_json(event)
    if not isinstance(value, dict):
        return None
    return value if value.get("error") or value.get("type") == "error" else None
