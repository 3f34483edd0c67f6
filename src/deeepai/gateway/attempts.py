"""The one way to ask an upstream: channels are tried in turn, as far as it is safe.

What differs between a call, a submission, a call on objects and a session is how one request is sent (`Sender`). What
may follow a failure, how a refusal is judged, for how long a channel cools down, and what is counted and logged, is
the same for all.
"""

from __future__ import annotations

import asyncio
import enum
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Generic, TypeVar
from typing import Protocol as Interface

import msgspec
import structlog

from ..accounts.models import Channel
from ..declare import Answer, Failure, Protocol, Reason
from ..upstream import NotSent, Stalled, UpstreamError
from .candidates import Candidate
from .core import Core
from .dispatch import Attempt, unavailable
from .exchange import Exchange
from .outgoing import speaks
from .settlement import Outcome
from .translation import Translated

log = structlog.get_logger()

ACCOUNT_COOLDOWN: Final = 60.0
RATE_COOLDOWN: Final = 2.0
LONGEST_COOLDOWN: Final = 300.0
"""Seconds."""
_ERROR_INSIDE: Final = re.compile(rb'\s*\{\s*"error"\s*:\s*[{"]')
_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,12})?")
_ERROR_INSIDE_WORDS: Final = "an error inside a good answer"
Cause = tuple[int, str | int | None]
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Verdict(enum.Enum):
    """What an upstream's refusal says, and of whom."""

    CALLER = "the request is at fault: nobody else is asked"
    ELSEWHERE = "the upstream is at fault: another may be asked"
    ACCOUNT = "the channel's account is at fault: it cools down, another is asked, and the caller never sees it"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An upstream's refusal, and who said it."""

    answer: Answer
    verdict: Verdict
    translated: Translated | None = None


class Taken(msgspec.Struct, Generic[_T], frozen=True):
    """A channel took the request."""

    attempt: Attempt
    candidate: Candidate
    reply: _T
    translated: Translated | None = None


class Sender(Interface[_T_co]):
    """Sends a request to one channel, once."""

    @property
    def spent(self) -> bool:
        """Whether it cannot be sent once more, as its body came but once."""
        ...

    def repeats(self, fault: UpstreamError) -> bool:
        """Tell whether it may be sent again, elsewhere, though its bytes may have reached an upstream."""
        ...

    def prepare(self, channel: Channel, candidate: Candidate) -> Translated | None:
        """Make the request ready for a channel; return how its protocol says it, where that is another one's.

        Raises
        ------
        Failure
        """
        ...

    async def send(self, channel: Channel) -> _T_co | Refusal:
        """Send what was prepared last.

        Raises
        ------
        UpstreamError
        """
        ...


class Lost(Failure):
    """Nobody knows whether the upstream took the request."""


class ErrorInside(UpstreamError):
    """What came with a good status is an error: it is known to have done nothing.

    Attributes
    ----------
    account : bool
        It blames the channel's account.
    """

    def __init__(self, message: str = _ERROR_INSIDE_WORDS, *, account: bool = False) -> None:
        super().__init__(message)
        self.account = account


class RefusedInside(UpstreamError):
    """What came with a good status is a refusal in the vendor's own words.

    Attributes
    ----------
    status : int
        The HTTP status that it stands for.
    """

    def __init__(self, answer: Answer, status: int) -> None:
        super().__init__(f"a refusal ({status}) with a good status")
        self.answer, self.status = answer, status


def judge(protocol: Protocol, answer: Answer) -> Verdict:
    """Judge an upstream's refusal."""
    if protocol.channel_fault(answer):
        return Verdict.ACCOUNT
    passing = answer.status in (408, 429) or answer.status >= 500
    return Verdict.ELSEWHERE if passing or is_error(answer) else Verdict.CALLER


def is_error(answer: Answer) -> bool:
    """Tell whether an answer is an error object whatever its status says."""
    return answer.status < 400 and _ERROR_INSIDE.match(answer.body) is not None


