"""A caller's request, read within limits and decoded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from ... import asgi
from ...asgi import Receive
from ...declare import AnyOperation, Failure, Part, Reason, said_once
from ..base_urls import MODEL_IN_PATH
from . import forms
from .forms import FormReader, form_body, invalid
from .request import HttpRequest
from .room import COUNTED, Room
from .spool import KEPT, Spool
from .weight import FEW, Scale, bound, footprint

_decode_top = msgspec.json.Decoder(dict[str, msgspec.Raw])
WINDOW: Final = 16 * 1024 * 1024
"""Bytes that unpacking a form or an upload may take, by its format, as long as that comes."""
_FIELDS: Final = "application/x-www-form-urlencoded"
__all__ = ["WINDOW", "HttpRequest", "Intake", "Room", "decode_again", "read_body"]


@dataclass(slots=True)
class Intake:
    """How bodies are read.

    Attributes
    ----------
    limit : int
        Bytes of a body, after decompression.
    folder : Path
        Where large forms lie meanwhile.
    room : Room
        The memory that there is.
    lane : Lock
        Held by the one large body that is decoded, or made ready for a channel.
    """

    limit: int
    folder: Path
    room: Room
    lane: asyncio.Lock = field(default_factory=asyncio.Lock)


async def read_body(request: HttpRequest, operation: AnyOperation, receive: Receive, intake: Intake) -> None:
    """Read the body whole, within limits, and decode what is declared.

    Raises
    ------
    Failure
        TOO_LARGE, BAD_MEDIA or INVALID; RATE_LIMITED or UNAVAILABLE, where there is no room for it.
    """
    limit = min(intake.limit, operation.max_body)
    kind = request.headers.get(b"content-type", b"")
    request.room = intake.room
    if operation.media not in ("json", "none"):
        # What holds files may take long, however small they are: a mask is drawn anew.
        request.large = True
        if _media(kind) == "multipart/form-data":
            await _read_form(request, operation, receive, limit, intake.folder)
            return
        if operation.media == "form" or (operation.media == "any" and _media(kind) == _FIELDS):
            await _read_fields(request, operation, receive, limit)
            return
    request.raw = await asgi.read(receive, request.headers, limit, request.hold)
    if operation.media == "none":
        return
    if operation.media == "multipart":
        raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
    if kind != b"application/json":
        media = _media(kind)
        if media and "json" not in media:
            raise Failure(Reason.BAD_MEDIA, f"The body must be application/json, not {kind[:80].decode('latin-1')}")
    if len(request.raw) <= COUNTED:
        # As most are.
        _decode(request, operation)
    else:
        await decode_again(request, operation, intake)


async def decode_again(request: HttpRequest, operation: AnyOperation, intake: Intake) -> None:
    """Decode a body that the gateway has put together anew.

    Raises
    ------
    Failure
        As `read_body`.
    """
    if len(request.raw) <= COUNTED or not await _read_large(request, operation, intake):
        _decode(request, operation)


async def _read_large(request: HttpRequest, operation: AnyOperation, intake: Intake) -> bool:
    """Weigh a body that is not small; decode it, if there is much in it."""
    size = len(request.raw)
    if size <= asgi.LARGE:
        values = bound(request.raw)
        request.hold(footprint(size, values))
        if values <= FEW:
            return False
    request.large = True
    # One at a time: two that are decoded would each hold up the loop.
    async with intake.lane:
        scale = await asyncio.to_thread(Scale().weigh, request.raw)
        request.hold(footprint(size, scale.values, scale.wide))
        await asyncio.to_thread(_decode, request, operation)
    return True


def _decode(request: HttpRequest, operation: AnyOperation) -> None:
    named = request.params.get(MODEL_IN_PATH)
    if named is not None:
        request.raw = _naming_model(request.raw, named)
    if operation.body is not None:
        try:
            request.body = _decoded(operation.body, request)
        except msgspec.ValidationError as fault:
            raise invalid(fault) from None
        said_once(operation.body, request.raw)


def _naming_model(raw: bytes, model: str) -> bytes:
    """Return a JSON body that names the model, where its path does and itself it does not."""
    try:
        fields = _decode_top.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw
    return raw if "model" in fields else msgspec.json.encode({"model": model, **fields})


def _decoded(kind: type[msgspec.Struct], request: HttpRequest) -> Any:
    try:
        return asgi.decode(kind, request.raw)
    except Failure:
        # What goes on to the upstream is mended, too.
        mended = asgi.mended(request.raw)
        if mended == request.raw:
            raise
        request.raw = mended
        return asgi.decode(kind, mended)


def _media(kind: bytes) -> str:
    return kind.decode("latin-1").partition(";")[0].strip().lower()


async def _read_form(request: HttpRequest, operation: AnyOperation, receive: Receive, limit: int, folder: Path) -> None:
    """Read a form: one that is small is held, another lies on disk."""
    if b"content-encoding" in request.headers:
        request.hold(WINDOW)
    message = await asgi.first(receive, request.headers, limit)
    reader = FormReader(request.header("content-type"))
    if message.get("more_body"):
        body = await _gather(request, reader, asgi.arriving(receive, request.headers, limit, message), folder)
    else:
        request.raw = await asgi.unpacked(message.get("body", b""), request.headers, limit, request.hold)
        reader.feed(request.raw)
        body = memoryview(request.raw)
    reader.finish()
    request.parts = reader.parts(body)
    named = request.params.get(MODEL_IN_PATH)
    if named is not None and not any(part.name == "model" for part in request.parts):
        request.parts = [*request.parts, Part("model", memoryview(named.encode()))]
    if operation.body is not None:
        forms.said_once(operation.body, request.parts)
        request.body = form_body(operation.body, request.parts)


async def _read_fields(request: HttpRequest, operation: AnyOperation, receive: Receive, limit: int) -> None:
    """Read a URL-encoded form: it holds texts alone.

    Source: the URL standard, "application/x-www-form-urlencoded".
    """
    if _media(request.headers.get(b"content-type", b"")) != _FIELDS:
        raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data or application/x-www-form-urlencoded")
    request.raw = await asgi.read(receive, request.headers, limit, request.hold)
    try:
        pairs = parse_qsl(request.raw.decode(), keep_blank_values=True, max_num_fields=FEW, errors="strict")
    except ValueError:
        raise Failure(Reason.INVALID, "The body is no URL-encoded form in UTF-8") from None
    request.parts = [Part(name, memoryview(value.encode())) for name, value in pairs]
    if operation.body is not None:
        forms.said_once(operation.body, request.parts)
        request.body = form_body(operation.body, request.parts)


async def _gather(request: HttpRequest, reader: FormReader, pieces: AsyncIterator[bytes], folder: Path) -> memoryview:
    """Read the pieces of a form and put them together, in memory or on disk."""
    held: list[bytes] = []
    size = 0
    spool: Spool | None = None
    async for piece in pieces:
        reader.feed(piece)
        if spool is None:
            held.append(piece)
            size += len(piece)
            request.hold(size)
            if size <= KEPT:
                continue
            spool = Spool(folder)
            for waiting in held:
                await spool.add(waiting)
            held.clear()
        else:
            await spool.add(piece)
    if spool is None:
        request.raw = b"".join(held)
        return memoryview(request.raw)
    await spool.flush()
    request.spool = spool
    return spool.view()
