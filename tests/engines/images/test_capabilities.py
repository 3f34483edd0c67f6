"""What tools there are, and what is missing for them: told by the program and the command line, and installed."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest

from deeepai.engines import tools
from deeepai.engines.images import TOOLS
from deeepai.settings import Settings
from deeepai.supervisor import Supervisor
from tests.engines.conftest import program


def test_every_tool_is_listed() -> None:
    assert [entry.model.id for entry in tools()] == [f"image-{tool}" for tool in TOOLS]


def test_what_is_missing_is_told_with_its_command(tmp_path: Path, image_packs: Path) -> None:
    assert all(entry.installed for entry in tools(image_packs))
    missing = {entry.model.id: entry.missing for entry in tools(tmp_path)}
    assert missing["image-segmentation"] == "deeepai engines install u2netp"
    assert missing["image-scale"] == "deeepai engines install real-esrgan"
    assert missing["image-imgcompress"] is None


async def test_the_program_lists_its_tools(bare: str, image_packs: Path) -> None:
    with program(image_packs, "--lazy") as whole:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{bare}/healthz") as got:
                states = (await got.json())["models"]
            async with session.get(f"{whole}/v1/models") as got:
                cards = {card["id"]: card for card in (await got.json())["data"]}
            async with session.get(f"{bare}/v1/models/image-scale") as got:
                status = got.status
    assert (states["image-segmentation"], states["image-inpaint"]) == ("missing", "ready")
    assert status == 404
    card = cards["image-segmentation"]
    assert (card["type"], card["license"], card["engines"]) == ("image", "MIT", ["u2netp", "red-ink"])
    assert "U²-Net" in card["provenance"]
    assert cards["image-colorization"]["heuristic"] is True


async def test_what_tools_need_is_installed_and_its_absence_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no package to be had here, so that each try ends in what the operator is told.
    empty = tmp_path / "index"
    empty.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(empty))
    said: list[str] = []
    settings = Settings.load(data=str(tmp_path / "data"), packs=str(tmp_path / "packs"))
    await Supervisor(settings, said.append)._install_tools()
    assert [line.split("`")[1] for line in said] == [
        "deeepai engines install u2netp",
        "deeepai engines install real-esrgan",
    ]


async def test_what_is_installed_is_left_alone(
    tmp_path: Path, image_packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    said: list[str] = []
    settings = Settings.load(data=str(tmp_path / "data"), packs=str(image_packs))
    await Supervisor(settings, said.append)._install_tools()
    assert not said
