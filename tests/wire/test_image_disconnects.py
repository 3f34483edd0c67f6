"""Streams of images that break off, on either side: what had begun to come is charged."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.until import PATIENCE, until

PARTIAL, DONE = b"event: image_generation.partial_image", b"event: image_generation.completed"
IMAGE = 272 * 40_000
"""Price of an image of low quality, 10⁻⁹ USD."""


def ask(slow_vendors: Gateway, prompt: str, until_seen: bytes | None) -> bytes:
    """Send an order, and read until something is seen; or else all of it."""
    order = {"model": "gpt-image-1", "prompt": prompt, "quality": "low", "stream": True, "partial_images": 2}
    body = json.dumps(order).encode()
    with socket.create_connection(("127.0.0.1", slow_vendors.port), timeout=PATIENCE) as connection:
        head = f"POST /v1/images/generations HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {slow_vendors.live}\r\n"
        head += f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        seen = b""
        while until_seen is None or until_seen not in seen:
            piece = connection.recv(65536)
            if not piece:
                assert until_seen is None, seen[-500:]
                break
            seen += piece
    return seen


def charged(slow_vendors: Gateway, words: str, outcome: str) -> dict[str, Any]:
    until(lambda: (found := asked_of(slow_vendors, words)) and found["outcome"] == outcome)
    new = until(lambda: [row for row in rows(slow_vendors, "SELECT * FROM usage") if row["request_id"] not in SEEN])
    assert len(new) == 1
    SEEN.add(new[0]["request_id"])
    charges = rows(slow_vendors, "SELECT * FROM ledger WHERE request_id = ? AND kind = 'charge'", new[0]["request_id"])
    assert [charge["spent"] for charge in charges] == ([new[0]["cost"]] if new[0]["status"] < 400 else [])
    new[0]["consumed"] = json.loads(new[0]["consumed"] or "null")
    return new[0]


SEEN: set[str] = set()
"""Requests that were looked at."""


def test_a_caller_that_leaves_pays_for_the_image_that_is_made(slow_vendors: Gateway) -> None:
    seen = ask(slow_vendors, "[sandbox:delta-ms=300] the leaving caller", PARTIAL)
    assert DONE not in seen
    row = charged(slow_vendors, "the leaving caller", "answered")
    assert row["error"] == "the caller left"
    assert row["consumed"]["images"] == 1
    assert row["consumed"]["input"] > 0
    assert row["cost"] == row["consumed"]["input"] * 5000 + IMAGE


@pytest.mark.parametrize("leaves", [False, True])
def test_an_image_that_had_begun_to_come_is_charged(slow_vendors: Gateway, *, leaves: bool) -> None:
    words = f"a cut that the caller saw: {not leaves}"
    seen = ask(slow_vendors, f"[sandbox:delta-ms=300] [sandbox:cut-stream=2] {words}", PARTIAL if leaves else None)
    assert DONE not in seen
    assert leaves or seen.count(PARTIAL) == 2
    assert leaves or b"event: error" in seen
    row = charged(slow_vendors, words, "cut")
    assert row["consumed"]["images"] == 1
    assert row["consumed"]["input"] > 0, "what the prompt counts"
    assert row["cost"] == row["consumed"]["input"] * 5000 + IMAGE
    assert row["basis"] == "counted"


def test_a_stream_that_holds_nothing_costs_nothing(slow_vendors: Gateway) -> None:
    words = "nothing at all"
    seen = ask(slow_vendors, f"[sandbox:cut-stream=0] {words}", None)
    assert seen.startswith(b"HTTP/1.1 502 ")
    assert charged(slow_vendors, words, "cut")["cost"] == 0
