"""`docs/adding-a-protocol.md` is true: what it names exists, and nothing that can be declared goes unsaid."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from deeepai import declare
from deeepai.declare import Operation, Protocol
from deeepai.protocols.common.jobs import JobFormat

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "adding-a-protocol.md"
TEXT = GUIDE.read_text()
EXAMPLE = "cogvideox"
CLASSES = {
    name: value for name in declare.__all__ if inspect.isclass(value := getattr(declare, name)) and value is not Any
}
DECLARED = [kind for kind in CLASSES.values() if issubclass(kind, (Operation, Protocol))]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def paths() -> list[str]:
    """What the guide names in code that begins with a folder of the repository, and what it links to."""
    folders = "|".join(item.name for item in ROOT.iterdir() if item.is_dir() and item.name.isalpha())
    named = re.findall(rf"`((?:{folders})/[^`\s]*)`", TEXT)
    linked = [str((GUIDE.parent / link).resolve().relative_to(ROOT)) for link in re.findall(r"\]\(([^)#:]+)\)", TEXT)]
    return sorted({path.replace("NAME", EXAMPLE) for path in (*named, *linked)})


def test_the_guide_names_files() -> None:
    assert {f"src/deeepai/protocols/{EXAMPLE}.py", f"tests/clients/test_{EXAMPLE}.py", "docs/sandbox.md"} <= set(
        paths()
    )


@pytest.mark.parametrize("path", paths())
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(kind: type) -> None:
    """Here, or in the docstring of a class that has it; what stands below a field in the source counts, too."""
    sources = [inspect.getsource(base) for base in kind.__mro__ if base.__module__.startswith("deeepai.declare")]
    docstrings = "\n".join(text for source in sources for text in re.findall(r'"""(.*?)"""', source, re.DOTALL))
    said = words(TEXT) | words(docstrings)
    assert [field.name for field in dataclasses.fields(kind) if field.name not in said] == []


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_mentioned(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", TEXT)


def test_the_example_is_what_is_declared() -> None:
    """The format that the guide shows has the fields that there are, and their values in the module."""
    module = (ROOT / "src" / "deeepai" / "protocols" / f"{EXAMPLE}.py").read_text()
    shown = TEXT[TEXT.index("JOBS = JobFormat(") :].partition("\n)\n")[0].splitlines()[1:]
    fields = {field.name for field in dataclasses.fields(JobFormat)}
    for line in shown:
        assert line in module.splitlines(), line
        if re.match(r" {4}\w", line):
            assert line.strip().partition("=")[0] in fields
    for piece in ("error=ErrorTable(", "AT = Paths("):
        assert piece in TEXT
        assert piece in module
