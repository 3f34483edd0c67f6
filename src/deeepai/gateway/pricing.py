"""What a call costs: by the price book, the operator's prices, the caller's price group; test mode is free."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from ..accounts.directory import Snapshot
from ..accounts.models import Channel, Token
from ..declare import Failure, Reason, Usage
from ..money.prices import PriceBook

_ONE: Final = Decimal(1)
Tiers = Sequence[Sequence[Channel]]
"""Channels by priority, the highest first."""


class Prices:
    """The price book under the current snapshot of the configuration."""

    def __init__(self) -> None:
        self._book = PriceBook.shipped()
        self._groups: Mapping[str, Decimal] = {}

    def use(self, snapshot: Snapshot) -> None:
        """Take over the operator's prices and groups."""
        self._book = PriceBook.shipped().overridden(snapshot.prices)
        self._groups = snapshot.price_groups

    def names(self) -> Collection[str]:
        """Return all keys that are no patterns."""
        return self._book.names()

    def vendor(self, name: str) -> str:
        """Return whose model it is, as far as that is known."""
        return self._book.vendor(name)

    def bounds(self, key: str, usage: Usage, group: str) -> tuple[int, int] | None:
        """Return what a call costs by its estimate, and at most, in 10⁻⁹ USD; None where the key has no price."""
        if not usage.others and usage.share == 1:
            return self._book.bounds(key, usage, self._groups.get(group, _ONE))
        cost = self.cost(key, usage, group)
        if not cost or not (usage.unlimited or usage.unseen):
            return None if cost is None else (cost, 0)
        return cost, self.cost(key, self._book.most(key, usage), group) or 0

    def cost(self, key: str, usage: Usage, group: str) -> int | None:
        """Return what a usage costs, in 10⁻⁹ USD; None where the key has no price."""
        multiplier = self._groups.get(group, _ONE)
        if usage.share != 1:
            multiplier *= Decimal(str(usage.share))
        cost = self._book.cost_of_call(key, usage, multiplier)
        if cost is None or not usage.others:
            return cost
        for name, other in usage.others.items():
            its = self._book.cost(name, other, multiplier)
            # A further model without a price of its own is charged as the main one.
            cost += (self._book.cost(key, other, multiplier) or 0) if its is None else its
        return cost


class Priced(msgspec.Struct, frozen=True):
    """Under what a call is charged, and what is held for it."""

    key: str
    group: str
    free: bool
    estimate: Usage
    amount: int
    """10⁻⁹ USD."""
    most: int = 0
    """What it may cost where the caller sets no limit, 10⁻⁹ USD; 0 where that is the amount."""


def price(prices: Prices, token: Token, key: str, estimate: Usage, tiers: Tiers) -> Priced:
    """Say what a call will cost by its estimate, and under what it is charged.

    Raises
    ------
    Failure
        UNAVAILABLE, where the key has no price.
    """
    if token.mode == "test":
        return unpriced(token, key, estimate)
    bounds = prices.bounds(key, estimate, token.price_group)
    if bounds is None:
        bounds = amount(prices, token, key, estimate, tiers), 0
    return Priced(key, token.price_group, False, estimate, *bounds)


def unpriced(token: Token, key: str, estimate: Usage) -> Priced:
    """Say that a call costs nothing."""
    return Priced(key, token.price_group, True, estimate, 0)


def amount(prices: Prices, token: Token, key: str, usage: Usage, tiers: Tiers) -> int:
    """Return what a usage costs the caller, in 10⁻⁹ USD.

    Parameters
    ----------
    tiers : sequence
        Channels that serve the model: where all of them are the operator's own servers, a missing price is none.

    Raises
    ------
    Failure
        UNAVAILABLE, where the key has no price.
    """
    cost = prices.cost(key, usage, token.price_group)
    if cost is not None:
        return cost
    if tiers and all(channel.settings.get("unpriced") == "free" for tier in tiers for channel in tier):
        return 0
    raise Failure(
        Reason.UNAVAILABLE,
        f"No price is set for the model '{key}'; an operator can set one with `deeepai prices set`",
        code="model_price_error",
        param="model",
    )


def cost(prices: Prices, priced: Priced, usage: Usage | None) -> int:
    """Return what a usage costs, in 10⁻⁹ USD; what was held for it, where the price is gone meanwhile."""
    if usage is None or priced.free:
        return 0
    found = prices.cost(priced.key, usage, priced.group)
    return priced.amount if found is None else found
