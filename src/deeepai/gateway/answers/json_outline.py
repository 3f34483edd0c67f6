"""What a large JSON answer says, without its bulk: kept as the answer passes, so that memory does not grow with it."""

from __future__ import annotations

LONGEST = 1024
"""Bytes of a string that is kept; longer ones become empty."""
ROW = 4096
"""Bytes of a row of numbers in one piece that are not kept."""


class Outline:
    """A JSON document without its long strings and long rows of numbers.

    A string of more than `LONGEST` bytes becomes an empty one; a long row of numbers becomes one. All else stays,
    so that what a meter reads (usage, how many images there are) is where it was.
    """

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._string: bytearray | None = None
        """The string that is open, while it is short enough."""
        self._open = False
        self._escaped = False
        self._row: int | None = None
        """Bytes that were kept of the row of numbers that is open."""
        self._dropping = False
        """It has grown too long."""

    def feed(self, data: bytes) -> None:
        """Take the document's next piece, wherever it is cut."""
        at = 0
        while at < len(data):
            quote = data.find(b'"', at)
            if not self._open:
                end = len(data) if quote < 0 else quote + 1
                if self._row is not None or data.find(b"[", at, end) >= 0:
                    self._between(data, at, end)
                else:
                    self._kept.append(data[at:end])
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

    def _between(self, data: bytes, at: int, end: int) -> None:
        """Take a part outside of strings in which rows of numbers begin, go on or end."""
        while at < end:
            if self._row is not None:
                at = self._number(data, at, end, self._row)
                continue
            start = data.find(b"[", at, end) + 1
            if not start:
                self._kept.append(data[at:end])
                return
            self._kept.append(data[at:start])
            self._row, at = 0, start

    def _number(self, data: bytes, at: int, end: int, kept: int) -> int:
        """Take what there is of an open row; return where it goes on."""
        # Whatever else than numbers stands in the row ends it, too.
        stops = [found for mark in (b"]", b"{", b"[", b'"') if (found := data.find(mark, at, end)) >= 0]
        stop = min(stops, default=end)
        if not self._dropping:
            comma = data.find(b",", at, stop) + 1
            if kept + stop - at > ROW and comma:
                # Up to a comma, so that no number is cut in two.
                self._kept.append(data[at:comma])
                self._dropping = True
            else:
                self._kept.append(data[at:stop])
                self._row = kept + stop - at
        if not stops:
            return end
        if self._dropping:
            self._kept.append(b"0" if data[stop] == 0x5D else b"0,")
        self._row, self._dropping = None, False
        return stop

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
