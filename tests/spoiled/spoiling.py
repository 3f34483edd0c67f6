"""Ways to spoil one thing of a good answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from deeepai.declare import whole_events
from tests.spoiled.vendor import Said

Place = tuple[str | int, ...]
_MARK: Final = "@spoiled@"
CREDIBLE: Final = 10**5
"""The largest count among what follows that may be one."""
LONG: Final = "very long " * 10_000
ODDITIES: Final = (
    *("null", "true", "false", "0", "7", "-1", "3.5", str(CREDIBLE), "1000000000", "1000000000000000000"),
    *("-1000000000000", "1e300", "1e400", "NaN", "-Infinity", '""', '"x"', '"7"', '"-1"', '"NaN"', '"1e9"', '"data:,"'),
    *(r'"\ud83d"', '"raw \x01 control"', '"\xff"', json.dumps(LONG), '"https://127.0.0.1:1/nothing"'),
    *("[]", "[null]", '["x"]', "[[]]", "{}", '{"type":"x"}', '{"error":{}}', "[" * 3000 + "]" * 3000, "oops", ""),
)
"""What stands in the place of a value, as the JSON text that it is, or is not."""
HEADS: Final = (
    *({"content-type": kind} for kind in ("text/html", "application/octet-stream", "application/json", "image/png")),
    *({"content-type": kind} for kind in ("text/event-stream", "application/json; charset=utf-16", "", "///")),
    *({"content-encoding": coding} for coding in ("gzip", "br", "nothing-known")),
    {"content-type": None},
    {"retry-after": "86400"},
    {"x-request-id": "theirs"},
)
STATUSES: Final = (201, 202, 203, 204, 205, 206, 207, 226, 299)


@dataclasses.dataclass(frozen=True)
class Spoiled:
    """A spoiled answer, and what was done to it.

    Attributes
    ----------
    place : tuple
        Of the value that was replaced; empty where something else was done.
    value : str
        What stands there.
    """

    said: Said
    done: str
    place: Place = ()
    value: str = ""

    def __repr__(self) -> str:
        return f"<{self.done}>"


# JSON ---------------------------------------------------------------------------------------------------------------


def places(value: Any, at: Place = ()) -> list[Place]:
    found = [at] if at else []
    if isinstance(value, dict):
        found += [place for name, inner in value.items() for place in places(inner, (*at, name))]
    elif isinstance(value, list):
        # What many items have alike is spoiled in the first ones.
        found += [place for number, inner in enumerate(value[:4]) for place in places(inner, (*at, number))]
    return found


@st.composite
def spoiled_json(draw: st.DrawFn, text: bytes) -> tuple[bytes, str, Place, str]:
    """Spoil one place of a JSON text; return what was done, where, and what stands there now."""
    value = json.loads(text)
    ways = places(value)
    if not ways:
        return text, "nothing", (), ""
    place = draw(st.sampled_from(ways))
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    last: Any = place[-1]
    shown = "/".join(map(str, place))
    what = draw(st.sampled_from(("put", "put", "put", "put", "remove", "double")))
    if what == "remove":
        del inner[last]
        return json.dumps(value).encode(), f"remove {shown}", place, ""
    if what == "double" and isinstance(inner, list):
        inner.insert(last, inner[last])
        return json.dumps(value).encode(), f"double {shown}", place, ""
    odd = draw(st.sampled_from(ODDITIES))
    inner[last] = _MARK
    made = json.dumps(value).encode().replace(json.dumps(_MARK).encode(), odd.encode("latin-1"))
    return made, f"put {odd[:40]} at {shown}", place, odd


# Streams ------------------------------------------------------------------------------------------------------------


def _data(event: bytes) -> tuple[int, int]:
    at = event.find(b"data: ") + 6
    return at, at + len(event[at:].splitlines()[0]) if event[at:].splitlines() else at


_GARBAGE: Final = (
    *(
        b"data: {oops\n\n",
        b"data: null\n\n",
        b"data: []\n\n",
        b"data:\n\n",
        b": comment\n\n",
        b"event: x\ndata: {}\n\n",
    ),
    *(
        b"data: [DONE]\n\n",
        b'data: {"error":{"message":"fell over"}}\n\n',
        b"\n\n",
        b"<html>\n\n",
        b"data: \xff\xfe\n\n",
    ),
    *(b'data: {"choices":[]}\n\n', b"id: 1\nretry: 5\n\n", b"event: error\ndata: {}\n\n", b"data: 7\n\n"),
)


@st.composite
def spoiled_stream(draw: st.DrawFn, said: Said) -> Spoiled:
    """Spoil one event of a stream, or their order, or its end."""
    parts = whole_events(said.body)
    number = draw(st.integers(0, len(parts) - 1))
    what = draw(st.sampled_from(("field",) * 8 + ("drop", "double", "swap", "garbage", "name", "cut", "end", "spaces")))
    cut: int | None = None
    place: Place = ()
    value = ""
    done = f"{what} event {number} of {len(parts)}"
    if what == "field":
        start, end = _data(parts[number])
        try:
            json.loads(parts[number][start:end])
        except ValueError:
            what = "drop"
        else:
            made, words, place, value = draw(spoiled_json(parts[number][start:end]))
            parts[number] = parts[number][:start] + made + parts[number][end:]
            done = f"{words}, event {number} of {len(parts)}"
    if what == "drop":
        del parts[number]
    elif what == "double":
        parts.insert(number, parts[number])
    elif what == "swap" and number:
        parts[number - 1], parts[number] = parts[number], parts[number - 1]
    elif what == "garbage":
        odd = draw(st.sampled_from(_GARBAGE))
        parts.insert(number, odd)
        done += f": {odd!r}"
    elif what == "name":
        parts[number] = b"event: other\n" + parts[number][parts[number].find(b"data: ") :]
    elif what == "spaces":
        parts[number] = parts[number].replace(b"\n", b"\r\n")
    body = b"".join(parts)
    if what in ("cut", "end"):
        at = sum(map(len, parts[:number])) + draw(st.integers(0, len(parts[number]) - 1))
        done += f" at {at}"
        body, cut = (body, at) if what == "cut" else (body[:at], None)
    together = draw(st.booleans())
    sizes = [len(part) for part in parts]
    pieces = (1,) if together else tuple(sum(sizes[:count]) for count in range(1, len(sizes)))
    return Spoiled(dataclasses.replace(said, body=body, cut=cut, pieces=pieces), done, place, value)


# Whole --------------------------------------------------------------------------------------------------------------

_PAGE: Final = b"<!doctype html><title>502</title>"


@st.composite
def spoiled_whole(draw: st.DrawFn, said: Said) -> Spoiled:
    """Spoil one value of a whole answer, or its text."""
    if "json" in said.kind and draw(st.integers(0, 5)):
        made, done, place, value = draw(spoiled_json(said.body))
        return Spoiled(dataclasses.replace(said, body=made), done, place, value)
    body = said.body
    at = draw(st.integers(0, max(0, len(body) - 1)))
    what = draw(st.sampled_from(("cut", "end", "empty", "page", "twice", "more", "mark", "spaces", "null", "array")))
    if what == "cut":
        return Spoiled(dataclasses.replace(said, cut=at), f"cut at {at}")
    bodies = {
        "end": body[:at],
        "empty": b"",
        "page": _PAGE,
        "twice": body * 2,
        "more": body + b"\n}",
        "mark": b"\xef\xbb\xbf" + body,
        "spaces": b" \r\n\t" + body + b"\r\n",
        "null": b"null",
        "array": b"[" + body + b"]",
    }
    return Spoiled(dataclasses.replace(said, body=bodies[what]), f"{what} at {at}" if what == "end" else what)


@st.composite
def spoiled_head(draw: st.DrawFn, said: Said) -> Spoiled:
    """Spoil the status, or one header."""
    if not draw(st.integers(0, 3)):
        status = draw(st.sampled_from(STATUSES))
        return Spoiled(dataclasses.replace(said, status=status), f"status {status}")
    change = draw(st.sampled_from(HEADS))
    headers = {name: value for name, value in {**said.headers, **change}.items() if value is not None}
    return Spoiled(dataclasses.replace(said, headers=headers), f"header {change}")


def spoiled(said: Said) -> st.SearchStrategy[Spoiled]:
    """Spoil one thing of an answer."""
    body = spoiled_stream(said) if "event-stream" in said.kind else spoiled_whole(said)
    return st.one_of(body, body, body, body, spoiled_head(said))


def without(said: Said, names: Sequence[str]) -> Said:
    """Return an answer without its members of some names, wherever they stand."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bare(inner) for name, inner in value.items() if name not in names}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    def plain(text: bytes) -> bytes:
        try:
            return json.dumps(bare(json.loads(text))).encode()
        except ValueError:
            return text

    if "event-stream" not in said.kind:
        return dataclasses.replace(said, body=plain(said.body))
    made: list[bytes] = []
    for event in whole_events(said.body):
        start, end = _data(event)
        made.append(event[:start] + plain(event[start:end]) + event[end:])
    return dataclasses.replace(said, body=b"".join(made))
