"""From rounds to tables: ratios, added latency, memory, and the marks that the gateway is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.load.generators import Exact, Rate
from bench.measure import Plan, Round, Sample

LEVEL = 32
OURS = ("deeepai", "deeepai-2")


@dataclass
class Row:
    """A contender's line: its rounds joined, or the reason why there are none."""

    name: str
    does: str
    version: str
    found: Round | None
    reason: str = ""

    def rate(self, level: int) -> float:
        sample = self.found.rates.get(level) if self.found else None
        return sample.value.rate if sample else 0.0

    def exact(self, part: str) -> Exact | None:
        sample: Sample | None = getattr(self.found, part) if self.found else None
        return sample.value if sample else None


def marks(rows: Mapping[str, Row], name: str) -> list[dict[str, Any]]:
    """Return each mark with what was measured; `met` is None where either side of it is missing."""
    ours = rows.get(name)
    if ours is None or ours.found is None:
        return []
    checks: list[tuple[str, float | None, float, bool]] = []
    for other, least in (("nginx-proxy", 0.13), ("tensorzero", 0.4), ("litellm", 60.0)):
        checks.append((f"rate at {LEVEL} connections, of {other}'s", _ratio(rows, name, other), least, True))
    checks.append(("added at p50, one at a time (ms)", _added(rows, name, "latency", _total, "p50"), 0.5, False))
    checks.append(("added at p99, one at a time (ms)", _added(rows, name, "latency", _total, "p99"), 2.0, False))
    between = _added(rows, name, "stream_1", _transit, "p50")
    checks.append(("added between chunks at p50 (ms)", between, 0.1, False))
    weight = ours.found.loaded
    checks.append(
        ("resident memory of the largest process (MB)", weight.largest / 1e6 if weight else None, 150.0, False)
    )
    return [
        {
            "mark": mark,
            "measured": value,
            "at_least" if least else "at_most": bound,
            "met": None if value is None else (value >= bound if least else value <= bound),
        }
        for mark, value, bound, least in checks
    ]


def as_json(rows: Mapping[str, Row], machine: Mapping[str, object], plan: Plan, began: str) -> dict[str, Any]:
    return {
        "began": began,
        "machine": dict(machine),
        "plan": asdict(plan),
        "contenders": {name: asdict(row) for name, row in rows.items()},
        "ratios_at_32": {
            name: {other: _ratio(rows, name, other) for other in ("nginx-proxy", "tensorzero", "litellm")}
            for name in rows
        },
        "marks": {name: found for name in OURS if (found := marks(rows, name))},
    }


def as_markdown(rows: Mapping[str, Row], machine: Mapping[str, object], plan: Plan, began: str) -> str:
    measured = [row for row in rows.values() if row.found]
    parts = [
        "# Speed, side by side\n",
        f"{began}. {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Linux {machine['kernel']}. Load, upstream and contender share the machine. {_disturbance(measured)}\n",
        _rates(list(rows.values()), rows, plan),
        _latencies(measured, rows),
        _streams(measured, rows),
        _memory(measured),
    ]
    parts += [_marks(name, found) for name in OURS if (found := marks(rows, name))]
    failed = [(row.name, row.found.failures) for row in measured if row.found and row.found.failures]
    parts += [f"`{name}`: {'; '.join(reasons)}\n" for name, reasons in failed]
    parts += [f"`{row.name}`: {proof}\n" for row in measured if row.found for proof in row.found.proofs]
    return "\n".join(parts)


def _rates(every: list[Row], rows: Mapping[str, Row], plan: Plan) -> str:
    head = [
        "",
        "what it does",
        *(f"{level} conn." for level in plan.levels),
        "of nginx-proxy",
        "of tensorzero",
        "of litellm",
    ]
    body: list[list[str]] = []
    for row in every:
        if row.found is None:
            body.append([f"{row.name} {row.version}".strip(), row.reason, *[""] * (len(head) - 2)])
            continue
        rates = [_count(row, level) for level in plan.levels]
        ratios = [_times(_ratio(rows, row.name, other)) for other in ("nginx-proxy", "tensorzero", "litellm")]
        body.append([f"{row.name} {row.version}".strip(), row.does, *rates, *ratios])
    return f"## Answers per second, not streaming\n\nRatios are at {LEVEL} connections.\n\n{_table(head, body)}"


def _latencies(measured: list[Row], rows: Mapping[str, Row]) -> str:
    body: list[list[str]] = []
    for row in measured:
        seen = row.exact("latency")
        added = [_ms(_added(rows, row.name, "latency", _total, rank)) for rank in ("p50", "p99")]
        sample = row.found.rates.get(LEVEL) if row.found else None
        body.append(
            [
                row.name,
                _ms(seen.total.p50 / 1e3 if seen else None),
                _ms(seen.total.p99 / 1e3 if seen else None),
                *(["", ""] if row.name == "direct" else added),
                f"{sample.cpu_us:.0f}" if sample and sample.cpu_us else "",
            ]
        )
    head = ["", "p50 ms", "p99 ms", "added p50 ms", "added p99 ms", f"CPU µs an answer at {LEVEL}"]
    return f"## One at a time\n\nAdded: the percentile less that of the upstream alone.\n\n{_table(head, body)}"


