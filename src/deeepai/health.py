"""What a gateway rests on, and whether it is there: `/readyz`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from .accounts.opening import fingerprint
from .accounts.vault import Vault
from .storage import checks
from .storage.cache import Cache
from .storage.database import Database, Tx
from .storage.migrations import missing
from .tasks.assets import AssetStore

_FRESH_SECONDS = 0.5
"""For which an answer is given again, however many ask."""
_LIMIT_SECONDS = 2.0
_ASSETS_SECONDS = 30.0


class Finding(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How one thing is.

    Attributes
    ----------
    required : bool
        Whether nothing can be served without it.
    detail : str
        What is wrong.
    """

    ok: bool
    required: bool = True
    detail: str = ""


class Readiness(msgspec.Struct, kw_only=True):
    """The answer."""

    ready: bool
    checks: dict[str, Finding]


Check = Callable[[], Awaitable[dict[str, Finding]]]
"""Looks at something; may take its time, up to a limit."""


class Health:
    """Asks all checks at once, and not for each that asks.

    Parameters
    ----------
    checks : sequence of Check
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._looking: asyncio.Task[Readiness] | None = None
        self._at = 0.0

    async def look(self) -> Readiness:
        """Return how things are, or were half a second ago."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._at > _FRESH_SECONDS):
            self._looking = asyncio.create_task(self._look())
            self._at = time.monotonic()
        return await asyncio.shield(self._looking)

    async def _look(self) -> Readiness:
        found = await asyncio.gather(*(check() for check in self._checks))
        findings = {name: finding for part in found for name, finding in part.items()}
        ready = all(finding.ok or not finding.required for finding in findings.values())
        return Readiness(ready=ready, checks=findings)


def database_check(db: Database, vault: Vault) -> Check:
    """Return what looks whether the database answers, has this release's tables, and was made with this node's key."""

    async def work(tx: Tx) -> tuple[str | None, list[str]]:
        return await fingerprint(tx), await missing(tx)

    async def check() -> dict[str, Finding]:
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                stored, lacking = await db.read(work)
        except Exception as fault:
            return {"database": Finding(ok=False, detail=f"does not answer ({type(fault).__name__})")}
        fits = stored in vault.fingerprints
        return {
            "database": Finding(ok=True),
            "schema": Finding(ok=not lacking, detail=f"lacks {lacking[0]}" if lacking else ""),
            "key": Finding(ok=fits, detail="" if fits else "the database was made with another secret key"),
        }

    return check


def write_check(db: Database) -> Check:
    """Return what looks whether the database takes a write."""

    async def check() -> dict[str, Finding]:
        fault = await checks.takes_a_write(db)
        return {"writes": Finding(ok=fault is None, detail=fault or "")}

    return check


def room_check(folders: Sequence[Path], least: int) -> Check:
    """Return what looks whether there is room (bytes) wherever this node stores something."""

    async def check() -> dict[str, Finding]:
        fault = await checks.has_room(folders, least)
        return {"disk": Finding(ok=fault is None, detail=fault or "")}

    return check


def cache_check(cache: Cache) -> Check:
    """Return what looks whether limits are shared; without that, each node has its share of them."""

    async def check() -> dict[str, Finding]:
        detail = "" if cache.up else "Valkey does not answer: each node keeps to its share of limits"
        return {"cache": Finding(ok=cache.up, required=False, detail=detail)}

    return check


def assets_check(assets: AssetStore) -> Check:
    """Return what looks whether files can be had, now and then."""
    found = Finding(ok=True, required=False)
    looked = 0.0

    async def check() -> dict[str, Finding]:
        nonlocal found, looked
        if not looked or time.monotonic() - looked > _ASSETS_SECONDS:
            looked = time.monotonic()
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    await assets.probe()
                found = Finding(ok=True, required=False)
            except Exception as fault:
                found = Finding(ok=False, required=False, detail=f"cannot be used ({type(fault).__name__})")
        return {"assets": found}

    return check
