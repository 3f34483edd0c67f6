"""Charges that are committed and not yet in the database: a node's own file beside SQLite's.

A commit of SQLite changes some ten pages of its log, an append is one write. Either survives the end of the process,
neither a loss of power, unless SQLite is told to wait for the disk; then there is no journal. What a node that died
left behind is settled by whoever comes next: settling again changes nothing.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from deeepai.money.entries import UsageRow, cleaned
from deeepai.money.leases import Lease
from deeepai.money.settlements import Item, Settlement
from deeepai.storage.claims import abandoned, claim
from deeepai.storage.ids import new_id

_FRAME: Final = struct.Struct("<II")
"""Bytes that follow, and their CRC-32."""
_SUFFIX: Final = ".charges"
_encode: Final = msgspec.msgpack.Encoder().encode


class Journal:
    """A node's journal: two files in turn, so that one can end while the other grows.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = new_id()
        self._paths = [folder / f"{name}-{turn}{_SUFFIX}" for turn in range(2)]
        self._files = [claim(path, flags=os.O_APPEND) for path in self._paths]
        self._turn = 0
        self._size = 0

    def append(self, item: Item) -> bool:
        """Commit a settlement; False where it cannot be written whole: nothing is then.

        Notes
        -----
        The bytes are the kernel's when this returns, so they outlive this process.
        """
        row = item.settlement.row
        try:
            data = _record(item, row)
        except UnicodeEncodeError:
            data = _record(item, cleaned(row))
        data = _FRAME.pack(len(data), zlib.crc32(data)) + data
        file = self._files[self._turn]
        try:
            written = os.write(file, data)
        except OSError:
            return False
        if written != len(data):
            os.ftruncate(file, self._size)
            return False
        self._size += written
        return True

    def turn(self) -> int:
        """Have what comes go to the other file; return which one ended, to be cleared when its charges are settled."""
        ended, self._turn = self._turn, 1 - self._turn
        self._size = os.fstat(self._files[self._turn]).st_size
        return ended

    def clear(self, ended: int) -> None:
        """Forget what a file holds."""
        os.ftruncate(self._files[ended], 0)

    def close(self, *, keep: bool) -> None:
        """Remove the files, or leave them to the next node where not all of their charges are settled."""
        for path, file in zip(self._paths, self._files, strict=True):
            if not keep:
                path.unlink(missing_ok=True)
            os.close(file)


def _record(item: Item, row: UsageRow) -> bytes:
    lease = item.lease
    where = None if lease is None else (lease.id, lease.token_id)
    return _encode((item.settlement.request_id, item.token_id, where, item.taken, row))


class Orphan:
    """What a node that died left in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def items(self) -> Iterator[Item]:
        """Yield the settlements, up to one that was not written whole."""
        data = self._path.read_bytes()
        at = 0
        while at + _FRAME.size <= len(data):
            size, check = _FRAME.unpack_from(data, at)
            record = data[at + _FRAME.size : at + _FRAME.size + size]
            if len(record) < size or zlib.crc32(record) != check:
                return
            yield _item(msgspec.msgpack.decode(record))
            at += _FRAME.size + size

    def remove(self) -> None:
        """Forget the file."""
        self._path.unlink(missing_ok=True)


def _item(record: Any) -> Item:
    request_id, token_id, where, taken, row = record
    found = UsageRow(**row)
    lease = None if where is None else Lease(where[0], found.account_id, where[1], 0, 0)
    return Item(Settlement(request_id, None, found.cost, found), token_id, lease, taken, repeated=False)


def orphans(folder: Path) -> Iterator[Orphan]:
    """Yield the files whose nodes are gone, each locked until the next is asked for."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            # Whoever had it before may have settled it all, and removed the file.
            if abandoned(file) and path.exists():
                yield Orphan(path)
        finally:
            os.close(file)
