"""The streaming upstream: `sse.c`, compiled and started; it chooses its port."""

from __future__ import annotations

import time

from bench.process import Child, NotReady
from bench.setup import compiled


def start_sse() -> tuple[Child, int]:
    child = Child("sse", [compiled("upstreams/sse.c")])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and child.alive:
        if text := child.log.read_text().strip():
            return child, int(text)
        time.sleep(0.01)
    raise NotReady(f"the streaming upstream does not start: {child.tail()}")
