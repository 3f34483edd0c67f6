"""The gateway's server: uvicorn, with connections of our own."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from .app import PARENT
from .http1 import Connection
from .listening import raise_file_limit
from .logs import configure, secret_names
from .protocols import PROTOCOLS
from .settings import HANDOVER, PRIVATE, Settings
from .tls import context_of
from .upstream.sockets import MOST_EVENT

_KEEP_SECONDS: Final = 75
"""Longer than the 60 s for which reverse proxies keep idle connections: whoever closes first should be the caller."""


def serve(settings: Settings, listener: str = "", standby: str = "") -> None:
    """Run the gateway until it is told to stop.

    Parameters
    ----------
    listener : str
        Number of an open file: the socket to accept connections at; by default the settings say where to listen.
    standby : str
        `STANDBY`, where it is to wait for a line on its standard input, ready to begin.
    """
    os.environ[HANDOVER] = settings.to_json()
    os.environ[PARENT] = str(os.getpid())
    os.umask(PRIVATE)
    configure(settings, *secret_names(PROTOCOLS.values()))
    raise_file_limit()
    config = uvicorn.Config(
        "deeepai.app:build",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="deeepai.listening:loop",
        http=Connection,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        ssl_context_factory=context_of if settings.tls_cert else None,
        ws="websockets-sansio",
        ws_max_size=MOST_EVENT,
        ws_per_message_deflate=False,
        interface="asgi3",
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
    if standby:
        config.load()
        if not sys.stdin.buffer.readline():
            return
    if settings.workers > 1:
        # What earlier workers left is nobody's any more.
        shutil.rmtree(settings.shared, ignore_errors=True)
    sockets = [socket.socket(fileno=int(listener))] if listener else [config.bind_socket()]
    if settings.workers > 1:
        Multiprocess(config, sockets=sockets).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)
