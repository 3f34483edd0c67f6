"""Submissions that a client sends again without telling: one job, one charge, one id."""

# pyright: reportDeprecated=false

from __future__ import annotations

import http.client
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from zai import ZhipuAiClient

from tests.operator import rows
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post
from tests.support.listening import Listening
from tests.support.until import PATIENCE, until

PLACE = "/cogvideox/v4/videos/generations"
SLOWLY = "[sandbox:slow=1]"


def film(words: str, **more: Any) -> dict[str, Any]:
    return {"model": "cogvideox-3", "prompt": words, **more}


def submit(gateway: Gateway, words: str, key: str | None = None, headers: Any = None, **more: Any) -> Got:
    return post(gateway, PLACE, film(words, **more), key, headers)


def tasks(gateway: Gateway) -> list[dict[str, Any]]:
    return rows(gateway, "SELECT id, state, cost FROM tasks ORDER BY submitted_at")


def jobs(gateway: Gateway, words: str) -> int:
    """How often a vendor was asked for such a thing."""
    assert gateway.sandbox is not None
    asked = [one for one in gateway.sandbox.requests() if one["method"] == "POST" and words in str(one["body"])]
    return len(asked)


def change(gateway: Gateway, sql: str) -> None:
    with closing(sqlite3.connect(gateway.data / "deeepai.db", timeout=PATIENCE)) as database, database:
        database.execute(sql)


def age(gateway: Gateway) -> None:
    """Let the time pass in which an SDK repeats."""
    change(gateway, "UPDATE idempotency SET expires_at = 1 WHERE status IS NOT NULL")


def test_equal_ones_at_once_are_one_job(gateway: Gateway) -> None:
    words = f"a lighthouse, at once {SLOWLY}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: submit(gateway, words), range(8)))
    assert {answer.status for answer in answers} == {200}
    (task,) = {answer.json["id"] for answer in answers}
    assert jobs(gateway, words) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", *["true"] * 7]
    until(lambda: rows(gateway, "SELECT 1 FROM tasks WHERE id = ? AND finished_at IS NOT NULL", task))
    ids = [answer.request_id for answer in answers]
    (charge,) = rows(gateway, f"SELECT spent FROM ledger WHERE kind = 'charge' AND request_id IN {tuple(ids)}")
    assert charge["spent"] == 200_000_000


def test_one_that_was_answered_is_told_again_for_a_while(gateway: Gateway) -> None:
    first, second = submit(gateway, "told again"), submit(gateway, "told again")
    assert first.json["id"] == second.json["id"]
    age(gateway)
    third = submit(gateway, "told again")
    assert third.json["id"] != first.json["id"]
    assert "idempotent-replayed" not in third.headers
    assert jobs(gateway, "told again") == 2


def test_what_differs_is_another(gateway: Gateway) -> None:
    said = [
        submit(gateway, "what differs"),
        submit(gateway, "what differs", seed=1),
        submit(gateway, "what differs", seed=2),
        submit(gateway, "what differs", headers={"idempotency-key": "on purpose"}),
        submit(gateway, "what differs", headers={"idempotency-key": "on purpose, too"}),
        post(gateway, "/api/paas/v4/videos/generations", film("what differs")),
    ]
    assert len({answer.json["id"] for answer in said}) == len(said) == jobs(gateway, "what differs")


def test_what_was_refused_is_done_anew(gateway: Gateway) -> None:
    words = "[sandbox:error-then-ok] refused"
    refused, taken = submit(gateway, words), submit(gateway, words)
    assert refused.status >= 400
    assert taken.status == 200, taken.body
    assert submit(gateway, words).json["id"] == taken.json["id"]


def test_a_job_that_failed_is_done_anew(gateway: Gateway) -> None:
    words = "[sandbox:fail-midway] failed"
    first = submit(gateway, words).json["id"]
    until(lambda: rows(gateway, "SELECT 1 FROM tasks WHERE id = ? AND state = 'failed'", first))
    assert submit(gateway, words).json["id"] != first


