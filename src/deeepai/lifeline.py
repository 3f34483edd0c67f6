"""Lets a process end when the one that started it ends, however that ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LOOK_SECONDS: Final = 0.5
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signum: int = signal.SIGTERM, parent: int | None = None) -> None:
    """Have this process receive `signum` when its parent is gone.

    The kernel does it on Linux (prctl(2), PR_SET_PDEATHSIG); elsewhere a thread looks. Call it in the main thread, or
    between fork and exec.

    Parameters
    ----------
    signum : int
    parent : int, optional
        The parent's process id, where it may have died before this call.
    """
    expected = os.getppid() if parent is None else parent
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        if os.getppid() != expected:
            os.kill(os.getpid(), signum)
        return
    threading.Thread(target=_look, args=(signum, expected), daemon=True, name="lifeline").start()


def _look(signum: int, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signum)
