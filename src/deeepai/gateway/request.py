"""A caller's request, read within limits and decoded once."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from python_multipart.multipart import MultipartParser, parse_options_header

from ..declare import Failure, Operation, Part, Reason
from .routing import Route

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_PARTS = 1000
"""Of a multipart body."""

_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


class HttpRequest:
    """What steps and declarations see of a request; see `deeepai.declare.Request`."""

    __slots__ = ("_query", "body", "headers", "method", "params", "parts", "path", "raw", "scope")

    def __init__(self, scope: Scope, route: Route, params: Mapping[str, str]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params = params
        self.raw = b""
        self.body: Any = None
        self.parts: Sequence[Part] = ()
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


@functools.lru_cache(maxsize=256)
def _encoded(names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, name.encode()) for name in names)


async def read_body(request: HttpRequest, operation: Operation, receive: Receive, limit: int) -> None:
    """Read the body whole, at most `limit` bytes after decompression, and decode what is declared.

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
    if b"content-encoding" in request.headers:
        encoding = request.header("content-encoding").lower()
        if encoding != "identity":
            raw = _decompress(raw, encoding, limit)
    request.raw = raw
    if operation.media == "none":
        return
    kind = request.header("content-type")
    if kind == "application/json" and operation.media == "json":
        if operation.body is not None:
            request.body = _json_body(operation.body, raw)
        return
    media = kind.partition(";")[0].strip().lower()
    if operation.media != "json" and media == "multipart/form-data":
        request.parts = parse_multipart(raw, kind)
        if operation.body is not None:
            request.body = form_body(operation.body, request.parts)
    elif operation.media == "multipart":
        raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
    else:
        if media and "json" not in media:
            raise Failure(Reason.BAD_MEDIA, f"The body must be application/json, not {kind[:80]}")
        if operation.body is not None:
            request.body = _json_body(operation.body, raw)


def _cut() -> Failure:
    return Failure(Reason.INVALID, "The request ended before its body did")


def too_large(limit: int) -> Failure:
    """Say that a body is over the limit."""
    return Failure(Reason.TOO_LARGE, f"The body is larger than {limit} bytes")


def _decompress(raw: bytes, encoding: str, limit: int) -> bytes:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Failure(Reason.BAD_MEDIA, f"Content-Encoding {encoding[:40]} is not supported; use gzip, deflate or none")
    engine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = engine.decompress(raw, limit + 1)
    except zlib.error:
        raise Failure(Reason.INVALID, f"The body is not valid {encoding}") from None
    if len(plain) > limit:
        raise too_large(limit)
    if not engine.eof:
        raise Failure(Reason.INVALID, f"The {encoding} body is cut short")
    return plain


def _json_body(kind: type[msgspec.Struct], raw: bytes) -> Any:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as fault:
        raise _invalid(fault) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Failure(Reason.INVALID, f"The body is not valid JSON: {fault}") from None
    except RecursionError:
        raise Failure(Reason.INVALID, "The body is nested too deeply") from None


def form_body(kind: type[msgspec.Struct], parts: Sequence[Part]) -> Any:
    """Read the declared struct out of a form's text parts.

    Raises
    ------
    Failure
        INVALID
    """
    fields = {part.name: part.text for part in parts if part.filename is None}
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as fault:
        raise _invalid(fault) from None


def _invalid(fault: msgspec.ValidationError) -> Failure:
    """Name the field at fault: msgspec says it as ``… - at `$.messages[0].role` ``, or names a missing one."""
    text = str(fault)
    what, _, where = text.partition(" - at `$")
    param = where.rstrip("`").lstrip(".") or None
    if "missing required field" in what:
        name = what.rsplit("`", 2)[-2]
        param = f"{param}.{name}" if param else name
        return Failure(Reason.INVALID, f"Missing required parameter: '{param}'", param=param, code="missing")
    return Failure(Reason.INVALID, f"Invalid value for '{param}': {what}" if param else what, param=param)


def parse_multipart(raw: bytes, content_type: str) -> list[Part]:
    """Split a multipart body into its parts, whose data are views into the body.

    Raises
    ------
    Failure
        INVALID, where the body is not what its content type says.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise Failure(Reason.BAD_MEDIA, "The multipart body names no boundary")
    reader = _PartReader(raw)
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # pyright: ignore[reportArgumentType]
        parser.write(raw)
        parser.finalize()
    except Exception as fault:
        raise Failure(Reason.INVALID, f"The multipart body cannot be read: {fault}") from None
    if not reader.ended:
        raise Failure(Reason.INVALID, "The multipart body is cut short")
    return reader.parts


class _PartReader:
    """Turns the parser's callbacks into parts. The whole body is one buffer, so offsets are into it."""

    def __init__(self, raw: bytes) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._view = memoryview(raw)
        self._headers: dict[str, bytes] = {}
        self._name = self._value = b""
        self._spans: list[tuple[int, int]] = []

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_header_field": self._field,
            "on_header_value": self._add_value,
            "on_header_end": self._header,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise ValueError(f"it has more than {MAX_PARTS} parts")
        self._headers, self._spans = {}, []
        self._name = self._value = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._spans and self._spans[-1][1] == start:
            self._spans[-1] = (self._spans[-1][0], end)
        else:
            self._spans.append((start, end))

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        filename = options.get(b"filename")
        kind = self._headers.get("content-type")
        # A lookalike of the boundary inside the data comes as a span of the parser's own look-behind buffer.
        if len(self._spans) == 1:
            start, end = self._spans[0]
            data = self._view[start:end]
        else:
            data = memoryview(b"".join(self._view[start:end] for start, end in self._spans))
        self.parts.append(
            Part(
                name=options.get(b"name", b"").decode("utf-8", "replace"),
                data=data,
                filename=filename.decode("utf-8", "replace") if filename is not None else None,
                content_type=kind.decode("latin-1") if kind else None,
            )
        )

    def _finish(self) -> None:
        self.ended = True
