"""Calls that tasks of another protocol serve: submitted, waited for, answered."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping

from ..declare import Failure, Json, Reason, State, Submit, TaskTranslator
from ..tasks.store import Stored
from . import candidates, files, jobs
from .core import Core
from .dispatch import Reachable, Way
from .exchange import Exchange
from .routing import Route
from .translation import inner_request


def find(core: Core, x: Exchange) -> TaskTranslator | None:
    """Return the translator that serves a call by tasks of another protocol, where channels serve its target."""
    for translator in core.task_translators.get(x.route.name, ()):
        target = core.translators.routes[translator.target]
        token = x.caller
        name = target.protocol.name
        reachable = _by_tasks(name, Way(target.operation.name, translator.models))
        if core.dispatcher.tiers(name, x.model, token.mode, token.price_group, reachable):
            return translator
    return None


@functools.cache
def _by_tasks(protocol: str, way: Way) -> Reachable:
    return Reachable(((protocol, (way,)),))


async def run(core: Core, x: Exchange, translator: TaskTranslator) -> None:
    """Serve a call by tasks of another protocol.

    Each task holds and is charged for itself, so the call costs nothing of its own.

    Raises
    ------
    Failure
    """
    target = core.translators.routes[translator.target]
    inner = await x.apart(_inner_all, x, translator, target)
    outcomes = await asyncio.gather(*(_start(core, each) for each in inner), return_exceptions=True)
    x.waited += max(each.waited for each in inner)
    tasks = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    if not tasks:
        raise _failure(outcomes[0], translator)
    deadline = translator.timeout
    finished = await asyncio.gather(*(jobs.ended(core, x, task, deadline) for task in tasks))
    # What was made is paid for, so it is handed over even where another of the same call failed.
    done = [task for task in finished if task.state is State.SUCCEEDED]
    if not done:
        if not any(task.state.final for task in finished):
            raise TimeoutError
        raise translator.failed(finished[0])
    inline = [await files.read_asset(core, task, 0) for task in done] if translator.inline(x.request) else []
    await x.reply(translator.answer(x.request, done, candidates.links_for(core, x), inline))


def _inner_all(x: Exchange, translator: TaskTranslator, target: Route) -> list[Exchange]:
    """Return an exchange for each task that is to be started."""
    return [_inner(x, target, body, number) for number, body in enumerate(translator.requests(x.request, x.model))]


def _inner(x: Exchange, target: Route, body: Mapping[str, Json], number: int) -> Exchange:
    """Return an exchange of the gateway's own, on behalf of a caller."""
    inner = Exchange(f"{x.id}-{number}", target, inner_request(target, body, x.model), x.receive, x.send)
    inner.caller, inner.ip, inner.request.large = x.caller, x.ip, x.request.large
    inner.requested_model = inner.model = x.model
    return inner


async def _start(core: Core, inner: Exchange) -> Stored:
    operation = inner.operation
    if not isinstance(operation, Submit):
        raise Failure(Reason.INTERNAL, "The translator's target submits nothing")
    return await jobs.start(core, inner, operation)


def _failure(outcome: Stored | BaseException, translator: TaskTranslator) -> BaseException:
    if isinstance(outcome, jobs.Declined):
        return translator.error(outcome.refusal.answer)
    return outcome if isinstance(outcome, BaseException) else Failure(Reason.UPSTREAM, "Nothing was made")
