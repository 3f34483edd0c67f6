"""Files on their way into the store: in bounded memory, and no more of them than an account may have."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import structlog
from obstore.exceptions import BaseError

from ..storage import kept_bytes
from ..storage.checks import free
from ..storage.database import Database, Tx, is_unwritable
from ..storage.ids import now_ms
from . import store
from .assets import AssetStore, sniff
from .store import Owner, Stored

log = structlog.get_logger()

_HELD: Final = 1 << 20
"""Bytes of a file that are held; what is larger lies on the disk until the store has it."""
_SNIFFED: Final = 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept.

    Attributes
    ----------
    most : int
        Bytes of one file.
    quota : callable
        Bytes of an account's files, by mode.
    folder : Path
        Where files lie on their way.
    local : Path or None
        The store's folder, where it is on this machine.
    reserve : int
        Bytes that stay free there.
    """

    most: int
    quota: Callable[[str], int]
    folder: Path
    local: Path | None
    reserve: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file that somebody made: under which address, as what, and whether its vendor shows it to nobody else."""

    pieces: AsyncIterator[bytes]
    said: str | None
    url: str | None = None
    keyed: bool = False


async def one(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes that are there already."""
    yield data


class _TooLarge(Exception):
    """More came than may be kept."""


class FileKeeper:
    """Keeps files.

    Parameters
    ----------
    unkept : callable
        Told of the kind of what was not kept, and why.
    """

    def __init__(
        self, db: Database, assets: AssetStore, bounds: Bounds, unkept: Callable[[kept_bytes.Kind, str], None]
    ) -> None:
        self._db = db
        self._assets = assets
        self._bounds = bounds
        self._unkept = unkept

    async def refusal(self, owner: Stored | Owner) -> str | None:
        """Say why nothing of an owner's can be kept now; None: something can."""
        bounds = self._bounds
        if bounds.local is not None and free(bounds.local) < bounds.reserve:
            why = "disk"
        elif await self._room(owner) > 0:
            return None
        else:
            why = "quota"
        self._unkept("files", why)
        return why

    async def _room(self, owner: Stored | Owner) -> int:
        used = await self._db.read(lambda tx: kept_bytes.used(tx, _place(owner)))
        return self._bounds.quota(owner.mode) - used

    async def keep(
        self, owner: Stored | Owner, number: int, source: Source, *, most: int | None = None
    ) -> tuple[int, str | None]:
        """Keep a file; return its size, and why it is not kept, if so.

        What has no address, so that it is nowhere else, is kept whatever the account has: older files make way.

        Parameters
        ----------
        most : int, optional
            Bytes.

        Raises
        ------
        Unwritable
            And whatever the source raises.
        """
        bounds = self._bounds
        room = bounds.quota(owner.mode) if source.url is None else await self._room(owner)
        limits = {"size": bounds.most if most is None else min(bounds.most, most)}
        if source.url is not None:
            limits["quota"] = room
        why = min(limits, key=lambda name: limits[name])
        file = tempfile.SpooledTemporaryFile(max_size=_HELD, dir=str(bounds.folder))  # noqa: SIM115 - closed below
        try:
            size = await _spool(file, source.pieces, limits[why])
            return size, await self._store(owner, number, source, file, size)
        except _TooLarge:
            return self._refused(owner, number, why)
        except OSError as fault:
            if not is_unwritable(fault):
                raise
            return self._refused(owner, number, "disk")
        finally:
            file.close()

    def _refused(self, owner: Stored | Owner, number: int, why: str) -> tuple[int, str]:
        self._unkept("files", why)
        log.warning("file.not_kept", owner=owner.id, number=number, account=owner.account_id, why=why)
        return 0, why

    async def _store(
        self, owner: Stored | Owner, number: int, source: Source, file: IO[bytes], size: int
    ) -> str | None:
        file.seek(0)
        kind = sniff(file.read(_SNIFFED), source.said)
        file.seek(0)
        key = self._assets.key(owner, number, kind)
        most = None if source.url is None else self._bounds.quota(owner.mode)
        # An address that holds the bytes themselves names no place.
        url = None if source.url is not None and source.url.startswith("data:") else source.url
        asset = store.Asset(number, key, kind, size, url, keyed=source.keyed)

        # First its row: what lies in the store without one would stay there for ever.
        async def work(tx: Tx) -> bool:
            fits = await kept_bytes.add(tx, _place(owner), size, most)
            if fits and not await store.add_asset(tx, owner, asset, now_ms()):
                await kept_bytes.remove(tx, "files", [_counted(owner, size)])
            return fits

        if not await self._db.write(work):
            return self._refused(owner, number, "quota")[1]
        try:
            await self._assets.put(key, file)
        except (BaseError, OSError) as fault:
            log.error("file.not_stored", owner=owner.id, number=number, error=str(fault)[:300])

            async def undo(tx: Tx) -> None:
                if await store.drop_asset(tx, owner.id, number):
                    await kept_bytes.remove(tx, "files", [_counted(owner, size)])

            await self._db.write(undo)
            return self._refused(owner, number, "store")[1]
        return None


def _place(owner: Stored | Owner) -> kept_bytes.Place:
    return kept_bytes.Place(owner.account_id, owner.mode, "files")


def _counted(owner: Stored | Owner, size: int) -> dict[str, str | int]:
    return {"account_id": owner.account_id, "mode": owner.mode, "size": size}


async def _spool(file: IO[bytes], pieces: AsyncIterator[bytes], most: int) -> int:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise _TooLarge
        if size < _HELD:
            file.write(piece)
        else:
            await asyncio.to_thread(file.write, piece)
    return size
