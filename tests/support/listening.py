"""A server of plain sockets on a thread of its own."""

from __future__ import annotations

import socket
import threading

from tests.support.until import PATIENCE


class Listening:
    """Hands each connection to `serve`; what a subclass needs there stands before it begins.

    Attributes
    ----------
    port : int
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((host, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def serve(self, connection: socket.socket) -> None:
        """Serve a connection; no other is accepted until this returns."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.serve(connection)
