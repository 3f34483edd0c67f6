"""What is kept for an account is bounded, and no paid call fails at the bound."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.operator import paid, rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post
from tests.support.until import until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say this is a test!"}]}
NOTHING = {"DEEEPAI_ASSET_QUOTA": "0", "DEEEPAI_REPLAY_QUOTA": "0", "DEEEPAI_ANSWER_QUOTA": "0"}
LARGE = 40 << 20
RESPONSE = {"model": "claude-3-5-haiku-latest", "input": "Say this is a test!"}


@pytest.fixture(scope="module")
def gateway(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    tested = "".join(
        f'[[channels]]\nname = "tested-{name}"\nprotocol = "{name}"\nmode = "test"\n'
        f'base_url = "{sandbox.url}/{name}{path}"\ncredential = "sk-upstream-{name}-000000000000"\n'
        for name, path in (("openai", "/v1"), ("flux", ""))
    )
    made = Gateway(Path(tmp_path_factory.mktemp("quotas")), sandbox, env=NOTHING, toml=tested).start()
    yield made
    made.stop()


def figure(gateway: Gateway, name: str) -> float:
    text = call(gateway, "GET", "/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def path_of(gateway: Gateway, link: str) -> str:
    assert link.startswith(gateway.url)
    return link.removeprefix(gateway.url)


def finished(gateway: Gateway, task: str, key: str) -> str:
    def ended() -> Any:
        got = call(gateway, "GET", f"/flux/v1/get_result?id={task}", key=key).json
        return got["result"]["sample"] if got["status"] == "Ready" else None

    return until(ended)


def test_a_file_beyond_the_quota_passes_on_from_its_vendor(gateway: Gateway) -> None:
    begun = post(gateway, "/flux/v1/flux-dev", {"prompt": "a cat"})
    assert begun.status == 200
    row = paid(gateway, begun.request_id)
    assert row["cost"] > 0
    link = finished(gateway, begun.json["id"], gateway.live)
    got = call(gateway, "GET", path_of(gateway, link))
    assert got.status == 200
    assert got.headers["content-type"].startswith("image/")
    assert len(got.body) > 1000
    (asset,) = rows(gateway, "SELECT unkept, size FROM assets WHERE task_id = ?", begun.json["id"])
    assert asset == {"unkept": "quota", "size": 0}
    assert not list((gateway.data / "assets").rglob("*.*"))
    assert figure(gateway, 'deeepai_unkept_total{kind="files",reason="quota"}') >= 1


def test_a_key_whose_answer_is_not_kept_is_charged_once(gateway: Gateway) -> None:
    head = {"idempotency-key": "nothing is kept"}
    first = post(gateway, "/v1/chat/completions", CHAT, headers=head)
    assert first.status == 200
    again = post(gateway, "/v1/chat/completions", CHAT, headers=head)
    assert again.status == 422
    assert again.json["error"]["code"] == "idempotency_answer_gone"
    assert usage_row(gateway, first.request_id)["cost"] > 0
    assert not rows(gateway, "SELECT 1 FROM ledger WHERE request_id = ?", again.request_id)
    assert figure(gateway, 'deeepai_unkept_total{kind="replays",reason="quota"}') >= 1


def test_a_response_beyond_the_quota_is_answered_and_not_kept(gateway: Gateway) -> None:
    first = post(gateway, "/v1/responses", RESPONSE)
    assert first.status == 200, first.body
    after = post(gateway, "/v1/responses", RESPONSE | {"previous_response_id": first.json["id"]})
    assert after.json["error"]["code"] == "previous_response_not_found"
    assert figure(gateway, 'deeepai_unkept_total{kind="answers",reason="quota"}') >= 1


def test_test_mode_has_a_quota_of_its_own(gateway: Gateway) -> None:
    head = {"idempotency-key": "kept in test mode"}
    assert post(gateway, "/v1/chat/completions", CHAT, gateway.test, head).status == 200
    again = post(gateway, "/v1/chat/completions", CHAT, gateway.test, head)
    assert again.status == 200
    assert again.headers["idempotent-replayed"] == "true"
    (kept,) = rows(gateway, "SELECT bytes, items FROM kept WHERE kind = 'replays' AND mode = 'test'")
    assert kept["items"] == 1
    assert kept["bytes"] > 0


def test_an_account_is_exported_and_purged(gateway: Gateway, tmp_path: Path) -> None:
    begun = post(gateway, "/flux/v1/flux-dev", {"prompt": "a secret cat"}, gateway.test)
    assert begun.status == 200
    finished(gateway, begun.json["id"], gateway.test)
    exported = gateway.cli("accounts", "export", "admin", str(tmp_path / "out"))
    assert exported.returncode == 0, exported.stdout + exported.stderr
    assert "a secret cat" in (tmp_path / "out" / "tasks.jsonl").read_text()
    assert "hook_key" not in (tmp_path / "out" / "tasks.jsonl").read_text()
    assert len(list((tmp_path / "out" / "files").rglob("*.*"))) == 1
    purged = gateway.cli("accounts", "purge", "admin", "--yes")
    assert purged.returncode == 0, purged.stdout + purged.stderr
    assert not rows(gateway, "SELECT 1 FROM tasks UNION ALL SELECT 1 FROM assets UNION ALL SELECT 1 FROM kept_answers")
    assert not list((gateway.data / "assets").rglob("*.*"))
    assert call(gateway, "GET", f"/flux/v1/get_result?id={begun.json['id']}", key=gateway.test).status == 404
    assert "all balances proved" in gateway.cli("ledger", "verify").stdout


# Pictures in chats -------------------------------------------------------------------------------------------------


class _Vendor(BaseHTTPRequestHandler):
    """Answers each chat with links to large files of its own."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        base = f"http://{self.headers['host']}/files"
        said = "\n".join(f"![picture]({base}/{number}.png)" for number in range(4))
        message = {"role": "assistant", "content": said}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        self._send(
            json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode(),
            "application/json",
        )

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", str(LARGE))
        self.end_headers()
        try:
            for _ in range(LARGE >> 16):
                self.wfile.write(bytes(1 << 16))
        except OSError:
            self.close_connection = True

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def drawing(folder: Path, env: dict[str, str]) -> Generator[Gateway]:
    vendor = ThreadingHTTPServer(("127.0.0.1", 0), _Vendor)
    threading.Thread(target=vendor.serve_forever, daemon=True).start()
    made = Gateway(folder, env=env)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deeepai.toml").write_text(
        f'[[channels]]\nname = "drawing"\nprotocol = "openai"\nmodels = ["gpt-4o-all"]\n'
        f'base_url = "http://127.0.0.1:{vendor.server_port}/v1"\ncredential = "sk-upstream-drawing-000000000000"\n'
        '[prices."gpt-4o-all"]\nsource = "test"\ndate = "2026-01-01"\nper_call = 0.01\n'
    )
    made.start()
    try:
        yield made
    finally:
        made.stop()
        vendor.shutdown()
        vendor.server_close()


