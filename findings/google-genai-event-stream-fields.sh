#!/usr/bin/env bash
# google-genai 3.4.0 (Python) reads every line of an event stream that is not a "data:" line as JSON too.
#
# The HTML standard ("Server-sent events", 9.2.6) lets comments, which servers and proxies send to keep a quiet
# connection open, and the fields "event", "id" and "retry" stand in any stream. Seen: the stream of
# generate_content_stream ends in UnknownApiResponseError, "Failed to parse response as JSON. Raw response: : ping",
# where a comment or such a field comes before the first answer. A stream of data lines alone is read.
#
# Whoever serves Google's clients must keep a stream alive by other means than a comment.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check google-genai==3.4.0
cat > "$work/look.py" <<'PY'
import asyncio
import http.server
import json
import threading

from google import genai

ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}


class Vendor(http.server.BaseHTTPRequestHandler):
    before = b""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.before + b"data: " + json.dumps(ANSWER).encode() + b"\n\n")

    def log_message(self, *args):
        pass


async def read(url):
    client = genai.Client(api_key="none", http_options={"base_url": url})
    try:
        stream = await client.aio.models.generate_content_stream(model="gemini-x", contents="hello")
        return [chunk.text async for chunk in stream]
    except Exception as fault:
        return type(fault).__name__


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {}
for before in (b"", b": ping\n\n", b"event: message\n", b"id: 1\n", b"retry: 1000\n\n"):
    Vendor.before = before
    seen[before] = asyncio.run(read(f"http://127.0.0.1:{server.server_port}"))
    print(before, "->", seen[before])
assert seen.pop(b"") == ["hi"]
assert set(seen.values()) == {"UnknownApiResponseError"}, "this has changed"
PY
"$work/venv/bin/python" "$work/look.py"
