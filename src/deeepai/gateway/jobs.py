"""Submissions and fetches: long jobs as their callers see them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from .. import crash
from ..accounts.models import Channel
from ..declare import (
    MALFORMED,
    Accepted,
    Answer,
    Failure,
    Fetch,
    Hook,
    Inline,
    JobRules,
    Json,
    Reason,
    Reply,
    State,
    Submit,
    Usage,
)
from ..safe_fetch import Unsafe
from ..storage.ids import now_ms
from ..tasks import store
from ..tasks.hosts import hook_address
from ..tasks.store import Stored
from ..upstream import MaybeSent, UpstreamError, transports
from . import admission, answers, candidates, files, outgoing, pricing, settlement
from .answers.judge import failure_of, redirected
from .attempts import Attempts, ErrorInside, Lost, Refusal, Verdict, is_error, judge
from .candidates import Candidate
from .core import Core
from .dispatch import Attempt, unavailable
from .exchange import Exchange
from .objects import place
from .outgoing import Outgoing
from .pricing import Priced, Tiers
from .settlement import Outcome
from .translation import Translated

_LOOK = 0.25
_LONGEST_ID = 1024


class Declined(Exception):
    """The upstream refused a submission in its own words."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP {refusal.answer.status}")
        self.refusal = refusal


async def submit(core: Core, x: Exchange, operation: Submit[Any]) -> None:
    """Serve a Submit.

    Raises
    ------
    Failure
    """
    try:
        task = await start(core, x, operation)
    except Declined as declined:
        await answers.refuse(x, declined.refusal)
        return
    await tell(core, x, operation, task)


async def tell(
    core: Core, x: Exchange, operation: Submit[Any], task: Stored, headers: Mapping[str, str] | None = None
) -> None:
    """Answer a submission with the task that it has started.

    Raises
    ------
    Failure
    """
    face, links = operation.job.face, candidates.links_for(core, x)
    seconds = 0.0 if operation.wait is None else operation.wait(x.request)
    if seconds > 0:
        task = await ended(core, x, task, seconds)
    shown = face.render(task, links) if seconds > 0 and task.state.final else face.submitted(task, links)
    await reply(core, x, task, replace(shown, headers={**shown.headers, **(headers or {})}))


# Submitting --------------------------------------------------------------------------------------------------------


async def start(core: Core, x: Exchange, operation: Submit[Any]) -> Stored:
    """Submit a job, or give a waiting one its input.

    Raises
    ------
    Failure
    Declined
        The upstream's refusal, to be passed on.
    """
    origin = await candidates.origin(core, x)
    if origin is not None and operation.resumes and origin.state is not State.WAITING:
        raise Failure(Reason.INVALID, "The task does not wait for input", code="task_not_waiting")
    face = operation.job.face
    hook = face.hook(x.request) if face.hook is not None else None
    if hook is not None:
        _check(core, hook)
    usage: Usage | None = None
    if origin is not None and operation.inherit is not None:
        model, usage = operation.inherit(x.request, origin)
        candidates.name_model(core, x, model)
    tiers = candidates.tiers(core, x, origin, await _place(core, x, operation, origin))
    following = candidates.attempts(core, x.caller.account_id, tiers, admission.routing(x.caller, x.request), origin)
    first, priced = await _first(core, x, tiers, following, usage)
    try:
        candidate = Candidate(x.requested_model, x.model, tiers, priced)
        sender = _Submission(core, x, operation, origin)
        await (sender.resume(candidate, hook) if operation.resumes else sender.begin(candidate, first, hook))
    except BaseException:
        first.cancelled()
        raise
    # From here on the job may exist at the vendor: the caller's leaving must not stop its bookkeeping.
    return await asyncio.shield(sender.run(candidate, chain((first,), following)))


async def _place(core: Core, x: Exchange, operation: Submit[Any], origin: Stored | None) -> Channel | None:
    """Return the channel that keeps what a submission uses; None where it uses nothing.

    Raises
    ------
    Failure
        NOT_FOUND; INVALID, where it was made at different upstreams; UNAVAILABLE.
    """
    channel = await place.home(core, x, await place.named(core, x, operation.uses(x.request)))
    if origin is not None and channel is not None and channel.id != origin.channel_id:
        raise Failure(Reason.INVALID, "What the request names was made at different upstreams")
    return channel


async def _first(
    core: Core, x: Exchange, tiers: Tiers, attempts: Iterator[Attempt], usage: Usage | None
) -> tuple[Attempt, Priced]:
    """Return the first attempt whose channel's protocol can carry the request, and what the vendor's work costs.

    Raises
    ------
    Failure
    """
    failure: Failure | None = None
    for attempt in attempts:
        try:
            return attempt, await x.apart(_priced, core, x, tiers, usage, attempt.channel)
        except Failure as fault:
            attempt.cancelled()
            if outgoing.speaks(x, attempt.channel):
                raise
            failure = failure or fault
        except BaseException:
            attempt.cancelled()
            raise
    raise failure or unavailable(x.model)


