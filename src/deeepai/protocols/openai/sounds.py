"""How long a sound is, as its container says; read within bounds, for files come from callers, and all others wait."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final, cast

from tinytag import TinyTag, TinyTagException

from ...declare import Part

_READS: Final = 4000
"""Reads that a file is worth; what takes more is measured by its size."""
_BYTES: Final = 8 * 1024 * 1024
"""Bytes that are looked at, likewise."""
_USUAL: Final = 16_000
"""Bytes of a second of speech in the usual encodings, where nothing better is known: 128 kbit/s."""
_FEWEST, _MOST = 50, 1_500_000
"""Bytes of a second of any sound: a container that says otherwise is not believed."""
_OPUS_RATE: Final = 48_000


def seconds_of(sound: Part) -> float:
    """Return how long a sound is, as its container says; by its size where that says nothing, or too little to read.

    Returns
    -------
    float
        Seconds; 0 for an empty file.
    """
    size = len(sound.data)
    found = _ogg(sound.data) if bytes(sound.data[:4]) == b"OggS" else _tagged(sound)
    return min(max(found or size / _USUAL, size / _MOST), longest(sound))


def longest(sound: Part) -> float:
    """Return the seconds that a sound of that size can last at most."""
    return len(sound.data) / _FEWEST


def _tagged(sound: Part) -> float | None:
    reader = cast("BinaryIO", _Reader(sound.data))
    try:
        return TinyTag.get(sound.filename, file_obj=reader, tags=False).duration
    except (TinyTagException, OSError, ValueError, LookupError, ArithmeticError, struct.error):
        return None


def _ogg(data: memoryview) -> float | None:
    """Read the position that the last page ends at (RFC 3533), in samples of the rate that the first packet names."""
    head = bytes(data[:256])
    rate = 0
    if (at := head.find(b"\x01vorbis")) >= 0 and at + 16 <= len(head):
        (rate,) = struct.unpack_from("<I", head, at + 12)
    elif b"OpusHead" in head:
        rate = _OPUS_RATE
    # A page is at most 65,307 bytes long.
    tail = bytes(data[-66_000:])
    last = tail.rfind(b"OggS")
    if not rate or last < 0 or last + 14 > len(tail):
        return None
    (position,) = struct.unpack_from("<q", tail, last + 6)
    return position / rate if position > 0 else None


class _Reader:
    """A file that can be read so many times."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0
        self._reads, self._bytes = _READS, _BYTES

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises
        ------
        OSError
            Enough was read.
        """
        end = len(self._data) if size < 0 else min(len(self._data), self._at + size)
        piece = self._data[self._at : end]
        self._reads -= 1
        self._bytes -= len(piece)
        if self._reads < 0 or self._bytes < 0:
            raise OSError("enough was read")
        self._at += len(piece)
        return bytes(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; behind the end there is nothing."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at
