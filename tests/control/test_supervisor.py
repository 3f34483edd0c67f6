"""`deeepai serve` as an operator sees it: real programs, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

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
    os.kill(gateway, signal.SIGKILL)
    until(lambda: child(shared, "gateway") not in (None, gateway))
    until(lambda: chat(shared) == 200)
    assert not alive(gateway)
    assert "ended (signal SIGKILL)" in log(shared)


def serving(gateway: Gateway) -> int | None:
    """The process that serves: it has the database open, as the supervisor and not the standby."""
    assert gateway.process is not None
    for pid in gateway.pids()[1:]:
        try:
            files = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if str(gateway.data / "deeepai.db") in files:
            return pid
    return None


def test_callers_wait_while_a_killed_gateway_starts_again(tmp_path: Path) -> None:
    gateway = start(tmp_path, "--no-sandbox")
    try:
        for _ in range(3):
            # The next life waits, with all that it needs.
            until(lambda: "--standby" in "".join(_commands(gateway)))
            pid = until(lambda: serving(gateway))
            # Nobody answers now.
            os.kill(pid, signal.SIGSTOP)
            with ThreadPoolExecutor(20) as pool:
                callers = [pool.submit(_models, gateway) for _ in range(20)]
                os.kill(pid, signal.SIGKILL)
                until(lambda p=pid: not alive(p))
                callers += [pool.submit(_models, gateway) for _ in range(20)]
                # Whoever had been accepted was cut off; nobody was refused, and who came later was served.
                assert {caller.result() for caller in callers[20:]} == {200}
                assert {caller.result() for caller in callers[:20]} <= {200, "cut"}
            assert serving(gateway) not in (None, pid)
        assert "it starts again in 0.0 s" in log(gateway)
    finally:
        gateway.stop()


def _commands(gateway: Gateway) -> list[str]:
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in gateway.pids() if alive(pid)]


def _models(gateway: Gateway) -> int | str:
    try:
        return requests.get(
            f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {gateway.live}"}, timeout=PATIENCE
        ).status_code
    except requests.ConnectionError as fault:
        return "refused" if "refused" in str(fault) else "cut"


def test_a_gateway_that_cannot_start_is_tried_ever_later(tmp_path: Path) -> None:
    gateway = start(tmp_path, "--no-sandbox", DEEEPAI_STANDBY="false")
    try:
        (tmp_path / "assets").rmdir()
        (tmp_path / "assets").write_text("")
        pid = serving(gateway)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: "it starts again in 0.4 s" in log(gateway))
        assert "it starts again in 0.0 s" in log(gateway)
        assert "it starts again in 0.2 s" in log(gateway)
        (tmp_path / "assets").unlink()
        assert _models(gateway) == 200
    finally:
        gateway.stop()


def test_an_unusable_start_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "odd.db").write_text("no database, but long enough to be looked at " * 100)
    tries = (
        ({"DEEEPAI_DATA": str(tmp_path / "file")}, "cannot be used as the data folder"),
        ({"DEEEPAI_DATABASE": "mysql://user:hunter2@host/db", "DEEEPAI_ASSET_STORE": "x"}, "starts with sqlite:///"),
        ({"DEEEPAI_DATABASE": "postgresql://u:hunter2@h:port/db", "DEEEPAI_ASSET_STORE": "x"}, "database's URL"),
        ({"DEEEPAI_DATABASE": f"sqlite:///{tmp_path}/odd.db"}, "cannot be opened"),
        ({"DEEEPAI_DATABASE": "postgresql://u:hunter2@127.0.0.1:1/db"}, "set DEEEPAI_ASSET_STORE"),
        (
            {
                "DEEEPAI_DATABASE": "postgresql://u:hunter2@127.0.0.1:1/db",
                "DEEEPAI_ASSET_STORE": "x",
                "DEEEPAI_DATABASE_WAIT": "0.3",
            },
            "waiting for it",
        ),
        ({"DEEEPAI_DATABSE": "sqlite:///x"}, "no setting DEEEPAI_DATABSE; DEEEPAI_DATABASE is the nearest"),
        ({"DEEEPAI_SECRET": "hunter2"}, "DEEEPAI_SECRET does not hold keys"),
    )
    for changes, words in tries:
        env = {name: value for name, value in os.environ.items() if not name.startswith("DEEEPAI_")}
        env = {**env, "DEEEPAI_DATA": str(tmp_path / "data"), "DEEEPAI_PORT": "0", "DEEEPAI_ENGINES": "0", **changes}
        ended = subprocess.run([sys.executable, "-m", "deeepai", "serve"], capture_output=True, text=True, env=env)
        said = ended.stdout + ended.stderr
        assert ended.returncode == 1, said
        assert words in said
        assert len(ended.stderr.strip().splitlines()) == 1, said
        assert "hunter2" not in said


def test_what_lies_in_the_data_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    (folder / "assets").mkdir(mode=0o755)
    (folder / "deeepai.db").touch(0o644)
    gateway = start(folder)
    try:
        assert chat(gateway) == 200
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.name != "serve.log"}
        assert {"deeepai.db", "deeepai.db-wal", "assets", "node.json", "secret.key", "serve.lock"} <= {
            path.name for path in modes
        }
        assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    finally:
        gateway.stop()


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
    # As editors save: a new file in the old one's place. What it no longer declares stays until somebody asks.
    draft = shared.data / "draft"
    draft.write_text("")
    draft.replace(path)
    until(lambda: "left alone: token declared; `deeepai config apply --prune`" in log(shared))
    assert works()
    pruned = shared.cli("config", "apply", "--prune")
    assert pruned.stdout == "token declared: removed\n", pruned
    until(lambda: not works())
    assert key not in log(shared)
