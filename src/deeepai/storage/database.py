"""What every database back end offers: units of work, each one transaction.

SQL is written once, with `$1 … $n` for parameters, in the dialect that SQLite and PostgreSQL share.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from deeepai.declare import Failure, Reason

T = TypeVar("T")
Value = str | int | float | None
Row = Any
"""A row whose columns are read by name: `row["name"]`."""


_FULL_SECONDS, _AWAY_SECONDS = 2.0, 5.0
"""That callers are told to wait for room, and for the database."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StorageFault(Exception):
    """Nothing can be stored, or read, now; that passes."""


class Unwritable(StorageFault):
    """Nothing can be stored now: the disk is full, or fails, or somebody else has it to himself."""


class DatabaseUnavailable(StorageFault, ConnectionError):
    """The database does not answer now, or the connection went away; it may come back."""


def is_unwritable(fault: BaseException) -> bool:
    """Tell whether something failed because nothing can be stored, in the database or in a file."""
    return isinstance(fault, Unwritable) or (isinstance(fault, OSError) and fault.errno in _NO_ROOM)


def not_stored() -> Failure:
    """Return what a caller is told then."""
    message = "The gateway cannot store anything at the moment; try again later"
    return Failure(Reason.UNAVAILABLE, message, code="storage_unavailable", retry_after=_FULL_SECONDS)


def told(fault: BaseException) -> Failure | None:
    """Return what a caller is told of a failure that is the storage's and passes; None of any other."""
    if isinstance(fault, DatabaseUnavailable):
        message = "The gateway's database does not answer now; try again soon"
        return Failure(Reason.UNAVAILABLE, message, code="database_unavailable", retry_after=_AWAY_SECONDS)
    return not_stored() if is_unwritable(fault) else None


class Tx(Protocol):
    """A transaction that is open."""

    async def execute(self, sql: str, *args: Value) -> int:
        """Run a statement; return how many rows it changed."""
        ...

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once a row."""
        ...

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """Return all rows."""
        ...

    async def fetchrow(self, sql: str, *args: Value) -> Row | None:
        """Return the first row."""
        ...

    async def fetchval(self, sql: str, *args: Value) -> Any:
        """Return the first column of the first row, or None."""
        ...


class DatabaseRefused(Exception):
    """The database cannot be used as it is; the message says why, and repeats no URL."""


Work = Callable[[Tx], Awaitable[T]]
"""A unit of work. It awaits nothing but its transaction, and may be run again after a conflict."""


class Database(Protocol):
    """A store of all durable state."""

    dialect: Literal["sqlite", "postgresql"]
    writable: bool
    """False from a write on that failed with `Unwritable`, until `probe` has written something."""

    @property
    def beside(self) -> Path | None:
        """A folder for files that are to last as long as a commit here does; None where there is none of the sort."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction; when this returns, it is committed.

        Raises
        ------
        Unwritable
        """
        ...

    def write_now(self, work: Work[T]) -> tuple[T] | None:
        """As `write`, at once on the caller's thread, for work of well under a millisecond; None where it cannot be."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then close."""
        ...


async def probe(database: Database) -> None:
    """Write something, to learn whether that can be done.

    Raises
    ------
    Unwritable
        And whatever else a write may raise.
    """
    await database.write(
        lambda tx: tx.execute(
            "INSERT INTO settings (key, value) VALUES ('probe', '1') "
            "ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) % 1000000 + 1 AS TEXT)"
        )
    )
    database.writable = True
