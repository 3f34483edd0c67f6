"""A sampling profiler that Python loads by itself when this folder is on PYTHONPATH.

Every 2 ms of CPU time the main thread's stack is noted; each second, and at the end, `$BENCH_PROFILE.PID` gets the
stacks, collapsed, one line each with its count, as flame-graph programs read them. Forked children are sampled too.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.002
_stacks: Counter[str] = Counter()
_written = 0.0


def _sample(_signal: int, frame: FrameType | None) -> None:
    global _written
    names: list[str] = []
    while frame:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).stem}:{code.co_qualname}")
        frame = frame.f_back
    _stacks[";".join(reversed(names))] += 1
    if time.monotonic() - _written > 1:
        _written = time.monotonic()
        _write()


def _write() -> None:
    if _stacks:
        lines = (f"{stack} {count}\n" for stack, count in _stacks.most_common())
        Path(f"{os.environ['BENCH_PROFILE']}.{os.getpid()}").write_text("".join(lines))


def _start() -> None:
    signal.signal(signal.SIGPROF, _sample)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def _start_later() -> None:
    """Arm the timer of a forked child once it has had time to become another program.

    The timer outlives an exec and the handler does not, so that its first tick would end that program.
    """
    _stacks.clear()
    later = threading.Timer(0.5, signal.setitimer, (signal.ITIMER_PROF, INTERVAL, INTERVAL))
    later.daemon = True
    later.start()


if "BENCH_PROFILE" in os.environ:
    _start()
    atexit.register(_write)
    os.register_at_fork(after_in_child=_start_later)
