"""Pages of other origins: what a browser asks first, and what it may read; by hand and in Chromium."""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Gateway, Sandbox
from tests.support.http import Got, call, post
from tests.support.until import PATIENCE

PAGE = "https://chat.example.com"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def asks_first(gateway: Gateway, path: str, origin: str = PAGE, method: str = "POST") -> Got:
    asked = {"access-control-request-method": method, "access-control-request-headers": "authorization,x-new"}
    return call(gateway, "OPTIONS", path, headers={"origin": origin, **asked})


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/chat/completions", "/v1/models", "/v1/messages", "/v1beta/models/gemini-2.5-flash:generateContent"),
        *("/mj/submit/imagine", "/mj/image/1", "/flux/v1/flux-pro", "/assets/task/0", "/nowhere", "/v1/files/file-1"),
    ],
)
def test_a_browser_that_asks_first_needs_no_key(gateway: Gateway, path: str) -> None:
    answer = asks_first(gateway, path)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "authorization,x-new"
    assert int(answer.headers["access-control-max-age"]) > 600


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status"),
    [
        ("POST", "/v1/chat/completions", CHAT, True, 200),
        ("POST", "/v1/chat/completions", {**CHAT, "stream": True}, True, 200),
        ("POST", "/v1/chat/completions", CHAT, False, 401),
        ("POST", "/v1/chat/completions", b"{", True, 400),
        ("GET", "/v1/chat/completions/chatcmpl-none", None, True, 404),
        ("GET", "/v1/models", None, True, 200),
        ("PUT", "/v1/models", None, True, 405),
        ("GET", "/nowhere", None, True, 404),
        ("GET", "/assets/task/0", None, True, 404),
        ("GET", "/v1/videos/video_none/content", None, True, 404),
    ],
)
def test_every_answer_can_be_read(gateway: Gateway, method: str, path: str, body: Any, key: bool, status: int) -> None:
    answer = call(gateway, method, path, body, gateway.live if key else None, {"origin": PAGE})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after", "x-deeepai-overhead-ms", "request-id", "finish-reason"} <= set(exposed)
    # Who is no page gets none of it.
    plain = call(gateway, method, path, body, gateway.live if key else None)
    assert not [name for name in plain.headers if name.startswith("access-control-")]


def test_the_control_plane_lets_no_page_in(gateway: Gateway) -> None:
    for answer in (asks_first(gateway, "/api/tokens"), call(gateway, "GET", "/api/me", headers={"origin": PAGE})):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (f"{PAGE}, http://localhost:3000/", PAGE, PAGE),
        (f"{PAGE}, http://localhost:3000/", "http://localhost:3000", "http://localhost:3000"),
        (PAGE, "https://chat.example.com.evil.example", None),
        (PAGE, "null", None),
        ("none", PAGE, None),
    ],
)
def test_an_operator_names_the_origins(
    tmp_path: Path, sandbox: Sandbox, origins: str, origin: str, allowed: str | None
) -> None:
    gateway = Gateway(tmp_path, sandbox, env={"DEEEPAI_CORS_ORIGINS": origins}).start()
    try:
        for answer in (
            asks_first(gateway, "/v1/chat/completions", origin),
            post(gateway, "/v1/chat/completions", CHAT, headers={"origin": origin}),
        ):
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-headers" not in answer.headers or allowed
            assert "origin" in answer.headers["vary"]
    finally:
        gateway.stop()


def test_what_may_be_done_with_a_path_can_be_asked(gateway: Gateway) -> None:
    assert call(gateway, "OPTIONS", "/v1/models").headers["allow"] == "GET, HEAD, OPTIONS"
    refused = call(gateway, "DELETE", "/v1/chat/completions", key=gateway.live)
    assert refused.status == 405
    assert refused.headers["allow"] == "POST, GET, HEAD, OPTIONS"
    assert call(gateway, "OPTIONS", "*").status == 204
    assert call(gateway, "OPTIONS", "/nowhere").status == 404


# In a browser ------------------------------------------------------------------------------------------------------


@contextmanager
def page(script: str) -> Iterator[tuple[str, queue.Queue[Any]]]:
    """Serve a page that runs a script and tells what it returns."""
    told: queue.Queue[Any] = queue.Queue()
    html = f"""<!doctype html><meta charset="utf-8"><script type="module">
    let seen;
    try {{ seen = await (async () => {{ {script} }})(); }} catch (fault) {{ seen = {{fault: String(fault)}}; }}
    await fetch("/told", {{method: "POST", body: JSON.stringify(seen)}});
    </script>"""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(html.encode())

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", told
    finally:
        server.shutdown()
        server.server_close()


def in_chromium(script: str, folder: Path) -> Any:
    """Run a script in a page of another origin, and return what it returned."""
    assert CHROMIUM is not None
    with page(script) as (url, told):
        browser = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return told.get(timeout=PATIENCE)
        finally:
            browser.terminate()
            browser.wait(PATIENCE)


def fetches(gateway: Gateway, requests: Mapping[str, tuple[str, dict[str, str], Any]]) -> str:
    """Return a script that sends requests, and tells what a page sees of each answer."""
    sent = {
        name: [gateway.url + path, {"method": "GET" if body is None else "POST", "headers": headers, "body": body}]
        for name, (path, headers, body) in requests.items()
    }
    return f"""
    const seen = {{}};
    for (const [name, [url, options]] of Object.entries({json.dumps(sent)})) {{
      if (options.body) options.body = JSON.stringify(options.body); else delete options.body;
      const answer = await fetch(url, options);
      seen[name] = [answer.status, !!answer.headers.get("x-request-id"), (await answer.text()).length > 0];
    }}
    return seen;
    """


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")
def test_a_page_in_chromium_may_call_everything(gateway: Gateway, tmp_path: Path) -> None:
    kind = {"content-type": "application/json"}
    bearer = {"authorization": f"Bearer {gateway.live}", **kind}
    anthropic = {"x-api-key": gateway.live, "anthropic-version": "2023-06-01", **kind}
    messages = {"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": CHAT["messages"]}
    gemini = {"contents": [{"parts": [{"text": "hi"}]}]}
    seen = in_chromium(
        fetches(
            gateway,
            {
                "chat": ("/v1/chat/completions", bearer, CHAT),
                "stream": ("/v1/chat/completions", bearer, {**CHAT, "stream": True}),
                "models": ("/v1/models", bearer, None),
                "messages": (
                    "/v1/messages",
                    {**anthropic, "anthropic-dangerous-direct-browser-access": "true"},
                    messages,
                ),
                "gemini": (f"/v1beta/models/gemini-2.5-flash:generateContent?key={gateway.live}", kind, gemini),
                "mj": ("/mj/submit/imagine", {"mj-api-secret": gateway.live, **kind}, {"prompt": "a mill"}),
                "refused": ("/v1/chat/completions", kind, CHAT),
                "nowhere": ("/chat/nowhere", bearer, CHAT),
            },
        ),
        tmp_path,
    )
    assert {name: answer[0] for name, answer in seen.items()} == {
        **dict.fromkeys(("chat", "stream", "models", "messages", "gemini", "mj"), 200),
        "refused": 401,
        "nowhere": 404,
    }
    assert all(answer[1:] == [True, True] for answer in seen.values())
