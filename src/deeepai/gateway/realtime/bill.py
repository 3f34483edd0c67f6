"""What a session costs: a hold for the next piece of work, renewed, and a charge for each that is done."""

from __future__ import annotations

import asyncio
import time

import msgspec
import quicktok

from ...declare import Failure, Reason, Spent, Usage
from ...money.ledger import Hold, InsufficientFunds, Settlement
from .. import admission, keys, pricing, settlement
from ..core import Core
from ..pricing import Priced
from ..settlement import Outcome
from .session import Session

_ENCODING = "o200k_base"


class Bill:
    """One session's money.

    Each charge is a settlement of its own, `<request id>-<number>`, with a usage row; so what was charged stays, and
    what was only held comes back, whatever becomes of the session.

    Parameters
    ----------
    priced : Priced
        What the session's model costs; the first hold is the amount in it.

    Attributes
    ----------
    outcome : Outcome
        How the session went.
    began : float or None
        When the work under way began.
    """

    def __init__(self, core: Core, x: Session, priced: Priced, outcome: Outcome) -> None:
        self._core = core
        self._x = x
        self.outcome = outcome
        self._count = 0
        self._hold: Hold | None = None
        self._charging: set[asyncio.Future[None]] = set()
        self._dearest = priced.amount
        self.priced = priced
        self.began: float | None = None

    async def cover(self) -> None:
        """Hold for the next piece of work: what was estimated, or the dearest so far.

        Raises
        ------
        Failure
            UNFUNDED
        """
        if self._hold is not None or not self._dearest:
            return
        token = self._x.caller
        name, budgeted = f"{self._x.id}-{self._count + 1}", token.budget is not None
        amount, most = self._dearest, self.priced.most
        try:
            self._hold = await self._core.ledger.hold(
                *(name, token.account_id, token.id, amount), budgeted=budgeted, most=most
            )
        except InsufficientFunds as fault:
            raise settlement.unfunded(fault) from None

    def start(self) -> None:
        """Note that a piece of work begins."""
        self.began = time.perf_counter()

    async def recheck(self) -> None:
        """Look whether the caller's key is still good.

        Raises
        ------
        Failure
        """
        keys.check(await self._core.directory.token(self._x.digest), self._x.ip, self._x.protocol.kin)

    async def charge(self, spent: Spent) -> None:
        """Charge a piece of work; it is committed when this returns. Cancelling leaves it under way: see `settled`."""
        charging = asyncio.ensure_future(self._charge(spent))
        self._charging.add(charging)
        charging.add_done_callback(self._charging.discard)
        await asyncio.shield(charging)

    async def settled(self) -> None:
        """Wait for the charges under way."""
        while self._charging:
            await asyncio.wait(self._charging)

    async def _charge(self, spent: Spent) -> None:
        usage = spent.usage
        if spent.prompt or spent.text:
            usage = await asyncio.to_thread(_counted, spent)
        cost = self._cost(spent.key, usage)
        self._count += 1
        self._dearest = max(self._dearest, cost) if self._dearest else 0
        held, self._hold = self._hold, None
        row = settlement.usage_row(self._x, self.outcome, 200, usage, cost)
        row.request_id = f"{self._x.id}-{self._count}"
        row.model = spent.key or row.model
        row.streamed = 1
        if self.began is not None:
            row.latency_ms = int((time.perf_counter() - self.began) * 1000)
            self.began = None
        if cost or held is not None:
            await self._core.ledger.settle(Settlement(row.request_id, held, cost, row))
        else:
            self._core.ledger.record(row)

    def _cost(self, key: str | None, usage: Usage) -> int:
        if self.priced.free:
            return 0
        if key is not None:
            cost = self._core.prices.cost(key, usage, self.priced.group)
            if cost is not None:
                return cost
        return pricing.cost(self._core.prices, self.priced, usage)

    def allow(self, model: str) -> None:
        """Refuse another model that the caller may not use, or that has no price.

        Raises
        ------
        Failure
        """
        admission.may_call(self._x.caller, model)
        if not self.priced.free and self._core.prices.cost(model, Usage(), self.priced.group) is None:
            raise Failure(Reason.UNAVAILABLE, f"No price is set for the model '{model}'", code="model_price_error")

    def close(self, status: int) -> None:
        """Give back what is held, and record the session."""
        if self._hold is not None:
            self._core.ledger.cancel(self._hold)
            self._hold = None
        row = settlement.usage_row(self._x, self.outcome, status)
        row.streamed = 1
        self._core.ledger.record(row)


def _counted(spent: Spent) -> Usage:
    encoding = quicktok.get_encoding(_ENCODING)
    usage = spent.usage
    return msgspec.structs.replace(
        usage, input=usage.input + encoding.count(spent.prompt), output=usage.output + encoding.count(spent.text)
    )
