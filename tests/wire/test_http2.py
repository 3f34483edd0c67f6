"""HTTP/2 through the whole gateway, in plain text and over TLS: vendors' own clients, files, early answers, money."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from h2.errors import ErrorCodes

from tests.clients.test_node import run
from tests.operator import asked_of, rows, usage_row
from tests.stack import Gateway, Sandbox
from tests.support.certificates import Certificate
from tests.support.http2 import Peer
from tests.support.until import PATIENCE, until, until_async

HELLO: list[Any] = [{"role": "user", "content": "Say this is a test!"}]
MODEL = "gpt-4o-mini"
LARGE = 20_000_000
CURL = shutil.which("curl")


@pytest.fixture(scope="module")
def secure(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that speaks TLS; its ledger is proved in the end."""
    folder = Path(tmp_path_factory.mktemp("secure"))
    made = Gateway(folder / "data", sandbox, certificate=Certificate.make(folder)).start()
    yield made
    proof = made.cli("ledger", "verify")
    made.stop()
    assert proof.returncode == 0, proof.stdout


@dataclass(frozen=True)
class Door:
    """A gateway, and how its callers come to speak HTTP/2 with it."""

    gateway: Gateway
    options: dict[str, Any]

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.gateway.live}"}


def door_of(gateway: Gateway) -> Door:
    if gateway.certificate is None:
        return Door(gateway, {"http1": False, "http2": True, "timeout": PATIENCE})
    return Door(gateway, {"http2": True, "verify": gateway.certificate.trusted(), "timeout": PATIENCE})


@pytest.fixture(params=["gateway", "secure"], ids=["plain", "tls"])
def door(request: pytest.FixtureRequest) -> Door:
    return door_of(request.getfixturevalue(request.param))


@pytest.fixture
def http(door: Door) -> Iterator[httpx2.Client]:
    def seen(answer: httpx2.Response) -> None:
        assert answer.http_version == "HTTP/2"

    with httpx2.Client(base_url=door.gateway.url, event_hooks={"response": [seen]}, **door.options) as made:
        yield made


@pytest.fixture
def client(door: Door, http: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{door.gateway.url}/v1", api_key=door.gateway.live, http_client=http, max_retries=0)


def test_openai(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nowhere-1", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-nobody").chat.completions.create(model=MODEL, messages=HELLO)


def test_anthropic(door: Door, http: httpx2.Client) -> None:
    client = anthropic.Anthropic(base_url=door.gateway.url, api_key=door.gateway.live, http_client=http, max_retries=0)
    asked: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 200, "messages": HELLO}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == whole.content[0].text


