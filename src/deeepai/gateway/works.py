"""Work that outlasts the answer which starts it: answers made in the background, runs, batches.

It becomes a task. What it will probably cost is held durably before anything is sent, the poller follows it to its end
whether or not the caller ever asks again, and its end and its charge are one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import structlog

from ..accounts.models import Channel
from ..declare import Accepted, Answer, Failure, Reason, State, Usage, WorkRules
from ..storage.ids import new_id, now_ms
from ..tasks.store import Stored
from ..upstream import Response, UpstreamError, transports
from . import admission, answers, call, jobs, objects, settlement
from .core import Core
from .dispatch import Attempt, unavailable
from .exchange import Exchange
from .object_rows import Owned
from .settlement import Outcome

log = structlog.get_logger()

MAX_ATTEMPTS = 4
MOST_LINE = 32 * 1024 * 1024
"""Bytes of one line of a job's file."""


async def start(core: Core, x: Exchange, work: WorkRules, found: Sequence[Owned], channel: Channel | None) -> None:
    """Start work: hold, send, and answer with what the upstream says of it.

    Raises
    ------
    Failure
    """
    x.pin = channel
    facts = [one.facts for one in found]
    usage: Usage
    if work.lines is not None and work.line is not None and channel is not None:
        # What a file says goes to the upstream as it is: no alias, no other name for the model.
        x.asked, usage = await _counted(core, x, work, channel)
        x.model = x.asked
        admission.may_call(x.caller, x.asked)
        if channel.model_map.get(x.model, x.model) != x.model:
            raise admission.no_model(x.asked)
    else:
        core.name_model(x, work.model(x.request, facts))
        usage = work.estimate(x.request, facts)
    if not core.serving(x, x.model):
        raise admission.no_model(x.asked)
    key = work.price(x.model) if work.price is not None else x.model
    amount = 0 if x.caller.mode == "test" else core.amount(x, key, usage)
    levels = objects.levels(core, x, channel)
    attempts = core.dispatcher.attempts(levels, MAX_ATTEMPTS)
    first = next(attempts, None)
    if first is None:
        raise unavailable(x.model)
    token = x.caller
    task = Stored(
        id=new_id("work_"),
        operation=x.route.name,
        model=x.asked,
        state=State.SUBMITTING,
        submitted_at=now_ms(),
        protocol=x.protocol.name,
        account_id=token.account_id,
        token_id=token.id,
        channel_id=first.channel.id,
        request_id=x.id,
        hold_id=x.id,
        price_key=key,
        price_group=token.price_group,
        estimate=usage,
        mode=token.mode,
    )
    outcome = Outcome(first.channel.id, task_id=task.id)
    row = settlement.usage_row(x, outcome, 0)
    try:
        await jobs.funded(core, x, lambda: core.life.begin(task, amount, row))
    except BaseException:
        first.cancelled()
        raise
    # From here on the work may exist at the vendor: the caller's leaving must not stop its bookkeeping.
    await asyncio.shield(_send(core, x, work, task, _moving(core, task, first, attempts), outcome))


def _moving(core: Core, task: Stored, first: Attempt, others: Iterator[Attempt]) -> Iterator[Attempt]:
    yield first
    yield from others


async def _send(
    core: Core, x: Exchange, work: WorkRules, task: Stored, attempts: Iterator[Attempt], outcome: Outcome
) -> None:
    try:
        found = await objects.reach(core, x, attempts, outcome)
    except Failure as failure:
        if isinstance(failure, objects.Lost):
            await core.life.lost(task)
        else:
            await core.life.refused(task)
        await core.life.answered(x.id, failure.kind.status, outcome.attempts, task.channel_id, failure.message)
        raise
    except BaseException:
        await core.life.refused(task)
        raise
    if isinstance(found, Answer):
        await core.life.refused(task)
        await core.life.answered(x.id, found.status, outcome.attempts, outcome.channel_id or "", f"HTTP {found.status}")
        await answers.pass_on(x, found)
        return
    response, attempt = found
    if attempt.channel.id != task.channel_id:
        await core.life.moved(task, attempt.channel.id)
    try:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            await _stream(core, x, work, task, response, attempt)
        else:
            await _whole(core, x, work, task, response, attempt)
    except UpstreamError as fault:
        response.abort()
        attempt.done(ok=False, fault=str(fault))
        if task.state is State.SUBMITTING:
            await core.life.lost(task)
        if not x.answering:
            raise call.upstream_failure(core, x, attempt.channel, fault, outcome) from None
    finally:
        attempt.done(ok=True)
        await core.life.answered(x.id, response.status, outcome.attempts, attempt.channel.id, outcome.error)


