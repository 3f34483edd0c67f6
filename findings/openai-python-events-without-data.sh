#!/usr/bin/env bash
# openai 3.54.0 (Python) dispatches events of a stream that hold no data, and fails on them.
#
# The HTML standard ("Server-sent events", 9.2.6) has such an event dropped: where the data buffer is empty at the
# blank line, nothing is dispatched. Seen: "retry: 1000" by itself, which servers send to tell clients how long to wait
# before they reconnect, and an empty "data:" end a chat completion's stream in JSONDecodeError, "Expecting value: line 1
# column 1 (char 0)". A comment by itself does no harm.
#
# Whoever relays to these clients must drop events without data.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.54.0
cat > "$work/look.py" <<'PY'
import http.server
import json
import threading

import openai

CHOICE = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [CHOICE]}


class Vendor(http.server.BaseHTTPRequestHandler):
    before = b""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.before + b"data: " + json.dumps(CHUNK).encode() + b"\n\ndata: [DONE]\n\n")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)


def read():
    asked = [{"role": "user", "content": "hello"}]
    try:
        stream = client.chat.completions.create(model="m", messages=asked, stream=True)
        return [chunk.choices[0].delta.content for chunk in stream]
    except Exception as fault:
        return type(fault).__name__


seen = {}
for before in (b"", b": ping\n\n", b"retry: 1000\n\n", b"data:\n\n"):
    Vendor.before = before
    seen[before] = read()
    print(before, "->", seen[before])
assert seen[b""] == seen[b": ping\n\n"] == ["hi"]
assert seen[b"retry: 1000\n\n"] == seen[b"data:\n\n"] == "JSONDecodeError", "this has changed"
PY
"$work/venv/bin/python" "$work/look.py"
