"""The caller's tasks of every protocol, in one shape: listed, shown, stopped, and told of as they go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Final

import msgspec
import structlog

from ..accounts.query import cursor, place
from ..declare import Failure, Json, Reason, State, Task, UpstreamCall
from ..storage.database import Tx
from ..tasks import shown, store
from ..tasks.hosts import address
from ..tasks.store import Stored
from ..upstream import UpstreamError, credentials, transports
from . import candidates
from .attempts import is_error
from .core import Core
from .exchange import Exchange

log = structlog.get_logger()

MOST: Final = 100
"""Tasks on a page."""
PING_SECONDS: Final = 10.0
"""In which a watcher that hears nothing is told that its stream goes on."""
_PING: Final = b": ping\n\n"


async def page(core: Core, x: Exchange, wanted: store.Wanted, after: str | None) -> dict[str, Json]:
    """Return a page of the caller's tasks, newest first, and where the next begins.

    Parameters
    ----------
    after : str or None
        A cursor that another page gave.

    Raises
    ------
    Failure
        INVALID, where that is none.
    """
    at = None if after is None else place(after)

    async def work(tx: Tx) -> tuple[list[Stored], Sequence[store.Row]]:
        tasks = await store.of_every_protocol(tx, x.caller, wanted, at)
        return tasks, await store.assets(tx, [task.id for task in tasks])

    tasks, rows = await core.db.read(work)
    links, files = candidates.links_for(core, x), shown.by_owner(rows)
    more = len(tasks) > wanted.limit
    data = [shown.shown(task, files.get(task.id, ()), links) for task in tasks[: wanted.limit]]
    last = tasks[wanted.limit - 1] if more else None
    following = None if last is None else cursor(last.submitted_at, last.id)
    return {"object": "list", "data": data, "has_more": more, "next_cursor": following}


async def get(core: Core, x: Exchange, task_id: str) -> dict[str, Json]:
    """Return one of the caller's tasks, as fresh as its protocol wants it.

    Raises
    ------
    Failure
    """
    task = await load(core, x, task_id)
    with x.waiting():
        task = await core.poller.fresh(task)
    return await _told(core, x, task)


async def load(core: Core, x: Exchange, task_id: str) -> Stored:
    """Return one of the caller's tasks, whatever its protocol.

    Raises
    ------
    Failure
        NOT_FOUND, whoever else's it may be.
    """
    viewer = x.caller
    # No id holds a NUL, and PostgreSQL takes none.
    task = None if "\0" in task_id else await core.db.read(lambda tx: store.load(tx, viewer, task_id))
    if task is None:
        raise Failure(Reason.NOT_FOUND, f"Task '{task_id[:64]}' was not found", code="task_not_found")
    return task


async def _told(core: Core, x: Exchange, task: Stored) -> dict[str, Json]:
    rows = await core.db.read(lambda tx: store.assets(tx, [task.id])) if task.results else ()
    return shown.shown(task, rows, candidates.links_for(core, x))


# Stopping ----------------------------------------------------------------------------------------------------------


async def cancel(core: Core, x: Exchange, task_id: str) -> dict[str, Json]:
    """Have a task stopped by its vendor; return it as it stands then.

    Raises
    ------
    Failure
        NOT_FOUND; CONFLICT, where it has ended otherwise, or the vendor does not stop it now; UNPROCESSABLE, where it
        never does.
    """
    task = await load(core, x, task_id)
    if task.state is not State.CANCELLED:
        if task.state.final:
            raise Failure(Reason.CONFLICT, f"The task has ended: it {task.state.value}", code="task_ended")
        await stop(core, x, task)
        with x.waiting():
            task = await core.poller.look_now(task)
    return await _told(core, x, task)


async def stop(core: Core, x: Exchange, task: Stored) -> None:
    """Ask a task's vendor to stop it; what becomes of it, polls will tell.

    Raises
    ------
    Failure
    """
    rule = core.life.rules(task).cancel
    if rule is None:
        message = "The vendor of this task has no way to stop it; it goes on, and costs what it costs"
        raise Failure(Reason.UNPROCESSABLE, message, code="cancel_unsupported")
    if task.upstream_id is None:
        message = "The vendor has not confirmed the task yet; try again in a while"
        raise Failure(Reason.CONFLICT, message, code="task_not_confirmed", retry_after=5)
    with x.waiting():
        if not await asked(core, task, rule):
            raise Failure(Reason.CONFLICT, "The vendor does not stop the task now", code="task_not_stopped")
        await core.life.stopping(task)
    log.info("task.stopped", task=task.id, protocol=task.protocol)


async def asked(core: Core, task: Stored, rule: Callable[[Task], UpstreamCall] | None) -> bool:
    """Ask a task's vendor for something; tell whether it obeys."""
    channel = core.dispatcher.by_id(task.channel_id)
    if rule is None or channel is None or task.upstream_id is None:
        return False
    ask = rule(task)
    headers = {**credentials.headers(core.dispatcher.protocols[channel.protocol], channel), **ask.headers}
    try:
        client = transports.client_for(core.client, channel)
        answer = await client.ask(ask.method, address(channel, ask.path), headers, None, channel.limits)
    except UpstreamError as fault:
        log.warning("task.disobeyed", task=task.id, channel=channel.name, method=ask.method, error=str(fault))
        return False
    obeyed = answer.status < 400 and not is_error(answer)
    if not obeyed:
        log.warning("task.disobeyed", task=task.id, channel=channel.name, method=ask.method, status=answer.status)
    return obeyed


# Watching ----------------------------------------------------------------------------------------------------------


async def events(core: Core, x: Exchange, task_id: str, seen: int | None) -> AsyncIterator[bytes] | None:
    """Return the events of a task, from how it stands on to its end; None where its end was told before.

    Parameters
    ----------
    seen : int or None
        The last event that the caller has had.

    Raises
    ------
    Failure
    """
    task = await load(core, x, task_id)
    if seen is not None and seen >= task.version and task.state.final:
        return None
    return _events(core, x, task, known=seen is not None and seen >= task.version)


async def _events(core: Core, x: Exchange, task: Stored, *, known: bool) -> AsyncGenerator[bytes]:
    yield _PING if known else await _event(core, x, task)
    async for changed in core.watch.follow(task, PING_SECONDS):
        yield _PING if changed is None else await _event(core, x, changed)


async def _event(core: Core, x: Exchange, task: Stored) -> bytes:
    kind = task.state.value if task.state.final else "updated"
    data = msgspec.json.encode(await _told(core, x, task))
    return b"id: %d\nevent: task.%s\ndata: %s\n\n" % (task.version, kind.encode(), data)
