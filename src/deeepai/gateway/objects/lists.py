"""Lists of a caller's own objects.

A vendor's list shows all that its account holds, whoever made it. So the order and the bounds of a list come from the
gateway's own rows, and each object of a page is asked for at its channel: a page costs as many questions as it has
objects, however much others store there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from ...declare import Answer, Json, ObjectList, Window
from ...storage import object_rows
from ...storage.object_rows import Owned
from ...upstream import UpstreamError, credentials, transports
from .. import candidates, outgoing, settlement
from ..core import Core
from ..exchange import Exchange
from ..settlement import Outcome
from . import place

log = structlog.get_logger()

MOST = 100
"""Objects on a page."""
MOST_ASKED = 500
"""Objects asked for on the way to one page, where a filter passes over most."""
AT_ONCE = 16
"""Questions under way."""


async def run(core: Core, x: Exchange, operation: ObjectList[Any]) -> None:
    """Answer a list.

    Raises
    ------
    Failure
    """
    listing = operation.listing
    window = listing.window(x.request)
    limit = max(1, min(window.limit, MOST))
    owner = place.owner_of(x)
    ends = [name for name in (window.after, window.before) if name]
    known = await core.db.read(lambda tx: object_rows.find(tx, owner, ends)) if ends else {}
    for name in ends:
        if name not in known or not place.is_here(core, x, known[name]):
            raise place.missing(x, None, name)
    after, before = known.get(window.after or ""), known.get(window.before or "")
    backwards = before is not None and after is None
    turn = asyncio.Semaphore(AT_ONCE)
    data: list[Json] = []
    asked, more = 0, True
    while more and len(data) <= limit and asked < MOST_ASKED:
        step = limit + 1 - len(data)
        rows = await core.db.read(
            lambda tx, a=after, b=before, n=step: object_rows.page(
                tx, owner, listing.kind, after=a, before=b, newest_first=window.newest_first, limit=n
            )
        )
        more = len(rows) == step
        asked += len(rows)
        told = await asyncio.gather(*(_tell(core, x, operation, row, turn) for row in rows))
        good = [value for value in told if value is not None and listing.fits(x.request, value)]
        data = [*good, *data] if backwards else [*data, *good]
        if rows and backwards:
            before = rows[0]
        elif rows:
            after = rows[-1]
    page, has_more = _cut(data, limit, window, backwards=backwards), more or len(data) > limit
    if listing.shows is not None:
        links = candidates.links_for(core, x)
        page = [listing.shows(value, links) for value in page]
    core.ledger.record(settlement.usage_row(x, Outcome(), 200))
    await x.answer(200, [(b"content-type", b"application/json")], msgspec.json.encode(listing.page(page, has_more)))


def _cut(data: Sequence[Json], limit: int, window: Window, *, backwards: bool) -> Sequence[Json]:
    return data[-limit:] if backwards else data[:limit]


async def _tell(core: Core, x: Exchange, operation: ObjectList[Any], row: Owned, turn: asyncio.Semaphore) -> Json:
    """Return an object as its channel tells it now; None where it is not there, or its channel is not."""
    channel = core.dispatcher.by_id(row.channel_id)
    if channel is None or not channel.enabled or channel.mode != x.caller.mode:
        return None
    headers = credentials.headers(x.protocol, channel)
    headers.update(x.request.present(x.protocol.forward_headers))
    if operation.headers is not None:
        headers.update(operation.headers(x.request, outgoing.facts(x, channel, x.model)))
    url = channel.base_url.rstrip("/") + operation.listing.item(row.id)
    async with turn:
        try:
            with x.waiting():
                client = transports.client_for(core.client, channel)
                found: Answer = await client.ask("GET", url, headers, None, channel.limits)
        except UpstreamError as fault:
            log.warning("object.untold", id=row.id, channel=channel.name, error=str(fault))
            raise place.broken() from None
    if found.status == 404:
        return None
    if found.status >= 400:
        log.warning("object.untold", id=row.id, channel=channel.name, status=found.status)
        raise place.broken()
    return found.json()
