"""Work that outlasts the answer which starts it: answers made in the background, runs, batches.

It becomes a task. What it will probably cost is held durably before anything is sent, the poller follows it to its end
whether or not the caller ever asks again, and its end and its charge are one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import chain
from typing import Any

import msgspec

from ...accounts.models import Channel
from ...declare import (
    MOST_NAMED,
    Accepted,
    Answer,
    BackgroundRules,
    Call,
    Failure,
    ObjectRules,
    Piece,
    Reason,
    Request,
    State,
    Usage,
)
from ...storage.ids import new_id, now_ms
from ...tasks.store import Stored
from ...upstream import Response, UpstreamError, credentials, transports
from .. import admission, answers, candidates, pricing, settlement
from ..attempts import Attempts, Lost, Refusal, Taken
from ..candidates import MAX_ATTEMPTS
from ..core import Core
from ..dispatch import Attempt, unavailable
from ..exchange import Exchange
from ..settlement import Outcome
from . import calls, place

LineReader = Callable[[Request[Any], bytes], Piece]
MOST_LINE = 32 * 1024 * 1024
"""Bytes of one line of a job's file."""


async def start(core: Core, x: Exchange, rules: ObjectRules[Any], located: place.Located) -> None:
    """Start work: hold, send, and answer with what the upstream says of it.

    Raises
    ------
    Failure
    """
    work, operation = rules.background, x.operation
    if work is None or not isinstance(operation, Call):
        raise Failure(Reason.INTERNAL, "The operation starts no work")
    usage = await _named(core, x, work, located)
    tiers = candidates.serving(core, x, x.model, located.channel)
    if not tiers:
        raise admission.no_model(x.requested_model)
    key = work.price(x.model) if work.price is not None else x.model
    priced = pricing.price(core.prices, x.caller, key, usage, tiers)
    served = place.tiers(core, x, located.channel)
    attempts = core.dispatcher.attempts(served, MAX_ATTEMPTS, account=x.caller.account_id)
    first = next(attempts, None)
    if first is None:
        raise unavailable(x.model)
    try:
        token = x.caller
        task = Stored(
            id=new_id("work_"),
            operation=x.route.name,
            model=x.requested_model,
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
        await settlement.funded(
            core.ledger, token.account_id, lambda: core.life.begin(task, priced.amount, row, priced.most)
        )
    except BaseException:
        first.cancelled()
        raise
    asking = Attempts(core, x, calls.ObjectSender(core, x, operation), outcome)
    asking.over([(calls.free(x, served), chain((first,), attempts))])
    # From here on the work may exist at the vendor: the caller's leaving must not stop its bookkeeping.
    await asyncio.shield(_Work(core, x, operation, work, task).run(asking, outcome))


async def _named(core: Core, x: Exchange, work: BackgroundRules[Any], located: place.Located) -> Usage:
    """Note the model of the work; return what it will probably consume."""
    channel = located.channel
    if work.lines is None or work.line is None or channel is None:
        facts = [owned.facts for owned in located.objects]
        candidates.name_model(core, x, work.model(x.request, facts))
        return work.estimate(x.request, facts)
    # What a file says goes to the upstream as it is: no alias, no other name for the model.
    model, usage = await _Lines(core, x, work).read(channel, work.lines(x.request), work.line)
    admission.may_call(x.caller, model)
    x.requested_model = x.model = model
    if channel.model_map.get(model, model) != model:
        raise admission.no_model(model)
    return usage


class _Work:
    """Work that is being started."""

    def __init__(self, core: Core, x: Exchange, operation: Call[Any], work: BackgroundRules[Any], task: Stored) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._rules: ObjectRules[Any] = operation.objects or ObjectRules()
        self._work = work
        self._task = task

    async def run(self, attempts: Attempts[Response], outcome: Outcome) -> None:
        x, life, task = self._x, self._core.life, self._task
        status = 500
        try:
            while True:
                taken = await attempts.take()
                if isinstance(taken, Refusal):
                    status = taken.answer.status
                    await life.refused(task)
                    await answers.pass_on(x, taken.answer)
                    return
                status = taken.reply.status
                if await self._answered(attempts, taken):
                    return
        except Lost as failure:
            status = failure.kind.status
            if task.state is State.SUBMITTING:
                await life.lost(task)
            if not x.answering:
                raise
        except Failure as failure:
            status = failure.kind.status
            outcome.error = outcome.error or failure.message
            await life.refused(task)
            raise
        except BaseException:
            if task.state is State.SUBMITTING:
                await life.refused(task)
            raise
        finally:
            await life.answered(x.id, status, outcome)

    async def _answered(self, attempts: Attempts[Response], taken: Taken[Response]) -> bool:
        """Hand the answer over; tell whether it was one."""
        response, attempt = taken.reply, taken.attempt
        with attempt:
            try:
                if attempt.channel.id != self._task.channel_id:
                    await self._core.life.moved(self._task, attempt.channel.id, None)
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    await self._stream(response, attempt)
                else:
                    await self._whole(response, attempt)
            except UpstreamError as fault:
                response.abort()
                attempts.failed(attempt, fault)
                return False
            except BaseException:
                response.abort()
                raise
            attempt.done(ok=True)
        return True

    async def _whole(self, response: Response, attempt: Attempt) -> None:
        core, x, task = self._core, self._x, self._task
        answer = await answers.whole(core, x, response)
        await self.accepted(answer, attempt.channel)
        if task.state is State.SUBMITTING:
            # The answer does not say what it started.
            await core.life.lost(task)
        else:
            status = self._work.rules.read(answer, task)
            if status.state.final:
                await core.life.apply(task, status)
        shown = calls.show(self._rules, answer.body, candidates.links_for(core, x))
        await x.answer(response.status, answers.answer_headers(x, answer.headers), shown)

    async def _stream(self, response: Response, attempt: Attempt) -> None:
        """Pass a stream on; before its end leaves, the work is asked for and charged if it has ended."""
        life, poller, task = self._core.life, self._core.poller, self._task

        async def before_end() -> None:
            if task.state is State.SUBMITTING:
                await life.lost(task)
                return
            task.polled_at = None
            await poller.fresh(task)

        through = calls.Through(self._x, self._operation)
        through.tap, through.before_end = (self, attempt.channel), before_end
        await through.run(response)

    # What the answer tells -----------------------------------------------------------------------------------------

    async def accepted(self, answer: Answer, channel: Channel) -> None:
        """Take what an answer, or an event, tells of the work and of objects."""
        x, value = self._x, answer.json()
        if value is None:
            return
        if self._rules.makes is not None:
            await place.record(self._core, x, channel, self._rules.makes(x.request, value))
        if self._task.state is State.SUBMITTING:
            verdict = self._work.rules.accept(answer, x.request)
            if isinstance(verdict, Accepted):
                await self._core.life.accepted(self._task, verdict)

    def wants(self, data: bytes) -> bool:
        """Tell whether an event of the work's own stream may tell of it."""
        return self._task.state is State.SUBMITTING or any(mark in data for mark in self._rules.scan_for)

    async def event(self, event: bytes, channel: Channel) -> None:
        """Take an event."""
        value = place.event_json(event)
        if value is not None:
            await self.accepted(Answer(200, {}, msgspec.json.encode(value)), channel)

    async def whole(self, value: Any, channel: Channel) -> None:
        """Take nothing: a stream has no whole."""


# Jobs whose calls are lines of a file ------------------------------------------------------------------------------


class _Lines:
    """The file of a job, read at its channel."""

    def __init__(self, core: Core, x: Exchange, work: BackgroundRules[Any]) -> None:
        self._core = core
        self._x = x
        self._work = work
        self._models: set[str] = set()
        self._uses: set[str] = set()
        self._total = Usage(basis="estimated")

    async def read(self, channel: Channel, path: str, read_line: LineReader) -> tuple[str, Usage]:
        """Read it: one model, and no object of anybody else's.

        Raises
        ------
        Failure
            INVALID
        """
        try:
            async with aclosing(self._lines(channel, path)) as lines:
                async for line in lines:
                    self._add(read_line(self._x.request, line))
        except UpstreamError:
            raise place.broken() from None
        if not self._models:
            raise Failure(Reason.INVALID, "The input file holds no requests")
        for owned in await place.named(self._core, self._x, sorted(self._uses)):
            if owned.channel_id != channel.id:
                raise Failure(Reason.INVALID, "The objects that the batch names were made at different upstreams")
        return self._models.pop(), self._total

    def _add(self, piece: Piece) -> None:
        self._models.add(piece.model)
        self._uses.update(piece.uses)
        self._total = _sum(self._total, piece.usage)
        if len(self._models) > 1:
            raise Failure(Reason.INVALID, "All requests of a batch are for one model")
        if len(self._uses) > MOST_NAMED:
            raise Failure(Reason.INVALID, f"A batch names at most {MOST_NAMED} objects")

    async def _lines(self, channel: Channel, path: str) -> AsyncGenerator[bytes]:
        x, url = self._x, channel.base_url.rstrip("/") + path
        client = transports.client_for(self._core.client, channel)
        with x.waiting():
            response = await client.send("GET", url, credentials.headers(x.protocol, channel), None, channel.limits)
        try:
            if response.status != 200:
                raise Failure(Reason.INVALID, "The input file cannot be read")
            rest, more = b"", True
            while more:
                with x.waiting():
                    data = await response.next()
                more = bool(data)
                *lines, rest = (rest + (data or b"\n")).split(b"\n")
                if len(rest) > MOST_LINE:
                    raise Failure(Reason.INVALID, "A line of the input file is too long")
                for line in lines:
                    if line.strip():
                        yield line
        except BaseException:
            response.abort()
            raise
        response.release()


def _sum(total: Usage, more: Usage) -> Usage:
    return msgspec.structs.replace(
        total,
        input=total.input + more.input,
        output=total.output + more.output,
        images=total.images + more.images,
        calls=total.calls + more.calls,
        unlimited=total.unlimited + more.unlimited,
        unseen=total.unseen + more.unseen,
        largest=max(total.largest, more.input),
        share=more.share,
        params=more.params,
    )
