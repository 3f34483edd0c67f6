"""Where things stand in a vendor's JSON, and the same JSON with other words in it.

A path is names with dots between them. `[]` means each item of a list or each value of an object, `[0]` the first of
them; the empty path is the whole: `data.task_id`, `result.videos[].url`, `data[0].status`, `[].id`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

from ...declare import DROP, AnyRequest, Json

_SHORTEST = 6
"""Characters of a word that is looked for within longer texts; a shorter one must be the whole text."""


@functools.cache
def _steps(path: str) -> tuple[str | int | None, ...]:
    """Return a path's steps: a name, a number in a list, or None for all of it."""
    steps: list[str | int | None] = []
    for segment in path.split(".") if path else ():
        name, *brackets = segment.split("[")
        if name:
            steps.append(name)
        for bracket in brackets:
            number = bracket.removesuffix("]")
            steps.append(int(number) if number else None)
    return tuple(steps)


def each(value: Json, path: str) -> list[Json]:
    """Return all that stands at a path; nothing stands where there is null or an empty string."""
    values: list[Json] = [value]
    for step in _steps(path):
        values = [below for item in values for below in _below(item, step)]
    return [item for item in values if item is not None and item != ""]


def get(value: Json, path: str) -> Json:
    """Return the first that stands at a path, or None."""
    return next(iter(each(value, path)), None)


def _below(value: Json, step: str | int | None) -> list[Json]:
    if isinstance(step, str):
        return [value[step]] if isinstance(value, dict) and step in value else []
    items: list[Json] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return items if step is None else items[step : step + 1]


def of_request(request: AnyRequest, path: str) -> Json:
    """Return what stands at a path of a request that begins with `body.`, `params.` or `query.`, or None."""
    value: Json = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def is_id(value: Json) -> bool:
    """Tell whether a value can be an id."""
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def put(value: Json, path: str, new: Json) -> Json:
    """Return JSON with another value wherever something stands at a path, be it null; `DROP` removes it."""
    return _put(value, _steps(path), new)


def _put(value: Json, steps: tuple[str | int | None, ...], new: Json) -> Json:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        items: dict[str, Json] = {}
        for number, (key, item) in enumerate(value.items()):
            changed = _put(item, rest, new) if step in (key, number, None) else item
            if changed is not DROP:
                items[key] = changed
        return items
    if isinstance(value, list) and not isinstance(step, str):
        changed = [_put(item, rest, new) if step in (number, None) else item for number, item in enumerate(value)]
        return [item for item in changed if item is not DROP]
    return value


def write(value: Json, path: str, new: Json) -> Json:
    """Return JSON with a value at a path of names alone, and objects on the way to it where there are none."""
    name, _, below = path.partition(".")
    if not name:
        return new
    above: Mapping[str, Json] = value if isinstance(value, dict) else {}
    return {**above, name: write(above.get(name), below, new)}


def mirror(value: Json, words: Mapping[str, str]) -> Json:
    """Return JSON with some words in the place of others, wherever they stand: values, keys, numbers, within texts.

    An identifier within a text counts where neither letters nor digits touch it.
    """
    longest_first = sorted((word for word in words if len(word) >= _SHORTEST), key=len, reverse=True)
    within = re.compile("|".join(_bounded(word) for word in longest_first)) if longest_first else None
    return _mirrored(value, words, lambda text: within.sub(lambda hit: words[hit[0]], text) if within else text)


def _bounded(word: str) -> str:
    bare = re.escape(word)
    return bare if "/" in word else rf"(?<![0-9A-Za-z]){bare}(?![0-9A-Za-z])"


def _mirrored(value: Json, words: Mapping[str, str], within: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return words[value] if value in words else within(value)
    if isinstance(value, dict):
        return {_mirrored(key, words, within): _mirrored(item, words, within) for key, item in value.items()}
    if isinstance(value, list):
        return [_mirrored(item, words, within) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and str(value) in words:
        ours = words[str(value)]
        return int(ours) if ours.isdecimal() else ours
    return value
