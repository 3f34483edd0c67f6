"""Measure this gateway beside others on this machine: `python -m bench.run` from the project's folder.

Traffic goes to 127.0.0.1 alone. Children are stopped at the end, on an error, and on SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from bench.contenders.base import Contender
from bench.contenders.deeepai import DeeepAI
from bench.contenders.direct import Direct
from bench.contenders.litellm import LiteLLM
from bench.contenders.nginx_proxy import NginxProxy
from bench.contenders.portkey import Portkey
from bench.contenders.tensorzero import TensorZero
from bench.machine import description
from bench.measure import FULL, QUICK, Plan, Round, calmest, measure
from bench.process import Child, NotReady, stop_all
from bench.report import Row, as_json, as_markdown
from bench.setup import compiled, system_program
from bench.upstreams.nginx import start_upstream
from bench.upstreams.sse import start_sse

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    plan = QUICK if asked.quick else FULL
    if asked.rounds:
        plan = dataclasses.replace(plan, rounds=asked.rounds, limit=plan.limit / plan.rounds * asked.rounds)
    options = tuple(shlex.split(asked.deeepai_args)), Path(asked.profile).resolve() if asked.profile else None
    contenders: list[Contender] = [
        Direct(),
        NginxProxy(),
        DeeepAI(1, *options),
        DeeepAI(2, *options),
        TensorZero(),
        Portkey(),
        LiteLLM(),
    ]
    if asked.only:
        names = {"direct", *asked.only.split(",")}
        if unknown := names - {one.name for one in contenders}:
            print(f"no such contender: {', '.join(sorted(unknown))}", file=sys.stderr)
            return 2
        contenders = [one for one in contenders if one.name in names]
    try:
        system_program("nginx", "nginx-light")
        system_program("wrk", "wrk")
        compiled("load/probe.c")
        whole, whole_port = start_upstream()
        stream, stream_port = start_sse()
    except NotReady as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    began = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = _measured(contenders, plan, [whole, stream], whole_port, stream_port)
    stop_all()
    machine = description()
    # Reasons may name files; where this tree lies is nobody's business.
    here = str(RESULTS.parents[1])
    text = as_markdown(rows, machine, plan, began).replace(here, ".")
    data = json.dumps(as_json(rows, machine, plan, began), indent=1).replace(here, ".")
    folder = Path(asked.results)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(data + "\n")
    (folder / "latest.md").write_text(text)
    print(text)
    return 0


def _measured(
    contenders: list[Contender], plan: Plan, upstreams: list[Child], whole_port: int, stream_port: int
) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    ready: list[Contender] = []
    for contender in contenders:
        row = rows[contender.name] = Row(contender.name, contender.does, "", None)
        _say(f"{contender.name}: install")
        try:
            row.version = contender.install()
            ready.append(contender)
        except NotReady as error:
            row.reason = f"not installed: {error}"
    rounds: dict[str, list[Round]] = {contender.name: [] for contender in ready}
    # Installing is no part of the time limit; it happens once.
    deadline = time.monotonic() + plan.limit
    longest = 0.0
    for number in range(plan.rounds):
        for contender in ready:
            began = time.monotonic()
            if began + longest / 2 > deadline:
                rows[contender.name].reason = rows[contender.name].reason or "not measured: time limit"
                continue
            _say(f"{contender.name}: round {number + 1} of {plan.rounds}")
            rounds[contender.name].append(measure(contender, plan, upstreams, whole_port, stream_port, deadline))
            longest = max(longest, time.monotonic() - began)
    for name, found in rounds.items():
        if found:
            rows[name].found = joined = calmest(found)
            if not joined.rates and joined.stream_1 is None:
                rows[name].found = None
                rows[name].reason = f"does not run: {'; '.join(joined.failures)}"
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, under two minutes")
    parser.add_argument(
        "--only", default="", metavar="NAMES", help="contenders, separated by commas; direct is always in"
    )
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="how often everything is measured")
    parser.add_argument("--deeepai-args", default="", metavar="ARGS", help="more options for deeepai serve")
    text = "sample deeepai's Python stacks into FILE.PID, collapsed (a profiled run is slower)"
    parser.add_argument("--profile", default="", metavar="FILE", help=text)
    parser.add_argument("--results", default=str(RESULTS), metavar="FOLDER", help="where latest.json and latest.md go")
    return parser.parse_args()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(130)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
