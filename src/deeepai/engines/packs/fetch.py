"""Downloads a large file over HTTP, going on where a cut download ended.

Source: RFC 9110, section 14 (ranges).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from ... import __version__

_BLOCK: Final = 1 << 20
_TIMEOUT: Final = 60.0
_TRIES: Final = 5
"""Cuts in a row, none of which brought a byte, after which it ends."""
_PAUSE: Final = 0.5

Progress = Callable[[str, int, int], None]


class FetchError(Exception):
    """A file that cannot be had; what has come of it stays for the next try."""


def fetch(url: str, partial: Path, progress: Progress) -> None:
    """Bring `partial` to the length that the server says the file has.

    Parameters
    ----------
    url : str
        Of http or https; may redirect.
    partial : Path
        Holds what an earlier try has brought, and in the end all of it. Its content is not verified here.

    Raises
    ------
    FetchError
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError("the address must begin with http:// or https://")
    fruitless = 0
    while True:
        before = _size(partial)
        try:
            if _try(url, partial, progress):
                return
            fault = "the connection was cut"
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:
                # Another file lies there now, shorter than what is here; or this one is whole, which its digest tells.
                if error.headers.get("content-range", "").endswith(f"/{before}"):
                    return
                partial.unlink()
                continue
            if error.code < 500 and error.code not in (408, 429):
                raise FetchError(f"the server says {error.code} {error.reason}") from None
            fault = f"the server says {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            fault = str(getattr(error, "reason", None) or error) or type(error).__name__
        fruitless = 0 if _size(partial) > before else fruitless + 1
        if fruitless >= _TRIES:
            raise FetchError(f"{fault}; what has come stays, and the same command goes on from there")
        time.sleep(_PAUSE * fruitless)


def _try(url: str, partial: Path, progress: Progress) -> bool:
    """Ask once; tell whether the file is whole now."""
    done = _size(partial)
    headers = {"User-Agent": f"deeepai/{__version__}", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
        if answer.status != 206 or not answer.headers.get("content-range", "").startswith(f"bytes {done}-"):
            done = 0
        length = answer.headers.get("content-length")
        total = done + int(length) if length else 0
        with partial.open("r+b" if done else "wb") as out:
            out.seek(done)
            out.truncate()
            # Each read is written at once, so that a cut loses nothing.
            while block := answer.read1(_BLOCK):
                out.write(block)
                done += len(block)
                progress("downloading", done, total)
            out.flush()
            os.fsync(out.fileno())
    return done == total or not length


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def digest_of(path: Path, progress: Progress) -> str:
    """Return a file's SHA-256, hexadecimal."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress("verifying", done, total)
    return digest.hexdigest()


def copy(source: Path, target: IO[bytes], progress: Progress) -> None:
    """Copy a file, saying how far it is."""
    done, total = 0, source.stat().st_size
    with source.open("rb") as file:
        while block := file.read(_BLOCK):
            target.write(block)
            done += len(block)
            progress("copying", done, total)
