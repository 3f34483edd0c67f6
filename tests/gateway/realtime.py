"""Realtime sessions as a caller opens them, and what an operator sees of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.operator import rows
from tests.stack import Gateway
from tests.support.until import PATIENCE, until

MODEL = "gpt-realtime-2099-"
"""Priced as gpt-realtime."""
RICH, SCARCE, SCARCE_TOO, BOUND, NARROW, HIDDEN = (
    f"sk-live-{name:0<32}" for name in ("rich", "scarce", "scarce-too", "bound", "narrow", "hidden")
)
FAULTS = ("busy", "no-key", "opens-broken", "opens-in-debt", "elsewhere")
CONFIG = f"""
[[users]]
name = "rich"
password = "rich-password"
credit = 50

[[users]]
name = "scarce"
password = "scarce-password"
credit = 0.055

[[users]]
name = "scarce-too"
password = "scarce-password"
credit = 0.055

[[tokens]]
name = "rich"
key = "{RICH}"
account = "rich"

[[tokens]]
name = "scarce"
key = "{SCARCE}"
account = "scarce"

[[tokens]]
name = "scarce-too"
key = "{SCARCE_TOO}"
account = "scarce-too"

[[tokens]]
name = "bound"
key = "{BOUND}"
account = "rich"
concurrency = 1
rpm = 4

[[tokens]]
name = "narrow-realtime"
key = "{NARROW}"
account = "rich"
models = ["{MODEL}*", "whisper-1"]

[[tokens]]
name = "hidden"
key = "{HIDDEN}"
account = "rich"
ips = ["10.9.8.7"]

[[aliases]]
name = "our-voice"
target = "{MODEL}aliased"
"""


def channel(name: str, port: int, priority: int, *more: str, path: str = "") -> str:
    lines = (
        f'name = "{name}"',
        'protocol = "openai"',
        f'base_url = "http://127.0.0.1:{port}/{path or name}/v1"',
        f'credential = "sk-upstream-{name}-0000000000"',
        f"priority = {priority}",
        *more,
    )
    return "[[channels]]\n" + "\n".join(lines) + "\n\n"


def open_session(gateway: Gateway, word: str, key: str = RICH, query: str = "", **more: Any) -> ClientConnection:
    url = (
        f"{gateway.url.replace('http', 'ws')}/v1/realtime?model={word if word == 'our-voice' else MODEL + word}{query}"
    )
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return connect(url, additional_headers=headers, compression=None, max_size=2**25, **more)


def receive(session: ClientConnection) -> dict[str, Any]:
    return json.loads(session.recv(timeout=PATIENCE))


def receive_until(session: ClientConnection, kind: str) -> list[dict[str, Any]]:
    seen = [receive(session)]
    while seen[-1]["type"] != kind:
        seen.append(receive(session))
    return seen


def ends(session: ClientConnection) -> tuple[int, str]:
    try:
        while True:
            session.recv(timeout=PATIENCE)
    except ConnectionClosed:
        pass
    assert session.close_code is not None
    return session.close_code, session.close_reason or ""


def say(session: ClientConnection, kind: str, /, **fields: Any) -> None:
    session.send(json.dumps({"type": kind, **fields}))


def request_id(session: ClientConnection) -> str:
    assert session.response is not None
    return session.response.headers["x-request-id"]


def ended(gateway: Gateway, request: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The session's own row, and those of its charges; the ledger holds each once, and nothing else of it."""

    def look() -> list[dict[str, Any]] | None:
        found = rows(gateway, "SELECT * FROM usage WHERE request_id LIKE ? ORDER BY request_id", f"{request}%")
        return found if found and found[0]["request_id"] == request else None

    session, *charged = until(look)
    assert session["cost"] == 0
    entries = rows(gateway, "SELECT * FROM ledger WHERE request_id LIKE ? ORDER BY request_id", f"{request}%")
    assert [(e["request_id"], e["kind"], e["spent"]) for e in entries] == [
        (row["request_id"], "charge", row["cost"]) for row in charged if row["cost"]
    ]
    return session, charged


def refused(gateway: Gateway, word: str, key: str = RICH, **more: Any) -> tuple[int, dict[str, Any], Any]:
    with pytest.raises(InvalidStatus) as fault:
        open_session(gateway, word, key, **more)
    response = fault.value.response
    assert response.headers["x-request-id"].startswith("req_")
    return response.status_code, json.loads(response.body)["error"], response.headers
