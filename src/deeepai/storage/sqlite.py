"""SQLite: one writer thread that commits in groups, a few reader threads, checkpoints in the background.

A unit of work is a coroutine, but over SQLite none of its awaits ever suspends: the thread drives it to its end.
"""

from __future__ import annotations

import asyncio
import functools
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from deeepai.storage.database import Row, Tx, Unwritable, Value, Work

T = TypeVar("T")

_GROUP = 256
"""Units in one transaction, at most."""
_READERS = 2
_BUSY_SECONDS = 10.0
_CHECKPOINT_COMMITS = 100
_PAGE_BYTES = 2048
"""Of new files. A charge changes ten pages, each of which is copied into the log whole."""
_RESTART_FRAMES = 8192
"""Pages in the log from which on it is made to start over."""
_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\$(\d+)")


@functools.lru_cache(maxsize=4096)
def _translate(sql: str) -> str:
    """Turn `$n` into `?n`, outside of string literals."""
    numbers = [int(match[1]) for match in _PLACEHOLDER.finditer(sql) if match[1]]
    # From CPython 3.12 on, binding asks for the name of each numbered placeholder, which SQLite looks for among all.
    plain = numbers == list(range(1, len(numbers) + 1))
    return _PLACEHOLDER.sub(lambda match: ("?" if plain else "?" + match[1]) if match[1] else match[0], sql)


class _SQLiteTx:
    """A transaction on one connection. Its methods never suspend."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, *args: Value) -> int:
        return self._connection.execute(_translate(sql), args).rowcount

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        self._connection.executemany(_translate(sql), rows)

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return self._connection.execute(_translate(sql), args).fetchall()

    async def fetchrow(self, sql: str, *args: Value) -> Row | None:
        # All rows are taken: a RETURNING statement that is left midway would be in the way of the commit.
        rows = self._connection.execute(_translate(sql), args).fetchall()
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: Value) -> Any:
        row = await self.fetchrow(sql, *args)
        return None if row is None else row[0]


@dataclass(slots=True, eq=False)
class _Unit:
    work: Work[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None


def _drive(work: Work[Any], tx: Tx) -> Any:
    steps = work(tx).__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    steps.close()
    raise RuntimeError("a unit of work awaited something other than its transaction")


def _resolve(units: list[_Unit]) -> None:
    for unit in units:
        if unit.future.done():
            continue
        if unit.error is None:
            unit.future.set_result(unit.result)
        else:
            unit.future.set_exception(unit.error)


def _deliver(units: list[_Unit]) -> None:
    """Hand results over, waking each event loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
    for unit in units:
        loops.setdefault(unit.loop, []).append(unit)
    for loop, own in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, own)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


_REFUSALS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_CANTOPEN: "its files cannot be opened",
    sqlite3.SQLITE_READONLY: "its files are read-only",
    sqlite3.SQLITE_BUSY: "somebody else has locked it",
}


def _refusal(error: BaseException) -> str | None:
    """Say why nothing can be written, where an error means that, whatever the work was."""
    return _REFUSALS.get(error.sqlite_errorcode & 0xFF) if isinstance(error, sqlite3.OperationalError) else None


