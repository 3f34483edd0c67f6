"""What operations that the gateway answers by itself may do with the caller's own things."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ..accounts.models import Token
from ..declare import Allowance, Failure, Reason, Task, Window
from ..storage.database import Tx
from ..tasks import store
from ..tasks.hosts import address
from ..tasks.store import Stored
from ..upstream import UpstreamError, transports
from .core import Core
from .exchange import Exchange

log = structlog.get_logger()

MOST = 100
"""Tasks on a page."""


async def page(core: Core, x: Exchange, operations: Sequence[str], window: Window) -> tuple[Sequence[Task], bool]:
    """Return part of the tasks that some operations of this protocol made, and whether there are more.

    Raises
    ------
    Failure
        NOT_FOUND, where the window begins after a task that is not the caller's.
    """
    account, protocol = x.caller.account_id, x.protocol.name
    names = [f"{protocol}.{name}" for name in operations]
    limit = max(1, min(window.limit, MOST))
    after = None if window.after is None else await core.load(x, window.after)
    found = await core.db.read(
        lambda tx: store.page(tx, account, names, after=after, newest_first=window.newest_first, limit=limit + 1)
    )
    return found[:limit], len(found) > limit


async def forget(core: Core, x: Exchange, task_id: str) -> None:
    """Delete a task that has ended and its files; the vendor's own copy, too, as far as it obeys.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where it has not ended.
    """
    task = await core.load(x, task_id)
    if not task.state.final:
        raise Failure(Reason.CONFLICT, "The task has not ended yet", code="task_not_ended")
    with x.waiting():
        await _discard(core, task)
    keys = await core.db.write(lambda tx: store.forget(tx, task.id))
    for key in keys:
        await core.life.assets.delete(key)
    log.info("task.forgotten", task=task.id, protocol=task.protocol, files=len(keys))


async def _discard(core: Core, task: Stored) -> None:
    discard, channel = core.life.rules(task).discard, core.dispatcher.by_id(task.channel_id)
    if discard is None or channel is None or task.upstream_id is None:
        return
    ask, protocol = discard(task), core.dispatcher.protocols[channel.protocol]
    headers = protocol.authorize(channel.credential) if channel.credential else {}
    try:
        client = transports.through(core.client, channel)
        answer = await client.ask(ask.method, address(channel, ask.path), headers, None, channel.limits)
    except UpstreamError as fault:
        log.warning("task.undiscarded", task=task.id, channel=channel.name, error=str(fault))
        return
    if answer.status >= 400:
        log.warning("task.undiscarded", task=task.id, channel=channel.name, status=answer.status)


async def allowance(core: Core, token: Token) -> Allowance:
    """Return what a token may spend, and has spent."""
    available, held, _ = await core.ledger.balance(token.account_id)
    # What nodes lease is held, too: without it the sum of left and spent would jump with each lease.
    available += held
    spent = await core.db.read(lambda tx: tx.fetchval("SELECT spent FROM tokens WHERE id = $1", token.id))
    spent = int(spent or 0)
    if token.budget is not None:
        available = max(0, min(available, token.budget - spent))
    return Allowance(token.name, spent, available, token.budget is not None, token.expires_at, token.models)


async def spent(core: Core, token: Token, since: int, until: int) -> int:
    """Return what a token spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""

    async def read(tx: Tx) -> int:
        found = await tx.fetchval(
            "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) FROM usage "
            "WHERE account_id = $1 AND token_id = $2 AND created_at >= $3 AND created_at < $4",
            token.account_id,
            token.id,
            since,
            until,
        )
        return int(found)

    await core.ledger.drain()
    return await core.db.read(read)
