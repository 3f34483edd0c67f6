"""What a large JSON answer says, without its bulk: kept as the answer passes, so that memory does not grow with it."""

from __future__ import annotations

import re

LONGEST = 1024
"""Bytes of a string that is kept; longer ones become empty."""

_NUMBERS = re.compile(rb"(?:-?[\d.eE+-]+\s*,\s*){16,}")


class Skeleton:
    """A JSON document without its long strings and long rows of numbers.

    A string of more than `LONGEST` bytes becomes an empty one; of many numbers in a row a few are left. All else stays,
    so that what a meter reads (usage, how many images there are) is where it was.
    """

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._string: bytearray | None = None
        """The string that is open, while it is short enough."""
        self._open = False
        self._escaped = False

    def feed(self, data: bytes) -> None:
        """Take the document's next piece, wherever it is cut."""
        at = 0
        while at < len(data):
            quote = data.find(b'"', at)
            if not self._open:
                end = len(data) if quote < 0 else quote + 1
                self._kept.append(_NUMBERS.sub(b"1,", data[at:end]))
                at = end
                if quote >= 0:
                    self._open, self._string, self._escaped = True, bytearray(), False
                continue
            end = len(data) if quote < 0 else quote
            self._inside(data, at, end)
            at = end
            if quote >= 0:
                at += 1
                if self._escaped:
                    self._escaped = False
                    self._add(b'"')
                else:
                    self._close()

    def _inside(self, data: bytes, start: int, end: int) -> None:
        """Take a part of the open string in which there is no quote."""
        slashes = 0
        while end - slashes > start and data[end - slashes - 1] == 0x5C:
            slashes += 1
        if slashes == end - start:
            slashes += self._escaped
        if end > start:
            self._escaped = slashes % 2 == 1
        if self._string is not None:
            self._add(data[start:end] if end - start <= LONGEST else None)

    def _add(self, piece: bytes | None) -> None:
        if self._string is None:
            return
        if piece is None or len(self._string) + len(piece) > LONGEST:
            self._string = None
        else:
            self._string += piece

    def _close(self) -> None:
        if self._string is not None:
            self._kept.append(bytes(self._string))
        self._kept.append(b'"')
        self._open, self._string = False, None

    def json(self) -> bytes:
        """Return the skeleton of what was fed."""
        return b"".join(self._kept)
