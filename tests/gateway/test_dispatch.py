"""Which channel answers, and how sick ones rest. The clock goes when it is told to; the dice are seeded."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from deeepai.accounts.limits import Limiter
from deeepai.accounts.models import Channel
from deeepai.gateway import dispatch
from deeepai.gateway.dispatch import (
    FAILURES_TO_COOL_DOWN,
    FIRST_COOLDOWN,
    LONGEST_COOLDOWN,
    Attempt,
    Dispatcher,
    Reachable,
    Way,
    matches,
)
from tests.gateway.asgi import operation, protocol
from tests.gateway.channels import channel


class Clock:
    """Stands where the module looks for the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(dispatch, "time", made)
    random.seed(7)
    return made


def dispatcher(*channels: Channel) -> Dispatcher:
    made = Dispatcher({"toy": protocol(operation(), models=("own-*",))})
    made.use(channels)
    return made


def names(given: Dispatcher, model: str = "m", mode: str = "live", group: str = "default") -> list[list[str]]:
    return [[each.name for each in tier] for tier in given.tiers("toy", model, mode, group)]  # pyright: ignore[reportArgumentType]


def attempts(given: Dispatcher, most: int = 4) -> list[Attempt]:
    return list(given.attempts(given.tiers("toy", "m", "live", "default"), most))


def fail(given: Dispatcher, found: Channel, times: int = 1) -> None:
    for _ in range(times):
        attempt = given.take(found, pinned=True)
        assert attempt is not None
        attempt.done(ok=False)


def test_channels_serve_by_model_mode_group_and_being_enabled() -> None:
    given = dispatcher(
        channel("named"),
        channel("pattern", models=("m*",)),
        channel("mapped", models=(), model_map={"m": "theirs"}),
        channel("default", models=None),
        channel("off", enabled=False),
        channel("test", mode="test"),
        channel("vip", price_groups=("vip",)),
        channel("other", protocol="other"),
    )
    assert names(given) == [["named", "pattern", "mapped"]]
    assert names(given, "m2") == [["pattern"]]
    assert names(given, "own-1") == [["default"]]
    assert names(given, mode="test") == [["test"]]
    assert names(given, group="vip") == [["named", "pattern", "mapped", "vip"]]
    assert names(given, "unknown") == []


def test_a_new_snapshot_counts_at_once_and_health_outlives_it() -> None:
    first, second = channel("a"), channel("b")
    given = dispatcher(first, second)
    fail(given, first, 3)
    fail(given, second)
    assert names(given) == [["a", "b"]]
    given.use([first])
    assert names(given) == [["a"]]
    assert given.health[first.id].failures == 3
    assert second.id not in given.health


@pytest.mark.parametrize(
    ("name", "patterns", "fine"),
    [
        ("gpt-4o", ("gpt-*",), True),
        ("gpt-4o", ("gpt-4",), False),
        ("GPT-4o", ("gpt-*",), False),
        ("a", ("*",), True),
        ("a[1]", ("a[1]",), True),
        ("a1", ("a[1]",), False),
        ("x", (), False),
    ],
)
def test_names_and_patterns(name: str, patterns: tuple[str, ...], fine: bool) -> None:
    assert matches(name, patterns) is fine


def test_higher_priority_first_each_channel_once() -> None:
    given = dispatcher(
        channel("low", priority=-1), channel("high1", priority=5), channel("mid"), channel("high2", priority=5)
    )
    for _ in range(20):
        order = [attempt.channel.name for attempt in attempts(given)]
        assert set(order[:2]) == {"high1", "high2"}
        assert order[2:] == ["mid", "low"]
    assert len(attempts(given, most=2)) == 2


def test_weights_share_the_load() -> None:
    given = dispatcher(channel("one"), channel("three", weight=3), channel("none", weight=0))
    first: Counter[str] = Counter()
    for _ in range(4000):
        made = attempts(given)
        first[made[0].channel.name] += 1
        assert len(made) == 3
        assert made[-1].channel.name == "none"
    assert first["none"] == 0
    assert 2.6 < first["three"] / first["one"] < 3.4


def test_without_weights_all_are_equal() -> None:
    given = dispatcher(channel("a", weight=0), channel("b", weight=-5))
    first = Counter(attempts(given)[0].channel.name for _ in range(1000))
    assert min(first["a"], first["b"]) > 400


def test_a_channel_rests_after_failures_in_a_row_only(clock: Clock) -> None:
    sick, well = channel("sick"), channel("well")
    given = dispatcher(sick, well)
    fail(given, sick, FAILURES_TO_COOL_DOWN - 1)
    taken = given.take(sick)
    assert taken is not None
    taken.done(ok=True)
    fail(given, sick, FAILURES_TO_COOL_DOWN - 1)
    assert len(attempts(given)) == 2
    fail(given, sick)
    assert [attempt.channel.name for attempt in attempts(given)] == ["well", "sick"]  # only where "well" fails, too
    clock.now += FIRST_COOLDOWN - 0.01
    assert given.take(sick) is None


def test_after_the_rest_one_probe_decides(clock: Clock) -> None:
    sick = channel("sick")
    given = dispatcher(sick, channel("well"))
    fail(given, sick, FAILURES_TO_COOL_DOWN)
    clock.now += FIRST_COOLDOWN
    probe = given.take(sick)
    assert probe is not None
    assert probe.probe
    assert given.take(sick) is None  # while the probe is under way, nobody else
    probe.done(ok=False)
    assert given.take(sick) is None
    clock.now += FIRST_COOLDOWN * 2 - 0.01  # the second rest is twice as long
    assert given.take(sick) is None
    clock.now += 0.01
    again = given.take(sick)
    assert again is not None
    again.done(ok=True, first_byte=0.2)
    assert given.take(sick) is not None
    assert given.take(sick) is not None
    health = given.health[sick.id]
    assert (health.failures, health.cooldowns, health.cooldown_until) == (0, 0, 0.0)


