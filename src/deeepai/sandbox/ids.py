"""Ids in the forms that vendors have."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid


class Ids:
    """Ids that follow from the seed and a counter, so that a run can be repeated.

    Parameters
    ----------
    seed
        The same seed gives the same ids. Without one, ids differ from run to run.
    """

    def __init__(self, seed: int | None) -> None:
        self._count = itertools.count(1)
        self._salt = str(time.time_ns() if seed is None else seed)
        self._base_ms = int(time.time() * 1000) if seed is None else 1_700_000_000_000 + seed % 10**6 * 10**5

    def hex(self, length: int = 32) -> str:
        """Return `length` (≤ 64) hexadecimal digits."""
        return hashlib.sha256(f"{self._salt}/{next(self._count)}".encode()).hexdigest()[:length]

    def uuid(self) -> str:
        """Return a UUID."""
        return str(uuid.UUID(self.hex(32), version=4))

    def digits(self, length: int = 16) -> str:
        """Return `length` (≥ 14, ≤ 32) digits: epoch milliseconds that never repeat, and some more."""
        count = next(self._count)
        more = int.from_bytes(hashlib.sha256(f"{self._salt}#{count}".encode()).digest()[:8])
        return f"{self._base_ms + count}{more % 10 ** (length - 13):0{length - 13}d}"
