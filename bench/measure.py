"""One contender measured: started twice, once before each upstream, and weighed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from bench.contenders.base import Contender
from bench.load.generators import Exact, Rate, closed_loop, exact
from bench.machine import Stopwatch
from bench.process import Child, NotReady, Weight

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """How long each measurement lasts, in seconds."""

    levels: tuple[int, ...]
    warm: float
    rate: float
    latency: float
    stream: float
    rounds: int
    limit: float


FULL = Plan(levels=(1, 4, 16, 32, 64), warm=1.0, rate=3.0, latency=5.0, stream=3.0, rounds=2, limit=570.0)
QUICK = Plan(levels=(1, 32), warm=1.0, rate=2.0, latency=2.0, stream=1.5, rounds=1, limit=105.0)


@dataclass(frozen=True)
class Sample:
    """One measurement with the share of the machine that others took during it."""

    value: Any
    foreign: float
    #: CPU time of the contender's processes per answer, in µs; 0 where there is no contender.
    cpu_us: float = 0.0


@dataclass
class Round:
    """All that one round found out about one contender; what could not be measured is absent, with the reason."""

    rates: dict[int, Sample] = field(default_factory=dict[int, Sample])
    latency: Sample | None = None
    stream_1: Sample | None = None
    stream_16: Sample | None = None
    stream_flat: Sample | None = None
    idle: Weight | None = None
    loaded: Weight | None = None
    start_seconds: float = 0.0
    failures: list[str] = field(default_factory=list[str])
    #: What the contender itself says of the answers it gave, after it was stopped.
    proofs: list[str] = field(default_factory=list[str])


def measure(
    contender: Contender, plan: Plan, upstreams: list[Child], whole: int, stream: int, deadline: float
) -> Round:
    """Measure `contender` before the upstreams at ports `whole` (answers) and `stream` (deltas).

    Streams are left out when they would end after `deadline` (monotonic seconds).
    """
    found = Round()
    counted: list[int] = []

    def sampled(call: Callable[[], Rate | Exact]) -> Sample:
        watch = Stopwatch(contender.child, upstreams)
        value = call()
        if value.errors and not value.requests:
            raise NotReady(f"{value.errors} errors and no answer")
        counted.append(value.requests)
        cpu = watch.contender_seconds() / value.requests * 1e6 if value.requests else 0.0
        return Sample(value, watch.foreign_share(), cpu)

    try:
        began = time.monotonic()
        contender.start(whole)
        found.start_seconds = time.monotonic() - began
        request = contender.request(stream=False)
        sampled(lambda: exact(request, 1, 0.1))
        found.idle = contender.child.weight() if contender.child else None
        sampled(lambda: closed_loop(request, 32, plan.warm))
        found.latency = sampled(lambda: exact(request, 1, plan.latency))
        for level in plan.levels:
            found.rates[level] = sampled(lambda level=level: closed_loop(request, level, plan.rate))
        found.loaded = contender.child.weight() if contender.child else None
    except NotReady as error:
        found.failures.append(str(error))
    finally:
        contender.stop()
    if counted and (proof := contender.proof()):
        found.proofs.append(f"{sum(counted):,} answers counted; {proof}")
    if found.idle is None and found.failures:
        return found
    counted.clear()
    if time.monotonic() + found.start_seconds + 3 * plan.stream > deadline:
        found.failures.append("streaming: not measured, time limit")
        return found
    try:
        contender.start(stream)
        paced = contender.request(stream=True)
        flat = contender.request(stream=True, pace_us=0)
        sampled(lambda: exact(flat, 4, plan.warm / 2))
        found.stream_1 = sampled(lambda: exact(paced, 1, plan.stream))
        found.stream_16 = sampled(lambda: exact(paced, 16, plan.stream))
        found.stream_flat = sampled(lambda: exact(flat, 16, plan.stream / 2))
    except NotReady as error:
        found.failures.append(f"streaming: {error}")
    finally:
        contender.stop()
    if counted and (proof := contender.proof()):
        found.proofs.append(f"{sum(counted):,} answers counted; {proof}")
    return found


def calmest(rounds: list[Round]) -> Round:
    """Join rounds: of each measurement, that one counts which other programs disturbed least."""
    joined = Round()
    for part in fields(Round):
        values = [getattr(one, part.name) for one in rounds]
        if part.name == "rates":
            levels = sorted({level for rates in values for level in rates})
            joined.rates = {level: _calm([rates[level] for rates in values if level in rates]) for level in levels}
        elif part.name in ("failures", "proofs"):
            setattr(joined, part.name, list(dict.fromkeys(text for texts in values for text in texts)))
        elif part.name == "start_seconds":
            joined.start_seconds = min(values)
        elif present := [value for value in values if value is not None]:
            samples = isinstance(present[0], Sample)
            setattr(joined, part.name, _calm(present) if samples else max(present, key=lambda weight: weight.pss))
    return joined


def _calm(samples: list[Sample]) -> Sample:
    return min(samples, key=lambda sample: sample.foreign)
