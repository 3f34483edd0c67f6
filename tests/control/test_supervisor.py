"""`deeepai serve` as an operator sees it: real programs, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack import Gateway
from tests.support.until import PATIENCE, until


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def child(gateway: Gateway, word: str) -> int | None:
    """The supervisor's child whose command line holds a word."""
    assert gateway.process is not None
    for pid in Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split():
        if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            return int(pid)
    return None


def chat(gateway: Gateway, content: str = "hello") -> int:
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]}).encode(),
        {"authorization": f"Bearer {gateway.test}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            json.load(answer)
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def log(gateway: Gateway) -> str:
    return (gateway.data / "serve.log").read_text()


def start(data: Path, *flags: str, **env: str) -> Gateway:
    return Gateway(data, flags=("--no-engines", *flags)).start(**env)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Gateway]:
    gateway = start(tmp_path / "data", DEEEPAI_GRACE="60")
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """For tests that leave it running."""
    gateway = start(tmp_path_factory.mktemp("shared"))
    yield gateway
    gateway.stop()


def test_the_first_start_says_all_and_a_later_one_keeps_it(tmp_path: Path) -> None:
    gateway = start(tmp_path, OPENAI_API_KEY="sk-planted-vendor-key-0000", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    told = gateway.first_start()
    until(lambda: "curl" in log(gateway))
    for part in (gateway.url, told["admin_password"], told["live_token"], told["test_token"], "openai-environment"):
        assert part in log(gateway)
    assert chat(gateway) == 200
    gateway.stop()
    first = log(gateway)
    gateway.start()
    assert gateway.first_start() == told
    assert chat(gateway) == 200
    until(lambda: log(gateway).count("curl") == 2)
    gateway.stop()
    later = log(gateway).removeprefix(first)
    assert told["admin_password"] not in later
    # The vendor's key is gone from the environment, and so is its channel.
    assert "openai-environment: removed" in later
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sk-planted-vendor-key" not in file.read_bytes(), file


def test_a_child_that_dies_is_started_again(shared: Gateway) -> None:
    sandbox, gateway = child(shared, "deeepai.sandbox"), child(shared, "gateway")
    assert sandbox is not None
    assert gateway is not None
    os.kill(sandbox, signal.SIGKILL)
    until(lambda: child(shared, "deeepai.sandbox") not in (None, sandbox))
    # At its old port: the channels lead there still.
    until(lambda: chat(shared) == 200)
    before = shared.pids()
    os.kill(gateway, signal.SIGKILL)
    until(lambda: child(shared, "gateway") not in (None, gateway))
    until(lambda: chat(shared) == 200)
    assert not alive(gateway)
    assert "ended (signal SIGKILL)" in log(shared)
    workers = set(before) - {child(shared, "deeepai.sandbox"), shared.pids()[0]}
    until(lambda: not any(alive(pid) for pid in workers))


def test_a_signal_ends_all_and_lets_open_requests_finish(running: Gateway) -> None:
    pids = running.pids()
    assert len(pids) >= 3
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(chat, running, "hello [sandbox:slow=1]")
        url = f"http://127.0.0.1:{running.port}/metrics"

        def is_open() -> bool:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                lines = answer.read().decode().splitlines()
            return any(line.startswith("deeepai_requests_open") and float(line.split()[-1]) >= 1 for line in lines)

        until(is_open)
        assert running.process is not None
        running.process.send_signal(signal.SIGTERM)
        assert slow.result(PATIENCE) == 200
    assert running.process.wait(PATIENCE) == 0
    until(lambda: not any(alive(pid) for pid in pids))


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    gateway = start(tmp_path, DEEEPAI_GRACE="60")
    pids = gateway.pids()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(chat, gateway, "hello [sandbox:slow=50]")
        until(lambda: b"chat/completions" in _requests(gateway))
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGINT)
        until(lambda: "Stopping" in log(gateway))
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(PATIENCE) == 0
        assert slow.result(PATIENCE) in (0, 502)
    until(lambda: not any(alive(pid) for pid in pids))


def _requests(gateway: Gateway) -> bytes:
    found = gateway.cli("channels", "list", "--json")
    url = next(each["base_url"] for each in json.loads(found.stdout) if each["name"] == "sandbox-openai")
    with urllib.request.urlopen(url.removesuffix("/openai/v1") + "/_sandbox/requests", timeout=PATIENCE) as answer:
        return answer.read()


def test_no_child_outlives_a_killed_supervisor(running: Gateway) -> None:
    pids = running.pids()
    assert running.process is not None
    running.process.kill()
    running.process.wait(PATIENCE)
    until(lambda: not any(alive(pid) for pid in pids))
    # Its lock went with it.
    running.start()
    assert chat(running) == 200


def test_a_second_supervisor_stays_off_the_folder(shared: Gateway) -> None:
    command = [sys.executable, "-m", "deeepai", "serve", "--port", "0", "--data", str(shared.data), "--no-engines"]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert "another `deeepai serve` uses" in second.stderr
    assert chat(shared) == 200


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "deeepai", "serve", "--port", port, "--data", str(tmp_path), "--no-engines"]
        ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert not (tmp_path / "first-start.json").exists()


def test_the_declarative_file_is_applied_while_it_changes(shared: Gateway) -> None:
    path = shared.data / "deeepai.toml"
    key = "sk-token-declared-in-the-file"

    def works() -> bool:
        request = urllib.request.Request(f"{shared.url}/v1/models", headers={"authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    assert not works()
    path.write_text(f'[[tokens]]\nname = "declared"\nmode = "test"\nkey = "{key}"\n')
    until(works)
    path.write_text(f'[[tokens]]\nname = "declared"\nmode = "test"\nkey = "{key}"\nrpmm = 5\n')
    until(lambda: f"{path}:5" in log(shared))
    assert works()
    # As editors save: a new file in the old one's place.
    draft = shared.data / "draft"
    draft.write_text("")
    draft.replace(path)
    until(lambda: not works())
    assert key not in log(shared)
