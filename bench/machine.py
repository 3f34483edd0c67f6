"""The machine the figures are of, and how much of it others took meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from pathlib import Path

from bench.process import TICKS, Child


def description() -> dict[str, str | int]:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ":")
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        system = "Linux"
    return {
        "cpu": cpu.partition(":")[2].strip(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(int(memory.split()[1]) / 2**20),
        "system": system,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


class Stopwatch:
    """CPU time of a measurement: the contender's, and what other programs and the hypervisor took from the machine."""

    def __init__(self, contender: Child | None, ours: list[Child]):
        self._contender = contender
        self._ours = [child for child in (contender, *ours) if child]
        self._started = time.monotonic()
        self._busy = _machine_seconds()
        self._own = self._own_seconds()
        self._of_contender = contender.cpu_seconds() if contender else 0.0

    def _own_seconds(self) -> float:
        total = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            total += used.ru_utime + used.ru_stime
        return total + sum(child.cpu_seconds() for child in self._ours)

    def contender_seconds(self) -> float:
        return self._contender.cpu_seconds() - self._of_contender if self._contender else 0.0

    def foreign_share(self) -> float:
        """Return which part of all cores' time went to programs that are not the bench's, 0 to 1."""
        room = (time.monotonic() - self._started) * (os.cpu_count() or 1)
        taken = (_machine_seconds() - self._busy) - (self._own_seconds() - self._own)
        return max(0.0, min(1.0, taken / room))


def _machine_seconds() -> float:
    """Return user, nice, system and stolen time of all cores; interrupt time is left out, as it is mostly our own."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 7)) / TICKS