def test_a_probe_that_was_given_up_lets_the_next_one_through(clock: Clock) -> None:
    sick = channel("sick")
    given = dispatcher(sick)
    fail(given, sick, FAILURES_TO_COOL_DOWN)
    clock.now += FIRST_COOLDOWN
    probe = given.take(sick)
    assert probe is not None
    probe.cancelled()
    assert given.take(sick) is not None


def test_requests_that_fail_together_are_one_reason_to_rest(clock: Clock) -> None:
    sick = channel("sick")
    given = dispatcher(sick, channel("well"))
    under_way = [given.take(sick) for _ in range(50)]
    for attempt in under_way:
        assert attempt is not None
        attempt.done(ok=False)
    assert given.health[sick.id].cooldown_until == clock.now + FIRST_COOLDOWN


def test_rests_have_a_longest_however_long_the_trouble(clock: Clock) -> None:
    sick = channel("sick")
    given = dispatcher(sick)
    for _ in range(3000):
        fail(given, sick)
        clock.now = max(clock.now, given.health[sick.id].cooldown_until)
    fail(given, sick)
    assert given.health[sick.id].cooldown_until == clock.now + LONGEST_COOLDOWN


def test_a_refusal_with_a_wait_rests_at_once_and_not_shorter_than_before(clock: Clock) -> None:
    busy = channel("busy")
    given = dispatcher(busy, channel("well"))
    first, second = given.take(busy), given.take(busy)
    assert first is not None
    assert second is not None
    first.done(ok=False, cooldown=30.0)
    second.done(ok=False, cooldown=2.0)
    clock.now += 29.9
    assert given.take(busy) is None
    clock.now += 0.1
    assert given.take(busy) is not None


def test_where_all_rest_the_one_that_is_soonest_well_is_tried(clock: Clock) -> None:
    long, short = channel("long", priority=1), channel("short")
    given = dispatcher(long, short)
    for each, rest in ((long, 60.0), (short, 10.0)):
        attempt = given.take(each)
        assert attempt is not None
        attempt.done(ok=False, cooldown=rest)
    assert [attempt.channel.name for attempt in attempts(given)] == ["short"]


def test_a_follow_up_reaches_its_channel_even_while_it_rests() -> None:
    sick = channel("sick", concurrency=1)
    given = dispatcher(sick)
    fail(given, sick, FAILURES_TO_COOL_DOWN)
    assert given.take(sick) is None
    pinned = given.take(sick, pinned=True)
    assert pinned is not None
    assert given.take(sick, pinned=True) is None  # full


def test_concurrency_is_kept_and_given_back_exactly_once() -> None:
    full = channel("full", concurrency=2)
    given = dispatcher(full)
    first, second = given.take(full), given.take(full)
    assert first is not None
    assert second is not None
    assert given.take(full) is None
    assert attempts(given) == []
    first.done(ok=True)
    first.done(ok=False)
    first.cancelled()
    assert given.health[full.id].inflight == 1
    second.cancelled()
    second.done(ok=True)
    health = given.health[full.id]
    assert (health.inflight, health.served, health.failed) == (0, 1, 0)


def test_requests_a_minute_slide(clock: Clock) -> None:
    slow = channel("slow", rpm=2)
    given = dispatcher(slow)
    given.limiter = Limiter(clock=clock.monotonic)
    clock.now = 1200.0
    assert given.take(slow) is not None
    assert given.take(slow) is not None
    assert given.take(slow) is None
    assert given.take(slow, pinned=True) is None
    clock.now = 1260.0
    assert given.take(slow) is None
    clock.now = 1290.0
    assert given.take(slow) is not None
    assert given.take(slow) is None


def test_what_is_refused_for_its_minute_takes_no_place(clock: Clock) -> None:
    slow = channel("slow", rpm=1, concurrency=2)
    given = dispatcher(slow)
    given.limiter = Limiter(clock=clock.monotonic)
    assert given.take(slow) is not None
    assert given.take(slow) is None
    clock.now += 120
    assert given.take(slow) is not None


def test_a_channel_may_serve_some_operations_only() -> None:
    given = dispatcher(channel("all"), channel("some", settings={"operations": ["chat", "embed*"]}))

    def by(*operations: str) -> list[str]:
        levels = given.tiers("toy", "m", "live", "default", Reachable((("toy", tuple(map(Way, operations))),)))
        return [each.name for tier in levels for each in tier]

    assert by("chat") == by("responses", "embeddings") == ["all", "some"]
    assert by("responses") == ["all"]


def test_channels_of_one_priority_are_chosen_as_routing_says() -> None:
    dear, cheap = channel("dear", settings={"cost": 2}), channel("cheap", settings={"cost": 0.5})
    given = dispatcher(dear, cheap, channel("plain"))
    levels = given.tiers("toy", "m", "live", "default")
    for _ in range(20):
        assert next(given.attempts(levels, 1, "price")).channel.name == "cheap"
    for name, seconds in (("dear", 0.1), ("cheap", 0.3), ("plain", 0.2)):
        attempt = given.take(next(each for each in given.channels if each.name == name))
        assert attempt is not None
        attempt.done(ok=True, first_byte=seconds)
    order = [attempt.channel.name for attempt in given.attempts(levels, 3, "latency")]
    assert order == ["dear", "plain", "cheap"]