def _priced(core: Core, x: Exchange, tiers: Tiers, usage: Usage | None, channel: Channel) -> Priced:
    """Say what the work costs at a channel; where another protocol's vendor does it, as that one measures it."""
    translated = outgoing.translate(core, x, channel, x.model)
    if translated is None:
        return candidates.priced(core, x, x.model, tiers, usage)
    operation = translated.operation
    # Prices are under the operator's name of a model, not the vendor's.
    named = core.translators.translate(x, channel, x.model).request
    key = candidates.price_key(operation, named, x.model)
    estimate = usage or candidates.estimated(operation, translated.request)
    return pricing.price(core.prices, x.caller, key, estimate, tiers)


def _check(core: Core, hook: Hook) -> None:
    try:
        core.life.check_url(hook.url)
    except Unsafe as fault:
        raise Failure(Reason.INVALID, f"The callback URL cannot be used: {fault}") from None


class _Submission:
    """One submission on its way; a `deeepai.gateway.attempts.Sender`."""

    spent = False
    task: Stored
    _outgoing: Outgoing
    _translated: Translated | None
    _facts_origin: Stored | None

    def __init__(self, core: Core, x: Exchange, operation: Submit[Any], origin: Stored | None) -> None:
        self._core = core
        self._x = x
        self._operation = operation
        self._origin = origin
        self._status = 0

    async def begin(self, candidate: Candidate, first: Attempt, hook: Hook | None) -> None:
        """Store the task, hold its price, and record the call, before anything is sent."""
        x, face, origin, token = self._x, self._operation.job.face, self._origin, self._x.caller
        task = self.task = Stored(
            id=face.new_id(),
            operation=x.route.name,
            model=x.requested_model,
            state=State.SUBMITTING,
            request=face.keep(x.request) if face.keep is not None else None,
            hook=hook,
            parent_id=origin.id if origin is not None else None,
            params=dict(x.request.params),
            submitted_at=now_ms(),
            protocol=x.protocol.kin,
            account_id=token.account_id,
            token_id=token.id,
            channel_id=first.channel.id,
            request_id=x.id,
            hold_id=x.id,
            price_key=candidate.priced.key,
            price_group=candidate.priced.group,
            estimate=candidate.priced.estimate,
            mode=token.mode,
        )
        row = settlement.usage_row(x, Outcome(first.channel.id, task_id=task.id), 0)
        ledger, life = self._core.ledger, self._core.life
        await settlement.funded(ledger, token.account_id, lambda: life.begin(task, candidate.priced.amount, row))

    async def resume(self, candidate: Candidate, hook: Hook | None) -> None:
        """Hold the price of a waiting task, which is given its input."""
        if self._origin is None:
            raise Failure(Reason.INVALID, "The task that waits for input is not named")
        task = self.task = self._origin
        task.hook = hook or task.hook
        row = settlement.usage_row(self._x, Outcome(task.channel_id, task_id=task.id), 0)
        ledger, life = self._core.ledger, self._core.life
        taken = await settlement.funded(
            ledger, task.account_id, lambda: life.resume(task, candidate.priced.amount, row)
        )
        if not taken:
            raise Failure(Reason.CONFLICT, "The task has just been given its input")

    async def run(self, candidate: Candidate, attempts: Iterator[Attempt]) -> Stored:
        """Ask one channel after the other until one takes it."""
        outcome, task, life = Outcome(task_id=self.task.id), self.task, self._core.life
        asking = Attempts(self._core, self._x, self, outcome).over([(candidate, attempts)])
        try:
            taken = await asking.take()
        except Lost:
            await life.lost(task)
            await life.answered(self._x.id, 200, outcome)
            return task
        except Failure as failure:
            outcome.error = outcome.error or failure.message
            await self._drop(failure.kind.status, outcome)
            raise
        except Exception as fault:
            # It may have been taken all the same.
            outcome.error = type(fault).__name__
            await life.lost(task)
            await life.answered(self._x.id, 500, outcome)
            raise
        if isinstance(taken, Refusal):
            await self._drop(taken.answer.status, outcome)
            raise Declined(taken)
        taken.attempt.done(ok=True, first_byte=outcome.first_byte)
        accepted = taken.reply
        if accepted.existing:
            known = await life.existing(task, accepted.upstream_id)
            if known is None:
                raise Failure(Reason.NOT_FOUND, "The upstream named a task that is not yours")
            return known
        await life.accepted(task, accepted)
        await life.answered(self._x.id, self._status, outcome)
        return task

    async def _drop(self, status: int, outcome: Outcome) -> None:
        life = self._core.life
        await (life.not_resumed(self.task) if self._operation.resumes else life.refused(self.task))
        await life.answered(self._x.id, status, outcome)

    # As a sender ---------------------------------------------------------------------------------------------------

    def repeats(self, fault: UpstreamError) -> bool:
        """Tell that a submission is never sent twice."""
        return False

    def prepare(self, channel: Channel, candidate: Candidate) -> Translated | None:
        """Make the request ready for a channel."""
        x, settings, task = self._x, self._core.settings, self.task
        hook_url = hook_address(task, channel, settings.public_url, settings.local_url)
        facts = outgoing.facts(x, channel, candidate.model, self._origin, hook_url)
        self._outgoing, self._translated = outgoing.prepare(self._core, x, self._operation, channel, facts)
        return self._translated

    async def send(self, channel: Channel) -> Accepted | Refusal:
        """Send it, and read whether it was taken."""
        core, out, translated, task = self._core, self._outgoing, self._translated, self.task
        served_by = translated.translator.target if translated is not None else None
        if task.channel_id != channel.id or task.served_by != served_by:
            await core.life.moved(task, channel.id, served_by)
        crash.point("held")
        client = transports.client_for(core.client, channel, out.model)
        try:
            async with asyncio.timeout(core.life.timing.submit * 0.9):
                answer = await client.ask(out.method, out.url, out.headers, out.body, out.limits)
        except TimeoutError:
            raise MaybeSent("timeout") from None
        # A proxy's own page says nothing about what the vendor did.
        if answer.status in (500, 502, 504) and answer.json() is None:
            raise MaybeSent(f"HTTP {answer.status}")
        crash.point("accepted")
        self._status = answer.status
        return self._read(answer)

    def _read(self, answer: Answer) -> Accepted | Refusal:
        translated = self._translated
        protocol, request = self._x.protocol, self._x.request
        rules: JobRules[Any] = self._operation.job.rules
        if translated is not None:
            protocol, request, rules = translated.protocol, translated.request, self._core.life.rules(self.task)
        if 300 <= answer.status < 400:
            raise redirected(answer.status)
        try:
            verdict = rules.accept(answer, request)
        except MALFORMED:
            raise ErrorInside("an answer that could not be read") from None
        if isinstance(verdict, Accepted) and len(verdict.upstream_id) > _LONGEST_ID:
            raise ErrorInside("an answer whose id is none")
        if isinstance(verdict, Accepted):
            return verdict if translated is None else replace(verdict, facts={**translated.facts, **verdict.facts})
        if protocol.channel_fault(answer):
            return Refusal(answer, Verdict.ACCOUNT, translated)
        if answer.status < 300 and not verdict.worded and not is_error(answer):
            raise failure_of(answer.json())
        elsewhere = verdict.retry_elsewhere or is_error(answer) or judge(protocol, answer) is Verdict.ELSEWHERE
        return Refusal(answer, Verdict.ELSEWHERE if elsewhere else Verdict.CALLER, translated)


