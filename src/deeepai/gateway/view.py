"""What operations that the gateway answers by itself may look at: the caller's own things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

import structlog

from ..accounts import sub_tokens, tokens
from ..declare import Allowance, Failure, Json, Links, Made, Reason, Request, State, Task, Usage, Window
from ..money import entries
from ..storage import object_rows
from ..tasks import store
from ..tasks.links import SignedLinks
from . import candidates, every_task
from .core import Core
from .exchange import Exchange
from .model_list import Listed
from .objects import place
from .realtime import keys as session_keys

log = structlog.get_logger()

MOST = 100
"""Tasks on a page."""


class GatewayView:
    """See `deeepai.declare.View`."""

    def __init__(self, core: Core, x: Exchange) -> None:
        self._core = core
        self._x = x

    @property
    def request(self) -> Request[Any]:
        """The request."""
        return self._x.request

    @property
    def links(self) -> SignedLinks:
        """The gateway's own addresses."""
        return candidates.links_for(self._core, self._x)

    @property
    def account_id(self) -> str:
        """The account that pays."""
        return self._x.caller.account_id

    async def models(self) -> Sequence[Listed]:
        """Return the models that the token may call and that are known by name."""
        return self._core.models.all(self._x.caller)

    async def model(self, name: str) -> Listed | None:
        """Return a model that the token may call; None where there is none of this name."""
        return self._core.models.one(self._x.caller, name)

    async def tasks(self, ids: Sequence[str] | None = None, *, open_only: bool = False) -> Sequence[Task]:
        """Return the caller's tasks of this protocol's family, those that are named refreshed where they are stale."""
        core, viewer, protocol = self._core, self._x.caller, self._x.protocol.kin
        tasks = await core.db.read(lambda tx: store.latest(tx, viewer, protocol, ids, open_only=open_only))
        return await asyncio.gather(*(core.poller.fresh(task) for task in tasks)) if ids is not None else tasks

    async def page(self, operations: Sequence[str], window: Window) -> tuple[Sequence[Task], bool]:
        """Return part of the tasks that some operations of this protocol made, and whether there are more.

        Raises
        ------
        Failure
            NOT_FOUND, where the window begins after a task that is not the caller's.
        """
        core, x = self._core, self._x
        names = [f"{x.protocol.name}.{name}" for name in operations]
        limit = max(1, min(window.limit, MOST))
        after = None if window.after is None else await candidates.load(core, x, window.after)
        tasks = await core.db.read(
            lambda tx: store.page(tx, x.caller, names, after=after, newest_first=window.newest_first, limit=limit + 1)
        )
        return tasks[:limit], len(tasks) > limit

    async def objects(self, kind: str, limit: int) -> Sequence[Made]:
        """Return the latest objects of a kind that vendors keep for the caller, with the facts that are known."""
        core, x = self._core, self._x
        owner, found, last = place.owner_of(x), list[Made](), None
        while len(found) < limit:
            rows = await core.db.read(
                lambda tx, after=last: object_rows.page(
                    tx, owner, kind, after=after, before=None, newest_first=True, limit=limit
                )
            )
            found += [
                Made(row.id, kind, row.parent_id, row.facts, row.created_at)
                for row in rows
                if place.is_here(core, x, row)
            ]
            if len(rows) < limit:
                break
            last = rows[-1]
        return found[:limit]

    async def forget(self, task_id: str) -> None:
        """Delete a task that has ended and its files; the vendor's own copy, too, as far as it obeys.

        Raises
        ------
        Failure
            NOT_FOUND; CONFLICT, where it has not ended.
        """
        core, x = self._core, self._x
        task = await candidates.load(core, x, task_id)
        if not task.state.final:
            raise Failure(Reason.CONFLICT, "The task has not ended yet", code="task_not_ended")
        with x.waiting():
            await every_task.asked(core, task, core.life.rules(task).discard)
        keys = await core.db.write(lambda tx: store.forget(tx, task.id))
        for key in keys:
            await core.life.assets.delete(key)
        log.info("task.forgotten", task=task.id, protocol=task.protocol, files=len(keys))

    async def cancel(self, task_id: str) -> bool:
        """Ask the vendor to stop a task, and look what became of it; return whether there was anything to stop.

        Raises
        ------
        Failure
            As `every_task.cancel`.
        """
        core, x = self._core, self._x
        task = await candidates.load(core, x, task_id)
        if not task.state.final:
            await every_task.stop(core, x, task)
            return True
        return False

    async def every_task(
        self, protocol: str | None, states: Sequence[State], mode: str | None, after: str | None, limit: int
    ) -> Json:
        """Return a page of the caller's tasks of every protocol."""
        if protocol is not None and protocol not in self._core.dispatcher.protocols:
            raise Failure(Reason.INVALID, f"There is no protocol '{protocol[:64]}'", param="protocol")
        wanted = store.Wanted(protocol, states, "test" if mode == "test" else "live" if mode else None, limit)
        return await every_task.page(self._core, self._x, wanted, after)

    async def task_of_any(self, task_id: str) -> Json:
        """Return one of the caller's tasks, whatever its protocol."""
        return await every_task.get(self._core, self._x, task_id)

    async def cancel_any(self, task_id: str) -> Json:
        """Have a task's vendor stop it; return it as it stands then."""
        return await every_task.cancel(self._core, self._x, task_id)

    async def events(self, task_id: str, seen: int | None) -> AsyncIterator[bytes] | None:
        """Return the events of a task to its end; None where that was told before."""
        return await every_task.events(self._core, self._x, task_id, seen)

    async def follow(self, task_id: str, tell: Callable[[Task, Links], bytes]) -> AsyncIterator[bytes]:
        """Return what is told of a task as it goes on, in its protocol's words."""
        core, links = self._core, self.links
        task = await core.poller.fresh(await candidates.load(core, self._x, task_id))

        async def told() -> AsyncGenerator[bytes]:
            present = task
            yield tell(present, links)
            async for changed in core.watch.follow(task, every_task.PING_SECONDS):
                present = changed or present
                yield tell(present, links)

        return told()

    async def allowance(self) -> Allowance:
        """Return what the caller's key may spend, and has spent."""
        core, token = self._core, self._x.caller
        available, held, _ = await core.ledger.balance(token.account_id)
        # What nodes lease is held, too: without it the sum of left and spent would jump with each lease.
        available += held
        spent = await core.db.read(lambda tx: tokens.spent(tx, token.id))
        if token.budget is not None:
            available = max(0, min(available, token.budget - spent))
        sub, calls = token.sub, None
        if sub is not None and sub.most is not None:
            calls = await core.db.read(lambda tx: sub_tokens.used(tx, sub.id)), sub.most
        bounded = token.budget is not None
        return Allowance(token.name, spent, available, bounded, token.expires_at, token.models, calls)

    async def spent(self, since: int, until: int) -> int:
        """Return what the caller's key spent on calls made within a time, in 10⁻⁹ USD; ms since 1970."""
        token = self._x.caller
        await self._core.ledger.drain()
        return await self._core.db.read(lambda tx: entries.spent_within(tx, token.account_id, token.id, since, until))

    async def balance(self) -> tuple[int, int, int]:
        """Return available, held and spent, in 10⁻⁹ USD."""
        return await self._core.ledger.balance(self._x.caller.account_id)

    async def cost(self, model: str, usage: Usage) -> int | None:
        """Return what a usage costs the caller where it is charged, in 10⁻⁹ USD."""
        return self._core.prices.cost(model, usage, self._x.caller.price_group)

    async def sub_token(self, prefix: str, holder: str, most: int | None, seconds: int) -> str:
        """Make a key that stands for the caller's own towards this protocol, for a while.

        Raises
        ------
        Failure
            FORBIDDEN, where the caller's key is such a one itself.
        """
        token = self._x.caller
        if token.sub is not None:
            raise Failure(Reason.FORBIDDEN, "A key of this kind makes no further ones: use the account's own")
        new = sub_tokens.NewSubToken(token.id, self._x.protocol.kin, prefix, holder, most, seconds)
        return await self._core.db.write(lambda tx: sub_tokens.create(tx, new))

    async def mint(self, prefix: str, model: str, session: Any, seconds: int) -> tuple[str, int]:
        """Make a key for sessions with one model, as the caller."""
        return await session_keys.mint(self._core, self._x, prefix, (model, session), seconds)
