"""The local engines: models that really work on this machine, behind the wire formats of the vendors.

A program of its own on loopback (`python -m deeepai.engines`); the gateway knows it only as a channel. Each family of
engines has a room with a `family` module, listed in `app.FAMILIES`; weights come as packs (`packs.PACKS`).
"""

from .models.catalogue import Entry, catalogue, tools
from .packs import PackError, install
from .server import serve

__all__ = ["Entry", "PackError", "catalogue", "install", "serve", "tools"]
