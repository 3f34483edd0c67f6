"""What the gateway counts about itself, for Prometheus.

Counting happens on every request, so it is two look-ups and three additions; the exposition is made when asked for.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from ..storage.board import Board

ReadHealth = Callable[[], Iterable[tuple[str, int, bool, float]]]
"""Yields each channel's name, requests under way, whether it rests, and its first-byte average in s."""

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_OWN_BUCKETS = _BUCKETS[:8]
_SUFFIX = ".metrics"
_Name = TypeVar("_Name", str, int)


class _Histogram(msgspec.Struct):
    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> _Histogram:
        return cls(bounds, [0] * (len(bounds) + 1))

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: _Histogram) -> None:
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        running = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, running))
        return found


class _Channel(msgspec.Struct):
    inflight: int = 0
    resting: bool = False
    latencies: list[float] = []
    """Of each process that has one, s."""


class Wire(msgspec.Struct):
    """What became of connections and bodies."""

    open: int = 0
    """Callers'."""
    refused: dict[str, int] = {}
    """By reason."""
    unasked: dict[str, int] = {}
    """Upstreams' that sent what nobody had asked for, by host and port."""
    held: int = 0
    """Bytes of memory that bodies take."""
    unheld: int = 0
    """Requests for whose bodies there was none."""


class _Figures(msgspec.Struct):
    """What one process has counted, or several."""

    requests: dict[str, dict[int, int]] = {}
    """By operation and status."""
    seconds: dict[str, _Histogram] = {}
    own: _Histogram = msgspec.field(default_factory=lambda: _Histogram.empty(_OWN_BUCKETS))
    failed: dict[str, dict[str, int]] = {}
    """By operation and channel."""
    unkept: dict[str, dict[str, int]] = {}
    """By kind and reason."""
    deleted: dict[str, dict[str, int]] = {}
    """By kind and reason."""
    open: int = 0
    channels: dict[str, _Channel] = {}
    wire: Wire = msgspec.field(default_factory=Wire)

    def add(self, other: _Figures) -> None:
        _add(self.requests, other.requests)
        _add(self.failed, other.failed)
        _add(self.unkept, other.unkept)
        _add(self.deleted, other.deleted)
        for operation, histogram in other.seconds.items():
            self.seconds.setdefault(operation, _Histogram.empty(_BUCKETS)).add(histogram)
        self.own.add(other.own)
        self.open += other.open
        self.wire.open += other.wire.open
        for mine, more in ((self.wire.refused, other.wire.refused), (self.wire.unasked, other.wire.unasked)):
            for name, count in more.items():
                mine[name] = mine.get(name, 0) + count
        self.wire.held += other.wire.held
        self.wire.unheld += other.wire.unheld
        for name, channel in other.channels.items():
            mine = self.channels.setdefault(name, _Channel())
            mine.inflight += channel.inflight
            mine.resting |= channel.resting
            mine.latencies += channel.latencies


def _add(to: dict[str, dict[_Name, int]], more: dict[str, dict[_Name, int]]) -> None:
    for operation, counts in more.items():
        mine = to.setdefault(operation, {})
        for name, count in counts.items():
            mine[name] = mine.get(name, 0) + count


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


