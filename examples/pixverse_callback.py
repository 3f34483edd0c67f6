"""Make a film by Pixverse, and be called back at each change instead of asking: the receiver runs within this program.

    DEEEPAI_TOKEN=sk-… python examples/pixverse_callback.py "a lighthouse at night"

Without a gateway at http://127.0.0.1:8100, name it in DEEEPAI_BASE_URL. It calls back only addresses of its own network
that it is told to: beside this program on one machine, start it with DEEEPAI_ALLOW_PRIVATE_CALLBACKS=127.0.0.0/8; on
another, name this one as it is seen from there in CALLBACK_HOST. With the account's webhook secret (`whsec_…`) in
DEEEPAI_WEBHOOK_SECRET each callback's signature is checked. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BASE = os.environ.get("DEEEPAI_BASE_URL", "http://127.0.0.1:8100").rstrip("/")
TOKEN = os.environ.get("DEEEPAI_TOKEN", "")
HOST = os.environ.get("CALLBACK_HOST", "127.0.0.1")
SECRET = os.environ.get("DEEEPAI_WEBHOOK_SECRET", "")
STATES = {"0": "waits", "1": "is being made", "2": "failed", "3": "is done"}


def signed(headers: Any, body: bytes) -> bool:
    """Tell whether a callback is the gateway's own, as Standard Webhooks have it."""
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), said, hashlib.sha256).digest()
    ours = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(ours, theirs) for theirs in headers["webhook-signature"].split())


def receiver(heard: queue.Queue[Any]) -> ThreadingHTTPServer:
    """Start what takes callbacks, on a port that is free."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            good = not SECRET or signed(self.headers, body)
            self.send_response(200 if good else 401)
            self.send_header("content-length", "0")
            self.end_headers()
            if good:
                heard.put(json.loads(body))

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1" if HOST == "127.0.0.1" else "0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def submit(words: str, callback_url: str) -> str:
    """Submit a film; return the task's id."""
    body = json.dumps({"prompt": words, "ratio": "16:9", "model": "v4.5", "callback_url": callback_url}).encode()
    head = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    request = urllib.request.Request(f"{BASE}/pixverse/v1/pro/generate", body, head)
    try:
        told = json.load(urllib.request.urlopen(request, timeout=60))
    except urllib.error.HTTPError as refusal:
        told = json.load(refusal)
    if told["code"] != 200:
        sys.exit(f"refused: {told['msg']}")
    return told["data"]["task_id"]


def main(words: str) -> None:
    """Make a film."""
    heard: queue.Queue[Any] = queue.Queue()
    server = receiver(heard)
    task = submit(words, f"http://{HOST}:{server.server_address[1]}/pixverse")
    print(f"submitted: {task}")
    while True:
        told = heard.get(timeout=3600)
        print(f"the film {STATES[told['status']]}", flush=True)
        if told["status"] == "2":
            sys.exit(f"why: {told['msg']}")
        if told["status"] == "3":
            break
    server.shutdown()
    print(told["video_url"])


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "a lighthouse at night")
