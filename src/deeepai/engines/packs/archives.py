"""Archives that come from elsewhere: nothing in them gets outside of its folder."""

from __future__ import annotations

import tarfile
from pathlib import Path


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract all of an archive.

    Raises
    ------
    tarfile.TarError
        Something in it leads elsewhere, or is neither a file nor a folder.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    # Python before 3.11.4, as in Debian 12.
    root = folder.resolve()
    members = archive.getmembers()
    for member in members:
        if not (member.isfile() or member.isdir()) or not (root / member.name).resolve().is_relative_to(root):
            raise tarfile.ExtractError(f"{member.name} is not extracted: it leads elsewhere")
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    archive.extractall(root, members)
