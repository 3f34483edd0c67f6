"""What several formats say in server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...declare import AnyRequest, Json, event_data, event_json

DATALESS: Final = (b"retry:", b"data:\n", b"data: \n")
"""Marks that an event which holds no data may have; where lines end otherwise, each event is looked at anyway."""

FAILURES: Final = (b'"error"', b"event: error")
"""Marks that `event_failure` looks for."""


def with_data(request: AnyRequest, event: bytes) -> bytes | None:
    """Hide an event without data, which is to be dropped; OpenAI's clients read JSON in it.

    Source: the HTML standard, "Server-sent events", 9.2.6.
    """
    if event_data(event) or all(line[:1] in (b"", b":") for line in event.splitlines()):
        return event
    return None


def unless(*starts: str) -> Callable[[bytes], bool]:
    """Tell whether events say nothing yet: those whose type does not begin so."""

    def only_opens(event: bytes) -> bool:
        value = event_json(event)
        kind = value.get("type") if isinstance(value, dict) else None
        return not isinstance(kind, str) or not kind.startswith(starts)

    return only_opens


def event_failure(event: bytes) -> Json:
    """Return what an event tells of a failure: it has an error, or is one; None, where it tells of none."""
    if b'"error"' not in event and b"event: error" not in event:
        return None
    value = event_json(event)
    if event.startswith(b"event: error"):
        # Its name says so, whatever it holds.
        return value if isinstance(value, dict) else {}
    if not isinstance(value, dict):
        return None
    return value if value.get("error") or value.get("type") == "error" else None
