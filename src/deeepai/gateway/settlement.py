"""What a call cost, and its place in the ledger: committed before the end of the answer leaves."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec
import quicktok

from ..declare import Failure, Reason, Request, StreamRules, Usage
from ..money.ledger import BudgetExceeded, Hold, InsufficientFunds, Ledger, Settlement, UsageRow
from .exchange import Exchange

_ENCODING = "o200k_base"


@dataclass(slots=True)
class Pricing:
    """What a call's usage is charged by; test mode is free."""

    key: str
    group: str
    free: bool


class Outcome(msgspec.Struct):
    """How a call went, for its usage row."""

    channel_id: str | None = None
    upstream_model: str | None = None
    model: str | None = None
    """The model that stood in for the one asked for."""
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
        model=outcome.model or x.asked or None,
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
        overhead_us=int((x.overhead() if x.own is None else x.own) * 1e6),
        error=outcome.error[:500] if outcome.error else None,
        ip=x.ip or None,
    )


def hold_now(ledger: Ledger, x: Exchange, amount: int) -> Hold | None:
    """Hold an amount for a call against what this node has leased; None where `hold` must ask for more."""
    token = x.caller
    return ledger.try_hold(x.id, token.account_id, token.id, amount, budgeted=token.budget is not None)


async def hold(ledger: Ledger, x: Exchange, amount: int) -> Hold:
    """Hold an amount for a call.

    Raises
    ------
    Failure
        UNFUNDED
    """
    token = x.caller
    budgeted = token.budget is not None
    try:
        return await ledger.hold(x.id, token.account_id, token.id, amount, budgeted=budgeted)
    except InsufficientFunds as fault:
        raise unfunded(fault) from None


def unfunded(fault: InsufficientFunds) -> Failure:
    """Say whose money is spent."""
    whose = "The API key's budget" if isinstance(fault, BudgetExceeded) else "The account's balance"
    return Failure(Reason.UNFUNDED, f"{whose} does not cover this request")


async def settle(ledger: Ledger, x: Exchange, held: Hold | None, row: UsageRow) -> None:
    """Commit a call's charge (or void) and its record."""
    if held is not None and (row.cost or held.amount):
        await ledger.settle(Settlement(x.id, held, row.cost, row))
    else:
        ledger.record(row)


def counted(request: Request, rules: StreamRules, events: list[bytes]) -> Usage:
    """Count what was streamed, where the upstream gave no usage."""
    if rules.untold is not None:
        return rules.untold(request)
    encoding = quicktok.get_encoding(_ENCODING)
    pieces: list[str] = []
    for event in events:
        for line in event.splitlines():
            if not line.startswith(b"data:") or line.startswith(b"data: [DONE]"):
                continue
            try:
                pieces.append(rules.text(msgspec.json.decode(line[5:])))
            except (msgspec.DecodeError, AttributeError, TypeError):
                continue
    output = encoding.count("".join(pieces))
    return Usage(calls=1, input=encoding.count(rules.prompt(request)), output=output, basis="counted")


def completed(told: Usage, counted: Usage) -> Usage:
    """Add to what a vendor told before its stream broke off what was counted: the output, and an input untold."""
    known = told.input or told.basis == "vendor"
    return msgspec.structs.replace(
        told,
        input=told.input if known else counted.input,
        output=max(told.output, counted.output),
        basis="counted",
    )
