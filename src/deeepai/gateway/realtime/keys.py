"""Short-lived keys that callers hand to browsers: each opens sessions of one operation and model, as who made it."""

from __future__ import annotations

from typing import Any

import msgspec

from ...accounts.keys import new_session_secret
from ...declare import Failure, Reason, Socket
from ...storage import secret_rows
from ...storage.database import Database
from ...storage.ids import now_ms
from .. import candidates, keys
from ..core import Core
from ..exchange import Exchange


class Secret(msgspec.Struct, frozen=True):
    """What a minted key stands for."""

    token_digest: str
    session: Any
    """What the session is to be like, in the protocol's own words."""


async def mint(core: Core, x: Exchange, prefix: str, wanted: tuple[str, Any], seconds: int) -> tuple[str, int]:
    """Make a key for sessions; see `deeepai.declare.View`.

    Parameters
    ----------
    wanted : tuple
        The model, and what the session is to be like.
    """
    model, session = wanted
    candidates.name_model(core, x, model)
    candidates.tiers(core, x)
    operation = next((each.name for each in x.protocol.operations if isinstance(each, Socket)), None)
    if operation is None:
        raise Failure(Reason.INVALID, "The protocol has no sessions")
    key, now = new_session_secret(prefix), now_ms()
    expires_at = now // 1000 + seconds
    row = secret_rows.SecretRow(
        digest=keys.digest(key),
        token_digest=keys.digest(keys.find_key(x.request, x.protocol)),
        operation=f"{x.protocol.name}.{operation}",
        model=model,
        session=msgspec.json.encode(session).decode(),
        expires_at=expires_at * 1000,
        created_at=now,
    )
    await core.db.write(lambda tx: secret_rows.add(tx, row))
    return key, expires_at


async def find(db: Database, digest: str, operation: str) -> Secret | None:
    """Return what a key stands for; None where there is none, or it has expired."""
    row = await db.read(lambda tx: secret_rows.find(tx, digest, operation, now_ms()))
    return None if row is None else Secret(row[0], msgspec.json.decode(row[1]))
