"""nginx as the upstream: fixed OpenAI answers with usage for chat completions and embeddings."""

from __future__ import annotations

import json

from bench.process import WORK, Child, free_port, run, wait_for_port
from bench.setup import system_program

CHAT = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "This is a test!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 13, "completion_tokens": 5, "total_tokens": 18},
}
EMBEDDING = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.125, -0.25, 0.5, -0.0625]}],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}

CONFIG = """
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location = /v1/chat/completions {{ return 200 '{chat}'; }}
        location = /v1/embeddings {{ return 200 '{embedding}'; }}
        location / {{ return 404 '{{}}'; }}
    }}
"""


def nginx_version() -> str:
    """Return nginx's version; it says it on stderr, which `sh` joins."""
    said = run(["/bin/sh", "-c", '"$0" -v 2>&1', system_program("nginx", "nginx-light")], seconds=10)
    return said.strip().rpartition("/")[2]


def start_nginx(name: str, servers: str, port: int, *, workers: int) -> Child:
    """Start an nginx of the bench's own, with all its files in `.work/state`."""
    folder = WORK / "state" / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(workers=workers, folder=folder, servers=servers))
    child = Child(name, [system_program("nginx", "nginx-light"), "-p", str(folder), "-c", str(file)])
    wait_for_port(child, port, 10)
    return child


def start_upstream() -> tuple[Child, int]:
    port = free_port()
    servers = SERVER.format(port=port, chat=json.dumps(CHAT), embedding=json.dumps(EMBEDDING))
    return start_nginx("upstream", servers, port, workers=1), port
