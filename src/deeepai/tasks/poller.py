"""Looks after open tasks: leases what is due, asks each channel apart, so that a slow one delays no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from ..accounts.own_channels import NODES_OWN
from ..storage.database import StorageFault, Tx
from ..storage.ids import now_ms
from ..storage.leases import lease_rows
from . import store
from .life import TaskLife
from .outbox import Outbox
from .store import Stored, from_row

log = structlog.get_logger()

LEASED_AT_ONCE = 200
MOST_RUNNING = 800
"""Tasks that are asked for, or wait for their turn, before more are leased."""
BATCH = 50
PER_CHANNEL = 8
"""Questions under way to one channel."""
_ABANDONED_MS = 3_600_000
"""A task at another node's own channel is due for so long before any node may end it."""


class Poller:
    """One node's share of the polling and of the deliveries.

    Parameters
    ----------
    node : str
        Who leases.
    tick : float
        Seconds between looks for what is due.
    own : sequence of str
        Ids of the channels that this node has to itself.
    """

    def __init__(
        self, life: TaskLife, outbox: Outbox, *, node: str, tick: float = 0.5, own: Sequence[str] = ()
    ) -> None:
        self._life = life
        self._outbox = outbox
        self._node = node
        self._tick = tick
        self._own = frozenset(own)
        shared = f"substr(channel_id, 1, 4) NOT IN {NODES_OWN!r}"
        own_ids = ", ".join(f"'{one}'" for one in sorted(self._own))
        self._mine = f"{shared} OR channel_id IN ({own_ids})" if own_ids else shared
        self._running: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_CHANNEL))
        self._looking: dict[str, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        told = False
        while True:
            try:
                while await self._round():
                    pass
                told = False
            except StorageFault as fault:
                if not told:
                    log.warning("poller.waits", reason=str(fault))
                told = True
            except Exception:
                log.exception("poller.failed")
            self._outbox.look()
            await asyncio.sleep(self._tick)

    async def _round(self) -> bool:
        """Begin to ask for what is due; return whether there may be more, and there is room for it."""
        if len(self._running) >= MOST_RUNNING:
            return False
        now = now_ms()
        rows = await self._life.db.write(
            lambda tx: lease_rows(
                tx,
                self._life.db.dialect,
                table="tasks",
                key="id",
                due="next_poll_at",
                now=now,
                until=now + int(self._life.timing.lease * 1000),
                limit=LEASED_AT_ONCE,
                owner=self._node,
                only=f"{self._mine} OR next_poll_at <= {now - _ABANDONED_MS}",
            )
        )
        channels: dict[tuple[str, int], list[Stored]] = defaultdict(list)
        for row in rows:
            task = from_row(row)
            # What follows other rules is asked for in other words.
            channels[task.channel_id, id(self._life.rules(task))].append(task)
        for (channel_id, _), tasks in channels.items():
            size = BATCH if self._life.rules(tasks[0]).batch is not None else 1
            for start in range(0, len(tasks), size):
                self._spawn(channel_id, tasks[start : start + size])
        return len(rows) == LEASED_AT_ONCE

    def _spawn(self, channel_id: str, tasks: Sequence[Stored]) -> None:
        async def look() -> None:
            async with self._turns[channel_id]:
                try:
                    await self._life.look(tasks)
                except StorageFault as fault:
                    log.warning("poll.waits", channel=channel_id, reason=str(fault))
                except Exception:
                    log.exception("poll.failed", channel=channel_id, tasks=[task.id for task in tasks])

        running = asyncio.create_task(look())
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def fresh(self, task: Stored) -> Stored:
        """Return a task as fresh as its protocol wants it, asking the vendor at most once at a time for everybody."""
        if task.finished_at is not None or task.next_poll_at is None or self._elsewhere(task):
            return task
        rules = self._life.rules(task)
        if task.polled_at is not None and now_ms() - task.polled_at < rules.fresh * 1000:
            return task
        if task.state.value in ("submitting", "unknown"):
            return task
        return await self.look_now(task)

    async def look_now(self, task: Stored) -> Stored:
        """Ask the vendor of a task for everybody; return it as it stands then."""
        running = self._looking.get(task.id)
        if running is None:
            running = self._looking[task.id] = asyncio.ensure_future(self._look_now(task))
            running.add_done_callback(lambda _: self._looking.pop(task.id, None))
        await asyncio.shield(running)
        found = await self._life.db.read(lambda tx: store.load_any(tx, task.id))
        return found or task

    def _elsewhere(self, task: Stored) -> bool:
        """Tell whether only another node can ask for a task."""
        return task.channel_id.startswith(NODES_OWN) and task.channel_id not in self._own

    async def _look_now(self, task: Stored) -> None:
        now = now_ms()

        async def lease(tx: Tx) -> Stored | None:
            taken = await tx.execute(
                "UPDATE tasks SET leased_until = $2, leased_by = $3 WHERE id = $1 AND leased_until <= $4",
                task.id,
                now + int(self._life.timing.lease * 1000),
                self._node,
                now,
            )
            return await store.load_any(tx, task.id) if taken else None

        leased = await self._life.db.write(lease)
        if leased is None or leased.finished_at is not None:
            return
        try:
            await self._life.look([leased])
        except Exception:
            log.exception("poll.failed", task=task.id)

    async def stop(self) -> None:
        """Let what is under way come to its end."""
        if self._running:
            await asyncio.wait(self._running, timeout=5)
        await self._outbox.stop()
