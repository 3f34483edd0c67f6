"""Words in a request that make the sandbox misbehave on purpose.

A trigger is written `[sandbox:NAME]` or `[sandbox:NAME=VALUE]` anywhere in the body or the query, or
`NAME` / `NAME=VALUE` (several with commas) in the header `x-sandbox-trigger`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PATTERN = re.compile(rb"\[sandbox:([a-z-]+)(?:=([^\]\s\"]*))?\]")

NAMES = frozenset(
    {
        "cached",
        "cut",
        "cut-stream",
        "delta-ms",
        "duplicate-callback",
        "error-then-ok",
        "expire-url",
        "fail",
        "fail-midway",
        "fail-part",
        "late-callback",
        "moderated",
        "moderated-output",
        "never-finish",
        "no-account",
        "no-callback",
        "no-usage",
        "queue-full",
        "queued",
        "rate-limit",
        "reasoning",
        "slow",
        "stall",
        "status",
        "takes",
        "tokens",
    }
)


class UnknownTriggerError(ValueError):
    """A trigger that does not exist, or a value that is no number: most likely a slip of the pen."""


class Triggers:
    """The triggers of one request, each with a number for its value."""

    def __init__(self, values: Mapping[str, float | None]) -> None:
        self._values = dict(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self):
        return iter(self._values)

    def number(self, name: str, default: float) -> float:
        """Return the value of a trigger, or `default` if it is absent or has none."""
        value = self._values.get(name)
        return default if value is None else value

    def integer(self, name: str, default: int) -> int:
        """Return the value of a trigger as an integer."""
        return int(self.number(name, default))

    def words(self) -> list[str]:
        """Return the triggers as they are written, for logs."""
        return [name if value is None else f"{name}={value:g}" for name, value in self._values.items()]


def find(body: bytes, query: str, header: str) -> Triggers:
    """Collect the triggers of a request.

    Raises
    ------
    UnknownTriggerError
        For a name that no trigger has or a value that is not a number.
    """
    found: dict[str, float | None] = {}
    for name, value in _PATTERN.findall(body + b"\n" + query.encode()):
        _add(found, name.decode(), value.decode("utf-8", "replace"))
    for word in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = word.partition("=")
        _add(found, name, value)
    return Triggers(found)


def _add(found: dict[str, float | None], name: str, value: str) -> None:
    if name not in NAMES:
        raise UnknownTriggerError(f"unknown sandbox trigger: {name[:40]}")
    if value and not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        raise UnknownTriggerError(f"the sandbox trigger {name} takes a number")
    found[name] = float(value) if value else None
