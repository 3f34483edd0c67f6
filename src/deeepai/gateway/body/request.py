"""A caller's request, as steps and declarations see it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ...asgi import Scope
from ...declare import Failure, Part, Reason
from ..routing import Route
from .room import COUNTED, Room
from .spool import Spool

_LISTS = frozenset(("include",))
"""Query parameters that are lists, which some clients write by saying them again."""


class HttpRequest:
    """What steps and declarations see of a request; see `deeepai.declare.Request`."""

    __slots__ = (
        "_query",
        "account",
        "body",
        "headers",
        "held",
        "large",
        "method",
        "params",
        "parts",
        "path",
        "raw",
        "room",
        "scope",
        "spool",
    )
    room: Room
    """Where memory for the body is counted; there is some as soon as it is read."""

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
        self.account = ""
        """Who takes memory for it."""
        self.held = 0
        """Bytes of memory that it takes, as far as they are counted."""
        self.large = False
        """There is so much in it that it is worked on in a thread."""
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

    def hold(self, size: int) -> None:
        """Take memory for so much in all; small bodies are not counted.

        Raises
        ------
        Failure
            As `Room.take`.
        """
        more = size - self.held
        if more > 0 and size > COUNTED:
            self.room.take(self.account, more, size)
            self.held = size

    def let_go(self) -> None:
        """Give the memory back."""
        self.room.give(self.account, self.held)
        self.held = 0

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