async def _whole(core: Core, x: Exchange, work: WorkRules, task: Stored, response: Response, attempt: Attempt) -> None:
    with x.waiting():
        body = await response.read(core.settings.max_answer)
    response.release()
    answer = Answer(response.status, response.headers, body)
    await _accepted(core, x, work, task, answer, attempt.channel)
    if task.state is State.SUBMITTING:
        # Whatever it was that answered, it does not say what it started.
        await core.life.lost(task)
    else:
        await _ended(core, work, task, answer)
    await x.answer(response.status, answers.answer_headers(x, answer.headers), objects.shown(core, x, body))


async def _accepted(core: Core, x: Exchange, work: WorkRules, task: Stored, answer: Answer, channel: Channel) -> None:
    makes, value = objects.rules_of(x).makes, answer.json()
    if value is None:
        return
    if makes is not None:
        await objects.record(core, x, channel, makes(x.request, value))
    if task.state is State.SUBMITTING:
        verdict = work.rules.accept(answer, x.request)
        if isinstance(verdict, Accepted):
            await core.life.accepted(task, verdict)


async def _ended(core: Core, work: WorkRules, task: Stored, answer: Answer) -> None:
    reading = work.rules.read(answer, task)
    if reading.state.final:
        await core.life.apply(task, reading)


class _Tap:
    """Finds the work in its own stream."""

    def __init__(self, core: Core, x: Exchange, work: WorkRules, task: Stored) -> None:
        self._core, self._x, self._work, self._task = core, x, work, task
        self._marks = objects.rules_of(x).marks

    def wants(self, data: bytes) -> bool:
        """Tell whether an event may be the one."""
        return self._task.state is State.SUBMITTING or any(mark in data for mark in self._marks)

    async def event(self, event: bytes, channel: Channel) -> None:
        """Take an event."""
        value = objects.event_json(event)
        if value is not None:
            answer = Answer(200, {}, objects.encode(value))
            await _accepted(self._core, self._x, self._work, self._task, answer, channel)

    async def whole(self, value: Any, channel: Channel) -> None:
        """Take nothing: a stream has no whole."""


async def _stream(core: Core, x: Exchange, work: WorkRules, task: Stored, response: Response, attempt: Attempt) -> None:
    """Pass a stream on; before its end leaves, the work is asked for and charged if it has ended."""

    async def before_end() -> None:
        if task.state is State.SUBMITTING:
            await core.life.lost(task)
            return
        task.polled_at = None
        await core.poller.fresh(task)

    await objects.stream_through(x, response, _Tap(core, x, work, task), attempt.channel, before_end)


# Jobs whose calls are lines of a file ------------------------------------------------------------------------------


async def _counted(core: Core, x: Exchange, work: WorkRules, channel: Channel) -> tuple[str, Usage]:
    """Read a job's file at its channel: one model, which the token may call, and no object of anybody else's.

    Raises
    ------
    Failure
    """
    assert work.lines is not None
    assert work.line is not None
    headers = dict(x.protocol.authorize(channel.credential)) if channel.credential else {}
    url = channel.base_url.rstrip("/") + work.lines(x.request)
    models: set[str] = set()
    uses: set[str] = set()
    total = Usage(basis="estimated")
    rest = b""
    try:
        with x.waiting():
            client = transports.through(core.client, channel)
            response = await client.send("GET", url, headers, None, channel.limits)
        if response.status != 200:
            response.abort()
            raise Failure(Reason.INVALID, "The input file cannot be read")
        try:
            more = True
            while more:
                with x.waiting():
                    data = await response.next()
                more = bool(data)
                lines = (rest + (data or b"\n")).split(b"\n")
                rest = lines.pop()
                if len(rest) > MOST_LINE:
                    raise Failure(Reason.INVALID, "A line of the input file is too long")
                for line in lines:
                    if line.strip():
                        piece = work.line(x.request, line)
                        models.add(piece.model)
                        uses.update(piece.uses)
                        total = _sum(total, piece.usage)
                if len(models) > 1:
                    raise Failure(Reason.INVALID, "All requests of a batch are for one model")
                if len(uses) > objects.MOST_NAMED:
                    raise Failure(Reason.INVALID, f"A batch names at most {objects.MOST_NAMED} objects")
        except BaseException:
            response.abort()
            raise
        response.release()
    except UpstreamError:
        raise objects.broken() from None
    if not models:
        raise Failure(Reason.INVALID, "The input file holds no requests")
    if uses:
        for one in await objects.named(core, x, sorted(uses)):
            if one.channel_id != channel.id:
                raise Failure(Reason.INVALID, "The objects that the batch names were made at different upstreams")
    return models.pop(), total


def _sum(total: Usage, more: Usage) -> Usage:
    return msgspec.structs.replace(
        total,
        input=total.input + more.input,
        output=total.output + more.output,
        images=total.images + more.images,
        calls=total.calls + more.calls,
        share=more.share,
        params=more.params,
    )
