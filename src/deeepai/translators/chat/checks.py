"""What upstreams say in types that their formats do not have: an id that is a number is one, words are text."""

from __future__ import annotations

import math
from typing import Any

from .model import Completion, Delta, Event, Finish, Part, PartStart, Signature, Start, Text, Thinking, ToolCall


def sound(completion: Completion) -> Completion:
    """Return an answer whose values are of the types that they should be.

    Raises
    ------
    TypeError
        What is said is no text.
    """
    completion.id, completion.model = _id(completion.id), _text(completion.model)
    completion.created, completion.sequence = _seconds(completion.created), _text(completion.sequence) or None
    for part in completion.parts:
        _part(part)
    return completion


def sound_step(step: Event) -> None:
    """Do the same for a step of a stream."""
    match step:
        case Delta():
            _words(step.text)
        case PartStart():
            _part(step.part)
        case Start():
            step.id, step.model, step.created = _id(step.id), _text(step.model), _seconds(step.created)
        case Signature():
            step.value, step.id = _text(step.value), _id(step.id)
        case Finish():
            step.sequence = _text(step.sequence) or None
        case _:
            pass


def _part(part: Part) -> None:
    match part:
        case Text():
            _words(part.text)
        case Thinking():
            _words(part.text)
            part.signature, part.id = _text(part.signature), _id(part.id)
        case ToolCall():
            _words(part.name)
            part.id = _id(part.id)
        case _:
            pass


def _words(value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _id(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _seconds(value: Any) -> int | None:
    """Return a time in seconds since 1970, of this age; None of anything else."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if known and 0 < value < 2**40 else None
