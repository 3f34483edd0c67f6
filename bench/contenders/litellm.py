"""LiteLLM's proxy (Python) from its wheel: one worker, a master key, no database, production mode."""

from __future__ import annotations

from bench.contenders.base import MODEL, UPSTREAM_KEY, Contender, Request
from bench.process import Child, free_port, wait_for_ok
from bench.setup import installed_version, python_environment

MASTER_KEY = "sk-bench-master"
CONFIG = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: {key}
general_settings:
  master_key: {master}
litellm_settings:
  telemetry: false
"""


class LiteLLM(Contender):
    name = "litellm"
    does = "checks one key, meters; no database"

    def install(self) -> str:
        self._venv = python_environment(self.name, "litellm[proxy]")
        return installed_version(self._venv, "litellm")

    def start(self, upstream: int) -> None:
        self.port = free_port()
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(model=MODEL, upstream=upstream, key=UPSTREAM_KEY, master=MASTER_KEY))
        # The cost map is otherwise fetched from the network at the start.
        env = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "PATH": f"{self._venv / 'bin'}:/usr/bin:/bin",
        }
        command = [str(self._venv / "bin/litellm"), "--config", str(config), "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--num_workers", "1"]
        self.child = Child(self.name, command, env=env, cwd=self.folder)
        wait_for_ok(self.child, f"http://127.0.0.1:{self.port}/health/liveliness", 90)

    def request(self, *, stream: bool, pace_us: int = 5000) -> Request:
        plain = super().request(stream=stream, pace_us=pace_us)
        return Request(plain.port, plain.path, plain.body, {"Authorization": f"Bearer {MASTER_KEY}"})
