"""Long jobs by the thousand: how late the gateway knows of their ends, and what that costs.

    python -m bench.jobs                      # 10,000 open at once, which take 5 to 120 s each
    python -m bench.jobs --count 5000 --rate 500 --kills 2

A gateway of one worker with a sandbox that stands in for every vendor; those that call back do, unless `--silent` says
that none does. The lag is the time from the end of a job at the vendor to the end that the gateway has stored. With
`--rate` so many are submitted a minute, and the gateway is killed so often meanwhile; then each that was accepted must
have ended, and been charged once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.stack import Gateway, Sandbox

from bench.hostile import _gateway_process, _resident
from deeepai.declare import Submit
from deeepai.protocols import PROTOCOLS

_TEXTS: Final = ("prompt", "text_prompt", "user_prompt", "promptText", "gpt_description_prompt")
_AT_ONCE: Final = 32
SHORTEST, LONGEST = 5, 120
"""Seconds that a job takes."""


@dataclass(frozen=True)
class Kind:
    """How a protocol's job is submitted: its body with the words changed that the vendor reads."""

    protocol: str
    path: str
    body: Mapping[str, Any]
    text: str
    more: str = ""

    def asking(self, seconds: float, number: int) -> dict[str, Any]:
        """Return the body of a job that takes so long; no two are alike."""
        return {**self.body, self.text: f"job {number} [sandbox:takes={seconds:.1f}]{self.more}"}


@dataclass
class Found:
    """What became of the jobs, and of the gateway meanwhile."""

    accepted: dict[str, str] = field(default_factory=dict[str, str])
    """Protocols by the ids of their requests."""
    refused: Counter[str] = field(default_factory=Counter[str])
    memory: list[int] = field(default_factory=list[int])
    cpu: float = 0.0
    began: float = field(default_factory=time.monotonic)


def kinds() -> Iterator[Kind]:
    """Yield a submission of each protocol that takes words alone."""
    for name, protocol in PROTOCOLS.items():
        for operation in protocol.operations:
            if not isinstance(operation, Submit) or operation.origin is not None or "{" in operation.path:
                continue
            example = operation.example
            if operation.media not in ("json", "either") or not isinstance(example, dict):
                continue
            text = next((one for one in _TEXTS if isinstance(example.get(one), str)), None)
            if text is not None:
                yield Kind(name, operation.path, example, text)
                break


async def _submit(session: aiohttp.ClientSession, gateway: Gateway, asked: tuple[Kind, float, int], out: Found) -> None:
    kind, seconds, number = asked
    try:
        async with session.post(gateway.url + kind.path, json=kind.asking(seconds, number)) as answer:
            said = await answer.text()
            if answer.status < 300:
                out.accepted[answer.headers["x-request-id"]] = kind.protocol
            else:
                out.refused[f"{kind.protocol} {answer.status} {said[:80]}"] += 1
    except aiohttp.ClientError as fault:
        out.refused[type(fault).__name__] += 1


