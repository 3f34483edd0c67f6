"""Three nodes behind nginx, on one PostgreSQL and one Valkey, each of which goes and comes back under load.

What was accepted is done and charged once, balances are proved, and no limit is passed. `DRILL_ROUNDS` says how many
rounds of each kind there are.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers import OwnPostgreSQL, OwnValkey, query
from tests.stack import Gateway, Sandbox, channels, run_cli
from tests.support import proxies
from tests.support.until import until

ROUNDS = int(os.environ.get("DRILL_ROUNDS", "0"))
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
LIMITED, RPM = "sk-limited-token-of-the-drill", 30
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Load:
    """Callers of calls, streams, jobs and a limited token, and what they were told."""

    url: str
    tls: ssl.SSLContext
    key: str
    calls: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def served(self) -> tuple[int, int]:
        return len(self.calls), len(self.jobs)

    async def run(self, stop: threading.Event) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls)) as session:
            kinds = [self._call, self._stream, self._job, self._limited] * 3
            await asyncio.gather(*(self._again(session, kind, stop) for kind in kinds))

    async def _again(self, session: aiohttp.ClientSession, kind: Callable[..., Any], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                await kind(session)
            except (aiohttp.ClientError, OSError) as fault:
                self.failed[type(fault).__name__] += 1
            await asyncio.sleep(0.05)

    async def _post(self, session: aiohttp.ClientSession, path: str, body: Any, key: str) -> tuple[int, bytes, str]:
        headers = {"authorization": f"Bearer {key}"}
        async with session.post(f"{self.url}{path}", json=body, headers=headers) as answer:
            raw = await answer.read()
            if answer.status != 200:
                self.failed[str(answer.status)] += 1
            return answer.status, raw, answer.headers.get("x-request-id", "")

    async def _call(self, session: aiohttp.ClientSession) -> None:
        status, raw, request_id = await self._post(session, "/v1/chat/completions", CHAT, self.key)
        if status == 200 and "choices" in json.loads(raw):
            self.calls.append(request_id)

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        body = CHAT | {"stream": True}
        status, raw, request_id = await self._post(session, "/v1/chat/completions", body, self.key)
        if status == 200 and re.search(rb"data: \[DONE\]\s*$", raw):
            self.calls.append(request_id)

    async def _job(self, session: aiohttp.ClientSession) -> None:
        status, raw, _ = await self._post(session, "/flux/v1/flux-dev", {"prompt": "drill"}, self.key)
        if status == 200:
            self.jobs.append(json.loads(raw)["id"])

    async def _limited(self, session: aiohttp.ClientSession) -> None:
        status, _, request_id = await self._post(session, "/v1/chat/completions", CHAT, LIMITED)
        if status == 200:
            self.limited.append(request_id)


@dataclass
class Place:
    nodes: list[Gateway]
    postgresql: OwnPostgreSQL
    valkey: OwnValkey
    load: Load

    def query(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        return query(self.postgresql.url, sql, *args)

    def more(self) -> None:
        """Wait until more was served, of calls and of jobs."""
        calls, jobs = self.load.served
        until(lambda: self.load.served[0] > calls + 20 and self.load.served[1] > jobs + 5, lambda: self.load.served)

    # What goes, and comes back

    def kill_a_node(self) -> None:
        node = self.nodes[1]
        node.kill()
        self.more()
        node.start()

    def restart_postgresql(self) -> None:
        self.postgresql.stop()
        self.postgresql.start()

    def restart_valkey(self) -> None:
        self.valkey.stop()
        self.more()
        self.valkey.start()

    def upgrade(self) -> None:
        for node in self.nodes:
            node.stop()
            node.start()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    vendors, valkey, postgresql = Sandbox(speed=20).start(), OwnValkey().start(), OwnPostgreSQL()
    env = {
        "DEEEPAI_DATABASE": postgresql.url,
        "DEEEPAI_VALKEY": valkey.url,
        "DEEEPAI_SECRET": base64.b64encode(os.urandom(32)).decode(),
        "DEEEPAI_ASSET_STORE": str(tmp_path / "assets"),
        "DEEEPAI_TRUSTED_PROXIES": "127.0.0.0/8",
        # What nobody was told of is given up soon.
        "DEEEPAI_SUBMIT_LIMIT": "3",
        "DEEEPAI_UNKNOWN_LIMIT": "10",
    }
    limited = f'[[tokens]]\nname = "limited"\nkey = "{LIMITED}"\nrpm = {RPM}\n'
    nodes = [Gateway(tmp_path / f"node-{number}", env=env) for number in range(3)]
    for node in nodes:
        node.data.mkdir()
        (node.data / "deeepai.toml").write_text(channels(vendors.url) + limited)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Gateway.start, nodes))
    servers = " ".join(f"server 127.0.0.1:{node.port} max_fails=0;" for node in nodes)
    documented = proxies.blocks("configuration.md")["nginx"]
    text, found = re.subn(r"server 10\.0\.0\.11:8100; server 10\.0\.0\.12:8100;", servers, documented)
    assert found == 1
    proxy = proxies.start("nginx", proxies.program("nginx"), text, nodes[0], tmp_path / "nginx")
    (first,) = [node for node in nodes if (node.data / "first-start.json").exists()]
    place = Place(nodes, postgresql, valkey, Load(proxy.url, proxy.tls, first.live))
    # Each has counted the others once it has said anew that it is here.
    (said,) = place.query("SELECT max(seen_at) AS at FROM nodes")
    until(lambda: place.query("SELECT min(seen_at) AS at FROM nodes")[0]["at"] > said["at"])
    yield place
    proxy.stop()
    for node in nodes:
        node.stop()
    postgresql.stop()
    valkey.stop()
    vendors.stop()


def minute(request_id: str) -> int:
    """Return the minute in which a request came to the gateway, as its id tells."""
    stamp = 0
    for letter in request_id.removeprefix("req_")[:10]:
        stamp = stamp * 32 + _ULID.index(letter)
    return stamp // 60_000


def drill(place: Place, *events: Callable[[Place], None]) -> None:
    stop = threading.Event()
    load = threading.Thread(target=lambda: asyncio.run(place.load.run(stop)))
    load.start()
    try:
        place.more()
        for event in events:
            event(place)
            place.more()
    finally:
        stop.set()
        load.join()
    judge(place)


def judge(place: Place) -> None:
    load = place.load

    def still_open() -> tuple[int, int]:
        tasks = place.query("SELECT 1 FROM tasks WHERE finished_at IS NULL")
        return len(tasks), len(place.query("SELECT 1 FROM holds"))

    until(lambda: not any(still_open()), still_open)
    until(lambda: not place.query("SELECT 1 FROM leases WHERE expires_at < extract(epoch FROM now()) * 1000 - 3000"))
    charged = Counter(row["request_id"] for row in place.query("SELECT request_id FROM ledger WHERE kind = 'charge'"))
    assert [request_id for request_id in (*load.calls, *load.limited) if charged[request_id] != 1] == []
    assert max(charged.values()) == 1
    tasks = {row["id"]: row for row in place.query("SELECT id, state, request_id FROM tasks")}
    assert [job for job in load.jobs if job not in tasks] == []
    assert {tasks[job]["state"] for job in load.jobs} == {"succeeded"}
    assert [job for job in load.jobs if charged[tasks[job]["request_id"]] != 1] == []
    proof = run_cli(place.nodes[0], "ledger", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    by_minute = Counter(minute(request_id) for request_id in load.limited)
    # A request that comes at the turn of a minute may be counted in the next.
    assert max(by_minute.values()) <= RPM + 2, by_minute
    assert by_minute
    for node in place.nodes:
        assert "Traceback" not in (node.data / "serve.log").read_text(), node.data


def test_a_node_and_an_upgrade(place: Place) -> None:
    drill(place, Place.kill_a_node, Place.upgrade)


def test_the_stores(place: Place) -> None:
    drill(place, Place.restart_postgresql, Place.restart_valkey)


@pytest.mark.skipif(not ROUNDS, reason="`make drill` does it")
def test_all_of_it_again_and_again(place: Place) -> None:
    kinds = (Place.kill_a_node, Place.restart_postgresql, Place.restart_valkey, Place.upgrade)
    drill(place, *(kinds * ROUNDS))
