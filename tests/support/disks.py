"""Disks that can be full: each without root, on an ordinary Linux machine.

`SmallDisk` is a file system of its own, a tmpfs in a user namespace; where the machine lets nobody make one, there is
`Ration`, which works everywhere: a limit on the size of files (`RLIMIT_FSIZE`) that is set on running processes, whose
every write to a file then fails.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_FILLER: Final = "filler"


class SmallDisk:
    """A file system of so many bytes, mounted at a folder for the programs that are started with its `prefix`.

    Attributes
    ----------
    folder : Path
        Where those programs find it.
    seen : Path
        The same folder for everybody else.
    """

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir()
        mount = f'mount -t tmpfs -o size={size} none "$0" && echo mounted && exec cat'
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            _, said = self._holder.communicate()
            raise OSError(said.decode())
        self.folder = folder
        self.seen = Path(f"/proc/{self._holder.pid}/root{folder}")
        enter = ["nsenter", "--user", "--mount", "--preserve-credentials", f"--target={self._holder.pid}", "--"]
        self.prefix = tuple(enter)

    def fill(self, pids: Iterable[int]) -> None:
        """Leave no room on it."""
        with (self.seen / _FILLER).open("ab", buffering=0) as file:
            for block in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError:
                    continue

    def free(self, pids: Iterable[int]) -> None:
        """Make room again."""
        (self.seen / _FILLER).unlink()

    def close(self) -> None:
        """Take it away, once nobody uses it any more."""
        self._holder.communicate()


class Ration:
    """The machine's own disk, of which some processes get nothing more."""

    prefix: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = self.seen = folder

    def fill(self, pids: Iterable[int], left: int = 0) -> None:
        """Let their writes fail, but for the first bytes of each file."""
        self._limit(pids, left)

    def free(self, pids: Iterable[int]) -> None:
        """Let them pass again."""
        self._limit(pids, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(pids: Iterable[int], size: int) -> None:
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def close(self) -> None:
        """Nothing is left of it."""


Disk = SmallDisk | Ration
