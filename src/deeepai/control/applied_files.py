"""Which versions of the declarative file were applied, and by whom."""

from __future__ import annotations

import hashlib

from ..accounts.own_channels import Node
from ..storage.database import Database, Row, Tx
from ..storage.ids import now_ms


def digest(text: str) -> str:
    """Return what tells versions of the file apart."""
    return hashlib.sha256(text.encode()).hexdigest()


async def latest(tx: Tx) -> Row | None:
    """Return the version that counts; None where none was applied."""
    return await tx.fetchrow("SELECT * FROM applied_files ORDER BY serial DESC LIMIT 1")


async def note(tx: Tx, version: str, node: str) -> None:
    """Note that a version was applied, by its digest."""
    last = await latest(tx)
    if last is None or last["digest"] != version:
        await tx.execute(
            "INSERT INTO applied_files (serial, digest, node, applied_at) VALUES ($1, $2, $3, $4)",
            *(1 if last is None else last["serial"] + 1, version, node, now_ms()),
        )


async def newer(database: Database, node: Node, version: str) -> Row | None:
    """Return the version that counts, where the file of this node is an older one; None where it may be applied.

    A version that was applied before is old, unless somebody has brought it back here, on this node. A database in a
    file is one node's: there, whatever the file says is meant.
    """

    async def work(tx: Tx) -> Row | None:
        last = await latest(tx)
        if last is None or last["digest"] == version:
            return None
        known = await tx.fetchval("SELECT 1 FROM applied_files WHERE digest = $1 LIMIT 1", version)
        return last if known else None

    if database.dialect == "sqlite" or node.file not in (None, version):
        return None
    return await database.read(work)
