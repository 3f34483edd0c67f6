"""Zhipu's older Python client, still the one of most programs, against the gateway.

It asks for another PyJWT than its successor, so it runs in an environment of its own, which uv makes once and keeps.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import requests

from tests.clients.programs import isolated
from tests.stack import Gateway

FOLDER = Path(__file__).parent / "zhipuai"


@pytest.mark.operation("cogvideox.videos.generations", "cogvideox.async-result")
def test_generate_and_wait(gateway: Gateway) -> None:
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={**os.environ, "GATEWAY": gateway.url, "TOKEN": gateway.live, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.strip().splitlines()[-1])
    task, *accepted = seen["accepted"]
    assert accepted == ["cogvideox-2", "PROCESSING", "order-000019"]
    status, request_id, ((film, cover),) = seen["done"]
    assert (status, request_id) == ("SUCCESS", "order-000019")
    assert film.startswith(f"{gateway.url}/assets/{task}/0")
    assert requests.get(film, timeout=10).headers["content-type"] == "video/mp4"
    assert requests.get(cover, timeout=10).headers["content-type"].startswith("image/")
    assert seen["errors"] == {"key": ["APIAuthenticationError", "1000"], "model": ["APIRequestFailedError", "1211"]}
