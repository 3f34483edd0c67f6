"""Requests and links for tests of declarations alone: nothing of the gateway is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from deeepai.declare import DROP, Answer, AnyOperation, Facts, Part, Protocol, Task


@dataclass(frozen=True)
class PlainRequest:
    """A request as declarations see it."""

    path: str = "/"
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""
    parts: Sequence[Part] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def present(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(name, self.headers[name]) for name in names if name in self.headers]

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


class PlainLinks:
    """Links that say what they are of."""

    def asset(self, task: Task, number: int = 0) -> str:
        return f"https://gw/assets/{task.id}/{number}?sig=1"

    def media(self, task: Task, path: str) -> str:
        return f"https://gw{path}?sig=1"

    def at(self, path: str) -> str:
        return f"https://gw{path}"


def operation(protocol: Protocol, name: str) -> Any:
    """Find an operation by its name."""
    return next(item for item in protocol.operations if item.name == name)


def asked(
    declared: AnyOperation,
    body: Any = None,
    *,
    params: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> PlainRequest:
    """Make a request of an operation: its body read and checked as the gateway does."""
    path = declared.path
    for name, value in (params or {}).items():
        path = path.replace("{" + name + "}", value)
    raw = b"" if body is None else msgspec.json.encode(body)
    struct = None if declared.body is None else msgspec.json.decode(raw, type=declared.body)
    request = PlainRequest(path, declared.method, params or {}, query or {}, struct, raw)
    if declared.check is not None:
        declared.check(request)
    return request


def sent_on(declared: Any, body: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Return a JSON body as it leaves for a channel."""
    changes = declared.patch(asked(declared, body), facts) if declared.patch is not None else {}
    return {name: value for name, value in {**body, **changes}.items() if value is not DROP}


def answered(body: Any, status: int = 200) -> Answer:
    """An upstream's JSON answer."""
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode(body))
