"""What a worker process runs: jobs from a socket, one after another, each of which yields pieces of its answer.

`main` gets the arguments MODULE FOLDER SOCKET. Frames are a length of 4 bytes and a MessagePack map:
`{"job": n, "request": …}` or `{"stop": n}` come in, `{"job": n, "piece": …}` and at last `{"job": n, "end": …}` go out.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

_LENGTH: Final = struct.Struct(">I")
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Refusal(Exception):
    """A request that cannot be served, by the caller's fault."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code


class Engine(Protocol):
    """What a module must have as `Engine`; made with the packs folder."""

    def run(self, request: dict[str, Any]) -> Iterator[Any]:
        """Yield the pieces of one job's answer; between two of them it may be stopped."""
        ...


def frame(body: dict[str, Any]) -> bytes:
    """Return a frame."""
    encoded = _encode(body)
    return _LENGTH.pack(len(encoded)) + encoded


class _Process:
    def __init__(self, engine: Engine, line: socket.socket) -> None:
        self._engine, self._line = engine, line
        self._jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stopped = set[int]()

    def serve(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            body = self._jobs.get()
            if body["job"] not in self._stopped:
                self._work(body["job"], body["request"])
            self._stopped.discard(body["job"])

    def _listen(self) -> None:
        with self._line.makefile("rb") as file:
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                body = _decode(file.read(_LENGTH.unpack(head)[0]))
                if "stop" in body:
                    self._stopped.add(body["stop"])
                else:
                    self._jobs.put(body)
        # The program has ended: so does this, whatever it is doing.
        os._exit(0)

    def _work(self, job: int, request: dict[str, Any]) -> None:
        end: dict[str, Any] = {}
        try:
            for piece in self._engine.run(request):
                if job in self._stopped:
                    return
                self._line.sendall(frame({"job": job, "piece": piece}))
        except Refusal as error:
            end = {"refused": [error.message, error.param, error.code]}
        except OSError:
            raise
        except Exception:
            _log.exception("a job failed")
            end = {"failed": True}
        self._line.sendall(frame({"job": job, "end": end}))


def main() -> None:
    """Serve until the socket is closed."""
    module, folder, descriptor = sys.argv[1:]
    # The terminal's Ctrl-C is for the program, which closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig()
    engine = importlib.import_module(module).Engine(Path(folder))
    _Process(engine, socket.socket(fileno=int(descriptor))).serve()
