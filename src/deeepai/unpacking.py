"""Compressed bodies, unpacked piece by piece, so that a small body never becomes a large one unseen.

Source: RFC 9110, section 8.4; RFC 9659 for the window of zstd.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WINDOW_LOG: Final = 23
"""8 MiB: what every reader of zstd on the web must have, and the most that one has to."""


class Unreadable(ValueError):
    """It is not compressed as it says."""


class Unpacker(Protocol):
    """Unpacks one body."""

    @property
    def eof(self) -> bool:
        """Whether the end has come."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether there may be more to have without more data."""
        ...

    def unpack(self, data: bytes, most: int) -> bytes:
        """Take data, and return about `most` bytes of what they hold.

        Raises
        ------
        Unreadable
        """
        ...


class _Zlib:
    """The formats `gzip` and `deflate`; of the latter some write the data without zlib's frame."""

    def __init__(self, *, bare: bool) -> None:
        self._bare = bare
        self._engine: Any = None
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._engine is not None and self._engine.eof

    @property
    def waiting(self) -> bool:
        return self._engine is not None and bool(self._rest)

    def unpack(self, data: bytes, most: int) -> bytes:
        data = self._rest + data if self._rest else data
        if self._engine is None:
            if len(data) < 2:
                self._rest = data
                return b""
            framed = data[:2] == b"\x1f\x8b" or (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0)
            self._engine = zlib.decompressobj(-zlib.MAX_WBITS if self._bare and not framed else zlib.MAX_WBITS | 32)
        try:
            plain: bytes = self._engine.decompress(data, most)
        except zlib.error as fault:
            raise Unreadable(str(fault)) from None
        self._rest = self._engine.unconsumed_tail
        return plain


class _Brotli:
    """The format `br`."""

    def __init__(self) -> None:
        self._engine: Any = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return self._engine.is_finished()

    @property
    def waiting(self) -> bool:
        return not self._engine.can_accept_more_data()

    def unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._engine.process(data, output_buffer_limit=most)
        except brotli.error as fault:
            raise Unreadable(str(fault)) from None


class _Zstd:
    """The format `zstd`."""

    def __init__(self) -> None:
        self._engine = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def waiting(self) -> bool:
        return not (self._engine.needs_input or self._engine.eof)

    def unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._engine.decompress(data, most)
        except (zstd.ZstdError, EOFError) as fault:
            raise Unreadable(str(fault)) from None


UNPACKERS: Final[Mapping[str, Callable[[], Unpacker]]] = {
    "gzip": lambda: _Zlib(bare=False),
    "x-gzip": lambda: _Zlib(bare=False),
    "deflate": lambda: _Zlib(bare=True),
    "br": _Brotli,
    "zstd": _Zstd,
}
"""By the name in `Content-Encoding`."""
