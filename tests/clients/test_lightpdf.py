"""PicWish's tasks by the clients that its vendor ships, over HTTPS, which they insist on."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clients.programs import isolated
from tests.plugins import coverage_results
from tests.stack import Gateway, Sandbox
from tests.support.certificates import Certificate
from tests.support.pictures import opened, png

FOLDER = Path(__file__).parent / "lightpdf"


@pytest.fixture
def secure(sandbox: Sandbox, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "data", sandbox, certificate=Certificate.make(tmp_path)).start()
    coverage_results.watch(made.url)
    yield made
    made.stop()


def test_the_vendor_s_clients(secure: Gateway) -> None:
    assert secure.certificate is not None
    trusted = str(secure.certificate.path)
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={
            **os.environ,
            "API_ENDPOINT": f"127.0.0.1:{secure.port}/picwish/api",
            "API_KEY": secure.live,
            "SSL_CERT_FILE": trusted,
            "PICTURE": base64.b64encode(png(96)).decode(),
            "PYTHONPATH": "",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.strip().splitlines()[-1])
    starts = {"file": b"%PDF", "url": b"PK"}
    for name, start in starts.items():
        assert seen[name]["ok"], seen[name]
        assert requests.get(seen[name]["url"], verify=trusted, timeout=30).content.startswith(start)
    for name, size in (("mask", (96, 96)), ("mask of url", (1024, 768))):
        assert opened(requests.get(seen[name], verify=trusted, timeout=30).content).size == size
    assert not seen["odd"]["ok"]
    assert '"state": -7' in seen["odd"]["error"]
    assert not seen["refused"]["ok"]
    assert "401" in seen["refused"]["error"]
