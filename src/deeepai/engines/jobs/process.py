"""What a process of the pool runs: jobs from a socket, one after another, each by the module that it names.

`main` gets the arguments PACKS SOCKET PARENT. Frames are as in `worker.process`: `{"job", "module", "request",
"folder"}` comes in; `{"job", "progress", "told"}` and at last `{"job", "end"}` go out.
"""

from __future__ import annotations

import importlib
import logging
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ...lifeline import die_with_parent
from ..worker.process import frame
from .job import Refusal, Work

_LENGTH: Final = struct.Struct(">I")
_log = logging.getLogger(__name__)
_decode = msgspec.msgpack.Decoder().decode


def _end(body: dict[str, Any], packs: Path, line: socket.socket) -> dict[str, Any]:
    def tell(progress: int, fact: Mapping[str, Any] | None) -> None:
        line.sendall(frame({"job": body["job"], "progress": progress, "told": fact}))

    try:
        work = Work(body["request"], Path(body["folder"]), packs, tell)
        return {"result": importlib.import_module(body["module"]).run(work)}
    except Refusal as error:
        return {"code": error.code, "message": error.message}
    except MemoryError:
        return {"code": "memory", "message": "The job needs more memory than it may have."}
    except Exception:
        _log.exception("a job failed")
        return {"code": "failed", "message": "The engine failed."}


def main() -> None:
    """Serve until the socket is closed."""
    packs, descriptor, parent = sys.argv[1:]
    # At once, in the midst of a job, too: whoever wanted it has gone, and the job begins anew.
    die_with_parent(signal.SIGKILL, int(parent))
    # The terminal's Ctrl-C is for the program, which closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig()
    line = socket.socket(fileno=int(descriptor))
    with line.makefile("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            body = _decode(file.read(_LENGTH.unpack(head)[0]))
            line.sendall(frame({"job": body["job"], "end": _end(body, Path(packs), line)}))
