"""Nodes on one PostgreSQL: what one of them finds at its start, or lacks, harms no other."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.servers import OwnPostgreSQL, OwnValkey, new_postgresql, query
from tests.stack import Gateway, Sandbox, channels, clean_env, run_cli
from tests.support.http import Got, begun, call, post
from tests.support.until import PATIENCE, until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
LONG = CHAT | {
    "stream": True,
    "messages": [{"role": "user", "content": "Say this is a test! [sandbox:tokens=60]"}],
}
KEY = "sk-token-declared-in-the-file"
TOKEN = f'[[tokens]]\nname = "site"\nkey = "{KEY}"\n'
LIMITED = '[[tokens]]\nname = "limited"\nkey = "{key}"\nrpm = {rpm}\n'


class Cluster:
    """A database, and nodes on it that share a secret key and a folder of files, and nothing else."""

    def __init__(self, folder: Path, url: str, **env: str) -> None:
        self.folder = folder
        self.url = url
        self.env = {"DEEEPAI_DATABASE": url, "DEEEPAI_ASSET_STORE": str(folder / "assets"), **env}
        self.nodes: list[Gateway] = []
        self._secret = base64.b64encode(os.urandom(32)).decode()

    def node(self, *, toml: str = "", flags: tuple[str, ...] = ("--no-engines", "--no-sandbox"), **env: str) -> Gateway:
        """Return a node that was not started yet."""
        data = self.folder / f"node-{len(self.nodes)}"
        data.mkdir()
        if toml:
            (data / "deeepai.toml").write_text(toml)
        made = Gateway(data, flags=flags, env={**self.env, "DEEEPAI_SECRET": self._secret, **env})
        self.nodes.append(made)
        return made

    def query(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return query(self.url, sql, *args)

    def stop(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Gateway.stop, self.nodes))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path, asyncio.run(new_postgresql()))
    yield made
    made.stop()


def log(node: Gateway) -> str:
    return (node.data / "serve.log").read_text()


def readiness(node: Gateway) -> tuple[int, dict[str, Any]]:
    got = call(node, "GET", "/readyz")
    return got.status, got.json["checks"]


def refused(node: Gateway, *words: str, **env: str) -> str:
    """Run a command that is to be refused; return its one line."""
    command = [sys.executable, "-m", "deeepai", *(words or ("serve", "--port", "0", *node.flags))]
    ended = subprocess.run(
        [*command, "--data", str(node.data)],
        capture_output=True,
        text=True,
        env={**clean_env(), **node.env, **env},
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    return ended.stderr


def run(node: Gateway, *words: str) -> str:
    ended = run_cli(node, *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def administrator(node: Gateway, first: Gateway) -> str:
    told = first.first_start()
    body = {"name": "admin", "password": told["admin_password"]}
    got = call(node, "POST", "/api/login", body)
    assert got.status == 200, got
    return got.json["token"]


def own_channels(node: Gateway, key: str) -> dict[str, dict[str, Any]]:
    found = call(node, "GET", "/api/channels", key=key).json["data"]
    return {one["name"]: one for one in found if one["source"] in ("builtin", "environment")}


def test_a_nodes_environment_and_programs_are_its_own(cluster: Cluster, sandbox: Sandbox) -> None:
    vendor = f"{sandbox.url}/openai/v1"
    one = cluster.node(flags=("--no-engines",), OPENAI_API_KEY="sk-upstream-1", OPENAI_BASE_URL=vendor).start()
    live, test = one.live, one.test
    two = cluster.node(flags=("--no-engines",)).start()
    three = cluster.node().start()
    key = administrator(one, one)

    assert post(one, "/v1/chat/completions", CHAT, live).status == 200
    assert post(two, "/v1/chat/completions", CHAT, live).status == 404
    seen = {node.port: own_channels(node, key) for node in (one, two, three)}
    assert "openai-environment" in seen[one.port]
    assert "openai-environment" not in seen[two.port]
    assert seen[three.port] == {}
    # Each answers by its own sandbox, and none has taken the place of another's.
    places = {seen[node.port]["sandbox-openai"]["base_url"] for node in (one, two)}
    assert len(places) == 2
    assert [post(node, "/v1/chat/completions", CHAT, test).status for node in (one, two, three)] == [200, 200, 404]
    assert cluster.query("SELECT 1 FROM channels") == []

    # What is made at one is found there, and left alone elsewhere.
    task = post(one, "/flux/v1/flux-dev", {"prompt": "own"}, test).json
    (row,) = cluster.query("SELECT channel_id FROM tasks")
    assert row["channel_id"] == seen[one.port]["sandbox-flux"]["id"]

    def ready(node: Gateway) -> bool:
        found = call(node, "GET", f"/flux/v1/get_result?id={task['id']}", headers={"x-key": test})
        return found.json["status"] == "Ready"

    until(lambda: ready(one))
    assert ready(three)
    assert not any("poll.failed" in log(node) or "channel is gone" in log(node) for node in (one, two, three))

    # One that goes, or starts with less, takes nothing along.
    two.stop()
    two.flags = ("--no-engines", "--no-sandbox")
    two.start()
    one.stop()
    one.env = {name: value for name, value in one.env.items() if not name.startswith("OPENAI")}
    one.start()
    assert "openai-environment: removed" in log(one)
    three.stop()
    three.env = {**three.env, "OPENAI_API_KEY": "sk-upstream-3", "OPENAI_BASE_URL": vendor}
    three.start()
    assert [post(node, "/v1/chat/completions", CHAT, live).status for node in (one, two, three)] == [404, 404, 200]
    assert post(one, "/v1/chat/completions", CHAT, test).status == 200

    # An operator's word counts on all nodes, by name.
    name = "sandbox-openai"
    assert call(three, "POST", f"/api/channels/{name}/disable", key=key).status == 404
    assert call(one, "POST", f"/api/channels/{name}/disable", key=key).json["status"] == "disabled"
    until(lambda: post(one, "/v1/chat/completions", CHAT, test).status == 404)
    assert call(one, "DELETE", f"/api/channels/{name}", key=key).json["error"]["code"] == "foreign_source"
    assert name in run(one, "channels", "list")
    run(one, "channels", "enable", name)
    until(lambda: post(one, "/v1/chat/completions", CHAT, test).status == 200)


def test_a_task_at_another_nodes_channel_waits_for_that_node(cluster: Cluster) -> None:
    one = cluster.node(flags=("--no-engines",), DEEEPAI_SANDBOX_SPEED="0.001").start()
    two = cluster.node().start()
    test = one.test
    task = post(one, "/flux/v1/flux-dev", {"prompt": "slow"}, test).json
    one.kill()
    cluster.query("UPDATE tasks SET next_poll_at = 0, leased_until = 0")
    # Nobody has cared for it for long: then any node may end it.
    until(lambda: cluster.query("SELECT 1 FROM tasks WHERE next_poll_at > 0"))
    cluster.query("UPDATE tasks SET next_poll_at = (extract(epoch FROM now()) * 1000)::bigint - 5000, leased_until = 0")
    (before,) = cluster.query("SELECT polls, next_poll_at FROM tasks")
    other = post(two, "/v1/models", b"", test)
    assert other.status == 405
    for _ in range(5):
        found = call(two, "GET", f"/flux/v1/get_result?id={task['id']}", headers={"x-key": test})
        assert found.json["status"] == "Pending"
    assert cluster.query("SELECT polls, next_poll_at FROM tasks") == [before]


def declared(node: Gateway, key: str = KEY) -> int:
    return call(node, "GET", "/v1/models", key=key).status


def test_no_start_takes_away_what_a_file_declared(cluster: Cluster, sandbox: Sandbox) -> None:
    old = channels(sandbox.url)
    one, two, three = (cluster.node(toml=text) for text in (old + TOKEN, old, ""))
    one.start()
    until(lambda: declared(one) == 200)
    # A file that was never applied adds and changes; it takes nothing away.
    two.start()
    three.start()
    assert [declared(node) for node in (one, two, three)] == [200] * 3
    assert "1 no longer declared, and left alone: token site" in log(two)
    assert "deeepai.toml is not here; what it declared stays" in log(three)
    three.stop()
    three.start()
    assert declared(three) == 200

    # A newer one on one node; an older one on another does not bring back what was.
    newer = old.replace("sk-upstream-openai", "sk-upstream-newer-openai") + TOKEN
    (one.data / "deeepai.toml").write_text(newer)
    until(lambda: "channel openai: changed" in log(one))
    two.stop()
    two.start()
    assert "deeepai.toml is older than what counts" in log(two)
    assert log(two).count("channel openai") == 0
    # Somebody who brings an older one back where a newer one was, means it.
    (one.data / "deeepai.toml").write_text(old + TOKEN)
    until(lambda: log(one).count("channel openai: changed") == 2)
    assert [row["serial"] for row in cluster.query("SELECT serial FROM applied_files ORDER BY serial")] == [1, 2, 3, 4]
    # And to prune is to ask for it.
    assert "token site: removed" in run(two, "config", "apply", "--prune")
    until(lambda: declared(three) == 401)


def test_another_secret_key_starts_and_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    one = cluster.node(toml=channels("http://127.0.0.1:9") + TOKEN).start()
    other = base64.b64encode(os.urandom(32)).decode()
    cases: tuple[dict[str, str], ...] = (
        {"DEEEPAI_SECRET": other},
        {"DEEEPAI_SECRET": "0" * 64},
        {"DEEEPAI_SECRET": "", "DEEEPAI_SECRET_FILE": str(tmp_path / "none.key")},
        {"DEEEPAI_SECRET": ""},
    )
    before = cluster.query("SELECT id, credential, updated_at FROM channels ORDER BY id")
    two = cluster.node()
    for case in cases:
        said = refused(two, **case)
        assert "the database was made with" in said
        assert other not in said
        for words in (
            ("channels", "add", "mine", "openai", "--key", "k"),
            ("config", "apply", str(one.data / "deeepai.toml")),
            ("users", "list"),
        ):
            assert "the database was made with" in refused(two, *words, **case)
    assert not (two.data / "secret.key").exists()
    assert cluster.query("SELECT id, credential, updated_at FROM channels ORDER BY id") == before
    # A key that follows is put before the old one: both open what there is.
    old = one.env["DEEEPAI_SECRET"]
    two.env = {**two.env, "DEEEPAI_SECRET": f"{base64.b64decode(other).hex()},{old}"}
    two.start()
    assert "the database was made with" in refused(cluster.node(), DEEEPAI_SECRET=old)
    assert readiness(one)[1]["key"]["ok"] is False
    for node in (one, two):
        for secret in (other, base64.b64decode(other).hex(), old):
            assert secret not in log(node)


def test_a_backup_without_its_key_is_told(tmp_path: Path) -> None:
    node = Gateway(tmp_path / "first").start()
    node.stop()
    restored = Gateway(tmp_path / "restored")
    restored.data.mkdir()
    shutil.copy(node.data / "deeepai.db", restored.data)
    said = refused(restored)
    assert f"{restored.data / 'secret.key'} is missing, and the database was made with it" in said
    assert not (restored.data / "secret.key").exists()
    assert "is missing" in refused(restored, "users", "list")
    shutil.copy(node.data / "secret.key", restored.data)
    restored.start()
    restored.stop()


def test_three_first_starts_at_once_make_one(cluster: Cluster) -> None:
    nodes = [cluster.node() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Gateway.start, nodes))
    told = [node for node in nodes if (node.data / "first-start.json").exists()]
    assert len(told) == 1
    live = told[0].live
    assert [call(node, "GET", "/v1/models", key=live).status for node in nodes] == [200] * 3
    assert len(cluster.query("SELECT 1 FROM users")) == 1
    assert not any("Traceback" in log(node) for node in nodes)
    # What is of no database is not shown as if it were.
    stale = next(node for node in nodes if node is not told[0])
    stale.stop()
    (stale.data / "first-start.json").write_text(json.dumps({**told[0].first_start(), "live_token": KEY}))
    stale.start()
    assert not (stale.data / "first-start.json").exists()


def test_an_older_program_stays_off_a_newer_database(cluster: Cluster) -> None:
    node = cluster.node().start()
    serving = f"{node.url}/readyz"

    def applied(name: str) -> None:
        cluster.query("INSERT INTO migrations (name, applied_at) VALUES ($1, 0)", name)

    # The part that leaves this release working.
    applied("9998_later.before")
    node.stop()
    node.start()
    assert run(node, "db", "migrate") == "nothing to do; left for --after: 0010_nodes.after\n"
    assert run(node, "db", "migrate", "--after") == "0010_nodes.after\n"
    assert run(node, "db", "migrate", "--after") == "nothing to do\n"
    applied("9999_later")
    assert "of a newer release than this program (9999_later)" in refused(cluster.node())
    assert "newer release" in refused(node, "users", "list")
    # What runs goes on, and comes back if it falls.
    assert requests.get(serving, timeout=PATIENCE).status_code == 200
    for pid in node.pids()[1:]:
        os.kill(pid, signal.SIGKILL)
    assert requests.get(serving, timeout=PATIENCE).status_code == 200


def test_figures_are_for_those_near(tmp_path: Path) -> None:
    node = Gateway(tmp_path / "node", env={"DEEEPAI_TRUSTED_PROXIES": "127.0.0.1/32"}).start()
    try:
        tries: Mapping[str | None, int] = {
            None: 200,
            "10.1.2.3": 200,
            "8.8.8.8": 403,
            "2001:4860:4860::8888": 403,
            "8.8.8.8, 10.0.0.1": 403,
            "10.0.0.1, 8.8.8.8": 403,
            "rubbish": 403,
        }
        for forwarded, status in tries.items():
            headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
            assert call(node, "GET", "/metrics", headers=headers).status == status, forwarded
        # Also where nobody has named the proxy.
        node.stop()
        node.env = {}
        node.start()
        assert call(node, "GET", "/metrics", headers={"x-forwarded-for": "8.8.8.8"}).status == 403
        assert call(node, "GET", "/metrics").status == 200
    finally:
        node.stop()


# Without Valkey ------------------------------------------------------------------------------------------------------


def test_without_valkey_each_node_keeps_to_its_share(tmp_path: Path, sandbox: Sandbox) -> None:
    valkey = OwnValkey().start()
    declared = channels(sandbox.url) + "".join(
        LIMITED.format(key=f"sk-limited-token-number-{number}", rpm=12) for number in range(4)
    )
    cluster = Cluster(tmp_path, asyncio.run(new_postgresql()), DEEEPAI_VALKEY=valkey.url)
    try:
        nodes = [cluster.node(toml=declared) for _ in range(2)]
        for node in nodes:
            node.start()
        password = nodes[0].first_start()["admin_password"]
        until(lambda: len(cluster.query("SELECT 1 FROM nodes")) == 2)

        def burst(number: int) -> list[int]:
            key = f"sk-limited-token-number-{number}"
            return [post(nodes[n % 2], "/v1/chat/completions", CHAT, key).status for n in range(28)]

        def few(number: int) -> int:
            answered = burst(number)
            assert set(answered) <= {200, 429}, answered
            return answered.count(200)

        # At the turn of a minute a little of the last one has faded.
        assert 12 <= few(0) <= 14
        assert [readiness(node)[1]["cache"]["ok"] for node in nodes] == [True, True]
        # Each has counted the other once it has said anew that it is here.
        said = cluster.query("SELECT max(seen_at) AS at FROM nodes")[0]["at"]
        until(lambda: cluster.query("SELECT min(seen_at) AS at FROM nodes")[0]["at"] > said)
        valkey.stop()
        assert 12 <= few(1) <= 15
        for node in nodes:
            status, checks = readiness(node)
            assert (status, checks["cache"]["ok"], checks["cache"]["required"]) == (200, False, False)
            assert "deeepai_cache_up 0.0" in call(node, "GET", "/metrics").body.decode()
            assert call(node, "POST", "/api/login", {"name": "admin", "password": password}).status == 200
            wrong = [call(node, "POST", "/api/login", {"name": "x", "password": "wrong"}).status for _ in range(7)]
            assert set(wrong) == {401, 429}
            key = administrator(node, nodes[0])
            # Told to nobody, and no failure: the other sees it at its next look.
            assert call(node, "PATCH", "/api/channels/openai", {"weight": 2}, key=key).status == 409
            made = call(node, "PUT", "/api/aliases/house", {"target": "gpt-4o-mini"}, key=key)
            assert made.status < 300, made
        until(lambda: post(nodes[1], "/v1/chat/completions", CHAT | {"model": "house"}, nodes[0].live).status == 200)
        assert not any("Traceback" in log(node) for node in nodes)
        valkey.start()
        until(lambda: all(readiness(node)[1]["cache"]["ok"] for node in nodes))
        assert 12 <= few(2) <= 14
        assert "deeepai_cache_up 1.0" in call(nodes[0], "GET", "/metrics").body.decode()
    finally:
        cluster.stop()
        valkey.stop()


# Without PostgreSQL --------------------------------------------------------------------------------------------------

PATHS: Mapping[str, Callable[[Gateway, str], Got]] = {
    "openai": lambda node, key: post(node, "/v1/chat/completions", CHAT, key),
    "openai list": lambda node, key: call(node, "GET", "/v1/files", key=key),
    "anthropic": lambda node, key: post(
        node,
        "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": CHAT["messages"]},
        headers={"x-api-key": key, "anthropic-version": "2023-06-01"},
        key=key,
    ),
    "gemini": lambda node, key: post(
        node,
        "/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": [{"parts": [{"text": "hello"}]}]},
        headers={"x-goog-api-key": key},
        key=key,
    ),
    "flux": lambda node, key: post(node, "/flux/v1/flux-dev", {"prompt": "x"}, key, headers={"x-key": key}),
    "midjourney": lambda node, key: post(node, "/mj/submit/imagine", {"prompt": "x"}, key),
    "asset": lambda node, key: call(node, "GET", "/assets/task_0/0", key=key),
    "hook": lambda node, key: call(node, "POST", "/hooks/task/key", {}),
    "login": lambda node, key: call(node, "POST", "/api/login", {"name": "admin", "password": "x"}),
    "api": lambda node, key: call(node, "GET", "/api/channels", key="session-abcdefghijkl"),
}


def test_without_postgresql_callers_are_told_to_come_back(tmp_path: Path, sandbox: Sandbox) -> None:
    server = OwnPostgreSQL()
    cluster = Cluster(tmp_path, server.url, DEEEPAI_DATABASE_WAIT="60")
    try:
        node = cluster.node(toml=channels(sandbox.url) + TOKEN).start()
        server.stop()
        # Of tokens that are known and of such that must be read; lasting failures are not told as passing ones.
        for key in (node.live, KEY, "sk-nobody-knows-this-one-00000"):
            for name, ask in PATHS.items():
                got = ask(node, key)
                # Anthropic's word for it has a status of its own.
                assert got.status == (529 if name == "anthropic" else 503), (name, got)
                assert int(got.headers["retry-after"]) > 0, (name, got)
        assert post(node, "/v1/chat/completions", CHAT, KEY).json["error"]["code"] == "database_unavailable"
        # An answer is given again for half a second.
        until(lambda: readiness(node)[0] == 503)
        assert call(node, "GET", "/healthz").status == 200
        assert "Traceback" not in log(node)

        # A start waits for it, and so does the gateway's process that comes back meanwhile.
        other = cluster.node()
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(other.start)
            until(lambda: (other.data / "serve.log").exists() and "waiting for it, up to 60 s" in log(other))
            server.start()
            assert started.result(PATIENCE).process is not None
        assert log(other).count("waiting for it") == 1
        until(lambda: readiness(node)[0] == 200)
        assert "Traceback" not in log(other)
        until(lambda: post(node, "/v1/chat/completions", CHAT, KEY).status == 200)
        assert run(node, "ledger", "verify")
    finally:
        cluster.stop()
        server.stop()


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/v1/chat/completions", CHAT | {"stream": True}, b"[DONE]"),
        (
            "/v1/messages",
            CHAT | {"model": "claude-3-5-haiku-latest", "max_tokens": 50, "stream": True},
            b"message_stop",
        ),
    ],
)
def test_a_stream_that_postgresql_leaves_ends_in_an_error(
    tmp_path: Path, sandbox: Sandbox, path: str, body: dict[str, Any], last: bytes
) -> None:
    server = OwnPostgreSQL()
    cluster = Cluster(tmp_path, server.url)
    try:
        node = cluster.node(toml=channels(sandbox.url) + TOKEN).start()
        answer, came = begun(node, path, body)
        server.stop()
        came += answer.read()
        assert b"database does not answer" in came
        assert last not in came
        server.start()
        until(lambda: readiness(node)[0] == 200)
        assert run(node, "ledger", "verify")
    finally:
        cluster.stop()
        server.stop()
