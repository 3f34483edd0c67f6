"""The examples run as their first lines say, against a gateway and the sandbox."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.stack import Gateway
from tests.support.until import PATIENCE

FOLDER = Path(__file__).parents[2] / "examples"
ALLOWED = {*sys.stdlib_module_names, "requests"}


def run(gateway: Gateway, folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": gateway.live}
    command = [sys.executable, str(FOLDER / name), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE * 4)


def picture(folder: Path) -> str:
    drawn = io.BytesIO()
    Image.new("RGB", (512, 512), "navy").save(drawn, "PNG")
    (folder / "picture.png").write_bytes(drawn.getvalue())
    return "picture.png"


def frames(film: Path) -> int:
    with av.open(film) as container:
        assert container.streams.audio, "one hears it, too"
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("program", sorted(FOLDER.glob("*.py")), ids=lambda program: program.name)
def test_they_are_short_and_need_little(program: Path) -> None:
    source = program.read_text()
    assert len(source.splitlines()) < 100
    assert f"python examples/{program.name} " in source
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names if isinstance(node, ast.Import)}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= ALLOWED


def test_viggle_mix(gateway: Gateway, tmp_path: Path) -> None:
    done = run(gateway, tmp_path, "viggle_mix.py", picture(tmp_path), "film.mp4")
    assert done.returncode == 0, done.stdout + done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("'A shuffle' costs 12 of ")
    assert last == "11.2 seconds in film.mp4"
    assert frames(tmp_path / "film.mp4") == round(11.2 * 24)


def test_midjourney_buttons(gateway: Gateway, tmp_path: Path) -> None:
    done = run(gateway, tmp_path, "midjourney_buttons.py", "a mill by a river")
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [task.partition(":")[0] for task in tasks] == ["IMAGINE", "UPSCALE", "VARIATION", "ZOOM"]
    assert all(task.partition(": ")[2].startswith(gateway.url) for task in tasks)


def test_kling_lip_sync(gateway: Gateway, tmp_path: Path) -> None:
    done = run(gateway, tmp_path, "kling_lip_sync.py", picture(tmp_path), "Good morning", "film.mp4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:2]] == ["image2video", "lip-sync"]
    assert frames(tmp_path / "film.mp4") == 5 * 24


def test_what_is_refused_is_said(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "none.png").write_bytes(b"no picture")
    for name, words in (("viggle_mix.py", ("none.png", "x")), ("kling_lip_sync.py", ("none.png", "Hi", "x"))):
        done = run(gateway, tmp_path, name, *words)
        assert done.returncode == 1
        assert "picture" in done.stderr
        assert "Traceback" not in done.stderr
