"""A caller's request, as steps and declarations see it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ...asgi import Scope
from ...declare import Failure, Part, Reason
from ..routing import Route
from .spool import Spool

_LISTS = frozenset(("include",))
"""Query parameters that are lists, which some clients write by saying them again."""


class HttpRequest:
    """What steps and declarations see of a request; see `deeepai.declare.Request`."""

    __slots__ = ("_query", "body", "headers", "method", "params", "parts", "path", "raw", "scope", "spool")

    def __init__(self, scope: Scope, route: Route, params: Mapping[str, str]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params = params
        self.raw = b""
        self.body: Any = None
        self.parts: Sequence[Part] = ()
        self.spool: Spool | None = None
        """Where a large form lies; `raw` is empty then."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """By name in lower case; the last of a name counts."""
        self._query: Mapping[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters.

        Raises
        ------
        Failure
            INVALID, where one that is no list is said twice in different ways.
        """
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            pairs = parse_qsl(text, keep_blank_values=True)
            query = dict(pairs)
            if len(query) < len(pairs):
                _said_once(pairs)
            self._query = query
        return self._query

    def present(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return those of some headers that were sent, names in lower case."""
        headers = self.headers
        return [(name, headers[raw].decode("latin-1")) for name, raw in _encoded(names) if raw in headers]

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        value = self.headers.get(name.encode())
        return value.decode("latin-1") if value is not None else ""

    def blocks(self) -> Iterable[bytes]:
        """Return the body in pieces, wherever it lies."""
        return (self.raw,) if self.spool is None else self.spool.blocks()


def _said_once(pairs: Iterable[tuple[str, str]]) -> None:
    values: dict[str, str] = {}
    for name, value in pairs:
        if values.setdefault(name, value) != value and not name.endswith("[]") and name not in _LISTS:
            raise Failure(Reason.INVALID, f"The query says '{name[:100]}' twice", param=name[:100])


@functools.lru_cache(maxsize=256)
def _encoded(names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, name.encode()) for name in names)
