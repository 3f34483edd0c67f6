"""Be called back (回调演示): the receiver runs within this program, and answers as the vendor asks for.

    DEEEPAI_TOKEN=sk-… python examples/mewx/callback.py

A gateway calls back only addresses of its own network that it is told to: beside this program on one machine, start it
with DEEEPAI_ALLOW_PRIVATE_CALLBACKS=127.0.0.0/8; on another, name this one as it is seen from there in CALLBACK_HOST.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common import ask

HOST = os.environ.get("CALLBACK_HOST", "127.0.0.1")
heard: queue.Queue[Any] = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    """Takes callbacks."""

    def do_POST(self) -> None:
        """Take one: flat, or wrapped as the answer to a query is."""
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        heard.put(told.get("data") or told)
        answer = b'{"code": 0}'
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


server = ThreadingHTTPServer(("127.0.0.1" if HOST == "127.0.0.1" else "0.0.0.0", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
name = ask(
    "images/generate",
    {
        "prompt": "一朵花 --v 1.1",
        "model": "67",
        "qr_content": "https://example.com",
        "callback_url": f"http://{HOST}:{server.server_address[1]}/mewx",
    },
)["img_uuid"]
print("submitted", name, sep="\t", flush=True)
done: set[str] = set()
while name not in done:
    told = heard.get(timeout=600)
    # It may come again: once is enough.
    if told["img_uuid"] in done:
        continue
    done.add(told["img_uuid"])
    if told["status"] != 1:
        sys.exit(f"{told['img_uuid']} has failed: {told.get('msg')}")
    print("called back", told["urls"][0], sep="\t")
server.shutdown()