class Metrics:
    """Counters of one process, and the sum of all where several serve one address.

    Parameters
    ----------
    health, open_requests, wire : callable
        Tell how channels do, how many requests are under way, and what became of connections and bodies.
    board : Board, optional
        Tells which processes are alive, where there are several.
    folder : Path, optional
        Where each leaves its figures for the others.
    """

    def __init__(
        self,
        health: ReadHealth = lambda: (),
        open_requests: Callable[[], int] = lambda: 0,
        wire: Callable[[], Wire] = Wire,
        board: Board | None = None,
        folder: Path = Path(),
    ) -> None:
        self._health = health
        self._open = open_requests
        self._wire = wire
        self._board = board
        self._folder = folder
        self._counted = _Figures()
        self.kept: Mapping[tuple[str, str], tuple[int, int]] = {}
        """Bytes and items that are kept, by kind and mode."""
        self.cache_up: Callable[[], bool] = lambda: True
        """Tells whether limits are shared with other gateways, as they should be."""

    def answered(self, operation: str, status: int, seconds: float, overhead: float) -> None:
        """Count an answered request; times in s."""
        counted = self._counted
        histogram = counted.seconds.get(operation)
        if histogram is None:
            histogram = counted.seconds[operation] = _Histogram.empty(_BUCKETS)
            counted.requests[operation] = {}
        statuses = counted.requests[operation]
        statuses[status] = statuses.get(status, 0) + 1
        histogram.observe(seconds)
        counted.own.observe(overhead)

    def failover(self, operation: str, channel: str) -> None:
        """Count an attempt that failed."""
        channels = self._counted.failed.setdefault(operation, {})
        channels[channel] = channels.get(channel, 0) + 1

    def unkept(self, kind: str, why: str) -> None:
        """Count something that was not kept."""
        _add(self._counted.unkept, {kind: {why: 1}})

    def deleted(self, kind: str, count: int) -> None:
        """Count what was kept and is no longer."""
        _add(self._counted.deleted, {kind: {"swept": count}})

    def _figures(self) -> _Figures:
        self._counted.open = self._open()
        self._counted.wire = self._wire()
        self._counted.channels = {
            name: _Channel(active, rests, [average] if average else [])
            for name, active, rests, average in self._health()
        }
        return self._counted

    def publish(self) -> None:
        """Leave this process's figures for the others."""
        if self._board is not None:
            path = self._folder / f"{self._board.name}{_SUFFIX}"
            new = path.with_suffix(".figures")
            new.write_bytes(msgspec.msgpack.encode(self._figures()))
            os.replace(new, path)

    def _gathered(self) -> _Figures:
        if self._board is None:
            return self._figures()
        # Read back from where the others read it: no process may ever tell less than another told before.
        with suppress(OSError):
            self.publish()
        alive = self._board.alive()
        total = _Figures()
        for path in self._folder.glob(f"*{_SUFFIX}"):
            figures = msgspec.msgpack.decode(path.read_bytes(), type=_Figures)
            if path.stem not in alive:
                figures.open, figures.wire.open, figures.wire.held, figures.channels = 0, 0, 0, {}
            total.add(figures)
        return total

    def collect(self) -> Iterator[Metric]:
        """Yield all figures, as a Prometheus collector does."""
        figures = self._gathered()
        requests = CounterMetricFamily("deeepai_requests", "Requests answered", labels=["operation", "status"])
        for operation, statuses in figures.requests.items():
            for status, count in statuses.items():
                requests.add_metric([operation, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "deeepai_request_seconds", "Time until the answer was complete", labels=["operation"]
        )
        for operation, histogram in figures.seconds.items():
            seconds.add_metric([operation], histogram.buckets(), histogram.total)
        yield seconds
        own = HistogramMetricFamily("deeepai_overhead_seconds", "The gateway's own share of the time")
        own.add_metric([], figures.own.buckets(), figures.own.total)
        yield own
        failed = CounterMetricFamily(
            "deeepai_upstream_failures", "Attempts that failed", labels=["operation", "channel"]
        )
        for operation, channels in figures.failed.items():
            for channel, count in channels.items():
                failed.add_metric([operation, channel], count)
        yield failed
        unkept = CounterMetricFamily("deeepai_unkept", "What was not kept", labels=["kind", "reason"])
        for kind, reasons in figures.unkept.items():
            for reason, count in reasons.items():
                unkept.add_metric([kind, reason], count)
        yield unkept
        deleted = CounterMetricFamily("deeepai_deleted", "What was kept and is no longer", labels=["kind"])
        for kind, reasons in figures.deleted.items():
            deleted.add_metric([kind], sum(reasons.values()))
        yield deleted
        kept_bytes = GaugeMetricFamily("deeepai_kept_bytes", "Bytes that are kept", labels=["kind", "mode"])
        kept_items = GaugeMetricFamily("deeepai_kept_items", "What is kept", labels=["kind", "mode"])
        for (kind, mode), (size, items) in self.kept.items():
            kept_bytes.add_metric([kind, mode], size)
            kept_items.add_metric([kind, mode], items)
        yield from (kept_bytes, kept_items)
        yield GaugeMetricFamily("deeepai_requests_open", "Requests under way", value=figures.open)
        yield GaugeMetricFamily("deeepai_connections_open", "Connections of callers", value=figures.wire.open)
        yield _counter("deeepai_connections_refused", "Refused callers' connections", "reason", figures.wire.refused)
        yield _counter(
            "deeepai_upstream_unasked", "Upstreams' connections that said what nobody asked", "to", figures.wire.unasked
        )
        yield GaugeMetricFamily("deeepai_body_bytes", "Memory that callers' bodies take", value=figures.wire.held)
        yield CounterMetricFamily(
            "deeepai_bodies_refused", "Requests refused for want of memory for their bodies", value=figures.wire.unheld
        )
        yield GaugeMetricFamily(
            "deeepai_cache_up", "1 while what nodes share is shared; 0 while each goes on alone", value=self.cache_up()
        )
        inflight = GaugeMetricFamily("deeepai_channel_inflight", "Requests under way", labels=["channel"])
        resting = GaugeMetricFamily(
            "deeepai_channel_resting", "1 while the channel rests in any worker", labels=["channel"]
        )
        latency = GaugeMetricFamily(
            "deeepai_channel_first_byte_seconds", "Moving average until the first byte", labels=["channel"]
        )
        for name, channel in figures.channels.items():
            inflight.add_metric([name], channel.inflight)
            resting.add_metric([name], float(channel.resting))
            latency.add_metric([name], sum(channel.latencies) / max(1, len(channel.latencies)))
        yield from (inflight, resting, latency)

    def text(self) -> bytes:
        """Return the exposition."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)
