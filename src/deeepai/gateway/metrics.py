"""What the gateway counts about itself, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

ReadHealth = Callable[[], Iterable[tuple[str, int, bool, float]]]
"""Yields each channel's name, requests under way, whether it rests, and its first-byte average in s."""

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one process; a child per pair of labels is looked up once and kept."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "deeepai_requests", "Requests answered", ["operation", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "deeepai_request_seconds",
            "Time until the answer was complete",
            ["operation"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._overhead = Histogram(
            "deeepai_overhead_seconds",
            "The gateway's own share of that time",
            buckets=_BUCKETS[:8],
            registry=self.registry,
        )
        self._failovers = Counter(
            "deeepai_upstream_failures", "Attempts that failed", ["operation", "channel"], registry=self.registry
        )
        self.open = Gauge("deeepai_requests_open", "Requests under way", registry=self.registry)
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, operation: str, status: int, seconds: float, overhead: float) -> None:
        """Count an answered request."""
        key = (operation, status)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._requests.labels(operation, str(status)),
                self._seconds.labels(operation),
            )
        known[0].inc()
        known[1].observe(seconds)
        self._overhead.observe(overhead)

    def failover(self, operation: str, channel: str) -> None:
        """Count an attempt that failed."""
        self._failovers.labels(operation, channel).inc()

    def watch(self, collector: Collector) -> None:
        """Add figures that are read when asked for."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Return the exposition."""
        return generate_latest(self.registry)


class Collector:
    """Figures of the channels, read from their health when asked for."""

    def __init__(self, read: ReadHealth) -> None:
        self._read = read

    def collect(self) -> list[Metric]:
        """Return the figures."""
        inflight = GaugeMetricFamily("deeepai_channel_inflight", "Requests under way", labels=["channel"])
        resting = GaugeMetricFamily("deeepai_channel_resting", "1 while the channel rests", labels=["channel"])
        latency = GaugeMetricFamily(
            "deeepai_channel_first_byte_seconds", "Moving average until the first byte", labels=["channel"]
        )
        for name, active, rests, seconds in self._read():
            inflight.add_metric([name], active)
            resting.add_metric([name], float(rests))
            latency.add_metric([name], seconds)
        return [inflight, resting, latency]
