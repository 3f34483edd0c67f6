"""Sessions over WebSockets, relayed to one upstream and charged piece by piece.

Until an upstream has said its first word the caller's handshake waits, so that what fails before can be tried
elsewhere, or be told as plain HTTP.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import structlog

from ...accounts.models import Channel
from ...declare import Answer, Facts, Failure
from ...declare import Socket as Operation
from ...upstream import NotSent, UpstreamError, transports
from ...upstream.sockets import Refused, Socket, open_socket
from .. import admission, answers, candidates, outgoing
from ..attempts import Attempts, Refusal, Taken, judge
from ..candidates import Candidate
from ..core import Core
from ..outgoing import Outgoing
from ..settlement import Outcome
from .bill import Bill
from .relay import Relay
from .session import Opened, Session

log = structlog.get_logger()

FIRST_SECONDS: Final = 5.0
"""Seconds that an upstream's first event is waited for; some say nothing until they are spoken to."""


async def run(core: Core, x: Session, operation: Operation[Any]) -> None:
    """Serve a session to its end.

    Raises
    ------
    Failure
        It did not begin.
    """
    plan = candidates.candidates(core, x)
    outcome = Outcome(streamed=True)
    bill = Bill(core, x, max((each.priced for each in plan), key=lambda priced: priced.amount), outcome)
    attempts = Attempts(core, x, _Opening(core, x, operation), outcome)
    routing = admission.routing(x.caller, x.request)
    attempts.over((each, candidates.attempts(core, x.caller.account_id, each.tiers, routing)) for each in plan)
    try:
        await bill.cover()
        opened = await attempts.take()
    except BaseException as fault:
        failure = fault if isinstance(fault, Failure) else None
        outcome.error = outcome.error or (failure.message if failure is not None else type(fault).__name__)
        bill.close(failure.kind.status if failure is not None else 500)
        raise
    if isinstance(opened, Refusal):
        bill.close(opened.answer.status)
        await answers.pass_on(x, opened.answer)
        return
    await _serve(core, x, opened, bill)


async def _serve(core: Core, x: Session, taken: Taken[Opened], bill: Bill) -> None:
    opened, outcome = taken.reply, bill.outcome
    upstream, channel = opened.upstream, taken.attempt.channel
    outcome.first_byte = time.perf_counter() - x.started
    attempt = taken.attempt.begun(outcome.first_byte)
    bill.priced = taken.candidate.priced
    relay: Relay | None = None
    try:
        meter = x.rules.meter(x.request, x.requested_model, opened.facts.model, bill.allow)
        first = x.rules.first(x.request, opened.facts, x.secret.session) if x.secret is not None else ()
        first = [meter.sent(event) for event in first]
        relay = Relay(core.settings, x, opened, meter, bill)
        await x.accept()
        log.info("session.opened", request_id=x.id, channel=channel.name, model=opened.facts.model)
        await relay.run(first)
    except OSError:
        outcome.error = "the caller left"
    finally:
        end = relay.end if relay is not None else None
        if end is not None:
            outcome.error = end.error
        if end is not None and end.upstream_fault:
            attempt.done(ok=False)
            core.metrics.failover(x.route.name, channel.name)
        else:
            attempt.cancelled()
        upstream.abort()
        bill.close(x.status or 500)
        log.info(
            "session.closed",
            request_id=x.id,
            channel=channel.name,
            seconds=round(time.perf_counter() - x.started, 3),
            why=outcome.error,
        )


class _Opening:
    """Opens a session at one channel; a `deeepai.gateway.attempts.Sender`."""

    spent = False
    _facts: Facts
    _outgoing: Outgoing

    def __init__(self, core: Core, x: Session, operation: Operation[Any]) -> None:
        self._core = core
        self._x = x
        self._operation = operation

    def repeats(self, fault: UpstreamError) -> bool:
        """Tell that a session may be opened elsewhere: nothing was done in it."""
        return True

    def prepare(self, channel: Channel, candidate: Candidate) -> None:
        """Make the handshake ready for a channel."""
        x = self._x
        self._facts = outgoing.facts(x, channel, candidate.model)
        self._outgoing = outgoing.build(x.protocol, self._operation, x.request, channel, self._facts)

    async def send(self, channel: Channel) -> Opened | Refusal:
        """Open the WebSocket, and wait for the upstream's first word."""
        x, out = self._x, self._outgoing
        upstream: Socket | None = None
        try:
            url, headers = await transports.handshake(self._core.client, channel, out.url, out.headers, out.model)
            upstream = await open_socket(url, headers, out.limits)
            first = await _first(upstream, min(out.limits.first_byte, FIRST_SECONDS))
        except Refused as fault:
            answer = fault.answer
        except BaseException:
            if upstream is not None:
                upstream.abort()
            raise
        else:
            try:
                opening = None if first is None else x.rules.opening(first)
                if opening is None:
                    return Opened(upstream, self._facts, first, x.rules.translation(x.request, self._facts))
            except BaseException:
                upstream.abort()
                raise
            upstream.abort()
            answer = opening
        return _refusal(x, answer)


def _refusal(x: Session, answer: Answer) -> Refusal:
    if answer.status < 400:
        # Neither a WebSocket nor an error: the address leads elsewhere.
        raise NotSent("the upstream does not speak this protocol")
    return Refusal(answer, judge(x.protocol, answer))


async def _first(upstream: Socket, seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            return await upstream.receive()
    except TimeoutError:
        return None