def peak(gateway: Gateway) -> int:
    """Return the most memory that any of the gateway's processes has had, in bytes."""
    found = [Path(f"/proc/{pid}/status").read_text() for pid in gateway.pids()]
    return max(int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) * 1024 for text in found)


def drawn(gateway: Gateway) -> Got:
    return post(gateway, "/v1/chat/completions", CHAT | {"model": "gpt-4o-all"})


def test_pictures_in_chats_are_few_and_never_held_whole(tmp_path: Path) -> None:
    env = {"DEEEPAI_CHAT_FILES": "3", "DEEEPAI_CHAT_FILE_BYTES": str(LARGE * 5 // 2)}
    with drawing(tmp_path / "data", env) as gateway:
        assert post(gateway, "/v1/chat/completions", CHAT).status == 404
        before = peak(gateway)
        got = drawn(gateway)
        assert got.status == 200, got.body
        links = re.findall(r"\((\S+)\)", got.json["choices"][0]["message"]["content"])
        ours = [link for link in links if link.startswith(gateway.url)]
        # Two are as much as there may be of one answer; the fourth would be one too many in any case.
        assert links[:2] == ours
        assert peak(gateway) - before < LARGE
        assert len(call(gateway, "GET", path_of(gateway, ours[1])).body) == LARGE
        assert usage_row(gateway, got.request_id)["cost"] > 0
        kept = list((gateway.data / "assets").rglob("*.png"))
        assert [file.stat().st_size for file in kept] == [LARGE, LARGE]
