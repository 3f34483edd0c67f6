"""CALL and STREAM: one request upstream, one answer, failing over where that is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog

from .. import crash
from ..accounts.models import Channel
from ..declare import Answer, Failure, Kind, Reason, Task, Usage
from ..money.ledger import Hold
from ..upstream import MaybeSent, NotSent, Response, Stalled, UpstreamError
from . import outgoing, outputs, settlement
from .core import Core, Priced
from .dispatch import Attempt, unavailable
from .exchange import Exchange
from .settlement import Outcome
from .streams import Relay

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
    levels = core.levels(x, origin)
    priced = core.priced(x)
    held: Hold | None = None
    if priced.amount:
        held = settlement.hold_now(core.ledger, x, priced.amount)
        if held is None:
            held = await settlement.hold(core.ledger, x, priced.amount)
    outcome = Outcome()
    try:
        await _attempts(core, x, levels, priced, held, outcome, origin)
    except Failure as failure:
        _give_up(core, x, held, outcome, failure)
        raise
    except Left:
        # The vendor has read the prompt, so that is what it costs.
        rules = x.operation.stream
        assert rules is not None
        outcome.error = "the caller left"
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


async def _attempts(
    core: Core,
    x: Exchange,
    levels: Sequence[Sequence[Channel]],
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
    origin: Task | None,
) -> None:
    last: tuple[Answer, Channel] | None = None
    failure: Failure | None = None
    for attempt in core.attempts(levels, origin, MAX_ATTEMPTS):
        channel = attempt.channel
        outcome.attempts += 1
        outcome.channel_id = channel.id
        facts = core.facts(x, channel, origin)
        outcome.upstream_model = facts.model
        try:
            out = outgoing.build(x.protocol, x.operation, x.request, channel, facts)
        except BaseException:
            attempt.cancelled()
            raise
        before = time.perf_counter()
        try:
            response = await _send(core, x, channel, out)
        except NotSent as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = _upstream_failure(core, x, channel, fault, outcome)
            continue
        except (MaybeSent, Stalled) as fault:
            attempt.done(ok=False, fault=str(fault))
            failure = _upstream_failure(core, x, channel, fault, outcome)
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
                await _answer(core, x, response, attempt, priced, held, outcome)
            except UpstreamError as fault:
                failure = _upstream_failure(core, x, channel, fault, outcome)
                if x.operation.replay:
                    continue
                raise failure from None
            except BaseException:
                attempt.cancelled()
                response.abort()
                raise
            return
        answer = await _error(x, response)
        fault_of_channel = x.protocol.channel_fault(answer)
        if not fault_of_channel and not passing(answer):
            attempt.done(ok=True, first_byte=outcome.first_byte)
            outcome.error = f"HTTP {answer.status}"
            await _pass(core, x, answer, held, outcome)
            return
        attempt.done(ok=False, fault=f"HTTP {answer.status}", rest=_rest(answer, fault_of_channel))
        log.warning("upstream.refused", request_id=x.id, channel=channel.name, status=answer.status)
        core.metrics.failover(x.route.name, channel.name)
        if fault_of_channel:
            failure = Failure(Reason.UPSTREAM, "The upstream account that serves this model is not usable now")
        else:
            last = (answer, channel)
    if last is not None:
        outcome.error = f"HTTP {last[0].status}"
        await _pass(core, x, last[0], held, outcome)
        return
    raise failure or unavailable(x.model)


def _rest(answer: Answer, fault_of_channel: bool) -> float | None:
    if fault_of_channel:
        return 60.0
    if answer.status == 429:
        after = answer.headers.get("retry-after", "")
        return min(300.0, float(after)) if after.replace(".", "", 1).isdigit() else 2.0
    return None


def _upstream_failure(core: Core, x: Exchange, channel: Channel, fault: Exception, outcome: Outcome) -> Failure:
    outcome.error = str(fault)
    core.metrics.failover(x.route.name, channel.name)
    log.warning("upstream.failed", request_id=x.id, channel=channel.name, kind=type(fault).__name__, error=str(fault))
    if isinstance(fault, Stalled):
        return Failure(Reason.TIMEOUT, "The upstream did not answer in time")
    return Failure(Reason.UPSTREAM, "The upstream could not be reached, or broke off")


def _send(core: Core, x: Exchange, channel: Channel, out: outgoing.Outgoing) -> Coroutine[Any, Any, Response]:
    """Send; where the operation is cancelled when its caller leaves, watch for that meanwhile."""
    sending = core.client.send(out.method, out.url, out.headers, out.body, channel.limits)
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


async def _error(x: Exchange, response: Response) -> Answer:
    try:
        body = await response.read(1024 * 1024)
        response.release()
    except UpstreamError:
        response.abort()
        body = b""
    return Answer(response.status, response.headers, body)


async def _pass(core: Core, x: Exchange, answer: Answer, held: Hold | None, outcome: Outcome) -> None:
    """Pass an upstream's error on as it is; it costs nothing."""
    if held is not None:
        core.ledger.cancel(held)
    core.ledger.record(settlement.usage_row(x, outcome, answer.status))
    headers = _answer_headers(x, answer.headers)
    for name in ("retry-after", "retry-after-ms"):
        if name in answer.headers:
            headers.append((name.encode(), answer.headers[name].encode()))
    await x.answer(answer.status, headers, answer.body)


