"""A caller's request, read within limits and decoded once."""

from __future__ import annotations

import functools
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ..declare import Failure, Operation, Part, Reason
from .forms import FormReader, form_body, invalid
from .routing import Route
from .spool import KEPT, Spool

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_BLOCK = 256 * 1024
"""Bytes unpacked at once."""

_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


class HttpRequest:
    """What steps and declarations see of a request; see `deeepai.declare.Request`."""

    __slots__ = ("_query", "body", "headers", "method", "params", "parts", "path", "raw", "scope", "spool")

    def __init__(self, scope: Scope, route: Route, params: Mapping[str, str]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params = params
        self.raw = b""
        self.body: Any = None
        self.parts: Sequence[Part] = ()
        self.spool: Spool | None = None
        """Where a large form lies; `raw` is empty then."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """By name in lower case; the last of a name counts."""
        self._query: Mapping[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters; the last of a name counts."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            self._query = dict(parse_qsl(text, keep_blank_values=True))
        return self._query

    def present(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return those of some headers that were sent, names in lower case."""
        headers = self.headers
        return [(name, headers[raw].decode("latin-1")) for name, raw in _encoded(names) if raw in headers]

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        value = self.headers.get(name.encode())
        return value.decode("latin-1") if value is not None else ""

    def blocks(self) -> Iterable[bytes]:
        """Return the body in pieces, wherever it lies."""
        return (self.raw,) if self.spool is None else self.spool.blocks()


@functools.lru_cache(maxsize=256)
def _encoded(names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, name.encode()) for name in names)


async def read_body(request: HttpRequest, operation: Operation, receive: Receive, limit: int, folder: Path) -> None:
    """Read the body whole, at most `limit` bytes after decompression, and decode what is declared.

    Parameters
    ----------
    folder : Path
        Where large forms lie meanwhile.

    Raises
    ------
    Failure
        TOO_LARGE, BAD_MEDIA or INVALID.
    """
    limit = min(limit, operation.max_body)
    declared = request.headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _cut()
    kind = request.header("content-type")
    is_form = operation.media not in ("json", "none") and _media(kind) == "multipart/form-data"
    if is_form and message.get("more_body"):
        await _read_form(request, operation, arriving(request, receive, limit, message), folder)
        return
    raw: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [raw], len(raw)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _cut()
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            chunks.append(chunk)
        raw = b"".join(chunks)
    if len(raw) > limit:
        raise too_large(limit)
    if b"content-encoding" in request.headers and (engine := unpacker(request)) is not None:
        raw = _unpacked(engine, raw, limit)
    request.raw = raw
    if operation.media == "none":
        return
    if kind == "application/json" and operation.media == "json":
        if operation.body is not None:
            request.body = _json_body(operation.body, raw)
        return
    if is_form:
        reader = FormReader(kind)
        reader.feed(raw)
        _formed(request, operation, reader, memoryview(raw))
    elif operation.media == "multipart":
        raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
    else:
        media = _media(kind)
        if media and "json" not in media:
            raise Failure(Reason.BAD_MEDIA, f"The body must be application/json, not {kind[:80]}")
        if operation.body is not None:
            request.body = _json_body(operation.body, raw)


def _media(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


async def _read_form(request: HttpRequest, operation: Operation, pieces: AsyncIterator[bytes], folder: Path) -> None:
    """Read a form that comes in pieces: small ones are held, others lie on disk."""
    reader = FormReader(request.header("content-type"))
    held: list[bytes] = []
    size = 0
    spool: Spool | None = None
    async for piece in pieces:
        reader.feed(piece)
        if spool is None:
            held.append(piece)
            size += len(piece)
            if size <= KEPT:
                continue
            spool = Spool(folder)
            for one in held:
                await spool.add(one)
            held.clear()
        else:
            await spool.add(piece)
    if spool is None:
        request.raw = b"".join(held)
        _formed(request, operation, reader, memoryview(request.raw))
    else:
        await spool.flush()
        request.spool = spool
        _formed(request, operation, reader, spool.view())


def _formed(request: HttpRequest, operation: Operation, reader: FormReader, body: memoryview) -> None:
    reader.finish()
    request.parts = reader.parts(body)
    if operation.body is not None:
        request.body = form_body(operation.body, request.parts)


async def arriving(
    request: HttpRequest, receive: Receive, limit: int, message: dict[str, Any] | None = None
) -> AsyncIterator[bytes]:
    """Yield a body as it comes, unpacked, at most `limit` bytes of it.

    Parameters
    ----------
    message : dict, optional
        The first message, where it was received before.

    Raises
    ------
    Failure
        TOO_LARGE, BAD_MEDIA or INVALID, in place of what is wrong or follows it.
    """
    engine = unpacker(request)
    size = 0
    more = True
    while more:
        if message is None:
            message = await receive()
        if message["type"] == "http.disconnect":
            raise _cut()
        more = bool(message.get("more_body"))
        rest: bytes = message.get("body", b"")
        message = None
        while rest:
            plain = rest
            if engine is None:
                rest = b""
            else:
                try:
                    plain = engine.decompress(rest, _BLOCK)
                except zlib.error:
                    raise Failure(Reason.INVALID, "The body's compression cannot be read") from None
                rest = engine.unconsumed_tail
            size += len(plain)
            if size > limit:
                raise too_large(limit)
            if plain:
                yield plain
    if engine is not None and not engine.eof:
        raise Failure(Reason.INVALID, "The compressed body is cut short")


def unpacker(request: HttpRequest) -> Any:
    """Return what unpacks a request's body; None where it is not packed.

    Raises
    ------
    Failure
        BAD_MEDIA
    """
    encoding = request.header("content-encoding").lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        message = f"Content-Encoding {encoding[:40]} is not supported; use gzip, deflate or none"
        raise Failure(Reason.BAD_MEDIA, message)
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _cut() -> Failure:
    return Failure(Reason.INVALID, "The request ended before its body did")


def too_large(limit: int) -> Failure:
    """Say that a body is over the limit."""
    return Failure(Reason.TOO_LARGE, f"The body is larger than {limit} bytes")


def _unpacked(engine: Any, raw: bytes, limit: int) -> bytes:
    try:
        plain = engine.decompress(raw, limit + 1)
    except zlib.error:
        raise Failure(Reason.INVALID, "The body's compression cannot be read") from None
    if len(plain) > limit:
        raise too_large(limit)
    if not engine.eof:
        raise Failure(Reason.INVALID, "The compressed body is cut short")
    return plain


def _json_body(kind: type[msgspec.Struct], raw: bytes) -> Any:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as fault:
        raise invalid(fault) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Failure(Reason.INVALID, f"The body is not valid JSON: {fault}") from None
    except RecursionError:
        raise Failure(Reason.INVALID, "The body is nested too deeply") from None
