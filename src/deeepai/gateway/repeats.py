"""Submissions that a client sends again without telling: one job, of which each is told.

The same body from the same token to the same operation is the same submission while the first is under way, and for
the seconds that the operation names (`Repeats`) from its answer on; not if the first came to nothing: it was refused,
or its job has failed or is gone. The rows are those of idempotency keys, whose leases show that requests still have
a gateway.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from ..declare import Repeats, State, Submit
from ..storage import idempotency_rows
from ..storage.database import Tx
from ..storage.idempotency_rows import Key
from ..storage.ids import now_ms
from ..tasks import store
from ..tasks.store import Stored
from . import jobs
from .core import Core
from .exchange import Exchange, Left

LEASE_SECONDS: Final = 6.0
"""For which a gateway that says nothing is believed to be at work."""
_LOOK: Final = 0.1
_NAME: Final = "repeat:"
_NOTE: Final = {"idempotent-replayed": "true"}

Work = Callable[[Exchange], Coroutine[Any, Any, None]]


def lease_ms(core: Core) -> int:
    """Return for how long a request that is under way says so at once."""
    return round(min(LEASE_SECONDS, core.settings.lease_ttl) * 1000)


class Entry:
    """A submission's place among its like.

    Attributes
    ----------
    key : Key
    task : Stored or None
        The job that an equal one started.
    """

    def __init__(self, x: Exchange, repeats: Repeats, digest: str, lease: int) -> None:
        self.key = Key(x.caller.account_id, _NAME + digest, x.id, x.caller.mode)
        self.task: Stored | None = None
        self._digest = digest
        self._lease = lease
        self._within = round(repeats.within * 1000)
        self._new = bool(repeats.counted) and x.request.header(repeats.counted) == "0"

    async def take(self, tx: Tx) -> bool:
        """Find the place; False: an equal one is under way."""
        key, self.task = self.key, None
        if self._new:
            self._new = False
            await idempotency_rows.drop(tx, key)
        for _ in range(2):
            claimed = await idempotency_rows.claim(tx, key, self._digest, now_ms(), self._lease, self._within)
            if claimed is None:
                return True
            gone = isinstance(claimed, str)
            request_id: str = claimed if isinstance(claimed, str) else claimed["request_id"]
            task = await store.of_request(tx, key.account_id, request_id)
            if task is None and gone:
                self.key = Key(key.account_id, key.name, request_id, key.mode)
                return True
            if task is not None and task.state not in (State.FAILED, State.CANCELLED):
                self.task = task
                return gone or task.state is not State.SUBMITTING
            if task is None and not gone and claimed["status"] is None:
                return False
            await idempotency_rows.drop(tx, key)
        return False

    async def under_way(self, tx: Tx) -> bool:
        """Tell whether nothing is known yet of the equal one."""
        request_id = await idempotency_rows.leased(tx, self.key, now_ms())
        task = await store.of_request(tx, self.key.account_id, request_id) if request_id is not None else None
        return request_id is not None and (task is None or task.state is State.SUBMITTING)

    async def end(self, tx: Tx) -> None:
        """Let go, or have those that come within the time be told of the job."""
        task = await store.of_request(tx, self.key.account_id, self.key.request_id)
        if task is None:
            await idempotency_rows.free(tx, self.key)
        else:
            await idempotency_rows.settle(tx, self.key, now_ms() + self._within)

    async def renew(self, tx: Tx) -> None:
        """Say that the request is still under way."""
        until = now_ms() + self._lease
        await idempotency_rows.renew(tx, self.key, until, until + self._within)


async def enter(core: Core, x: Exchange, repeats: Repeats) -> Entry | None:
    """Take a place, or tell of the job that an equal submission started; None then, or where the caller has left.

    Raises
    ------
    Failure
    """
    entry = Entry(x, repeats, await x.apart(_digest, x), lease_ms(core))
    try:
        with x.waiting():
            while not await core.db.write(entry.take):
                await x.watched(_ended(core, entry))
    except Left:
        return None
    if entry.task is None:
        x.id = entry.key.request_id
        return entry
    assert isinstance(x.operation, Submit)
    await jobs.tell(core, x, x.operation, entry.task, _NOTE)
    return None


async def _ended(core: Core, entry: Entry) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        if not await core.db.read(entry.under_way):
            return


def _digest(x: Exchange) -> str:
    """Return a digest of what a submission says, and who says it; of a form, whatever its boundary."""
    request, found = x.request, hashlib.sha256()

    def add(pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            found.update(b"%d:" % len(piece))
            found.update(piece)

    query: bytes = request.scope["query_string"]
    add((x.caller.id.encode(), x.route.name.encode(), request.path.encode("utf-8", "surrogateescape"), query))
    for part in request.parts:
        add(
            text.encode("utf-8", "surrogateescape")
            for text in (part.name, part.filename or "", part.content_type or "")
        )
        found.update(b"%d:" % len(part.data))
        found.update(part.data)
    if not request.parts:
        for block in request.blocks():
            found.update(block)
    return found.hexdigest()
