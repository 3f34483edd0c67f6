"""Which models may answer, in which order, under which names and prices."""

from __future__ import annotations

from typing import Any

import pytest

from deeepai.accounts.models import Channel
from deeepai.declare import Failure, Reason, State, StreamRules, Task, Usage
from deeepai.gateway import candidates
from deeepai.gateway.core import Core
from deeepai.gateway.exchange import Exchange
from tests.gateway import callers
from tests.gateway.asgi import operation, stream
from tests.gateway.callers import exchange, token
from tests.gateway.channels import channel

PRICES = {name: {"per_call": "0.01"} for name in ("a", "b", "c", "d")} | {"dear": {"per_call": "0.05"}}
CALL = operation(model=lambda request: request.params["model"])
CHANNELS = [channel(name, models=(name,)) for name in ("a", "b", "c", "dear")]


def core(*channels: Channel, **snapshot: Any) -> Core:
    return callers.core(CALL, channels or CHANNELS, prices=PRICES, **snapshot)


def named(services: Core, x: Exchange) -> list[tuple[str, str]]:
    candidates.name_model(services, x)
    return [(each.requested_model, each.model) for each in candidates.candidates(services, x)]


def test_one_model_is_one_candidate_with_its_price() -> None:
    x, services = exchange(CALL, model="dear"), core()
    candidates.name_model(services, x)
    (only,) = candidates.candidates(services, x)
    assert (only.requested_model, only.model, only.priced.amount) == ("dear", "dear", 50_000_000)
    assert [[each.name for each in tier] for tier in only.tiers] == [["dear"]]


def test_a_list_is_tried_in_order_each_that_is_served_once() -> None:
    services = core(aliases={"smart": "b, gone,a,b"})
    assert named(services, exchange(CALL, model="smart")) == [("smart", "b"), ("smart", "a")]


def test_fallbacks_follow_with_their_own_names_and_aliases() -> None:
    services = core(aliases={"smart": "a,b", "other": "c,gone"})
    x = exchange(CALL, headers={"x-deeepai-fallbacks": "gone, other ,, dear"}, model="smart")
    assert named(services, x) == [("smart", "a"), ("smart", "b"), ("other", "c"), ("dear", "dear")]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (["c", "a"], [("a", "a"), ("c", "c")]),
        ({"a": ["b"], "*": ["c"]}, [("a", "a"), ("b", "b")]),
        ({"*": ["c"]}, [("a", "a"), ("c", "c")]),
        ({"b": ["c"]}, [("a", "a")]),
        ("b", [("a", "a")]),
    ],
)
def test_a_tokens_fallbacks_are_for_all_models_or_by_model(setting: Any, expected: list[tuple[str, str]]) -> None:
    x = exchange(CALL, token(settings={"fallbacks": setting}), model="a")
    assert named(core(), x) == expected


def test_the_body_comes_before_the_header_and_the_header_before_the_token() -> None:
    rules = StreamRules(
        wanted=lambda request: False,
        usage=lambda event: None,
        visible=lambda request, event: event,
        text=str,
        prompt=lambda request: "",
        is_last=lambda event: False,
        error=lambda failure, request_id: b"",
        scan_for=(),
    )
    by_body: list[str] = []
    declared = stream(model=lambda request: "a", rules=rules, fallback_models=lambda request: by_body)
    services = callers.core(declared, CHANNELS, prices=PRICES)
    caller = token(settings={"fallbacks": ["dear"]})
    assert named(services, exchange(declared, caller)) == [("a", "a"), ("dear", "dear")]
    headers = {"x-deeepai-fallbacks": "c"}
    assert named(services, exchange(declared, caller, headers)) == [("a", "a"), ("c", "c")]
    by_body.append("b")
    assert named(services, exchange(declared, caller, headers)) == [("a", "a"), ("b", "b")]


def test_a_model_that_nobody_serves_gives_way_to_its_fallback_or_is_none() -> None:
    assert named(core(), exchange(CALL, headers={"x-deeepai-fallbacks": "b"}, model="gone")) == [("b", "b")]
    with pytest.raises(Failure) as fault:
        named(core(), exchange(CALL, headers={"x-deeepai-fallbacks": "gone too"}, model="gone"))
    assert fault.value.kind is Reason.NO_MODEL


def test_what_may_not_be_called_may_not_stand_in_either() -> None:
    caller = token(models=("a", "smart"))
    services = core(aliases={"smart": "dear"})
    assert named(services, exchange(CALL, caller, model="smart")) == [("smart", "dear")]
    for model, headers in (("b", {}), ("a", {"x-deeepai-fallbacks": "b"})):
        with pytest.raises(Failure) as fault:
            named(services, exchange(CALL, caller, headers, model=model))
        assert fault.value.kind is Reason.FORBIDDEN


def test_shipped_aliases_stand_in_for_what_nobody_serves_only() -> None:
    services = core(fallbacks={"a": "dear", "gone": "b"})
    assert named(services, exchange(CALL, model="a")) == [("a", "a")]
    assert named(services, exchange(CALL, model="gone")) == [("gone", "b")]


def test_a_model_without_a_price_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Failure) as fault:
        named(core(channel("x", models=("unpriced",))), exchange(CALL, model="unpriced"))
    assert fault.value.code == "model_price_error"


def test_a_pin_serves_alone_and_only_what_it_offers() -> None:
    services, x = core(), exchange(CALL, model="a")
    candidates.name_model(services, x)
    (only,) = candidates.candidates(services, x, pin=CHANNELS[0])
    assert [[each.name for each in tier] for tier in only.tiers] == [["a"]]
    with pytest.raises(Failure):
        candidates.candidates(services, x, pin=CHANNELS[1])


def test_what_is_free_is_not_priced_and_what_is_estimated_is() -> None:
    free = operation(free=True, model=lambda request: "unpriced")
    x = exchange(free)
    assert candidates.priced(core(), x, "unpriced", [[CHANNELS[0]]]).amount == 0
    dearer = operation(estimate=lambda request: Usage(calls=3))
    assert candidates.priced(core(), exchange(dearer), "a", [[CHANNELS[0]]]).amount == 30_000_000


def test_a_follow_up_is_asked_where_it_belongs_even_while_that_cools_down() -> None:
    services, (first, second, *_) = core(), CHANNELS
    tried = services.dispatcher.take(first)
    assert tried is not None
    tried.done(ok=False, cooldown=60.0)
    origin = Task("job_1", "toy.try", "a", State.QUEUED)
    # Others come to it last.
    for followed, expected in ((origin, [first]), (None, [second, first])):
        attempts = candidates.attempts(services, "", [[first], [second]], "weight", followed)
        assert [attempt.channel for attempt in attempts] == expected
