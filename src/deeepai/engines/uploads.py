"""Requests as vendors' clients send them: JSON, urlencoded or multipart, with files that lie on disk at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from .openai_wire import WireError, refused

_MOST_FIELD: Final = 16 * 2**20
"""Bytes of all fields together: some hold a picture in base64."""
_MOST_PARTS: Final = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a request.

    Attributes
    ----------
    path : Path
        Where it lies while the request is served; a job takes it away.
    name : str
        As the client calls it.
    size : int
        Bytes.
    """

    path: Path
    name: str
    size: int


@dataclass(slots=True)
class Sent:
    """What a request holds.

    Attributes
    ----------
    fields : dict
        JSON values, or texts where it is a form; query parameters where the body does not name them.
    files : dict
        By part name; of several of one name all.
    """

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, list[Upload]] = field(default_factory=dict[str, list[Upload]])

    def text(self, *names: str) -> str:
        """Return the first of some fields that is not empty, as a text."""
        for name in names:
            value = self.fields.get(name)
            if value not in (None, ""):
                return value if isinstance(value, str) else str(value)
        return ""

    def file(self, *names: str) -> Upload | None:
        """Return the first file of some names."""
        return next((self.files[name][0] for name in names if name in self.files), None)


@asynccontextmanager
async def sent(request: web.Request, folder: Path, most: int) -> AsyncGenerator[Sent]:
    """Read a request; files that no job has taken are gone at the end.

    Parameters
    ----------
    folder : Path
        Where files are put.
    most : int
        Bytes of a file.

    Raises
    ------
    WireError
        415 for another media type, 413 for what is too large, 400 for what is malformed.
    """
    found = Sent(dict(request.query))
    try:
        await _read(request, found, folder, most)
        yield found
    finally:
        for uploads in found.files.values():
            for upload in uploads:
                upload.path.unlink(missing_ok=True)


async def _read(request: web.Request, found: Sent, folder: Path, most: int) -> None:
    kind = request.content_type
    try:
        if kind == "multipart/form-data":
            await _form(request, found, folder, most)
        elif kind == "application/x-www-form-urlencoded":
            found.fields.update(await request.post())
        elif request.can_read_body:
            if request.headers.get("content-type") and kind not in ("application/json", "application/octet-stream"):
                raise WireError(415, f"Unsupported media type {kind!r}.")
            body = msgspec.json.decode(await request.read() or b"{}")
            if not isinstance(body, dict):
                raise refused("The body must be a JSON object.")
            found.fields.update(body)
    except web.HTTPRequestEntityTooLarge:
        raise WireError(413, "The body is too large.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(f"The body cannot be read: {error}") from None
    except (ValueError, AssertionError, HttpProcessingError, web.HTTPException) as error:
        # aiohttp's parser says so of a form that is cut off or has no boundary.
        raise refused(f"The form cannot be read: {error}") from None


async def _form(request: web.Request, found: Sent, folder: Path, most: int) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    reader = await request.multipart()
    held = count = 0
    while (part := await reader.next()) is not None:
        count += 1
        if not isinstance(part, BodyPartReader) or not part.name or count > _MOST_PARTS:
            raise refused("The form has too many parts, or one without a name.")
        if part.filename is not None:
            await _file(part, found, folder, most)
            continue
        value = bytearray()
        while block := await part.read_chunk(1 << 16):
            held += len(block)
            if held > _MOST_FIELD:
                raise WireError(413, "The form's fields are too large.")
            value += block
        found.fields[part.name] = value.decode()


async def _file(part: BodyPartReader, found: Sent, folder: Path, most: int) -> None:
    path, size = folder / f"upload-{secrets.token_hex(8)}", 0
    name = part.name or ""
    # Known before it is whole, so that a cut form leaves nothing behind.
    found.files.setdefault(name, []).append(Upload(path, part.filename or "", 0))
    with path.open("wb") as file:
        while block := await part.read_chunk(1 << 18):
            size += len(block)
            if size > most:
                raise WireError(413, f"The file is larger than {most} bytes.")
            file.write(block)
    found.files[name][-1] = Upload(path, part.filename or "", size)
