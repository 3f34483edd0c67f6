"""A chat model's endpoint for the tests: it streams what it is told, and fails as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

OUTLINE = "# Tea\n\n## Leaves\n\n### Green\n\n#### Taste\n"


class Model(BaseHTTPRequestHandler):
    """An endpoint that does as it is told."""

    mode: ClassVar[str] = "right"
    answer: ClassVar[str] = OUTLINE
    asked: ClassVar[list[dict[str, Any]]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        if self.mode == "refuses":
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.mode == "redirects":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for place in range(0, len(self.answer), 7):
            event = {"choices": [{"delta": {"content": self.answer[place : place + 7]}}]}
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            if self.mode == "breaks" and place > 10:
                return
            if self.mode == "errs" and place > 10:
                self.wfile.write(b'data: {"error": {"message": "over"}}\n\n')
                return
            if self.mode == "noise" and place > 10:
                self.wfile.write(b"data: {\n\n")
                return
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Model]]:
    """Serve a model, which the environment names from then on."""

    class Fresh(Model):
        asked: ClassVar[list[dict[str, Any]]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("DEEEPAI_ENGINES_CHAT_URL", f"http://127.0.0.1:{server.server_port}/v1/")
    monkeypatch.setenv("DEEEPAI_ENGINES_CHAT_KEY", "sk-key-of-the-test")
    monkeypatch.setenv("DEEEPAI_ENGINES_CHAT_MODEL", "a-model")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    try:
        yield Fresh
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
