"""The programs in `examples/`, as they are, against a gateway and its sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from deeepai.protocols import PROTOCOLS
from tests.operator import rows
from tests.stack import Gateway
from tests.support.until import PATIENCE

FOLDER = Path(__file__).parents[2] / "examples"
SCENARIOS: dict[str, tuple[tuple[int, ...], Sequence[tuple[str, str]]]] = {
    "scenario1_custom_song": ((87, 88), [("gen", "Rain on Tin")] * 2),
    "scenario2_described_song": ((89, 90), [("gen", "A Folk Song About Rain On A Tin Roof")] * 2),
    "scenario3_custom_instrumental": ((93, 94), [("gen", "Tin")] * 2),
    "scenario4_described_instrumental": ((91, 92), [("gen", "Quiet Piano, Rain Outside")] * 2),
    "scenario5_upload_and_extend": (
        (96, 97, 98),
        [("upload", "hum"), ("gen", "Hum"), ("gen", "Hum"), ("concat", "Hum")],
    ),
    "scenario6_extend_and_join": (
        (99, 100, 101, 102, 103, 104),
        [("gen", "Rain on Tin")] * 3 + [("concat", "Rain on Tin")],
    ),
    "scenario7_cover": (
        (105, 106, 107, 108),
        [("gen", "Rain on Tin"), ("gen", "Rain on Brass"), ("gen", "Rain on Brass")],
    ),
    "scenario8_replace_section": (
        (109, 110, 111, 112),
        [("gen", "Rain on Tin")] * 3 + [("concat", "Rain on Tin")],
    ),
}
"""Rows of the interface tree, and the songs that come out: type and title."""
OPERATIONS = [operation for operation in PROTOCOLS["suno"].operations if operation.rows]


def run(gateway: Gateway, program: Path) -> list[list[str]]:
    env = {**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": gateway.live, "PAUSE": "0.1"}
    done = subprocess.run(
        [sys.executable, str(program)], env=env, capture_output=True, text=True, timeout=PATIENCE * 2, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_every_program_is_here() -> None:
    assert {path.stem for path in (FOLDER / "suno").glob("scenario*.py")} == set(SCENARIOS)
    told = [(FOLDER / name).read_text("utf-8") for name in ("README.md", "README.zh.md")]
    assert all(f"suno/{name}.py" in text for text in told for name in SCENARIOS)
    rows_of_scenarios = sorted(row for rows, _ in SCENARIOS.values() for row in rows)
    # Row 95 is a page to read.
    assert rows_of_scenarios == [row for row in range(87, 113) if row != 95]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.operation(
                *(f"suno.{operation.name}" for operation in OPERATIONS if set(operation.rows) & set(of))
            ),
        )
        for name, (of, _) in SCENARIOS.items()
    ],
)
def test_a_scenario_of_suno(gateway: Gateway, name: str) -> None:
    printed = [line for line in run(gateway, FOLDER / "suno" / f"{name}.py") if len(line) == 4]
    assert [(kind, title) for kind, title, _, _ in printed] == list(SCENARIOS[name][1])
    for _, _, length, url in printed:
        assert float(length.removesuffix(" s")) > 10
        assert url.startswith(f"{gateway.url}/assets/")
    with urllib.request.urlopen(printed[-1][3], timeout=PATIENCE) as sound:
        assert sound.headers["content-type"] == "audio/mpeg"
        assert sound.read(3) == b"ID3"


@pytest.mark.operation("suno.generate")
def test_a_program_says_what_has_failed(gateway: Gateway) -> None:
    code = "from common import generate; generate(mv='chirp-v4', prompt='[sandbox:fail-midway] x', tags='folk')"
    env = {**os.environ, "DEEEPAI_BASE_URL": gateway.url, "DEEEPAI_TOKEN": gateway.live, "PAUSE": "0.1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER / "suno", env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (failed,) = rows(
        gateway,
        "SELECT id, cost FROM tasks WHERE request LIKE '%fail-midway] x%' AND model = 'suno_music' "
        "AND request LIKE '%chirp-v4%' ORDER BY submitted_at DESC LIMIT 1",
    )
    assert failed["cost"] == 0
    assert "internal error" in done.stderr
