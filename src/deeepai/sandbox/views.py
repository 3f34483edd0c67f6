"""How a vendor tells of a thing, as data.

In a view a text is the path of a value in the thing, a function is asked for it, an object is a view of its own, and a
list is of such. What is None is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

Value: TypeAlias = Callable[[Any], Any]
View: TypeAlias = Mapping[str, Any]


def told(view: View | Value, thing: Any) -> Any:
    """Return what a view, or a function in the place of one, shows of a thing."""
    if callable(view):
        return view(thing)
    values = {name: _value(part, thing) for name, part in view.items()}
    return {name: value for name, value in values.items() if value is not None}


def of(path: str, view: View) -> Value:
    """Return the view of what lies at a path, of each where it is a list; nothing where there is none."""

    def show(thing: Any) -> Any:
        inner = _at(thing, path)
        if isinstance(inner, list):
            return [told(view, each) for each in inner] or None
        return None if inner is None else told(view, inner)

    return show


def just(value: Any) -> Value:
    """Return the value that is always the same."""
    return lambda thing: value


def millis(path: str) -> Value:
    """Return the value of a time as whole milliseconds."""
    return lambda thing: int(_at(thing, path) * 1000)


def moment(path: str) -> Value:
    """Return the value of a time as RFC 3339 writes it, in UTC."""
    return lambda thing: f"{datetime.fromtimestamp(_at(thing, path), UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def words(path: str) -> Value:
    """Return the value of a number as text."""
    return lambda thing: None if (number := _at(thing, path)) is None else f"{number:g}"


def flag(path: str) -> Value:
    """Return the value of what may be left out as true or false."""
    return lambda thing: bool(_at(thing, path))


def _value(part: Any, thing: Any) -> Any:
    if isinstance(part, list):
        return [_value(each, thing) for each in part]
    return _at(thing, part) if isinstance(part, str) else told(part, thing)


def _at(thing: Any, path: str) -> Any:
    for name in path.split("."):
        if thing is None:
            return None
        thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name)
    return thing
