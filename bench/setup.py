"""What the bench needs on the machine: nginx, wrk, two compiled helpers, and the competitors' folders in `.work`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from bench.process import WORK, NotReady, run

HERE = Path(__file__).parent


def system_program(name: str, package: str) -> str:
    """Return the path of `name`; as root on Debian or Ubuntu, install `package` when it lacks."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    if found := shutil.which(name, path=path):
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NotReady(f"{name} is missing: as root, apt-get install {package}")
    run(["apt-get", "update", "-qq"], seconds=120)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], seconds=180)
    if found := shutil.which(name, path=path):
        return found
    raise NotReady(f"{package} holds no {name}")


def compiled(source: str) -> str:
    """Compile bench/`source` (C) into `.work` unless that is newer, and return the program's path."""
    origin = HERE / source
    program = WORK / origin.stem
    WORK.mkdir(exist_ok=True)
    if not program.exists() or program.stat().st_mtime < origin.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise NotReady("a C compiler is missing: as root, apt-get install gcc libc6-dev")
        run([compiler, "-O2", "-o", str(program), str(origin)], seconds=60)
    return str(program)


def python_environment(name: str, requirement: str) -> Path:
    """Return a virtual environment of its own with `requirement` in it."""
    folder = WORK / name
    whole = folder / "installed"
    if not whole.exists():
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        python = folder / "bin/python"
        if uv:
            run([uv, "venv", "-q", "--clear", "-p", sys.executable, str(folder)], seconds=60)
            run([uv, "pip", "install", "-q", "-p", str(python), requirement], seconds=300)
        else:
            run([sys.executable, "-m", "venv", "--clear", str(folder)], seconds=60)
            run([str(python), "-m", "pip", "install", "-q", requirement], seconds=600)
        whole.touch()
    return folder


def node_package(name: str, package: str, program: str, overrides: dict[str, str]) -> Path:
    """Install the npm `package`, with other versions of its dependencies where `overrides` says so.

    Returns the path of `program`, a file of it.
    """
    folder = WORK / name
    file = folder / "node_modules" / package / program
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotReady("npm is missing")
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {"private": True, "dependencies": {package: "*"}, "overrides": overrides}
        (folder / "package.json").write_text(json.dumps(manifest))
        run([npm, "install", "--silent", "--no-audit", "--no-fund"], seconds=300, cwd=folder)
    if not file.exists():
        raise NotReady(f"{package} holds no {program}")
    return file


def installed_version(folder: Path, distribution: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return run([str(folder / "bin/python"), "-c", code], seconds=30).strip()
