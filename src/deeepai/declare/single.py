"""Bodies that say a thing once: readers of JSON differ in which of two members with one name counts, and some take a
name in any letter case. What is judged here must be what a vendor reads.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect

from .values import Failure, Reason

_KNOWN: Final = 4096
"""Shapes of objects that are remembered as good, for each kind; clients send the same few."""
_LONG: Final = 64


class Unjudged:
    """Marks a struct whose members nobody judges, such as the messages of a chat: they may be odd."""

    __slots__ = ()


class _Name(str):
    """A member's name, so that the decoder tells of each, those that are said again too."""

    __slots__ = ()


class _Names(threading.local):
    """Decodes objects without their values, and says their members' names as they stand."""

    def __init__(self) -> None:
        self.names: list[str] = []
        """Of what was decoded last."""
        add = self.names.append

        def named(kind: type, name: str) -> str:
            add(name)
            return kind(name)

        self.object: Callable[[Any], dict[_Name, msgspec.Raw]]
        self.objects: Callable[[Any], list[dict[_Name, msgspec.Raw]]]
        self.object = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=named).decode
        self.objects = msgspec.json.Decoder(list[dict[_Name, msgspec.Raw]], dec_hook=named).decode


_reader: Final = _Names()
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_Shape = tuple[str, ...]


class _Kind:
    """What is declared of an object's members.

    Parameters
    ----------
    names : sequence of str
        Those that are declared. Where two of them differ in their writing alone, only one may be said.
    nested : mapping
        Of those that hold objects, or lists of them, what is declared of these.
    """

    __slots__ = ("_folded", "_good", "_loose", "_names", "nested")

    def __init__(self, names: Sequence[str], nested: dict[str, _Kind] | None = None, *, loose: bool = False) -> None:
        self._names = frozenset(names)
        self._folded = {name.casefold() for name in names}
        plain = {_plain(name) for name in names}
        self._loose = loose or len(plain) < len(names)
        self._good: set[_Shape] = set()
        self.nested = nested or {}

    @property
    def loose(self) -> bool:
        """Whether a name may be written with or without underscores."""
        return self._loose

    def fault(self, shape: _Shape) -> str | None:
        """Return the name that is ambiguous; None where all is well."""
        if shape in self._good:
            return None
        seen = set[str]()
        for name in shape:
            written = _plain(name) if self._loose else name
            if written in seen or (name not in self._names and name.casefold() in self._folded):
                return name
            seen.add(written)
        if len(self._good) < _KNOWN and len(shape) < _LONG and sum(map(len, shape)) < _LONG * _LONG:
            self._good.add(shape)
        return None

    def find(self, raw: Any) -> str | None:
        """Return an ambiguous name within an object, or the objects of a list; None where there is none."""
        mark = (raw if isinstance(raw, bytes) else memoryview(raw))[:1]
        if mark == b"[":
            return self._find_in_list(raw)
        if mark != b"{":
            return None
        reader = _reader
        names = reader.names
        names.clear()
        members = reader.object(raw)
        name = self.fault(tuple(names))
        return name if name is not None or not self.nested else self._find_within(members)

    def _find_in_list(self, raw: Any) -> str | None:
        _reader.names.clear()
        try:
            objects = _reader.objects(raw)
        except msgspec.ValidationError:
            # Texts among them, or nothing else.
            return next((name for each in _items(raw) if (name := self.find(each)) is not None), None)
        names = tuple(_reader.names)
        if sum(map(len, objects)) < len(names):
            # Something is said again: which it is, is seen one by one.
            return next(name for each in _items(raw) if (name := self.find(each)) is not None)
        at = 0
        for members in objects:
            name = self.fault(names[at : at + len(members)])
            if name is None and self.nested:
                name = self._find_within(members)
            if name is not None:
                return name
            at += len(members)
        return None

    def _find_within(self, members: Mapping[Any, msgspec.Raw]) -> str | None:
        for inner, kind in self.nested.items():
            value = members.get(inner)
            if value is not None and (name := kind.find(value)) is not None:
                return name
        return None


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yield what a type may be."""
    match kind:
        case inspect.Metadata():
            yield from alternatives(kind.type)
        case inspect.UnionType():
            for part in kind.types:
                yield from alternatives(part)
        case _:
            yield kind


def _kinds(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yield what a type may be, of lists what their items may."""
    for part in alternatives(kind):
        if isinstance(part, inspect.ListType):
            yield from _kinds(part.item_type)
        else:
            yield part


def _nested(kind: inspect.Type, *, loose: bool) -> _Kind | None:
    for part in _kinds(kind):
        if isinstance(part, inspect.StructType):
            return None if issubclass(part.cls, Unjudged) else _declared(part.cls)
    return _Kind((), loose=loose) if any(isinstance(part, inspect.DictType) for part in alternatives(kind)) else None


@functools.cache
def _declared(kind: type[msgspec.Struct]) -> _Kind:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    names = [field.encode_name for field in info.fields]
    loose = _Kind(names).loose
    nested = {field.encode_name: inner for field in info.fields if (inner := _nested(field.type, loose=loose))}
    return _Kind(names, nested)


def said_once(kind: type[msgspec.Struct], raw: bytes | str) -> None:
    """Refuse a JSON object that says something twice which is declared, or writes a declared name in other letters.

    Parameters
    ----------
    kind : type
        What is declared of it; objects in its members are judged as well, as far as they are declared.
    raw : bytes or str
        JSON that was decoded as that before.

    Raises
    ------
    Failure
        INVALID
    """
    try:
        name = _declared(kind).find(raw.encode() if isinstance(raw, str) else raw.lstrip())
    except (msgspec.DecodeError, RecursionError):
        raise Failure(Reason.INVALID, "The body is no object that can be read in one way alone") from None
    if name is not None:
        raise Failure(
            Reason.INVALID,
            f"The parameter '{name[:100]}' is ambiguous: say it once, as it is documented",
            param=name[:100],
        )
