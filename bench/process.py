"""Child processes of the bench: start, await, weigh, stop.

Source of the figures: Linux's /proc (needs PSS of one's own processes only, so no root).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WORK = Path(__file__).parent / ".work"
TICKS = os.sysconf("SC_CLK_TCK")
#: Where `_stat` has the start time.
START = 19


class NotReady(Exception):
    """A child did not start, or a thing it needs is missing; the text is the reason shown in the table."""


@dataclass(frozen=True)
class Weight:
    """Memory of a process tree in bytes, `largest` the RSS of its largest process, and how many processes share it."""

    rss: int
    pss: int
    largest: int
    processes: int


class Child:
    """A started program with all its descendants; its output goes to a log file under `.work/logs`."""

    def __init__(self, name: str, command: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None):
        logs = WORK / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = logs / f"{name}.log"
        self._sink: IO[bytes] = self.log.open("wb")
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            self._sink.close()
            raise NotReady(f"{command[0]}: {error.strerror}") from error
        _running.append(self)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def tail(self, lines: int = 3) -> str:
        """Return the last lines of the log, for a reason that a person can read."""
        text = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(text[-lines:])

    def processes(self) -> list[int]:
        """Return the program and all that it started, whatever session those moved to."""
        parents: dict[int, int] = {}
        tree: set[int] = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := _stat(int(entry.name))):
                pid = int(entry.name)
                parents[pid] = int(fields[1])
                if int(fields[3]) == self._process.pid:
                    tree.add(pid)
        tree.add(self._process.pid)
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in tree} - tree
            tree |= more
            grown = bool(more)
        return sorted(pid for pid in tree if pid in parents)

    def cpu_seconds(self) -> float:
        """Return the user and system time of the tree so far."""
        return sum(
            (int(fields[11]) + int(fields[12])) / TICKS
            for pid in self.processes()
            if (fields := _stat(pid)) is not None
        )

    def weight(self) -> Weight:
        rss = pss = largest = count = 0
        for pid in self.processes():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            count += 1
            for line in text.splitlines():
                if line.startswith("Rss:"):
                    here = int(line.split()[1]) * 1024
                    rss += here
                    largest = max(largest, here)
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1]) * 1024
        return Weight(rss, pss, largest, count)

    def stop(self, grace: float = 8.0) -> None:
        """End the whole tree: a polite signal first, then, after `grace` seconds, the other one."""
        if self in _running:
            _running.remove(self)
        # A process is known by number and start time, as numbers come round again.
        tree = {(pid, fields[START]) for pid in self.processes() if (fields := _stat(pid))}
        if self.alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        for pid, started in tree:
            if (fields := _stat(pid)) and fields[START] == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._sink.close()


_running: list[Child] = []


def stop_all() -> None:
    # Each stop shortens the list.
    while _running:
        _running[-1].stop(grace=2.0)


atexit.register(stop_all)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat that follow the name (state first), None for a process that has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(child: Child, port: int, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not child.alive:
            raise NotReady(f"{child.name} ended at its start: {child.tail()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotReady(f"{child.name} does not listen after {seconds:.0f} s: {child.tail()}")


def wait_for_ok(child: Child, url: str, seconds: float = 60.0) -> None:
    """Wait until GET `url` answers 200."""
    deadline = time.monotonic() + seconds
    last = "no answer"
    while time.monotonic() < deadline:
        if not child.alive:
            raise NotReady(f"{child.name} ended at its start: {child.tail()}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as error:
            last = f"HTTP {error.code}"
        except OSError as error:
            last = str(error)
        time.sleep(0.1)
    raise NotReady(f"{child.name} is not ready after {seconds:.0f} s ({last}): {child.tail()}")


def run(command: list[str], *, seconds: float, cwd: Path | None = None) -> str:
    """Run a helper program to its end and return what it printed; any failure is `NotReady` with its last lines."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=cwd, check=False)
    except OSError as error:
        raise NotReady(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"{command[0]} took longer than {seconds:.0f} s") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotReady(f"{Path(command[0]).name} failed: {' | '.join(words[-3:])}")
    return done.stdout
