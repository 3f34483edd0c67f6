"""Counts every change of the configuration, so that gateways know when to read it anew."""

from __future__ import annotations

from ..storage.database import Tx

CHANNEL = "config"
"""Pub/sub channel on which a change is announced."""


async def bump(tx: Tx) -> None:
    """Count a change; part of the transaction that makes it."""
    await tx.execute(
        "INSERT INTO settings (key, value) VALUES ('config_version', '1') ON CONFLICT (key) DO UPDATE "
        "SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)"
    )


async def version(tx: Tx) -> int:
    """Return how many changes there were."""
    return int(await tx.fetchval("SELECT value FROM settings WHERE key = 'config_version'") or 0)
