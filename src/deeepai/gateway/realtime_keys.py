"""Short-lived keys that callers hand to browsers: each opens sessions of one operation and model, as who made it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..accounts.keys import new_session_secret
from ..storage.database import Database, Tx
from ..storage.ids import now_ms
from . import keys
from .core import Core
from .exchange import Exchange

_SWEPT: Final = 100
"""Expired keys that are deleted when one is made."""


class Secret(msgspec.Struct, frozen=True):
    """What a minted key stands for."""

    token_digest: str
    session: Any
    """What the session is to be like, in the protocol's own words."""


async def mint(core: Core, x: Exchange, prefix: str, model: str, session: Any, seconds: int) -> tuple[str, int]:
    """Make a key; see `deeepai.declare.View`."""
    core.name_model(x, model)
    core.levels(x, None)
    operation = next(each.name for each in x.protocol.operations if each.socket is not None)
    key, now = new_session_secret(prefix), now_ms()
    expires_at = now // 1000 + seconds
    row = (
        *(keys.digest(key), keys.digest(keys.find_key(x.request, x.protocol))),
        *(f"{x.protocol.name}.{operation}", model, msgspec.json.encode(session).decode(), expires_at * 1000, now),
    )

    async def work(tx: Tx) -> None:
        await tx.execute(
            "DELETE FROM client_secrets WHERE digest IN "
            "(SELECT digest FROM client_secrets WHERE expires_at <= $1 LIMIT $2)",
            *(now, _SWEPT),
        )
        await tx.execute(
            "INSERT INTO client_secrets (digest, token_digest, operation, model, session, expires_at, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *row,
        )

    await core.db.write(work)
    return key, expires_at


async def find(db: Database, digest: str, operation: str) -> Secret | None:
    """Return what a key stands for; None where there is none, or it has expired."""
    row = await db.read(
        lambda tx: tx.fetchrow(
            "SELECT token_digest, session FROM client_secrets WHERE digest = $1 AND operation = $2 AND expires_at > $3",
            *(digest, operation, now_ms()),
        )
    )
    return None if row is None else Secret(row["token_digest"], msgspec.json.decode(row["session"]))
