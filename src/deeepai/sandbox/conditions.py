"""Conditions between the fields of a body, and what is wrong with one that does not fit.

An absent field and a JSON null are the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

GIVEN: Final = object()
ABSENT: Final = object()
"""In a condition: any value at all; none, an empty one, or `false`."""
Conditions: TypeAlias = Mapping[str, Any]
"""Fields, with dots within objects, and what they are: a value, a tuple or range of possible ones, GIVEN or ABSENT; or
a function that returns it, from the body."""


class FieldError(Exception):
    """What is wrong with a body: a kind of error (`missing`, `type`, or the field's own) and a message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Rule:
    """What must hold in a body that is as `when` says, and not as `unless` does."""

    then: Conditions
    when: Conditions = field(default_factory=dict[str, Any])
    unless: Conditions | None = None

    def judge(self, body: Mapping[str, Any]) -> None:
        """Raise `FieldError` for the first field that is not as it must be."""
        if not holds(self.when, body) or (self.unless is not None and holds(self.unless, body)):
            return
        for name, wanted in self.then.items():
            if not _is(body, name, wanted):
                word = "given" if wanted is GIVEN else "left out" if wanted is ABSENT else wanted
                raise FieldError(
                    "missing" if wanted is GIVEN else "value", f"{name} must be {word} with {', '.join(self.when)}"
                )


def holds(conditions: Conditions, body: Mapping[str, Any]) -> bool:
    """Tell whether a body fulfils all of some conditions."""
    return all(_is(body, name, wanted) for name, wanted in conditions.items())


def value_at(body: Any, name: str) -> Any:
    """Return a field's value, with dots within objects; None where it is left out."""
    first, _, rest = name.partition(".")
    value = body.get(first) if isinstance(body, Mapping) else None
    return value_at(value, rest) if rest else value


def total(name: str, part: str) -> Callable[[Mapping[str, Any]], str]:
    """Return the condition's value that is a sum, as text: of one field of each item in a list."""
    return lambda body: str(sum(int(item[part]) for item in body[name]))


def _is(body: Mapping[str, Any], name: str, wanted: Any) -> bool:
    value = value_at(body, name)
    if callable(wanted):
        return value == wanted(body)
    if wanted is GIVEN or wanted is ABSENT:
        return bool(value) is (wanted is GIVEN)
    return value in wanted if isinstance(wanted, tuple | range) else value == wanted
