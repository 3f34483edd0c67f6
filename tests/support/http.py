"""Plain HTTP over a connection of its own, so that even a broken request can be sent."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.stack import Gateway
from tests.support.until import PATIENCE


@dataclass(frozen=True, slots=True)
class Got:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]


def call(
    gateway: Gateway,
    method: str,
    path: str,
    body: bytes | Any | None = None,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Got:
    """Send one request; a body that is not bytes goes as JSON."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("content-type", "application/json")
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    try:
        try:
            connection.request(method, path, body, sent)
        except (BrokenPipeError, ConnectionResetError):
            # The gateway may answer before it has read a body that it will not take.
            pass
        answer = connection.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def post(
    gateway: Gateway, path: str, body: bytes | Any, key: str | None = None, headers: Mapping[str, str] | None = None
) -> Got:
    """Send a POST, with the gateway's first token where no key is given."""
    return call(gateway, "POST", path, body, key or gateway.live, headers)


def begun(gateway: Gateway, path: str, body: Any) -> tuple[http.client.HTTPResponse, bytes]:
    """Return a slow stream that has begun, and its first line."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    head = {"authorization": f"Bearer {gateway.live}", "content-type": "application/json"}
    slowly = json.dumps(body).replace("test!", "test! [sandbox:delta-ms=100]")
    connection.request("POST", path, slowly, head)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer, answer.readline()


def cut(gateway: Gateway, method: str, path: str, head: Mapping[str, str], body: bytes) -> bytes:
    """Send the head and the first half of a body, then hang up; return what came back."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received
