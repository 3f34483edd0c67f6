"""SOCKET: a session over a WebSocket, relayed to one upstream and charged piece by piece.

Until an upstream has said its first word the caller's handshake waits, so that what fails before can be tried
elsewhere, or be told as plain HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ..declare import Answer, Facts, Failure, Reason
from ..upstream import UpstreamError, transports
from ..upstream.sockets import Refused, Socket, open_socket
from . import answers, call, outgoing
from .core import Candidate, Core
from .dispatch import Attempt, unavailable
from .realtime_bill import Bill
from .realtime_relay import Relay
from .realtime_session import Session
from .settlement import Outcome

log = structlog.get_logger()

FIRST_SECONDS: Final = 5.0
"""Seconds that an upstream's first event is waited for; some say nothing until they are spoken to."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An upstream that took the session."""

    upstream: Socket
    attempt: Attempt
    candidate: Candidate
    facts: Facts
    first: str | None
    """Its first event, if it said one by itself."""


async def run(core: Core, x: Session) -> None:
    """Serve a session to its end.

    Raises
    ------
    Failure
        It did not begin.
    """
    candidates = core.candidates(x, None)
    outcome = Outcome(streamed=True)
    bill = Bill(core, x, max((each.priced for each in candidates), key=lambda priced: priced.amount), outcome)
    try:
        await bill.cover()
        opened = await _open(core, x, candidates, outcome)
    except BaseException as fault:
        failure = fault if isinstance(fault, Failure) else None
        outcome.error = outcome.error or (failure.message if failure is not None else type(fault).__name__)
        bill.close(failure.kind.status if failure is not None else 500)
        raise
    if isinstance(opened, Answer):
        bill.close(opened.status)
        await answers.pass_on(x, opened)
        return
    await _serve(core, x, opened, bill, outcome)


async def _serve(core: Core, x: Session, opened: Opened, bill: Bill, outcome: Outcome) -> None:
    upstream, attempt = opened.upstream, opened.attempt
    outcome.first_byte = time.perf_counter() - x.started
    taken = attempt.begun(outcome.first_byte)
    bill.priced = opened.candidate.priced
    relay: Relay | None = None
    try:
        meter = x.rules.meter(x.request, x.asked, opened.facts.model, bill.allow)
        first = x.rules.first(x.request, x.secret.session) if x.secret is not None else ()
        first = [meter.sent(event) for event in first]
        relay = Relay(core.settings, x, upstream, meter, bill)
        await x.accept()
        log.info("session.opened", request_id=x.id, channel=attempt.channel.name, model=opened.facts.model)
        await relay.run(opened.first, first)
    except OSError:
        outcome.error = "the caller left"
    finally:
        end = relay.end if relay is not None else None
        if end is not None:
            outcome.error = end.error
        if end is not None and end.upstream_fault:
            taken.done(ok=False, fault=end.error or "")
            core.metrics.failover(x.route.name, attempt.channel.name)
        else:
            taken.cancelled()
        upstream.abort()
        bill.close(x.status or 500)
        log.info(
            "session.closed",
            request_id=x.id,
            channel=attempt.channel.name,
            seconds=round(time.perf_counter() - x.started, 3),
            why=outcome.error,
        )


async def _open(core: Core, x: Session, candidates: Sequence[Candidate], outcome: Outcome) -> Opened | Answer:
    """Find an upstream that takes the session; or return the refusal that the caller should see.

    Raises
    ------
    Failure
    """
    refusal: Answer | None = None
    failure: Failure | None = None
    for number, candidate in enumerate(candidates, 1):
        x.model = candidate.model
        if number > 1:
            outcome.model = x.stand_in = candidate.asked
        for attempt in core.attempts(candidate.levels, None, call.MAX_ATTEMPTS, x):
            channel = attempt.channel
            outcome.attempts += 1
            outcome.channel_id = channel.id
            facts = core.facts(x, channel, None)
            outcome.upstream_model = facts.model
            upstream: Socket | None = None
            try:
                out = outgoing.build(x.protocol, x.operation, x.request, channel, facts)
                with x.waiting():
                    url, headers = await transports.handshake(core.client, channel, out.url, out.headers, out.model)
                    upstream = await open_socket(url, headers, channel.limits)
                    first = await _first(upstream, min(channel.limits.first_byte, FIRST_SECONDS))
                answer = None if first is None else x.rules.opening(first)
                if answer is None:
                    return Opened(upstream, attempt, candidate, facts, first)
                upstream.abort()
            except Refused as fault:
                answer = fault.answer
            except UpstreamError as fault:
                if upstream is not None:
                    upstream.abort()
                attempt.done(ok=False, fault=str(fault))
                failure = call.upstream_failure(core, x, channel, fault, outcome)
                continue
            except BaseException:
                if upstream is not None:
                    upstream.abort()
                attempt.cancelled()
                raise
            outcome.error = f"HTTP {answer.status}"
            if answer.status < 400:
                # Neither a WebSocket nor an error: the address leads elsewhere.
                attempt.done(ok=False, fault=outcome.error)
                failure = Failure(Reason.UPSTREAM, "The upstream does not speak this protocol")
                continue
            blamed = x.protocol.channel_fault(answer)
            if not blamed and not call.passing(answer):
                attempt.done(ok=True)
                return answer
            attempt.done(ok=False, fault=outcome.error, rest=call.rest(answer, blamed))
            log.warning("upstream.refused", request_id=x.id, channel=channel.name, status=answer.status)
            core.metrics.failover(x.route.name, channel.name)
            if blamed:
                failure = Failure(Reason.UPSTREAM, "The upstream account that serves this model is not usable now")
            else:
                refusal = answer
    if refusal is not None:
        return refusal
    raise failure or unavailable(x.model)


async def _first(upstream: Socket, seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            return await upstream.receive()
    except TimeoutError:
        return None
