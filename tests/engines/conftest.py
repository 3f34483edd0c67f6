"""The engines' program as a subprocess, over real sockets; the packs are installed once in a checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from deeepai.engines import install
from tests.support.until import PATIENCE

CHAT = "smollm2-135m-instruct"
EMBEDDINGS = "multilingual-e5-small"


@contextmanager
def program(packs: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "deeepai.engines", "--port", "0", "--packs", str(packs), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        yield line.split()[-1]
    finally:
        process.terminate()
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.fixture(scope="session")
def audio_packs(packs: Path) -> Path:
    for pack in ("whisper-base", "whisper-tiny.en", "kokoro-82m"):
        install(pack, packs)
    return packs


@pytest.fixture(scope="session")
def engines(packs: Path) -> Iterator[str]:
    """URL of the program with everything installed."""
    with program(packs) as url:
        yield url


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the program with no pack installed."""
    with program(tmp_path_factory.mktemp("packs")) as url:
        yield url


@pytest.fixture(scope="session")
def client(engines: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{engines}/v1", api_key="not-needed", max_retries=0, timeout=None) as client:
        yield client
