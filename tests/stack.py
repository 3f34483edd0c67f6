"""A gateway as an operator starts it, with the sandbox as its vendors: real programs, real sockets."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deeepai.protocols import PROTOCOLS
from tests.support.certificates import Certificate
from tests.support.ports import reserve_port
from tests.support.until import PATIENCE, until

FAST = {
    "DEEEPAI_POLL_TICK": "0.05",
    "DEEEPAI_ALLOW_PRIVATE_CALLBACKS": "127.0.0.0/8",
    "DEEEPAI_LEASE_TTL": "2",
    "DEEEPAI_CALLBACK_WAIT_SCALE": "0.05",
    "DEEEPAI_GRACE": "3",
}
"""Settings that shorten the waits, not what is done, and that a busy machine can hold."""


def wait_for(
    url: str, process: subprocess.Popen[bytes], log: Path | None = None, tls: ssl.SSLContext | None = None
) -> None:
    """Wait until a URL answers 200."""

    def said() -> str:
        return log.read_text() if log else ""

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}: {said()[-4000:]}")
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE, context=tls) as answer:
                return answer.status == 200
        except OSError:
            return False

    until(answers, said)


@dataclass
class Sandbox:
    """The stand-in vendors."""

    speed: float = 100.0
    port: int = field(default_factory=reserve_port)
    process: subprocess.Popen[bytes] | None = None
    flags: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Sandbox:
        command = [sys.executable, "-m", "deeepai.sandbox", "--port", str(self.port), "--speed", str(self.speed)]
        command += self.flags
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(f"{self.url}/healthz", self.process)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    @contextmanager
    def slowly(self) -> Iterator[None]:
        """Let jobs stand still meanwhile."""
        self._change_speed(0.001)
        try:
            yield
        finally:
            self._change_speed(self.speed)

    def _change_speed(self, speed: float) -> None:
        change = urllib.request.Request(f"{self.url}/_sandbox/clock", json.dumps({"speed": speed}).encode())
        urllib.request.urlopen(change, timeout=PATIENCE).close()

    def jobs(self) -> list[dict[str, Any]]:
        found = self.get("/_sandbox/jobs")
        return found["jobs"] if isinstance(found, dict) else found

    def requests(self) -> list[dict[str, Any]]:
        found = self.get("/_sandbox/requests")
        return found["requests"] if isinstance(found, dict) else found

    def since(self, number: int) -> list[dict[str, Any]]:
        """What came after a request; of all, only the last thousand are remembered."""
        return [one for one in self.requests() if one["id"] > number]

    def newest(self) -> int:
        """The last request's number."""
        return max((one["id"] for one in self.requests()), default=0)


@dataclass
class Gateway:
    """`deeepai serve` over a data folder."""

    data: Path
    sandbox: Sandbox | None = None
    flags: tuple[str, ...] = ("--no-engines", "--no-sandbox")
    env: Mapping[str, str] = field(default_factory=dict)
    toml: str = ""
    certificate: Certificate | None = None
    prefix: tuple[str, ...] = ()
    """What its programs are started with."""
    inside: Path | None = None
    """The data folder as those find it, where that is elsewhere."""
    port: int = field(default_factory=reserve_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def start(self, **env: str) -> Gateway:
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.data / "deeepai.toml"
        if self.sandbox is not None and not config.exists():
            config.write_text(channels(self.sandbox.url) + self.toml)
        log = self.data / "serve.log"
        tls = self.certificate
        secure = {"DEEEPAI_TLS_CERT": str(tls.path), "DEEEPAI_TLS_KEY": str(tls.key)} if tls else {}
        command = [*self._program("serve"), "--port", str(self.port)]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, *self.flags],
                env={**clean_env(), **FAST, **secure, **self.env, **env},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        wait_for(f"{self.url}/readyz", self.process, log=log, tls=tls and tls.trusted())
        return self

    def first_start(self) -> dict[str, str]:
        return json.loads((self.data / "first-start.json").read_text())

    @property
    def live(self) -> str:
        return self.first_start()["live_token"]

    @property
    def test(self) -> str:
        return self.first_start()["test_token"]

    def pids(self) -> list[int]:
        """Every process below the supervisor, and the supervisor."""
        assert self.process is not None
        found, todo = [self.process.pid], [self.process.pid]
        while todo:
            parent = todo.pop()
            try:
                threads = list(Path(f"/proc/{parent}/task").glob("*/children"))
            except OSError:  # a process that has just ended
                continue
            for thread in threads:
                try:
                    children = thread.read_text().split()
                except OSError:  # a thread that has just ended
                    continue
                for child in children:
                    found.append(int(child))
                    todo.append(int(child))
        return found

    @property
    def dead(self) -> bool:
        """Nothing of it runs."""
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """Kill everything, as a power cut would."""
        assert self.process is not None
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._program(*words),
            capture_output=True,
            text=True,
            env=clean_env(),
        )

    def _program(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "deeepai", *words, "--data", str(self.inside or self.data)]

    def get(self, path: str, token: str | None = None) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", headers={"authorization": f"Bearer {token or self.live}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)


def run_cli(node: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a node's own environment."""
    command = [sys.executable, "-m", "deeepai", *words, "--data", str(node.data)]
    return subprocess.run(command, capture_output=True, text=True, env={**clean_env(), **node.env})


def clean_env() -> dict[str, str]:
    """The environment without vendors' keys and our own settings, but for the folder of packs."""
    return {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("DEEEPAI_") or name == "DEEEPAI_PACKS") and not name.endswith(("_API_KEY", "_BASE_URL"))
    }


def channels_in_test_mode(sandbox_url: str) -> str:
    """Channels to the sandbox for test tokens, beside the live ones that `channels` makes."""
    tested = channels(sandbox_url)
    for name in PROTOCOLS:
        tested = tested.replace(f'name = "{name}"\n', f'name = "tested-{name}"\nmode = "test"\n')
    return tested


def channels(sandbox_url: str) -> str:
    """Live channels to the sandbox, so that money moves; each vendor has a folder of its own there."""
    return "".join(
        f'[[channels]]\nname = "{name}"\nprotocol = "{name}"\n'
        f'base_url = "{sandbox_url}/{name}{urlsplit(protocol.base_url).path.rstrip("/")}"\n'
        f'credential = "sk-upstream-{name}-000000000000"\n\n'
        for name, protocol in PROTOCOLS.items()
    )
