"""Files that tasks produced, kept in a folder or in an S3-compatible store."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import obstore
from obstore.store import LocalStore, from_url

from .store import Owner, Stored

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"glTF", "model/gltf-binary"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)


def sniff(data: bytes, said: str | None) -> str:
    """Return a file's media type: by its first bytes, else as its sender said."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return (said or "application/octet-stream").partition(";")[0].strip()


class AssetStore:
    """Keeps bytes under keys.

    Parameters
    ----------
    url : str
        A folder's path, or an address such as `s3://bucket/prefix` (credentials from the environment, as the S3
        tools name them).
    """

    def __init__(self, url: str) -> None:
        if "://" in url and not url.startswith("file://"):
            self._store = from_url(url)
            self._folder = None
        else:
            folder = Path(unquote(url.removeprefix("file://")))
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = folder
            self._store = LocalStore(prefix=folder)

    async def probe(self) -> None:
        """Look whether the store is there.

        Raises
        ------
        Exception
            It is not, or does not take files.
        """
        if self._folder is not None:
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(str(self._folder))
            return
        try:
            await obstore.head_async(self._store, "readiness")
        except FileNotFoundError:
            return

    @staticmethod
    def key(task: Stored | Owner, number: int, content_type: str) -> str:
        """Return the key of a file."""
        suffix = mimetypes.guess_extension(content_type) or ".bin"
        return f"{task.account_id}/{task.protocol}/{task.id}-{number}{suffix}"

    async def put(self, key: str, file: IO[bytes]) -> None:
        """Keep a file, of which little is held in memory."""
        await obstore.put_async(self._store, key, file, max_concurrency=2)

    async def get(self, key: str, part: range | None = None) -> AsyncIterator[bytes]:
        """Yield a file's bytes, or a part of them.

        Raises
        ------
        FileNotFoundError
        """
        found = await obstore.get_async(
            self._store, key, options=None if part is None else {"range": (part.start, part.stop)}
        )
        async for chunk in found.stream(min_chunk_size=256 * 1024):
            yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """Delete a file; one that is not there is no fault."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return

    async def read(self, key: str) -> bytes:
        """Return a file whole."""
        found = await obstore.get_async(self._store, key)
        return bytes(await found.bytes_async())
