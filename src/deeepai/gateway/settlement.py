"""What a call cost, and its place in the ledger: committed before the end of the answer leaves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import msgspec
import quicktok

from ..declare import MALFORMED, Failure, Reason, Request, StreamRules, Usage, lenient_json
from ..money.ledger import BudgetExceeded, Hold, InsufficientFunds, Ledger, Settlement, UsageRow
from . import pricing
from .exchange import Exchange
from .pricing import Priced, Prices

_ENCODING = "o200k_base"
NOTHING = Usage()
_INPUT = ("input", "cached", "cached_audio", "cache_write", "cache_write_1h", "audio_in", "image_in")
_OUTPUT = ("output", "audio_out", "image_out", "reasoning")
_T = TypeVar("_T")


class Outcome(msgspec.Struct):
    """How a call went, for its usage row."""

    channel_id: str | None = None
    upstream_model: str | None = None
    model: str | None = None
    """The fallback model that answered."""
    attempts: int = 0
    first_byte: float | None = None
    """Seconds since the start."""
    streamed: bool = False
    error: str | None = None
    task_id: str | None = None


def usage_row(x: Exchange, outcome: Outcome, status: int, usage: Usage | None = None, cost: int = 0) -> UsageRow:
    """Build the record of a call."""
    token = x.caller
    return UsageRow(
        request_id=x.id,
        account_id=token.account_id,
        token_id=token.id,
        user_id=token.user_id,
        protocol=x.protocol.name,
        operation=x.route.name,
        status=status,
        model=outcome.model or x.requested_model or None,
        upstream_model=outcome.upstream_model,
        channel_id=outcome.channel_id,
        task_id=outcome.task_id,
        cost=cost,
        basis=usage.basis if usage is not None else None,
        consumed=msgspec.json.encode(usage).decode() if usage is not None else None,
        streamed=int(outcome.streamed),
        attempts=outcome.attempts,
        latency_ms=int((time.perf_counter() - x.started) * 1000),
        first_byte_ms=None if outcome.first_byte is None else int(outcome.first_byte * 1000),
        overhead_us=int((x.overhead() if x.overhead_at_head is None else x.overhead_at_head) * 1e6),
        error=outcome.error[:500] if outcome.error else None,
        ip=x.ip or None,
    )


def unfunded(fault: InsufficientFunds) -> Failure:
    """Say whose money is spent."""
    whose = "The API key's budget" if isinstance(fault, BudgetExceeded) else "The account's balance"
    return Failure(Reason.UNFUNDED, f"{whose} does not cover what this request may cost; with less output it may")


class Billing:
    """What one call costs: held before anything is sent, and settled before its end leaves.

    Attributes
    ----------
    priced : Priced
        What it is charged under; first that of the model asked for, then that of the one which answers.
    outcome : Outcome
        How it went.
    charged : bool
        It was charged, be it nothing in test mode.
    """

    __slots__ = ("_hold", "_ledger", "_prices", "_x", "charged", "outcome", "priced")

    def __init__(self, ledger: Ledger, prices: Prices, x: Exchange, priced: Priced) -> None:
        self._ledger = ledger
        self._prices = prices
        self._x = x
        self._hold: Hold | None = None
        self.priced = priced
        self.outcome = Outcome()
        self.charged = False

    async def hold(self, amount: int, most: int) -> None:
        """Hold an amount for the call, or what it may cost, if that is more and is there (10⁻⁹ USD).

        Raises
        ------
        Failure
            UNFUNDED
        """
        if not amount:
            return
        token, budgeted = self._x.caller, self._x.caller.budget is not None
        # Most holds are against what this node has leased, and need not wait.
        most = max(amount, most)
        self._hold = self._ledger.try_hold(self._x.id, token.account_id, token.id, most, budgeted=budgeted)
        if self._hold is None:
            try:
                self._hold = await self._ledger.hold(
                    *(self._x.id, token.account_id, token.id, amount), budgeted=budgeted, most=most
                )
            except InsufficientFunds as fault:
                raise unfunded(fault) from None

    async def settle(self, status: int, usage: Usage | None) -> None:
        """Commit the call's charge (or void) and its record."""
        cost = pricing.cost(self._prices, self.priced, usage)
        row = usage_row(self._x, self.outcome, status, usage, cost)
        held = self._hold
        if held is not None and (cost or held.amount):
            await self._ledger.settle(Settlement(self._x.id, held, cost, row))
        else:
            self._ledger.record(row)
        self.charged = usage is not None and usage.calls > 0

    def void(self, status: int) -> None:
        """Give back what is held, and record a call that costs nothing."""
        self.cancel()
        self._ledger.record(usage_row(self._x, self.outcome, status))

    def cancel(self) -> None:
        """Give back what is held."""
        if self._hold is not None:
            self._ledger.cancel(self._hold)

    def fail(self, failure: Failure) -> None:
        """Give back what is held, and record a call that failed."""
        self.outcome.error = self.outcome.error or failure.message
        self.void(failure.kind.status)


