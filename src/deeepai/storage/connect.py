"""Opens a database by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from deeepai.storage.database import Database
from deeepai.storage.migrations import migrate
from deeepai.storage.postgresql import PostgreSQLDatabase
from deeepai.storage.sqlite import SQLiteDatabase


async def open_database(url: str, *, synchronous: Literal["normal", "full"] = "normal") -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, and bring its tables up to date.

    Raises
    ------
    ValueError
        The URL is neither; the message does not repeat it, for it may hold a password.
    """
    database: Database
    if url.startswith("sqlite:///"):
        path = Path(unquote(url.removeprefix("sqlite:///")))
        path.parent.mkdir(parents=True, exist_ok=True)
        database = await SQLiteDatabase.open(path, synchronous=synchronous)
    elif url.startswith(("postgresql://", "postgres://")):
        database = await PostgreSQLDatabase.open(url)
    else:
        raise ValueError("a database URL starts with sqlite:/// or postgresql://")
    try:
        await migrate(database)
    except BaseException:
        await database.close()
        raise
    return database
