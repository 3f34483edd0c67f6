"""The two load generators, and what they return."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.base import Request
from bench.process import WORK, NotReady
from bench.setup import compiled, system_program

SCRIPT = Path(__file__).with_name("closed.lua")


@dataclass(frozen=True)
class Rate:
    """A closed loop: good answers (`requests`), and per second (`rate`); latencies in µs as wrk sees them."""

    connections: int
    requests: int
    rate: float
    errors: int
    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Percentiles:
    """Ranks of all the samples, in µs."""

    count: int
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Exact:
    """What the probe saw: whole answers, first body bytes, and for streams each delta's way from upstream to reader."""

    requests: int
    errors: int
    rate: float
    total: Percentiles
    first: Percentiles
    transit: Percentiles
    #: Streams that carried some but not all of the 64 deltas.
    short_streams: int


def closed_loop(request: Request, connections: int, seconds: float) -> Rate:
    """Run wrk, one thread, each connection sending its next request as soon as it has its answer."""
    headers, body = request.lines()
    env = {"BENCH_BODY": body, "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items())}
    wrk = system_program("wrk", "wrk")
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(SCRIPT)]
    said = _output([*command, f"http://127.0.0.1:{request.port}{request.path}"], seconds + 30, env)
    found = json.loads(said.rpartition("JSON")[2])
    good = max(0, found["requests"] - found["errors"])
    errors = found["errors"] + found["timeouts"]
    return Rate(connections, good, good / found["seconds"], errors, found["p50_us"], found["p99_us"])


def exact(request: Request, connections: int, seconds: float) -> Exact:
    """Run the probe; requests under way at the end are waited for."""
    file = WORK / "request.http"
    file.touch(mode=0o600)
    file.write_bytes(request.raw())
    command = [compiled("load/probe.c"), str(request.port), str(file), str(connections), str(seconds)]
    try:
        found = json.loads(_output(command, seconds + 60, {}))
    finally:
        file.unlink()
    return Exact(
        requests=found["requests"],
        errors=found["errors"],
        rate=found["rate"],
        total=Percentiles(**found["total_us"]),
        first=Percentiles(**found["first_us"]),
        transit=Percentiles(**found["transit_us"]),
        short_streams=found["short_streams"],
    )


def _output(command: list[str], seconds: float, env: dict[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env={**os.environ, **env}, check=False
    )
    if done.returncode:
        raise NotReady(f"{Path(command[0]).name}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout
