"""What is charged of midjourney-proxy: calls, at a speed."""

from __future__ import annotations

from ...declare import Answer, Request, Usage
from .bodies import DEFAULT_MODE, CommonBody, mode


def one_call(request: Request[CommonBody]) -> Usage:
    """One call, at the speed that is asked for."""
    return Usage(calls=1, params={"mode": mode(request) or DEFAULT_MODE})


def uploaded(request: Request[CommonBody], answer: Answer) -> Usage | None:
    """One call, if the pictures were taken."""
    value = answer.json()
    return one_call(request) if isinstance(value, dict) and value.get("code") == 1 else None
