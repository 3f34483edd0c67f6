"""Serves the engines until told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from ..safe_fetch import Network
from .app import Engines
from .packs import default_folder

GRACE: Final = 5.0
"""Seconds that open answers have to finish at a stop."""


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    packs: Path | None = None,
    *,
    data: Path | None = None,
    allowed: Sequence[Network] = (),
    warm: bool = True,
) -> None:
    """Serve until SIGINT or SIGTERM; print `listening on http://HOST:PORT` when requests are taken.

    Parameters
    ----------
    port : int
        0 lets the system choose.
    packs : Path, optional
        The packs folder.
    data : Path, optional
        Where jobs and what they make are kept; by default a folder that is gone at the end.
    allowed : sequence of networks
        Private networks that callers may name addresses of.
    warm : bool
        Load what is installed at once, in the background, rather than at the first request.
    """
    asyncio.run(_serve(host, port, Engines(packs or default_folder(), data, allowed), warm))


async def _serve(host: str, port: int, engines: Engines, warm: bool) -> None:
    # aiohttp's own server, because it cancels the handler when the caller leaves.
    runner = web.AppRunner(
        engines.application(), handler_cancellation=True, access_log=None, shutdown_timeout=GRACE, keepalive_timeout=75
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        shown = f"[{host}]" if ":" in host else host
        print(f"listening on http://{shown}:{runner.addresses[0][1]}", flush=True)
        if warm:
            engines.warm()
        await stop.wait()
    finally:
        await runner.cleanup()
        # Off the loop: a run that has just been left ends only at its next token.
        await asyncio.to_thread(engines.close)
