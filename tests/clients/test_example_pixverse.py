"""The example of callbacks does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.operator import account_secret
from tests.stack import Gateway

PROGRAM = Path(__file__).parents[2] / "examples" / "pixverse_callback.py"


def run(gateway: Gateway, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *words],
        env={**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": gateway.live, "PYTHONPATH": "", **env},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.operation("pixverse.generate")
def test_a_film_whose_program_is_called_back(gateway: Gateway) -> None:
    done = run(gateway, "a", "lighthouse", DEEEPAI_WEBHOOK_SECRET=account_secret(gateway))
    assert done.returncode == 0, done.stderr
    first, *changes, address = done.stdout.splitlines()
    task = first.removeprefix("submitted: ")
    assert changes[-1] == "the film is done"
    assert set(changes[:-1]) <= {"the film waits", "the film is being made"}
    assert address.startswith(f"{gateway.url}/assets/{task}/0")
    assert requests.get(address, timeout=20).headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["[sandbox:moderated-output]", "x"], {}, "why: the content breaks"),
        (["x"], {"DEEEPAI_TOKEN": "sk-wrong"}, "refused: Incorrect API key"),
    ],
)
def test_what_fails_is_said(gateway: Gateway, words: list[str], env: dict[str, str], said: str) -> None:
    done = run(gateway, *words, **env)
    assert done.returncode == 1
    assert said in done.stderr
