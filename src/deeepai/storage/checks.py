"""Whether a node can store what it is asked to: each check returns what is wrong, or None."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .database import Database, Unwritable, probe

_SECONDS: Final = 2.0


async def takes_a_write(database: Database) -> str | None:
    """Look whether the database takes a write."""
    try:
        async with asyncio.timeout(_SECONDS):
            await probe(database)
    except Unwritable as fault:
        return str(fault)
    except Exception:
        return "the database does not answer"
    return None


def free(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def has_room(folders: Iterable[Path], least: int) -> str | None:
    """Look whether so many bytes are free wherever something is stored."""
    for folder in folders:
        found = await asyncio.to_thread(free, folder)
        if found < least:
            return f"the disk is full: {found >> 20} MB are free in {folder}, at least {least >> 20} are wanted"
    return None
