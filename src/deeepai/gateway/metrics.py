"""What the gateway counts about itself, for Prometheus.

Counting happens on every request, so it is two look-ups and three additions; the exposition is made when asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

ReadHealth = Callable[[], Iterable[tuple[str, int, bool, float]]]
"""Yields each channel's name, requests under way, whether it rests, and its first-byte average in s."""

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_OWN_BUCKETS = _BUCKETS[:8]


class _Histogram:
    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        running = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, running))
        return found


class Metrics:
    """Counters of one process."""

    def __init__(self, health: ReadHealth = lambda: (), open_requests: Callable[[], int] = lambda: 0) -> None:
        self._health = health
        self._open = open_requests
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._seconds: dict[str, _Histogram] = {}
        self._own = _Histogram(_OWN_BUCKETS)
        self._failed: defaultdict[tuple[str, str], int] = defaultdict(int)

    def answered(self, operation: str, status: int, seconds: float, overhead: float) -> None:
        """Count an answered request; times in s."""
        self._requests[operation, status] += 1
        histogram = self._seconds.get(operation)
        if histogram is None:
            histogram = self._seconds[operation] = _Histogram(_BUCKETS)
        histogram.observe(seconds)
        self._own.observe(overhead)

    def failover(self, operation: str, channel: str) -> None:
        """Count an attempt that failed."""
        self._failed[operation, channel] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield all figures, as a Prometheus collector does."""
        requests = CounterMetricFamily("deeepai_requests", "Requests answered", labels=["operation", "status"])
        for (operation, status), count in self._requests.items():
            requests.add_metric([operation, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "deeepai_request_seconds", "Time until the answer was complete", labels=["operation"]
        )
        for operation, histogram in self._seconds.items():
            seconds.add_metric([operation], histogram.buckets(), histogram.total)
        yield seconds
        own = HistogramMetricFamily("deeepai_overhead_seconds", "The gateway's own share of the time")
        own.add_metric([], self._own.buckets(), self._own.total)
        yield own
        failed = CounterMetricFamily(
            "deeepai_upstream_failures", "Attempts that failed", labels=["operation", "channel"]
        )
        for (operation, channel), count in self._failed.items():
            failed.add_metric([operation, channel], count)
        yield failed
        yield GaugeMetricFamily("deeepai_requests_open", "Requests under way", value=self._open())
        inflight = GaugeMetricFamily("deeepai_channel_inflight", "Requests under way", labels=["channel"])
        resting = GaugeMetricFamily("deeepai_channel_resting", "1 while the channel rests", labels=["channel"])
        latency = GaugeMetricFamily(
            "deeepai_channel_first_byte_seconds", "Moving average until the first byte", labels=["channel"]
        )
        for name, active, rests, average in self._health():
            inflight.add_metric([name], active)
            resting.add_metric([name], float(rests))
            latency.add_metric([name], average)
        yield from (inflight, resting, latency)

    def text(self) -> bytes:
        """Return the exposition."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)
