"""What upstreams answer: no redirect, no key and no endless event reaches a caller."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.scripted import read_body, read_headers
from tests.stack import Gateway
from tests.support.http import post
from tests.support.listening import Listening

KEY = "sk-upstream-secret-0123456789abcdef"
LONGEST = 1024 * 1024


class Upstream(Listening):
    """Answers by its channel's name, the first part of the path."""

    def __init__(self) -> None:
        self.sent = 0
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                self._answer(connection, stream.readline(65536).decode().split("/")[1], stream)
            except OSError:
                pass

    def _answer(self, connection: socket.socket, name: str, stream: object) -> None:
        read_body(stream, read_headers(stream))  # type: ignore[arg-type]
        head = b"connection: close\r\n"
        if name == "moved":
            connection.sendall(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n" + head + b"\r\n")
        elif name == "tells":
            body = b'{"error": {"message": "the key %b cannot do that", "type": "x"}}' % KEY.encode()
            connection.sendall(b"HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\n" + head + b"\r\n" + body)
        elif name == "wails":
            body = b'data: {"error": {"message": "the key %b cannot do that"}}\n\n' % KEY.encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + head + b"\r\n" + body)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + head + b"\r\n")
            connection.sendall(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"')
            while self.sent < 64 * LONGEST:
                connection.sendall(b"a" * 65536)
                self.sent += 65536


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = Path(tmp_path_factory.mktemp("answers"))
    toml = "".join(
        f'[[channels]]\nname = "{name}"\nprotocol = "openai"\nmodels = ["{name}"]\ncredential = "{KEY}"\n'
        f'base_url = "http://127.0.0.1:{upstream.port}/{name}"\n[prices."{name}"]\nper_call = "0.001"\n'
        for name in ("moved", "tells", "wails", "endless")
    )
    (folder / "deeepai.toml").write_text(toml)
    made = Gateway(folder, env={"DEEEPAI_MAX_ANSWER": str(LONGEST)}).start()
    yield made
    made.stop()


def chat(model: str, stream: bool) -> dict[str, object]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_is_a_failure(gateway: Gateway, stream: bool) -> None:
    got = post(gateway, "/v1/chat/completions", chat("moved", stream))
    assert (got.status, b"302" in got.body) == (502, True)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/moderations"])
def test_a_redirect_is_a_failure_of_other_calls(gateway: Gateway, path: str) -> None:
    got = post(gateway, path, {"model": "moved", "input": "x"})
    assert got.status >= 400


@pytest.mark.parametrize(("model", "stream"), [("tells", False), ("tells", True), ("wails", True)])
def test_a_key_in_an_error_is_cut_out(gateway: Gateway, model: str, stream: bool) -> None:
    got = post(gateway, "/v1/chat/completions", chat(model, stream))
    assert b"cannot do that" in got.body
    assert KEY[12:].encode() not in got.body


def test_an_event_without_end_is_cut_off(gateway: Gateway, upstream: Upstream) -> None:
    got = post(gateway, "/v1/chat/completions", chat("endless", True))
    assert b"too long" in got.body
    assert upstream.sent < 32 * LONGEST
