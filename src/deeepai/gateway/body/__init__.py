"""A caller's request, read within limits and decoded once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from ... import asgi
from ...asgi import Receive
from ...declare import AnyOperation, Failure, Part, Reason, said_once
from ..base_urls import MODEL_IN_PATH
from . import forms
from .forms import FormReader, form_body, invalid
from .request import HttpRequest
from .spool import KEPT, Spool

_decode_top = msgspec.json.Decoder(dict[str, msgspec.Raw])
__all__ = ["HttpRequest", "read_body"]


async def read_body(request: HttpRequest, operation: AnyOperation, receive: Receive, limit: int, folder: Path) -> None:
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
    kind = request.headers.get(b"content-type", b"")
    if operation.media not in ("json", "none") and _media(kind) == "multipart/form-data":
        await _read_form(request, operation, receive, limit, folder)
        return
    request.raw = await asgi.read(receive, request.headers, limit)
    if operation.media == "none":
        return
    if operation.media == "multipart":
        raise Failure(Reason.BAD_MEDIA, "The body must be multipart/form-data")
    if kind != b"application/json":
        media = _media(kind)
        if media and "json" not in media:
            raise Failure(Reason.BAD_MEDIA, f"The body must be application/json, not {kind[:80].decode('latin-1')}")
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
    message = await asgi.first(receive, request.headers, limit)
    reader = FormReader(request.header("content-type"))
    if message.get("more_body"):
        body = await _gather(request, reader, asgi.arriving(receive, request.headers, limit, message), folder)
    else:
        request.raw = asgi.unpacked(message.get("body", b""), request.headers, limit)
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
