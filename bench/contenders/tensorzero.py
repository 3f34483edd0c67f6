"""TensorZero's gateway (Rust) out of its Python wheel.

The wheel has no program of its own: its extension module starts the whole HTTP gateway in a process, which is what
`tensorzero_serve.py` does. Its threads never take Python's lock for a request. No auth, no database, no observability.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.contenders.base import MODEL, Contender, Request, chat
from bench.process import Child, NotReady, wait_for_port
from bench.setup import installed_version, python_environment

CONFIG = """
[gateway]
bind_address = "127.0.0.1:0"
observability.enabled = false

[models.{model}]
routing = ["upstream"]

[models.{model}.providers.upstream]
type = "openai"
model_name = "{model}"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""


class TensorZero(Contender):
    name = "tensorzero"
    does = "parses and rebuilds; no token, no database, no log"

    def install(self) -> str:
        self._venv = python_environment(self.name, "tensorzero")
        return installed_version(self._venv, "tensorzero")

    def start(self, upstream: int) -> None:
        config = self.folder / "tensorzero.toml"
        config.write_text(CONFIG.format(model=MODEL, upstream=upstream))
        program = Path(__file__).with_name("tensorzero_serve.py")
        address = self.folder / "address"
        address.unlink(missing_ok=True)
        # -P: without it Python would take this folder's tensorzero.py for the package.
        self.child = Child(self.name, [str(self._venv / "bin/python"), "-P", str(program), str(config), str(address)])
        self.port = _port(self.child, address)
        wait_for_port(self.child, self.port)

    def request(self, *, stream: bool, pace_us: int = 5000) -> Request:
        body = chat(stream=stream, pace_us=pace_us, model=f"tensorzero::model_name::{MODEL}")
        return Request(self.port, "/openai/v1/chat/completions", body)


def _port(child: Child, address: Path, seconds: float = 30.0) -> int:
    """Wait for the file in which the gateway's address appears once it listens."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if address.exists():
            return urlsplit(address.read_text()).port or 0
        if not child.alive:
            raise NotReady(f"{child.name} ended at its start: {child.tail()}")
        time.sleep(0.05)
    raise NotReady(f"{child.name} does not listen after {seconds:.0f} s: {child.tail()}")