async def test_fifty_streams_on_one_connection(door: Door) -> None:
    limits = httpx2.Limits(max_connections=1)
    async with (
        httpx2.AsyncClient(limits=limits, **door.options) as http,
        openai.AsyncOpenAI(
            base_url=f"{door.gateway.url}/v1", api_key=door.gateway.live, http_client=http, max_retries=0
        ) as client,
    ):

        async def ask(number: int) -> str:
            words: list[Any] = [{"role": "user", "content": f"stream {number}"}]
            stream = await client.chat.completions.create(model=MODEL, messages=words, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        answers = await asyncio.gather(*(ask(number) for number in range(50)))
    assert all(f'"stream {number}"' in answer for number, answer in enumerate(answers))


def test_node(secure: Gateway) -> None:
    """Node's own HTTP/2; OpenAI's and Anthropic's SDKs over undici."""
    assert secure.certificate is not None
    seen = run("http2.mjs", secure, NODE_EXTRA_CA_CERTS=str(secure.certificate.path))
    assert (seen["status"], seen["last"]) == (200, "data: [DONE]")
    assert seen["alpn"] == ["h2"]
    assert seen["streamed"] == [seen["chat"]]
    assert seen["messageStreamed"] == seen["message"]
    assert seen["bytes"] == LARGE


def test_large_files_both_ways(client: openai.OpenAI) -> None:
    data = bytes(range(256)) * (LARGE // 256)
    file = client.files.create(file=("large.bin", data), purpose="user_data")
    try:
        assert file.bytes == len(data)
        assert client.files.content(file.id).read() == data
    finally:
        client.files.delete(file.id)


def test_an_early_answer_reaches_who_still_sends(door: Door, http: httpx2.Client) -> None:
    """As it does over HTTP/1.1: what this client sends after a reset, it would take for a fault of its own."""
    body = b"x" * LARGE
    assert http.post("/v1/files", content=body, headers={"authorization": "Bearer sk-nobody"}).status_code == 401
    announced = {**door.auth, "content-type": "application/json"}
    assert http.post("/v1/chat/completions", content=b" " * (130 << 20), headers=announced).status_code == 413
    assert http.get("/v1/models", headers=door.auth).status_code == 200


def test_files_in_parts_and_heads_and_pages_of_other_origins(door: Door, http: httpx2.Client) -> None:
    made = http.post("/v1/videos", json={"model": "sora-2", "prompt": "a mill", "seconds": "4"}, headers=door.auth)
    look = f"/v1/videos/{made.json()['id']}"
    until(lambda: http.get(look, headers=door.auth).json()["status"] == "completed")
    path = f"{look}/content"
    whole = http.get(path, headers=door.auth)
    part = http.get(path, headers={**door.auth, "range": "bytes=10-99"})
    assert (part.status_code, part.content) == (206, whole.content[10:100])
    assert http.get(path, headers={**door.auth, "if-none-match": whole.headers["etag"]}).status_code == 304
    head = http.head(path, headers=door.auth)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    asked = {"origin": "https://chat.example.com", "access-control-request-method": "POST"}
    first = http.request("OPTIONS", "/v1/chat/completions", headers=asked)
    assert (first.status_code, first.headers["access-control-allow-origin"]) == (204, "*")


async def test_a_stream_that_its_caller_resets_is_charged_once(slow_vendors: Gateway) -> None:
    """Frame by frame, for httpx resets nothing: it reads no more, and leaves the stream as it is."""
    words = "reset in mid-stream"
    content = f"[sandbox:delta-ms=400] [sandbox:tokens=200] {words}"
    asked = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": content}]}
    peer = Peer(*await asyncio.open_connection("127.0.0.1", slow_vendors.port))
    peer.begin()
    head = {"authorization": f"Bearer {slow_vendors.live}", "content_type": "application/json"}
    stream = peer.ask("/v1/chat/completions", json.dumps(asked).encode(), **head)
    answer = peer.answers[stream]
    await peer.until(lambda: answer.body.count(b'"content":"') >= 3)
    peer.h2.reset_stream(stream, ErrorCodes.CANCEL)
    peer.flush()
    entry = await asyncio.to_thread(
        until, lambda: (found := asked_of(slow_vendors, words)) and found["outcome"] != "open" and found
    )
    assert entry["disconnected"], "the upstream is cancelled"
    # The connection lives on.
    assert (await peer.get("/v1/models", **head)).status == 200
    row = await asyncio.to_thread(usage_row, slow_vendors, answer.headers["x-request-id"])
    assert (row["error"], row["consumed"]["input"] > 0, row["cost"] > 0) == ("the caller left", True, True)
    charges = rows(slow_vendors, "SELECT * FROM ledger WHERE request_id = ? AND kind = 'charge'", row["request_id"])
    assert [charge["spent"] for charge in charges] == [row["cost"]]


async def test_a_slow_reader_makes_the_upstream_wait(slow_vendors: Gateway) -> None:
    event = b'data: {"id": "1", "choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n' % (b"x" * 1000)
    last = (
        b'data: {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
        b'data: {"id": "1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}\n\n'
        b"data: [DONE]\n\n"
    )
    megabytes, sent = 48, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for _ in range(megabytes):
            writer.write(event * 1000)
            await writer.drain()
            sent += 1
        writer.write(last)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as upstream:
        url = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1"
        words = ("channels", "add", "flood", "openai", "--base-url", url, "--key", "sk-up", "--models", "flood-1")
        added = await asyncio.to_thread(slow_vendors.cli, *words, "--set", "unpriced=free")
        assert added.returncode == 0, added.stdout
        peer = Peer(*await asyncio.open_connection("127.0.0.1", slow_vendors.port))
        peer.begin()
        head = {"authorization": f"Bearer {slow_vendors.live}", "content_type": "application/json"}
        asked = json.dumps({"model": "flood-1", "stream": True, "messages": HELLO}).encode()
        await until_async(lambda: peer.get("/v1/models/flood-1", **head), lambda answer: answer.status == 200)
        peer.reads = False
        stream = peer.ask("/v1/chat/completions", asked, **head)
        answer = peer.answers[stream]
        await peer.until(lambda: len(answer.body) > 50_000 or answer.over)
        seen = -1
        while sent != seen:
            seen = sent
            await asyncio.sleep(0.5)
        assert sent < megabytes / 2
        peer.reads = True
        peer.h2.increment_flow_control_window(1 << 20)
        peer.h2.increment_flow_control_window(1 << 20, stream)
        peer.flush()
        await peer.answer(stream)
        assert answer.body.count(b"xxx") > 0
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert len(answer.body) > megabytes * 1000 * len(event)
        peer.writer.close()


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_a_stop_lets_a_stream_end(sandbox: Sandbox, tmp_path: Path) -> None:
    """Seen by curl: httpx takes a GOAWAY for the end of the streams that it lets go on."""
    gateway = Gateway(tmp_path / "data", sandbox, env={"DEEEPAI_GRACE": "60"}).start()
    content = "[sandbox:delta-ms=100] stay a while"
    asked = json.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": content}]})
    words = [str(CURL), "-sSN", "--http2-prior-knowledge", f"{gateway.url}/v1/chat/completions"]
    words += ["-H", f"authorization: Bearer {gateway.live}", "-H", "content-type: application/json", "-d", asked]
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE) as caller:
            assert caller.stdout is not None
            seen = caller.stdout.readline()
            assert gateway.process is not None
            gateway.process.terminate()
            seen += caller.stdout.read()
            assert seen.rstrip().endswith(b"data: [DONE]")
            assert caller.wait(PATIENCE) == 0
    finally:
        gateway.stop()


def test_a_certificate_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    files = Certificate.make(tmp_path)
    files.key.write_text("")
    with pytest.raises(RuntimeError, match="the certificate and its key cannot be used"):
        Gateway(tmp_path / "data", certificate=files).start()