def test_another_token_asks_for_another(tmp_path: Path, sandbox: Sandbox) -> None:
    other = "sk-live-another-00000000000000000001"
    user = '[[users]]\nname = "two"\npassword = "two-password"\ncredit = 50\n'
    toml = f'{user}[[tokens]]\nname = "t"\nkey = "{other}"\naccount = "two"\n'
    made = Gateway(tmp_path, sandbox, toml=toml).start()
    try:
        ids = {submit(made, "of two", key).json["id"] for key in (made.live, other, made.live, other)}
        assert len(ids) == 2
    finally:
        made.stop()


# Gateways that die, and several of them -----------------------------------------------------------------------------


pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.mark.parametrize(("point", "asked"), [("held", 0), ("accepted", 1)])
def test_a_gateway_that_dies_has_begun_it_all_the_same(
    tmp_path: Path, sandbox: Sandbox, point: str, asked: int
) -> None:
    made = Gateway(tmp_path, sandbox, env={"DEEEPAI_SUBMIT_LIMIT": "3"}).start(DEEEPAI_CRASH_AT=point)
    try:
        with pytest.raises((OSError, http.client.HTTPException)):
            submit(made, f"died when {point}")
        made.kill()
        # However long this machine takes to start it again, an SDK comes back at once.
        change(made, "UPDATE idempotency SET expires_at = expires_at + 600000")
        made.start()
        said = submit(made, f"died when {point}")
        assert said.status == 200
        (task,) = tasks(made)
        assert said.json["id"] == task["id"]
        assert jobs(made, f"died when {point}") == asked
    finally:
        made.stop()


# SDKs ----------------------------------------------------------------------------------------------------------------


class Forgetful(Listening):
    """A proxy before a gateway that loses its first answers to submissions.

    Attributes
    ----------
    lost : list of bytes
        Their bodies.
    """

    def __init__(self, gateway: Gateway, times: int) -> None:
        self._gateway = gateway
        self._times = times
        self.lost: list[bytes] = []
        super().__init__()

    def __enter__(self) -> Forgetful:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """Pass one request on."""
        with connection, closing(connection.makefile("rb")) as reader:
            method, path, _ = reader.readline().decode().split()
            headers = http.client.parse_headers(reader)
            body = reader.read(int(headers.get("content-length", 0)))
            kept = {name: value for name, value in headers.items() if name.lower() != "connection"}
            answer = call(self._gateway, method, path, body, headers=kept)
            if len(self.lost) < self._times:
                self.lost.append(answer.body)
                return
            lines = (f"HTTP/1.1 {answer.status} Well", "content-type: application/json", "connection: close")
            size = f"content-length: {len(answer.body)}"
            connection.sendall("\r\n".join((*lines, size, "", "")).encode() + answer.body)


def test_zhipus_client_repeats_what_was_lost(gateway: Gateway) -> None:
    with Forgetful(gateway, 2) as proxy:
        client = ZhipuAiClient(api_key=gateway.live, base_url=f"{proxy.url}/cogvideox/v4")
        accepted = client.videos.generations(model="cogvideox-3", prompt="lost twice")
        client.close()
    assert len(proxy.lost) == 2
    assert all(accepted.id.encode() in answer for answer in proxy.lost)
    assert jobs(gateway, "lost twice") == 1


def test_openais_client_counts_what_it_repeats(gateway: Gateway) -> None:
    with Forgetful(gateway, 1) as proxy, openai.OpenAI(api_key=gateway.live, base_url=f"{proxy.url}/v1") as client:
        video = client.videos.create(model="sora-2", prompt="lost once", seconds="4")
        (answer,) = proxy.lost
        assert video.id.encode() in answer
        assert jobs(gateway, "lost once") == 1
        # Whoever says it twice, has two: neither was sent again.
        assert client.videos.create(model="sora-2", prompt="lost once", seconds="4").id != video.id
