"""What several of Anthropic's operations need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from ...declare import AnyRequest, Facts, Failure, Json, Reason

VERSION: Final = "2023-06-01"
LIST_QUERY: Final = ("limit", "after_id", "before_id")


def version(request: AnyRequest, facts: Facts) -> Mapping[str, str]:
    """Return the version of the API where the caller names none."""
    return {} if request.header("anthropic-version") else {"anthropic-version": VERSION}


def read_limit(request: AnyRequest) -> int:
    """Read how many things of a list are asked for.

    Raises
    ------
    Failure
        INVALID
    """
    text = request.query.get("limit", "20")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= 1000:
        raise Failure(Reason.INVALID, "must be between 1 and 1000", param="limit")
    return int(text)


def member(value: Json, *path: str) -> Json:
    """Return what lies at a path in an answer, or None."""
    for name in path:
        value = cast("dict[str, Json]", value).get(name) if isinstance(value, dict) else None
    return value
