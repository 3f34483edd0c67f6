"""Answers as some servers write them: an object alone where their format has a list."""

from __future__ import annotations

from typing import Any


def alone(value: Any) -> Any:
    """Put each object that is the only one of a list in the list's place."""
    if isinstance(value, dict):
        return {name: alone(inner) for name, inner in value.items()}
    if isinstance(value, list):
        inner = [alone(each) for each in value]
        return inner[0] if len(inner) == 1 and isinstance(inner[0], dict) else inner
    return value
