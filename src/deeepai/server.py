"""The gateway's HTTP server: uvicorn, with bounds on what a connection may keep waiting or make us keep."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import PARENT
from .logs import configure
from .settings import HANDOVER, Settings

_MOST_HEAD: Final = 64 * 1024
_LOOK_SECONDS: Final = 30.0
_KEEP_SECONDS: Final = 75
"""Longer than the 60 s for which reverse proxies keep idle connections: whoever closes first should be the caller."""


class GuardedProtocol(HttpToolsProtocol):
    """One caller's connection.

    A request whose head is over 64 KiB is refused, and so is one that stops arriving: nothing in 30 to 60 s.
    """

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self._in_head = True
        self._head_size = 0
        self._moved = False
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin to watch."""
        super().connection_made(transport)
        self._look = self.loop.call_later(_LOOK_SECONDS, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        super().connection_lost(exc)
        if self._look is not None:
            self._look.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the head is too long."""
        self._moved = True
        # Counted here: the parser tells of a header only when it is whole.
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > _MOST_HEAD and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_headers_complete(self) -> None:
        """End it."""
        self._in_head = False
        super().on_headers_complete()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _watch(self) -> None:
        """Look whether a request that is arriving still moves."""
        cycle: Any = self.cycle
        idle = cycle is not None and cycle.response_complete and not self._in_head
        arriving = self._in_head or (cycle is not None and cycle.more_body and not self.flow.read_paused)
        if arriving and not idle and not self._moved and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")
            return
        self._moved = False
        self._look = self.loop.call_later(_LOOK_SECONDS, self._watch)


def serve(settings: Settings) -> None:
    """Run the gateway until it is told to stop."""
    os.environ[HANDOVER] = settings.to_json()
    os.environ[PARENT] = str(os.getpid())
    configure(settings)
    uvicorn.run(
        "deeepai.app:build",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=_KEEP_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.grace)),
    )
