"""Ids that sort by time, and the clock that all stored times come from."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_RANDOM = 1 << 80


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _base32(value: int, pairs: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(10 * (pairs - 1), -1, -10)])


class _Clock:
    """The last id's two halves."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ms = 0
        self.prefix = ""
        self.tail = 0

    def next(self) -> str:
        with self.lock:
            ms = time.time_ns() // 1_000_000
            self.tail += 1
            if ms > self.ms or self.tail >= _RANDOM:
                self.ms = max(ms, self.ms + 1)
                self.prefix = _base32(self.ms, 5)
                # The top bit stays free, so that counting on within a millisecond does not run over.
                self.tail = int.from_bytes(os.urandom(10), "big") >> 1
            return self.prefix + _base32(self.tail, 8)


_clock = _Clock()


def _forked() -> None:
    # A child that counted on from its parent's last id would repeat its sibling's.
    global _clock
    _clock = _Clock()


os.register_at_fork(after_in_child=_forked)


def new_id(prefix: str = "") -> str:
    """Return `prefix` and a ULID: 26 characters of Crockford's base 32, increasing within a process.

    Source: https://github.com/ulid/spec.
    """
    return prefix + _clock.next()
