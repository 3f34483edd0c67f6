"""LlamaIndex against the local engines, through a gateway.

LlamaIndex asks for an older openai client than the tests here use, so it runs in an environment of its own, which uv
makes once and keeps.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import isolated
from tests.stack import Gateway

FOLDER = Path(__file__).parent / "llamaindex"


@pytest.fixture(scope="module")
def gateway(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    started = Gateway(tmp_path_factory.mktemp("gateway"), flags=("--no-sandbox",)).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def seen(gateway: Gateway) -> Any:
    done = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_chat(seen: Any) -> None:
    assert "Paris" in seen["chat"]
    assert "Paris" in seen["completed"]
    assert seen["streamed"] == seen["chat"]


def test_tools(seen: Any) -> None:
    assert seen["required"] == [["add", {"a": 12, "b": 30}]]
    assert seen["streamed_call"] == [["get_weather", {"city": "Paris"}]]
    assert seen["answered"] == "42"


def test_embeddings_and_an_index(seen: Any) -> None:
    assert seen["dimensions"] == 384
    assert seen["batch"] == [384] * 3
    assert seen["nearest"] == "It is sunny and warm outside."