async def _all(gateway: Gateway, plan: argparse.Namespace, out: Found) -> None:
    more = " [sandbox:no-callback]" if plan.silent else ""
    chosen, dice = [replace(kind, more=more) for kind in kinds()], random.Random(1)
    jobs = [(chosen[n % len(chosen)], dice.uniform(SHORTEST, LONGEST), n) for n in range(plan.count)]
    kills = [plan.count * (n + 1) // (plan.kills + 1) for n in range(plan.kills)]
    room = asyncio.Semaphore(_AT_ONCE)
    began, running = time.monotonic(), set[asyncio.Task[None]]()

    async def one(job: tuple[Kind, float, int]) -> None:
        async with room:
            await _submit(session, gateway, job, out)

    headers = {"authorization": f"Bearer {gateway.live}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(120)) as session:
        for job in jobs:
            if plan.rate:
                await asyncio.sleep(max(0.0, began + job[2] * 60 / plan.rate - time.monotonic()))
            if job[2] in kills:
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)
            running.add(asyncio.create_task(one(job)))
        await asyncio.gather(*running)


async def _watch(gateway: Gateway, out: Found) -> None:
    """Note memory and CPU time of the process that serves; another takes its place after a kill."""
    pid, before = 0, 0.0
    while True:
        await asyncio.sleep(1)
        try:
            assert gateway.process is not None
            now = _gateway_process(gateway.process.pid)
            ran = _cpu_seconds(now)
            out.cpu += ran - before if now == pid else 0.0
            pid, before = now, ran
            out.memory.append(_resident(now))
        except OSError:
            continue


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rows(gateway: Gateway, query: str) -> list[sqlite3.Row]:
    with sqlite3.connect(f"file:{gateway.data}/deeepai.db?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        return db.execute(query).fetchall()


async def _ended(gateway: Gateway) -> None:
    while True:
        (left,) = _rows(gateway, "SELECT count(*) AS n FROM tasks WHERE finished_at IS NULL")
        if not left["n"]:
            return
        await asyncio.sleep(2)


async def _measured(gateway: Gateway, sandbox: Sandbox, plan: argparse.Namespace) -> None:
    out = Found()
    watch = asyncio.create_task(_watch(gateway, out))
    await _all(gateway, plan, out)
    submitted = time.monotonic() - out.began
    await _ended(gateway)
    took = time.monotonic() - out.began
    watch.cancel()
    _report(gateway, sandbox, out, (submitted, took))


def _report(gateway: Gateway, sandbox: Sandbox, out: Found, times: tuple[float, float]) -> None:
    ends = {job["id"]: job["finished"] for job in sandbox.get("/_sandbox/jobs") if job["finished"]}
    tasks = _rows(gateway, "SELECT request_id, protocol, upstream_id, state, finished_at FROM tasks")
    charges = Counter(
        row["request_id"] for row in _rows(gateway, "SELECT request_id FROM ledger WHERE kind = 'charge'")
    )
    lags: dict[str, list[float]] = {}
    for task in tasks:
        if task["upstream_id"] in ends:
            lag = task["finished_at"] / 1000 - ends[task["upstream_id"]]
            lags.setdefault(task["protocol"], []).append(lag)
    known = {task["request_id"]: task for task in tasks}
    lost = [one for one in out.accepted if one not in known]
    twice = [one for one, count in charges.items() if count > 1]
    free = [one for one in out.accepted if one in known and known[one]["state"] == "succeeded" and not charges[one]]
    print(f"{len(out.accepted)} accepted in {times[0]:.0f} s, all ended after {times[1]:.0f} s")
    for why, count in out.refused.most_common(8):
        print(f"  refused {count} x: {why}")
    print(f"states: {dict(Counter(task['state'] for task in tasks))}")
    print(f"lost {len(lost)}, charged twice {len(twice)}, succeeded without a charge {len(free)}")
    print("| protocol | jobs | lag p50, s | p99, s | most, s |\n|---|--:|--:|--:|--:|")
    for name, found in sorted(lags.items()):
        print(f"| {name} | {len(found)} | {_ranks(found)} |")
    everything = [lag for found in lags.values() for lag in found]
    if everything:
        print(f"| all | {len(everything)} | {_ranks(everything)} |")
    first, most = out.memory[0], max(out.memory)
    print(f"CPU {out.cpu / times[1]:.2f} of a core; memory {first >> 20} MB at first, {most >> 20} MB at most")


def _ranks(values: list[float]) -> str:
    ranked = sorted(values)
    last = ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    return f"{statistics.median(ranked):.2f} | {last:.2f} | {ranked[-1]:.2f}"


def main() -> None:
    """Submit, wait for all ends, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=10_000, help="jobs")
    parser.add_argument("--rate", type=float, default=0, help="submissions a minute; 0: as fast as they are taken")
    parser.add_argument("--kills", type=int, default=0, help="how often the gateway is killed meanwhile")
    parser.add_argument("--silent", action="store_true", help="no vendor calls back")
    plan = parser.parse_args()
    sandbox = Sandbox(speed=1, flags=("--drafts",)).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            gateway = Gateway(Path(folder), sandbox).start()
            try:
                gateway.cli("accounts", "grant", "admin", "1000000")
                asyncio.run(_measured(gateway, sandbox, plan))
            finally:
                gateway.stop()
    finally:
        sandbox.stop()


if __name__ == "__main__":
    main()
