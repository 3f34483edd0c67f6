"""Build hook: wheels carry the API reference's viewer, which is not in the source tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/deeepai/control/static/scalar.js"


class StaticFiles(BuildHookInterface[Any]):
    """Fetches the viewer, unless it lies there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before a build; an editable install needs no files."""
        if version == "editable":
            return
        root = Path(self.root)
        if not (root / STATIC).is_file():
            subprocess.run([sys.executable, str(root / "scripts/build_static.py")], check=True)
        build_data["artifacts"].append(STATIC)
