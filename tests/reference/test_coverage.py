from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deeepai.control import coverage
from deeepai.protocols import PROTOCOLS


def write(path: Path, results: dict[str, tuple[int, int]]) -> Path:
    path.write_text(json.dumps({name: {"passed": good, "failed": bad} for name, (good, bad) in results.items()}))
    return path


def status(results: Path, row: int) -> str:
    found = coverage.rows(results)[row - 1]
    assert found["row"] == row
    return found["status"]


def test_every_row_of_the_tree_is_there_once(tmp_path: Path) -> None:
    found = coverage.rows(tmp_path / "absent.json")
    assert [row["row"] for row in found] == list(range(1, 192))
    assert all(row["tree"] and row["protocol"] for row in found)
    assert {row["status"] for row in found} <= {"missing", "declared"}


def test_declared_rows_exist_and_are_counted(tmp_path: Path) -> None:
    declared = {row for protocol in PROTOCOLS.values() for operation in protocol.operations for row in operation.rows}
    assert declared <= set(range(1, 192))
    found = coverage.rows(tmp_path / "absent.json")
    assert {row["row"] for row in found if row["status"] != "missing"} == declared


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, "declared"),
        ({"openai.embeddings": (2, 0)}, "tested"),
        ({"openai.embeddings": (2, 1)}, "declared"),
        ({"openai.embeddings": (0, 0)}, "declared"),
        ({"openai.completions": (3, 0)}, "declared"),
    ],
)
def test_only_a_row_that_passed_and_never_failed_is_tested(
    tmp_path: Path, results: dict[str, tuple[int, int]], expected: str
) -> None:
    assert status(write(tmp_path / "results.json", results), 8) == expected


def test_results_are_found_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "elsewhere.json", {"openai.embeddings": (1, 0)})
    monkeypatch.setenv("DEEEPAI_TEST_RESULTS", str(path))
    assert coverage.rows()[7]["status"] == "tested"


def test_page_has_a_line_for_every_row_and_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "coverage.md"
    coverage.write_markdown(path, write(tmp_path / "results.json", {"openai.embeddings": (1, 0)}))
    text = path.read_text("utf-8")
    assert len(re.findall(r"^\| \d+ \|", text, re.MULTILINE)) == 191
    counted = {word: int(count) for word, count in re.findall(r"(tested|declared|missing) \S+: \*\*(\d+)\*\*", text)}
    assert sum(counted.values()) == 191
    assert counted["tested"] == 1
    assert "| 8 | OpenAI接口 > 向量生成接口(Embeddings) > 创建嵌入 | openai | `openai.embeddings` | ✅ 已测试 |" in text
