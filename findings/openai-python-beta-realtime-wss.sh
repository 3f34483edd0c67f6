#!/usr/bin/env bash
# openai (Python) 3.54.0: `client.beta.realtime.connect` speaks TLS whatever the client's `base_url` says. With a
# base URL of `http://…` the path is taken from it, and the scheme is always `wss`: the first byte on the plain port is
# a TLS handshake's (0x16). `client.realtime.connect`, of today's API, takes `ws` for `http`.
# `websocket_base_url="ws://…"` is a way round.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "openai[realtime]==3.54.0"
cat >"$folder/try.py" <<'PY'
import socket
import threading

import openai

first: list[bytes] = []
listener = socket.create_server(("127.0.0.1", 0))


def accept() -> None:
    for _ in range(2):
        connection, _ = listener.accept()
        first.append(connection.recv(1))
        connection.close()


thread = threading.Thread(target=accept)
thread.start()
client = openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
for realtime in (client.beta.realtime, client.realtime):
    try:
        realtime.connect(model="m").enter()
    except Exception as fault:  # noqa: BLE001
        print(type(fault).__name__)
thread.join()
print(first)
assert first == [b"\x16", b"G"], "the beta's connection takes the base URL's scheme now"
PY
"$folder/venv/bin/python" "$folder/try.py"