def _patiently(connection: sqlite3.Connection, sql: str) -> None:
    """Run a statement that needs the file's write lock; other processes hold it for a few milliseconds at a time.

    SQLite's own busy handler sleeps up to 100 ms between tries, too long for a lock that is passed on so often.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    wait = 0.00005
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(wait)
        wait = min(wait * 1.5, 0.002)


class SQLiteDatabase:
    """A database in one file; several processes may open it at once.

    Use `open`. A commit survives the end of the process in any case, and a loss of power with `synchronous="full"`.
    """

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: str | os.PathLike[str], synchronous: str) -> None:
        self.writable = True
        self._path = Path(path).absolute()
        self._synchronous = synchronous
        self._writes: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._stopping = threading.Event()
        self._commits = 0
        self._threads: list[threading.Thread] = []
        self._connections: list[sqlite3.Connection] = []
        self._here: sqlite3.Connection | None = None
        """For work on the caller's thread; None where a commit waits for the disk."""
        self._here_taken = threading.Lock()

    @property
    def beside(self) -> Path | None:
        """A folder for files that outlive the process as a commit does; None where a commit waits for the disk."""
        return Path(f"{self._path}-files") if self._synchronous == "normal" else None

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str], *, synchronous: Literal["normal", "full"] = "normal"
    ) -> SQLiteDatabase:
        """Open a file, making it where there is none.

        Raises
        ------
        sqlite3.Error
            The file cannot be opened or is no database.
        """
        database = cls(path, synchronous)
        await asyncio.to_thread(database._start)
        return database

    def _start(self) -> None:
        writer = self._connect(timeout=0)
        connections = self._connections = [writer]
        try:
            writer.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            _patiently(writer, "PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA wal_autocheckpoint = 0")
            checkpointer = self._connect(timeout=0.1)
            connections.append(checkpointer)
            checkpointer.execute("PRAGMA wal_autocheckpoint = 0")
            readers = [self._connect(timeout=5, read_only=True) for _ in range(_READERS)]
            connections += readers
            if self._synchronous == "normal":
                self._here = self._connect(timeout=0)
                connections.append(self._here)
                self._here.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            for connection in connections:
                connection.close()
            raise
        targets = [(self._write_loop, writer), (self._checkpoint_loop, checkpointer)]
        targets += [(self._read_loop, reader) for reader in readers]
        for target, connection in targets:
            thread = threading.Thread(target=target, args=(connection,), name=f"sqlite{target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connect(self, *, timeout: float, read_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path.as_uri() + ("?mode=ro" if read_only else "?mode=rwc"),
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=1024,
        )
        connection.row_factory = sqlite3.Row
        for setting in ("foreign_keys = ON", f"synchronous = {self._synchronous}", "cache_size = -32768"):
            _patiently(connection, f"PRAGMA {setting}")  # another process may be making the file just now
        return connection

    async def write(self, work: Work[T]) -> T:
        """Run work in a transaction that other units may share; one that raises is rolled back alone."""
        return await self._submit(self._writes, work)

    def write_now(self, work: Work[T]) -> tuple[T] | None:
        """Run work at once on this thread; None where that cannot be without waiting.

        Two changes of threads cost more than a small commit, which waits for no disk here.
        """
        here = self._here
        if here is None or self._closed or not self._here_taken.acquire(blocking=False):
            return None
        try:
            try:
                here.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
                return None
            try:
                result = _drive(work, _SQLiteTx(here))
                here.execute("COMMIT")
            except BaseException as error:
                if here.in_transaction:
                    here.execute("ROLLBACK")
                named = self._named(error)
                if named is error:
                    raise
                raise named from error
            self._commits += 1
            return (result,)
        finally:
            self._here_taken.release()

    def _named(self, error: BaseException) -> BaseException:
        """Return an error as callers know it; one that any write would have met is noted."""
        why = _refusal(error)
        if why is None:
            return error
        self.writable = False
        named = Unwritable(f"the database takes no write: {why}")
        named.__cause__ = error
        return named

    async def read(self, work: Work[T]) -> T:
        """Run work on one snapshot, on a connection that cannot write."""
        return await self._submit(self._reads, work)

    async def _submit(self, units: queue.SimpleQueue[_Unit | None], work: Work[T]) -> T:
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        units.put(_Unit(work, future, loop))
        return await future

    async def close(self) -> None:
        """Finish what is queued, then close."""
        if self._closed:
            return
        self._closed = True
        self._stopping.set()
        self._writes.put(None)
        for _ in range(_READERS):
            self._reads.put(None)
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        # The last to close copies the log into the database, which takes the right to write.
        for connection in reversed(self._connections):
            connection.close()

    def _write_loop(self, connection: sqlite3.Connection) -> None:
        tx = _SQLiteTx(connection)
        stop = False
        while not stop:
            unit = self._writes.get()
            group: list[_Unit] = []
            while unit is not None:
                group.append(unit)
                if len(group) == _GROUP:
                    break
                try:
                    unit = self._writes.get_nowait()
                except queue.Empty:
                    break
            stop = unit is None
            if group:
                self._commit(connection, tx, group)
                self._commits += 1
                _deliver(group)

    def _commit(self, connection: sqlite3.Connection, tx: Tx, group: list[_Unit]) -> None:
        try:
            _patiently(connection, "BEGIN IMMEDIATE")
            if len(group) == 1:
                group[0].result = _drive(group[0].work, tx)
            else:
                for unit in group:
                    self._run_within(connection, tx, unit)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for unit in group:
                unit.error = self._named(unit.error or error)

    @staticmethod
    def _run_within(connection: sqlite3.Connection, tx: Tx, unit: _Unit) -> None:
        connection.execute("SAVEPOINT unit")
        try:
            unit.result = _drive(unit.work, tx)
        except BaseException as error:
            unit.error = error
            # SQLite has undone the whole group by itself when the disk is full or fails.
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")

    def _read_loop(self, connection: sqlite3.Connection) -> None:
        tx = _SQLiteTx(connection)
        while (unit := self._reads.get()) is not None:
            try:
                connection.execute("BEGIN")
                unit.result = _drive(unit.work, tx)
            except BaseException as error:
                unit.error = error
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _deliver([unit])

    def _checkpoint_loop(self, connection: sqlite3.Connection) -> None:
        """Copy the log into the database beside the writer, so that no commit has to.

        The log starts over by itself only in a pause of the writer. Under load it is made to: what is left to copy
        then is little, so commits wait for a moment at most. Its file keeps its size, for writing over it is several
        times faster than growing it.
        """
        done = 0
        while not self._stopping.wait(1.0):
            commits = self._commits
            if commits - done < _CHECKPOINT_COMMITS:
                continue
            done = commits
            try:
                _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if frames > _RESTART_FRAMES and self._commits != commits:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            except sqlite3.OperationalError:  # another process is at it
                continue
