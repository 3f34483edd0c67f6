"""Files that belong to one process for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def claim(path: Path, size: int = 0, flags: int = 0) -> int:
    """Make a file and return its descriptor; it is this process's until that is closed.

    Parameters
    ----------
    size : int
        Bytes, zero at first.
    flags : int
        For `os.open`, beyond reading and writing.
    """
    # Locked before it has the name that others look for.
    new = path.with_suffix(".new")
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    os.ftruncate(file, size)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(path)
    return file


def abandoned(file: int) -> bool:
    """Tell whether the process that claimed an open file is gone; then it is ours until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
