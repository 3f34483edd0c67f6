"""Outlives a test run, however that ends, and takes away what it leaves: processes, then the folder of temporary files.

A program of its own, which the run starts: `python caretaker.py NAME MARK FOLDER`. Its standard input ends when the run
does. Processes are told by their environment, where Linux shows it: what the run starts inherits `NAME=MARK`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

PATIENCE: Final = 20.0
"""Seconds that processes have to end by themselves, counted anew whenever one has ended."""
_PAUSE: Final = 0.05
_TRIES: Final = 100


def marked(entry: bytes) -> set[int]:
    """Return the ids of the running processes that were started with this variable."""
    pids: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                pids.add(int(folder.name))
        except OSError:
            continue  # it has ended, or is somebody else's
    return pids - {os.getpid()}


def send(number: int, pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end(entry: bytes) -> None:
    """End all processes with the mark, with SIGTERM if they heed it."""
    told: set[int] = set()
    last: set[int] = set()
    deadline = 0.0
    while running := marked(entry):
        if running != last:
            last, deadline = running, time.monotonic() + PATIENCE
        send(signal.SIGTERM, running - told)
        told |= running
        if time.monotonic() > deadline:
            send(signal.SIGKILL, running)
        time.sleep(_PAUSE)


def main(name: str, mark: str, folder: str) -> None:
    sys.stdin.buffer.read()
    end(f"{name}={mark}".encode())
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.isdir(folder):
            return
        time.sleep(_PAUSE)
    print(f"{folder} cannot be removed", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
