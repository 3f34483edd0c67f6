"""Calls and streams: one request upstream, one answer, failing over where that is safe."""

from __future__ import annotations

import asyncio
from typing import Any

from ..accounts.models import Channel
from ..declare import Call, Failure, Stream, Task
from ..tasks.store import Stored
from ..upstream import Response, Stalled, UpstreamError, transports
from . import admission, allotment, answers, candidates, outgoing, settlement, translated_tasks
from .attempts import Attempts, Refusal, RefusedInside, judge
from .candidates import Candidate
from .core import Core
from .exchange import Exchange, Left
from .objects import background, kept, place
from .outgoing import Outgoing
from .settlement import Billing, Outcome
from .translation import Translated


async def run(core: Core, x: Exchange, operation: Call[Any]) -> None:
    """Serve a Call or a Stream.

    Raises
    ------
    Failure
    """
    pin: Channel | None = None
    tap: place.ObjectTap | None = None
    rules = operation.objects
    if rules is not None:
        if rules.keeping is not None:
            await kept.recall(core, x, operation, rules.keeping)
        if x.request.large:
            named = await asyncio.to_thread(place.names_objects, x, rules)
        else:
            named = place.names_objects(x, rules)
        located = await place.locate(core, x, rules) if named else place.NOWHERE
        if rules.background is not None and rules.background.wanted(x.request):
            await background.start(core, x, rules, located)
            return
        pin = located.channel
        if rules.makes is not None and rules.tells(x.request):
            tap = place.ObjectTap(core, x, rules)
    translator = translated_tasks.find(core, x)
    if translator is not None and not candidates.serving(core, x, x.model, pin):
        await translated_tasks.run(core, x, translator)
        return
    local = core.translators.local.get(x.route.name)
    if local is not None and not candidates.serving(core, x, x.model, pin):
        if not candidates.serves_otherwise(core, x, local.alongside):
            raise candidates.unserved(core, x)
        reply = await asyncio.to_thread(local.answer, x.request)
        core.ledger.record(settlement.usage_row(x, Outcome(), reply.status))
        await x.reply(reply)
        return
    origin = await candidates.origin(core, x) if operation.origin is not None else None
    if x.request.large:
        async with core.intake.lane:
            plan = await asyncio.to_thread(candidates.candidates, core, x, origin, pin)
    else:
        plan = candidates.candidates(core, x, origin, pin)
    await _Passage(core, x, operation, tap).run(plan, origin)


class _Passage:
    """One call on its way: asked, answered and charged."""

    __slots__ = ("_core", "_operation", "_tap", "_x")

    def __init__(self, core: Core, x: Exchange, operation: Call[Any], tap: place.ObjectTap | None) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._tap = tap

    async def run(self, plan: list[Candidate], origin: Stored | None) -> None:
        core, x, operation = self._core, self._x, self._operation
        x.streams = isinstance(operation, Stream) and operation.rules.wanted(x.request)
        first = plan[0].priced
        billing = Billing(core.ledger, core.prices, x, first)
        sub = x.caller.sub
        counted = None if sub is None else await allotment.take(core, sub, first.estimate)
        try:
            await self._billed(plan, origin, billing)
        finally:
            x.let_be()
            if counted is not None and not billing.charged:
                await allotment.give_back(core, counted)

    async def _billed(self, plan: list[Candidate], origin: Stored | None, billing: Billing) -> None:
        core, x, operation = self._core, self._x, self._operation
        routing = admission.routing(x.caller, x.request)
        first = plan[0].priced
        amount, most = first.amount, first.most
        for candidate in plan[1:]:
            amount, most = max(amount, candidate.priced.amount), max(most, candidate.priced.most)
        await billing.hold(amount, most)
        attempts = Attempts(core, x, CallSender(core, x, operation, origin), billing.outcome)
        account = x.caller.account_id
        attempts.over(
            [(candidate, candidates.attempts(core, account, candidate.tiers, routing, origin)) for candidate in plan]
        )
        try:
            await self._serve(attempts, billing)
        except Failure as failure:
            billing.fail(failure)
            raise
        except Left:
            billing.priced = attempts.candidate.priced
            await self._left(billing)
        except BaseException:
            billing.cancel()
            raise

    async def _serve(self, attempts: Attempts[Response], billing: Billing) -> None:
        x, operation = self._x, self._operation
        while True:
            if x.streams and isinstance(operation, Stream):
                x.keep_alive(operation.rules.keep_alive, self._core.settings.keep_alive)
            taken = await attempts.take()
            if isinstance(taken, Refusal):
                billing.void(taken.answer.status)
                await answers.refuse(x, taken)
                return
            with taken.attempt:
                billing.priced = taken.candidate.priced
                try:
                    await answers.answer(self._core, x, taken, billing, self._tap)
                except RefusedInside as inside:
                    protocol = x.protocol if taken.translated is None else taken.translated.protocol
                    refusal = attempts.refused(taken.attempt, protocol, inside)
                    if refusal is not None:
                        billing.void(inside.status)
                        await answers.refuse(x, refusal)
                        return
                except UpstreamError as fault:
                    attempts.failed(taken.attempt, fault)
                except BaseException:
                    taken.reply.abort()
                    raise
                else:
                    return

    async def _left(self, billing: Billing) -> None:
        """Charge a call whose caller left before its answer began: the vendor has read the prompt."""
        operation = self._operation
        billing.outcome.error = "the caller left"
        usage = None
        if isinstance(operation, Stream):
            usage = await asyncio.to_thread(settlement.counted, self._x.request, operation.rules, [])
        await billing.settle(499, usage)


class CallSender:
    """Sends a call to one channel; see `deeepai.gateway.attempts.Sender`."""

    __slots__ = ("_core", "_operation", "_origin", "_outgoing", "_translated", "_x")
    spent = False
    _outgoing: Outgoing
    _translated: Translated | None

    def __init__(self, core: Core, x: Exchange, operation: Call[Any], origin: Task | None) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._origin = origin

    def repeats(self, fault: UpstreamError) -> bool:
        """Tell whether it may be sent again, elsewhere, though its bytes may have reached an upstream."""
        return self._operation.replay and not (isinstance(fault, Stalled) and not fault.answered)

    def prepare(self, channel: Channel, candidate: Candidate) -> Translated | None:
        """Make the request ready for a channel."""
        facts = outgoing.facts(self._x, channel, candidate.model, self._origin)
        self._outgoing, self._translated = outgoing.prepare(self._core, self._x, self._operation, channel, facts)
        return self._translated

    async def send(self, channel: Channel) -> Response | Refusal:
        """Send it; where it is cancelled when its caller leaves, watch for that meanwhile."""
        out, operation = self._outgoing, self._operation
        client = transports.client_for(self._core.client, channel, out.model)
        sending = client.send(out.method, out.url, out.headers, out.body, out.limits)
        if self._x.streams and isinstance(operation, Stream) and operation.on_leave == "cancel":
            sending = self._x.watched(sending)
        response = await sending
        if response.status < 300:
            return response
        answer = await answers.error(response)
        protocol = self._x.protocol if self._translated is None else self._translated.protocol
        return Refusal(answer, judge(protocol, answer), self._translated)
