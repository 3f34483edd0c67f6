"""Requests as the gateway reads them, and fixed links, for tests of declarations."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from deeepai.declare import Answer, Facts, Protocol, Task
from deeepai.gateway.body import Intake, Room, read_body
from deeepai.gateway.body.request import HttpRequest
from deeepai.gateway.routing import Router

BOUNDARY = "x7f3"


async def sent(
    protocol: Protocol,
    method: str,
    path: str,
    json: Any = None,
    *,
    form: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    query: Mapping[str, str] | None = None,
    **headers: str,
) -> tuple[Any, HttpRequest]:
    """Route a request, read its body and check it, as the gateway does; the operation may be of any kind."""
    route, params = Router([protocol]).find(method, path)
    raw = b"" if json is None else msgspec.json.encode(json)
    if json is not None:
        headers["content_type"] = "application/json"
    if form is not None or files is not None:
        headers["content_type"] = f"multipart/form-data; boundary={BOUNDARY}"
        raw = _multipart(form or {}, files or {})
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": method, "path": path, "query_string": urlencode(query or {}).encode(), "headers": pairs}
    request = HttpRequest(scope, route, params)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw}

    intake = Intake(128 * 1024 * 1024, Path(tempfile.gettempdir()), Room(1 << 30, 1.0))
    await read_body(request, route.operation, receive, intake)
    if route.operation.check is not None:
        route.operation.check(request)
    return route.operation, request


def _multipart(form: Mapping[str, str], files: Mapping[str, bytes]) -> bytes:
    pieces = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in form.items()]
    body = "".join(pieces).encode()
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.png"\r\nContent-Type: image/png'
        body += f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def answered(body: Any, status: int = 200, **headers: str) -> Answer:
    """An upstream's answer: bytes as they are, all else as JSON."""
    kinds = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, bytes):
        return Answer(status, kinds, body)
    return Answer(status, {"content-type": "application/json", **kinds}, msgspec.json.encode(body))


def facts(origin: Task | None = None, hook_url: str | None = None, **settings: Any) -> Facts:
    return Facts(model="m", requested_model="m", origin=origin, hook_url=hook_url, reference="req_1", settings=settings)


class Fixed:
    """Links that say what they are of."""

    def asset(self, task: Task, number: int = 0) -> str:
        return f"https://gw/assets/{task.id}/{number}?sig=1"

    def media(self, task: Task, path: str) -> str:
        return f"https://gw{path}?sig=1"

    def at(self, path: str) -> str:
        return f"https://gw{path}"
