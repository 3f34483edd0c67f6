"""Opens the store for a program or a command: by the right release, with the right secret key, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ..settings import Settings
from ..storage.connect import connect
from ..storage.database import Database, DatabaseUnavailable, Tx
from ..storage.migrations import applied, lock, migrate, refuse_newer
from .vault import Vault, VaultError

_FINGERPRINT: Final = "secret_key"
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 1.0
_HERE: Final = "put the secret.key that belongs to this database (of its backup, of the other nodes) in its place"


async def open_store(
    settings: Settings, *, wait: float = 0.0, say: Callable[[str], None] = print, running: bool = False
) -> tuple[Database, Vault]:
    """Open the database and the vault that belong together, and bring the tables up to date.

    Parameters
    ----------
    wait : float
        Seconds for which a database that cannot be reached is waited for.
    say : callable
        Takes the one line that tells of it.
    running : bool
        Whether this program served here before a newer release came.

    Raises
    ------
    DatabaseUnavailable, DatabaseRefused
    VaultError
        The database was made with another key; nothing was written.
    """
    database = await _reached(settings, wait, say)
    try:
        known = await applied(database)
        refuse_newer(known, running=running)
        stored, sample = await _of_database(database) if known else (None, None)
        vault, made = _vault(settings, needed=stored is not None or sample is not None)
        fits = stored in vault.fingerprints if stored is not None else sample is None or vault.knows(sample)
        if not fits:
            raise VaultError(f"{_place(settings)} is not the key that the database was made with: {_HERE}")
        await migrate(database)
        if stored != vault.fingerprints[0]:
            await _claim(database, vault, settings, made=made)
    except BaseException:
        await database.close()
        raise
    return database, vault


async def _reached(settings: Settings, wait: float, say: Callable[[str], None]) -> Database:
    until, pause, told = time.monotonic() + wait, _FIRST_WAIT, False
    while True:
        try:
            return await connect(settings.database_url, synchronous=settings.sqlite_synchronous)
        except DatabaseUnavailable as fault:
            if time.monotonic() + pause > until:
                raise
            if not told:
                say(f"{fault}; waiting for it, up to {wait:.0f} s")
                told = True
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_WAIT)


async def fingerprint(tx: Tx) -> str | None:
    """Return the fingerprint of the key that the database was made with."""
    stored: str | None = await tx.fetchval("SELECT value FROM settings WHERE key = $1", _FINGERPRINT)
    return None if stored is None else stored.strip('"')


async def _of_database(database: Database) -> tuple[str | None, str | None]:
    """Return the fingerprint, and something that was encrypted, for databases from before there was one."""

    async def work(tx: Tx) -> tuple[str | None, str | None]:
        sample = await tx.fetchval(
            "SELECT credential FROM channels WHERE credential IS NOT NULL AND source IN ('api', 'file') "
            "ORDER BY updated_at DESC LIMIT 1"
        )
        return await fingerprint(tx), sample

    return await database.read(work)


def _vault(settings: Settings, *, needed: bool) -> tuple[Vault, bool]:
    """Return the vault, and whether its key was made just now."""
    if settings.secret is not None:
        return Vault.read(settings.secret, "DEEEPAI_SECRET"), False
    missing = not settings.secret_path.exists()
    if missing and needed:
        raise VaultError(
            f"{settings.secret_path} is missing, and the database was made with it: {_HERE}, or set DEEEPAI_SECRET"
        )
    return Vault.open(settings.secret_path), missing


def _place(settings: Settings) -> str:
    return "DEEEPAI_SECRET" if settings.secret is not None else str(settings.secret_path)


async def _claim(database: Database, vault: Vault, settings: Settings, *, made: bool) -> None:
    """Note the key in the database: the first one, or the one that is current after a change."""

    async def work(tx: Tx) -> bool:
        await lock(tx, database.dialect)
        stored = await fingerprint(tx)
        if stored is not None and stored not in vault.fingerprints:
            return False
        await tx.execute(
            "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            *(_FINGERPRINT, f'"{vault.fingerprints[0]}"'),
        )
        return True

    if not await database.write(work):
        if made:
            settings.secret_path.unlink()
        raise VaultError(f"another node has just made this database with its own key: {_HERE}")
