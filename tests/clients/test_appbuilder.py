"""Baidu's AppBuilder, whose SDK asks 韦尼克's interfaces at a place of its own, against gateway and stand-in.

It pins an older urllib3, so it runs in an environment of its own, which uv makes once and keeps.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
import requests
from pptx import Presentation

from tests.clients.programs import isolated
from tests.operator import rows
from tests.stack import Gateway

FOLDER = Path(__file__).parent / "appbuilder"
DECK = 100_000_000
"""10⁻⁹ USD."""


@pytest.mark.operation(
    "weinike.ppt-create",
    "weinike.ppt-create-file",
    "weinike.ppt-create-thesis",
    "weinike.ppt-result",
    "weinike.ppt-download",
)
def test_its_three_components(gateway: Gateway) -> None:
    named = {"FILE": "https://example.com/report.md", "PAPER": "https://example.com/thesis.docx"}
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={**os.environ, **named, "GATEWAY": gateway.url, "TOKEN": gateway.live, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    found = json.loads(finished.stdout.strip().splitlines()[-1])
    assert "Incorrect API key" in found.pop("error")
    first: dict[str, list[str]] = {}
    for name, url in found.items():
        assert url.startswith(f"{gateway.url}/assets/")
        deck = Presentation(io.BytesIO(requests.get(url, timeout=20).content))
        first[name] = [shape.text_frame.text for shape in deck.slides[0].shapes][:2]
        (task,) = rows(gateway, "SELECT cost FROM tasks WHERE id = ?", url.split("/")[4])
        assert task["cost"] == DECK
    assert first == {
        "text": ["生成一个介绍北京的PPT", "百度千帆AppBuilder"],
        "outline": ["网络安全大赛", "百度千帆AppBuilder"],
        "file": ["report", "百度千帆AppBuilder"],
        "paper": ["thesis", "百度千帆AppBuilder"],
    }
