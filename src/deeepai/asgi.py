"""What every ASGI application here does alike: read a body within limits, name what is wrong with it, answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from .declare import Failure, Reason, whole
from .unpacking import UNPACKERS, Unpacker, Unreadable

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]
"""A request's, by name in lower case; the last of a name counts."""

_BLOCK: Final = 256 * 1024
"""Bytes unpacked at once."""
_FEED: Final = 64 * 1024
"""Packed bytes that are looked at together: what is left of them is copied each time."""
LARGE: Final = 1024 * 1024
"""Bytes above which a body is worked on in a thread."""

Grow = Callable[[int], None]
"""Is told how many bytes a body takes so far; raises `Failure` where there is no room for as many."""


def bearer(value: str) -> str | None:
    """Return the key in an `Authorization` header, where its scheme is `Bearer`."""
    scheme, space, key = value.partition(" ")
    return key.strip() if space and scheme.lower() == "bearer" else None


# Bodies ------------------------------------------------------------------------------------------------------------


async def first(receive: Receive, headers: Headers, limit: int) -> dict[str, Any]:
    """Receive the message that a body begins with, unless its length is announced to be over the limit.

    Raises
    ------
    Failure
        TOO_LARGE or INVALID.
    """
    _check_announced(headers, limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise cut_short()
    return message


def _check_announced(headers: Headers, limit: int) -> None:
    announced = headers.get(b"content-length")
    if announced is not None and (whole(announced) or 0) > limit:
        raise too_large(limit)


async def read(receive: Receive, headers: Headers, limit: int, grow: Grow | None = None) -> bytes:
    """Read a body whole, at most `limit` bytes after decompression.

    Raises
    ------
    Failure
        TOO_LARGE, BAD_MEDIA or INVALID; and what `grow` raises.
    """
    _check_announced(headers, limit)
    message = await receive()
    raw: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise cut_short()
    if message.get("more_body"):
        chunks, size = [raw], len(raw)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise cut_short()
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            if grow is not None:
                grow(size)
            chunks.append(chunk)
        raw = b"".join(chunks)
    # Most bodies came in one message, and are not packed.
    if len(raw) <= limit and b"content-encoding" not in headers:
        return raw
    return await unpacked(raw, headers, limit, grow)


async def unpacked(raw: bytes, headers: Headers, limit: int, grow: Grow | None = None) -> bytes:
    """Return a body that came whole, without its compression.

    Raises
    ------
    Failure
        TOO_LARGE, BAD_MEDIA or INVALID; and what `grow` raises.
    """
    if len(raw) > limit:
        raise too_large(limit)
    engine = unpacker(headers)
    if engine is None:
        return raw
    pieces: list[bytes] = []
    size, plain = 0, _plain(engine, raw, limit)
    while True:
        # Most are small, and end with their first piece.
        piece = next(plain, None) if size < _BLOCK else await asyncio.to_thread(next, plain, None)
        if piece is None:
            break
        size += len(piece)
        if grow is not None:
            # The pieces, and soon the whole.
            grow(len(raw) + 2 * size)
        pieces.append(piece)
    if not engine.eof:
        raise _unfinished()
    return b"".join(pieces)


def _plain(engine: Unpacker, packed: bytes, limit: int) -> Iterator[bytes]:
    """Yield what packed data hold, at most `limit` bytes."""
    size = 0
    for at in range(0, len(packed), _FEED):
        data = packed[at : at + _FEED]
        while not engine.eof:
            try:
                plain = engine.unpack(data, min(_BLOCK, limit + 1 - size))
            except Unreadable:
                raise Failure(Reason.INVALID, "The body's compression cannot be read") from None
            data = b""
            size += len(plain)
            if size > limit:
                raise too_large(limit)
            if plain:
                yield plain
            if not engine.waiting:
                break


async def arriving(
    receive: Receive, headers: Headers, limit: int, message: dict[str, Any] | None = None
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
    engine = unpacker(headers)
    size = 0
    more = True
    while more:
        if message is None:
            message = await receive()
        if message["type"] == "http.disconnect":
            raise cut_short()
        more = bool(message.get("more_body"))
        body: bytes = message.get("body", b"")
        message = None
        for plain in (body,) if engine is None else _plain(engine, body, limit - size):
            size += len(plain)
            if size > limit:
                raise too_large(limit)
            if plain:
                yield plain
    if engine is not None and not engine.eof:
        raise _unfinished()


def unpacker(headers: Headers) -> Unpacker | None:
    """Return what unpacks a request's body; None where it is not packed.

    Raises
    ------
    Failure
        BAD_MEDIA
    """
    encoding = headers.get(b"content-encoding", b"").decode("latin-1").lower()
    if encoding in ("", "identity"):
        return None
    make = UNPACKERS.get(encoding)
    if make is None:
        message = f"Content-Encoding {encoding[:40]} is not supported; use gzip, deflate, br, zstd or none"
        raise Failure(Reason.BAD_MEDIA, message, headers={"accept-encoding": "gzip, deflate, br, zstd"})
    return make()


def too_large(limit: int) -> Failure:
    """Say that a body is over the limit."""
    return Failure(Reason.TOO_LARGE, f"The body is larger than {limit} bytes")


def cut_short() -> Failure:
    """Say that the caller left before the end of the body."""
    return Failure(Reason.INVALID, "The request ended before its body did")


def _unfinished() -> Failure:
    return Failure(Reason.INVALID, "The compressed body is cut short")


# Values ------------------------------------------------------------------------------------------------------------


_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def decode(kind: type[msgspec.Struct], raw: bytes) -> Any:
    """Decode a JSON body into the struct that is declared for it.

    Raises
    ------
    msgspec.ValidationError
        It is JSON, but not what the struct says; see `field_at_fault`.
    Failure
        INVALID, where it is no JSON.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Failure(Reason.INVALID, f"The body is not valid JSON: {fault}") from None
    except RecursionError:
        raise Failure(Reason.INVALID, "The body is nested too deeply") from None


_BOM: Final = b"\xef\xbb\xbf"
_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\."
)


def mended(raw: bytes) -> bytes:
    """Return a JSON text without what writers leave in by mistake and readers of other languages take.

    That is a byte order mark, and half of a surrogate pair, which is what is left where a text was cut within an emoji:
    it becomes U+FFFD, as in JavaScript and Go.
    """
    raw = raw.removeprefix(_BOM)
    return _ESCAPE.sub(_whole, raw) if b"\\ud" in raw or b"\\uD" in raw else raw


def _whole(match: re.Match[bytes]) -> bytes:
    text = match[0]
    return b"\\ufffd" if len(text) == 6 else text


def field_at_fault(fault: msgspec.ValidationError) -> tuple[str, str | None]:
    """Return what is wrong, and the field, as `messages[0].role`.

    msgspec says it as ``… - at `$.messages[0].role` ``; a missing or an unknown field it names in the sentence.
    """
    what, _, where = str(fault).partition(" - at `$")
    field = where.rstrip("`").lstrip(".") or None
    if is_missing(what) or " unknown field `" in what:
        name = what.rsplit("`", 2)[-2]
        field = f"{field}.{name}" if field else name
    return what, field


def is_missing(what: str) -> bool:
    """Tell whether what is wrong is that a field is missing."""
    return " missing required field `" in what


# Answers -----------------------------------------------------------------------------------------------------------


async def answer(
    send: Send, status: int, body: bytes, headers: Mapping[str, str], *, content_type: str = "", head: bool = False
) -> None:
    """Send a whole answer.

    Parameters
    ----------
    content_type : str
        Of the body; left out with a status that has none.
    head : bool
        The request was a HEAD: say how long the body is, and leave it out.
    """
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    if status not in (204, 304):
        if content_type:
            lines.append((b"content-type", content_type.encode("latin-1")))
        lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body})
