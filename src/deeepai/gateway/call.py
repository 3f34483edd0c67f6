"""CALL and STREAM: one request upstream, one answer, failing over where that is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from ..accounts.models import Channel
from ..declare import Answer, Failure, Reason, Task
from ..money.ledger import Hold
from ..upstream import MaybeSent, NotSent, Response, Stalled, UpstreamError, transports
from . import answers, outgoing, settlement
from .core import Candidate, Core
from .dispatch import unavailable
from .exchange import Exchange
from .settlement import Outcome
from .ways import Way

log = structlog.get_logger()

MAX_ATTEMPTS = 4
LEAVE_CHECK = 0.05
"""Seconds after which a caller that waits is watched."""


class Left(Exception):
    """The caller left before the answer began."""


def passing(answer: Answer) -> bool:
    """Tell whether an upstream's refusal says more of the upstream than of the request."""
    return answer.status in (408, 429) or answer.status >= 500


async def run(core: Core, x: Exchange) -> None:
    """Serve a CALL or STREAM.

    Raises
    ------
    Failure
    """
    operation = x.operation
    origin = None
    if operation.origin is not None:
        origin = await core.origin(x)
        if origin is not None and operation.check_origin is not None:
            operation.check_origin(x.request, origin)
    candidates = core.candidates(x, origin)
    amount = candidates[0].priced.amount
    if len(candidates) > 1:
        amount = max(candidate.priced.amount for candidate in candidates)
    held: Hold | None = None
    if amount:
        held = settlement.hold_now(core.ledger, x, amount)
        if held is None:
            held = await settlement.hold(core.ledger, x, amount)
    outcome = Outcome()
    try:
        await _serve(core, x, candidates, held, outcome, origin)
    except Failure as failure:
        _give_up(core, x, held, outcome, failure)
        raise
    except Left:
        # The vendor has read the prompt, so that is what it costs.
        rules = operation.stream
        assert rules is not None
        outcome.error = "the caller left"
        priced = next(candidate.priced for candidate in candidates if candidate.model == x.model)
        usage = await asyncio.to_thread(settlement.counted, x.request, rules, [])
        row = settlement.usage_row(x, outcome, 499, usage, core.cost(priced, usage))
        await settlement.settle(core.ledger, x, held, row)
    except BaseException:
        if held is not None:
            core.ledger.cancel(held)
        raise


def _give_up(core: Core, x: Exchange, held: Hold | None, outcome: Outcome, failure: Failure) -> None:
    if held is not None:
        core.ledger.cancel(held)
    outcome.error = outcome.error or failure.message
    core.ledger.record(settlement.usage_row(x, outcome, failure.kind.status))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why none of a model's channels answered: the last refusal, or what to tell instead."""

    refusal: tuple[Answer, Exchange | Way] | None
    failure: Failure


async def _serve(
    core: Core, x: Exchange, candidates: Sequence[Candidate], held: Hold | None, outcome: Outcome, origin: Task | None
) -> None:
    """Try one model after the other."""
    trouble: Trouble | None = None
    for number, candidate in enumerate(candidates, 1):
        x.model = candidate.model
        if number > 1:
            outcome.model = x.stand_in = candidate.asked
            log.info("model.fallback", request_id=x.id, model=candidate.asked)
        found = await _attempts(core, x, candidate, held, outcome, origin, last=number == len(candidates))
        if found is None:
            return
        # A refusal says more than that nobody could be asked.
        if trouble is None or found.refusal is not None or trouble.refusal is None:
            trouble = found
    assert trouble is not None
    if trouble.refusal is None:
        raise trouble.failure
    answer, way = trouble.refusal
    outcome.error = f"HTTP {answer.status}"
    await answers.refuse(core, x, way, answer, held, outcome)


