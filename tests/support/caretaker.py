"""Outlives a test run, however that ends, and takes away what it leaves: processes, then the folder of temporary files.

A program of its own, which the run starts: `python caretaker.py NAME FOLDER`. Its standard input ends when the run
does. It knows the processes by what Linux shows of them, proc(5): what the run starts inherits `NAME=FOLDER` in its
environment; servers that write their title over it work below the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

PATIENCE: Final = 5.0
"""Seconds that processes have to end by themselves, counted anew whenever one has ended."""
_PAUSE: Final = 0.05
_TRIES: Final = 100


def left(name: str, folder: str) -> set[int]:
    """Return the ids of the run's processes that are there still."""
    entry = f"{name}={folder}".encode()
    pids: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = os.readlink(process / "cwd") + "/"
            if place.startswith(f"{folder}/") or entry in (process / "environ").read_bytes().split(b"\0"):
                pids.add(int(process.name))
        except OSError:
            continue  # it has ended, or is somebody else's
    return pids - {os.getpid()}


def send(number: int, pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end(name: str, folder: str) -> None:
    """End the run's processes, with SIGTERM if they heed it."""
    told: set[int] = set()
    last: set[int] = set()
    deadline = 0.0
    while running := left(name, folder):
        if running != last:
            last, deadline = running, time.monotonic() + PATIENCE
        send(signal.SIGTERM, running - told)
        told |= running
        if time.monotonic() > deadline:
            send(signal.SIGKILL, running)
        time.sleep(_PAUSE)


def main(name: str, folder: str) -> None:
    sys.stdin.buffer.read()
    end(name, folder)
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.isdir(folder):
            return
        time.sleep(_PAUSE)
    print(f"{folder} cannot be removed", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
