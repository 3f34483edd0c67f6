"""Portkey's gateway (Node) from npm: one process, as `npx @portkey-ai/gateway` runs it. No auth, no database.

Portkey 1.15.2 fails every stream ("immutable" headers) with @hono/node-server 1.19, which its range lets in; 1.13.8, in
the same range, streams.
"""

from __future__ import annotations

import json
import shutil

from bench.contenders.base import UPSTREAM_KEY, Contender, Request
from bench.process import Child, NotReady, free_port, wait_for_port
from bench.setup import node_package

OVERRIDES = {"@hono/node-server": "1.13.8"}


class Portkey(Contender):
    name = "portkey"
    does = "routes by headers; no token, no database, no log"

    def install(self) -> str:
        self._program = node_package(self.name, "@portkey-ai/gateway", "build/start-server.js", OVERRIDES)
        package = json.loads((self._program.parents[1] / "package.json").read_text())
        return str(package["version"])

    def start(self, upstream: int) -> None:
        node = shutil.which("node")
        if node is None:
            raise NotReady("node is missing")
        self.port = free_port()
        self._upstream = upstream
        # It refuses private addresses as upstreams unless they are named as trusted.
        env = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
        command = [node, str(self._program), f"--port={self.port}", "--headless"]
        self.child = Child(self.name, command, env=env)
        wait_for_port(self.child, self.port)

    def request(self, *, stream: bool, pace_us: int = 5000) -> Request:
        plain = super().request(stream=stream, pace_us=pace_us)
        headers = {
            "Authorization": f"Bearer {UPSTREAM_KEY}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{self._upstream}/v1",
        }
        return Request(plain.port, plain.path, plain.body, headers)