# Fetching ----------------------------------------------------------------------------------------------------------


async def fetch(core: Core, x: Exchange, operation: Fetch[Any]) -> None:
    """Serve a Fetch from the stored state, refreshed where it is stale.

    Raises
    ------
    Failure
    """
    task = await candidates.load(core, x, operation.task(x.request))
    with x.waiting():
        task = await core.poller.fresh(task)
    links = candidates.links_for(core, x)
    try:
        if operation.render is not None:
            shown = operation.render(x.request, task, links)
        else:
            shown = core.life.face(task).render(task, links)
    except MALFORMED:
        raise Failure(Reason.UPSTREAM, "What the upstream tells of the task cannot be read") from None
    await reply(core, x, task, shown)


async def reply(core: Core, x: Exchange, task: Stored, shown: Reply) -> None:
    """Answer with what a task's face shows, its file's bytes among it."""
    if shown.asset is None:
        await x.reply(shown)
        return
    if isinstance(shown.body, dict):
        body = await _inlined(core, task, shown.body)
        await x.reply(Reply(body, shown.status, shown.content_type, shown.headers))
        return
    await files.send_asset(core, x, task, int(shown.asset), shown)


async def _inlined(core: Core, task: Stored, value: Json) -> Json:
    """Put files' bytes where they belong."""
    if isinstance(value, Inline):
        return base64.b64encode(await files.read_asset(core, task, value.number)).decode()
    if isinstance(value, dict):
        return {key: await _inlined(core, task, part) for key, part in value.items()}
    return value


async def ended(core: Core, x: Exchange, task: Stored, seconds: float) -> Stored:
    """Wait for a task's end, at most so long; return it as it stands then.

    Raises
    ------
    Failure
        UPSTREAM, where the task is gone.
    """
    viewer, task_id = task, task.id
    pause = min(core.life.rules(task).interval, _LOOK)
    until = time.monotonic() + seconds
    with x.waiting():
        while not task.state.final and time.monotonic() < until:
            await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
            stored = await core.db.read(lambda tx: store.load(tx, viewer, task_id))
            if stored is None:
                raise Failure(Reason.UPSTREAM, "The upstream did not take the request")
            task = await core.poller.fresh(stored)
    return task
