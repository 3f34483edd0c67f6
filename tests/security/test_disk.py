"""A full disk: every call fails soon and says why, in its protocol's own shape; with room again, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack import Gateway, Sandbox
from tests.support.disks import Disk, Ration, SmallDisk
from tests.support.http import Got, begun, call, post
from tests.support.until import PATIENCE, until

SAYS = "The gateway cannot store anything at the moment"
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
MESSAGE = {**CHAT, "model": "claude-3-5-haiku-latest", "max_tokens": 50}
CONTENT = {"contents": [{"role": "user", "parts": [{"text": "Say this is a test!"}]}]}
SIZE = 32 << 20
ENV = {"DEEEPAI_DISK_RESERVE": "1048576"}

BOARD = """
import sys
from pathlib import Path
from deeepai.storage.board import Board
board = Board(Path(sys.argv[1]))
assert board.own("first") is not None
print("ready", flush=True)
sys.stdin.readline()
places = [board.own(f"key {number}") for number in range(100_000)]
assert places[0] is not None and places[-1] is None, places[-1]
for place in places:
    if place is not None:
        board.words[place] = 1
print("full", flush=True)
sys.stdin.readline()
assert board.own("another") is not None
"""


@pytest.fixture(params=["filesystem", "ration"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    made = _disk(request.param, tmp_path / "disk")
    yield made
    made.close()


def _disk(kind: str, folder: Path) -> Disk:
    if kind == "ration":
        return Ration(folder)
    try:
        return SmallDisk(folder, SIZE)
    except OSError as fault:
        pytest.skip(f"this machine lets nobody mount a file system: {fault}")


@pytest.fixture
def vendors() -> Iterator[Sandbox]:
    # Slow enough for a job to outlast what comes after it.
    started = Sandbox(speed=5).start()
    yield started
    started.stop()


@pytest.fixture
def gateway(disk: Disk, vendors: Sandbox) -> Iterator[Gateway]:
    flags = ("--no-engines", "--no-sandbox", "--workers", "2")
    made = Gateway(disk.seen / "data", vendors, flags, env=ENV, prefix=disk.prefix, inside=disk.folder / "data").start()
    until(lambda: len(list((made.data / "workers").glob("*.board"))) == 2)
    yield made
    made.stop()


def ready(gateway: Gateway) -> Got:
    return call(gateway, "GET", "/readyz")


def login(gateway: Gateway) -> Got:
    word = gateway.first_start()["admin_password"]
    return call(gateway, "POST", "/api/login", {"name": "admin", "password": word})


def spent(gateway: Gateway) -> str:
    """Return what was spent, once the ledger has proved itself."""
    proof = gateway.cli("ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "all balances proved" in proof.stdout
    return proof.stdout.partition("spent ")[2].split()[0]


def assert_refused(gateway: Gateway) -> None:
    for path, body, status in (
        ("/v1/chat/completions", CHAT, 503),
        ("/v1/chat/completions", CHAT | {"stream": True}, 503),
        ("/v1/responses", {"model": "gpt-4o-mini", "input": "Say this is a test!"}, 503),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a test"}, 503),
        ("/v1/videos", {"model": "sora-2", "prompt": "a cat"}, 503),
        ("/v1/messages", MESSAGE, 529),
        ("/v1/messages", MESSAGE | {"stream": True}, 529),
        ("/v1beta/models/gemini-2.5-flash:generateContent", CONTENT, 503),
        ("/flux/v1/flux-dev", {"prompt": "a cat"}, 503),
        ("/kling/v1/videos/text2video", {"model_name": "kling-v1", "prompt": "a cat"}, 503),
        ("/mj/submit/imagine", {"prompt": "a cat"}, 503),
    ):
        got = post(gateway, path, body)
        if got.status == 200 and "stream" in body:
            # Its worker has not met the full disk before.
            assert SAYS in got.body.decode(), path
            continue
        assert got.status == status, (path, got.body)
        assert SAYS in json.dumps(got.json, ensure_ascii=False), path
        assert int(got.headers["retry-after"]) <= 10
    keyed = post(gateway, "/v1/chat/completions", CHAT, headers={"idempotency-key": "when-full"})
    assert keyed.status == 503
    assert keyed.json["error"]["code"] == "storage_unavailable"
    large = requests.post(
        f"{gateway.url}/v1/images/edits",
        data={"model": "gpt-image-1", "prompt": "a cat"},
        files={"image": ("cat.png", bytes(3 << 20))},
        headers={"authorization": f"Bearer {gateway.live}"},
        timeout=PATIENCE,
    )
    assert large.status_code == 503
    assert large.json()["error"]["code"] == "storage_unavailable"
    got = login(gateway)
    assert got.status == 503
    assert got.json["error"]["code"] == "storage_unavailable"

    def told() -> bool:
        got = ready(gateway)
        return got.status == 503 and b"the database takes no write" in got.body

    # What a worker says may be a moment old.
    until(lambda: all(told() for _ in range(4)))


def test_calls_fail_and_all_goes_on_when_there_is_room(gateway: Gateway, disk: Disk) -> None:
    assert post(gateway, "/v1/chat/completions", CHAT).status == 200
    begun = post(gateway, "/flux/v1/flux-dev", {"prompt": "a cat"})
    assert begun.status == 200
    disk.fill(gateway.pids())
    # What SQLite's log has room for is written still.
    until(lambda: post(gateway, "/v1/chat/completions", CHAT).status == 503)
    until(lambda: b"takes no write" in ready(gateway).body)
    assert_refused(gateway)
    assert call(gateway, "GET", "/healthz").status == 200
    assert call(gateway, "GET", "/v1/models", key=gateway.live).status == 200
    assert call(gateway, "GET", "/metrics").status == 200
    disk.free(gateway.pids())
    # Each worker finds out for itself.
    until(lambda: ready(gateway).status == 200, lambda: ready(gateway).body)
    until(lambda: post(gateway, "/v1/chat/completions", CHAT).status == 200)
    until(lambda: login(gateway).status == 200)
    key = {"idempotency-key": "when-full"}
    until(lambda: post(gateway, "/v1/chat/completions", CHAT, headers=key).status == 200)

    def ended() -> Any:
        got = call(gateway, "GET", f"/flux/v1/get_result?id={begun.json['id']}", key=gateway.live).json
        return got if got["status"] == "Ready" else None

    link = until(ended)["result"]["sample"]
    assert call(gateway, "GET", link.removeprefix(gateway.url)).status == 200
    before = spent(gateway)
    gateway.stop()
    gateway.start()
    assert spent(gateway) == before


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/v1/chat/completions", CHAT | {"stream": True}, b"[DONE]"),
        ("/v1/messages", MESSAGE | {"stream": True}, b"message_stop"),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", CONTENT, b'"finishReason"'),
        (
            "/v1/responses",
            {"model": "gpt-4o-mini", "input": "Say this is a test!", "stream": True},
            b"response.completed",
        ),
    ],
)
@pytest.mark.parametrize("disk", ["ration"], indirect=True)
def test_a_stream_that_cannot_be_charged_ends_in_an_error(
    gateway: Gateway, disk: Disk, path: str, body: Any, last: bytes
) -> None:
    answer, came = begun(gateway, path, body)
    disk.fill(gateway.pids())
    came += answer.read()
    disk.free(gateway.pids())
    assert SAYS.encode() in came
    assert last not in came
    until(lambda: ready(gateway).status == 200)
    assert float(spent(gateway)) == 0


@pytest.mark.parametrize("disk", ["ration"], indirect=True)
def test_what_is_charged_waits_for_the_tables(gateway: Gateway, disk: Ration) -> None:
    """The journal takes a charge while the tables take none: nobody waits for these, and it is not lost."""
    log = gateway.data / "deeepai.db-wal"
    assert log.stat().st_size > 1 << 17
    assert post(gateway, "/v1/chat/completions", CHAT).status == 200
    answer, _ = begun(gateway, "/v1/chat/completions", CHAT | {"stream": True})
    # Journals are small files, the log is a large one.
    disk.fill(gateway.pids(), left=1 << 16)
    assert b"[DONE]" in answer.read()
    until(lambda: login(gateway).status == 503, lambda: login(gateway).status)
    assert_refused(gateway)
    disk.free(gateway.pids())
    until(lambda: login(gateway).status == 200)
    until(lambda: post(gateway, "/v1/chat/completions", CHAT).status == 200)
    charged = [row["cost"] for row in _usage(gateway) if row["status"] == 200]
    assert len(charged) == 3
    assert all(float(cost) > 0 for cost in charged)
    spent(gateway)


def _usage(gateway: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gateway.cli("usage", "list", "--json").stdout)
    return found


@pytest.mark.parametrize("disk", ["filesystem"], indirect=True)
def test_limits_of_workers_without_room_for_more(disk: Disk) -> None:
    """A page of a mapped file for which there is no room would end the process that writes to it."""
    command = [*disk.prefix, sys.executable, "-c", BOARD, str(disk.folder / "workers")]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        assert program.stdout.readline() == "ready\n"
        disk.fill([program.pid])
        print(file=program.stdin, flush=True)
        assert program.stdout.readline() == "full\n"
        disk.free([program.pid])
        print(file=program.stdin, flush=True)
    assert program.returncode == 0
