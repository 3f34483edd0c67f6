"""This gateway, with all that a paid call gets: token, limits, hold, charge committed before the answer, log."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from bench.contenders.base import UPSTREAM_KEY, Contender, Request
from bench.process import Child, NotReady, free_port, run, wait_for_ok

PROGRAM = Path(__file__).parents[2] / ".venv/bin/deeepai"
PROFILER = Path(__file__).parents[1] / "profiler"


class DeeepAI(Contender):
    name = "deeepai"
    does = "token, limits, hold, committed charge, log"

    def __init__(self, workers: int = 1, extra: tuple[str, ...] = (), profile: Path | None = None) -> None:
        super().__init__()
        if workers > 1:
            self.name = f"{DeeepAI.name}-{workers}"
            self.does = f"{DeeepAI.does}; {workers} workers"
            extra = ("--workers", str(workers), *extra)
        self._extra = extra
        self._profile = profile

    def install(self) -> str:
        if not PROGRAM.exists():
            raise NotReady(f"{PROGRAM} is missing: make install")
        return ""

    def start(self, upstream: int) -> None:
        self.port = free_port()
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        env = {"OPENAI_API_KEY": UPSTREAM_KEY, "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1"}
        if self._profile:
            env |= {"PYTHONPATH": str(PROFILER), "BENCH_PROFILE": str(self._profile)}
        command = [str(PROGRAM), "serve", "--port", str(self.port), "--data", str(data)]
        command += ["--no-engines", "--no-sandbox", *self._extra]
        self.child = Child(self.name, command, env=env)
        wait_for_ok(self.child, f"http://127.0.0.1:{self.port}/readyz")
        self._token = _live_token(self.child, data / "first-start.json")

    def request(self, *, stream: bool, pace_us: int = 5000) -> Request:
        plain = super().request(stream=stream, pace_us=pace_us)
        return Request(plain.port, plain.path, plain.body, {"Authorization": f"Bearer {self._token}"})

    def proof(self) -> str:
        try:
            said = run([str(PROGRAM), "ledger", "verify", "--data", str(self.folder / "data")], seconds=120)
        except NotReady as error:
            return f"**ledger not proved**: {error}"
        return f"ledger: {said.strip()}"


def _live_token(child: Child, file: Path, seconds: float = 10.0) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if file.exists():
            return str(json.loads(file.read_text())["live_token"])
        if not child.alive:
            break
        time.sleep(0.05)
    raise NotReady(f"no {file.name}: {child.tail()}")
