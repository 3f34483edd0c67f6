"""One gateway of two workers on one machine: they keep one set of limits, one ledger and one set of figures."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.operator import rows
from tests.stack import Gateway, Sandbox
from tests.support.until import PATIENCE, until

KEYS = re.compile(r"sk-\w+")


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    flags = ("--no-engines", "--no-sandbox", "--workers", "2")
    started = Gateway(Path(tmp_path_factory.mktemp("workers")), sandbox, flags).start()
    yield started
    started.stop()
    assert started.process is not None
    assert started.process.returncode == 0
    assert not list((started.data / "workers").glob("*.board"))


def token(gateway: Gateway, *limits: str) -> str:
    said = gateway.cli("tokens", "add", "limited", *limits)
    found = KEYS.search(said.stdout)
    assert found, said.stdout + said.stderr
    return found[0]


def chat(gateway: Gateway, key: str, words: str = "Say this is a test!") -> int:
    """Ask over a connection of its own, which either worker may take."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": words}]}
    return requests.post(
        f"{gateway.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=PATIENCE
    ).status_code


def figures(gateway: Gateway) -> dict[str, float]:
    lines = requests.get(f"{gateway.url}/metrics", timeout=PATIENCE).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def workers(gateway: Gateway) -> list[int]:
    """Return the workers' process ids: those that have a board open."""
    found: list[int] = []
    for pid in gateway.pids():
        opened = (os.path.basename(os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))
        if any(name.endswith(".board") for name in opened):
            found.append(pid)
    return found


# The first counts to the last call what the gateway has told; the others end its workers, with what these had not told.
pytestmark = pytest.mark.random_order(disabled=True)

CHATS = 'deeepai_requests_total{operation="openai.chat.completions",status="200"}'


def test_either_serves_and_both_are_counted(gateway: Gateway) -> None:
    done, before = 0, figures(gateway).get(CHATS, 0)

    def shares() -> bool:
        nonlocal done
        with ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(lambda _: chat(gateway, gateway.live), range(32)))
        assert answered == [200] * 32
        done += 32
        served = [file.read_bytes() for file in (gateway.data / "workers").glob("*.metrics")]
        return sum(b"openai.chat.completions" in figures for figures in served) == 2

    until(shares)
    seen = [figures(gateway)[CHATS] for _ in range(20)]
    # What the worker that is asked knows of the other may be a second old; it never goes back.
    assert seen == sorted(seen)
    until(lambda: figures(gateway)[CHATS] == before + done)
    assert len(workers(gateway)) == 2


def test_requests_at_once(gateway: Gateway, sandbox: Sandbox) -> None:
    key = token(gateway, "--concurrency", "3")
    with ThreadPoolExecutor(3) as pool:
        with sandbox.slowly():
            seen = sandbox.newest()
            slow = [pool.submit(chat, gateway, key) for _ in range(3)]
            until(lambda: len(sandbox.since(seen)) == 3)
            assert [chat(gateway, key) for _ in range(8)] == [429] * 8
        assert [one.result() for one in slow] == [200] * 3
    assert [chat(gateway, key) for _ in range(8)] == [200] * 8


def test_requests_a_minute(gateway: Gateway) -> None:
    key = token(gateway, "--rpm", "10")
    answered = [chat(gateway, key) for _ in range(24)]
    # At the turn of a minute a little of the last one has faded.
    assert 10 <= answered.count(200) <= 12
    assert answered[:10] == [200] * 10
    assert set(answered[12:]) == {429}


def test_what_a_killed_worker_had_taken_comes_back(gateway: Gateway) -> None:
    key = token(gateway, "--concurrency", "1")
    assert chat(gateway, key) == 200
    counted = until(lambda: figures(gateway).get(CHATS, 0))
    before = workers(gateway)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(chat, gateway, key, "[sandbox:never-finish] under way")
        until(lambda: figures(gateway)["deeepai_requests_open"] >= 1)
        assert chat(gateway, key) == 429
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            slow.result()

    def back() -> bool:
        try:
            return chat(gateway, key) == 200
        except requests.ConnectionError:
            return False

    until(back)
    assert not set(workers(gateway)) & set(before)
    # What the dead had counted still counts.
    until(lambda: figures(gateway).get(CHATS, 0) > counted)


def test_the_ledger_holds(gateway: Gateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: chat(gateway, gateway.live), range(100))) == [200] * 100
    until(lambda: not rows(gateway, "SELECT 1 FROM holds"))
    said = gateway.cli("ledger", "verify")
    assert said.returncode == 0, said.stdout
    charged = rows(
        gateway, "SELECT request_id, COUNT(*) AS times FROM ledger WHERE kind = 'charge' GROUP BY request_id"
    )
    assert {row["times"] for row in charged} == {1}
    answered = rows(gateway, "SELECT request_id FROM usage WHERE status = 200 AND cost > 0")
    assert {row["request_id"] for row in answered} <= {row["request_id"] for row in charged}
