"""The examples of Luma and Runway run as their first lines say, against a gateway and the sandbox."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.stack import Gateway
from tests.support.until import PATIENCE

FOLDER = Path(__file__).parents[2] / "examples"


def run(gateway: Gateway, folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": gateway.live}
    command = [sys.executable, str(FOLDER / name), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE * 4)


@pytest.mark.operation("luma.generations", "luma.extend", "luma.download_video_url")
def test_luma_extend(gateway: Gateway, tmp_path: Path) -> None:
    done = run(gateway, tmp_path, "luma_extend.py", "a fox walks", "film.mp4")
    assert done.returncode == 0, done.stdout + done.stderr
    *films, last = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in films] == ["5.0", "10.0", "15.0"]
    assert all(f": {gateway.url}/assets/" in line for line in films)
    assert last == "saved in film.mp4"
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.operation("runwayml.uploads", "runwayml.image_to_video", "runwayml.tasks.get")
def test_runway_image_to_video(gateway: Gateway, tmp_path: Path) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (512, 512), "navy").save(drawn, "PNG")
    (tmp_path / "picture.png").write_bytes(drawn.getvalue())
    done = run(gateway, tmp_path, "runway_image_to_video.py", "picture.png", "She looks up", "film.mp4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "25 credits; saved in film.mp4"
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("luma_extend.py", ["[sandbox:moderated-output] x", "film.mp4"], "failed: "),
        ("luma_extend.py", ["", "film.mp4"], "refused: "),
        ("runway_image_to_video.py", ["picture.png", "x" * 1001, "film.mp4"], "image_to_video: "),
    ],
)
def test_what_goes_wrong_is_said(
    gateway: Gateway, tmp_path: Path, name: str, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "picture.png").write_bytes(b"a picture")
    done = run(gateway, tmp_path, name, *words)
    assert (done.returncode, done.stderr.startswith(said)) == (1, True), done.stderr
    assert not (tmp_path / "film.mp4").exists()