def _streams(measured: list[Row], rows: Mapping[str, Row]) -> str:
    body: list[list[str]] = []
    for row in measured:
        flat = row.exact("stream_flat")
        cells = [row.name]
        for part in ("stream_1", "stream_16"):
            cells.append(_ms(_added(rows, row.name, part, _first, "p50")))
            cells.append(_ms(_added(rows, row.name, part, _transit, "p50")))
            cells.append(_ms(_added(rows, row.name, part, _transit, "p99")))
        cells.append(f"{flat.transit.count / flat.requests * flat.rate:,.0f}" if flat and flat.requests else "")
        body.append(cells)
    head = [
        "",
        "first chunk p50, 1 stream",
        "delta p50",
        "delta p99",
        "first chunk p50, 16 streams",
        "delta p50",
        "delta p99",
    ]
    text = (
        "## Streaming, 64 deltas 5 ms apart\n\nms from the request to the first chunk, and for a delta from the "
        "upstream's write to the reader: for `direct` as it is, for the others what they add to that. Last column: "
        "deltas per second with 16 streams and no pause between deltas."
    )
    return f"{text}\n\n{_table([*head, 'deltas/s'], body)}"


def _memory(measured: list[Row]) -> str:
    body: list[list[str]] = []
    for row in measured:
        if row.found is None or row.found.idle is None:
            continue
        weights = [row.found.idle, row.found.loaded or row.found.idle]
        cells = [f"{figure / 1e6:.0f}" for weight in weights for figure in (weight.rss, weight.pss)]
        cells.append(f"{weights[1].largest / 1e6:.0f}")
        body.append([row.name, *cells, str(weights[1].processes), f"{row.found.start_seconds:.1f}"])
    head = [
        "",
        "RSS MB idle",
        "PSS MB idle",
        "RSS MB after load",
        "PSS MB after load",
        "RSS MB of the largest",
        "processes",
        "start s",
    ]
    return f"## Memory, all processes\n\n{_table(head, body)}"


def _marks(name: str, found: list[dict[str, Any]]) -> str:
    body: list[list[str]] = []
    for mark in found:
        bound = f"≥ {mark['at_least']}" if "at_least" in mark else f"≤ {mark['at_most']}"
        value = mark["measured"]
        verdict = {True: "met", False: "**not met**", None: "not measured"}[mark["met"]]
        body.append([mark["mark"], "" if value is None else f"{value:.3g}", bound, verdict])
    return f"## Marks: {name}\n\n{_table(['', 'measured', 'mark', ''], body)}"


def _disturbance(measured: list[Row]) -> str:
    shares = [sample.foreign for row in measured if row.found for sample in _samples(row.found)]
    if not shares:
        return ""
    text = f"Other programs took {sum(shares) / len(shares):.0%} of the machine on average, {max(shares):.0%} at most."
    return text + (" **Not a quiet machine: distrust these figures.**" if max(shares) > 0.15 else "")


def _samples(found: Round) -> list[Sample]:
    return [
        *found.rates.values(),
        *(s for s in (found.latency, found.stream_1, found.stream_16, found.stream_flat) if s),
    ]


def _total(seen: Exact, rank: str) -> float:
    return getattr(seen.total, rank)


def _first(seen: Exact, rank: str) -> float:
    return getattr(seen.first, rank)


def _transit(seen: Exact, rank: str) -> float | None:
    return getattr(seen.transit, rank) if seen.transit.count else None


def _added(
    rows: Mapping[str, Row], name: str, part: str, of: Callable[[Exact, str], float | None], rank: str
) -> float | None:
    """Return the ms that `name` adds to the upstream alone, or takes, if it is that; None where not measured."""
    through = rows[name].exact(part)
    alone = rows["direct"].exact(part) if "direct" in rows else None
    if through is None or alone is None:
        return None
    if name == "direct":
        alone_is = of(alone, rank)
        return None if alone_is is None else alone_is / 1e3
    with_it, without = of(through, rank), of(alone, rank)
    return None if with_it is None or without is None else (with_it - without) / 1e3


def _ratio(rows: Mapping[str, Row], name: str, other: str) -> float | None:
    if other not in rows or not rows[other].rate(LEVEL) or not rows[name].rate(LEVEL):
        return None
    return rows[name].rate(LEVEL) / rows[other].rate(LEVEL)


def _count(row: Row, level: int) -> str:
    sample = row.found.rates.get(level) if row.found else None
    if sample is None:
        return ""
    rate: Rate = sample.value
    return f"{rate.rate:,.0f}" + (f" ({rate.errors} errors)" if rate.errors else "")


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _times(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
