"""Opens a database by its URL."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from deeepai.storage.database import Database, DatabaseRefused
from deeepai.storage.migrations import applied, migrate, refuse_newer
from deeepai.storage.postgresql import PostgreSQLDatabase
from deeepai.storage.sqlite import SQLiteDatabase


async def connect(url: str, *, synchronous: Literal["normal", "full"] = "normal") -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…` as it is.

    Raises
    ------
    DatabaseUnavailable, DatabaseRefused
        The message does not repeat the URL, for it may hold a password.
    """
    if url.startswith("sqlite:///"):
        path = Path(unquote(url.removeprefix("sqlite:///")))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return await SQLiteDatabase.open(path, synchronous=synchronous)
        except (OSError, sqlite3.Error) as fault:
            raise DatabaseRefused(f"{path} cannot be opened: {fault}") from fault
    if url.startswith(("postgresql://", "postgres://")):
        return await PostgreSQLDatabase.open(url)
    raise DatabaseRefused("a database URL starts with sqlite:/// or postgresql://")


async def open_database(url: str, *, synchronous: Literal["normal", "full"] = "normal") -> Database:
    """Open a database, and bring its tables up to date.

    Raises
    ------
    DatabaseUnavailable, DatabaseRefused
        As `connect`; and where a newer release has been at work.
    """
    database = await connect(url, synchronous=synchronous)
    try:
        refuse_newer(await applied(database))
        await migrate(database)
    except BaseException:
        await database.close()
        raise
    return database
