"""Small pieces that several areas of OpenAI's format use."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from ...declare import (
    Facts,
    Request,
)

ModelName = Annotated[str, Meta(min_length=1, max_length=256, description="Model that answers")]


def model_patch(request: Request, facts: Facts) -> dict[str, Any]:
    """Name the model as the upstream does."""
    return {"model": facts.model} if facts.model != facts.requested_model else {}


def event_data(event: bytes) -> bytes:
    """Return the data of one server-sent event."""
    if event.startswith(b"data:") and event.find(b"\n") >= len(event) - 2:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)