async def funded(ledger: Ledger, account_id: str, work: Callable[[], Awaitable[_T]]) -> _T:
    """Run work that holds money; where it is refused, give this node's idle leases back first and try once more.

    Raises
    ------
    Failure
        UNFUNDED
    """
    try:
        return await work()
    except InsufficientFunds as fault:
        if not await ledger.release(account_id):
            raise unfunded(fault) from None
    try:
        return await work()
    except InsufficientFunds as fault:
        raise unfunded(fault) from None


def untold(usage: Usage | None, request: Request[Any], rules: StreamRules[Any]) -> bool:
    """Tell whether something of what a vendor told has to be counted.

    Nothing went in, or nothing came out, is no word of a vendor's; and where several answers were asked for, it may
    have told of one alone.
    """
    if usage is None:
        return True
    if rules.usage_without_report is not None:
        return False
    if usage.others or usage.images or usage.seconds or usage.characters:
        # It is told in other units, or as what other models used.
        return False
    if usage.basis != "vendor":
        return usage.basis == "estimated"
    if not (usage.input or usage.all_input) or not (usage.output or usage.all_output):
        return True
    return several(request, rules) > 1


def several(request: Request[Any], rules: StreamRules[Any]) -> int:
    """Return how many answers a request asks for at once."""
    return 1 if rules.choices is None else rules.choices(request)


def counted(request: Request[Any], rules: StreamRules[Any], events: list[bytes]) -> Usage:
    """Count what was streamed, where the upstream gave no usage."""
    if rules.usage_without_report is not None:
        return rules.usage_without_report(request)
    lines = (line[5:] for event in events for line in event.splitlines() if line.startswith(b"data:"))
    return _count(request, rules, lines)


def of_stream(
    usage: Usage | None, request: Request[Any], rules: StreamRules[Any], events: list[bytes], *, broken: bool
) -> Usage:
    """Return what a stream used: what its vendor told, and what was counted in the place of all else."""
    count = counted(request, rules, events)
    return count if usage is None else completed(usage, count, broken=broken, answers=several(request, rules))


def of_answer(usage: Usage, request: Request[Any], rules: StreamRules[Any], body: bytes) -> Usage:
    """Return what a whole answer used, as `of_stream` does."""
    count = _count(request, rules, (body,))
    if usage.basis == "estimated":
        return msgspec.structs.replace(usage, input=count.input, output=count.output, basis="counted")
    return completed(usage, count, broken=False, answers=several(request, rules))


def _count(request: Request[Any], rules: StreamRules[Any], values: Iterable[bytes]) -> Usage:
    encoding = quicktok.get_encoding(_ENCODING)
    pieces: list[str] = []
    for value in values:
        try:
            pieces.append(rules.text(lenient_json(value)))
        except MALFORMED:
            continue
    input, output = (encoding.count(_plain(text)) for text in (rules.prompt(request), "".join(pieces)))
    return Usage(calls=1, input=input, output=output, basis="counted")


def _plain(text: str) -> str:
    """Put a mark in the place of half a pair of surrogates, which has no bytes."""
    return text.encode("utf-8", "replace").decode()


def completed(told: Usage, counted: Usage, *, broken: bool = True, answers: int = 1) -> Usage:
    """Put what was counted in the place of what a vendor did not tell.

    Parameters
    ----------
    told, counted : Usage
    broken : bool
        The vendor told it before its stream broke off: more output may have come since.
    answers : int
        How many were asked for at once. Where what was told lies nearer to one of them than to all, it is of one.
    """
    of_one = answers > 1 and 2 * answers * told.all_output < (answers + 1) * counted.output
    input = told.input if told.all_input else counted.input
    output = max(told.output, counted.output) if broken or of_one or not told.all_output else told.output
    if not broken and (input, output) == (told.input, told.output):
        return told
    return msgspec.structs.replace(told, input=input, output=output, basis="counted")


def replaced(first: Usage | None, later: Usage) -> Usage:
    """Return what a later event of a stream tells of all; a side that it leaves out stays as it was."""
    if first is None or first.basis != later.basis:
        return later
    kept: dict[str, int] = {}
    if not later.all_input:
        kept |= {name: getattr(first, name) for name in _INPUT}
    if not later.all_output:
        kept |= {name: getattr(first, name) for name in _OUTPUT}
    return msgspec.structs.replace(later, **kept) if kept else later
