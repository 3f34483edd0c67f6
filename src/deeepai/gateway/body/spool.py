"""Bodies that are too large to be held: they lie in a file without a name, which ends with the request."""

from __future__ import annotations

import asyncio
import mmap
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

KEPT: Final = 1024 * 1024
"""Bytes of a body that are held."""
BLOCK: Final = 256 * 1024

Piece = bytes | memoryview | tuple[int, int]
"""Bytes, or the place of some in the spool: from, to."""


class Spool:
    """A body on disk.

    Parameters
    ----------
    folder : Path
        Where there is room for bodies; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - it ends with the request
        self._waiting: list[bytes] = []
        self._unwritten = 0
        self.size = 0

    async def add(self, piece: bytes) -> None:
        """Add a piece at the end."""
        self._waiting.append(piece)
        self._unwritten += len(piece)
        self.size += len(piece)
        if self._unwritten >= KEPT:
            await self.flush()

    async def flush(self) -> None:
        """Write what was added."""
        waiting, self._waiting, self._unwritten = self._waiting, [], 0
        if waiting:
            await asyncio.to_thread(self._write, waiting)

    def _write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) :]

    def view(self) -> memoryview:
        """Return the body, of which only what is looked at is read."""
        return memoryview(mmap.mmap(self._file.fileno(), self.size, access=mmap.ACCESS_READ))

    def blocks(self) -> Iterator[bytes]:
        """Yield the body."""
        for at in range(0, self.size, BLOCK):
            yield os.pread(self._file.fileno(), BLOCK, at)

    async def pieces(self, wanted: Sequence[Piece]) -> AsyncIterator[bytes]:
        """Yield pieces, those of the body read as they are asked for."""
        for piece in wanted:
            if not isinstance(piece, tuple):
                yield bytes(piece)
                continue
            start, end = piece
            for at in range(start, end, BLOCK):
                yield await asyncio.to_thread(os.pread, self._file.fileno(), min(BLOCK, end - at), at)
