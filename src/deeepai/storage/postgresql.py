"""PostgreSQL, by way of a connection pool."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, TypeVar

import asyncpg

from deeepai.storage.database import DatabaseRefused, DatabaseUnavailable, Row, Unwritable, Value, Work

T = TypeVar("T")

_TRIES = 8
_CONNECT_SECONDS = 5.0
_ACQUIRE_SECONDS = 15.0
"""For a server that takes connections and says nothing more: whoever waits then is told so."""
_LOST = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    # So the driver puts it when the connection goes away just between two of its own steps.
    asyncpg.InternalClientError,
)
_NO_CONNECTION = (OSError, asyncpg.TooManyConnectionsError, asyncpg.InterfaceError, *_LOST)

_UNWRITABLE = (asyncpg.DiskFullError, asyncpg.PostgresIOError, asyncpg.ReadOnlySQLTransactionError)


class _PostgreSQLTx:
    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, *args: Value) -> int:
        status: str = await self._connection.execute(sql, *args)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        await self._connection.executemany(sql, rows)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Value) -> Row | None:
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Value) -> Any:
        return await self._connection.fetchval(sql, *args)


class PostgreSQLDatabase:
    """A database on a PostgreSQL server, shared by any number of gateways. Use `open`."""

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.writable = True
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()

    @classmethod
    async def open(cls, dsn: str, *, max_connections: int = 10) -> PostgreSQLDatabase:
        """Connect.

        Raises
        ------
        DatabaseUnavailable, DatabaseRefused
        """
        try:
            # No least number: what keeps it up says at length in the log what callers are told anyway.
            pool = await asyncpg.create_pool(
                dsn, min_size=0, max_size=max_connections, command_timeout=60, timeout=_CONNECT_SECONDS
            )
            async with pool.acquire():
                return cls(pool)
        except (OSError, asyncpg.TooManyConnectionsError, *_LOST) as error:
            raise DatabaseUnavailable(f"PostgreSQL cannot be reached ({_reason(error)})") from error
        except asyncpg.PostgresError as error:
            raise DatabaseRefused(f"PostgreSQL refuses: {error}") from error
        except (ValueError, asyncpg.InterfaceError) as error:
            raise DatabaseRefused("the database's URL is none that PostgreSQL knows") from error

    @property
    def beside(self) -> None:
        """Nothing: the server may be elsewhere."""

    async def write(self, work: Work[T]) -> T:
        """Run work in one transaction (READ COMMITTED); run it again where the server broke it off as a conflict.

        Raises
        ------
        DatabaseUnavailable
            The connection was lost: whether the work was committed is not known.
        Unwritable
        """
        with self._counted():
            for left in reversed(range(_TRIES)):
                try:
                    async with self._acquired() as connection:
                        return await self._run(connection, connection.transaction(), work)
                except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                    if not left:
                        raise
                    await asyncio.sleep(random.uniform(0.001, 0.02) * (_TRIES - left))
                except _UNWRITABLE as error:
                    self.writable = False
                    raise Unwritable(f"the database takes no write: {error}") from error
                except _LOST as error:
                    raise DatabaseUnavailable("the connection to the database was lost") from error
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _acquired(self) -> AsyncGenerator[Any]:
        try:
            connection = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        except _NO_CONNECTION as error:
            raise DatabaseUnavailable(f"the database cannot be reached ({_reason(error)})") from error
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    @contextmanager
    def _counted(self) -> Generator[None]:
        if self._closed:
            raise RuntimeError("the database is closed")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @staticmethod
    async def _run(connection: Any, transaction: Any, work: Work[T]) -> T:
        try:
            async with transaction:
                return await work(_PostgreSQLTx(connection))
        except asyncpg.InterfaceError as error:
            if isinstance(error, ValueError):  # an argument that does not fit its column
                raise
            # So the driver puts it when the connection went away within the transaction.
            raise DatabaseUnavailable("the connection to the database was lost") from error

    def write_now(self, work: Work[T]) -> tuple[T] | None:
        """Return None: the server is never asked without waiting."""
        return None

    async def read(self, work: Work[T]) -> T:
        """Run work on one snapshot, in a transaction that cannot write.

        Raises
        ------
        DatabaseUnavailable
        """
        with self._counted():
            try:
                async with self._acquired() as connection:
                    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
                    return await self._run(connection, transaction, work)
            except _LOST as error:
                raise DatabaseUnavailable("the connection to the database was lost") from error

    async def close(self) -> None:
        """Finish what has begun, then close all connections."""
        self._closed = True
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        await self._pool.close()


def _reason(error: BaseException) -> str:
    """Return what the system calls a failure; a driver's own text may name the URL."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
