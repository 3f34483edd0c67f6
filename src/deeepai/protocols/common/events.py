"""Server-sent events, read leniently: what a stream's text is like decides nothing of what its events mean."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from ...declare import AnyRequest, Json


def event_data(event: bytes) -> bytes:
    """Return the data of one server-sent event."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event[5:].strip()
    return b"\n".join([line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")])


DATALESS: Final = (b"retry:", b"data:\n", b"data: \n")
"""Marks that an event which holds no data may have; where lines end otherwise, each event is looked at anyway."""


def with_data(request: AnyRequest, event: bytes) -> bytes | None:
    """Hide an event without data, which is to be dropped; OpenAI's clients read JSON in it.

    Source: the HTML standard, "Server-sent events", 9.2.6.
    """
    lines = [line for line in event.splitlines() if line and line[:1] != b":"]
    return event if not lines or any(line[:5] == b"data:" and line[5:].strip() for line in lines) else None


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
