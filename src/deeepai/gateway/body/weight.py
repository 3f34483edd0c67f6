"""What a JSON body will cost before it is decoded: a decoder makes all of it in one go, in which nothing else runs.

Time goes into values, not into bytes: a megabyte of empty lists takes longer than twenty of pictures. So what is
expensive is counted, in pieces between which other threads run, and a body with more of it than any real one has is
refused.
"""

from __future__ import annotations

import re
from typing import Final

from ...declare import Failure, Reason

MOST_VALUES: Final = 350_000
"""Values and keys in a body: what 300,000 tokens as numbers need, or twenty thousand messages with parts."""
MOST_ESCAPES: Final = 4_000_000
MOST_WIDE: Final = 12 * 1024 * 1024
"""Bytes of texts that are not all ASCII: a character in them may take four bytes, and with it every other."""
MOST_DIGITS: Final = 64 * 1024
"""Bytes of numbers with sixteen digits and more, or with three digits of an exponent: those are exact, and slow."""
FEW: Final = 5_000
"""Values that may be worked through at once."""
_STEP: Final = 64 * 1024
_NUMBER: Final = re.compile(rb"[0-9][0-9.]{15,}|[0-9][eE][-+]?0*[1-9][0-9]{2}")
_LEAST: Final = 32
"""Bytes that a slow number counts for, however short."""
_STRUCTURE: Final = b",:[{"
_REST: Final = bytes(set(range(256)) - set(_STRUCTURE))
_PER_VALUE: Final = 80
"""Bytes that a value takes when it is decoded."""


def bound(raw: bytes) -> int:
    """Return how many values a body has at most, texts being taken for values where they look so."""
    return len(raw.translate(None, _REST))


def footprint(size: int, values: int, wide: int = 0) -> int:
    """Return the bytes that a request takes: its body as it came, decoded, and as it goes out."""
    return 3 * size + 3 * wide + _PER_VALUE * values


class Scale:
    """Weighs one body.

    Attributes
    ----------
    values : int
        Values and keys, roughly.
    wide : int
        Bytes of texts that are not all ASCII.
    """

    def __init__(self) -> None:
        self.values = self.wide = 0
        self._escapes = self._digits = 0
        self._inside = False
        """A text is open."""
        self._open = 0
        """Bytes of it so far."""
        self._open_wide = False

    def weigh(self, raw: bytes) -> Scale:
        """Weigh a body.

        Raises
        ------
        Failure
            TOO_LARGE, where there is too much in it.
        """
        start, size = 0, len(raw)
        while start < size:
            end = min(start + _STEP, size)
            piece = raw[start:end]
            if piece.endswith(b"\\"):
                # What a backslash stands before belongs to it.
                backslashes = len(piece) - len(piece.rstrip(b"\\"))
                end += backslashes & 1
                piece = raw[start:end]
            self._add(piece)
            start = end
        if self._inside:
            self._close()
        return self

    def _add(self, piece: bytes) -> None:
        if b"\\" in piece:
            self._escapes += piece.count(b"\\")
            if self._escapes > MOST_ESCAPES:
                raise _too_much(f"{MOST_ESCAPES} escaped characters")
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        inside = self._inside
        self._structure(b" ".join(parts[inside::2]))
        self._inside = inside ^ (len(parts) % 2 == 0)
        if inside:
            self._text(parts[0])
            if len(parts) == 1:
                return
            self._close()
        whole = parts[1 + inside : -1 if self._inside else None : 2]
        if whole and _wide(piece):
            self.wide += sum(map(len, whole))
            self._check_wide()
        if self._inside:
            self._text(parts[-1])

    def _text(self, part: bytes) -> None:
        """Take a part of the text that is open."""
        self._open += len(part)
        self._open_wide = self._open_wide or _wide(part)

    def _close(self) -> None:
        if self._open_wide:
            self.wide += self._open
            self._check_wide()
        self._open, self._open_wide = 0, False

    def _structure(self, outside: bytes) -> None:
        self.values += len(outside.translate(None, _REST))
        if self.values > MOST_VALUES:
            raise _too_much(f"{MOST_VALUES} values")
        for number in _NUMBER.findall(outside):
            self._digits += max(_LEAST, len(number))
        if self._digits > MOST_DIGITS:
            raise _too_much(f"{MOST_DIGITS} bytes of very long numbers")

    def _check_wide(self) -> None:
        if self.wide > MOST_WIDE:
            raise _too_much(f"{MOST_WIDE} bytes of texts that are not ASCII")


def _wide(text: bytes) -> bool:
    return not text.isascii() or b"\\u" in text


def _too_much(what: str) -> Failure:
    return Failure(Reason.TOO_LARGE, f"The body holds more than {what}")
