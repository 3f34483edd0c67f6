"""LibreOffice, where it is installed: decks to PDF, old documents to new; a process of its own, a hard time limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from ..jobs import Refusal
from . import fonts

SECONDS: Final = 90.0
_NAMES: Final = ("soffice", "libreoffice")
_PLACES: Final = (
    "/usr/lib/libreoffice/program/soffice",
    "/opt/libreoffice/program/soffice",
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
)


@cache
def program() -> str:
    """Return the program's path; empty where there is none, or where `DEEEPAI_SLIDES_RENDERER=simple` forbids it."""
    if os.environ.get("DEEEPAI_SLIDES_RENDERER") == "simple":
        return ""
    found = (shutil.which(name) for name in _NAMES)
    return next((path for path in (*found, *_PLACES) if path and os.access(path, os.X_OK)), "")


@cache
def _room() -> Path:
    """Return this process's own folder: a profile serves one LibreOffice at a time."""
    room = Path(tempfile.mkdtemp(prefix="deeepai-office-"))
    folders = "".join(f"<dir>{escape(str(folder))}</dir>" for folder in fonts.folders())
    (room / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
        f"{folders}<cachedir>{escape(str(room / 'fontcache'))}</cachedir></fontconfig>"
    )
    return room


def forget() -> None:
    """Remove this process's profile."""
    if _room.cache_info().currsize:
        shutil.rmtree(_room(), ignore_errors=True)
        _room.cache_clear()


def pdf(path: Path, folder: Path, *, seconds: float = SECONDS) -> Path:
    """Turn a deck into a PDF; see `converted`."""
    return converted(path, folder, "pdf", "pdf:impress_pdf_Export", seconds=seconds)


def converted(path: Path, folder: Path, extension: str, into: str = "", *, seconds: float = SECONDS) -> Path:
    """Turn a document into another format.

    Parameters
    ----------
    folder : Path
        Where to put it.
    extension : str
        Of what is made.
    into : str
        The filter, where the extension does not say it.

    Raises
    ------
    Refusal
        `unreadable` if LibreOffice cannot read it; `timeout` if it takes too long.
    RuntimeError
        If there is no LibreOffice.
    """
    if not program():
        raise RuntimeError("LibreOffice is not installed")
    room = _room()
    command = [
        program(),
        f"-env:UserInstallation={(room / 'profile').as_uri()}",
        "--headless",
        "--norestore",
        "--nolockcheck",
        "--convert-to",
        into or extension,
        "--outdir",
        str(folder),
        str(path),
    ]
    environment = {
        **{key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TMPDIR") if key in os.environ},
        "HOME": str(room),
        "FONTCONFIG_FILE": str(room / "fonts.conf"),
        "SAL_USE_VCLPLUGIN": "svp",
    }
    made = folder / f"{path.stem}.{extension}"
    made.unlink(missing_ok=True)
    # In a group of its own: `soffice` is a script whose child does the work.
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Refusal("timeout", "The file takes too long to convert.") from None
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if not made.exists():
        raise Refusal("unreadable", "The file cannot be read.")
    return made
