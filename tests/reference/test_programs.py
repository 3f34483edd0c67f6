"""The programs of `examples/` stand in the API reference, each in one piece."""

from __future__ import annotations

import ast
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from deeepai.control import programs
from tests.stack import Gateway
from tests.support.until import PATIENCE

FOLDER = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.py") if path.name != f"{programs.SHARED}.py"
)


@pytest.fixture(scope="module")
def shown(gateway: Gateway) -> dict[str, tuple[str, str]]:
    """Operation and source by program, as a reader gets them."""
    with urllib.request.urlopen(f"{gateway.url}/openapi.json", timeout=PATIENCE) as answer:
        document: Any = json.load(answer)
    found: dict[str, tuple[str, str]] = {}
    for methods in document["paths"].values():
        for operation in methods.values():
            for sample in operation.get("x-codeSamples", ())[1:]:
                assert sample["label"] not in found, "it stands once"
                assert sample["lang"] == "python"
                found[sample["label"]] = operation["operationId"], sample["source"]
    return found


def test_every_program_is_shown(shown: dict[str, tuple[str, str]]) -> None:
    assert sorted(shown) == PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_whole(shown: dict[str, tuple[str, str]], name: str) -> None:
    """What it says is all there, and what it imports is Python's own, or named in the README."""
    _, source = shown[name]
    tree = ast.parse(source)
    compile(source, name, "exec")
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert programs.SHARED not in imported
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own = ast.parse((FOLDER / name).read_text("utf-8"))
    assert defined >= {node.name for node in ast.walk(own) if isinstance(node, ast.FunctionDef)}
    last = (FOLDER / name).read_text("utf-8").rstrip().splitlines()[-1]
    assert source.rstrip().endswith(last)


def test_the_rows_of_numbered_examples_show_their_program(shown: dict[str, tuple[str, str]]) -> None:
    for name in ("qr_codes", "creative_text", "cute", "fusion", "callback"):
        operation, source = shown[f"mewx/{name}.py"]
        assert operation.startswith("mewx.")
        assert "images/detail?img_uuid=" in source
