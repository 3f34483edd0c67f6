"""The examples of MewXAI's format run as their first lines say, against a gateway and the sandbox, and the engines."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from deeepai.protocols import PROTOCOLS
from tests.plugins import coverage_results
from tests.stack import Gateway
from tests.support.until import PATIENCE

FOLDER = Path(__file__).parents[2] / "examples"
CODES = {
    "1-custom": 1,
    "2-versions": 4,
    "3-strength": 1,
    "4-template": 1,
    "5-template-strength": 1,
    "6-picture": 1,
    "7-eyes": 7,
    "8-canvas": 2,
}
"""Examples of art QR codes, and how many pictures each makes; rows 62 to 69 of the interface tree."""
WORDS = {"1-shadow-template": 1, "2-shadow-custom": 1, "3-art-template": 1}
CUTE = {"basic": 1, "own-size": 1, "audit": 1, "extra-model": 1, "negative-replaced": 1, "negative-added": 1}


def run(gateway: Gateway, name: str, *words: str, token: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": token or gateway.live, "PAUSE": "0.1"}
    command = [sys.executable, str(FOLDER / "mewx" / name), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE * 10)


def made(done: subprocess.CompletedProcess[str]) -> list[tuple[str, Image.Image]]:
    """Return what a program printed: names, and the pictures behind the addresses."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[tuple[str, Image.Image]] = []
    for line in done.stdout.splitlines():
        name, address = line.split("\t")
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            found.append((name, Image.open(io.BytesIO(answer.read()))))
    return found


def times(counts: dict[str, int]) -> list[str]:
    return [name for name, count in counts.items() for _ in range(count)]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is out of the box: only the engines."""
    started = Gateway(Path(tmp_path_factory.mktemp("local")), flags=("--no-sandbox",)).start()
    coverage_results.watch(started.url)
    yield started
    started.stop()


def test_every_row_has_its_example() -> None:
    """Rows 61 to 78 are numbered examples: each is one of those here, and stands in the API reference."""
    rows = {operation.name: operation.rows for operation in PROTOCOLS["mewx"].operations if operation.rows}
    assert rows["neuralstyle"][1:] == (61,)
    assert len(rows["qrcode"][1:]) == len(CODES)
    assert len(rows["shadow"][1:]) == len(WORDS)
    assert len(rows["cute"]) == len(CUTE)
    told = [(FOLDER / name).read_text("utf-8") for name in ("README.md", "README.zh.md")]
    programs = [path.name for path in (FOLDER / "mewx").glob("*.py") if path.name != "common.py"]
    assert all(f"mewx/{name}" in text for text in told for name in programs)


@pytest.mark.operation("mewx.qrcode", "mewx.detail")
def test_art_qr_codes(gateway: Gateway) -> None:
    pictures = made(run(gateway, "qr_codes.py"))
    assert [name for name, _ in pictures] == times(CODES)
    for _, picture in pictures:
        assert [code.text for code in zxingcpp.read_barcodes(picture)] == ["https://example.com"]
    assert [picture.size[0] > picture.size[1] for _, picture in pictures[-2:]] == [False, True]


@pytest.mark.operation("mewx.shadow", "mewx.detail")
def test_creative_text(gateway: Gateway) -> None:
    pictures = made(run(gateway, "creative_text.py"))
    assert [name for name, _ in pictures] == times(WORDS)
    assert pictures[1][1].size[0] > pictures[1][1].size[1]


@pytest.mark.operation("mewx.cute", "mewx.detail")
def test_cute(gateway: Gateway) -> None:
    pictures = made(run(gateway, "cute.py"))
    assert [name for name, _ in pictures] == times(CUTE)
    assert pictures[1][1].size == (768, 512)


@pytest.mark.operation("mewx.neuralstyle", "mewx.detail")
def test_fusion(gateway: Gateway) -> None:
    assert [name for name, _ in made(run(gateway, "fusion.py"))] == ["photograph", "drawn"]


@pytest.mark.operation("mewx.qrcode")
def test_callback(gateway: Gateway) -> None:
    done = run(gateway, "callback.py")
    assert done.returncode == 0, done.stdout + done.stderr
    first, last = (line.split("\t") for line in done.stdout.splitlines())
    assert first[0] == "submitted"
    assert last[0] == "called back"
    assert last[1].startswith(f"{gateway.url}/assets/{first[1]}/0")


@pytest.mark.operation("mewx.qrcode", "mewx.shadow")
def test_on_the_engines_of_this_machine(local: Gateway) -> None:
    """Out of the box a live token has its pictures drawn here."""
    ((_, code),) = made(run(local, "qr_codes.py", "5-template-strength"))
    assert [found.text for found in zxingcpp.read_barcodes(code)] == ["https://example.com"]
    ((_, drawn),) = made(run(local, "creative_text.py", "3-art-template"))
    assert drawn.size == (1024, 1024)
    refused = run(local, "cute.py", "basic")
    assert refused.returncode == 1
    assert "need a channel" in refused.stderr


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [("qr_codes.py", ["9-unknown"], "there is no example"), ("cute.py", ["basic"], "Incorrect API key")],
)
def test_what_goes_wrong_is_said(gateway: Gateway, name: str, words: list[str], said: str) -> None:
    done = run(gateway, name, *words, token="sk-wrong")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
