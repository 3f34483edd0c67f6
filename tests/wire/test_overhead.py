"""`x-deeepai-overhead-ms` is the gateway's own share, whoever the rest of the time went to."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.operator import usage_row
from tests.stack import Gateway
from tests.support.http import call
from tests.wire import people

SLOW = 0.5
ASKED = f"[sandbox:slow={SLOW}] a fox"
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "call": ("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ASKED}]}),
    "submit": ("/v1/flux-dev", {"prompt": ASKED}),
    "translated": ("/v1/images/generations", {"model": "flux-dev", "prompt": ASKED}),
    "kept": ("/v1/images/generations", {"model": "dall-e-3", "prompt": ASKED}),
}


@pytest.mark.parametrize("name", CALLS)
def test_waiting_for_an_upstream_is_not_our_own_time(wire: Gateway, name: str) -> None:
    path, body = CALLS[name]
    started = time.perf_counter()
    got = call(wire, "POST", path, body, people.OTHER)
    took = time.perf_counter() - started
    assert got.status == 200, got.body
    assert took >= SLOW
    own = float(got.headers["x-deeepai-overhead-ms"]) / 1000
    assert 0 < own <= took - SLOW
    if name == "call":
        assert usage_row(wire, got.request_id)["overhead_us"] <= (took - SLOW) * 1e6
