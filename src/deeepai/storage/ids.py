"""Ids that sort by time, and the clock that all stored times come from."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_FRESH_MS = 1000
_COUNTED = 1 << 20


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _base32(value: int, pairs: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(10 * (pairs - 1), -1, -10)])


class _Clock:
    """Makes ULIDs: 48 bits of time, 60 that are drawn anew each second, 20 that count on."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ms = self.drawn_at = 0
        self.time = self.drawn = ""
        self.count = 0

    def next(self) -> str:
        with self.lock:
            ms = time.time_ns() // 1_000_000
            self.count += 1
            if ms > self.ms:
                self.ms = ms
                self.time = _base32(ms, 5)
            if self.count == _COUNTED or ms - self.drawn_at >= _FRESH_MS:
                self._draw()
            count = self.count
            return self.time + self.drawn + _PAIRS[count >> 10] + _PAIRS[count & 1023]

    def _draw(self) -> None:
        if self.count == _COUNTED:
            # Within a millisecond, only a later time makes a new drawing sort after the last.
            self.ms += 1
            self.time = _base32(self.ms, 5)
        self.drawn_at = self.ms
        self.drawn = _base32(int.from_bytes(os.urandom(8), "big") >> 4, 6)
        self.count = 0


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


def first_id(ms: int, prefix: str = "") -> str:
    """Return the least id of a time, in ms since 1970."""
    return prefix + _base32(ms, 5) + "0" * 16
