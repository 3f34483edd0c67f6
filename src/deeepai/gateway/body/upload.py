"""Multipart bodies that pass to the upstream as they come: bounded, unpacked and checked on the way, never held.

What is wrong with a body is often known only at its end. Its last piece is kept back until then: an upstream that did
not get the whole of a body makes nothing of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ...asgi import Receive, arriving, too_large, unpacker
from ...declare import Failure, ObjectCall, Reason, whole
from .forms import FormReader, form_body
from .request import HttpRequest


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

    def __init__(self, request: HttpRequest, operation: ObjectCall[Any], receive: Receive, limit: int) -> None:
        self._request = request
        self._operation = operation
        self._receive = receive
        self._limit = min(limit, operation.max_body)
        kind = request.header("content-type")
        if kind.partition(";")[0].strip().lower() != "multipart/form-data":
            raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
        self._reader = FormReader(kind, keep=True)
        announced = whole(request.header("content-length"))
        self.length = announced if unpacker(request.headers) is None else None
        if announced is not None and announced > self._limit:
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
        async for piece in arriving(self._receive, self._request.headers, self._limit):
            self.size += len(piece)
            self._reader.feed(piece)
            if kept:
                yield kept
            kept = piece
        self._check()
        if kept:
            yield kept

    def _check(self) -> None:
        """Judge the whole."""
        self._reader.finish()
        operation = self._operation
        for name, required in operation.files.items():
            if required and name not in self._reader.files:
                raise Failure(Reason.INVALID, f"Missing required parameter: '{name}'", param=name, code="missing")
        if operation.body is not None:
            self._request.body = form_body(operation.body, self._reader.texts)
