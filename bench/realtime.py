"""Realtime sessions: what the gateway adds to an event, and what a session costs it: `python -m bench.realtime`.

The upstream is a WebSocket that says again what it hears, in a process of its own; so is the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from bench.contenders.deeepai import DeeepAI
from bench.process import Child, free_port

SECONDS = 4.0
IDLE = 500
ACTIVE = 32
SPOKEN = json.dumps({"type": "response.output_audio.delta", "response_id": "r", "delta": "A" * 6400})
"""100 ms of sound, as an upstream says it."""
HEARD = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(os.urandom(4800)).decode()})
"""100 ms of sound, as a caller says it."""


async def upstream(port: int) -> None:
    """Serve the upstream: sound heard is answered by sound."""

    async def session(socket: ServerConnection) -> None:
        await socket.send('{"type":"session.created","session":{}}')
        async for _ in socket:
            await socket.send(SPOKEN)

    async with serve(session, "127.0.0.1", port, compression=None):
        await asyncio.Event().wait()


@asynccontextmanager
async def opened(url: str, head: dict[str, str]) -> AsyncIterator[ClientConnection]:
    async with connect(url, additional_headers=head, compression=None, ping_interval=None, proxy=None) as socket:
        await socket.recv()
        yield socket


async def turns(socket: ClientConnection, until: float) -> list[float]:
    """Speak and be answered, one after the other; return the times, µs."""
    found: list[float] = []
    while (before := time.perf_counter()) < until:
        await socket.send(HEARD)
        await socket.recv()
        found.append((time.perf_counter() - before) * 1e6)
    return found


async def one_at_a_time(url: str, head: dict[str, str]) -> tuple[float, float]:
    """Return median and 99th percentile of a turn, µs."""
    async with opened(url, head) as socket:
        await turns(socket, time.perf_counter() + 0.5)
        found = sorted(await turns(socket, time.perf_counter() + SECONDS))
    return statistics.median(found), found[int(len(found) * 0.99)]


async def at_once(url: str, head: dict[str, str]) -> float:
    """Return events a second, both ways, of many sessions that speak as fast as they are answered."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(url, head)) for _ in range(ACTIVE)]
        until = time.perf_counter() + SECONDS
        found = await asyncio.gather(*(turns(socket, until) for socket in sockets))
    return 2 * sum(map(len, found)) / SECONDS


async def measure(port: int) -> None:
    gateway = DeeepAI()
    gateway.start(port)
    head = dict(gateway.request(stream=False).headers)
    through = f"ws://127.0.0.1:{gateway.port}/v1/realtime?model=gpt-realtime"
    direct = f"ws://127.0.0.1:{port}/v1/realtime"
    child = gateway.child
    assert child is not None
    plain, far = await one_at_a_time(direct, {}), await one_at_a_time(through, head)
    print(f"a turn of two events, direct:          p50 {plain[0]:6.0f} µs   p99 {plain[1]:6.0f} µs")
    print(f"a turn of two events, by the gateway:  p50 {far[0]:6.0f} µs   p99 {far[1]:6.0f} µs")
    print(f"added to an event:                     p50 {(far[0] - plain[0]) / 2:6.0f} µs")
    cpu, before = child.cpu_seconds(), time.perf_counter()
    rate = await at_once(through, head)
    share = (child.cpu_seconds() - cpu) / (time.perf_counter() - before)
    print(f"{ACTIVE} sessions at full speed:            {rate:6.0f} events/s, {share:.0%} of a core")
    empty = child.weight().pss
    async with AsyncExitStack() as stack:
        for _ in range(IDLE):
            await stack.enter_async_context(opened(through, head))
        full = child.weight().pss
        print(f"{IDLE} idle sessions:                    {(full - empty) / IDLE / 1024:6.1f} KiB each")
        idle = await one_at_a_time(through, head)
        print(f"a turn beside them:                    p50 {idle[0]:6.0f} µs   p99 {idle[1]:6.0f} µs")
    child.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    port = parser.parse_args().upstream
    if port is not None:
        asyncio.run(upstream(port))
        return
    port = free_port()
    child = Child("realtime-upstream", [sys.executable, "-m", "bench.realtime", "--upstream", str(port)])
    try:
        asyncio.run(measure(port))
    finally:
        child.stop()


if __name__ == "__main__":
    main()