def _answer_headers(x: Exchange, found: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", found.get("content-type", "application/json").encode("latin-1"))]
    for name in x.protocol.answer_headers:
        value = found.get(name)
        if value is not None:
            headers.append((name.encode(), value.encode("latin-1", "replace")))
    return headers


async def _answer(
    core: Core,
    x: Exchange,
    response: Response,
    attempt: Attempt,
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
) -> None:
    kind = response.headers.get("content-type", "")
    if x.operation.kind is Kind.STREAM and kind.startswith("text/event-stream"):
        await _stream(core, x, response, attempt, priced, held, outcome)
        return
    before = time.perf_counter()
    try:
        body = await response.read(core.settings.max_answer)
    except UpstreamError as fault:
        response.abort()
        attempt.done(ok=False, fault=str(fault))
        raise
    x.waited += time.perf_counter() - before
    response.release()
    attempt.done(ok=True, first_byte=outcome.first_byte)
    answer = Answer(response.status, response.headers, body)
    usage = x.operation.usage(x.request, answer) if x.operation.usage is not None else Usage(calls=1)
    if x.operation.outputs is not None:
        found = answer.json()
        urls = x.operation.outputs(found)
        if urls:
            body = await outputs.keep(core, x, attempt.channel, found, urls)
    row = settlement.usage_row(x, outcome, response.status, usage, core.cost(priced, usage))
    await settlement.settle(core.ledger, x, held, row)
    crash.point("charged")
    await x.answer(response.status, _answer_headers(x, answer.headers), body)


async def _stream(
    core: Core,
    x: Exchange,
    response: Response,
    attempt: Attempt,
    priced: Priced,
    held: Hold | None,
    outcome: Outcome,
) -> None:
    rules = x.operation.stream
    assert rules is not None
    outcome.streamed = True

    async def charge(relay: Relay) -> None:
        usage = relay.usage or await asyncio.to_thread(settlement.counted, x.request, rules, relay.events)
        outcome.first_byte = relay.first
        if relay.fault is not None:
            outcome.error = str(relay.fault)
        elif relay.left:
            outcome.error = "the caller left"
        attempt.done(ok=relay.fault is None, fault=outcome.error or "", first_byte=outcome.first_byte)
        row = settlement.usage_row(x, outcome, response.status, usage, core.cost(priced, usage))
        await settlement.settle(core.ledger, x, held, row)

    headers = _answer_headers(x, response.headers)
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    await x.head(response.status, headers)
    await Relay(x, rules, response, charge).run()
