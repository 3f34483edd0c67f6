"""The charged calls that a sub-token may make: each is counted before it is sent, and no more where it cost nothing."""

from __future__ import annotations

import asyncio

import structlog

from ..accounts import sub_tokens
from ..accounts.models import SubToken
from ..declare import Failure, Reason, Usage
from ..storage.database import StorageFault
from .core import Core

log = structlog.get_logger()


async def take(core: Core, sub: SubToken, estimate: Usage) -> str | None:
    """Count a call; return the sub-token's id, or None where nothing is counted.

    Parameters
    ----------
    estimate : Usage
        What the call will probably consume: one that is free consumes no calls.

    Raises
    ------
    Failure
        UNFUNDED, where no more calls are allowed.
    """
    if not estimate.calls:
        return None
    if not await core.db.write(lambda tx: sub_tokens.take(tx, sub.id)):
        message = f"This key was made for {sub.most} charged calls, and all are made"
        raise Failure(Reason.UNFUNDED, message, code="limit")
    return sub.id


async def give_back(core: Core, name: str) -> None:
    """Count a call no more, whoever leaves meanwhile."""
    try:
        await asyncio.shield(core.db.write(lambda tx: sub_tokens.give_back(tx, name)))
    except StorageFault as fault:
        log.warning("sub_token.not_given_back", id=name, error=str(fault)[:300])