async def _attempts(
    core: Core,
    x: Exchange,
    candidate: Candidate,
    held: Hold | None,
    outcome: Outcome,
    origin: Task | None,
    *,
    last: bool,
) -> Trouble | None:
    """Try a model's channels; None where the caller has an answer."""
    refusal: tuple[Answer, Exchange | Way] | None = None
    failure: Failure | None = None
    for attempt in core.attempts(candidate.levels, origin, MAX_ATTEMPTS, x):
        channel = attempt.channel
        outcome.attempts += 1
        outcome.channel_id = channel.id
        facts = core.facts(x, channel, origin)
        outcome.upstream_model = facts.model
        way: Exchange | Way | None = None
        try:
            way = core.way(x, channel)
            out = outgoing.build(way.protocol, way.operation, way.request, channel, facts)
        except Failure as fault:
            attempt.cancelled()
            if way is x:
                raise
            # Another protocol may be able to carry what this one cannot.
            failure = failure or fault
            continue
        except BaseException:
            attempt.cancelled()
            raise
        before = time.perf_counter()
        try:
            response = await _send(core, x, channel, out)
        except NotSent as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = upstream_failure(core, x, channel, fault, outcome)
            continue
        except (MaybeSent, Stalled) as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = upstream_failure(core, x, channel, fault, outcome)
            if x.operation.replay and isinstance(fault, MaybeSent):
                continue
            raise failure from None
        except BaseException:
            attempt.cancelled()
            raise
        x.waited += time.perf_counter() - before
        outcome.first_byte = time.perf_counter() - x.started
        if response.status < 400:
            try:
                await answers.answer(core, x, way, response, attempt, candidate.priced, held, outcome)
            except UpstreamError as fault:
                failure = upstream_failure(core, x, channel, fault, outcome)
                if x.operation.replay:
                    continue
                raise failure from None
            except BaseException:
                attempt.cancelled()
                response.abort()
                raise
            return None
        answer = await answers.error(response)
        fault_of_channel = way.protocol.channel_fault(answer)
        if not fault_of_channel and not passing(answer):
            attempt.done(ok=True, first_byte=outcome.first_byte)
            outcome.error = f"HTTP {answer.status}"
            if not last and way.protocol.too_long(answer):
                return Trouble((answer, way), unavailable(x.model))
            await answers.refuse(core, x, way, answer, held, outcome)
            return None
        attempt.done(ok=False, fault=f"HTTP {answer.status}", rest=rest(answer, fault_of_channel))
        log.warning("upstream.refused", request_id=x.id, channel=channel.name, status=answer.status)
        core.metrics.failover(x.route.name, channel.name)
        if fault_of_channel:
            failure = Failure(Reason.UPSTREAM, "The upstream account that serves this model is not usable now")
        else:
            refusal = (answer, way)
    return Trouble(refusal, failure or unavailable(x.model))


def rest(answer: Answer, fault_of_channel: bool) -> float | None:
    """Return for how long (s) a channel rests after such an answer; None where the usual rules say."""
    if fault_of_channel:
        return 60.0
    if answer.status == 429:
        after = answer.headers.get("retry-after", "")
        return min(300.0, float(after)) if after.replace(".", "", 1).isdigit() else 2.0
    return None


def upstream_failure(core: Core, x: Exchange, channel: Channel, fault: Exception, outcome: Outcome) -> Failure:
    """Record that an attempt failed; return what the caller is told if it was the last."""
    outcome.error = str(fault)
    core.metrics.failover(x.route.name, channel.name)
    log.warning("upstream.failed", request_id=x.id, channel=channel.name, kind=type(fault).__name__, error=str(fault))
    if isinstance(fault, Stalled):
        return Failure(Reason.TIMEOUT, "The upstream did not answer in time")
    return Failure(Reason.UPSTREAM, "The upstream could not be reached, or broke off")


def _send(core: Core, x: Exchange, channel: Channel, out: outgoing.Outgoing) -> Coroutine[Any, Any, Response]:
    """Send; where the operation is cancelled when its caller leaves, watch for that meanwhile."""
    client = transports.through(core.client, channel, out.model)
    sending = client.send(out.method, out.url, out.headers, out.body, channel.limits)
    rules = x.operation.stream
    if x.operation.on_leave != "cancel" or rules is None or not rules.wanted(x.request):
        return sending
    return _watched(x, sending)


async def _watched(x: Exchange, sending: Coroutine[Any, Any, Response]) -> Response:
    task = asyncio.ensure_future(sending)
    done, _ = await asyncio.wait((task,), timeout=LEAVE_CHECK)
    if done:
        return task.result()
    watch = asyncio.ensure_future(_left(x))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        raise Left
    finally:
        watch.cancel()


async def _left(x: Exchange) -> None:
    while (await x.receive())["type"] != "http.disconnect":
        pass