def cooldown(answer: Answer, verdict: Verdict) -> float | None:
    """Return for how long (s) a channel cools down after a refusal; None where the usual rules say."""
    if verdict is Verdict.ACCOUNT:
        return ACCOUNT_COOLDOWN
    if verdict is Verdict.ELSEWHERE and answer.status == 429:
        after = waited(answer.headers.get("retry-after", ""))
        return RATE_COOLDOWN if after is None else min(LONGEST_COOLDOWN, after)
    return None


def cause(answer: Answer) -> Cause:
    """Return what a refusal says of its cause: its status, and the vendor's word for it."""
    body = answer.json()
    error = body.get("error", body) if isinstance(body, dict) else None
    word = (error.get("code") or error.get("type") or error.get("status")) if isinstance(error, dict) else None
    return answer.status, word if isinstance(word, str | int) else None


def waited(value: str) -> float | None:
    """Read a `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3); None where it is neither."""
    seconds = plain_number(value)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def plain_number(value: str) -> float | None:
    """Read a decimal number as headers have it; None where it is none."""
    return float(value) if _NUMBER.fullmatch(value) else None


class Attempts(Generic[_T]):
    """The attempts of one request, over the channels of one model after the other.

    Parameters
    ----------
    outcome : Outcome
        Where it is noted how they went.
    """

    __slots__ = (
        "_blamed",
        "_core",
        "_failure",
        "_others",
        "_outcome",
        "_plan",
        "_refusal",
        "_sender",
        "_x",
        "candidate",
    )
    candidate: Candidate
    """Whose channels are tried."""

    def __init__(self, core: Core, x: Exchange, sender: Sender[_T], outcome: Outcome) -> None:
        self._core = core
        self._x = x
        self._sender = sender
        self._outcome = outcome
        self._plan: Iterator[Attempt] = iter(())
        self._others: Iterator[tuple[Candidate, Iterator[Attempt]]] = iter(())
        self._refusal: Refusal | None = None
        self._failure: Failure | None = None
        self._blamed: list[tuple[Cause, Attempt]] = []

    def over(self, plan: Iterable[tuple[Candidate, Iterator[Attempt]]]) -> Attempts[_T]:
        """Say what is to be tried."""
        self._others = iter(plan)
        self.candidate, self._plan = next(self._others)
        return self

    async def take(self) -> Taken[_T] | Refusal:
        """Try until a channel takes the request, or return the refusal that the caller should see.

        May be called again after `failed`, which goes on where it stood.

        Raises
        ------
        Failure
        """
        x, outcome, sender = self._x, self._outcome, self._sender
        while True:
            if sender.spent:
                return self._give_up()
            attempt = next(self._plan, None)
            if attempt is None:
                if self._next_candidate():
                    continue
                return self._give_up()
            # However asking and judging end, the channel's place is free again; who takes the reply ends the attempt.
            try:
                channel = attempt.channel
                outcome.attempts += 1
                outcome.channel_id = channel.id
                outcome.upstream_model = channel.model_map.get(self.candidate.model, self.candidate.model)
                try:
                    if x.request.large:
                        async with self._core.intake.lane:
                            translated = await asyncio.to_thread(sender.prepare, channel, self.candidate)
                    else:
                        translated = sender.prepare(channel, self.candidate)
                except Failure as failure:
                    attempt.cancelled()
                    if speaks(x, channel):
                        raise
                    # Another protocol may be able to carry what this one cannot.
                    self._failure = self._failure or failure
                    continue
                before = time.perf_counter()
                try:
                    reply = await sender.send(channel)
                except UpstreamError as fault:
                    x.waited += time.perf_counter() - before
                    self.failed(attempt, fault)
                    continue
                now = time.perf_counter()
                x.waited += now - before
                outcome.first_byte = now - x.started
                if not isinstance(reply, Refusal):
                    # What became of those before is counted, and is no error of the call's.
                    outcome.error = None
                    return Taken(attempt, self.candidate, reply, translated)
                if self._refused(attempt, reply):
                    return reply
            except BaseException:
                attempt.cancelled()
                raise

    def _next_candidate(self) -> bool:
        following = next(self._others, None)
        if following is None:
            return False
        self.candidate, self._plan = following
        self._outcome.model = self._x.fallback_model = self.candidate.requested_model
        log.info("model.fallback", request_id=self._x.id, model=self.candidate.requested_model)
        return True

    def failed(self, attempt: Attempt, fault: UpstreamError) -> None:
        """Note that an upstream did not take the request, or took it and broke off before anything was sent on.

        Raises
        ------
        Failure
            Where nobody else may be asked.
        """
        account = isinstance(fault, ErrorInside) and fault.account
        attempt.done(ok=False, cooldown=ACCOUNT_COOLDOWN if account else None)
        failure = self._failure = upstream_failure(self._core, self._x, attempt.channel, fault)
        self._outcome.error = str(fault)
        if isinstance(fault, ErrorInside):
            self._blamed.append(((200, account), attempt))
        if isinstance(fault, NotSent | ErrorInside) or self._sender.repeats(fault):
            return
        raise Lost(failure.kind, failure.message) from None

    def refused(self, attempt: Attempt, protocol: Protocol, inside: RefusedInside) -> Refusal | None:
        """Note a refusal that came with a good status; return it where it is the caller's to see."""
        meant = Answer(inside.status, inside.answer.headers, inside.answer.body)
        refusal = Refusal(inside.answer, judge(protocol, meant))
        return refusal if self._refused(attempt, refusal) else None

    def _refused(self, attempt: Attempt, refusal: Refusal) -> bool:
        """Note a refusal; return whether it is the caller's to see."""
        answer, verdict, outcome = refusal.answer, refusal.verdict, self._outcome
        outcome.error = _ERROR_INSIDE_WORDS if is_error(answer) else f"HTTP {answer.status}"
        if verdict is Verdict.CALLER:
            attempt.done(ok=True, first_byte=outcome.first_byte)
            protocol = self._x.protocol if refusal.translated is None else refusal.translated.protocol
            if protocol.too_long(answer) and self._next_candidate():
                self._refusal = refusal
                return False
            return True
        attempt.done(ok=False, cooldown=cooldown(answer, verdict))
        if answer.status != 429:
            self._blamed.append((cause(answer), attempt))
        channel = attempt.channel
        log.warning("upstream.refused", request_id=self._x.id, channel=channel.name, status=answer.status)
        self._core.metrics.failover(self._x.route.name, channel.name)
        if verdict is Verdict.ACCOUNT:
            self._failure = Failure(Reason.UPSTREAM, "The upstream account that serves this is not usable now")
        elif is_error(answer):
            self._failure = Failure(Reason.UPSTREAM, "The upstream answered with an error")
        else:
            self._refusal = refusal
        return False

    def _give_up(self) -> Refusal:
        self._doubt()
        # A refusal says more than that nobody could be asked.
        if self._refusal is not None:
            self._outcome.error = f"HTTP {self._refusal.answer.status}"
            return self._refusal
        raise self._failure or unavailable(self._x.model or self._x.route.name)

    def _doubt(self) -> None:
        """Blame no channel for what several say of a request that nobody took: that says more of the request."""
        if len(self._blamed) < 2:
            return
        channels: dict[Cause, set[str]] = {}
        for why, attempt in self._blamed:
            channels.setdefault(why, set()).add(attempt.channel.id)
        for why, attempt in self._blamed:
            if len(channels[why]) > 1:
                attempt.take_back(self._x.caller.account_id)


def upstream_failure(core: Core, x: Exchange, channel: Channel, fault: UpstreamError) -> Failure:
    """Record that an attempt failed; return what the caller is told if it was the last."""
    core.metrics.failover(x.route.name, channel.name)
    log.warning("upstream.failed", request_id=x.id, channel=channel.name, kind=type(fault).__name__, error=str(fault))
    if isinstance(fault, Stalled):
        return Failure(Reason.TIMEOUT, "The upstream did not answer in time")
    if isinstance(fault, ErrorInside):
        return told(fault)
    return Failure(Reason.UPSTREAM, "The upstream could not be reached, or broke off")


def told(fault: ErrorInside) -> Failure:
    """Return what the caller is told of an error inside an answer."""
    if fault.account:
        return Failure(Reason.UPSTREAM, "The upstream account that serves this is not usable now")
    return Failure(Reason.UPSTREAM, f"The upstream answered with an error: {fault}")
