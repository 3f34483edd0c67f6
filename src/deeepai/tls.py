"""TLS towards callers: the operator's certificate, taken anew by the first handshake that finds its files changed."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from uvicorn.config import Config

from .http2 import ALPN

log = logging.getLogger(__name__)


class Certificate:
    """A certificate with its chain, and its key.

    Parameters
    ----------
    path, key : str or path
        Files in PEM; without a key's file it stands in the certificate's.

    Attributes
    ----------
    context : ssl.SSLContext
        For listening.

    Raises
    ------
    OSError
        They cannot be read, or do not belong together.
    """

    def __init__(self, path: str | PathLike[str], key: str | PathLike[str] | None) -> None:
        self._path, self._key = path, key
        self._stamp = self._look()
        self.context = self._load()

    def _look(self) -> list[tuple[int, int]]:
        stats = [Path(path).stat() for path in (self._path, self._key) if path]
        return [(stat.st_mtime_ns, stat.st_ino) for stat in stats]

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # A key under a password is an error: there is nobody to ask.
        context.load_cert_chain(self._path, self._key, password="")
        context.set_alpn_protocols([ALPN, "http/1.1"])
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Have a handshake, whatever host it names, go on with the present certificate."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self.context = self._load()
        except OSError as fault:
            log.warning("the certificate was changed and cannot be read; the one before stays: %s", fault)
        if context is not self.context:
            connection.context = self.context


def context_of(config: Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return what uvicorn listens with."""
    assert config.ssl_certfile is not None
    return Certificate(config.ssl_certfile, config.ssl_keyfile).context
