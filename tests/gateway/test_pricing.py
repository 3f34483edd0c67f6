"""What a usage costs whom."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeepai.accounts.directory import Snapshot
from deeepai.declare import Failure, Usage
from deeepai.gateway import pricing
from deeepai.gateway.pricing import Priced, Prices
from deeepai.money.prices import PriceBook
from tests.gateway.callers import token
from tests.gateway.channels import channel

ONE = Usage(calls=1)
CENT = 10_000_000
FREE, PAID = channel("free", settings={"unpriced": "free"}), channel("paid")


@pytest.fixture
def prices() -> Prices:
    made = Prices()
    entries = {"m": {"per_call": "0.01"}, "other": {"per_call": "0.03"}}
    made.use(Snapshot(prices=entries, price_groups={"default": Decimal(1), "half": Decimal("0.5")}))
    return made


def test_a_price_is_its_groups_and_a_discount_is_on_all_of_it(prices: Prices) -> None:
    assert prices.cost("m", ONE, "default") == CENT
    assert prices.cost("m", ONE, "half") == CENT // 2
    assert prices.cost("m", ONE, "gone") == CENT, "a group that is gone multiplies by nothing"
    assert prices.cost("m", Usage(calls=1, share=0.5), "half") == CENT // 4
    assert prices.cost("nobody's", ONE, "default") is None


def test_further_models_are_priced_under_their_own_names_or_else_as_the_main_one(prices: Prices) -> None:
    assert prices.cost("m", Usage(calls=1, others={"other": ONE}), "default") == 4 * CENT
    assert prices.cost("m", Usage(calls=1, others={"nobody's": ONE}), "default") == 2 * CENT
    assert prices.cost("m", Usage(calls=1, others={"other": ONE}), "half") == 2 * CENT


@pytest.mark.parametrize(
    ("tiers", "free"), [([[FREE]], True), ([[FREE], [FREE]], True), ([[FREE, PAID]], False), ([[FREE], [PAID]], False)]
)
def test_a_missing_price_is_none_on_the_operators_own_servers_only(
    prices: Prices, tiers: pricing.Tiers, free: bool
) -> None:
    assert pricing.amount(prices, token(), "m", ONE, tiers) == CENT, "a price that there is counts everywhere"
    if free:
        assert pricing.amount(prices, token(), "nobody's", ONE, tiers) == 0
        return
    with pytest.raises(Failure) as fault:
        pricing.amount(prices, token(), "nobody's", ONE, tiers)
    assert (fault.value.kind.status, fault.value.code) == (503, "model_price_error")


def test_without_a_channel_a_missing_price_stays_missing(prices: Prices) -> None:
    with pytest.raises(Failure):
        pricing.amount(prices, token(), "nobody's", ONE, [])


def test_test_mode_costs_nothing_and_needs_no_price(prices: Prices) -> None:
    priced = pricing.price(prices, token(mode="test"), "nobody's", ONE, [[PAID]])
    assert priced == Priced("nobody's", "default", True, ONE, 0)
    assert pricing.cost(prices, priced, Usage(calls=5)) == 0


def test_what_was_held_is_charged_where_the_price_is_gone_meanwhile(prices: Prices) -> None:
    priced = pricing.price(prices, token(price_group="half"), "m", ONE, [[PAID]])
    assert (priced.amount, priced.group) == (CENT // 2, "half")
    assert pricing.cost(prices, priced, Usage(calls=3)) == 3 * CENT // 2
    assert pricing.cost(prices, priced, None) == 0
    prices.use(Snapshot(prices={"m": {"no": "entry"}}))
    assert pricing.cost(prices, priced, Usage(calls=3)) == CENT // 2


COUNTS = st.integers(0, 10**7)
KEYS = ("gpt-4o", "gemini-2.5-pro", "gpt-realtime", "claude-sonnet-4-5", "dall-e-3", "whisper-1", "gpt-4o-mini")


@given(
    key=st.sampled_from(KEYS),
    usage=st.builds(
        Usage,
        input=COUNTS,
        output=COUNTS,
        cached=COUNTS,
        audio_out=st.just(0) | COUNTS,
        largest=st.just(0) | COUNTS,
        unlimited=st.integers(0, 8),
        unseen=st.integers(0, 2),
        images=st.integers(0, 4),
        seconds=st.floats(0, 1e4),
        params=st.just({}) | st.just({"tier": "flex"}) | st.just({"size": "1024x1024", "quality": "hd"}),
        share=st.just(1.0) | st.just(0.5),
        others=st.just({}) | st.just({"gpt-4o-mini": Usage(input=5)}),
        basis=st.sampled_from(("estimated", "vendor")),
    ),
    group=st.sampled_from(("default", "half")),
)
def test_bounds_are_the_cost_and_the_cost_of_the_most(key: str, usage: Usage, group: str) -> None:
    made, book = Prices(), PriceBook.shipped()
    made.use(Snapshot(price_groups={"default": Decimal(1), "half": Decimal("0.5")}))
    cost = made.cost(key, usage, group)
    assert cost is not None
    limitless = bool(cost) and bool(usage.unlimited or usage.unseen)
    most = made.cost(key, book.most(key, usage), group) if limitless else 0
    assert made.bounds(key, usage, group) == (cost, most)
