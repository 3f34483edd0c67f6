"""Ports that nobody else gets."""

from __future__ import annotations

import socket

_reserved: list[socket.socket] = []


def reserve_port() -> int:
    """Return a port of this machine that is kept until this process ends; nobody listens on it yet.

    Its socket is bound but does not listen: Linux gives the port to nobody who asks for any, and refuses callers.
    Whoever asks for this very port with SO_REUSEADDR, as servers do, may still bind it and listen: socket(7), ip(7).
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _reserved.append(holder)
    return holder.getsockname()[1]
