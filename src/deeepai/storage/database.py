"""What every database back end offers: units of work, each one transaction.

SQL is written once, with `$1 … $n` for parameters, in the dialect that SQLite and PostgreSQL share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Value = str | int | float | None
Row = Any
"""A row whose columns are read by name: `row["name"]`."""


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


Work = Callable[[Tx], Awaitable[T]]
"""A unit of work. It awaits nothing but its transaction, and may be run again after a conflict."""


class Database(Protocol):
    """A store of all durable state."""

    dialect: Literal["sqlite", "postgresql"]

    @property
    def beside(self) -> Path | None:
        """A folder for files that are to last as long as a commit here does; None where there is none of the sort."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction; when this returns, it is committed."""
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
