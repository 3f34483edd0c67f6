"""Requests as a server hands them to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from deeepai.asgi import Receive
from deeepai.declare import AnyOperation, Call, Protocol, Reply, Stream, Text
from deeepai.gateway.body import HttpRequest
from deeepai.gateway.routing import Route

NAME = Text("Try", "试")


def operation(**more: Any) -> Call[Any]:
    return Call(**{"name": "try", "method": "POST", "path": "/try", "summary": NAME, **more})


def stream(**more: Any) -> Stream[Any]:
    return Stream(**{"name": "try", "method": "POST", "path": "/try", "summary": NAME, **more})


def protocol(*operations: AnyOperation, **more: Any) -> Protocol:
    given: dict[str, Any] = {
        "name": "toy",
        "title": NAME,
        "operations": operations,
        "error": lambda failure, operation, request_id: Reply(
            {"error": failure.message, "why": failure.kind.word}, failure.kind.status
        ),
        "authorize": lambda credential: {"authorization": f"Bearer {credential}"},
        "base_url": "http://127.0.0.1:1",
        **more,
    }
    return Protocol(**given)


def scope(method: str, path: str, headers: Mapping[str, str] | None = None, query: str = "") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 40000),
        "scheme": "http",
    }


def request(
    given: AnyOperation,
    headers: Mapping[str, str] | None = None,
    *,
    params: Mapping[str, str] | None = None,
    query: str = "",
    path: str | None = None,
) -> HttpRequest:
    route = Route(protocol(given), given, {}, f"toy.{given.name}")
    return HttpRequest(scope(given.method, path or given.path, headers, query), route, params or {})


def receive(chunks: Iterable[bytes], *, cut: bool = False) -> Receive:
    """Hand out a body in chunks; where it is cut, the caller leaves instead of the end."""
    pieces = list(chunks) or [b""]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": cut or number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]
    left = iter(messages)

    async def next_message() -> dict[str, Any]:
        found = next(left, None)
        if found is not None:
            return found
        if not cut:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return next_message
