"""Pixverse in the vendor's own format, by the client of its MCP server."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clients.programs import isolated
from tests.operator import asked_of, rows
from tests.stack import Gateway
from tests.support.pictures import png

FOLDER = Path(__file__).parent / "pixverse_mcp"
CACHE = Path(__file__).parents[2] / ".cache" / "clients" / "pixverse-mcp-0.2.2"


def package() -> Path:
    """Return where the client lies: it says that it is for Python 3.12, so nothing installs it into ours."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "pixverse_mcp").is_dir():
            uv = Path(sys.executable).with_name("uv")
            options = ["--quiet", "--no-deps", "--python-version", "3.12", "--require-hashes"]
            command = [str(uv), "pip", "install", *options, "--target", str(CACHE), "-r", str(FOLDER / "client.txt")]
            subprocess.run(command, check=True)
    return CACHE


def cost(gateway: Gateway, task: Any) -> int:
    (row,) = rows(gateway, "SELECT cost, hold_id FROM tasks WHERE id = ?", str(task))
    assert row["hold_id"] is None
    return row["cost"]


KINDS = ("text", "img", "transition", "extend", "lip_sync", "sound_effect", "fusion")
USED = (*(f"video.{kind}" for kind in KINDS), "video.result", "video.lip_sync.tts_list", "image.upload", "media.upload")


@pytest.mark.operation(*(f"pixverse_platform.{name}" for name in USED))
def test_the_vendor_s_client(gateway: Gateway) -> None:
    """It asks at the root, whatever path stands in the address."""
    picture = base64.b64encode(png(640, 480)).decode()
    finished = subprocess.run(
        isolated(FOLDER),
        cwd=FOLDER,
        env={
            **os.environ,
            "GATEWAY": f"{gateway.url}/pixverse",
            "TOKEN": gateway.live,
            "PICTURE": picture,
            "PYTHONPATH": str(package()),
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.strip().splitlines()[-1])
    films = {name: film for name, film in seen.items() if isinstance(film, dict) and "video_id" in film}
    failed = films.pop("failed")
    for name, film in films.items():
        assert (film["status"], film["id"]) == ("completed", film["video_id"]), name
        assert film["url"].startswith(f"{gateway.url}/assets/{film['id']}/0")
        assert requests.get(film["url"], timeout=10).headers["content-type"] == "video/mp4"
    assert (failed["status"], failed["url"], cost(gateway, failed["id"])) == ("failed", "", 0)
    assert (films["img"]["width"], films["text"]["width"]) == (720, 960)
    costs = {name: cost(gateway, film["id"]) / 10**9 for name, film in films.items()}
    usual = dict.fromkeys(("text", "img", "transition", "extend", "fusion"), 0.45)
    assert costs == usual | {"lip_sync": 0.08, "heard": 0.20, "sound_effect": 0.10}
    assert seen["voices"] == [3, 2]
    auth, code, _ = seen["errors"]["key"]
    assert (auth, code) == (True, None)
    auth, code, words = seen["errors"]["upload"]
    assert not auth
    assert "17" in words
    sent = asked_of(gateway, "a cat by mcp")
    assert sent is not None
    assert sent["body"]["model"] == "v5"
