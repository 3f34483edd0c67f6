"""A caller that leaves, at each stage of a stream, in each protocol: what it had is charged, the upstream let go."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.until import PATIENCE, until


@dataclass(frozen=True)
class Stream:
    """A call that streams, with its words in the place where the protocol has them."""

    path: str
    body: str
    """JSON, with WORDS in it."""
    mark: bytes
    """What an event holds that carries text."""
    last: bytes
    """What the last event holds."""


CHAT = '{"model": "MODEL", "stream": true, "messages": [{"role": "user", "content": "WORDS"}]}'
MESSAGES = '{"model": "MODEL", "stream": true, "max_tokens": 500, "messages": [{"role": "user", "content": "WORDS"}]}'
CONTENT = '{"contents": [{"role": "user", "parts": [{"text": "WORDS"}]}]}'
STREAMS = {
    "chat": Stream("/v1/chat/completions", CHAT.replace("MODEL", "gpt-4o-mini"), b'"content":"', b"[DONE]"),
    "completions": Stream(
        "/v1/completions",
        '{"model": "gpt-3.5-turbo-instruct", "stream": true, "max_tokens": 50, "prompt": "WORDS"}',
        b'"text":"',
        b"[DONE]",
    ),
    "messages": Stream(
        "/v1/messages", MESSAGES.replace("MODEL", "claude-haiku-4-5"), b"text_delta", b'"type":"message_stop"'
    ),
    "generateContent": Stream(
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", CONTENT, b'"text":"', b'"finishReason"'
    ),
    "chat by messages": Stream(
        "/v1/chat/completions", CHAT.replace("MODEL", "claude-haiku-4-5"), b'"content":"', b"[DONE]"
    ),
    "messages by chat": Stream(
        "/v1/messages", MESSAGES.replace("MODEL", "gpt-4o-mini"), b"text_delta", b'"type":"message_stop"'
    ),
}
STAGES = ("before the answer", "after its head", "midway", "before the last event")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", STREAMS)
def test_what_came_is_charged(slow_vendors: Gateway, name: str, stage: str) -> None:
    stream = STREAMS[name]
    words = f"leave {name} {stage}"
    # Long enough for a busy machine, too; whoever leaves does not wait for it.
    trigger = "[sandbox:delta-ms=400] "
    if stage == "before the answer":
        trigger = "[sandbox:slow=60] "
    elif stage != "before the last event":
        trigger += "[sandbox:tokens=200] "
    body = stream.body.replace("WORDS", trigger + words).encode()
    with socket.create_connection(("127.0.0.1", slow_vendors.port), timeout=PATIENCE) as connection:
        head = f"POST {stream.path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {slow_vendors.live}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if stage == "before the answer":
            until(lambda: asked_of(slow_vendors, words))
        else:
            wanted = {"after its head": b"\r\n\r\n", "midway": stream.mark, "before the last event": stream.mark}[stage]
            times = {"midway": 3, "before the last event": 12}.get(stage, 1)
            seen = b""
            while seen.count(wanted) < times and stream.last not in seen:
                piece = connection.recv(65536)
                assert piece, seen
                seen += piece
            assert stream.last not in seen
    entry = until(lambda: (found := asked_of(slow_vendors, words)) and found["outcome"] != "open" and found)
    assert entry["disconnected"], "the upstream is cancelled"

    def found() -> list[dict[str, Any]]:
        return [row for row in rows(slow_vendors, "SELECT * FROM usage WHERE error = 'the caller left'") if of(row)]

    def of(row: dict[str, Any]) -> bool:
        return row["request_id"] not in SEEN

    (row,) = until(found)
    SEEN.add(row["request_id"])
    assert row["cost"] > 0
    assert json.loads(row["consumed"])["input"] > 0
    charges = rows(slow_vendors, "SELECT * FROM ledger WHERE request_id = ? AND kind = 'charge'", row["request_id"])
    assert [charge["spent"] for charge in charges] == [row["cost"]]


SEEN: set[str] = set()
"""Requests that were looked at."""
