"""Multipart bodies that pass to the upstream as they come: bounded, unpacked and checked on the way, never held.

What is wrong with a body is often known only at its end. Its last piece is kept back until then: an upstream that did
not get the whole of a body makes nothing of it.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header

from ..declare import Failure, Operation, Part, Reason
from .request import MAX_PARTS, HttpRequest, Receive, form_body, too_large

_BLOCK = 256 * 1024
"""Bytes unpacked at once."""
_MOST_TEXT = 256 * 1024
"""Bytes of all text parts together."""
_MOST_HEAD = 16 * 1024
"""Bytes of a part's head."""


class Upload:
    """One body on its way.

    Attributes
    ----------
    length : int or None
        Bytes to send, where they are known.
    begun : bool
        Some of it was taken: it cannot be sent again.
    size : int
        Bytes that came so far, unpacked.
    """

    def __init__(self, request: HttpRequest, operation: Operation, receive: Receive, limit: int) -> None:
        self._request = request
        self._operation = operation
        self._receive = receive
        self._limit = min(limit, operation.max_body)
        kind = request.header("content-type")
        if kind.partition(";")[0].strip().lower() != "multipart/form-data":
            raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
        _, options = parse_options_header(kind)
        boundary = options.get(b"boundary")
        if not boundary:
            raise Failure(Reason.BAD_MEDIA, "The multipart body names no boundary")
        self._parts = _Parts()
        try:
            self._parser = MultipartParser(boundary, self._parts.callbacks())  # pyright: ignore[reportArgumentType]
        except Exception as fault:
            raise Failure(Reason.INVALID, f"The multipart body cannot be read: {fault}") from None
        encoding = request.header("content-encoding").lower()
        self._engine: Any = None
        if encoding not in ("", "identity"):
            if encoding not in ("gzip", "x-gzip", "deflate"):
                message = f"Content-Encoding {encoding[:40]} is not supported; use gzip, deflate or none"
                raise Failure(Reason.BAD_MEDIA, message)
            self._engine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        told = request.header("content-length")
        self.length = int(told) if told.isdigit() and self._engine is None else None
        if told.isdigit() and int(told) > self._limit:
            raise too_large(self._limit)
        self.begun = False
        self.size = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body.

        Raises
        ------
        Failure
            TOO_LARGE or INVALID, instead of the last piece.
        """
        self.begun = True
        kept = b""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Failure(Reason.INVALID, "The request ended before its body did")
            more = bool(message.get("more_body"))
            rest: bytes = message.get("body", b"")
            while rest:
                plain, rest = self._unpacked(rest)
                if not plain:
                    continue
                self.size += len(plain)
                if self.size > self._limit:
                    raise too_large(self._limit)
                self._read(plain)
                if kept:
                    yield kept
                kept = plain
        self._check()
        if kept:
            yield kept

    def _unpacked(self, data: bytes) -> tuple[bytes, bytes]:
        if self._engine is None:
            return data, b""
        try:
            plain = self._engine.decompress(data, _BLOCK)
        except zlib.error:
            raise Failure(Reason.INVALID, "The body's compression cannot be read") from None
        return plain, self._engine.unconsumed_tail

    def _read(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except Exception as fault:
            raise Failure(Reason.INVALID, f"The multipart body cannot be read: {fault}") from None

    def _check(self) -> None:
        """Judge the whole."""
        if self._engine is not None and not self._engine.eof:
            raise Failure(Reason.INVALID, "The compressed body is cut short")
        if not self._parts.ended:
            raise Failure(Reason.INVALID, "The multipart body is cut short")
        operation = self._operation
        for name, required in operation.files.items():
            if required and name not in self._parts.files:
                raise Failure(Reason.INVALID, f"Missing required parameter: '{name}'", param=name, code="missing")
        if operation.body is not None:
            self._request.body = form_body(operation.body, self._parts.texts)


class _Parts:
    """Takes the parser's callbacks: keeps texts, and the names of files."""

    def __init__(self) -> None:
        self.texts: list[Part] = []
        self.files: set[str] = set()
        self.ended = False
        self._count = self._size = self._head = 0
        self._headers: dict[str, bytes] = {}
        self._name = self._value = b""
        self._text: bytearray | None = None
        self._part = ""

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_header_field": self._field,
            "on_header_value": self._add,
            "on_header_end": self._header,
            "on_headers_finished": self._headed,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise ValueError(f"it has more than {MAX_PARTS} parts")
        self._headers, self._head = {}, 0
        self._name = self._value = b""

    def _grown(self, size: int) -> None:
        self._head += size
        if self._head > _MOST_HEAD:
            raise ValueError("a part's head is too long")

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._name += data[start:end]

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""

    def _headed(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._text = None
            self.files.add(self._part)
        else:
            self._text = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._text is not None:
            self._size += end - start
            if self._size > _MOST_TEXT:
                raise ValueError("its text parts are too long")
            self._text += data[start:end]

    def _end(self) -> None:
        if self._text is not None:
            self.texts.append(Part(self._part, memoryview(bytes(self._text))))
            self._text = None

    def _finish(self) -> None:
        self.ended = True
