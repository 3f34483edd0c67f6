"""The programs of `examples/` as code samples of the API reference."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_PACKAGED: Final = Path(__file__).with_name("examples")
_IN_SOURCE_TREE: Final = Path(__file__).parents[3] / "examples"
INDEX: Final = "reference.toml"
"""Operation by program."""
SHARED: Final = "common"
"""What the programs of a folder share."""
_FUTURE: Final = re.compile(r"^from __future__ import annotations\n+", re.MULTILINE)
_IMPORT: Final = re.compile(rf"^from {SHARED} import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)


def folder() -> Path:
    """Return where the programs lie: in the package, or in the source tree."""
    return _PACKAGED if _PACKAGED.is_dir() else _IN_SOURCE_TREE


def source(path: Path) -> str:
    """Return a program in one piece: with what it imports from the file that its folder shares before it."""
    text = path.read_text("utf-8")
    if _IMPORT.search(text) is None:
        return text
    rest = _IMPORT.sub("", _FUTURE.sub("", text))
    return f"{path.with_name(f'{SHARED}.py').read_text('utf-8').rstrip()}\n\n\n{rest.lstrip()}"


@functools.cache
def samples() -> Mapping[str, Sequence[Mapping[str, str]]]:
    """Return `x-codeSamples` by operation; none where the programs are not installed."""
    index = folder() / INDEX
    if not index.is_file():
        return {}
    found: dict[str, list[Mapping[str, str]]] = {}
    for name, operation in tomllib.loads(index.read_text("utf-8")).items():
        shown = {"lang": "python", "label": name, "source": source(folder() / name)}
        found.setdefault(operation, []).append(shown)
    return found
