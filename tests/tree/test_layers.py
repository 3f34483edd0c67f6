"""The tree's own rules: imports flow down, nobody names a vendor outside its module, files stay short."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeepai.protocols import PROTOCOLS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "deeepai"
LAYERS = (
    {"declare", "settings", "asgi", "crash", "lifeline", "__init__"},
    {"logs"},
    {"storage"},
    {"accounts", "money"},
    {"upstream"},
    {"protocols", "translators"},
    {"tasks"},
    {"gateway"},
    {"control"},
    {"app", "planes", "http1"},
    {"server"},
    {"supervisor"},
    {"cli"},
    {"__main__"},
)
APART = {"engines", "sandbox"}
FILES = sorted(SOURCE.rglob("*.py"))


def layer(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what of this package a file imports, as names below it."""
    package = path.relative_to(SOURCE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                below = (*base, *(node.module or "").split(".")) if node.module else base
                yield from [below] if below else [(alias.name,) for alias in node.names]
            elif node.module and node.module.split(".")[0] == "deeepai":
                below = tuple(node.module.split(".")[1:])
                yield from [below] if below else [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("deeepai."):
                    yield tuple(alias.name.split(".")[1:])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_flow_down(path: Path) -> None:
    own = part_of(path)
    for names in imported(path):
        other = names[0]
        if other in ("__version__", own) or (own in APART and other == "lifeline"):
            continue
        if own in APART:
            pytest.fail(f"{own} stands apart and imports {'.'.join(names)}")
        if other in APART:
            assert own in ("cli", "supervisor"), f"{own} imports {other}"
            continue
        assert layer(other) <= layer(own), f"{own} imports {'.'.join(names)}, which lies above it"


def test_protocols_import_declarations_only() -> None:
    for path in FILES:
        if part_of(path) not in ("protocols", "translators"):
            continue
        for names in imported(path):
            assert names[0] in ("declare", part_of(path)), f"{path.name} imports {'.'.join(names)}"


def test_no_import_circles() -> None:
    graph: dict[str, set[str]] = {}
    modules = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in FILES}
    for name, path in modules.items():
        found: set[str] = set()
        for names in imported(path):
            whole = ".".join(names)
            found |= {each for each in (whole, f"{whole}.__init__") if each in modules and each != name}
        graph[name] = found
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for other in graph[name]:
            # A package's front imports its own modules; they may name the package's parts, not the front.
            walk(other, (*trail, name))
        done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("test_*.py"))], ids=lambda path: path.name)
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 600
    if path.is_relative_to(SOURCE):
        assert ast.get_docstring(ast.parse(text)), "no docstring"


def test_no_vendor_is_named_outside_its_module() -> None:
    names = set(PROTOCOLS)
    for path in FILES:
        if part_of(path) not in ("gateway", "tasks", "money", "accounts", "storage", "app", "upstream"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                for side in (node.left, *node.comparators):
                    assert not (isinstance(side, ast.Constant) and side.value in names), f"{path.name}:{node.lineno}"


def test_no_tracked_file_names_a_registry_or_holds_a_key() -> None:
    hosts = "|".join(("npm" + "js[.]", "python" + "hosted", "py" + "pi[.]org", "reg" + "istry[.]npm"))
    found = subprocess.run(
        ["git", "grep", "-nIE", hosts, "--", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    keys = subprocess.run(
        ["git", "grep", "-nIE", r"\bsk-(test-)?[A-Za-z0-9]{48}\b", "--", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert keys.stdout == ""
