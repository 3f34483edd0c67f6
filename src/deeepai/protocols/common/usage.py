"""Usage objects as vendors write them, read field by field: an odd value spoils neither the other fields nor the rest.

What is in order is decoded as a whole, in one pass. Only where that fails are an object's members found by their
outlines alone, so that no broken text beside them matters; then whole floats and digits in text are numbers, a fraction
of a token is cut off, and whatever else stands where a number should be is as good as absent.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec import Meta, inspect

from ...declare import Json

MOST: Final = 10**8
"""Above it, a number is no count: no model reads or writes as much for one call, whatever tools it uses."""
Count = Annotated[int, Meta(ge=0, le=MOST)] | None
"""A count of tokens; None where nothing was said."""
Amount = Annotated[float, Meta(ge=0, le=MOST)] | None
"""Seconds or units; None where nothing was said."""
UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoding raises for bytes that are not in order."""
_DEPTH: Final = 8
_DIGITS = re.compile(r"\s*[0-9]{1,15}(?:\.[0-9]{0,15})?\s*")
_KEY = re.compile(rb'[\s,]*+"((?:[^"\\]++|\\.)*+)"\s*+:\s*+', re.DOTALL)
_GAP = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(rb"[^\s,\]}]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)

StructT = TypeVar("StructT", bound=msgspec.Struct)
_Form = Callable[[Json], Any]


# Numbers -----------------------------------------------------------------------------------------------------------


def amount(value: Json) -> float | None:
    """Return a number that is not negative, which JSON may hold as text; else None."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= MOST else None


def count(value: Json) -> int | None:
    """Return a count, which JSON may hold as a float or as text; else None."""
    exact = amount(value)
    return None if exact is None else int(exact)


def within(whole: int, *parts: int | None) -> list[int]:
    """Return the parts of a count; what is above the whole, or what the others leave of it, is none."""
    found: list[int] = []
    for part in parts:
        if part is None or part > whole:
            part = 0
        found.append(part)
        whole -= part
    return found


# Outlines ----------------------------------------------------------------------------------------------------------


def _end(data: bytes, at: int) -> int:
    """Return where the value ends that begins at a place; the end of all where it is cut."""
    mark = data[at : at + 1]
    if mark == b'"':
        string = _STRING.match(data, at)
        return len(data) if string is None else string.end()
    if mark not in (b"{", b"["):
        scalar = _SCALAR.match(data, at)
        return len(data) if scalar is None else scalar.end()
    depth = 0
    for token in _BRACKET.finditer(data, at):
        sign = token[0]
        depth += 1 if sign in (b"{", b"[") else -1 if sign in (b"}", b"]") else 0
        if not depth:
            return token.end()
    return len(data)


def members(data: bytes) -> dict[str, bytes]:
    """Return the members of an object as they stand; of those with one name the last counts that is not null."""
    start = data.find(b"{")
    found: dict[str, bytes] = {}
    if start < 0 or data[:start].strip(b"\xef\xbb\xbf \t\r\n"):
        return found
    at = start + 1
    while (key := _KEY.match(data, at)) is not None:
        at = _end(data, key.end())
        value = data[key.end() : at]
        name = key[1].decode("utf-8", "replace")
        if name not in found or value != b"null":
            found[name] = value
    return found


def items(data: bytes) -> list[bytes]:
    """Return the items of an array as they stand."""
    start = data.find(b"[")
    found: list[bytes] = []
    if start < 0 or data[:start].strip(b"\xef\xbb\xbf \t\r\n"):
        return found
    at = start + 1
    while True:
        gap = _GAP.match(data, at)
        begin = at if gap is None else gap.end()
        at = _end(data, begin)
        if at <= begin:
            return found
        found.append(data[begin:at])


def lenient(data: bytes, depth: int = 0) -> Json:
    """Decode JSON; of what is not in order only the broken texts and numbers are None."""
    try:
        return msgspec.json.decode(data)
    except UNREADABLE:
        pass
    if depth < _DEPTH and data[:1] == b"{":
        return {name: lenient(value, depth + 1) for name, value in members(data).items()}
    if depth < _DEPTH and data[:1] == b"[":
        return [lenient(value, depth + 1) for value in items(data)]
    return None


def nested(data: bytes, name: str, places: Sequence[str]) -> Iterator[Json]:
    """Yield the objects of a name that lie within members of an answer, or within each item where one is a list."""
    outer = members(data)
    for place in places:
        value = outer.get(place, b"")
        for holder in items(value) if value[:1] == b"[" else (value,):
            inner = lenient(members(holder).get(name, b"null"))
            if isinstance(inner, dict):
                yield inner


# Objects -----------------------------------------------------------------------------------------------------------


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _same(value: Json) -> Json:
    return value


def _form(kind: inspect.Type) -> _Form:
    """Return what reads a value of a kind: it gives None where there is none."""
    match kind:
        case inspect.IntType():
            return count
        case inspect.FloatType():
            return amount
        case inspect.StrType():
            return _text
        case inspect.StructType():
            cls = kind.cls
            return lambda value: _fieldwise(value, cls) if isinstance(value, Mapping) else None
        case inspect.ListType():
            each = _form(kind.item_type)
            return lambda value: (
                [item for entry in cast("list[Json]", value) if (item := each(entry)) is not None]
                if isinstance(value, list)
                else None
            )
        case inspect.UnionType():
            (form,) = (_form(part) for part in kind.types if not isinstance(part, inspect.NoneType))
            return form
        case _:
            return _same


@functools.cache
def _forms(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, bool, _Form], ...]:
    """Return of each field its name, its name in JSON, whether it stays undecoded, and what reads it."""
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)
    return tuple(
        (field.name, field.encode_name, isinstance(field.type, inspect.RawType), _form(field.type))
        for field in struct.fields
    )


def _fieldwise(value: Mapping[str, Json], kind: type[StructT]) -> StructT:
    fields: dict[str, Any] = {}
    for field, name, _, form in _forms(kind):
        item = form(value.get(name))
        if item is not None:
            fields[field] = item
    return kind(**fields)


class Reader(Generic[StructT]):
    """Reads a struct out of JSON, each of whose fields has a default and may be absent.

    Parameters
    ----------
    kind : type
        Its fields are counts, amounts, texts, further such structs, lists of them, or left as they are.
    """

    __slots__ = ("_decode", "_kind")

    def __init__(self, kind: type[StructT]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, data: bytes) -> StructT:
        """Read what bytes hold; of bytes that are no object, nothing."""
        try:
            return self._decode(data)
        except UNREADABLE:
            pass
        outer = members(data)
        values: dict[str, Json] = {
            name: msgspec.Raw(outer[name]) if raw else lenient(outer[name])
            for _, name, raw, _ in _forms(self._kind)
            if name in outer
        }
        return _fieldwise(values, self._kind)

    def of(self, value: Json) -> StructT:
        """Read what was decoded already; of what is no object, nothing."""
        try:
            return msgspec.convert(value, self._kind)
        except msgspec.ValidationError:
            fields = cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else {}
            return _fieldwise(fields, self._kind)
