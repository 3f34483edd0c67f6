"""Two gateways on one PostgreSQL and one Valkey: one ledger, one configuration, one set of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.servers import new_postgresql, query, valkey_url
from tests.stack import Gateway, Sandbox, channels
from tests.support.http import post
from tests.support.until import PATIENCE, until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}


@pytest.fixture(scope="module")
def nodes(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway, str]]:
    url = asyncio.run(new_postgresql())
    shared = Path(tmp_path_factory.mktemp("nodes"))
    config = shared / "deeepai.toml"
    config.write_text(channels(sandbox.url))
    env = {
        "DEEEPAI_DATABASE": url,
        "DEEEPAI_VALKEY": valkey_url(),
        "DEEEPAI_SECRET_FILE": str(shared / "secret.key"),
        "DEEEPAI_CONFIG": str(config),
        "DEEEPAI_ASSET_STORE": str(shared / "assets"),
        "DEEEPAI_INITIAL_CREDIT": "10",
    }
    one = Gateway(shared / "one", env=env).start()
    two = Gateway(shared / "two", env=env).start()
    yield one, two, url
    one.stop()
    two.stop()


def test_a_task_of_one_node_is_served_by_the_other(nodes: tuple[Gateway, Gateway, str]) -> None:
    one, two, _ = nodes
    task = post(one, "/flux/v1/flux-dev", {"prompt": "across"}).json

    def ready() -> Any:
        found = requests.get(
            f"{two.url}/flux/v1/get_result", params={"id": task["id"]}, headers={"x-key": one.live}, timeout=PATIENCE
        ).json()
        return found if found["status"] == "Ready" else None

    sample = until(ready)["result"]["sample"]
    assert requests.get(sample, timeout=PATIENCE).headers["content-type"] == "image/jpeg"


def test_both_hold_against_one_balance(nodes: tuple[Gateway, Gateway, str]) -> None:
    one, two, url = nodes
    (token,) = query(url, "SELECT id, spent FROM tokens WHERE mode = 'live'")
    budget = token["spent"] + 400_000_000
    query(url, "UPDATE tokens SET budget = $2 WHERE id = $1", token["id"], budget)
    query(url, "UPDATE settings SET value = (value::bigint + 1)::text WHERE key = 'config_version'")

    def mj(number: int) -> int:
        node = (one, two)[number % 2]
        return post(node, "/flux/v1/flux-pro-1.1", {"prompt": f"one of many {number}"}, one.live).status

    until(lambda: mj(0) in (200, 402))
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(mj, range(24)))
    assert 402 in seen
    assert seen.count(200) <= 10

    def done() -> Any:
        return not query(url, "SELECT 1 FROM tasks WHERE finished_at IS NULL")

    until(done)
    (after,) = query(url, "SELECT spent, held, budget FROM tokens WHERE id = $1", token["id"])
    assert after["spent"] + after["held"] <= budget
    query(url, "UPDATE tokens SET budget = NULL WHERE id = $1", token["id"])
    query(url, "UPDATE settings SET value = (value::bigint + 1)::text WHERE key = 'config_version'")
    until(lambda: post(two, "/v1/chat/completions", CHAT, one.live).status == 200)


def test_a_change_on_one_node_is_seen_by_the_other(nodes: tuple[Gateway, Gateway, str]) -> None:
    one, two, _ = nodes
    config = Path(one.env["DEEEPAI_CONFIG"])
    config.write_text(config.read_text() + '\n[[aliases]]\nname = "house-model"\ntarget = "gpt-4o-mini"\n')
    body = CHAT | {"model": "house-model"}
    until(lambda: post(two, "/v1/chat/completions", body, one.live).status == 200)


def test_the_ledger_holds(nodes: tuple[Gateway, Gateway, str]) -> None:
    one, two, url = nodes
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post((one, two)[n % 2], "/v1/chat/completions", CHAT, one.live), range(60)))
    assert {answer.status for answer in answers} == {200}
    ids = [answer.request_id for answer in answers]
    charged = query(url, "SELECT request_id FROM ledger WHERE kind = 'charge' AND request_id = ANY($1)", ids)
    assert sorted(row["request_id"] for row in charged) == sorted(ids)
    two.kill()
    until(lambda: not query(url, "SELECT 1 FROM leases WHERE expires_at < extract(epoch FROM now()) * 1000 - 2000"))

    async def proof() -> str:
        from deeepai.money.ledger import verify
        from deeepai.storage.connect import open_database

        database = await open_database(url)
        try:
            report = await verify(database)
        finally:
            await database.close()
        assert report.ok, report.faults
        return str(report)

    assert "proved" in asyncio.run(proof())
    two.start()


def test_a_submission_that_both_get_is_one_job(nodes: tuple[Gateway, Gateway, str]) -> None:
    one, two, url = nodes
    body = {"model": "cogvideox-3", "prompt": "asked of both [sandbox:slow=0.5]"}
    path = "/cogvideox/v4/videos/generations"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post((one, two)[n % 2], path, body, one.live), range(8)))
    assert {answer.status for answer in answers} == {200}
    (task,) = {answer.json["id"] for answer in answers}
    assert [row["id"] for row in query(url, "SELECT id FROM tasks WHERE protocol = 'cogvideox'")] == [task]
