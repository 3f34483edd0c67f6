#!/usr/bin/env bash
# google-genai 3.4.0 (Python): a client that has no name of its own is closed before its call is sent.
#
# Seen: `genai.Client(...).models.generate_content(...)`, in one line, ends in RuntimeError, "Cannot send a request, as the
# client has been closed.": `models` does not keep its client, which closes the connections when nothing refers to it.
# With the client in a variable, the same call is answered. openai and anthropic have no such rule.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check google-genai==3.4.0
cat > "$work/look.py" <<'PY'
import http.server
import json
import threading

from google import genai

ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}


class Vendor(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=server.serve_forever, daemon=True).start()
options = {"base_url": f"http://127.0.0.1:{server.server_port}"}
try:
    genai.Client(api_key="none", http_options=options).models.generate_content(model="gemini-x", contents="hello")
    unnamed = "answered"
except RuntimeError as fault:
    unnamed = str(fault)
client = genai.Client(api_key="none", http_options=options)
named = client.models.generate_content(model="gemini-x", contents="hello").text
print("without a name ->", unnamed)
print("with a name ->", named)
assert named == "hi"
assert unnamed == "Cannot send a request, as the client has been closed.", "this has changed"
PY
"$work/venv/bin/python" "$work/look.py"
