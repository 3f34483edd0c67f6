"""Settlements on their way into the tables: in groups, and over SQLite by way of the node's journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from deeepai.money.entries import BULK, INSERT_USAGE, UsageRow, cleaned
from deeepai.money.journal import Journal
from deeepai.money.leases import Lease
from deeepai.money.settlements import Contended, Item, group, settle_alone
from deeepai.storage.database import Database, Unwritable

log = logging.getLogger(__name__)

_GROUP = 1024
_LINGER_SECONDS = 0.1
"""For how long charges that are in the journal wait for others: seldom enough that few requests meet the commit."""
_RETRY_SECONDS = (0.05, 0.2, 0.8, 2.0)
_LATE_SECONDS = 1.0
"""After which the database is tried again that took no write."""
_MOST_ROWS = 10_000
"""Usage rows without money that wait for a database that takes no write."""


class Commits:
    """What one node has to commit.

    Parameters
    ----------
    lost : callable
        Told of a lease that turned out to be gone.
    clock : callable
        Milliseconds since 1970.
    """

    def __init__(self, db: Database, lost: Callable[[Lease], None], clock: Callable[[], int]) -> None:
        self._db = db
        self._lost = lost
        self._clock = clock
        self._bulk = BULK[db.dialect]
        self._items: list[Item] = []
        self._rows: list[UsageRow] = []
        self._flusher: asyncio.Task[None] | None = None
        self._journal: Journal | None = None
        self._linger: asyncio.Future[None] | None = None
        self._closing = False
        self._unsettled = False
        """The end came before the database took all that is in the journal."""
        self._late = False
        """The database took no write: what was to be committed waits."""
        self._ended: int | None = None
        """The journal's file that was being settled then."""
        self._again: asyncio.TimerHandle | None = None

    def add(self, item: Item, *, held: bool) -> Awaitable[None] | None:
        """Commit a settlement: at once, or when what this returns is done, which raises where it cannot be.

        Parameters
        ----------
        held : bool
            Somebody held for it. What nobody held for is looked at first: there may be no such account.
        """
        if held and self._journaled(item):
            self._items.append(item)
            if self._flusher is None:
                if not self._late:
                    self._flush_soon()
            elif len(self._items) >= _GROUP:
                self._hurry()
                return asyncio.sleep(0)
            return None
        item.future = asyncio.get_running_loop().create_future()
        self._items.append(item)
        if self._flusher is None:
            self._flusher = self._start()
        return item.future

    def _journaled(self, item: Item) -> bool:
        if self._journal is None and self._db.beside is not None:
            try:
                self._journal = Journal(self._db.beside)
            except OSError:
                return False
        return self._journal is not None and self._journal.append(item)

    def record(self, row: UsageRow) -> None:
        """Write a usage row without money, with the next group; nobody waits for it."""
        self._rows.append(row)
        if self._flusher is not None or self._late:
            return
        if self._journal is None:
            self._flusher = self._start()
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        loop = asyncio.get_running_loop()
        self._linger = loop.create_future()
        loop.call_later(_LINGER_SECONDS, _end, self._linger)
        self._flusher = loop.create_task(self._flush_after(self._linger))

    async def _flush_after(self, linger: asyncio.Future[None]) -> None:
        await linger
        await self._flush()

    def _hurry(self) -> None:
        if self._linger is not None:
            _end(self._linger)

    async def drain(self) -> bool:
        """Have all that is committed reach the tables, for somebody who wants to look at them.

        Returns
        -------
        bool
            False: the database takes no write, and something waits for it.
        """
        self._hurry()
        if self._flusher is not None:
            await asyncio.shield(self._flusher)
        return not self._late

    async def _flush(self) -> None:
        try:
            while self._items or self._rows or self._late:
                await self._flush_once()
        except Unwritable as fault:
            if not self._late:
                log.error("what is charged waits for the database: %s", fault)
            self._late = True
            if self._closing:
                self._unsettled = True
            elif self._again is None:
                self._again = asyncio.get_running_loop().call_later(_LATE_SECONDS, self._flush_late)
        finally:
            self._flusher = None

    def _flush_late(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._flusher is None:
            self._flusher = self._start()

    async def _flush_once(self) -> None:
        journal, late = self._journal, self._late
        # Groups end with the journal's file, so that it can be cleared.
        if journal is not None and self._ended is None:
            self._ended = journal.turn()
        items, self._items = self._items, []
        rows, self._rows = self._rows, []
        done = 0
        try:
            for done in range(0, max(len(items), len(rows)), _GROUP):
                await self._commit(items[done : done + _GROUP], rows[done : done + _GROUP])
        except BaseException as fault:
            left = items[done:]
            if isinstance(fault, Unwritable):
                # Who waits for the commit is told; what is in the journal is charged already.
                for item in left:
                    self._refuse(item, fault)
                left = [item for item in left if item.future is None]
            self._items = left + self._items
            self._rows = (rows[done:] + self._rows)[:_MOST_ROWS]
            raise
        if journal is not None and self._ended is not None and not self._unsettled:
            journal.clear(self._ended)
        self._ended = None
        if late:
            # What came meanwhile lies in the other file, which ends now.
            self._late = False
            log.warning("the database takes writes again")
            if journal is not None:
                await self._flush_once()

    async def _commit(self, items: list[Item], rows: list[UsageRow]) -> None:
        if self._commit_now(items, rows):
            return
        try:
            await self._db.write(group(items, rows, self._bulk, self._clock()))
        except Unwritable:
            raise
        except Exception:
            # Whatever it was, each is judged alone, and no poor row keeps others from their commit.
            await self._one_by_one(items, rows)
        else:
            _tell(items)

    def _commit_now(self, items: list[Item], rows: list[UsageRow]) -> bool:
        """Commit a group on this thread; where that fails or would wait, nothing has changed."""
        try:
            if self._db.write_now(group(items, rows, self._bulk, self._clock())) is None:
                return False
        except Exception:
            return False
        _tell(items)
        return True

    async def _one_by_one(self, items: list[Item], rows: list[UsageRow]) -> None:
        for item in items:
            try:
                await self._settle_alone(item)
            except Unwritable:
                raise
            except Exception as error:
                log.exception("request %s was not settled", item.settlement.request_id)
                self._unsettled |= item.future is None and not isinstance(error, LookupError)
                self._refuse(item, error)
            else:
                _tell([item])
        for row in rows:
            try:
                values = msgspec.structs.astuple(cleaned(row))
                await self._db.write(lambda tx, values=values: tx.execute(INSERT_USAGE, *values))
            except Unwritable:
                raise
            except Exception:
                log.exception("usage of request %s was not recorded", row.request_id)

    def _refuse(self, item: Item, error: Exception) -> None:
        """Tell who waits for a settlement that there is none; its hold is open again."""
        if item.future is None or (item.future.done() and not item.future.cancelled()):
            return
        self._reopen(item)
        if not item.future.done():
            item.future.set_exception(error)

    def _reopen(self, item: Item) -> None:
        hold = item.settlement.hold
        if hold is None or item.repeated:
            return
        if item.lease is not None:
            item.lease.held += hold.amount
            item.lease.free += item.taken - hold.amount
        hold.closed = False

    async def _settle_alone(self, item: Item) -> None:
        """Settle one request, doing nothing where it was settled before; a connection that is cut is tried again."""
        pauses = iter(_RETRY_SECONDS)
        while True:
            try:
                known = await self._db.write(lambda tx: settle_alone(tx, item, self._clock()))
            except Exception as fault:
                # What is in the journal is charged already: it is tried until the database takes it, or the end comes.
                lasting = item.future is None and not isinstance(fault, LookupError) and not self._closing
                passing = isinstance(fault, OSError | Contended)
                pause = next(pauses, _RETRY_SECONDS[-1] if lasting else None)
                if pause is None or not (passing or lasting):
                    raise
                await asyncio.sleep(pause)
            else:
                if not known and item.lease is not None:
                    self._lost(item.lease)
                return

    def _start(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._flush())

    async def finish(self) -> None:
        """Commit what is queued, as far as the database takes it."""
        self._closing = True
        self._hurry()
        if self._late:
            self._flush_late()
        while self._flusher is not None:
            await asyncio.wait((self._flusher,))

    def close(self) -> None:
        """Let go of the journal; what is not settled stays in it for the next node."""
        if self._journal is not None:
            self._journal.close(keep=self._unsettled)
            self._journal = None


def _end(linger: asyncio.Future[None]) -> None:
    if not linger.done():
        linger.set_result(None)


def _tell(items: list[Item]) -> None:
    for item in items:
        if item.future is not None and not item.future.done():
            item.future.set_result(None)
