"""LibreOffice, where it is installed: decks to PDF, old documents to new; a process of its own, a hard time limit."""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from ...lifeline import die_with_parent
from ..jobs import Refusal
from . import fonts

SECONDS: Final = 90.0
_MOST_MEMORY: Final = 4 * 2**30
_MOST_FILE: Final = 2**30
_AGAIN: Final = 81
"""What it ends with when it has made a profile and wants to be started anew."""
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
    path = next((path for path in (*found, *_PLACES) if path and os.access(path, os.X_OK)), "")
    # The script starts a program that starts this one; alone, it ends when it is told to.
    real = Path(path).resolve().parent / "soffice.bin"
    return str(real) if path and os.access(real, os.X_OK) else path


_PREFIX: Final = "deeepai-office-"


def _sweep() -> None:
    """Remove what processes left that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:
            pass


def _bound(seconds: float, parent: int) -> None:
    """Bound the process that is about to be LibreOffice; it does not outlive this one."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE, _MOST_FILE))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 5, int(seconds) + 10))
    if sys.platform == "linux":
        die_with_parent(signal.SIGKILL, parent)


@cache
def _room() -> Path:
    """Return this process's own folder: a profile serves one LibreOffice at a time."""
    _sweep()
    room = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    atexit.register(shutil.rmtree, room, ignore_errors=True)
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
    end = time.monotonic() + seconds
    while _run(command, environment, end - time.monotonic()) == _AGAIN:
        pass
    if not made.exists():
        raise Refusal("unreadable", "The file cannot be read.")
    return made


def _run(command: list[str], environment: dict[str, str], seconds: float) -> int:
    parent = os.getpid()
    # In a group of its own: where there is but the script, its child does the work.
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _bound(seconds, parent),
    )
    try:
        return child.wait(max(seconds, 0.0))
    except subprocess.TimeoutExpired:
        raise Refusal("timeout", "The file takes too long to convert.") from None
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
