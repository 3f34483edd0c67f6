"""Counters that processes of one machine share: each writes a file of its own and reads the others', without locks.

A process that died takes its counters along: the lock on its file is free then.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from .claims import abandoned, claim
from .ids import new_id

CELLS: Final = 4
"""Numbers under a key, 32 bits each."""

_SUFFIX: Final = ".board"
_DIGEST: Final = 16
_RECORD: Final = _DIGEST // 4 + CELLS
_FIRST: Final = 16
"""Words before the first record; word 0 counts the records."""
_MOST: Final = 1 << 20
_BYTES: Final = 4 * (_FIRST + _RECORD * _MOST)
"""Of a file, which is sparse: only what was written takes room."""
_LOOK_SECONDS: Final = 1.0
_STEP: Final = 1 << 16
"""Bytes of a file for which room is made at once: to write where there is none, through the map, ends the process."""


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_DIGEST).digest()


@dataclass(slots=True)
class _Peer:
    """Another process's file."""

    file: int
    words: memoryview
    places: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Where a key's numbers lie, for the records seen so far."""

    def place(self, digest: bytes) -> int | None:
        found = self.places.get(digest)
        if found is None and len(self.places) < self.words[0]:
            for number in range(len(self.places), self.words[0]):
                at = _FIRST + number * _RECORD
                self.places[self.words[at : at + _DIGEST // 4].tobytes()] = at + _DIGEST // 4
            found = self.places.get(digest)
        return found

    def close(self) -> None:
        self.words.release()
        os.close(self.file)


class Board:
    """This process's counters and a view of the others'.

    Parameters
    ----------
    folder : Path
        Of this machine's processes alone; made where it is missing.
    clock : callable
        Seconds, monotonic; once a second, processes that came or died are looked for.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self.name = new_id()
        self._path = folder / f"{self.name}{_SUFFIX}"
        self._file = claim(self._path, _BYTES)
        self._roomy = 0
        """Words that there is room for on the disk."""
        self.words = _mapped(self._file, mmap.PROT_READ | mmap.PROT_WRITE)
        """This process's own numbers, at the places that `own` tells."""
        self._places: dict[str, tuple[int, bytes]] = {}
        self._peers: dict[str, _Peer] = {}
        self._look_at = 0.0

    def own(self, key: str) -> int | None:
        """Return the place of a key's first number in `words`; None where there is no room for it."""
        found = self._places.get(key)
        if found is not None:
            return found[0]
        number = self.words[0]
        if number == _MOST:
            return None
        at = _FIRST + number * _RECORD
        if at + _RECORD > self._roomy and not self._make_room():
            return None
        digest = _digest(key)
        self.words[at : at + _DIGEST // 4] = memoryview(digest).cast("I")
        place = at + _DIGEST // 4
        self._places[key] = place, digest
        # Others read records only once they are counted.
        self.words[0] = number + 1
        return place

    def _make_room(self) -> bool:
        try:
            os.posix_fallocate(self._file, self._roomy * 4, _STEP)
        except OSError:
            return False
        self._roomy += _STEP // 4
        return True

    def known(self, key: str) -> int | None:
        """Return the place of a key's first number, where this process has any."""
        found = self._places.get(key)
        return None if found is None else found[0]

    def others(self, key: str) -> Iterator[tuple[memoryview, int]]:
        """Yield the other processes' numbers: the words of each, and the key's place in them."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look()
        if not self._peers:
            return
        known = self._places.get(key)
        digest = _digest(key) if known is None else known[1]
        for peer in self._peers.values():
            place = peer.place(digest)
            if place is not None:
                yield peer.words, place

    def alive(self) -> set[str]:
        """Return the names of the processes that are alive, this one's too."""
        self._look()
        return {self.name, *self._peers}

    def _look(self) -> None:
        for name, peer in list(self._peers.items()):
            if abandoned(peer.file):
                self._forget(name)
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.stem == self.name or path.stem in self._peers:
                continue
            try:
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            self._peers[path.stem] = peer = _Peer(file, _mapped(file, mmap.PROT_READ))
            if abandoned(file):
                self._forget(path.stem)

    def _forget(self, name: str) -> None:
        self._peers.pop(name).close()
        (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)

    def close(self) -> None:
        """Take this process's numbers away."""
        self._path.unlink(missing_ok=True)
        self.words.release()
        os.close(self._file)
        while self._peers:
            self._peers.popitem()[1].close()


def _mapped(file: int, protection: int) -> memoryview:
    # Words of 32 bits are written and read whole by the machines that there are.
    return memoryview(mmap.mmap(file, _BYTES, mmap.MAP_SHARED, protection)).cast("I")
