"""Serves the sandbox until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Literal

from aiohttp import web

from .app import Sandbox


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    speed: float = 1.0,
    seed: int | None = None,
    key: str | None = None,
    realtime: Literal["ga", "beta", "both"] = "ga",
    drafts: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; print `listening on http://HOST:PORT` when ready.

    Parameters
    ----------
    port
        0 lets the system choose.
    speed, seed, key, realtime, drafts
        As in `Sandbox`.
    """
    sandbox = Sandbox(speed=speed, seed=seed, key=key, realtime=realtime, drafts=drafts)
    asyncio.run(_serve(host, port, sandbox))


async def _serve(host: str, port: int, sandbox: Sandbox) -> None:
    # Cutting connections for real, and seeing callers leave, is the reason for aiohttp's own server.
    runner = web.AppRunner(
        sandbox.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5, keepalive_timeout=75
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=512).start()
        address = runner.addresses[0]
        print(f"listening on http://{host}:{address[1]}", flush=True)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()
